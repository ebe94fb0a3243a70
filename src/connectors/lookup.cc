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
       .doc =
           "Failures in a row after which the job pauses, with one attempt every few seconds; no "
           "epoch commits meanwhile, and nothing is lost. Also how often 'lookup.on-miss' = "
           "'retry' asks again.",
       .default_value = "3"},
      {.name = "lookup.timeout",
       .type = OptionType::kDuration,
       .doc = "How long one question may take.",
       .default_value = "5 s"},
      {.name = "lookup.on-miss",
       .type = OptionType::kEnum,
       .doc =
           "A key that is not there: null (LEFT JOIN gives NULLs, JOIN no row), dead-letter (the "
           "row is put aside), retry (ask again, with growing pauses, then null).",
       .default_value = "null",
       .choices = {"null", "dead-letter", "retry"}},
  };
}

}  // namespace millrace::connectors
