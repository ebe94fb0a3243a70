#include <fmt/format.h>

#include "cli/access.h"
#include "cli/app_lineage.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "project/trace_request.h"

namespace millrace::cli {

namespace {

class AccessLog : public project::TraceLog {
 public:
  explicit AccessLog(Access& access) : access_(access) {}

  Result<std::vector<Range>> Ranges(const std::string& topic) override {
    MR_ASSIGN_OR_RETURN(TopicDescription description, access_.Topic(topic));
    std::vector<Range> ranges;
    for (const TopicPartition& partition : description.partitions) {
      ranges.push_back({partition.partition, partition.start_offset, partition.end_offset});
    }
    return ranges;
  }

  Result<std::vector<project::TraceRecord>> Read(const std::string& topic, int partition,
                                                 int64_t offset, int64_t limit) override {
    MR_ASSIGN_OR_RETURN(auto stored, access_.Read(topic, partition, offset, limit));
    std::vector<project::TraceRecord> records;
    for (StoredRecord& r : stored) {
      records.push_back(
          {topic, r.partition, r.offset, r.timestamp_ms, std::move(r.key), std::move(r.value)});
    }
    return records;
  }

 private:
  Access& access_;
};

std::string Shown(const std::vector<project::Trace>& traces, const std::string& format) {
  std::string out;
  for (const project::Trace& trace : traces) {
    if (format == "json") {
      out += trace.ToJson() + "\n";
    } else if (format == "yaml") {
      out += (out.empty() ? "" : "---\n") + trace.ToYaml();
    } else {
      out += (out.empty() ? "" : "\n") + trace.ToText();
    }
  }
  return out;
}

}  // namespace

int RunTrace(const TraceOptions& given) {
  TraceOptions options = given;
  // Without a table the first word is the directory.
  if (!options.sink.empty() && !options.table.empty()) {
    options.directory = std::exchange(options.table, "");
  }
  const std::string directory = CleanPath(options.directory);
  std::vector<Status> faults;
  auto project = project::Project::Load(directory, options.target, faults);
  if (!faults.empty()) return FailAll(faults);
  auto access = Access::Open(directory, options.target);
  if (!access.ok()) return Fail(access.status());
  AccessLog log(**access);
  auto traces = project::TracesOf(*project, options, log,
                                  [&](const std::string& sql) { return (*access)->Sql(sql); });
  if (!traces.ok()) return Fail(traces.status());
  fmt::print("{}", Shown(*traces, options.format));
  return kExitOk;
}

}  // namespace millrace::cli
