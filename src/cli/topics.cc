#include <fmt/format.h>

#include "base/strings.h"
#include "base/units.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/sql_answer.h"
#include "cli/terminal.h"
#include "cli/text_table.h"

namespace millrace::cli {

namespace {

std::string RetentionText(int64_t retention_ms) {
  constexpr int64_t kDayMs = 86'400'000;
  if (retention_ms < 0) return "for ever";
  if (retention_ms > 0 && retention_ms % kDayMs == 0)
    return fmt::format("{} d", retention_ms / kDayMs);
  return FormatDurationMicros(retention_ms * 1000);
}

Status List(const TopicsOptions& options) {
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  MR_ASSIGN_OR_RETURN(auto topics, access->Topics());
  TextTable table({{"topic"}, {"partitions", true}, {"records", true}, {"size", true}, {"kept"}});
  for (const TopicDescription& topic : topics) {
    if (IsInternalTopic(topic.name) && !options.all) continue;
    table.Add({topic.name, std::to_string(topic.partitions.size()), std::to_string(topic.records()),
               FormatBytes(topic.size_bytes()), RetentionText(topic.retention_ms)});
  }
  fmt::print("{}", table.Render());
  return Status::Ok();
}

// What of the topic is kept as Parquet; nothing where nothing is.
Status DescribeHistory(Access& access, const std::string& topic) {
  MR_ASSIGN_OR_RETURN(const std::string json,
                      access.Sql("SELECT table_name, partition, files, from_offset, to_offset, "
                                 "bytes FROM millrace.topic_history WHERE topic = " +
                                 QuoteLiteral(topic) + " ORDER BY table_name, partition"));
  MR_ASSIGN_OR_RETURN(const SqlAnswer answer, ParseSqlAnswer(json));
  if (answer.rows.empty()) return Status::Ok();
  TextTable table({{"as Parquet"},
                   {"partition", true},
                   {"files", true},
                   {"first", true},
                   {"next", true},
                   {"size", true}});
  for (const auto& row : answer.rows) {
    const auto offset = [&](size_t column) {
      return row[column].is_null() ? std::string("-") : row[column].text;
    };
    table.Add({row[0].text, row[1].text, row[2].text, offset(3), offset(4),
               FormatBytes(std::atoll(row[5].text.c_str()))});
  }
  fmt::print("\n{}", table.Render());
  return Status::Ok();
}

Status Describe(const TopicsOptions& options) {
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  MR_ASSIGN_OR_RETURN(TopicDescription topic, access->Topic(options.topic));
  fmt::print("{}: {} records, {}, kept {}\n", topic.name, topic.records(),
             FormatBytes(topic.size_bytes()), RetentionText(topic.retention_ms));
  TextTable table(
      {{"partition", true}, {"first", true}, {"next", true}, {"records", true}, {"size", true}});
  for (const TopicPartition& p : topic.partitions) {
    table.Add({std::to_string(p.partition), std::to_string(p.start_offset),
               std::to_string(p.end_offset), std::to_string(p.end_offset - p.start_offset),
               FormatBytes(p.size_bytes)});
  }
  fmt::print("{}", table.Render());
  return DescribeHistory(*access, topic.name);
}

Status Create(const TopicsOptions& options) {
  std::optional<int64_t> retention_ms;
  if (options.retention == "-1") {
    retention_ms = -1;
  } else if (!options.retention.empty()) {
    auto retention_us = ParseDurationMicros(options.retention);
    if (!retention_us.ok()) return std::move(retention_us).status().Annotate("--retention");
    retention_ms = *retention_us / 1000;
  }
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  MR_RETURN_IF_ERROR(access->CreateTopic(options.topic, options.partitions, retention_ms));
  fmt::print("created topic \"{}\" with {} partition{}\n", options.topic, options.partitions,
             options.partitions == 1 ? "" : "s");
  return Status::Ok();
}

Status Delete(const TopicsOptions& options) {
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  MR_RETURN_IF_ERROR(access->DeleteTopic(options.topic));
  fmt::print("deleted topic \"{}\"\n", options.topic);
  return Status::Ok();
}

int Exit(const Status& status) {
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace

int RunTopicsList(const TopicsOptions& options) {
  return Exit(List(options));
}
int RunTopicsDescribe(const TopicsOptions& options) {
  return Exit(Describe(options));
}
int RunTopicsCreate(const TopicsOptions& options) {
  return Exit(Create(options));
}
int RunTopicsDelete(const TopicsOptions& options) {
  return Exit(Delete(options));
}

}  // namespace millrace::cli
