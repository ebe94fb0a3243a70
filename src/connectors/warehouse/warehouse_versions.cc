#include "connectors/warehouse/warehouse_versions.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "duck/warehouse.h"

namespace millrace::connectors::warehouse {

namespace {

class WarehouseVersions : public TableVersions {
 public:
  explicit WarehouseVersions(const TableContext& table)
      : warehouse_(*table.services.warehouse),
        name_(table.options.Has("table-name") ? table.options.GetString("table-name") : table.name),
        job_(table.job),
        sink_(table.name) {
    if (size_t dot = name_.rfind('.'); dot != std::string::npos) name_ = name_.substr(dot + 1);
  }

  Result<int> Serving() override {
    MR_ASSIGN_OR_RETURN(const bool recorded, HasTable("millrace_versions"));
    if (!recorded) return 1;
    MR_ASSIGN_OR_RETURN(
        auto rows,
        warehouse_.Query("SELECT max(version) FROM main.millrace_versions WHERE " + Mine(job_)));
    const duckdb::Value version = rows.Get(0, 0);
    return version.IsNull() ? 1 : version.GetValue<int32_t>();
  }

  Status Swap(int from, int to) override {
    MR_ASSIGN_OR_RETURN(const int serving, Serving());
    if (serving == to) return Status::Ok();
    if (serving != from) {
      return Status(Code::kFailedPrecondition,
                    fmt::format("table \"{}\" is served by version {} of job \"{}\", not by {}",
                                name_, serving, job_, from));
    }
    MR_ASSIGN_OR_RETURN(const bool has_old, HasTable(name_));
    MR_ASSIGN_OR_RETURN(const bool has_new, HasTable(VersionedName(name_, to)));
    if (!has_new) {
      return Status(Code::kNotFound, fmt::format("there is no table \"{}\" in the warehouse",
                                                 VersionedName(name_, to)));
    }
    return warehouse_.InTransaction([&](duckdb::Connection& connection) -> Status {
      auto run = [&](const std::string& sql) { return duck::Warehouse::Execute(connection, sql); };
      if (has_old) MR_RETURN_IF_ERROR(run(Rename(name_, VersionedName(name_, from))));
      MR_RETURN_IF_ERROR(run(Rename(VersionedName(name_, to), name_)));
      MR_RETURN_IF_ERROR(
          run("CREATE TABLE IF NOT EXISTS main.millrace_versions (job VARCHAR NOT NULL, sink "
              "VARCHAR NOT NULL, version INTEGER NOT NULL)"));
      MR_RETURN_IF_ERROR(run("DELETE FROM main.millrace_versions WHERE " + Mine(job_)));
      return run(fmt::format("INSERT INTO main.millrace_versions VALUES ({}, {}, {})",
                             QuoteLiteral(job_), QuoteLiteral(sink_), to));
    });
  }

  Status Drop(int version, const std::string& commit_name) override {
    MR_ASSIGN_OR_RETURN(const bool has_commits, HasTable("millrace_commits"));
    return warehouse_.InTransaction([&](duckdb::Connection& connection) -> Status {
      MR_RETURN_IF_ERROR(duck::Warehouse::Execute(
          connection,
          "DROP TABLE IF EXISTS main." + QuoteIdentifier(VersionedName(name_, version))));
      if (!has_commits) return Status::Ok();
      return duck::Warehouse::Execute(
          connection, "DELETE FROM main.millrace_commits WHERE " + Mine(commit_name));
    });
  }

 private:
  static std::string Rename(const std::string& from, const std::string& to) {
    return "ALTER TABLE main." + QuoteIdentifier(from) + " RENAME TO " + QuoteIdentifier(to);
  }
  std::string Mine(const std::string& job) const {
    return "job = " + QuoteLiteral(job) + " AND sink = " + QuoteLiteral(sink_);
  }
  Result<bool> HasTable(const std::string& table) {
    MR_ASSIGN_OR_RETURN(auto rows,
                        warehouse_.Query("SELECT count(*) FROM duckdb_tables() WHERE schema_name = "
                                         "'main' AND NOT internal AND lower(table_name) = " +
                                         QuoteLiteral(ToLower(table))));
    return rows.Get(0, 0).GetValue<int64_t>() > 0;
  }

  duck::Warehouse& warehouse_;
  std::string name_;
  const std::string job_;
  const std::string sink_;
};

}  // namespace

Result<std::unique_ptr<TableVersions>> OpenWarehouseVersions(const TableContext& table) {
  if (!table.services.warehouse) {
    return Status(Code::kUnsupported, "the embedded warehouse is not open here");
  }
  return std::unique_ptr<TableVersions>(new WarehouseVersions(table));
}

}  // namespace millrace::connectors::warehouse
