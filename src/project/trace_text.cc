// A trace as text, JSON and YAML.
#include <fmt/format.h>

#include <ctime>

#include "base/strings.h"
#include "base/visible_text.h"
#include "project/lineage_yaml.h"
#include "project/trace.h"

namespace millrace::project {

namespace {

constexpr size_t kBytesShown = 2000;

std::string IsoTime(int64_t time_ms) {
  const std::time_t seconds = static_cast<std::time_t>(time_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     time_ms % 1000);
}

std::string Bytes(const std::optional<std::string>& bytes) {
  if (!bytes) return "none";
  std::string text = IsValidUtf8(*bytes) ? VisibleText(*bytes) : "base64 " + Base64(*bytes);
  const size_t size = text.size();
  if (size > kBytesShown) {
    // Not in the middle of a character.
    size_t end = kBytesShown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) end--;
    text = text.substr(0, end) + "…";
  }
  return fmt::format("{} ({} bytes)", text, bytes->size());
}

std::string RowText(const TraceRows& rows, size_t r) {
  std::vector<std::string> cells;
  for (size_t c = 0; c < rows.rows[r].size(); c++) {
    cells.push_back(fmt::format("{}={}", c < rows.columns.size() ? rows.columns[c] : "?",
                                VisibleText(rows.rows[r][c].value_or("NULL"))));
  }
  return Join(cells, ", ");
}

std::string RefusalText(const TraceRefusal& refusal) {
  return fmt::format("{} at {}: {}", refusal.kind, refusal.stage, VisibleText(refusal.reason));
}

void AddAnswer(const TraceAnswer& answer, const std::string& indent, std::string& out) {
  out += fmt::format("{}  asked \"{}\" for {}", indent, answer.from, RowText(answer.key, 0));
  out += fmt::format(", in epoch {} at {}", answer.epoch, IsoTime(answer.time_ms));
  if (!answer.version.empty()) out += ", version " + VisibleText(answer.version);
  out += "\n";
  if (!answer.unusable.empty()) {
    out +=
        fmt::format("{}    answer that cannot be used: {}\n", indent, VisibleText(answer.unusable));
  } else if (answer.rows.rows.empty()) {
    out += fmt::format("{}    answer: there is none\n", indent);
  }
  for (size_t r = 0; r < answer.rows.rows.size(); r++) {
    out += fmt::format("{}    answer: {}\n", indent, RowText(answer.rows, r));
  }
  if (!answer.note.empty()) out += fmt::format("{}    not sure: {}\n", indent, answer.note);
}

void AddVersion(const TraceVersion& version, const std::string& indent, std::string& out) {
  out += fmt::format("{}  version of \"{}\": {}", indent, version.table, RowText(version.row, 0));
  if (version.record) {
    out += fmt::format(" (record {} partition {} offset {}, written {})", version.record->topic,
                       version.record->partition, version.record->offset,
                       IsoTime(version.record->timestamp_ms));
  }
  out += "\n";
}

void AddStage(const TraceStage& stage, const std::string& indent, std::string& out) {
  out += indent + stage.name;
  if (!stage.version.empty()) out += "  (text " + stage.version + ")";
  out += "\n";
  for (const TraceVersion& version : stage.versions) AddVersion(version, indent, out);
  for (const TraceAnswer& answer : stage.answers) AddAnswer(answer, indent, out);
  for (const auto& window : stage.windows.rows) {
    out += fmt::format("{}  window {} to {}\n", indent, window[0].value_or("NULL"),
                       window[1].value_or("NULL"));
  }
  for (size_t r = 0; r < stage.made.rows.size(); r++) {
    out += fmt::format("{}  -> {}\n", indent, RowText(stage.made, r));
  }
  for (const TraceRecord& partner : stage.partners) {
    out += fmt::format("{}  joined with record {} partition {} offset {}, written {}: {}\n", indent,
                       partner.topic, partner.partition, partner.offset,
                       IsoTime(partner.timestamp_ms), Bytes(partner.value));
  }
  if (!stage.partners_note.empty()) {
    out += fmt::format("{}  joined with: {}\n", indent, stage.partners_note);
  }
  for (const TraceRefusal& refusal : stage.refused) {
    out += fmt::format("{}  refused: {}\n", indent, RefusalText(refusal));
  }
  if (!stage.note.empty()) {
    out += fmt::format("{}  not told: {}\n", indent, VisibleText(stage.note));
  } else if (stage.made.rows.empty() && stage.refused.empty()) {
    out += fmt::format("{}  -> nothing: filtered out\n", indent);
  }
}

void AddJob(const TraceJob& job, std::string& out) {
  out += fmt::format("\n  job \"{}\" into \"{}\"\n", job.job, job.sink);
  for (const TraceStage& stage : job.stages) AddStage(stage, "    ", out);
  for (const TraceRefusal& letter : job.letters) {
    out += fmt::format("    recorded dead letter: {}\n", RefusalText(letter));
  }
  if (!job.found_by.empty()) {
    out += fmt::format("    in \"{}\" now (by {}): {}\n", job.sink, job.found_by,
                       job.in_sink.rows.empty() && job.note.empty() ? "no row" : "");
    for (size_t r = 0; r < job.in_sink.rows.size(); r++) {
      out += fmt::format("      {}\n", RowText(job.in_sink, r));
    }
  }
  for (const std::string& difference : job.differences) {
    out += fmt::format("      differs: {}\n", VisibleText(difference));
  }
  if (!job.note.empty()) out += fmt::format("    not told: {}\n", VisibleText(job.note));
  if (job.commit) {
    out += fmt::format("    read in epoch {}, committed at {}\n", job.commit->epoch,
                       IsoTime(job.commit->time_ms));
  } else {
    out += "    commit: epoch and time not recorded\n";
  }
  for (const Trace& trace : job.onward) {
    out += "\n    became ";
    const std::string text = trace.ToText();
    for (size_t at = 0; at < text.size();) {  // each line a little further to the right
      const size_t end = std::min(text.find('\n', at), text.size());
      const bool blank = end == at;
      out += (at == 0 || blank ? "" : "    ") + text.substr(at, end - at) + "\n";
      at = end + 1;
    }
  }
}

// ---- JSON --------------------------------------------------------------------------------------

std::string CellJson(const CellText& cell) {
  return cell ? JsonQuote(*cell) : "null";
}

std::string RowsJson(const TraceRows& rows) {
  std::vector<std::string> names, texts;
  for (const std::string& name : rows.columns) names.push_back(JsonQuote(name));
  for (const auto& row : rows.rows) {
    std::vector<std::string> cells;
    for (const CellText& cell : row) cells.push_back(CellJson(cell));
    texts.push_back("[" + Join(cells, ",") + "]");
  }
  return fmt::format(R"({{"columns":[{}],"rows":[{}]}})", Join(names, ","), Join(texts, ","));
}

std::string RefusalsJson(const std::vector<TraceRefusal>& refusals) {
  std::vector<std::string> texts;
  for (const TraceRefusal& r : refusals) {
    texts.push_back(fmt::format(R"({{"stage":{},"kind":{},"reason":{}}})", JsonQuote(r.stage),
                                JsonQuote(r.kind), JsonQuote(r.reason)));
  }
  return "[" + Join(texts, ",") + "]";
}

std::string NoteJson(const std::string& note) {
  return note.empty() ? "null" : JsonQuote(note);
}

std::string AnswerJson(const TraceAnswer& answer) {
  return fmt::format(
      R"({{"from":{},"key":{},"rows":{},"unusable":{},"version":{},"epoch":{},"time_ms":{},)"
      R"("not_sure":{}}})",
      JsonQuote(answer.from), RowsJson(answer.key), RowsJson(answer.rows),
      NoteJson(answer.unusable), NoteJson(answer.version), answer.epoch, answer.time_ms,
      NoteJson(answer.note));
}

std::string VersionJson(const TraceVersion& version) {
  const std::string record = version.record
                                 ? fmt::format(R"({{"topic":{},"partition":{},"offset":{}}})",
                                               JsonQuote(version.record->topic),
                                               version.record->partition, version.record->offset)
                                 : "null";
  return fmt::format(R"({{"table":{},"row":{},"record":{}}})", JsonQuote(version.table),
                     RowsJson(version.row), record);
}

std::string BytesJson(const char* name, const std::optional<std::string>& bytes) {
  if (!bytes) return fmt::format("\"{}\":null", name);
  if (IsValidUtf8(*bytes)) return fmt::format("\"{}\":{}", name, JsonQuote(*bytes));
  return fmt::format("\"{}_base64\":\"{}\"", name, Base64(*bytes));
}

// topic, partition, offset, timestamp_ms, key, value: a record's fields, without braces.
std::string RecordFields(const TraceRecord& record) {
  return fmt::format(R"("topic":{},"partition":{},"offset":{},"timestamp_ms":{},{},{})",
                     JsonQuote(record.topic), record.partition, record.offset, record.timestamp_ms,
                     BytesJson("key", record.key), BytesJson("value", record.value));
}

std::string StageJson(const TraceStage& stage) {
  std::vector<std::string> answers, versions, partners;
  for (const TraceVersion& version : stage.versions) versions.push_back(VersionJson(version));
  for (const TraceAnswer& answer : stage.answers) answers.push_back(AnswerJson(answer));
  for (const TraceRecord& partner : stage.partners) {
    partners.push_back("{" + RecordFields(partner) + "}");
  }
  return fmt::format(
      R"({{"name":{},"version":{},"versions":[{}],"answers":[{}],"windows":{},"made":{},)"
      R"("partners":[{}],"partners_not_told":{},"refused":{},"not_told":{}}})",
      JsonQuote(stage.name), NoteJson(stage.version), Join(versions, ","), Join(answers, ","),
      RowsJson(stage.windows), RowsJson(stage.made), Join(partners, ","),
      NoteJson(stage.partners_note), RefusalsJson(stage.refused), NoteJson(stage.note));
}

std::string JobJson(const TraceJob& job) {
  std::vector<std::string> stages, differences, onward;
  for (const TraceStage& stage : job.stages) stages.push_back(StageJson(stage));
  for (const std::string& text : job.differences) differences.push_back(JsonQuote(text));
  for (const Trace& trace : job.onward) onward.push_back(trace.ToJson());
  const std::string commit = job.commit ? fmt::format(R"({{"epoch":{},"time_ms":{}}})",
                                                      job.commit->epoch, job.commit->time_ms)
                                        : "null";
  return fmt::format(
      R"({{"job":{},"sink":{},"stages":[{}],"dead_letters":{},"found_by":{},"in_sink":{},)"
      R"("differences":[{}],"not_told":{},"commit":{},"onward":[{}]}})",
      JsonQuote(job.job), JsonQuote(job.sink), Join(stages, ","), RefusalsJson(job.letters),
      NoteJson(job.found_by), RowsJson(job.in_sink), Join(differences, ","), NoteJson(job.note),
      commit, Join(onward, ","));
}

}  // namespace

std::string Trace::ToText() const {
  std::string out =
      fmt::format("record {} partition {} offset {}, written {}\n  key   {}\n  value {}\n",
                  record.topic, record.partition, record.offset, IsoTime(record.timestamp_ms),
                  Bytes(record.key), Bytes(record.value));
  for (const TraceRefusal& letter : letters) {
    out += fmt::format("  recorded dead letter: {}\n", RefusalText(letter));
  }
  for (const TraceTable& table : tables) {
    out += "\n";
    AddStage(table.decoded, "table ", out);
    for (const TraceCheck& check : table.checks) {
      out += fmt::format(
          "  CHECK {} ({}): {}\n", check.name, check.expression,
          check.verdict
              ? *check.verdict == "true" ? "holds" : "violated, on violation " + check.action
              : "unknown, which passes");
    }
    if (!table.time_column.empty()) {
      out += fmt::format("  event time {}: {}\n", table.time_column, table.time.value_or("none"));
    }
    for (const TraceJob& job : table.jobs) AddJob(job, out);
  }
  return out;
}

std::string Trace::ToJson() const {
  std::vector<std::string> texts;
  for (const TraceTable& table : tables) {
    std::vector<std::string> jobs, checks;
    for (const TraceJob& job : table.jobs) jobs.push_back(JobJson(job));
    for (const TraceCheck& check : table.checks) {
      checks.push_back(fmt::format(
          R"({{"name":{},"expression":{},"verdict":{},"on_violation":{}}})", JsonQuote(check.name),
          JsonQuote(check.expression), CellJson(check.verdict), JsonQuote(check.action)));
    }
    texts.push_back(fmt::format(
        R"({{"table":{},"decoded":{},"checks":[{}],"time_column":{},"time":{},"jobs":[{}]}})",
        JsonQuote(table.table), StageJson(table.decoded), Join(checks, ","),
        NoteJson(table.time_column), CellJson(table.time), Join(jobs, ",")));
  }
  return fmt::format(R"({{{},"dead_letters":{},"tables":[{}]}})", RecordFields(record),
                     RefusalsJson(letters), Join(texts, ","));
}

std::string Trace::ToYaml() const {
  std::string out;
  for (const TraceTable& table : tables) {
    for (const TraceJob& job : table.jobs) {
      LineageDocument document;
      document.system = project;
      document.topic = record.topic;
      document.partition = record.partition;
      document.offset = record.offset;
      document.timestamp = IsoTime(record.timestamp_ms);
      const std::string at = job.commit ? IsoTime(job.commit->time_ms) : "";
      if (!table.checks.empty()) document.steps.push_back({"schema_validation", "", {}, at});
      for (const TraceStage& stage : job.stages) {
        const size_t blank = stage.name.find(' ');
        LineageStep step{stage.name.substr(blank + 1), stage.version, {}, at};
        if (!stage.refused.empty()) step.more.emplace_back("refused", stage.refused[0].reason);
        document.steps.push_back(std::move(step));
      }
      // A record that is in no row of the sink has no destination.
      if (!job.in_sink.rows.empty()) document.table = job.sink;
      out += (out.empty() ? "" : "---\n") + millrace::project::ToYaml(document);
      for (const Trace& trace : job.onward) {
        const std::string further = trace.ToYaml();
        if (!further.empty()) out += "---\n" + further;
      }
    }
  }
  return out;
}

}  // namespace millrace::project
