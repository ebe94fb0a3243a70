#include "serve/drift_view.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace millrace::serve {

std::string DriftJson(const std::vector<job::TableDrift>& drift) {
  std::vector<std::string> texts;
  for (const job::TableDrift& found : drift) {
    for (const format::FieldDrift& field : found.fields) {
      texts.push_back(fmt::format(
          R"({{"table":{},"topic":{},"field":{},"type":{},"times_seen":{},"first_offset":{}}})",
          JsonQuote(found.table), found.topic.empty() ? "null" : JsonQuote(found.topic),
          JsonQuote(field.field),
          field.type ? JsonQuote(format::DeclaredType(*field.type)) : "null", field.values,
          field.first_offset));
    }
  }
  return "[" + Join(texts, ",") + "]";
}

}  // namespace millrace::serve
