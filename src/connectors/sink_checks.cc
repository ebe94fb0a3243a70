#include "connectors/sink_checks.h"

#include <algorithm>

#include "base/strings.h"

namespace millrace::connectors {

Status CheckNames(const TableContext& table, const std::vector<std::string>& names,
                  const std::string& clause) {
  for (const std::string& name : names) {
    if (table.schema.Find(name) >= 0) continue;
    return Status(Code::kUnknownColumn, clause + " of table \"" + table.name +
                                            "\" names the column \"" + name +
                                            "\", which does not exist")
        .WithHint(DidYouMean(name, table.schema.Names()));
  }
  return Status::Ok();
}

bool TakesRowsBack(const SinkBatch& batch) {
  if (batch.weights == nullptr) return false;
  const auto begin = batch.weights->begin();
  return std::any_of(begin, begin + static_cast<std::ptrdiff_t>(batch.rows->size()),
                     [](int32_t weight) { return weight < 0; });
}

Status TakesNewRowsOnly(const TableContext& table) {
  return Status(Code::kUnsupported,
                "table \"" + table.name + "\" takes new rows only, but the query takes rows back");
}

}  // namespace millrace::connectors
