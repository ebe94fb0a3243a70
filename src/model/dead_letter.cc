#include "model/dead_letter.h"

#include "base/strings.h"

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
}  // namespace

std::string DeadLetter::ToJson() const {
  std::string out;
  out.reserve(payload.size() + reason.size() + 256);
  out += "{\"time_ms\":";
  out += std::to_string(time_ms);
  AppendText(out, "stage", stage);
  AppendText(out, "job", job);
  AppendText(out, "table", table);
  AppendText(out, "topic", topic);
  AppendNumber(out, "partition", partition);
  AppendNumber(out, "offset", offset);
  AppendText(out, "kind", RowErrorKindName(kind));
  AppendText(out, "column", column);
  AppendText(out, "reason", reason);
  if (IsValidUtf8(payload)) {
    out += ",\"value\":" + JsonQuote(payload);
  } else {
    out += ",\"value_base64\":\"" + Base64(payload) + "\"";
  }
  return out + "}";
}

}  // namespace millrace::model
