#include "project/dead_letter_audit.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>

#include "base/base64.h"
#include "base/strings.h"

namespace millrace::project {

namespace {

using simdjson::dom::object;

constexpr const char* kActionNames[] = {"edit",    "replay",    "replayed",
                                        "refused", "abandoned", "discard"};
constexpr model::RowErrorKind kKinds[] = {
    model::RowErrorKind::kMalformed,  model::RowErrorKind::kType, model::RowErrorKind::kNull,
    model::RowErrorKind::kConstraint, model::RowErrorKind::kTime, model::RowErrorKind::kLate,
    model::RowErrorKind::kRejected};

template <typename T>
bool ParseNumber(std::string_view text, T& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= 0;
}

std::string Text(const object& from, const char* name) {
  std::string_view text;
  return from[name].get_string().get(text) ? std::string() : std::string(text);
}

int64_t Number(const object& from, const char* name) {
  int64_t number = -1;
  return from[name].get_int64().get(number) ? -1 : number;
}

std::optional<std::string> Bytes(const object& from, const std::string& name) {
  std::string_view text;
  if (!from[name].get_string().get(text)) return std::string(text);
  if (!from[name + "_base64"].get_string().get(text)) return DecodeBase64(text);
  return std::nullopt;
}

void PutText(std::string& out, const char* name, const std::string& text) {
  if (!text.empty()) out += fmt::format(",\"{}\":{}", name, JsonQuote(text));
}

void PutNumber(std::string& out, const char* name, int64_t number) {
  if (number >= 0) out += fmt::format(",\"{}\":{}", name, number);
}

void PutBytes(std::string& out, const char* name, const std::optional<std::string>& bytes) {
  if (!bytes) return;
  if (IsValidUtf8(*bytes)) {
    out += fmt::format(",\"{}\":{}", name, JsonQuote(*bytes));
  } else {
    out += fmt::format(",\"{}_base64\":\"{}\"", name, Base64(*bytes));
  }
}

Status NotReadable(const char* what, std::string_view json) {
  return Status(Code::kCorruption, fmt::format("{} cannot be read", what))
      .WithDetail(std::string(json.substr(0, 200)));
}

}  // namespace

std::string LetterId::ToString() const {
  return fmt::format("{}/{}", partition, offset);
}

Result<LetterId> LetterId::Parse(std::string_view text) {
  size_t slash = text.find('/');
  LetterId id;
  if (slash == std::string_view::npos || !ParseNumber(text.substr(0, slash), id.partition) ||
      !ParseNumber(text.substr(slash + 1), id.offset)) {
    return Status(Code::kInvalidArgument, fmt::format("\"{}\" is not a dead letter's id", text))
        .WithHint("an id is PARTITION/OFFSET, e.g. 0/17; see: millrace dlq ls");
  }
  return id;
}

std::string AuditEntry::ToJson() const {
  std::string out = fmt::format("{{\"id\":\"{}\",\"action\":\"{}\",\"time_ms\":{}", id.ToString(),
                                kActionNames[static_cast<size_t>(action)], time_ms);
  PutText(out, "who", who);
  PutText(out, "kind", kind);
  PutText(out, "reason", reason);
  if (edited) out += ",\"edited\":true";
  PutText(out, "topic", topic);
  PutNumber(out, "partition", partition);
  PutNumber(out, "offset", offset);
  PutNumber(out, "sequence", sequence);
  PutBytes(out, "key", key);
  PutBytes(out, "before", before);
  PutBytes(out, "after", after);
  return out + "}";
}

Result<AuditEntry> AuditEntry::Parse(std::string_view json) {
  simdjson::dom::parser parser;
  object from;
  if (parser.parse(json.data(), json.size(), true).get_object().get(from)) {
    return NotReadable("an entry of the dead letters' audit", json);
  }
  AuditEntry entry;
  MR_ASSIGN_OR_RETURN(entry.id, LetterId::Parse(Text(from, "id")));
  std::string action = Text(from, "action");
  bool known = false;
  for (size_t a = 0; a < std::size(kActionNames); a++) {
    if (action != kActionNames[a]) continue;
    entry.action = static_cast<AuditAction>(a);
    known = true;
  }
  if (!known) return NotReadable("an entry of the dead letters' audit", json);
  entry.time_ms = Number(from, "time_ms");
  entry.who = Text(from, "who");
  entry.kind = Text(from, "kind");
  entry.reason = Text(from, "reason");
  bool edited = false;
  entry.edited = !from["edited"].get_bool().get(edited) && edited;
  entry.topic = Text(from, "topic");
  entry.partition = static_cast<int>(Number(from, "partition"));
  entry.offset = Number(from, "offset");
  entry.sequence = Number(from, "sequence");
  entry.key = Bytes(from, "key");
  entry.before = Bytes(from, "before");
  entry.after = Bytes(from, "after");
  return entry;
}

std::vector<std::string> LetterKindNames() {
  std::vector<std::string> names;
  for (model::RowErrorKind kind : kKinds) names.push_back(model::RowErrorKindName(kind));
  return names;
}

Result<model::DeadLetter> ParseDeadLetter(std::string_view json) {
  simdjson::dom::parser parser;
  object from;
  if (parser.parse(json.data(), json.size(), true).get_object().get(from)) {
    return NotReadable("a dead letter", json);
  }
  model::DeadLetter letter;
  letter.time_ms = Number(from, "time_ms");
  letter.stage = Text(from, "stage");
  letter.job = Text(from, "job");
  letter.table = Text(from, "table");
  letter.topic = Text(from, "topic");
  letter.partition = static_cast<int>(Number(from, "partition"));
  letter.offset = Number(from, "offset");
  std::string kind = Text(from, "kind");
  for (model::RowErrorKind one : kKinds) {
    if (kind == model::RowErrorKindName(one)) letter.kind = one;
  }
  letter.column = Text(from, "column");
  letter.reason = Text(from, "reason");
  letter.key = Bytes(from, "key");
  letter.payload = Bytes(from, "value").value_or("");
  return letter;
}

}  // namespace millrace::project
