#include <fmt/format.h>
#include <unistd.h>

#include <thread>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/dev_process.h"
#include "cli/kafka_port.h"
#include "cli/stop_signal.h"
#include "cli/terminal.h"
#include "connectors/kafka/cluster_settings.h"
#include "connectors/kafka/topic_mirror.h"

namespace millrace::cli {

namespace {

using connectors::kafka::TopicMirror;
using connectors::kafka::TopicMirrorOptions;

constexpr int64_t kWaitUs = 200'000;
constexpr auto kRetryEvery = std::chrono::milliseconds(500);

// The project's log as a place that speaks Kafka's protocol: the port of a running dev, or one of
// our own.
class LogPort {
 public:
  Status Open(const TopicsOptions& options) {
    std::vector<Status> faults;
    auto project = project::Project::Load(CleanPath(options.directory), options.target, faults);
    if (!faults.empty()) return faults[0];
    const project::KafkaSettings& kafka = project->config().kafka;
    if (kafka.listener.sasl || kafka.listener.tls || kafka.acls.on) {
      return Status(
                 Code::kUnsupported,
                 "the project's Kafka port asks its clients who they are, which is not done here")
          .WithHint("name its address with --from or --to, and the log-in with -X");
    }
    const std::string listen = kafka.listener.listen;
    if (auto dev = FindDevProcess(project->data_directory())) {
      if (listen.empty() || listen == "0" || listen.ends_with(":0")) {
        return Status(Code::kFailedPrecondition,
                      fmt::format("the project runs (process {}), and millrace.yml does not say "
                                  "where its Kafka port is",
                                  dev->pid))
            .WithHint("give its address with --from or --to, or stop it first");
      }
      address_ = listen.find(':') == std::string::npos ? "127.0.0.1:" + listen : listen;
      return Status::Ok();
    }
    MR_ASSIGN_OR_RETURN(runtime_, project::Runtime::Open(std::move(project), false));
    MR_ASSIGN_OR_RETURN(server_, StartKafkaPort(*runtime_, "127.0.0.1:0"));
    address_ = server_->address();
    return Status::Ok();
  }
  const std::string& address() const { return address_; }

 private:
  std::unique_ptr<project::Runtime> runtime_;
  std::unique_ptr<kafka::KafkaServer> server_;  // ends before the runtime
  std::string address_;
};

// -X NAME=VALUE, and the brokers.
Result<std::map<std::string, std::string>> ClientSettings(const TopicsOptions& options,
                                                          const std::string& brokers) {
  std::map<std::string, std::string> properties;
  for (const std::string& setting : options.settings) {
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      return Status(Code::kInvalidArgument, "\"" + setting + "\" is not a setting")
          .WithHint("it is like -X security.protocol=SSL");
    }
    properties["properties." + setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  properties["properties.bootstrap.servers"] = brokers;
  return connectors::kafka::ClusterSettings(properties);
}

Status Mirror(const TopicsOptions& options, const std::atomic<bool>& stop) {
  if (options.from.empty() && options.to.empty()) {
    return Status(Code::kInvalidArgument, "both sides would be the project's log")
        .WithHint("say --from or --to: the brokers of a cluster");
  }
  LogPort log;
  if (options.from.empty() || options.to.empty()) MR_RETURN_IF_ERROR(log.Open(options));
  TopicMirrorOptions mirrored;
  mirrored.topic = options.topic;
  mirrored.copy = options.as.empty() ? options.topic : options.as;
  const std::map<std::string, std::string> own = {{"bootstrap.servers", log.address()}};
  mirrored.from = own;
  mirrored.to = own;
  if (!options.from.empty()) {
    MR_ASSIGN_OR_RETURN(mirrored.from, ClientSettings(options, options.from));
  }
  if (!options.to.empty()) {
    MR_ASSIGN_OR_RETURN(mirrored.to, ClientSettings(options, options.to));
  }
  MR_ASSIGN_OR_RETURN(auto mirror, TopicMirror::Open(mirrored));
  const bool terminal = IsTerminal(STDERR_FILENO);
  int64_t copied = 0;
  std::string trouble;  // said once
  while (!stop && (options.follow || mirror->Left() > 0)) {
    auto step = mirror->Step(kWaitUs);
    if (step.ok()) {
      copied += *step;
      trouble.clear();
      if (terminal) {
        fmt::print(stderr, "\r{} records copied, {} to go\033[K", copied, mirror->Left());
      }
      continue;
    }
    if (step.status().retry() == Retry::kNever) return step.status();
    if (trouble != step.status().message()) {
      trouble = step.status().message();
      PrintError(step.status());
    }
    std::this_thread::sleep_for(kRetryEvery);
  }
  if (terminal) fmt::print(stderr, "\r\033[K");
  fmt::print("copied {} records of topic \"{}\", {} to go\n", copied, options.topic,
             mirror->Left());
  return Status::Ok();
}

}  // namespace

int RunTopicsMirror(const TopicsOptions& options) {
  const std::atomic<bool>& stop = CatchStopSignals();
  Status logging = SetUpLogging("warn", "");
  if (!logging.ok()) return Fail(logging);
  Status status = Mirror(options, stop);
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace millrace::cli
