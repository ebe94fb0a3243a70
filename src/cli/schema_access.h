// SchemaAccess: a project's schema registry by its REST API: that of a running `millrace dev`, or
// the same routes in this process.
//
// Contract: one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"

namespace millrace::cli {

class SchemaAccess {
 public:
  // `path`: a project's directory. Errors: it is none; its log is open in another process.
  static Result<std::unique_ptr<SchemaAccess>> Open(const std::string& path,
                                                    const std::string& target);
  virtual ~SchemaAccess() = default;

  // The body of a 200 answer; what the registry refuses is the Status, with its message.
  Result<std::string> Ask(const std::string& method, const std::string& path,
                          const std::string& body = "");

 protected:
  struct Answer {
    int status = 0;
    std::string body;
  };
  virtual Result<Answer> Send(const std::string& method, const std::string& path,
                              const std::string& body) = 0;
};

}  // namespace millrace::cli
