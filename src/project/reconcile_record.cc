#include "project/reconcile_record.h"

#include <simdjson.h>

#include <type_traits>

namespace millrace::project {

Result<ReconcileResult> ParseReconcileResult(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element record;
  ReconcileResult result;
  auto text = [&](const char* name, std::string& to) {
    std::string_view found;
    if (!record[name].get(found)) to = std::string(found);
  };
  auto number = [&](const char* name, auto& to) {
    std::remove_reference_t<decltype(to)> found{};
    if (!record[name].get(found)) to = found;
  };
  if (!parser.parse(simdjson::padded_string(json)).get(record)) text("name", result.name);
  if (result.name.empty()) {
    return Status(Code::kCorruption, "the result of a reconciliation cannot be read");
  }
  text("error", result.error);
  number("time_ms", result.time_ms);
  number("ok", result.ok);
  number("source_rows", result.source_rows);
  number("destination_rows", result.destination_rows);
  number("missing", result.missing);
  number("extra", result.extra);
  number("changed", result.changed);
  number("divergence", result.divergence);
  number("tolerance", result.tolerance);
  return result;
}

}  // namespace millrace::project
