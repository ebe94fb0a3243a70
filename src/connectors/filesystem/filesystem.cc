#include "connectors/filesystem/filesystem.h"

#include "connectors/lookup.h"

namespace millrace::connectors::filesystem {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "filesystem";
  spec.summary = "Files of a local directory: JSON lines, CSV, raw lines and Parquet.";
  spec.source = true;
  spec.sink = true;
  spec.lookup = true;
  spec.source_bounded = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "Sources read by byte (Parquet: row) position. Sinks write aside, sync, then replace one "
      "manifest (.millrace/) that names the files and the epoch, then move the files in place; "
      "what "
      "a crash leaves is finished or forgotten at the next start.";
  spec.takes_format = true;
  spec.own_formats = {"parquet"};
  spec.options = {
      {.name = "path",
       .doc = "A file, a directory (read with all below it) or, for sources, a pattern with * and "
              "?; relative to the project. Names that begin with . or _ are not read.",
       .required = true,
       .example = "data/events"},
      {.name = "source.monitor-interval",
       .type = OptionType::kDuration,
       .doc = "How often to look for new files and lines; without it the source ends with what is "
              "there at the start.",
       .example = "5 s"},
      {.name = "source.settle-time",
       .type = OptionType::kDuration,
       .doc = "With monitor-interval: a file that was not written to for this long is complete; "
              "only then is a last line without line end read.",
       .default_value = "10 s"},
      {.name = "sink.rolling-policy.file-size",
       .type = OptionType::kBytes,
       .doc = "A file of this size is committed (Parquet: before compression).",
       .default_value = "128mb"},
      {.name = "sink.rolling-policy.rollover-interval",
       .type = OptionType::kDuration,
       .doc = "Rows become visible after this long at the latest; a smaller value makes more and "
              "smaller files.",
       .default_value = "1 min"},
      {.name = "sink.rolling-policy.check-interval",
       .type = OptionType::kDuration,
       .doc = "Accepted for Flink; checked with every epoch."},
      {.name = "partition.default-name",
       .doc = "Directory value for NULL and the empty text.",
       .default_value = "__HIVE_DEFAULT_PARTITION__"},
      {.name = "sink.partition-commit.*",
       .doc = "Accepted for Flink; files are visible only when committed."},
      {.name = "auto-compaction",
       .type = OptionType::kBool,
       .doc = "Accepted for Flink; there is one file per directory and commit."},
  };
  for (OptionSpec& option : LookupOptions()) spec.options.push_back(std::move(option));
  spec.example =
      "CREATE TABLE raw_events (\n  event_type STRING,\n  url STRING,\n  dt STRING\n"
      ") PARTITIONED BY (dt, event_type) WITH (\n  'connector' = 'filesystem',\n"
      "  'path' = 'archive/events',\n  'format' = 'parquet'\n);";
  return spec;
}

}  // namespace

ConnectorEntry FilesystemConnector() {
  return {Spec(), NewFileSource, NewFileSink, NewFileLookup};
}

}  // namespace millrace::connectors::filesystem
