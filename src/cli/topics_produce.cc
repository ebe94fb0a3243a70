#include <fmt/format.h>

#include "base/strings.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/line_input.h"
#include "cli/terminal.h"
#include "log/internal_topics.h"

namespace millrace::cli {

namespace {

// A request to a running dev must stay below its body limit.
constexpr size_t kBatchRecords = 1000;
constexpr size_t kBatchBytes = 256 << 10;

class Producer {
 public:
  Producer(Access& access, const TopicsOptions& options, LineInput& input)
      : access_(access), options_(options), input_(input) {}

  Status Run() {
    std::string line;
    while (input_.Next(line)) {
      line_number_++;
      Take(std::move(line));
      bool full = lines_.size() >= kBatchRecords || batch_bytes_ >= kBatchBytes;
      if (full || !input_.Ready()) MR_RETURN_IF_ERROR(Flush());
    }
    return Flush();
  }

  int64_t written() const { return written_; }
  int64_t refused() const { return refused_; }

 private:
  void Take(std::string line) {
    if (options_.validate && Trim(line).empty()) return;
    OutgoingRecord record;
    record.partition = options_.partition;
    if (!options_.key_field.empty()) {
      auto key = KeyFromField(line, options_.key_field);
      if (!key.ok()) return Refuse(line_number_, key.status().message());
      record.key = std::move(*key);
    } else if (!options_.key_separator.empty()) {
      size_t at = line.find(options_.key_separator);
      if (at == std::string::npos) {
        return Refuse(line_number_,
                      fmt::format("no key: \"{}\" does not occur", options_.key_separator));
      }
      record.key = line.substr(0, at);
      line.erase(0, at + options_.key_separator.size());
    }
    batch_bytes_ += line.size();
    lines_.push_back(line_number_);
    record.value = std::move(line);
    records_.push_back(std::move(record));
  }

  Status Flush() {
    if (records_.empty()) return Status::Ok();
    Status status = options_.validate ? FlushValidated() : access_.Write(options_.topic, records_);
    if (!status.ok()) {
      return std::move(status).Annotate(
          fmt::format("lines {} to {} of {}", lines_.front(), lines_.back(), input_.name()));
    }
    if (!options_.validate) written_ += static_cast<int64_t>(records_.size());
    records_.clear();
    lines_.clear();
    batch_bytes_ = 0;
    return Status::Ok();
  }

  Status FlushValidated() {
    std::vector<std::string> values;
    for (OutgoingRecord& record : records_) values.push_back(std::move(record.value));
    MR_ASSIGN_OR_RETURN(EventsResult result, access_.WriteEvents(options_.topic, values));
    for (const RejectedEvent& event : result.errors) {
      int64_t line = event.index < lines_.size() ? lines_[event.index] : 0;
      Refuse(line, event.column.empty()
                       ? event.reason
                       : fmt::format("column \"{}\": {}", event.column, event.reason));
    }
    int64_t unnamed = result.rejected - static_cast<int64_t>(result.errors.size());
    if (unnamed > 0)
      fmt::print(stderr, "  … and {} lines more; see millrace.dead_letters\n", unnamed);
    refused_ += unnamed;
    written_ += result.accepted;
    return Status::Ok();
  }

  void Refuse(int64_t line, const std::string& reason) {
    refused_++;
    PrintError(
        Status(Code::kInvalidArgument, reason).At({input_.name(), static_cast<int>(line), 1, 1}));
  }

  Access& access_;
  const TopicsOptions& options_;
  LineInput& input_;
  std::vector<OutgoingRecord> records_;
  std::vector<int64_t> lines_;  // their numbers
  size_t batch_bytes_ = 0;
  int64_t line_number_ = 0;
  int64_t written_ = 0;
  int64_t refused_ = 0;
};

Status CheckPartition(const TopicDescription& topic, int partition) {
  if (partition < 0 || partition < static_cast<int>(topic.partitions.size())) return Status::Ok();
  return Status(Code::kInvalidArgument,
                fmt::format("topic \"{}\" has no partition {}", topic.name, partition))
      .WithHint(fmt::format("its partitions are 0 to {}", topic.partitions.size() - 1));
}

}  // namespace

int RunTopicsProduce(const TopicsOptions& options) {
  Status writable = log::CheckWritable(options.topic);
  if (!writable.ok()) return Fail(writable);
  auto input = LineInput::Open(options.file);
  if (!input.ok()) return Fail(input.status());
  auto access = Access::Open(options.directory, options.target);
  if (!access.ok()) return Fail(access.status());
  auto topic = (*access)->Topic(options.topic);
  if (!topic.ok()) return Fail(topic.status());
  Status partition = CheckPartition(*topic, options.partition);
  if (!partition.ok()) return Fail(partition);

  Producer producer(**access, options, *input);
  Status status = producer.Run();
  std::string refused =
      producer.refused() == 0 ? "" : fmt::format(", {} refused", producer.refused());
  fmt::print("{} record{} written to \"{}\"{}\n", producer.written(),
             producer.written() == 1 ? "" : "s", options.topic, refused);
  if (!status.ok()) return Fail(status);
  return producer.refused() > 0 ? kExitFault : kExitOk;
}

}  // namespace millrace::cli
