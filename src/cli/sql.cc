#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <string>

#include "base/strings.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/sql_answer.h"
#include "cli/statement_reader.h"
#include "cli/terminal.h"

namespace millrace::cli {

namespace {

constexpr const char* kHelp =
    "  SELECT …;   asks; a statement ends with ';' and may have many lines\n"
    "  \\d          tables and topics\n"
    "  \\d NAME     columns of a table\n"
    "  \\q          ends\n";

Status Ask(Access& access, const std::string& sql, const std::string& format) {
  MR_ASSIGN_OR_RETURN(std::string json, access.Sql(sql));
  MR_ASSIGN_OR_RETURN(SqlAnswer answer, ParseSqlAnswer(json));
  fmt::print("{}", RenderAnswer(answer, format));
  std::fflush(stdout);
  return Status::Ok();
}

Status ListTables(Access& access) {
  MR_RETURN_IF_ERROR(
      Ask(access,
          "SELECT CASE WHEN table_catalog = 'millrace' THEN 'millrace.' || table_name "
          "ELSE table_name END AS \"table\", "
          "CASE WHEN table_catalog = 'millrace' THEN 'system' ELSE 'stored' END AS kind "
          "FROM information_schema.tables ORDER BY 2 DESC, 1",
          "table"));
  MR_ASSIGN_OR_RETURN(auto topics, access.Topics());
  std::vector<std::string> names;
  for (const TopicDescription& topic : topics) {
    if (!IsInternalTopic(topic.name)) names.push_back(topic.name);
  }
  fmt::print(
      "topics: {}\n(a 'kafka' table of the project is a table here, with its topic's records)\n",
      Join(names, ", "));
  return Status::Ok();
}

// A line that begins with "\"; false for \q.
bool Command(Access& access, const std::string& line) {
  std::string argument(Trim(std::string_view(line).substr(2)));
  Status status;
  if (line.rfind("\\q", 0) == 0) return false;
  if (line.rfind("\\d", 0) == 0) {
    status = argument.empty()
                 ? ListTables(access)
                 : Ask(access,
                       "SELECT column_name AS \"column\", column_type AS type FROM (DESCRIBE " +
                           argument + ")",
                       "table");
  } else {
    fmt::print("{}", kHelp);
  }
  if (!status.ok()) PrintError(status);
  return true;
}

int Interactive(Access& access, const std::string& format) {
  fmt::print("Millrace {}; \\? helps, \\q ends\n", kVersion);
  StatementReader reader;
  std::string line;
  for (;;) {
    fmt::print("{}", reader.Empty() ? "millrace> " : "     ...> ");
    std::fflush(stdout);
    if (!std::getline(std::cin, line)) break;
    std::string_view trimmed = Trim(line);
    if (reader.Empty() && trimmed.size() >= 2 && trimmed[0] == '\\') {
      if (!Command(access, std::string(trimmed))) return kExitOk;
      continue;
    }
    for (const std::string& statement : reader.Add(line + "\n")) {
      Status status = Ask(access, statement, format);
      if (!status.ok()) PrintError(status);
    }
  }
  fmt::print("\n");
  return kExitOk;
}

int Script(Access& access, const std::string& text, const std::string& format) {
  StatementReader reader;
  std::vector<std::string> statements = reader.Add(text);
  if (std::string rest = reader.TakeRest(); !rest.empty()) statements.push_back(rest);
  for (const std::string& statement : statements) {
    Status status = Ask(access, statement, format);
    if (!status.ok()) return Fail(status);
  }
  return kExitOk;
}

std::string ReadStdin() {
  std::string text, line;
  while (std::getline(std::cin, line)) text += line + "\n";
  return text;
}

}  // namespace

int RunSql(const SqlOptions& options) {
  auto access = Access::Open(options.directory, options.target);
  if (!access.ok()) return Fail(access.status());
  if (!options.sql.empty()) return Script(**access, options.sql, options.format);
  if (IsTerminal(STDIN_FILENO)) return Interactive(**access, options.format);
  return Script(**access, ReadStdin(), options.format);
}

}  // namespace millrace::cli
