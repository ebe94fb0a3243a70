#include "model/dead_letter.h"

#include "base/strings.h"
#include "base/version.h"

namespace millrace::model {

namespace {
void AppendText(std::string& out, const char* name, const std::string& text) {
  out += ",\"";
  out += name;
  out += "\":";
  out += text.empty() ? "null" : JsonQuote(text);
}

void AppendNumber(std::string& out, const char* name, int64_t number) {
  out += ",\"";
  out += name;
  out += "\":";
  out += number < 0 ? "null" : std::to_string(number);
}

// As text, or as `<name>_base64`.
void AppendBytes(std::string& out, const char* name, const std::string& bytes) {
  out += std::string(",\"") + name;
  if (IsValidUtf8(bytes)) {
    out += "\":" + JsonQuote(bytes);
  } else {
    out += "_base64\":\"" + Base64(bytes) + "\"";
  }
}
}  // namespace

void DeadLetter::TakeRecordOf(const DeadLetter& other) {
  time_ms = other.time_ms;
  table = other.table;
  topic = other.topic;
  partition = other.partition;
  offset = other.offset;
  key = other.key;
  payload = other.payload;
}

std::string DeadLetter::ToJson() const {
  std::string out;
  out.reserve(payload.size() + reason.size() + 256);
  out += "{\"time_ms\":";
  out += std::to_string(time_ms);
  AppendText(out, "version", kVersion);
  AppendText(out, "stage", stage);
  AppendText(out, "job", job);
  AppendText(out, "table", table);
  AppendText(out, "topic", topic);
  AppendNumber(out, "partition", partition);
  AppendNumber(out, "offset", offset);
  AppendText(out, "kind", RowErrorKindName(kind));
  AppendText(out, "column", column);
  AppendText(out, "reason", reason);
  if (key) AppendBytes(out, "key", *key);
  AppendBytes(out, "value", payload);
  return out + "}";
}

}  // namespace millrace::model
