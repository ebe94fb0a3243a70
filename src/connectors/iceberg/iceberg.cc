#include "connectors/iceberg/iceberg.h"

#include "connectors/s3/s3_options.h"

namespace millrace::connectors::iceberg {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "iceberg";
  spec.summary =
      "A table of Apache Iceberg (format version 2) in a REST catalog; its files lie on this "
      "machine "
      "or in S3.";
  spec.sink = true;
  spec.sink_accepts_updates = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "The rows of a few epochs are one snapshot, whose summary has the job's name and the epoch; "
      "the catalog takes it only behind the head that it was made for. Readers see a snapshot as a "
      "whole. With a PRIMARY KEY, files that hold changed keys are written anew. Small files are "
      "merged, old snapshots expired and files that nobody needs deleted between commits.";
  spec.options = {
      {.name = "catalog-type",
       .type = OptionType::kEnum,
       .doc = "Kind of the catalog.",
       .default_value = "rest",
       .choices = {"rest"}},
      {.name = "uri",
       .doc = "The catalog's URL, without '/v1'.",
       .required = true,
       .example = "http://127.0.0.1:8181"},
      {.name = "warehouse", .doc = "The warehouse, as the catalog calls it.", .example = "main"},
      {.name = "token",
       .doc = "Bearer token for the catalog.",
       .secret = true,
       .example = "${env:CATALOG_TOKEN}"},
      {.name = "catalog-database",
       .doc = "Namespace of the table; its levels have dots between them.",
       .default_value = "default"},
      {.name = "catalog-table",
       .doc = "The table, 'namespace.table' or 'table'; default: the name it has here. What is "
              "missing is created, partitioned by the values of PARTITIONED BY; columns that it "
              "lacks are added.",
       .example = "sales.orders"},
      {.name = "request.timeout",
       .type = OptionType::kDuration,
       .doc = "How long the catalog may take to answer.",
       .default_value = "30 s"},
      {.name = "commit.interval",
       .type = OptionType::kDuration,
       .doc = "Rows become visible after this long at the latest; every commit is a snapshot, with "
              "a file for each partition.",
       .default_value = "10 s"},
      {.name = "target-file-size",
       .type = OptionType::kBytes,
       .doc = "Size that files are merged to; rows of this size, before compression, are "
              "committed at once.",
       .default_value = "128mb"},
      {.name = "maintenance.interval",
       .type = OptionType::kDuration,
       .doc = "How often files are merged, snapshots expired and files deleted.",
       .default_value = "1 min"},
      {.name = "snapshot.retention",
       .type = OptionType::kDuration,
       .doc = "How far back queries can go. The newest snapshot of each job stays, and what "
              "branches and tags have.",
       .default_value = "6 h"},
      {.name = "orphan.delay",
       .type = OptionType::kDuration,
       .doc = "Files of this sink that no snapshot has, left by a process that died while it "
              "wrote, are deleted after this long.",
       .default_value = "1 d"},
  };
  for (OptionSpec& option : s3::AccessOptions()) spec.options.push_back(std::move(option));
  spec.example =
      "CREATE TABLE lake_orders (\n  order_id BIGINT,\n  amount DECIMAL(12, 2),\n  dt STRING\n"
      ") PARTITIONED BY (dt) WITH (\n  'connector' = 'iceberg',\n  'uri' = "
      "'http://127.0.0.1:8181',\n  'catalog-table' = 'sales.orders'\n);";
  return spec;
}

}  // namespace

ConnectorEntry IcebergConnector() {
  return {Spec(), nullptr, NewIcebergSink};
}

}  // namespace millrace::connectors::iceberg
