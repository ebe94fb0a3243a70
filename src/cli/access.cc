#include "cli/access.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"
#include "cli/client.h"
#include "cli/dev_process.h"
#include "cli/terminal.h"
#include "log/internal_topics.h"

namespace millrace::cli {

int64_t TopicDescription::records() const {
  int64_t sum = 0;
  for (const TopicPartition& p : partitions) sum += p.end_offset - p.start_offset;
  return sum;
}

int64_t TopicDescription::size_bytes() const {
  int64_t sum = 0;
  for (const TopicPartition& p : partitions) sum += p.size_bytes;
  return sum;
}

Result<std::unique_ptr<Access>> Access::Open(const std::string& path, const std::string& target) {
  std::string directory = CleanPath(path);
  if (auto dev = FindDevProcess(DataDirectoryOf(directory))) return OpenRemote(dev->url);
  return OpenLocal(directory, target);
}

bool IsInternalTopic(const std::string& topic) {
  return log::IsInternalTopic(topic);
}

Result<TopicDescription> Access::Topic(const std::string& topic) {
  MR_ASSIGN_OR_RETURN(auto topics, Topics());
  std::vector<std::string> names;
  for (TopicDescription& description : topics) {
    if (description.name == topic) return std::move(description);
    if (!IsInternalTopic(description.name)) names.push_back(description.name);
  }
  return Status(Code::kNotFound, fmt::format("topic \"{}\" does not exist", topic))
      .WithHint(DidYouMean(topic, names));
}

Result<EventsResult> ParseEventsAnswer(int http_status, const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object answer;
  EventsResult result;
  if (parser.parse(body.data(), body.size(), true).get_object().get(answer) ||
      answer["accepted"].get_int64().get(result.accepted) ||
      answer["rejected"].get_int64().get(result.rejected)) {
    return ErrorOfReply({http_status, body});
  }
  simdjson::dom::array errors;
  if (answer["errors"].get_array().get(errors)) return result;
  for (simdjson::dom::element error : errors) {
    uint64_t index = 0;
    std::string_view column, reason;
    if (error["index"].get_uint64().get(index) || error["reason"].get_string().get(reason))
      continue;
    if (error["column"].get_string().get(column)) column = "";
    result.errors.push_back({static_cast<size_t>(index), std::string(column), std::string(reason)});
  }
  return result;
}

}  // namespace millrace::cli
