#include "sql/date_pattern.h"

#include <map>

namespace millrace::sql {
namespace {

// Letter runs of Java's DateTimeFormatter and what strftime calls them.
const std::map<std::string, std::string>& Runs() {
  static const std::map<std::string, std::string> runs = {
      {"yyyy", "%Y"}, {"uuuu", "%Y"}, {"yy", "%y"},  {"y", "%Y"},   {"u", "%Y"},
      {"MM", "%m"},   {"M", "%-m"},   {"MMM", "%b"}, {"MMMM", "%B"}, {"dd", "%d"},
      {"d", "%-d"},   {"DDD", "%j"},  {"D", "%-j"},  {"HH", "%H"},  {"H", "%-H"},
      {"hh", "%I"},   {"h", "%-I"},   {"mm", "%M"},  {"m", "%-M"},  {"ss", "%S"},
      {"s", "%-S"},   {"SSS", "%g"},  {"SSSSSS", "%f"}, {"a", "%p"}, {"E", "%a"},
      {"EE", "%a"},   {"EEE", "%a"},  {"EEEE", "%A"}};
  return runs;
}

void AppendLiteral(char c, std::string& out) {
  out += c;
  if (c == '%') out += c;
}

}  // namespace

DatePattern ConvertDatePattern(const std::string& java) {
  DatePattern result;
  for (size_t i = 0; i < java.size();) {
    char c = java[i];
    if (c == '\'') {
      if (i + 1 < java.size() && java[i + 1] == '\'') {
        result.strftime += '\'';
        i += 2;
        continue;
      }
      size_t end = java.find('\'', i + 1);
      if (end == std::string::npos) {
        result.fault = "a quote in it is not closed";
        return result;
      }
      for (size_t k = i + 1; k < end; k++) AppendLiteral(java[k], result.strftime);
      i = end + 1;
      continue;
    }
    if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')) {
      AppendLiteral(c, result.strftime);
      i++;
      continue;
    }
    size_t end = i;
    while (end < java.size() && java[end] == c) end++;
    std::string run = java.substr(i, end - i);
    auto it = Runs().find(run);
    if (it == Runs().end()) {
      result.fault = "\"" + run.substr(0, 16) + "\" has no equal here";
      return result;
    }
    result.strftime += it->second;
    i = end;
  }
  return result;
}

}  // namespace millrace::sql
