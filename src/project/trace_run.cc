#include "project/trace_run.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>

namespace millrace::project {

namespace {

constexpr size_t kAppendRecords = 1000;
constexpr int64_t kReadBytesMax = 1 << 20;

// Collects a changelog's rows: those that are left of it.
class NetRows {
 public:
  explicit NetRows(TraceRows& made) : made_(made) {}
  void Add(duckdb::DataChunk& rows, const int32_t* weights) {
    for (duckdb::idx_t r = 0; r < rows.size(); r++) {
      std::vector<CellText> cells;
      for (duckdb::idx_t c = 0; c < rows.ColumnCount(); c++) {
        cells.push_back(TextOf(rows.GetValue(c, r)));
      }
      if (!weights || weights[r] > 0) {
        made_.rows.push_back(std::move(cells));
      } else if (auto old = std::find(made_.rows.begin(), made_.rows.end(), cells);
                 old != made_.rows.end()) {
        made_.rows.erase(old);
      }
    }
  }

 private:
  TraceRows& made_;
};

Status StepToEnd(job::Job& job) {
  for (bool more = true; more;) {
    MR_ASSIGN_OR_RETURN(more, job.Step());
  }
  return Status::Ok();
}

// Until nothing is left that time could bring.
Status StepBeyondTime(job::Job& job, const std::map<std::string, model::EventTime>& end) {
  MR_RETURN_IF_ERROR(StepToEnd(job));
  MR_RETURN_IF_ERROR(job.Step({.promises = end}).status());
  return StepToEnd(job);
}

}  // namespace

std::string TopicOf(const job::SourceTable& source) {
  auto topic = source.binding.options.find("topic");
  return topic == source.binding.options.end() ? "" : topic->second;
}

// A directory that goes away with its owner.
class PrivateRun::Scratch {
 public:
  explicit Scratch(int64_t salt) {
    static std::atomic<int64_t> number{0};
    std::error_code error;
    path_ =
        std::filesystem::temp_directory_path(error) /
        fmt::format("millrace-trace-{}-{}-{}", env::Clock::System()->WallMicros(), salt, ++number);
    std::filesystem::create_directories(path_, error);
  }
  ~Scratch() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

PrivateRun::PrivateRun(const Project& project, int64_t salt, int64_t now_us)
    : project_(project), scratch_(std::make_unique<Scratch>(salt)), clock_(now_us) {}
PrivateRun::~PrivateRun() = default;

Status PrivateRun::Open() {
  log::LogOptions options;
  options.directory = scratch_->path() + "/log";
  options.clock = &clock_;
  options.fsync = false;
  MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(options.directory));
  MR_ASSIGN_OR_RETURN(log_, log::Log::Open(options));
  log::TopicConfig config;
  config.retention_ms = -1;
  return log_->CreateTopic(job::kDeadLetterTopic, config);
}

Status PrivateRun::AddTopic(const std::string& topic, const std::vector<TraceRecord>& records) {
  log::TopicConfig config;
  config.retention_ms = -1;
  std::map<int, std::vector<log::NewRecord>> by_partition;
  for (const TraceRecord& record : records) {
    config.partitions = std::max(config.partitions, record.partition + 1);
    log::NewRecord& copy = by_partition[record.partition].emplace_back();
    copy.timestamp_ms = record.timestamp_ms;
    if (record.key) copy.key = *record.key;
    if (record.value) copy.value = *record.value;
    const int64_t ahead = record.timestamp_ms * 1000 - clock_.WallMicros();
    if (ahead > 0) clock_.Advance(ahead);
  }
  MR_RETURN_IF_ERROR(log_->CreateTopic(topic, config));
  for (const auto& [partition, copies] : by_partition) {
    const std::span<const log::NewRecord> all(copies);
    for (size_t at = 0; at < all.size(); at += kAppendRecords) {
      const auto some = all.subspan(at, std::min(kAppendRecords, all.size() - at));
      MR_RETURN_IF_ERROR(log_->AppendAndWait(topic, partition, some).status());
    }
  }
  return Status::Ok();
}

Status PrivateRun::RunToEnd(std::unique_ptr<job::CompiledJob> plan, stream::Asker* asker,
                            TraceRows& made, Status& outcome) {
  NetRows net(made);
  job::JobOptions options;
  options.services.log = log_.get();
  options.services.clock = &clock_;
  options.services.base_dir = project_.directory();
  options.on_rows = [&](duckdb::DataChunk& rows, const int32_t* weights) {
    net.Add(rows, weights);
  };
  options.asker = asker;
  std::map<std::string, model::EventTime> end;
  for (const job::SourceTable& source : plan->sources) {
    if (source.table->watermark) end[source.table->name] = model::kTimeMax;
  }
  MR_ASSIGN_OR_RETURN(auto job, job::Job::Open(std::move(plan), std::move(options)));
  MR_RETURN_IF_ERROR(job->Recover());
  outcome = StepBeyondTime(*job, end);
  return Status::Ok();
}

Result<std::vector<TraceRefusal>> PrivateRun::NewLetters(const std::string& topic) {
  std::vector<TraceRefusal> letters;
  auto take = [&](std::span<const model::Record> records) {
    for (const model::Record& record : records) {
      simdjson::dom::parser parser;
      simdjson::dom::element letter;
      if (parser.parse(std::string(record.value)).get(letter)) continue;
      auto text = [&](const char* name) {
        std::string_view found;
        return letter[name].get(found) ? std::string() : std::string(found);
      };
      const std::string of = text("topic");
      if (of.empty() || of == topic) {
        letters.push_back({text("stage"), text("kind"), text("reason")});
      }
    }
  };
  MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log_->DescribePartition(job::kDeadLetterTopic, 0));
  while (next_letter_ < at.stable_offset) {
    MR_ASSIGN_OR_RETURN(next_letter_, log_->Read(job::kDeadLetterTopic, 0, next_letter_,
                                                 at.stable_offset, kReadBytesMax, take));
  }
  return letters;
}

}  // namespace millrace::project
