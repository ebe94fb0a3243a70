#include "connectors/jdbc/jdbc.h"

#include "connectors/lookup.h"
#include "connectors/rejections.h"

namespace millrace::connectors::jdbc {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "jdbc";
  spec.summary = "A table of a PostgreSQL database, with Flink's option names.";
  spec.sink = true;
  spec.lookup = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "Rows and the epoch's number (table millrace_commits) are committed in one transaction; "
      "after a lost connection that table tells whether the commit arrived.";
  spec.sink_accepts_updates = true;
  spec.options = {
      {.name = "url",
       .doc = "Where the database is.",
       .required = true,
       .example = "jdbc:postgresql://localhost:5432/metrics"},
      {.name = "table-name",
       .doc = "The table there, with or without a schema; created when it does not exist.",
       .required = true,
       .example = "public.page_view_counts"},
      {.name = "driver", .doc = "Accepted for Flink; the url says which database it is."},
      {.name = "username", .doc = "Who to log in as."},
      {.name = "password", .doc = "Password of that user.", .secret = true},
      {.name = "connection.max-retry-timeout",
       .type = OptionType::kDuration,
       .doc = "How long one attempt to connect may take; the job tries again with growing pauses.",
       .default_value = "60 s"},
      {.name = "sink.nul-characters",
       .type = OptionType::kEnum,
       .doc = "PostgreSQL's text cannot hold the character NUL: replace it by U+FFFD, or fail.",
       .default_value = "replace",
       .choices = {"replace", "fail"}},
      {.name = "sink.buffer-flush.max-rows",
       .type = OptionType::kInt,
       .doc = "Accepted for Flink; rows are committed per epoch."},
      {.name = "sink.buffer-flush.interval",
       .type = OptionType::kDuration,
       .doc = "Accepted for Flink; rows are committed per epoch."},
      {.name = "sink.max-retries",
       .type = OptionType::kInt,
       .doc = "Accepted for Flink; the job retries until the database answers."},
      {.name = "sink.parallelism",
       .type = OptionType::kInt,
       .doc = "Accepted for Flink; one writer is enough."},
  };
  spec.options.push_back(OnRejectOption());
  for (OptionSpec& option : LookupOptions()) spec.options.push_back(std::move(option));
  spec.example =
      "CREATE TABLE page_view_counts (\n  window_start TIMESTAMP(3),\n  url STRING,\n  views "
      "BIGINT,\n"
      "  PRIMARY KEY (window_start, url) NOT ENFORCED\n) WITH (\n  'connector' = 'jdbc',\n"
      "  'url' = 'jdbc:postgresql://localhost:5432/metrics',\n  'table-name' = "
      "'page_view_counts',\n"
      "  'username' = 'millrace',\n  'password' = '${PG_PASSWORD}'\n);";
  return spec;
}

}  // namespace

ConnectorEntry JdbcConnector() {
  return {Spec(), nullptr, NewPostgresSink, NewPostgresLookup};
}

}  // namespace millrace::connectors::jdbc
