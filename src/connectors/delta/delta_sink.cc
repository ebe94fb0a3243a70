#include <filesystem>

#include "base/strings.h"
#include "connectors/delta/delta.h"
#include "connectors/delta/delta_table.h"
#include "connectors/lake_sink.h"
#include "connectors/s3/s3_options.h"
#include "connectors/sink_checks.h"

namespace millrace::connectors::delta {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "delta";
  spec.summary =
      "A table of Delta Lake in a directory or in S3: Parquet files with a transaction log, which "
      "Spark, deltalake and DuckDB read and write at the same time.";
  spec.sink = true;
  spec.sink_accepts_updates = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "The rows of a few epochs are one version of the table, whose txn action carries the job, "
      "the "
      "table and the epoch; readers see a version as a whole. With a PRIMARY KEY, files that hold "
      "changed keys are written anew. Small files are merged, old versions "
      "and files that nobody needs deleted between commits.";
  spec.options = {
      {.name = "path",
       .doc =
           "Directory of the table, relative to the project, or 's3://…' in a store that makes an "
           "object only if there is none of its name (If-None-Match). A table that is missing is "
           "created, columns that it lacks are added.",
       .required = true,
       .example = "lake/orders"},
      {.name = "commit.interval",
       .type = OptionType::kDuration,
       .doc = "Rows become visible after this long at the latest; every commit is a version and a "
              "file in each partition that it has rows of.",
       .default_value = "5 s"},
      {.name = "target-file-size",
       .type = OptionType::kBytes,
       .doc = "Size that files are merged to.",
       .default_value = "128mb"},
      {.name = "maintenance.interval",
       .type = OptionType::kDuration,
       .doc = "How often files are merged, and old versions and files deleted.",
       .default_value = "1 min"},
      {.name = "retention",
       .type = OptionType::kDuration,
       .doc = "How far back versions can be read; files that were removed earlier, by whoever, are "
              "deleted, unless the table's own properties keep them longer.",
       .default_value = "7 d"},
      {.name = "checkpoint.versions",
       .type = OptionType::kInt,
       .doc = "After so many versions a checkpoint is written, so that readers need not read every "
              "commit.",
       .default_value = "100"},
  };
  for (OptionSpec& option : s3::AccessOptions()) spec.options.push_back(std::move(option));
  spec.example =
      "CREATE TABLE lake_orders (\n  order_id BIGINT,\n  amount DECIMAL(12, 2),\n  dt STRING\n"
      ") PARTITIONED BY (dt) WITH (\n  'connector' = 'delta',\n  'path' = 'lake/orders'\n);";
  return spec;
}

std::string Absolute(const std::string& path, const std::string& base) {
  if (s3::IsS3(path)) return path.substr(0, path.find_last_not_of('/') + 1);
  const auto absolute = std::filesystem::absolute(std::filesystem::path(base) / path / "");
  return absolute.lexically_normal().parent_path().string();
}

DeltaSettings SettingsOf(const TableContext& table) {
  const Options& options = table.options;
  const std::string& base = table.services.base_dir;
  return {.path = Absolute(options.GetString("path"), base),
          .store = s3::AccessOf(options),
          .job = table.job,
          .table = table.name,
          .key = table.primary_key,
          .partitioned_by = table.partitioned_by,
          .spill_directory = Absolute(".millrace/spill/" + table.job, base),
          .file_bytes = options.GetBytes("target-file-size"),
          .retention_us = options.GetMicros("retention"),
          .checkpoint_versions = options.GetInt("checkpoint.versions")};
}

class DeltaSink : public LakeSink {
 public:
  using LakeSink::LakeSink;

  Status Open() override {
    delta_ = std::make_unique<DeltaTable>(*env::FileSystem::Real(), clock(), SettingsOf(table_),
                                          table_.schema);
    MR_RETURN_IF_ERROR(delta_->Open());
    Opened(delta_->LastEpoch());
    return Status::Ok();
  }

  Status Write(const SinkBatch& batch) override {
    if (batch.rows->size() == 0) return Status::Ok();
    if (table_.primary_key.empty() && TakesRowsBack(batch)) {
      return TakesNewRowsOnly(table_)
          .WithDetail("without a key there is no telling which stored row is meant")
          .WithHint("declare PRIMARY KEY (…) NOT ENFORCED on the table");
    }
    MR_RETURN_IF_ERROR(delta_->MakeRoom());
    delta_->Gather(batch);
    RowsCame();
    return Status::Ok();
  }

 protected:
  int64_t GatheredRows() const override { return delta_->gathered_rows(); }
  Result<model::Epoch> FindLastEpoch() override { return delta_->FindLastEpoch(); }
  Status CommitGathered(model::Epoch epoch) override { return delta_->Commit(epoch); }
  Status ForgetGathered() override { return delta_->Forget(); }
  Status Maintain() override { return delta_->Maintain().status(); }

 private:
  std::unique_ptr<DeltaTable> delta_;
};

Status CheckPartitions(const TableContext& table) {
  MR_RETURN_IF_ERROR(CheckNames(table, table.partitioned_by, "PARTITIONED BY"));
  for (const std::string& name : table.partitioned_by) {
    const auto column = static_cast<size_t>(table.schema.Find(name));
    const auto& type = table.schema.columns[column].type;
    if (!type.IsNested() && type.id() != duckdb::LogicalTypeId::BLOB) continue;
    return Status(Code::kType, "table \"" + table.name + "\" cannot be PARTITIONED BY \"" + name +
                                   "\": " + type.ToString() + " makes no directory");
  }
  if (table.partitioned_by.size() < table.schema.size()) return Status::Ok();
  return Status(Code::kBadOption, "every column of table \"" + table.name +
                                      "\" is in PARTITIONED BY, which leaves none for the files");
}

}  // namespace

ConnectorEntry DeltaConnector() {
  return {Spec(), nullptr, NewDeltaSink};
}

Result<std::unique_ptr<Sink>> NewDeltaSink(const TableContext& table) {
  MR_RETURN_IF_ERROR(CheckPartitions(table));
  MR_RETURN_IF_ERROR(CheckNames(table, table.primary_key, "PRIMARY KEY"));
  const std::string path = table.options.GetString("path");
  if (s3::IsS3(path)) {
    if (path.find_first_not_of('/', path.find(':') + 1) == std::string::npos) {
      return Status(Code::kBadOption, "\"" + path + "\" names no bucket")
          .WithHint("write 's3://bucket/prefix'");
    }
    // These are patterns to DuckDB, which lists the table's files; and some stores list names with
    // "%" in a way that it does not understand.
    if (path.find_first_of("*?[]{}%") == std::string::npos) {
      return std::unique_ptr<Sink>(new DeltaSink(table));
    }
    return Status(Code::kBadOption,
                  "\"" + path + "\" has a character that S3 paths here cannot have")
        .WithHint("write 's3://bucket/prefix' without * ? [ ] { } %");
  }
  if (path.find("://") != std::string::npos) {
    return Status(Code::kUnsupported, "\"" + path + "\" is neither on this machine nor in S3")
        .WithHint("write a directory, or 's3://bucket/prefix'");
  }
  return std::unique_ptr<Sink>(new DeltaSink(table));
}

}  // namespace millrace::connectors::delta
