#include "connectors/datagen/datagen.h"

#include "connectors/datagen/datagen_source.h"

namespace millrace::connectors::datagen {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "datagen";
  spec.summary = "Makes up rows at a steady rate; the same options always give the same rows.";
  spec.source = true;
  spec.source_bounded = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "Row i is a function of the seed and i, so a repeated epoch sees the same rows.";
  spec.options = {
      {.name = "rows-per-second",
       .type = OptionType::kInt,
       .doc = "Rate of rows; 0: as fast as they are read (needs number-of-rows).",
       .default_value = "10000"},
      {.name = "number-of-rows",
       .type = OptionType::kInt,
       .doc = "Ends after this many rows; without it, and without a sequence, the source goes on "
              "for ever, row i belonging to the moment i / rows-per-second after 1970."},
      {.name = "seed",
       .type = OptionType::kInt,
       .doc = "Another seed, other random values.",
       .default_value = "0"},
      {.name = "start-time",
       .doc = "Time of row 0 in TIMESTAMP columns of a source that ends.",
       .default_value = "2024-01-01 00:00:00"},
      {.name = "fields.#.kind",
       .type = OptionType::kEnum,
       .doc = "How the column # is filled.",
       .choices = {"random", "sequence"}},
      {.name = "fields.#.min",
       .type = OptionType::kDouble,
       .doc = "Smallest random number; default: the smallest of the type."},
      {.name = "fields.#.max",
       .type = OptionType::kDouble,
       .doc = "Largest random number; default: the largest of the type."},
      {.name = "fields.#.length",
       .type = OptionType::kInt,
       .doc = "Characters of a random STRING; default 100."},
      {.name = "fields.#.start", .type = OptionType::kInt, .doc = "First number of a sequence."},
      {.name = "fields.#.end",
       .type = OptionType::kInt,
       .doc = "Last number of a sequence; the source ends there."},
      {.name = "fields.#.max-past",
       .type = OptionType::kDuration,
       .doc = "A TIMESTAMP lies up to this long before its row's time; default 0."},
      {.name = "fields.#.null-rate",
       .type = OptionType::kDouble,
       .doc = "Share of NULLs, 0 to 1; default 0."},
      {.name = "fields.#.values",
       .doc = "Millrace only: a STRING is one of these, separated by |.",
       .example = "DE|FR|US"},
  };
  spec.example =
      "CREATE TABLE orders (\n  id BIGINT,\n  price DOUBLE,\n  country STRING,\n"
      "  ts TIMESTAMP(3),\n  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND\n) WITH (\n"
      "  'connector' = 'datagen',\n  'rows-per-second' = '1000',\n  'fields.price.min' = '1',\n"
      "  'fields.price.max' = '100',\n  'fields.country.values' = 'DE|FR|US'\n);";
  return spec;
}

}  // namespace

ConnectorEntry DatagenConnector() {
  return {Spec(), NewDatagenSource, nullptr};
}

}  // namespace millrace::connectors::datagen
