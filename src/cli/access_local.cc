// Access in this process: opens the project's log and warehouse, without its jobs.
#include <fmt/format.h>

#include <future>
#include <map>

#include "cli/access.h"
#include "log/topic_reader.h"
#include "project/runtime.h"
#include "serve/collector.h"
#include "serve/project_backend.h"

namespace millrace::cli {

namespace {

constexpr int64_t kReadBytesMax = 4 << 20;

// Waits for the one answer of the collector.
class AnswerSink : public serve::Responder::Sink {
 public:
  void Send(serve::Response response) override { answer_.set_value(std::move(response)); }
  std::shared_ptr<serve::BodyStream> StartStream(serve::Response) override { return nullptr; }
  serve::Response Wait() { return answer_.get_future().get(); }

 private:
  std::promise<serve::Response> answer_;
};

class LocalAccess : public Access {
 public:
  explicit LocalAccess(std::unique_ptr<project::Runtime> runtime) : runtime_(std::move(runtime)) {}

  Result<std::string> Sql(const std::string& sql) override {
    duck::QueryOptions options;
    options.read_only = true;  // as over HTTP: tables are the jobs' to write
    MR_ASSIGN_OR_RETURN(duck::QueryResult result, runtime_->warehouse().Query(sql, options));
    return result.ToJson();
  }

  Result<std::vector<TopicDescription>> Topics() override {
    std::vector<TopicDescription> topics;
    for (const log::TopicInfo& info : log().Topics()) {
      TopicDescription& topic = topics.emplace_back();
      topic.name = info.name;
      topic.retention_ms = info.config.retention_ms;
      for (int p = 0; p < info.config.partitions; p++) {
        MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log().DescribePartition(info.name, p));
        topic.partitions.push_back({p, at.start_offset, at.end_offset, at.size_bytes});
      }
    }
    return topics;
  }

  Status CreateTopic(const std::string& topic, int partitions,
                     std::optional<int64_t> retention_ms) override {
    log::TopicConfig config;
    config.partitions = partitions;
    if (retention_ms) config.retention_ms = *retention_ms;
    return log().CreateTopic(topic, config);
  }

  Status DeleteTopic(const std::string& topic) override {
    MR_RETURN_IF_ERROR(Topic(topic).status());
    return log().DeleteTopic(topic);
  }

  Result<std::vector<StoredRecord>> Read(const std::string& topic, int partition, int64_t offset,
                                         int64_t limit) override {
    MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log().DescribePartition(topic, partition));
    log::TopicReader reader(log(), topic);
    MR_ASSIGN_OR_RETURN(const int64_t start, reader.Start(partition));
    int64_t from = std::max(offset, start);
    std::vector<StoredRecord> records;
    auto visit = [&](std::span<const model::Record> some) {
      for (const model::Record& r : some) {
        StoredRecord& record = records.emplace_back();
        record.partition = partition;
        record.offset = r.offset;
        record.timestamp_ms = r.timestamp_ms;
        if (r.has_key) record.key = std::string(r.key);
        if (r.has_value) record.value = std::string(r.value);
      }
    };
    // Past markers and aborted records: who finds nothing takes it for the end.
    while (records.empty() && from < at.stable_offset && limit > 0) {
      const int64_t to = std::min(at.stable_offset, from + limit);
      MR_ASSIGN_OR_RETURN(from, reader.Read(partition, from, to, kReadBytesMax, visit));
    }
    return records;
  }

  Status Write(const std::string& topic, const std::vector<OutgoingRecord>& records) override {
    MR_ASSIGN_OR_RETURN(log::TopicInfo info, log().Describe(topic));
    int partitions = info.config.partitions;
    int without_key = static_cast<int>(turn_++ % static_cast<uint32_t>(partitions));
    std::map<int, std::vector<log::NewRecord>> by_partition;
    for (const OutgoingRecord& record : records) {
      int partition = record.partition >= 0 ? record.partition
                      : record.key          ? log::PartitionForKey(*record.key, partitions)
                                            : without_key;
      log::NewRecord& to = by_partition[partition].emplace_back();
      to.value = record.value;
      if (record.key) to.key = *record.key;
    }
    for (const auto& [partition, some] : by_partition) {
      MR_RETURN_IF_ERROR(log().AppendAndWait(topic, partition, some).status());
    }
    return Status::Ok();
  }

  Result<EventsResult> WriteEvents(const std::string& topic,
                                   const std::vector<std::string>& lines) override {
    if (!collector_) {
      MR_RETURN_IF_ERROR(OpenBackend());
      collector_ = std::make_unique<serve::Collector>(*backend_, serve::CollectorOptions());
    }
    std::string body;
    for (const std::string& line : lines) body += line + "\n";
    serve::Request request;
    request.method = serve::Method::kPost;
    request.path_args = {{"topic", topic}};
    request.SetBody(std::move(body));
    auto sink = std::make_shared<AnswerSink>();
    collector_->Handle(std::move(request), serve::Responder(sink));
    serve::Response response = sink->Wait();
    return ParseEventsAnswer(response.status, response.body);
  }

  Result<std::string> DeadLetter(const std::string& id) override {
    MR_RETURN_IF_ERROR(OpenBackend());
    return backend_->DeadLetterJson(id);
  }

  Result<std::string> ActOnDeadLetters(const std::string& request_json) override {
    MR_RETURN_IF_ERROR(OpenBackend());
    return backend_->ActOnDeadLetters(request_json);
  }

  Result<std::string> Changes(const std::string& job) override {
    MR_RETURN_IF_ERROR(OpenBackend());
    return backend_->ChangesJson(job);
  }

  Result<std::string> StartReprocessing(const std::string& job,
                                        const std::string& request_json) override {
    MR_RETURN_IF_ERROR(OpenBackend());
    return backend_->StartReprocessing(job, request_json);
  }

  Result<std::string> Reprocessing(const std::string& job) override {
    MR_RETURN_IF_ERROR(OpenBackend());
    return backend_->ReprocessingJson(job);
  }

  Result<std::string> Verify(const std::string& job, int64_t lines_max) override {
    MR_RETURN_IF_ERROR(OpenBackend());
    return backend_->VerifyJson(job, lines_max);
  }

 private:
  log::Log& log() { return runtime_->log(); }
  Status OpenBackend() {
    if (!backend_) {
      MR_ASSIGN_OR_RETURN(backend_, serve::NewProjectBackend(*runtime_));
    }
    return Status::Ok();
  }

  std::unique_ptr<project::Runtime> runtime_;
  std::unique_ptr<serve::Backend> backend_;  // made by the first who needs it
  std::unique_ptr<serve::Collector> collector_;
  uint32_t turn_ = 0;
};

}  // namespace

Result<std::unique_ptr<Access>> OpenLocal(const std::string& path, const std::string& target) {
  std::vector<Status> faults;
  auto project = project::Project::Load(path, target, faults);
  // A project with faults may still be looked at; what is not a project may not be made one.
  bool has_target = project->config().targets.count(project->config().target) > 0;
  for (Status& fault : faults) {
    if (fault.code() == Code::kNotFound || !has_target) return std::move(fault);
  }
  if (!faults.empty()) {
    fmt::print(stderr, "note: the project has {} fault{}; see: millrace validate {}\n",
               faults.size(), faults.size() == 1 ? "" : "s", path);
  }
  MR_ASSIGN_OR_RETURN(auto runtime, project::Runtime::Open(std::move(project), false));
  return std::unique_ptr<Access>(new LocalAccess(std::move(runtime)));
}

}  // namespace millrace::cli
