#include "dbt/source_place.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/strings.h"

namespace millrace::dbt {

namespace {

// The parts of a template's line that are in the SQL as they stand.
std::vector<std::string> Literals(const std::string& line) {
  std::vector<std::string> parts;
  std::string part;
  for (size_t at = 0; at < line.size();) {
    const std::string_view opening = std::string_view(line).substr(at, 2);
    const char* closing = opening == "{{"   ? "}}"
                          : opening == "{%" ? "%}"
                          : opening == "{#" ? "#}"
                                            : "";
    if (*closing != '\0') {
      const size_t end = line.find(closing, at);
      parts.emplace_back(Trim(part));
      part.clear();
      at = end == std::string::npos ? line.size() : end + 2;
    } else {
      part += line[at++];
    }
  }
  parts.emplace_back(Trim(part));
  return parts;
}

// How many characters of `sql` the template's line explains; -1 if it is not its line.
int Fit(const std::string& sql, const std::vector<std::string>& literals) {
  int explained = 0;
  size_t at = 0;
  for (const std::string& literal : literals) {
    if (literal.empty()) continue;
    const size_t found = sql.find(literal, at);
    if (found == std::string::npos) return -1;
    at = found + literal.size();
    explained += static_cast<int>(literal.size());
  }
  if (literals.size() == 1 && std::string(Trim(sql)) != literals.front()) return -1;
  return explained == 0 ? -1 : explained;
}

}  // namespace

SourceSpan PlaceInTemplate(const Node& node, int statement_line) {
  SourceSpan place{node.path, 0, 0, 0};
  const std::vector<std::string> compiled = Split(node.compiled, '\n');
  const int index = statement_line - 2;
  if (statement_line <= 0 || index < 0 || index >= static_cast<int>(compiled.size())) return place;
  const std::string& wanted = compiled[static_cast<size_t>(index)];
  const std::vector<std::string> source = Split(node.code, '\n');
  const double ratio = static_cast<double>(source.size()) / static_cast<double>(compiled.size());
  int best = 0;
  double best_distance = 0;
  for (size_t i = 0; i < source.size(); i++) {
    const int fit = Fit(wanted, Literals(source[i]));
    const double distance = std::abs(static_cast<double>(i) - index * ratio);
    if (fit < 0 || (best > 0 && (fit < best || (fit == best && distance >= best_distance))))
      continue;
    best = fit;
    best_distance = distance;
    place.line = node.line + static_cast<int>(i);
  }
  return place;
}

}  // namespace millrace::dbt
