// millrace reprocess and plan: ask the running process, or do it here (cli/access.h).
#include <fmt/format.h>
#include <simdjson.h>

#include <chrono>
#include <thread>

#include "base/strings.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/path_argument.h"
#include "cli/stop_signal.h"
#include "cli/terminal.h"

namespace millrace::cli {

namespace {

constexpr auto kAskEvery = std::chrono::milliseconds(200);

// Where progress is written to a file, a line in so many answers is enough.
constexpr int kAnswersPerLine = 25;

Status BadAnswer() {
  return Status(Code::kCorruption, "the answer about the new version cannot be read")
      .WithHint("is the running `millrace dev` of the same version?");
}

// "2026-03-01 10:00:00" (UTC), an offset, or "earliest".
Result<std::string> FromArgument(Access& access, const std::string& from) {
  const bool time = from.find('-') != std::string::npos || from.find(':') != std::string::npos;
  if (!time) return from;
  auto parsed = access.Sql("SELECT epoch_ms(" + QuoteLiteral(from) + "::TIMESTAMP) AS ms");
  Status bad = Status(Code::kInvalidArgument, fmt::format("--from: \"{}\" is no time", from))
                   .WithHint("for example --from '2026-03-01 10:00:00'");
  if (!parsed.ok()) return bad;
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  int64_t ms = 0;
  if (parser.parse(*parsed).get(answer) || answer["rows"].at(0).at(0).get_int64().get(ms)) {
    return bad;
  }
  return fmt::format("{}ms", ms);
}

// Until it has ended. `stop`: the caller is in a hurry; what was filled is kept.
Status Follow(Access& access, const std::string& job, const std::atomic<bool>& stop) {
  const bool terminal = IsTerminal(1);
  for (int answers = 0; !stop; answers++) {
    MR_ASSIGN_OR_RETURN(std::string json, access.Reprocessing(job));
    simdjson::dom::parser parser;
    simdjson::dom::element answer, error;
    std::string_view text, phase;
    bool ended = false;
    if (parser.parse(json).get(answer) || answer["text"].get(text) || answer["phase"].get(phase) ||
        answer["ended"].get(ended) || answer["error"].get(error)) {
      return BadAnswer();
    }
    if (terminal) {
      fmt::print("\r\x1b[K{}{}", text, ended ? "\n" : "");
    } else if (ended || answers % kAnswersPerLine == 0) {
      fmt::print("{}\n", text);
    }
    std::fflush(stdout);
    if (ended && phase == "done") return Status::Ok();
    if (ended) {
      std::string_view message, detail, hint;
      if (error["message"].get(message)) message = "it was stopped; what was filled is kept";
      if (error["detail"].get(detail)) detail = "";
      if (error["hint"].get(hint)) hint = "run the command again";
      return Status(Code::kFailedPrecondition, std::string(message))
          .WithDetail(std::string(detail))
          .WithHint(std::string(hint));
    }
    std::this_thread::sleep_for(kAskEvery);
  }
  return Status(Code::kUnavailable, "stopped waiting; the version that served still does")
      .WithHint(
          "beside a running `millrace dev` it goes on there; otherwise run the command again");
}

Status Reprocess(const ReprocessOptions& options, const std::atomic<bool>& stop) {
  if (options.rollback && options.retire) {
    return Status(Code::kInvalidArgument, "--rollback and --retire exclude each other");
  }
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  MR_ASSIGN_OR_RETURN(const std::string from, FromArgument(*access, options.from));
  const char* action = options.rollback ? "rollback" : options.retire ? "retire" : "start";
  MR_RETURN_IF_ERROR(
      access
          ->StartReprocessing(
              options.job, fmt::format(R"({{"action":"{}","from":{}}})", action, JsonQuote(from)))
          .status());
  if (options.retire) {
    fmt::print("{}: only the version that serves is left\n", options.job);
    return Status::Ok();
  }
  MR_RETURN_IF_ERROR(Follow(*access, options.job, stop));
  fmt::print(
      "back to the version before: millrace reprocess {0} --rollback\n"
      "give that one up:           millrace reprocess {0} --retire\n",
      options.job);
  return Status::Ok();
}

}  // namespace

int RunReprocess(const ReprocessOptions& options) {
  Status done = Reprocess(options, CatchStopSignals());
  return done.ok() ? static_cast<int>(kExitOk) : Fail(done);
}

int RunPlan(const PlanOptions& options) {
  const bool only_job = options.job.empty() && !LooksLikePath(options.directory);
  auto access = Access::Open(only_job ? "." : options.directory, options.target);
  if (!access.ok()) return Fail(access.status());
  auto json = (*access)->Changes(only_job ? options.directory : options.job);
  if (!json.ok()) return Fail(json.status());
  if (options.json) {
    fmt::print("{}\n", *json);
    return kExitOk;
  }
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  std::string_view text;
  if (parser.parse(*json).get(answer) || answer["text"].get(text)) return Fail(BadAnswer());
  fmt::print("{}", text);
  return kExitOk;
}

}  // namespace millrace::cli
