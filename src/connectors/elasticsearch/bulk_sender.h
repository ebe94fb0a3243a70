// BulkSender: sends changes of documents with the bulk API, and tells for each what became of it.
//
// Contract: one thread. Send may be repeated with the same actions after an error: those that are
// settled are not sent again.
// Source: the bulk API of Elasticsearch 7 and OpenSearch 2 (POST _bulk, newline-delimited JSON).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/http/http_client.h"

namespace millrace::connectors::elasticsearch {

struct BulkAction {
  enum class State { kPending, kDone, kRejected };

  std::string action;   // {"index":{…}}
  std::string source;   // the document; "": the action takes none
  int64_t version = 0;  // that the action gives the document; 0: it only creates
  size_t row = 0;       // the caller's
  State state = State::kPending;
  std::string column = {};  // kRejected: as the cluster names it
  std::string reason = {};
};

struct BulkLimits {
  size_t actions_max = 1000;
  size_t bytes_max = 2 << 20;
};

class BulkSender {
 public:
  // One client for each host; the next one is asked when one does not answer.
  BulkSender(std::vector<http::HttpSettings> hosts, BulkLimits limits);

  // Settles all actions. Errors: kUnavailable with Retry::kBackoff when the cluster does not
  // answer, or has no room for some of them now, or will not let us.
  Status Send(std::span<BulkAction> actions);

  // Any other request, to be answered with status 200, 201 or one of `also`.
  Result<http::HttpAnswer> Ask(const http::HttpRequest& request, std::span<const int> also);

 private:
  Status SendSome(std::span<BulkAction* const> actions);
  Result<http::HttpAnswer> Request(const http::HttpRequest& request);

  std::vector<std::unique_ptr<http::HttpClient>> clients_;
  std::vector<std::string> urls_;
  size_t current_ = 0;
  const BulkLimits limits_;
};

}  // namespace millrace::connectors::elasticsearch
