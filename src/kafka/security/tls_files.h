// TlsFiles: the TLS that new connections get, made from the files of a certificate and made again
// when these change. Connections that are there keep what they began with.
//
// Contract: any thread. A thread of its own watches the directories of the files, so replaced
// files, renamed ones and links that are pointed elsewhere (as Kubernetes does) are seen. Files
// that do not fit, as while only one of certificate and key is replaced, change nothing and are
// warned of in the log; the next change is looked at anew.
#pragma once

#include <atomic>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/status.h"
#include "env/file_watch.h"
#include "kafka/options.h"

namespace millrace::kafka {

class TlsFiles {
 public:
  // Errors: as NewTlsContext. Where the system gives no watch, the log says so, and files are read
  // this once.
  static Result<std::unique_ptr<TlsFiles>> Open(const TlsOptions& options);
  ~TlsFiles();

  std::shared_ptr<boost::asio::ssl::context> current() const;

 private:
  explicit TlsFiles(const TlsOptions& options) : options_(options) {}

  Result<std::string> Read() const;
  Status Watch();
  void Loop();
  void ReadAgain();

  const TlsOptions options_;
  std::string bytes_;  // of the files that the context was made from
  mutable std::mutex mutex_;
  std::shared_ptr<boost::asio::ssl::context> current_;
  std::unique_ptr<env::FileWatch> watch_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace millrace::kafka
