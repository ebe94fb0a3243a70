// Collector throughput: events over HTTP into the durable log, load generator on the same machine.
//
//   collector_bench [--seconds S] [--connections N] [--threads N] [--batch B]... [--event-bytes N]
//                   [--partitions N] [--dir DIR] [--no-fsync] [--no-table]
//   collector_bench --url http://127.0.0.1:8080/v1/events/page-views [--seconds S] ...
//
// Without --url the server runs in this process over a log in a fresh directory, checks each event
// against a table of ten columns and answers after fsync. The load generator keeps one request in
// flight on each of N keep-alive connections. CPU is that of the whole process: with --url the
// generator's alone.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "log/log.h"
#include "serve/api_server.h"

namespace {
using namespace millrace;
using Clock = std::chrono::steady_clock;

struct Settings {
  double seconds = 3;
  int connections = 32;
  int threads = 2;
  std::vector<int> batches;
  int event_bytes = 500;
  int partitions = 4;
  std::string directory;
  bool fsync = true;
  bool table = true;
  std::string host = "127.0.0.1";
  int port = 0;
  std::string path = "/v1/events/page-views";
};

// Accepts everything the bench needs and shows nothing.
class BenchBackend final : public serve::Backend {
 public:
  BenchBackend(log::Log& log, bool table) : log_(log) {
    if (!table) return;
    auto schema = std::make_shared<serve::TopicSchema>();
    schema->table = "page_views";
    using duckdb::LogicalType;
    schema->schema.columns = {
        {"user_id", LogicalType::VARCHAR, false},      {"session_id", LogicalType::VARCHAR, true},
        {"page_url", LogicalType::VARCHAR, false},     {"referrer", LogicalType::VARCHAR, true},
        {"event_time", LogicalType::TIMESTAMP, false}, {"country", LogicalType::VARCHAR, true},
        {"device", LogicalType::VARCHAR, true},        {"duration_ms", LogicalType::BIGINT, true},
        {"price", LogicalType::DOUBLE, true},          {"user_agent", LogicalType::VARCHAR, true}};
    schema->key_column = "user_id";
    schema_ = schema;
  }
  log::Log& log() override { return log_; }
  std::shared_ptr<const serve::TopicSchema> TopicSchemaFor(const std::string&) override {
    return schema_;
  }
  void WriteDeadLetters(std::span<const model::DeadLetter> letters,
                        std::function<void(const Status&)> done) override {
    done(Status(Code::kInternal, "the bench sent an invalid event: " + letters[0].ToJson()));
  }
  Result<std::string> PipelineJson() override { return std::string("{}"); }
  Result<std::string> JobJson(const std::string&) override { return std::string("{}"); }
  Result<std::string> DashboardsJson() override { return std::string("[]"); }
  Result<std::string> DashboardJson(const std::string&) override { return std::string("{}"); }
  Result<std::string> DashboardDataJson(const std::string&,
                                        const std::map<std::string, std::string>&) override {
    return std::string("{}");
  }
  Result<std::string> SqlJson(const std::string&) override { return std::string("{}"); }
  Result<std::string> DeadLettersJson(int64_t) override { return std::string("[]"); }
  Result<std::string> DeadLetterJson(const std::string&) override { return std::string("{}"); }
  Result<std::string> ActOnDeadLetters(std::string_view) override { return std::string("{}"); }
  Result<std::string> ChangesJson(const std::string&) override { return std::string("{}"); }
  Result<std::string> StartReprocessing(const std::string&, std::string_view) override {
    return std::string("{}");
  }
  Result<std::string> ReprocessingJson(const std::string&) override { return std::string("{}"); }
  Result<std::string> VerifyJson(const std::string&, int64_t) override { return std::string("{}"); }
  Result<std::string> LineageJson(const std::string&, const std::string&) override {
    return std::string("{}");
  }
  Status Ready() override { return {}; }
  std::function<void()> Subscribe(std::function<void(const serve::Change&)>) override {
    return [] {};
  }

 private:
  log::Log& log_;
  std::shared_ptr<const serve::TopicSchema> schema_;
};

std::string MakeEvent(int number, int bytes) {
  std::string event = fmt::format(
      R"({{"user_id":"user-{:05}","session_id":"{:016x}","page_url":"/products/{}/details?ref=list",)"
      R"("referrer":"https://search.example/?q=shoes","event_time":"2025-11-21 05:{:02}:{:02}.{:03}",)"
      R"("country":"DE","device":"mobile","duration_ms":{},"price":{}.{:02},"user_agent":")",
      number * 7919 % 20000, number * 2654435761LL, number % 500, number / 60 % 60, number % 60,
      number % 1000, number % 30000, number % 200, number % 100);
  int fill = bytes - static_cast<int>(event.size()) - 2;
  constexpr std::string_view kAgent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 ";
  for (int i = 0; i < fill; i++) event += kAgent[static_cast<size_t>(i) % kAgent.size()];
  return event + "\"}";
}

// A few different requests, built once: the generator's CPU is not what is measured.
std::vector<std::string> MakeRequests(const Settings& settings, int batch, int seed) {
  std::vector<std::string> requests;
  for (int r = 0; r < 16; r++) {
    std::string body;
    for (int e = 0; e < batch; e++) {
      body += MakeEvent(seed * 100'003 + r * batch + e, settings.event_bytes) + "\n";
    }
    requests.push_back(
        fmt::format("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                    "Content-Length: {}\r\n\r\n{}",
                    settings.path, body.size(), body));
  }
  return requests;
}

struct Connection {
  int fd = -1;
  size_t request = 0;
  size_t sent = 0;
  std::string answer;
  Clock::time_point begin;
};

struct Outcome {
  int64_t requests = 0;
  int64_t refused = 0;  // 429 and 503
  std::string failure;
  std::vector<float> latency_ms;
};

int Connect(const Settings& settings) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(settings.port));
  inet_pton(AF_INET, settings.host.c_str(), &address.sin_addr);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return -1;
  }
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return fd;
}

// Sends what the socket takes; false when the connection broke.
bool Push(Connection& c, const std::vector<std::string>& requests) {
  const std::string& text = requests[c.request];
  while (c.sent < text.size()) {
    ssize_t n = send(c.fd, text.data() + c.sent, text.size() - c.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    c.sent += static_cast<size_t>(n);
  }
  return true;
}

// The status of a whole answer in `c.answer`, 0 when it is not whole yet.
int TakeAnswer(Connection& c) {
  size_t head_end = c.answer.find("\r\n\r\n");
  if (head_end == std::string::npos) return 0;
  size_t at = c.answer.find("Content-Length: ");
  size_t length = at < head_end ? std::strtoul(c.answer.c_str() + at + 16, nullptr, 10) : 0;
  if (c.answer.size() < head_end + 4 + length) return 0;
  return std::atoi(c.answer.c_str() + 9);
}

void Generate(const Settings& settings, int connections, int batch, int seed,
              const std::atomic<bool>& measuring, const std::atomic<bool>& stop, Outcome& out) {
  std::vector<std::string> requests = MakeRequests(settings, batch, seed);
  std::vector<Connection> all(static_cast<size_t>(connections));
  std::vector<pollfd> polls(all.size());
  for (size_t i = 0; i < all.size(); i++) {
    all[i].fd = Connect(settings);
    all[i].request = i % requests.size();
    all[i].begin = Clock::now();
    if (all[i].fd < 0) out.failure = "cannot connect";
  }
  char buffer[8192];
  while (!stop && out.failure.empty()) {
    for (size_t i = 0; i < all.size(); i++) {
      Connection& c = all[i];
      if (!Push(c, requests)) out.failure = "the connection broke while sending";
      bool more = c.sent < requests[c.request].size();
      polls[i] = {c.fd, static_cast<int16_t>(POLLIN | (more ? POLLOUT : 0)), 0};
    }
    if (poll(polls.data(), polls.size(), 100) <= 0) continue;
    for (size_t i = 0; i < all.size(); i++) {
      if ((polls[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      Connection& c = all[i];
      ssize_t n = recv(c.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN)) {
        out.failure = "the server closed the connection";
        break;
      }
      if (n > 0) c.answer.append(buffer, static_cast<size_t>(n));
      int status = TakeAnswer(c);
      if (status == 0) continue;
      auto now = Clock::now();
      if (status != 202 && status != 429 && status != 503) {
        out.failure = "unexpected answer: " + c.answer;
        break;
      }
      if (measuring) {
        (status == 202 ? out.requests : out.refused)++;
        out.latency_ms.push_back(std::chrono::duration<float, std::milli>(now - c.begin).count());
      }
      c.answer.clear();
      c.request = (c.request + 1) % requests.size();
      c.sent = 0;
      c.begin = now;
    }
  }
  for (Connection& c : all) close(c.fd);
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool Measure(const Settings& settings, int batch) {
  constexpr int kGenerators = 2;
  std::atomic<bool> measuring{false};
  std::atomic<bool> stop{false};
  std::vector<Outcome> outcomes(kGenerators);
  std::vector<std::thread> threads;
  for (int g = 0; g < kGenerators; g++) {
    int connections = std::max(1, settings.connections / kGenerators);
    threads.emplace_back([&, g, connections] {
      Generate(settings, connections, batch, g + 1, measuring, stop,
               outcomes[static_cast<size_t>(g)]);
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // warm-up
  double cpu_before = CpuSeconds();
  auto begin = Clock::now();
  measuring = true;
  std::this_thread::sleep_for(std::chrono::duration<double>(settings.seconds));
  measuring = false;
  double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  double cpu = CpuSeconds() - cpu_before;
  stop = true;
  for (std::thread& thread : threads) thread.join();

  int64_t requests = 0;
  int64_t refused = 0;
  std::vector<float> latency;
  for (const Outcome& outcome : outcomes) {
    if (!outcome.failure.empty()) {
      fmt::print(stderr, "collector_bench: batch {}: {}\n", batch, outcome.failure);
      return false;
    }
    requests += outcome.requests;
    refused += outcome.refused;
    latency.insert(latency.end(), outcome.latency_ms.begin(), outcome.latency_ms.end());
  }
  std::sort(latency.begin(), latency.end());
  auto percentile = [&](double p) {
    return latency.empty() ? 0.f : latency[static_cast<size_t>(p * (latency.size() - 1))];
  };
  double events = static_cast<double>(requests) * batch;
  fmt::print("{:>6} {:>12.0f} {:>12.0f} {:>9.1f} {:>9.2f} {:>9.2f} {:>14.2f} {:>8}\n", batch,
             events / seconds, static_cast<double>(requests) / seconds,
             events / seconds * settings.event_bytes / 1e6, percentile(0.5), percentile(0.99),
             events == 0 ? 0.0 : cpu / (events / 1e6), refused);
  return true;
}

bool Usage(const std::string& problem) {
  fmt::print(
      stderr,
      "collector_bench: {}\nusage: collector_bench [--url http://ADDRESS:PORT/v1/events/TOPIC]"
      " [--seconds S] [--connections N] [--threads N] [--batch B]... [--event-bytes N]"
      " [--partitions N] [--dir DIR] [--no-fsync] [--no-table]\n",
      problem);
  return false;
}

bool ParseUrl(const std::string& url, Settings& settings) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return false;
  size_t slash = url.find('/', kScheme.size());
  std::string host = url.substr(kScheme.size(), slash - kScheme.size());
  size_t colon = host.find(':');
  if (slash == std::string::npos || colon == std::string::npos) return false;
  settings.host = host.substr(0, colon) == "localhost" ? "127.0.0.1" : host.substr(0, colon);
  settings.port = std::atoi(host.c_str() + colon + 1);
  settings.path = url.substr(slash);
  return settings.port > 0;
}
// False after it told what is wrong.
bool ParseArguments(int argc, char** argv, Settings& settings) {
  for (int i = 1; i < argc; i++) {
    std::string name = argv[i];
    if (name == "--no-fsync" || name == "--no-table") {
      (name == "--no-fsync" ? settings.fsync : settings.table) = false;
      continue;
    }
    if (i + 1 == argc) return Usage("\"" + name + "\" is unknown or lacks its value");
    std::string value = argv[++i];
    if (name == "--dir") {
      settings.directory = value;
      continue;
    }
    if (name == "--url") {
      if (!ParseUrl(value, settings)) return Usage("\"" + value + "\" is not such a URL");
      continue;
    }
    double number = std::atof(value.c_str());
    if (number <= 0) return Usage("\"" + name + " " + value + "\" is not a positive number");
    if (name == "--seconds") {
      settings.seconds = number;
    } else if (name == "--connections") {
      settings.connections = static_cast<int>(number);
    } else if (name == "--threads") {
      settings.threads = static_cast<int>(number);
    } else if (name == "--batch") {
      settings.batches.push_back(static_cast<int>(number));
    } else if (name == "--event-bytes") {
      settings.event_bytes = static_cast<int>(number);
    } else if (name == "--partitions") {
      settings.partitions = static_cast<int>(number);
    } else {
      return Usage("\"" + name + "\" is unknown");
    }
  }
  if (settings.batches.empty()) settings.batches = {1, 20, 500};
  return true;
}

// The server in this process, over a log in a directory that goes away with it.
class LocalServer {
 public:
  ~LocalServer() {
    if (server_) server_->Shutdown(5'000);
    server_.reset();
    log_.reset();
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }

  Status Start(Settings& settings) {
    std::string base = settings.directory;
    if (base.empty()) base = std::filesystem::temp_directory_path().string();
    std::string path = base + "/collector_bench_XXXXXX";
    if (mkdtemp(path.data()) == nullptr) {
      return Status(Code::kIo, "cannot make a directory in \"" + base + "\"");
    }
    directory_ = path;
    log::LogOptions log_options;
    log_options.directory = path;
    log_options.fsync = settings.fsync;
    MR_ASSIGN_OR_RETURN(log_, log::Log::Open(log_options));
    MR_RETURN_IF_ERROR(log_->CreateTopic("page-views", {.partitions = settings.partitions}));
    backend_ = std::make_unique<BenchBackend>(*log_, settings.table);
    serve::ApiServerOptions options;
    options.http.threads = settings.threads;
    MR_ASSIGN_OR_RETURN(server_, serve::ApiServer::Start(*backend_, options));
    settings.port = server_->port();
    return {};
  }

 private:
  std::string directory_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<BenchBackend> backend_;
  std::unique_ptr<serve::ApiServer> server_;
};
}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  if (!ParseArguments(argc, argv, settings)) return 2;
  bool is_local = settings.port == 0;
  LocalServer local;
  if (is_local) {
    if (Status status = local.Start(settings); !status.ok()) {
      fmt::print(stderr, "collector_bench: {}\n", status.ToString());
      return 2;
    }
  }
  fmt::print("{}-byte events, {} connections, {} s each, {}\n", settings.event_bytes,
             settings.connections, settings.seconds,
             is_local ? fmt::format("{} server threads, {} partitions, fsync {}, table check {}",
                                    settings.threads, settings.partitions,
                                    settings.fsync ? "on" : "off", settings.table ? "on" : "off")
                      : "server elsewhere (CPU: the generator's)");
  fmt::print("{:>6} {:>12} {:>12} {:>9} {:>9} {:>9} {:>14} {:>8}\n", "batch", "events/s",
             "requests/s", "MB/s", "p50 ms", "p99 ms", "CPU s/M events", "refused");
  bool good = true;
  for (int batch : settings.batches) good = Measure(settings, batch) && good;
  return good ? 0 : 1;
}
