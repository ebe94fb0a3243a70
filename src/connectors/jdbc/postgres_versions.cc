#include "connectors/jdbc/postgres_versions.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "connectors/jdbc/postgres_client.h"
#include "connectors/jdbc/postgres_table.h"

namespace millrace::connectors::jdbc {

namespace {

constexpr size_t kNameBytesMax = 63;  // NAMEDATALEN - 1; PostgreSQL cuts longer names

std::string WithoutSchema(const std::string& name) {
  const size_t dot = name.find('.');
  return dot == std::string::npos ? name : name.substr(dot + 1);
}

class PostgresVersions : public TableVersions {
 public:
  PostgresVersions(const TableContext& table, ConnectionSettings settings)
      : client_(std::move(settings)),
        name_(table.options.GetString("table-name")),
        job_(table.job),
        sink_(table.name) {}

  Status Open() { return client_.Connect(); }

  Result<int> Serving() override {
    MR_ASSIGN_OR_RETURN(const bool recorded, HasTable("millrace_versions"));
    if (!recorded) return 1;
    MR_ASSIGN_OR_RETURN(
        PgResult rows,
        client_.Execute("SELECT version FROM millrace_versions WHERE job = $1 AND sink = $2",
                        {job_, sink_}));
    return PQntuples(rows.get()) ? std::atoi(PQgetvalue(rows.get(), 0, 0)) : 1;
  }

  Status Swap(int from, int to) override {
    MR_ASSIGN_OR_RETURN(const int serving, Serving());
    if (serving == to) return Status::Ok();
    if (serving != from) {
      return Status(Code::kFailedPrecondition,
                    fmt::format("table \"{}\" is served by version {} of job \"{}\", not by {}",
                                name_, serving, job_, from));
    }
    const std::string next = VersionedName(name_, to);
    MR_ASSIGN_OR_RETURN(const bool has_old, HasTable(QuotedTarget(name_)));
    MR_ASSIGN_OR_RETURN(const bool has_new, HasTable(QuotedTarget(next)));
    if (!has_new) {
      return Status(Code::kNotFound, fmt::format("there is no PostgreSQL table \"{}\"", next));
    }
    MR_RETURN_IF_ERROR(CreateIfMissing(
        client_,
        "CREATE TABLE IF NOT EXISTS millrace_versions (job text NOT NULL, sink text NOT NULL, "
        "version integer NOT NULL, PRIMARY KEY (job, sink))"));
    Status swapped = Transact(from, to, has_old);
    if (!swapped.ok() && client_.connected()) client_.Execute("ROLLBACK").status().ok();
    return swapped;
  }

  Status Drop(int version, const std::string& commit_name) override {
    MR_RETURN_IF_ERROR(
        client_.Execute("DROP TABLE IF EXISTS " + QuotedTarget(VersionedName(name_, version)))
            .status());
    MR_ASSIGN_OR_RETURN(const bool has_commits, HasTable("millrace_commits"));
    if (!has_commits) return Status::Ok();
    return client_
        .Execute("DELETE FROM millrace_commits WHERE job = $1 AND sink = $2", {commit_name, sink_})
        .status();
  }

 private:
  Status Transact(int from, int to, bool has_old) {
    const std::string target = QuotedTarget(name_);
    const std::string next = QuotedTarget(VersionedName(name_, to));
    MR_RETURN_IF_ERROR(client_.Execute("BEGIN").status());
    if (has_old) {
      MR_RETURN_IF_ERROR(
          client_.Execute("LOCK TABLE " + target + " IN ACCESS EXCLUSIVE MODE").status());
      MR_RETURN_IF_ERROR(NothingHoldsOn(target));
      MR_RETURN_IF_ERROR(CopyGrants(target, next));
      MR_RETURN_IF_ERROR(Rename(target, VersionedName(name_, from)));
    }
    MR_RETURN_IF_ERROR(Rename(next, name_));
    MR_RETURN_IF_ERROR(
        client_
            .Execute("INSERT INTO millrace_versions (job, sink, version) VALUES ($1, $2, $3::int) "
                     "ON CONFLICT (job, sink) DO UPDATE SET version = excluded.version",
                     {job_, sink_, std::to_string(to)})
            .status());
    return client_.Execute("COMMIT").status();
  }

  Status Rename(const std::string& quoted, const std::string& to) {
    return client_
        .Execute("ALTER TABLE " + quoted + " RENAME TO " + QuoteIdentifier(WithoutSchema(to)))
        .status();
  }

  // Views and foreign keys know a table by its number: they would stay with the old version.
  Status NothingHoldsOn(const std::string& target) {
    MR_ASSIGN_OR_RETURN(
        PgResult rows,
        client_.Execute(
            "SELECT DISTINCT 'view ' || r.ev_class::regclass::text FROM pg_depend d JOIN "
            "pg_rewrite r ON r.oid = d.objid WHERE d.classid = 'pg_rewrite'::regclass AND "
            "d.refobjid = $1::regclass AND r.ev_class <> d.refobjid UNION ALL "
            "SELECT 'foreign key ' || conname || ' of ' || conrelid::regclass::text FROM "
            "pg_constraint WHERE confrelid = $1::regclass AND contype = 'f'",
            {target}));
    if (PQntuples(rows.get()) == 0) return Status::Ok();
    std::vector<std::string> holders;
    for (int r = 0; r < PQntuples(rows.get()); r++) holders.push_back(PQgetvalue(rows.get(), r, 0));
    return Status(
               Code::kFailedPrecondition,
               fmt::format("PostgreSQL table \"{}\" cannot be exchanged: {} would go on with the "
                           "old version",
                           name_, Join(holders, ", ")))
        .WithHint("drop them, run the command again, and create them anew");
  }

  Status CopyGrants(const std::string& from, const std::string& to) {
    MR_ASSIGN_OR_RETURN(
        PgResult rows,
        client_.Execute("SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE "
                        "a.grantee::regrole::text END, a.privilege_type, a.is_grantable FROM "
                        "pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1::regclass AND "
                        "a.grantee <> c.relowner",
                        {from}));
    for (int r = 0; r < PQntuples(rows.get()); r++) {
      const bool grantable = PQgetvalue(rows.get(), r, 2)[0] == 't';
      MR_RETURN_IF_ERROR(
          client_
              .Execute(fmt::format("GRANT {} ON {} TO {}{}", PQgetvalue(rows.get(), r, 1), to,
                                   PQgetvalue(rows.get(), r, 0),
                                   grantable ? " WITH GRANT OPTION" : ""))
              .status());
    }
    return Status::Ok();
  }

  Result<bool> HasTable(const std::string& quoted) {
    MR_ASSIGN_OR_RETURN(PgResult rows,
                        client_.Execute("SELECT to_regclass($1) IS NOT NULL", {quoted}));
    return PQgetvalue(rows.get(), 0, 0)[0] == 't';
  }

  PostgresClient client_;
  const std::string name_;
  const std::string job_;
  const std::string sink_;
};

}  // namespace

Result<std::unique_ptr<TableVersions>> OpenPostgresVersions(const TableContext& table) {
  const Options& options = table.options;
  const std::string name = WithoutSchema(options.GetString("table-name"));
  if (VersionedName(name, 9999).size() > kNameBytesMax) {
    return Status(Code::kInvalidArgument,
                  fmt::format("the table name \"{}\" is too long to carry a version", name))
        .WithHint(fmt::format("PostgreSQL knows {} bytes of a name, and \"__v9999\" comes behind "
                              "it",
                              kNameBytesMax));
  }
  auto settings = ParseJdbcUrl(options.GetString("url"), options.GetString("username"),
                               options.GetString("password"),
                               options.GetMicros("connection.max-retry-timeout"));
  if (!settings.ok()) return std::move(settings).status().Annotate("table \"" + table.name + "\"");
  auto versions = std::make_unique<PostgresVersions>(table, std::move(*settings));
  MR_RETURN_IF_ERROR(versions->Open());
  return std::unique_ptr<TableVersions>(std::move(versions));
}

}  // namespace millrace::connectors::jdbc
