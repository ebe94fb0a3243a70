#include "project/open_lineage_sender.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "env/diag.h"
#include "env/files.h"

namespace millrace::project {

namespace {
constexpr int64_t kEndMs = 5'000;
constexpr int kTries = 3;
constexpr int64_t kPauseMs = 200;
}  // namespace

class OpenLineageSender::Transport {
 public:
  virtual ~Transport() = default;
  // Retry::kBackoff where it may be tried again.
  virtual Status Deliver(const std::string& event) = 0;
};

class OpenLineageSender::FileTransport : public Transport {
 public:
  FileTransport(std::unique_ptr<env::File> file, int64_t end) : file_(std::move(file)), end_(end) {}
  Status Deliver(const std::string& event) override {
    const std::string line = event + "\n";
    const std::string_view part = line;
    MR_RETURN_IF_ERROR(file_->WriteAt(end_, {&part, 1}));
    end_ += static_cast<int64_t>(line.size());
    return Status::Ok();
  }

 private:
  std::unique_ptr<env::File> file_;
  int64_t end_;
};

class OpenLineageSender::ConsoleTransport : public Transport {
 public:
  Status Deliver(const std::string& event) override {
    fmt::print("{}\n", event);
    std::fflush(stdout);
    return Status::Ok();
  }
};

class OpenLineageSender::HttpTransport : public Transport {
 public:
  HttpTransport(std::string url, const std::string& api_key) : url_(std::move(url)) {
    curl_ = curl_easy_init();
    headers_ = curl_slist_append(headers_, "Content-Type: application/json");
    if (!api_key.empty()) {
      headers_ = curl_slist_append(headers_, ("Authorization: Bearer " + api_key).c_str());
    }
  }
  ~HttpTransport() override {
    curl_slist_free_all(headers_);
    curl_easy_cleanup(curl_);
  }
  Status Deliver(const std::string& event) override {
    curl_easy_reset(curl_);
    curl_easy_setopt(curl_, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, event.data());
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(event.size()));
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, 5'000L);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(
        curl_, CURLOPT_WRITEFUNCTION,
        +[](char*, size_t size, size_t count, void*) -> size_t { return size * count; });
    const CURLcode done = curl_easy_perform(curl_);
    if (done != CURLE_OK) {
      return Status(Code::kUnavailable, fmt::format("the OpenLineage server does not answer: {}",
                                                    curl_easy_strerror(done)))
          .WithRetry(Retry::kBackoff);
    }
    long code = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &code);
    if (code >= 200 && code < 300) return Status::Ok();
    Status refused(Code::kUnavailable, fmt::format("the OpenLineage server answers {}", code));
    if (code == 429 || code >= 500) return std::move(refused).WithRetry(Retry::kBackoff);
    return refused;
  }

 private:
  std::string url_;
  CURL* curl_ = nullptr;
  curl_slist* headers_ = nullptr;
};

Result<std::unique_ptr<OpenLineageSender>> OpenLineageSender::Open(
    const OpenLineageSettings& settings, const std::string& data_directory) {
  using Kind = OpenLineageSettings::Transport;
  std::unique_ptr<OpenLineageSender> sender(new OpenLineageSender());
  sender->queue_max_ = static_cast<size_t>(settings.queue_max);
  switch (settings.transport) {
    case Kind::kOff:
      return Status(Code::kFailedPrecondition, "OpenLineage events are off");
    case Kind::kConsole:
      sender->transport_ = std::make_unique<ConsoleTransport>();
      break;
    case Kind::kHttp: {
      MR_ASSIGN_OR_RETURN(std::string url, ResolveReferences(settings.url));
      MR_ASSIGN_OR_RETURN(std::string key, ResolveReferences(settings.api_key));
      sender->transport_ = std::make_unique<HttpTransport>(std::move(url), key);
      break;
    }
    case Kind::kFile: {
      MR_ASSIGN_OR_RETURN(std::string path, ResolveReferences(settings.path));
      if (!path.starts_with("/")) path = data_directory + "/" + path;
      MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(env::ParentDirectory(path)));
      auto file = env::FileSystem::Real()->Open(path, env::OpenMode::kCreate);
      if (!file.ok()) {
        return std::move(file)
            .status()
            .Annotate("OpenLineage events")
            .WithHint("lineage: openlineage: path: in millrace.yml names another file");
      }
      MR_ASSIGN_OR_RETURN(const int64_t end, (*file)->Size());
      sender->transport_ = std::make_unique<FileTransport>(std::move(*file), end);
      break;
    }
  }
  sender->thread_ = std::thread([s = sender.get()] { s->Run(); });
  return sender;
}

OpenLineageSender::~OpenLineageSender() {
  if (!thread_.joinable()) return;
  Flush(kEndMs);
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    counts_.dropped += static_cast<int64_t>(queue_.size());
    queue_.clear();
  }
  changed_.notify_all();
  thread_.join();
  const OpenLineageCounts last = counts();
  if (last.dropped + last.failed > 0) {
    diag::Warn("OpenLineage: {} events sent, {} dropped, {} failed: {}", last.sent, last.dropped,
               last.failed, last.last_error);
  }
}

void OpenLineageSender::Send(std::string event) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_max_) {
      counts_.dropped++;
      return;
    }
    queue_.push_back(std::move(event));
  }
  changed_.notify_all();
}

OpenLineageCounts OpenLineageSender::counts() const {
  std::lock_guard lock(mutex_);
  OpenLineageCounts now = counts_;
  now.waiting = static_cast<int64_t>(queue_.size());
  return now;
}

bool OpenLineageSender::Flush(int64_t timeout_ms) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                           [&] { return queue_.empty() && !busy_; });
}

void OpenLineageSender::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::string event = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    Status delivered;
    for (int n = 0; n < kTries; n++) {
      lock.unlock();
      delivered = transport_->Deliver(event);
      lock.lock();
      if (delivered.ok() || delivered.retry() == Retry::kNever || ending_ || n + 1 == kTries) break;
      changed_.wait_for(lock, std::chrono::milliseconds(kPauseMs << n), [&] { return ending_; });
    }
    busy_ = false;
    if (delivered.ok()) {
      counts_.sent++;
    } else {
      counts_.failed++;
      counts_.last_error = delivered.message();
      if (counts_.failed == 1) diag::Warn("{}", delivered.message());
    }
    changed_.notify_all();
  }
}

}  // namespace millrace::project
