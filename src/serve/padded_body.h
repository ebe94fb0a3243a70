// PaddedBody: a Beast body that is a string followed by the padding that JSON parsing reads.
//
// Contract: after the message is complete the string ends with model::kRecordPadding zero bytes
// that do not belong to the body. Memory grows with what arrived, not with what a header claims
// beyond kReserveMax.
#pragma once

#include <algorithm>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>
#include <cstdint>
#include <string>

#include "model/record.h"

namespace millrace::serve {

struct PaddedBody {
  using value_type = std::string;
  static constexpr uint64_t kReserveMax = 256 << 10;

  class reader {
   public:
    template <bool is_request, class Fields>
    explicit reader(boost::beast::http::header<is_request, Fields>&, value_type& body)
        : body_(body) {}

    void init(const boost::optional<uint64_t>& length, boost::beast::error_code& ec) {
      ec = {};
      body_.reserve(std::min(length.value_or(0), kReserveMax) + model::kRecordPadding);
    }

    template <class Buffers>
    size_t put(const Buffers& buffers, boost::beast::error_code& ec) {
      ec = {};
      size_t total = 0;
      for (auto it = boost::asio::buffer_sequence_begin(buffers);
           it != boost::asio::buffer_sequence_end(buffers); ++it) {
        boost::asio::const_buffer part = *it;
        body_.append(static_cast<const char*>(part.data()), part.size());
        total += part.size();
      }
      return total;
    }

    void finish(boost::beast::error_code& ec) {
      ec = {};
      body_.append(model::kRecordPadding, '\0');
    }

   private:
    value_type& body_;
  };
};

}  // namespace millrace::serve
