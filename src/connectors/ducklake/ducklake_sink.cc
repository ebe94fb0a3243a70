#include <filesystem>

#include "base/strings.h"
#include "connectors/ducklake/ducklake.h"
#include "connectors/ducklake/lake_table.h"
#include "connectors/lake_sink.h"
#include "connectors/s3/s3_options.h"
#include "connectors/sink_checks.h"

namespace millrace::connectors::ducklake {

namespace {

ConnectorSpec Spec() {
  ConnectorSpec spec;
  spec.name = "ducklake";
  spec.summary =
      "A table of a DuckLake: Parquet files with snapshots, whose catalog is SQLite or PostgreSQL. "
      "Needs DuckDB's extension ducklake (docs/reference/batch.md tells where it is looked for).";
  spec.sink = true;
  spec.guarantee = Guarantee::kExactlyOnce;
  spec.guarantee_doc =
      "The rows of a few epochs are one snapshot, which carries the job's name and the epoch; "
      "readers see a snapshot as a whole. Small files are merged, old snapshots expired and files "
      "that nobody needs deleted between commits.";
  spec.options = {
      {.name = "catalog",
       .doc = "Where the catalog is: 'sqlite:FILE', relative to the project, or 'postgres:…' with "
              "libpq's words or URL.",
       .default_value = "sqlite:lake.sqlite",
       .example = "postgres:dbname=lake host=db user=millrace"},
      {.name = "data-path",
       .doc = "Directory of the Parquet files, relative to the project, or 's3://…/'. A catalog "
              "keeps the one that it was made with.",
       .default_value = "lake.files"},
      {.name = "table-name",
       .doc = "Table in the lake, 'schema.table' or 'table'; default: the name it has here. What "
              "is missing is created; columns that it lacks are added.",
       .example = "sales.orders"},
      {.name = "commit.interval",
       .type = OptionType::kDuration,
       .doc = "Rows become visible after this long at the latest; every commit is a file and a "
              "snapshot.",
       .default_value = "5 s"},
      {.name = "target-file-size",
       .type = OptionType::kBytes,
       .doc = "Size that files are merged to.",
       .default_value = "128mb"},
      {.name = "maintenance.interval",
       .type = OptionType::kDuration,
       .doc = "How often files are merged, snapshots expired and files deleted.",
       .default_value = "1 min"},
      {.name = "snapshot.retention",
       .type = OptionType::kDuration,
       .doc = "How far back queries can go (AT (TIMESTAMP => …)); of the whole lake. The newest "
              "snapshot of each job stays.",
       .default_value = "7 d"},
      {.name = "cleanup.delay",
       .type = OptionType::kDuration,
       .doc = "Files that no snapshot has are deleted after this long, for readers that are at "
              "them; of a SQLite catalog up to a day later.",
       .default_value = "1 h"},
      {.name = "orphan.delay",
       .type = OptionType::kDuration,
       .doc = "Files below data-path that the catalog does not know, left by a process that died "
              "while it wrote, are deleted after this long.",
       .default_value = "1 d"},
  };
  for (OptionSpec& option : s3::AccessOptions()) spec.options.push_back(std::move(option));
  spec.example =
      "CREATE TABLE lake_orders (\n  order_id BIGINT,\n  amount DECIMAL(12, 2),\n  dt STRING\n"
      ") PARTITIONED BY (dt) WITH (\n  'connector' = 'ducklake',\n  'catalog' = "
      "'sqlite:lake.sqlite',\n  'table-name' = 'orders'\n);";
  return spec;
}

std::string Absolute(const std::string& path, const std::string& base) {
  if (path.find("://") != std::string::npos) return path;
  return std::filesystem::absolute(std::filesystem::path(base) / path).lexically_normal().string();
}

LakeSettings SettingsOf(const TableContext& table) {
  const Options& options = table.options;
  const std::string& base = table.services.base_dir;
  LakeSettings settings;
  settings.catalog = options.GetString("catalog");
  if (settings.catalog.starts_with("sqlite:")) {
    settings.catalog = "sqlite:" + Absolute(settings.catalog.substr(7), base);
  }
  settings.data_path = Absolute(options.GetString("data-path"), base) + "/";
  settings.table = options.Has("table-name") ? options.GetString("table-name") : table.name;
  settings.schema = "main";
  if (const size_t dot = settings.table.find('.'); dot != std::string::npos) {
    settings.schema = settings.table.substr(0, dot);
    settings.table = settings.table.substr(dot + 1);
  }
  settings.partitioned_by = table.partitioned_by;
  settings.spill_directory = Absolute(".millrace/spill/" + table.job, base);
  settings.file_bytes = options.GetBytes("target-file-size");
  settings.snapshots_kept_us = options.GetMicros("snapshot.retention");
  settings.cleanup_delay_us = options.GetMicros("cleanup.delay");
  settings.orphans_after_us = options.GetMicros("orphan.delay");
  if (s3::IsS3(settings.data_path)) settings.store = s3::AccessOf(options);
  return settings;
}

class DuckLakeSink : public LakeSink {
 public:
  explicit DuckLakeSink(const TableContext& table)
      : LakeSink(table), lake_(std::make_unique<LakeTable>(SettingsOf(table), table.schema)) {}

  Status Open() override {
    lake_ = std::make_unique<LakeTable>(SettingsOf(table_), table_.schema);
    MR_RETURN_IF_ERROR(lake_->Open());
    MR_ASSIGN_OR_RETURN(model::Epoch committed, FindLastEpoch());
    Opened(committed);
    return Status::Ok();
  }

  Status Write(const SinkBatch& batch) override {
    duckdb::DataChunk& rows = *batch.rows;
    if (rows.size() == 0) return Status::Ok();
    if (TakesRowsBack(batch)) {
      return TakesNewRowsOnly(table_).WithHint(
          "write updating results into a table with a PRIMARY KEY ('connector' = "
          "'jdbc'), or the final rows of windows here");
    }
    MR_RETURN_IF_ERROR(lake_->rows().MakeRoom());
    if (batch.weights) {
      lake_->rows().GatherCopies(rows, *batch.weights);
    } else {
      lake_->rows().Gather(rows);
    }
    RowsCame();
    return Status::Ok();
  }

 protected:
  int64_t GatheredRows() const override { return lake_->rows().count(); }
  Result<model::Epoch> FindLastEpoch() override { return lake_->LastEpoch(table_.job); }
  Status CommitGathered(model::Epoch epoch) override { return lake_->Commit(table_.job, epoch); }
  Status ForgetGathered() override { return lake_->rows().Forget(); }
  Status Maintain() override { return lake_->Maintain().status(); }

 private:
  std::unique_ptr<LakeTable> lake_;
};

}  // namespace

ConnectorEntry DuckLakeConnector() {
  return {Spec(), nullptr, NewDuckLakeSink};
}

Result<std::unique_ptr<Sink>> NewDuckLakeSink(const TableContext& table) {
  MR_RETURN_IF_ERROR(CheckNames(table, table.partitioned_by, "PARTITIONED BY"));
  const std::string catalog = table.options.GetString("catalog");
  if (!catalog.starts_with("sqlite:") && !catalog.starts_with("postgres:")) {
    return Status(Code::kBadOption, "\"" + catalog + "\" is no catalog that a lake can have")
        .WithHint("'catalog' = 'sqlite:lake.sqlite' or 'postgres:dbname=lake host=db'");
  }
  return std::unique_ptr<Sink>(new DuckLakeSink(table));
}

}  // namespace millrace::connectors::ducklake
