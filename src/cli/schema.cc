#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"
#include "cli/app_schema.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/line_input.h"
#include "cli/schema_access.h"
#include "cli/terminal.h"
#include "cli/text_table.h"

namespace millrace::cli {

namespace {

using Json = simdjson::dom::element;

std::string Text(Json json, std::string_view field, const std::string& otherwise = "") {
  std::string_view text;
  return json[field].get(text) == simdjson::SUCCESS ? std::string(text) : otherwise;
}

int64_t Number(Json json, std::string_view field) {
  int64_t number = 0;
  return json[field].get(number) == simdjson::SUCCESS ? number : 0;
}

Result<Json> Parse(simdjson::dom::parser& parser, const std::string& text) {
  Json json;
  if (parser.parse(text).get(json) == simdjson::SUCCESS) return json;
  return Status(Code::kCorruption, "the schema registry's answer is not as expected");
}

std::string SubjectPath(const SchemaOptions& options) {
  return "/subjects/" + PercentEncode(options.subject);
}

Status List(const SchemaOptions& options) {
  MR_ASSIGN_OR_RETURN(auto access, SchemaAccess::Open(options.directory, options.target));
  MR_ASSIGN_OR_RETURN(std::string answer, access->Ask("GET", "/schemas?latestOnly=true"));
  simdjson::dom::parser parser;
  MR_ASSIGN_OR_RETURN(Json list, Parse(parser, answer));
  TextTable table({{"subject"}, {"version", true}, {"id", true}, {"type"}, {"compatibility"}});
  for (Json version : list.get_array()) {
    const std::string subject = Text(version, "subject");
    MR_ASSIGN_OR_RETURN(std::string config, access->Ask("GET", "/config/" + PercentEncode(subject) +
                                                                   "?defaultToGlobal=true"));
    simdjson::dom::parser config_parser;
    MR_ASSIGN_OR_RETURN(Json level, Parse(config_parser, config));
    table.Add({subject, std::to_string(Number(version, "version")),
               std::to_string(Number(version, "id")), Text(version, "schemaType", "AVRO"),
               Text(level, "compatibilityLevel")});
  }
  fmt::print("{}", table.Render());
  return {};
}

Status Show(const SchemaOptions& options) {
  MR_ASSIGN_OR_RETURN(auto access, SchemaAccess::Open(options.directory, options.target));
  MR_ASSIGN_OR_RETURN(std::string text,
                      access->Ask("GET", SubjectPath(options) + "/versions/" +
                                             PercentEncode(options.version) + "/schema"));
  fmt::print("{}\n", text);
  return {};
}

std::string TypeOf(const SchemaOptions& options) {
  if (!options.type.empty()) return ToUpper(options.type);
  if (options.file.ends_with(".proto")) return "PROTOBUF";
  return options.file.ends_with(".json") ? "JSON" : "AVRO";
}

// [{"name", "subject", "version"}] of "NAME=SUBJECT:VERSION"
Result<std::string> ReferencesOf(const SchemaOptions& options) {
  std::vector<std::string> references;
  for (const std::string& text : options.references) {
    const size_t equals = text.find('=');
    const size_t colon = text.rfind(':');
    const bool good = equals != std::string::npos && colon != std::string::npos && equals < colon &&
                      colon + 1 < text.size() && colon + 9 > text.size() &&
                      text.find_first_not_of("0123456789", colon + 1) == std::string::npos;
    if (!good) {
      return Status(Code::kInvalidArgument, fmt::format("\"{}\" is no reference", text))
          .WithHint("--reference shop.Address=address-value:1");
    }
    references.push_back(fmt::format(
        R"({{"name":{},"subject":{},"version":{}}})", JsonQuote(text.substr(0, equals)),
        JsonQuote(text.substr(equals + 1, colon - equals - 1)), std::stoi(text.substr(colon + 1))));
  }
  return "[" + Join(references, ",") + "]";
}

// The body of a request about the file's schema.
Result<std::string> BodyOf(const SchemaOptions& options) {
  MR_ASSIGN_OR_RETURN(LineInput input, LineInput::Open(options.file));
  std::string text;
  for (std::string line; input.Next(line);) text += line + "\n";
  MR_ASSIGN_OR_RETURN(std::string references, ReferencesOf(options));
  return fmt::format(R"({{"schemaType":"{}","references":{},"schema":{}}})", TypeOf(options),
                     references, JsonQuote(text));
}

Status Register(const SchemaOptions& options) {
  MR_ASSIGN_OR_RETURN(std::string body, BodyOf(options));
  MR_ASSIGN_OR_RETURN(auto access, SchemaAccess::Open(options.directory, options.target));
  MR_ASSIGN_OR_RETURN(std::string answer,
                      access->Ask("POST", SubjectPath(options) + "/versions", body));
  simdjson::dom::parser parser;
  MR_ASSIGN_OR_RETURN(Json version, Parse(parser, answer));
  fmt::print("{}: version {}, id {}\n", options.subject, Number(version, "version"),
             Number(version, "id"));
  return {};
}

void PrintMessages(Json checked) {
  simdjson::dom::array messages;
  if (checked["messages"].get(messages) != simdjson::SUCCESS) return;
  for (Json message : messages) fmt::print("  {}\n", message.get_string().value());
}

// What would break of what is stored; whether anything does.
Result<bool> PrintDryRun(Json run) {
  simdjson::dom::array examples;
  simdjson::dom::array columns;
  if (run["examples"].get(examples) != simdjson::SUCCESS ||
      run["columns"].get(columns) != simdjson::SUCCESS) {
    return Status(Code::kCorruption, "the schema registry's answer is not as expected");
  }
  const int64_t broken = Number(run, "broken");
  fmt::print("{}: {} of {} records and {} dead letters could not be read with it",
             Text(run, "topic"), broken, Number(run, "records"), Number(run, "dead_letters"));
  const int64_t skipped = Number(run, "skipped");
  if (skipped > 0) fmt::print("; {} have no Avro schema of the registry", skipped);
  fmt::print("\n");
  for (Json example : examples) {
    fmt::print("  {}: {}\n", Text(example, "what"), Text(example, "reason"));
  }
  bool breaks = broken > 0;
  for (Json column : columns) {
    std::vector<std::string> jobs;
    for (Json job : column["jobs"].get_array()) jobs.emplace_back(job.get_string().value());
    const bool column_breaks = column["breaks"].get_bool().value();
    breaks = breaks || column_breaks;
    fmt::print("{} column \"{}\" of table \"{}\": {}; jobs: {}\n",
               column_breaks ? "breaks" : "changes", Text(column, "column"), Text(column, "table"),
               Text(column, "reason"), jobs.empty() ? "none" : Join(jobs, ", "));
  }
  return breaks;
}

// Whether anything would break.
Result<bool> Check(const SchemaOptions& options) {
  MR_ASSIGN_OR_RETURN(std::string body, BodyOf(options));
  MR_ASSIGN_OR_RETURN(auto access, SchemaAccess::Open(options.directory, options.target));
  MR_ASSIGN_OR_RETURN(
      std::string answer,
      access->Ask("POST", "/compatibility" + SubjectPath(options) + "/versions?verbose=true",
                  body));
  simdjson::dom::parser parser;
  MR_ASSIGN_OR_RETURN(Json checked, Parse(parser, answer));
  bool compatible = false;
  if (checked["is_compatible"].get(compatible) != simdjson::SUCCESS) compatible = false;
  fmt::print("{}\n", compatible ? "compatible" : "not compatible:");
  PrintMessages(checked);
  body.insert(1, fmt::format("\"records\":{},", options.records));
  MR_ASSIGN_OR_RETURN(
      std::string tried,
      access->Ask("POST", "/api/schemas/" + PercentEncode(options.subject) + "/dry-run", body));
  MR_ASSIGN_OR_RETURN(Json run, Parse(parser, tried));
  MR_ASSIGN_OR_RETURN(bool breaks, PrintDryRun(run));
  return breaks || !compatible;
}

Status Delete(const SchemaOptions& options) {
  MR_ASSIGN_OR_RETURN(auto access, SchemaAccess::Open(options.directory, options.target));
  std::string path = SubjectPath(options);
  const bool one = options.version != "latest";
  if (one) path += "/versions/" + PercentEncode(options.version);
  if (options.permanent) path += "?permanent=true";
  MR_ASSIGN_OR_RETURN(std::string answer, access->Ask("DELETE", path));
  fmt::print("{}: deleted {}{} {}\n", options.subject, options.permanent ? "for good " : "",
             one ? "version" : "versions", answer);
  return {};
}

int Ended(const Status& status) {
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace

int RunSchemaList(const SchemaOptions& options) {
  return Ended(List(options));
}

int RunSchemaShow(const SchemaOptions& options) {
  return Ended(Show(options));
}

int RunSchemaRegister(const SchemaOptions& options) {
  return Ended(Register(options));
}

int RunSchemaCheck(const SchemaOptions& options) {
  auto breaks = Check(options);
  if (!breaks.ok()) return Fail(breaks.status());
  return static_cast<int>(*breaks ? kExitFault : kExitOk);
}

int RunSchemaDelete(const SchemaOptions& options) {
  return Ended(Delete(options));
}

}  // namespace millrace::cli
