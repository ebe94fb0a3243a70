// millrace dlq retry, replay, edit, discard: asks the desk (serve/dead_letter_desk.h) part by part.
#include <fmt/format.h>
#include <simdjson.h>

#include <cstdlib>
#include <map>

#include "base/strings.h"
#include "base/units.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "env/clock.h"

namespace millrace::cli {

namespace {

constexpr int kRefusalsShown = 20;

std::string Who() {
  const char* user = std::getenv("USER");
  return user && *user ? user : "cli";
}

Result<std::string> FilterJson(const DlqOptions& options) {
  std::string filter;
  auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    filter += fmt::format("{}\"{}\":{}", filter.empty() ? "" : ",", name, JsonQuote(value));
  };
  add("topic", options.topic);
  add("table", options.table);
  add("job", options.job);
  add("kind", options.kind);
  add("stage", options.stage);
  if (!options.since.empty()) {
    auto since_us = ParseDurationMicros(options.since);
    if (!since_us.ok()) return std::move(since_us).status().Annotate("--since");
    filter += fmt::format("{}\"since_ms\":{}", filter.empty() ? "" : ",",
                          (env::Clock::System()->WallMicros() - *since_us) / 1000);
  }
  return filter;
}

// All but "after" and the closing brace.
Result<std::string> RequestJson(const std::string& action, const DlqOptions& options) {
  MR_ASSIGN_OR_RETURN(std::string filter, FilterJson(options));
  if (options.ids.empty() && filter.empty() && !options.open) {
    return Status(Code::kInvalidArgument, "which dead letters?")
        .WithHint(
            "give their ids, or --topic, --table, --job, --kind, --stage, --since, or --open "
            "for all that are open");
  }
  if (!options.ids.empty() && (!filter.empty() || options.open)) {
    return Status(Code::kInvalidArgument, "ids and filters exclude each other");
  }
  std::string json = fmt::format("{{\"action\":\"{}\",\"who\":{}", action, JsonQuote(Who()));
  if (options.ids.empty()) {
    json += ",\"filter\":{" + filter + "}";
  } else {
    std::string ids;
    for (const std::string& id : options.ids) ids += (ids.empty() ? "" : ",") + JsonQuote(id);
    json += ",\"ids\":[" + ids + "]";
  }
  if (!options.set.empty()) json += ",\"set\":" + JsonQuote(options.set);
  if (!options.patch.empty()) json += ",\"patch\":" + options.patch;
  if (options.has_value) json += ",\"value\":" + JsonQuote(options.value);
  if (!options.reason.empty()) json += ",\"reason\":" + JsonQuote(options.reason);
  json += fmt::format(",\"limit\":{},\"dry_run\":{},\"again\":{},\"late\":{}", options.part,
                      options.dry_run, options.again, options.late);
  return json;
}

// What came of all parts.
struct Tally {
  int64_t done = 0;
  int64_t refused = 0;
  std::map<std::string, int64_t> outcomes;
};

void PrintLetter(simdjson::dom::element letter, const DlqOptions& options, Tally& tally) {
  std::string_view id, outcome, reason, value, topic;
  if (letter["id"].get(id) || letter["outcome"].get(outcome)) return;
  if (letter["reason"].get(reason)) reason = "";
  tally.outcomes[std::string(outcome)]++;
  if (outcome == "refused") {
    if (++tally.refused <= kRefusalsShown || options.dry_run) {
      fmt::print("{}  refused: {}\n", id, reason);
    } else if (tally.refused == kRefusalsShown + 1) {
      fmt::print("…\n");
    }
    return;
  }
  tally.done++;
  if (!options.dry_run && options.ids.empty()) return;  // a filter may fit thousands
  fmt::print("{}  {}", id, outcome);
  int64_t partition = -1, offset = -1;
  if (!letter["topic"].get(topic) && !letter["partition"].get(partition)) {
    fmt::print(" to {} partition {}", topic, partition);
    if (!letter["offset"].get(offset)) fmt::print(", offset {}", offset);
  }
  if (!letter["value"].get(value)) fmt::print(": {}", value);
  if (!reason.empty()) fmt::print("\n      would be refused still: {}", reason);
  fmt::print("\n");
}

Status Act(const std::string& action, const DlqOptions& options, Tally& tally) {
  MR_ASSIGN_OR_RETURN(std::string request, RequestJson(action, options));
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  std::string after;
  do {
    std::string body = request;
    if (!after.empty()) body += ",\"after\":" + JsonQuote(after);
    MR_ASSIGN_OR_RETURN(std::string json, access->ActOnDeadLetters(body + "}"));
    simdjson::dom::parser parser;
    simdjson::dom::element answer;
    simdjson::dom::array letters;
    if (parser.parse(json).get(answer) || answer["letters"].get_array().get(letters)) {
      return Status(Code::kCorruption, "the answer about dead letters cannot be read");
    }
    for (simdjson::dom::element letter : letters) PrintLetter(letter, options, tally);
    std::string_view next;
    after = answer["next"].get_string().get(next) ? "" : std::string(next);
  } while (!after.empty());
  return Status::Ok();
}

}  // namespace

int RunDlqAction(const std::string& action, const DlqOptions& options) {
  Tally tally;
  Status status = Act(action, options, tally);
  std::string sums;
  for (const auto& [outcome, count] : tally.outcomes) {
    sums += fmt::format("{}{} {}", sums.empty() ? "" : ", ", count, outcome);
  }
  if (status.ok() || !sums.empty()) fmt::print("{}\n", sums.empty() ? "no dead letter" : sums);
  if (!status.ok()) return Fail(status);
  return tally.refused > 0 ? kExitFault : kExitOk;
}

}  // namespace millrace::cli
