// S3Objects: small objects of one bucket, for what DuckDB's file system does not do: an object that
// is made only if there is none of its name.
//
// Contract: one thread; a request blocks, for `timeout_ms` at most. Objects are named by their
// locations, "s3://bucket/key". Every error has Retry::kBackoff unless it is said otherwise: a
// store may be away, and who logs in may be allowed again. After an error a request may have been
// done, or be done later. Source: Amazon S3 API reference, GetObject, PutObject ("If-None-Match"),
// DeleteObject.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "connectors/http/http_client.h"
#include "connectors/s3/s3_options.h"

namespace millrace::connectors::s3 {

class S3Objects {
 public:
  // `location`: of anything in the bucket.
  S3Objects(const Access& access, const std::string& location, int64_t timeout_ms);

  // kNotFound, to be taken as an answer: there is no such object.
  Result<std::string> Read(const std::string& location);
  Result<bool> Exists(const std::string& location);
  // Makes it, or replaces it.
  Status Write(const std::string& location, std::string_view bytes);
  // kAlreadyExists, to be taken as an answer: there is one; perhaps since this very request reached
  // the store twice.
  Status WriteNew(const std::string& location, std::string_view bytes);
  // Fine when there is none.
  Status Remove(const std::string& location);
  // Makes sure that the store means it: `location` is written, tried to be made and removed.
  // kUnsupported, not to be tried again: it replaces what is there.
  Status CheckWriteNew(const std::string& location);

 private:
  Result<http::HttpAnswer> Send(const std::string& method, const std::string& location,
                                std::string_view body, bool if_none = false);
  Status Refused(const std::string& what, const std::string& location,
                 const http::HttpAnswer& answer) const;

  const std::string bucket_;  // "s3://bucket/"
  http::HttpClient client_;
};

}  // namespace millrace::connectors::s3
