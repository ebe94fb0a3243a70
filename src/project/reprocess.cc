#include "project/reprocess.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cctype>

#include "base/strings.h"
#include "base/units.h"
#include "project/reprocess_task.h"
#include "project/version_tables.h"

namespace millrace::project {

namespace {

const char* PhaseName(ReprocessProgress::Phase phase) {
  switch (phase) {
    case ReprocessProgress::Phase::kFilling:
      return "filling";
    case ReprocessProgress::Phase::kChangingOver:
      return "changing over";
    case ReprocessProgress::Phase::kDone:
      return "done";
    case ReprocessProgress::Phase::kFailed:
      return "failed";
    case ReprocessProgress::Phase::kStopped:
      return "stopped";
  }
  return "unknown";
}

}  // namespace

Reprocessor::Reprocessor(Runtime& runtime) : runtime_(runtime) {}
Reprocessor::~Reprocessor() = default;

Status Reprocessor::Start(const ReprocessRequest& request) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto running = tasks_.find(request.job);
  if (running != tasks_.end()) {
    const ReprocessProgress progress = running->second->Progress();
    if (!progress.ended()) {
      return Status(Code::kFailedPrecondition,
                    fmt::format("job \"{}\" is being computed anew already: {}", request.job,
                                progress.ToText()));
    }
    tasks_.erase(running);
  }
  if (request.action == ReprocessRequest::Action::kRetire) return Retire(request.job);
  auto task = std::make_unique<Task>(runtime_, request);
  MR_RETURN_IF_ERROR(task->Prepare());
  task->Start();
  tasks_[request.job] = std::move(task);
  return Status::Ok();
}

Status Reprocessor::Retire(const std::string& job) {
  MR_ASSIGN_OR_RETURN(JobVersions versions, JobVersions::Load(runtime_.project(), job));
  MR_RETURN_IF_ERROR(SettleVersions(runtime_, job, versions));
  if (versions.previous == 0 && versions.staged == 0) {
    return Status(Code::kFailedPrecondition,
                  fmt::format("job \"{}\" has no version but the one that serves", job));
  }
  if (versions.staged == versions.previous) versions.staged = 0;
  for (int* version : {&versions.previous, &versions.staged}) {
    if (*version == 0) continue;
    MR_RETURN_IF_ERROR(DropVersion(runtime_, job, versions, *version));
    *version = 0;
    MR_RETURN_IF_ERROR(versions.Save());
  }
  return Status::Ok();
}

Result<ReprocessProgress> Reprocessor::Progress(const std::string& job) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto task = tasks_.find(job);
  if (task != tasks_.end()) return task->second->Progress();
  return Status(Code::kNotFound, fmt::format("job \"{}\" is not being computed anew", job))
      .WithHint("millrace reprocess " + job);
}

std::string ReprocessProgress::ToText() const {
  std::string text = fmt::format("{}: version {} instead of {}: {}; {} records read", job,
                                 to_version, from_version, PhaseName(phase), records_read);
  if (!ended()) {
    text += fmt::format(", {} left", records_left);
    if (records_per_second > 0) {
      text +=
          fmt::format(" ({:.0f}/s, {} to go)", records_per_second,
                      FormatDurationMicros(static_cast<int64_t>(static_cast<double>(records_left) /
                                                                records_per_second * 1e3) *
                                           1000));
    }
  }
  if (!note.empty()) text += "; " + note;
  return text;
}

std::string ReprocessProgress::ToJson() const {
  const std::string failed =
      error.ok()
          ? "null"
          : fmt::format(R"({{"message":{},"detail":{},"hint":{}}})", JsonQuote(error.message()),
                        JsonQuote(error.detail()), JsonQuote(error.hint()));
  return fmt::format(
      R"({{"job":{},"phase":"{}","ended":{},"from_version":{},"to_version":{},)"
      R"("records_read":{},"records_left":{},"records_per_second":{:.1f},"text":{},"error":{}}})",
      JsonQuote(job), PhaseName(phase), ended(), from_version, to_version, records_read,
      records_left, records_per_second, JsonQuote(ToText()), failed);
}

Result<ReprocessRequest> ParseReprocessRequest(const std::string& job, std::string_view json) {
  ReprocessRequest request;
  request.job = job;
  simdjson::dom::parser parser;
  simdjson::dom::element body;
  std::string_view action = "start", from = "earliest";
  if (!json.empty()) {
    simdjson::dom::object object;
    if (parser.parse(json.data(), json.size(), true).get(body) || body.get(object)) {
      return Status(Code::kInvalidArgument, "the request is not a JSON object");
    }
    for (auto field : object) {
      std::string_view& to = field.key == "action" ? action : from;
      if ((field.key != "action" && field.key != "from") || field.value.get(to)) {
        return Status(Code::kInvalidArgument,
                      fmt::format("the field \"{}\" is not understood", field.key))
            .WithHint(R"(send {"action": "start", "from": "earliest"})");
      }
    }
  }
  if (action == "rollback") {
    request.action = ReprocessRequest::Action::kRollback;
  } else if (action == "retire") {
    request.action = ReprocessRequest::Action::kRetire;
  } else if (action != "start") {
    return Status(Code::kInvalidArgument, fmt::format("there is no action \"{}\"", action))
        .WithHint(DidYouMean(std::string(action), {"start", "rollback", "retire"}));
  }
  request.from = std::string(from);
  std::string digits = request.from;
  if (digits.size() > 2 && digits.compare(digits.size() - 2, 2, "ms") == 0) {
    digits.resize(digits.size() - 2);
  }
  const bool number = !digits.empty() && digits.size() < 19 &&
                      std::all_of(digits.begin(), digits.end(),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  if (request.from != "earliest" && !number) {
    return Status(Code::kInvalidArgument, fmt::format("\"{}\" is no place to begin", request.from))
        .WithHint("\"earliest\", an offset, or milliseconds since 1970 as in \"1767225600000ms\"");
  }
  return request;
}

}  // namespace millrace::project
