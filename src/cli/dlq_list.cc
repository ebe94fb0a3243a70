// millrace dlq ls, show: what was refused, and how it stands.
#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"
#include "base/units.h"
#include "base/visible_text.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/sql_answer.h"
#include "cli/terminal.h"
#include "cli/text_table.h"
#include "env/clock.h"

namespace millrace::cli {

namespace {

constexpr const char* kColumns =
    "id, strftime(make_timestamp(time_ms * 1000), '%Y-%m-%d %H:%M:%S') AS \"time (UTC)\", state, "
    "attempts, stage, kind, coalesce(topic, '-') || coalesce(' ' || \"partition\" || '/' || "
    "\"offset\", '') AS source, coalesce(\"column\" || ': ', '') || coalesce(reason, '') AS "
    "reason, value";

Result<std::string> Condition(const DlqOptions& options) {
  std::string where = "true";
  auto equals = [&](const char* column, const std::string& value) {
    if (value.empty()) return;
    where += fmt::format(" AND {} = {}", QuoteIdentifier(column), QuoteLiteral(value));
  };
  equals("topic", options.topic);
  equals("table", options.table);
  equals("job", options.job);
  equals("kind", options.kind);
  equals("stage", options.stage);
  equals("state", options.state);
  if (!options.all && options.state.empty()) {
    where += " AND state IN ('open', 'edited', 'replaying')";
  }
  if (!options.since.empty()) {
    auto since_us = ParseDurationMicros(options.since);
    if (!since_us.ok()) return std::move(since_us).status().Annotate("--since");
    where +=
        fmt::format(" AND time_ms >= {}", (env::Clock::System()->WallMicros() - *since_us) / 1000);
  }
  return where;
}

Status List(const DlqOptions& options) {
  MR_ASSIGN_OR_RETURN(std::string where, Condition(options));
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  bool table = options.format == "table";
  MR_ASSIGN_OR_RETURN(std::string json,
                      access->Sql(fmt::format(
                          "SELECT {} FROM millrace.dead_letters WHERE {} ORDER BY time_ms DESC, "
                          "len(id) DESC, id DESC LIMIT {}",
                          table ? kColumns : "*", where, options.limit)));
  MR_ASSIGN_OR_RETURN(SqlAnswer answer, ParseSqlAnswer(json));
  fmt::print("{}", RenderAnswer(answer, options.format));
  if (!table) return Status::Ok();
  MR_ASSIGN_OR_RETURN(json,
                      access->Sql("SELECT count(*) FROM millrace.dead_letters WHERE " + where));
  MR_ASSIGN_OR_RETURN(SqlAnswer count, ParseSqlAnswer(json));
  if (count.rows.size() == 1 && count.rows[0][0].text != std::to_string(answer.rows.size())) {
    fmt::print("the newest of {}; -n shows more\n", count.rows[0][0].text);
  }
  return Status::Ok();
}

std::string TextOf(simdjson::dom::element element) {
  std::string_view text;
  if (!element.get(text)) return std::string(text);
  return simdjson::minify(element);
}

void PrintFields(simdjson::dom::object object, const std::string& indent) {
  for (auto field : object) {
    if (field.value.is_null() || field.value.is_array() || field.value.is_object()) continue;
    fmt::print("{}{}  {}\n", indent, Pad(field.key, 12, false), VisibleText(TextOf(field.value)));
  }
}

Status Show(const DlqOptions& options) {
  MR_ASSIGN_OR_RETURN(auto access, Access::Open(options.directory, options.target));
  for (const std::string& id : options.ids) {
    MR_ASSIGN_OR_RETURN(std::string json, access->DeadLetter(id));
    if (options.format == "json") {
      fmt::print("{}\n", json);
      continue;
    }
    simdjson::dom::parser parser;
    simdjson::dom::object letter;
    if (parser.parse(json).get_object().get(letter)) {
      return Status(Code::kCorruption, "the dead letter cannot be read").WithDetail(json);
    }
    PrintFields(letter, "");
    simdjson::dom::array audit;
    if (letter["audit"].get_array().get(audit) || audit.size() == 0) continue;
    fmt::print("audit\n");
    for (simdjson::dom::element entry : audit) {
      simdjson::dom::object fields;
      if (entry.get(fields)) continue;
      fmt::print("-\n");
      PrintFields(fields, "  ");
    }
  }
  return Status::Ok();
}

}  // namespace

int RunDlqList(const DlqOptions& options) {
  Status status = List(options);
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

int RunDlqShow(const DlqOptions& options) {
  Status status = Show(options);
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace millrace::cli
