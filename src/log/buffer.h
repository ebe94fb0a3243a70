// Buffer: bytes that grow without being zeroed, always followed by readable padding.
//
// Contract: not thread-safe. data() moves when the buffer grows. The kRecordPadding bytes behind
// capacity() may be read (their content means nothing), so parsers may run past the end.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>

#include "model/record.h"

namespace millrace::log {

class Buffer {
 public:
  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  std::string_view view() const { return {data_.get(), size_}; }
  void Clear() { size_ = 0; }
  // Bytes that become part of the buffer hold garbage until written.
  void Resize(size_t size) {
    Reserve(size);
    size_ = size;
  }
  void Reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    size_t grown = capacity_ * 2 < capacity ? capacity : capacity_ * 2;
    if (grown < 4096) grown = 4096;
    std::unique_ptr<char[]> data(new char[grown + model::kRecordPadding]);
    if (size_ > 0) std::memcpy(data.get(), data_.get(), size_);
    std::memset(data.get() + grown, 0, model::kRecordPadding);
    data_ = std::move(data);
    capacity_ = grown;
  }

 private:
  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace millrace::log
