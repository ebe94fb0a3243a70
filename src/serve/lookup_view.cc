#include "serve/lookup_view.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace millrace::serve {

std::string LookupsJson(const std::vector<job::LookupStatus>& lookups) {
  std::vector<std::string> texts;
  for (const job::LookupStatus& lookup : lookups) {
    texts.push_back(fmt::format(
        "{{\"name\":{},\"requests\":{},\"errors\":{},\"keys\":{},\"missing\":{},\"unusable\":{},"
        "\"busy_seconds\":{:.3f},\"latency_ms\":{{\"p50\":{:.2f},\"p99\":{:.2f}}},"
        "\"waiting_ms\":{},\"circuit\":\"{}\",\"version\":{}}}",
        JsonQuote(lookup.name), lookup.requests, lookup.errors, lookup.keys, lookup.missing,
        lookup.unusable, lookup.busy_seconds, lookup.latency_p50_ms, lookup.latency_p99_ms,
        lookup.waiting_ms, lookup.circuit,
        lookup.version.empty() ? "null" : JsonQuote(lookup.version)));
  }
  return "[" + Join(texts, ",") + "]";
}

}  // namespace millrace::serve
