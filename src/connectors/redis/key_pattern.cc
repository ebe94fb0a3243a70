#include "connectors/redis/key_pattern.h"

#include <algorithm>

#include "base/strings.h"

namespace millrace::connectors::redis {

Result<KeyPattern> KeyPattern::Parse(const std::string& text, const model::Schema& schema) {
  KeyPattern pattern;
  pattern.parts_.emplace_back();
  auto unmatched = [&] {
    return Status(Code::kBadOption, "option \"key\" has an unmatched bracket: \"" + text + "\"")
        .WithHint("write 'rate:{currency}' with a column of the table; {{ and }} for brackets");
  };
  for (size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      pattern.parts_.back().text += c;
      i++;
    } else if (c == '}') {
      return unmatched();
    } else if (c == '{') {
      const size_t close = text.find('}', i);
      if (close == std::string::npos) return unmatched();
      const std::string name = text.substr(i + 1, close - i - 1);
      const int column = schema.Find(name);
      if (column < 0) {
        return Status(Code::kUnknownColumn,
                      "option \"key\" names column \"" + name + "\", which does not exist")
            .WithHint(DidYouMean(name, schema.Names()));
      }
      auto& columns = pattern.columns_;
      auto at = std::find(columns.begin(), columns.end(), static_cast<size_t>(column));
      pattern.parts_.back().column = static_cast<int>(at - columns.begin());
      if (at == columns.end()) columns.push_back(static_cast<size_t>(column));
      pattern.parts_.emplace_back();
      i = close;
    } else {
      pattern.parts_.back().text += c;
    }
  }
  if (pattern.columns_.empty()) {
    return Status(Code::kBadOption, "option \"key\" names no column: \"" + text + "\"")
        .WithHint("write 'rate:{currency}' with a column of the table");
  }
  return pattern;
}

std::string KeyPattern::Fill(const std::vector<std::string>& values) const {
  std::string key;
  for (const Part& part : parts_) {
    key += part.text;
    if (part.column >= 0) key += values[static_cast<size_t>(part.column)];
  }
  return key;
}

}  // namespace millrace::connectors::redis
