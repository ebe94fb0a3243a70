#include <filesystem>

#include "base/strings.h"
#include "connectors/iceberg/iceberg.h"
#include "connectors/iceberg/iceberg_table.h"
#include "connectors/sink_checks.h"
#include "env/clock.h"

namespace millrace::connectors::iceberg {

namespace {

constexpr int64_t kRowsMax = 4'000'000;  // gathered ones; then a commit comes early

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
  settings.job = table.job;
  settings.partitioned_by = table.partitioned_by;
  settings.spill_directory =
      std::filesystem::absolute(std::filesystem::path(table.services.base_dir) /
                                (".millrace/spill/" + table.job))
          .string();
  return settings;
}

class IcebergSink : public Sink {
 public:
  explicit IcebergSink(const TableContext& table)
      : table_(table),
        clock_(table.services.clock ? *table.services.clock : *env::Clock::System()) {}

  Status Open() override {
    lake_ = std::make_unique<IcebergTable>(SettingsOf(table_), table_.schema, clock_);
    MR_RETURN_IF_ERROR(lake_->Open());
    MR_ASSIGN_OR_RETURN(committed_, lake_->LastEpoch());
    maintained_us_ = clock_.MonotonicMicros();
    return Status::Ok();
  }

  Result<model::Epoch> LastCommitted() override { return committed_; }

  Status Write(const SinkBatch& batch) override {
    if (batch.rows->size() == 0) return Status::Ok();
    for (duckdb::idx_t r = 0; batch.weights && r < batch.rows->size(); r++) {
      if ((*batch.weights)[r] >= 0) continue;
      return TakesNewRowsOnly(table_).WithHint(
          "write updating results into a table with a PRIMARY KEY ('connector' = "
          "'jdbc'), or the final rows of windows here");
    }
    MR_RETURN_IF_ERROR(lake_->Gather(batch));
    if (first_row_us_ < 0) first_row_us_ = clock_.MonotonicMicros();
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    MR_RETURN_IF_ERROR(lake_->Commit(epoch));
    committed_ = std::max(committed_, epoch);
    first_row_us_ = -1;
    const Options& options = table_.options;
    const int64_t interval_us = options.GetMicros("maintenance.interval");
    if (clock_.MonotonicMicros() - maintained_us_ < interval_us) return Status::Ok();
    MR_RETURN_IF_ERROR(lake_->Maintain({options.GetBytes("target-file-size"),
                                        options.GetMicros("snapshot.retention"),
                                        options.GetMicros("orphan.delay")}));
    maintained_us_ = clock_.MonotonicMicros();
    return Status::Ok();
  }

  bool GathersEpochs() const override { return true; }

  bool WantsCommit() override {
    if (first_row_us_ < 0) return false;
    const Options& options = table_.options;
    return clock_.MonotonicMicros() - first_row_us_ >= options.GetMicros("commit.interval") ||
           lake_->gathered_bytes() >= options.GetBytes("target-file-size") ||
           lake_->gathered_rows() >= kRowsMax;
  }

 private:
  const TableContext table_;
  env::Clock& clock_;
  std::unique_ptr<IcebergTable> lake_;
  model::Epoch committed_ = 0;
  int64_t first_row_us_ = -1;  // monotonic; -1: nothing gathered
  int64_t maintained_us_ = 0;  // monotonic
};

}  // namespace

Result<std::unique_ptr<Sink>> NewIcebergSink(const TableContext& table) {
  MR_RETURN_IF_ERROR(CheckNames(table, table.partitioned_by, "PARTITIONED BY"));
  const CatalogSettings catalog = SettingsOf(table).catalog;
  http::HttpSettings http{.url = catalog.uri, .headers = {}, .timeout_ms = catalog.timeout_ms};
  MR_RETURN_IF_ERROR(http::CheckSettings(http).Annotate("option \"uri\""));
  return std::unique_ptr<Sink>(new IcebergSink(table));
}

}  // namespace millrace::connectors::iceberg
