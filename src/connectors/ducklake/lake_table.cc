#include "connectors/ducklake/lake_table.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "connectors/s3/s3_options.h"
#include "duck/door.h"
#include "duck/extensions.h"
#include "env/files.h"

namespace millrace::connectors::ducklake {

namespace {

using duck::Warehouse;

constexpr int64_t kMemoryBytes = 512LL << 20;

// Whether another try may do: a catalog that is locked or away, a commit that another one overtook.
bool MayPass(Code code) {
  switch (code) {
    case Code::kSyntax:
    case Code::kUnsupported:
    case Code::kUnknownTable:
    case Code::kUnknownColumn:
    case Code::kUnknownFunction:
    case Code::kType:
    case Code::kBind:
      return false;
    default:
      return true;
  }
}

Status ForLake(Status status) {
  if (status.ok()) return status;
  const bool may_pass = MayPass(status.code());
  status = duck::ExplainMissingExtension(std::move(status));
  return may_pass && status.hint().empty() ? std::move(status).WithRetry(Retry::kBackoff) : status;
}

std::string Interval(int64_t micros) {
  return fmt::format("to_microseconds({})", micros);
}

// What the extra info of a snapshot says under `key`; NULL of snapshots that are not ours.
std::string Noted(const std::string& key) {
  return "CASE WHEN author = 'millrace' THEN commit_extra_info->>'$." + key + "' END";
}

}  // namespace

LakeTable::LakeTable(LakeSettings settings, model::Schema columns)
    : settings_(std::move(settings)),
      columns_(std::move(columns)),
      table_("lake." + QuoteIdentifier(settings_.schema) + "." + QuoteIdentifier(settings_.table)) {
}

Status LakeTable::Open() {
  MR_RETURN_IF_ERROR(Attach());
  MR_RETURN_IF_ERROR(
      Execute("CREATE SCHEMA IF NOT EXISTS lake." + QuoteIdentifier(settings_.schema)));
  MR_ASSIGN_OR_RETURN(
      auto found,
      Query("SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = " +
            QuoteLiteral(settings_.schema) + " AND table_name = " + QuoteLiteral(settings_.table)));
  MR_RETURN_IF_ERROR(found.row_count() == 0 ? CreateTable() : EvolveTable());
  const std::string of_table = ", schema => " + QuoteLiteral(settings_.schema) +
                               ", table_name => " + QuoteLiteral(settings_.table) + ")";
  MR_RETURN_IF_ERROR(Execute(fmt::format("CALL lake.set_option('target_file_size', '{}B'{}",
                                         settings_.file_bytes, of_table)));
  MR_RETURN_IF_ERROR(Execute("CALL lake.set_option('parquet_compression', 'zstd'" + of_table));
  rows_ = std::make_unique<GatheredRows>(*connection_, columns_);
  return rows_->Open();
}

Status LakeTable::Attach() {
  MR_ASSIGN_OR_RETURN(database_,
                      Warehouse::Open("", {.threads = 1, .memory_limit_bytes = kMemoryBytes}));
  connection_ = database_->Connect();
  MR_RETURN_IF_ERROR(duck::UseExtensions(*connection_));
  MR_RETURN_IF_ERROR(
      Execute("SET GLOBAL temp_directory = " + QuoteLiteral(settings_.spill_directory)));
  if (!settings_.store.empty()) {
    MR_RETURN_IF_ERROR(ForLake(s3::MakeSecret(*connection_, settings_.store)));
  }
  std::string options = "DATA_PATH " + QuoteLiteral(settings_.data_path);
  if (settings_.catalog.starts_with("sqlite:")) {
    const std::string file = settings_.catalog.substr(sizeof "sqlite:" - 1);
    MR_RETURN_IF_ERROR(env::FileSystem::Real()->CreateDirectories(env::ParentDirectory(file)));
    // Readers and the writer do not lock each other out.
    options += ", META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT 10000";
  }
  return Execute("ATTACH " + QuoteLiteral("ducklake:" + settings_.catalog) + " AS lake (" +
                 options + ")");
}

Status LakeTable::CreateTable() {
  std::vector<std::string> columns;
  for (const model::Column& column : columns_.columns) {
    columns.push_back(QuoteIdentifier(column.name) + " " + column.type.ToString() +
                      (column.nullable ? "" : " NOT NULL"));
  }
  MR_RETURN_IF_ERROR(
      Execute("CREATE TABLE IF NOT EXISTS " + table_ + " (" + Join(columns, ", ") + ")"));
  if (settings_.partitioned_by.empty()) return Status::Ok();
  std::vector<std::string> keys;
  for (const std::string& name : settings_.partitioned_by) keys.push_back(QuoteIdentifier(name));
  return Execute("ALTER TABLE " + table_ + " SET PARTITIONED BY (" + Join(keys, ", ") + ")");
}

Status LakeTable::EvolveTable() {
  MR_ASSIGN_OR_RETURN(auto there, Query("SELECT * FROM " + table_ + " LIMIT 0"));
  for (const model::Column& column : columns_.columns) {
    const duck::ResultColumn* stored = nullptr;
    for (const duck::ResultColumn& candidate : there.columns) {
      if (EqualsIgnoreCase(candidate.name, column.name)) stored = &candidate;
    }
    const std::string name = QuoteIdentifier(column.name);
    if (!stored) {
      MR_RETURN_IF_ERROR(
          Execute("ALTER TABLE " + table_ + " ADD COLUMN " + name + " " + column.type.ToString()));
    } else if (stored->type != column.type) {
      Status changed = Execute("ALTER TABLE " + table_ + " ALTER COLUMN " + name +
                               " SET DATA TYPE " + column.type.ToString());
      if (changed.ok()) continue;
      return Status(Code::kFailedPrecondition,
                    "column \"" + column.name + "\" of lake table \"" + settings_.table + "\" is " +
                        stored->type.ToString() + ", and cannot become " + column.type.ToString())
          .WithDetail(changed.message())
          .WithHint("a lake's types only become wider; else write to another 'table-name'");
    }
  }
  return Status::Ok();
}

Result<model::Epoch> LakeTable::LastEpoch(const std::string& job) {
  MR_ASSIGN_OR_RETURN(auto found, Query("SELECT max((" + Noted("epoch") +
                                        ")::BIGINT) FROM lake.snapshots() WHERE " + Noted("job") +
                                        " = " + QuoteLiteral(job) + " AND " + Noted("table") +
                                        " = " + QuoteLiteral(table_)));
  const duckdb::Value epoch = found.Get(0, 0);
  return epoch.IsNull() ? 0 : epoch.GetValue<int64_t>();
}

Status LakeTable::Commit(const std::string& job, model::Epoch epoch) {
  MR_RETURN_IF_ERROR(rows_->Flush());
  std::vector<std::string> names;
  for (const std::string& name : columns_.Names()) names.push_back(QuoteIdentifier(name));
  const std::string list = Join(names, ", ");
  const std::string info = fmt::format("{{\"job\": {}, \"table\": {}, \"epoch\": {}}}",
                                       JsonQuote(job), JsonQuote(table_), epoch);
  Status done = duck::AtTheDoor([&]() -> Status {
    connection_->BeginTransaction();
    MR_RETURN_IF_ERROR(
        Execute("INSERT INTO " + table_ + " (" + list + ") SELECT " + list + " FROM gathered"));
    MR_RETURN_IF_ERROR(Execute("CALL lake.set_commit_message('millrace', " +
                               QuoteLiteral(fmt::format("{}, epoch {}", job, epoch)) +
                               ", extra_info => " + QuoteLiteral(info) + ")"));
    connection_->Commit();
    return Status::Ok();
  });
  if (!done.ok()) {
    if (connection_->HasActiveTransaction()) connection_->Rollback();
    return ForLake(std::move(done));
  }
  return rows_->Forget();
}

Result<Maintenance> LakeTable::Maintain() {
  Maintenance done;
  MR_ASSIGN_OR_RETURN(auto merged, Query("SELECT coalesce(sum(files_processed), 0)::BIGINT FROM "
                                         "ducklake_merge_adjacent_files('lake', " +
                                         QuoteLiteral(settings_.table) + ", schema => " +
                                         QuoteLiteral(settings_.schema) + ")"));
  done.files_merged = merged.Get(0, 0).GetValue<int64_t>();
  // The newest of all is the lake as it is.
  MR_ASSIGN_OR_RETURN(
      auto old,
      Query(fmt::format("SELECT snapshot_id FROM lake.snapshots() WHERE snapshot_time < now() - {} "
                        "AND snapshot_id NOT IN (SELECT max(snapshot_id) FROM lake.snapshots() "
                        "GROUP BY {}, {}) ORDER BY 1",
                        Interval(settings_.snapshots_kept_us), Noted("job"), Noted("table"))));
  std::vector<std::string> expired;
  for (size_t i = 0; i < old.row_count(); i++) expired.push_back(old.Get(i, 0).ToString());
  done.snapshots_expired = static_cast<int64_t>(expired.size());
  if (!expired.empty()) {
    MR_RETURN_IF_ERROR(Execute("CALL ducklake_expire_snapshots('lake', versions => [" +
                               Join(expired, ", ") + "])"));
  }
  for (const std::string& call : {"ducklake_cleanup_old_files('lake', " + UnusedFor() + ")",
                                  "ducklake_delete_orphaned_files('lake', older_than => now() - " +
                                      Interval(settings_.orphans_after_us) + ")"}) {
    MR_ASSIGN_OR_RETURN(auto deleted, Query("SELECT count(*) FROM " + call));
    done.files_deleted += deleted.Get(0, 0).GetValue<int64_t>();
  }
  return done;
}

// Which files go that no snapshot has. In a SQLite catalog the extension compares times as texts,
// and those of one day as if they were all earlier; so a day more keeps it from deleting too soon.
std::string LakeTable::UnusedFor() const {
  if (settings_.cleanup_delay_us == 0) return "cleanup_all => true";
  const bool by_day = settings_.catalog.starts_with("sqlite:");
  return "older_than => now() - " +
         Interval(settings_.cleanup_delay_us + (by_day ? 86'400'000'000 : 0));
}

Status LakeTable::Execute(const std::string& sql) {
  return ForLake(Warehouse::Execute(*connection_, sql));
}

Result<duck::QueryResult> LakeTable::Query(const std::string& sql) {
  auto answer = Warehouse::QueryOn(*connection_, sql);
  if (!answer.ok()) return ForLake(std::move(answer).status());
  return answer;
}

}  // namespace millrace::connectors::ducklake
