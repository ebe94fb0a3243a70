#include "cli/record_text.h"

#include <fmt/format.h>
#include <simdjson.h>

namespace millrace::cli {

namespace {
constexpr std::string_view kFields = "tpoTksKS%";

std::string Length(const std::optional<std::string>& bytes) {
  return bytes ? std::to_string(bytes->size()) : "-1";
}

std::string Field(char field, const std::string& topic, const StoredRecord& record) {
  switch (field) {
    case 't':
      return topic;
    case 'p':
      return std::to_string(record.partition);
    case 'o':
      return std::to_string(record.offset);
    case 'T':
      return std::to_string(record.timestamp_ms);
    case 'k':
      return record.key.value_or("");
    case 's':
      return record.value.value_or("");
    case 'K':
      return Length(record.key);
    case 'S':
      return Length(record.value);
    default:
      return "%";
  }
}
}  // namespace

std::string FormatRecord(std::string_view format, const std::string& topic,
                         const StoredRecord& record) {
  std::string out;
  for (size_t i = 0; i < format.size(); i++) {
    bool escaped = i + 1 < format.size();
    if (format[i] == '%' && escaped) {
      out += Field(format[++i], topic, record);
    } else if (format[i] == '\\' && escaped) {
      char c = format[++i];
      out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    } else {
      out += format[i];
    }
  }
  return out;
}

Status CheckRecordFormat(std::string_view format) {
  for (size_t i = 0; i < format.size(); i++) {
    if (format[i] == '\\') i++;
    if (i >= format.size() || format[i] != '%') continue;
    i++;
    if (i < format.size() && kFields.find(format[i]) != std::string_view::npos) continue;
    return Status(Code::kBadOption, fmt::format("--format: \"%{}\" is not a field of a record",
                                                i < format.size() ? format.substr(i, 1) : ""))
        .WithHint(
            "%t topic, %p partition, %o offset, %T time in ms, %k key, %s value, %K and %S "
            "lengths, %% a percent sign");
  }
  return Status::Ok();
}

Result<std::optional<std::string>> KeyFromField(std::string_view line, const std::string& field) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (auto error = parser.parse(line.data(), line.size(), true).get_object().get(object)) {
    return Status(Code::kInvalidArgument,
                  fmt::format("not a JSON object, so it has no field \"{}\": {}", field,
                              simdjson::error_message(error)));
  }
  simdjson::dom::element value;
  if (object[field].get(value) || value.is_null()) return std::optional<std::string>();
  std::string_view text;
  if (!value.get_string().get(text)) return std::optional<std::string>(std::string(text));
  return std::optional<std::string>(simdjson::minify(value));
}

}  // namespace millrace::cli
