#include "kafka/security/tls_files.h"

#include "env/diag.h"
#include "env/files.h"
#include "kafka/security/tls.h"

namespace millrace::kafka {

namespace {

constexpr int64_t kQuietMs = 200;  // what belongs together is written together

}  // namespace

Result<std::unique_ptr<TlsFiles>> TlsFiles::Open(const TlsOptions& options) {
  std::unique_ptr<TlsFiles> files(new TlsFiles(options));
  // Watched before they are read: what changes in between is read again.
  const Status watched = files->Watch();
  if (auto bytes = files->Read(); bytes.ok()) files->bytes_ = *std::move(bytes);
  MR_ASSIGN_OR_RETURN(auto made, NewTlsContext(options));
  files->current_ = std::move(made);
  if (watched.ok()) {
    files->thread_ = std::thread([self = files.get()] { self->Loop(); });
  } else {
    diag::Warn("kafka: a new certificate needs a restart: reason={}", watched.message());
  }
  return files;
}

TlsFiles::~TlsFiles() {
  stopped_ = true;
  if (watch_) watch_->Interrupt();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<boost::asio::ssl::context> TlsFiles::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

Result<std::string> TlsFiles::Read() const {
  std::string all;
  for (const std::string& path : {options_.certificate, options_.key, options_.ca}) {
    if (path.empty()) continue;
    MR_ASSIGN_OR_RETURN(std::string bytes, env::ReadWholeFile(*env::FileSystem::Real(), path));
    all += std::to_string(bytes.size()) + " " + bytes;
  }
  return all;
}

Status TlsFiles::Watch() {
  MR_ASSIGN_OR_RETURN(watch_, env::FileWatch::Open());
  for (const std::string& path : {options_.certificate, options_.key, options_.ca}) {
    if (!path.empty()) MR_RETURN_IF_ERROR(watch_->Add(env::ParentDirectory(path), false).status());
  }
  return {};
}

void TlsFiles::Loop() {
  while (!stopped_) {
    auto changes = watch_->Wait(kQuietMs);
    if (!changes.ok()) {
      diag::Error("kafka: files of TLS are not watched any more: reason={}",
                  changes.status().message());
      return;
    }
    if (!stopped_ && !changes->empty()) ReadAgain();
  }
}

void TlsFiles::ReadAgain() {
  auto bytes = Read();
  if (bytes.ok() && *bytes == bytes_) return;  // others live in these directories, too
  auto made = bytes.ok() ? NewTlsContext(options_)
                         : Result<std::unique_ptr<boost::asio::ssl::context>>(bytes.status());
  if (!made.ok()) {
    diag::Warn("kafka: changed files of TLS are not taken: certificate={} reason={}",
               options_.certificate, made.status().message());
    return;
  }
  bytes_ = *std::move(bytes);
  {
    std::lock_guard lock(mutex_);
    current_ = *std::move(made);
  }
  diag::Info("kafka: new connections get the changed certificate: certificate={}",
             options_.certificate);
}

}  // namespace millrace::kafka
