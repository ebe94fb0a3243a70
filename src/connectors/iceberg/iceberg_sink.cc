#include <filesystem>

#include "base/strings.h"
#include "connectors/commit_pace.h"
#include "connectors/iceberg/iceberg.h"
#include "connectors/iceberg/iceberg_table.h"
#include "connectors/sink_checks.h"

namespace millrace::connectors::iceberg {

namespace {

TableSettings SettingsOf(const TableContext& table) {
  const Options& options = table.options;
  TableSettings settings;
  settings.catalog.uri = options.GetString("uri");
  while (settings.catalog.uri.ends_with('/')) settings.catalog.uri.pop_back();
  if (options.Has("warehouse")) settings.catalog.warehouse = options.GetString("warehouse");
  if (options.Has("token")) settings.catalog.token = options.GetString("token");
  settings.catalog.timeout_ms = options.GetMicros("request.timeout") / 1000;
  std::string name = options.Has("catalog-table") ? options.GetString("catalog-table") : table.name;
  std::string name_space = options.GetString("catalog-database");
  if (const size_t dot = name.rfind('.'); dot != std::string::npos) {
    name_space = name.substr(0, dot);
    name = name.substr(dot + 1);
  }
  settings.catalog.name_space = millrace::Split(name_space, '.');
  settings.catalog.table = name;
  settings.store = s3::AccessOf(options);
  settings.catalog.wants_credentials = !settings.store.contains("key_id");
  settings.job = table.job;
  settings.partitioned_by = table.partitioned_by;
  settings.key = table.primary_key;
  settings.file_bytes = options.GetBytes("target-file-size");
  settings.spill_directory =
      std::filesystem::absolute(std::filesystem::path(table.services.base_dir) /
                                (".millrace/spill/" + table.job))
          .string();
  return settings;
}

class IcebergSink : public Sink {
 public:
  explicit IcebergSink(const TableContext& table)
      : table_(table), clock_(ClockOf(table)), pace_(table.options, clock_) {}

  Status Open() override {
    lake_ = std::make_unique<IcebergTable>(SettingsOf(table_), table_.schema, clock_);
    MR_RETURN_IF_ERROR(lake_->Open());
    MR_ASSIGN_OR_RETURN(committed_, lake_->LastEpoch());
    pace_.Opened();
    return Status::Ok();
  }

  Result<model::Epoch> LastCommitted() override { return committed_; }

  Status Write(const SinkBatch& batch) override {
    if (batch.rows->size() == 0) return Status::Ok();
    if (table_.primary_key.empty() && TakesRowsBack(batch)) {
      return TakesNewRowsOnly(table_)
          .WithDetail("without a key there is no telling which stored row is meant")
          .WithHint("declare PRIMARY KEY (…) NOT ENFORCED on the table");
    }
    MR_RETURN_IF_ERROR(lake_->Gather(batch));
    pace_.RowsCame();
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    MR_RETURN_IF_ERROR(lake_->Commit(epoch));
    committed_ = std::max(committed_, epoch);
    pace_.Committed();
    if (!pace_.WantsMaintenance()) return Status::Ok();
    const Options& options = table_.options;
    MR_RETURN_IF_ERROR(lake_->Maintain(
        {options.GetMicros("snapshot.retention"), options.GetMicros("orphan.delay")}));
    pace_.Maintained();
    return Status::Ok();
  }

  bool GathersEpochs() const override { return true; }

  bool WantsCommit() override {
    return pace_.WantsCommit(lake_->gathered_rows()) ||
           lake_->gathered_bytes() >= table_.options.GetBytes("target-file-size");
  }

 private:
  const TableContext table_;
  env::Clock& clock_;
  CommitPace pace_;
  std::unique_ptr<IcebergTable> lake_;
  model::Epoch committed_ = 0;
};

}  // namespace

Result<std::unique_ptr<Sink>> NewIcebergSink(const TableContext& table) {
  MR_RETURN_IF_ERROR(CheckNames(table, table.partitioned_by, "PARTITIONED BY"));
  MR_RETURN_IF_ERROR(CheckNames(table, table.primary_key, "PRIMARY KEY"));
  const CatalogSettings catalog = SettingsOf(table).catalog;
  http::HttpSettings http{.url = catalog.uri, .headers = {}, .timeout_ms = catalog.timeout_ms};
  MR_RETURN_IF_ERROR(http::CheckSettings(http).Annotate("option \"uri\""));
  return std::unique_ptr<Sink>(new IcebergSink(table));
}

}  // namespace millrace::connectors::iceberg
