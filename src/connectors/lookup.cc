#include "connectors/lookup.h"

namespace millrace::connectors {

std::vector<OptionSpec> LookupOptions() {
  return {
      {.name = "lookup.cache",
       .type = OptionType::kEnum,
       .doc =
           "NONE: every epoch asks once for each of its keys; PARTIAL: answers are kept, as part "
           "of the job's state.",
       .default_value = "NONE",
       .choices = {"NONE", "PARTIAL"}},
      {.name = "lookup.partial-cache.max-rows",
       .type = OptionType::kInt,
       .doc =
           "How many keys the cache holds at most in each shard; the oldest answers leave first.",
       .example = "100000"},
      {.name = "lookup.partial-cache.expire-after-write",
       .type = OptionType::kDuration,
       .doc = "How long an answer is used, by the clock of the epochs; without it, for ever.",
       .example = "10 min"},
      {.name = "lookup.partial-cache.cache-missing-key",
       .type = OptionType::kBool,
       .doc = "Whether the cache also remembers that a key is not there.",
       .default_value = "true"},
      {.name = "lookup.max-retries",
       .type = OptionType::kInt,
       .doc = "How often a question that failed is asked again, with growing pauses, before the "
              "circuit opens, where 'lookup.circuit.failures' does not say.",
       .default_value = "3"},
      {.name = "lookup.circuit.failures",
       .type = OptionType::kInt,
       .doc = "Failures in a row, over all shards, that open the circuit: then nobody asks for "
              "'lookup.circuit.pause', and after that one question tries. The job waits meanwhile "
              "(failing); no epoch commits, and nothing is lost.",
       .example = "5"},
      {.name = "lookup.circuit.pause",
       .type = OptionType::kDuration,
       .doc = "How long nobody asks while the circuit is open.",
       .default_value = "2 s"},
      {.name = "lookup.timeout",
       .type = OptionType::kDuration,
       .doc = "How long one question may take.",
       .default_value = "5 s"},
      {.name = "lookup.on-miss",
       .type = OptionType::kEnum,
       .doc =
           "A key that is not there: null (LEFT JOIN gives NULLs, JOIN no row), dead-letter (the "
           "row is put aside), retry (the epoch waits and asks again, with growing pauses, for "
           "'lookup.on-miss.retry-time' at most; then dead-letter).",
       .default_value = "null",
       .choices = {"null", "dead-letter", "retry"}},
      {.name = "lookup.on-miss.retry-time",
       .type = OptionType::kDuration,
       .doc = "How long an epoch waits for keys that are not there.",
       .default_value = "10 s"},
  };
}

}  // namespace millrace::connectors
