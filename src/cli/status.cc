#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/dev_process.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/text_table.h"
#include "env/clock.h"

namespace millrace::cli {

namespace {

using simdjson::dom::element;

double Number(simdjson::simdjson_result<element> value) {
  double number = 0;
  return value.get_double().get(number) ? 0 : number;
}

std::string Text(simdjson::simdjson_result<element> value) {
  std::string_view text;
  return value.get_string().get(text) ? "" : std::string(text);
}

std::string Watermark(simdjson::simdjson_result<element> watermark_ms) {
  int64_t ms = 0;
  if (watermark_ms.get_int64().get(ms)) return "-";
  std::string text = WatermarkText((ms + 1) * 1000);
  int64_t behind_us = env::Clock::System()->WallMicros() - ms * 1000;
  if (behind_us < 0 || behind_us > 86'400'000'000) return text;
  return text + " (" + FormatDurationMicros(behind_us) + " ago)";
}

class Report {
 public:
  explicit Report(const HttpClient& client) : client_(client) {}

  Status AddJob(const std::string& name) {
    MR_ASSIGN_OR_RETURN(std::string body, client_.Get("/api/jobs/" + PercentEncode(name)));
    simdjson::dom::parser parser;
    element job;
    if (parser.parse(body).get(job))
      return Status(Code::kCorruption, "the state of a job cannot be read");
    element latency, ledger;
    bool timed = !job["latency_ms"].get(latency);
    bool counted = !job["ledger"].get(ledger);
    table_.Add({name, Text(job["state"]), FormatCount(Number(job["rate_in"])),
                FormatCount(Number(job["rate_out"])), FormatCount(Number(job["lag_rows"])),
                Watermark(job["watermark_ms"]),
                timed
                    ? fmt::format("{:.1f} / {:.1f}", Number(latency["p50"]), Number(latency["p99"]))
                    : "-",
                FormatBytes(static_cast<int64_t>(Number(job["state_bytes"]))),
                counted ? FormatCount(Number(ledger["late"])) : "-",
                counted ? FormatCount(Number(ledger["dead_lettered"])) : "-"});
    simdjson::dom::array lookups;
    if (!job["lookups"].get(lookups)) {
      for (element lookup : lookups) AddLookup(name, lookup);
    }
    simdjson::dom::array drift;
    if (!job["drift"].get(drift)) {
      for (element field : drift) AddDrift(name, field);
    }
    element error;
    if (!job["error"].get(error) && error.is_object()) {
      std::string line = fmt::format("{}: {}", name, Text(error["message"]));
      if (!Text(error["hint"]).empty()) line += "\n  hint: " + Text(error["hint"]);
      errors_.push_back(line);
    }
    return Status::Ok();
  }

  std::string Render() const {
    std::string out = table_.row_count() > 0 ? "\n" + table_.Render() : "";
    if (lookups_.row_count() > 0) out += "\n" + lookups_.Render();
    if (drift_.row_count() > 0) out += "\n" + drift_.Render();
    for (const std::string& error : errors_) out += "\n" + error + "\n";
    return out;
  }

 private:
  void AddLookup(const std::string& job, element lookup) {
    const double waiting_ms = Number(lookup["waiting_ms"]);
    const std::string version = Text(lookup["version"]);
    lookups_.Add({Text(lookup["name"]), job, FormatCount(Number(lookup["requests"])),
                  FormatCount(Number(lookup["keys"])), FormatCount(Number(lookup["missing"])),
                  FormatCount(Number(lookup["unusable"])), FormatCount(Number(lookup["errors"])),
                  fmt::format("{:.1f} / {:.1f}", Number(lookup["latency_ms"]["p50"]),
                              Number(lookup["latency_ms"]["p99"])),
                  waiting_ms > 0 ? fmt::format("{:.0f} ms", waiting_ms) : "-",
                  Text(lookup["circuit"]), version.empty() ? "-" : version});
  }

  void AddDrift(const std::string& job, element field) {
    const std::string type = Text(field["type"]);
    drift_.Add({Text(field["field"]), Text(field["table"]), job, type.empty() ? "-" : type,
                FormatCount(Number(field["times_seen"])),
                fmt::format("{:.0f}", Number(field["first_offset"]))});
  }

  const HttpClient& client_;
  TextTable table_{{{"job"},
                    {"state"},
                    {"in/s", true},
                    {"out/s", true},
                    {"lag", true},
                    {"watermark"},
                    {"p50 / p99 ms", true},
                    {"state size", true},
                    {"late", true},
                    {"dead", true}}};
  TextTable lookups_{{{"asks"},
                      {"job"},
                      {"requests", true},
                      {"keys", true},
                      {"missing", true},
                      {"unusable", true},
                      {"errors", true},
                      {"p50 / p99 ms", true},
                      {"waits", true},
                      {"circuit"},
                      {"version"}}};
  TextTable drift_{
      {{"undeclared field"}, {"table"}, {"job"}, {"type"}, {"seen", true}, {"since offset", true}}};
  std::vector<std::string> errors_;
};

Status PrintStatus(const DevProcess& dev, bool as_json) {
  MR_ASSIGN_OR_RETURN(HttpClient client, HttpClient::ForUrl(dev.url));
  MR_ASSIGN_OR_RETURN(std::string body, client.Get("/api/pipeline"));
  if (as_json) {
    fmt::print("{}\n", body);
    return Status::Ok();
  }
  simdjson::dom::parser parser;
  element pipeline;
  simdjson::dom::array nodes;
  if (parser.parse(body).get(pipeline) || pipeline["nodes"].get_array().get(nodes)) {
    return Status(Code::kCorruption, "the state of the pipeline cannot be read");
  }
  fmt::print("{} at {} (process {})\n{}\n", Text(pipeline["project"]), dev.url, dev.pid,
             Text(pipeline["summary"]["text"]));
  Report report(client);
  for (element node : nodes) {
    if (Text(node["kind"]) == "job") MR_RETURN_IF_ERROR(report.AddJob(Text(node["name"])));
  }
  fmt::print("{}", report.Render());
  return Status::Ok();
}

}  // namespace

int RunStatus(const StatusOptions& options) {
  std::string directory = CleanPath(options.directory);
  auto dev = FindDevProcess(DataDirectoryOf(directory));
  if (!dev) {
    std::string argument = directory == "." ? "" : " " + directory;
    return Fail(Status(Code::kFailedPrecondition,
                       fmt::format("no `millrace dev` runs in \"{}\"", directory))
                    .WithHint("start it: millrace dev" + argument));
  }
  Status status = PrintStatus(*dev, options.json);
  return status.ok() ? static_cast<int>(kExitOk) : Fail(status);
}

}  // namespace millrace::cli
