#include "connectors/jdbc/postgres_scan.h"

#include "base/strings.h"
#include "connectors/jdbc/postgres_client.h"
#include "connectors/jdbc/postgres_table.h"

namespace millrace::connectors::jdbc {

namespace {

constexpr const char* kFetch = "FETCH 2048 FROM millrace_scan";
static_assert(STANDARD_VECTOR_SIZE == 2048);

duckdb::Value ValueOf(const char* text, const duckdb::Vector& column) {
  if (column.GetType().id() != duckdb::LogicalTypeId::BLOB) {
    return duckdb::Value(text).DefaultCastAs(column.GetType());
  }
  size_t size = 0;
  unsigned char* bytes = PQunescapeBytea(reinterpret_cast<const unsigned char*>(text), &size);
  duckdb::Value value = duckdb::Value::BLOB(bytes, size);
  PQfreemem(bytes);
  return value;
}

class PostgresScan : public duck::TableScan {
 public:
  explicit PostgresScan(ConnectionSettings settings) : client_(std::move(settings)) {}

  Status Begin(const std::string& select) {
    MR_RETURN_IF_ERROR(client_.Connect());
    return client_.Execute("BEGIN READ ONLY; DECLARE millrace_scan NO SCROLL CURSOR FOR " + select)
        .status();
  }

  Status Next(duckdb::DataChunk& out) override {
    MR_ASSIGN_OR_RETURN(PgResult rows, client_.Execute(kFetch));
    const int count = PQntuples(rows.get());
    for (duckdb::idx_t c = 0; c < out.ColumnCount(); c++) {
      for (int r = 0; r < count; r++) {
        const auto row = static_cast<duckdb::idx_t>(r);
        const int column = static_cast<int>(c);
        if (PQgetisnull(rows.get(), r, column)) {
          duckdb::FlatVector::SetNull(out.data[c], row, true);
          continue;
        }
        out.data[c].SetValue(row, ValueOf(PQgetvalue(rows.get(), r, column), out.data[c]));
      }
    }
    out.SetCardinality(static_cast<duckdb::idx_t>(count));
    return Status::Ok();
  }

 private:
  PostgresClient client_;
};

}  // namespace

Result<duck::VirtualTable> PostgresVirtualTable(const TableContext& table) {
  const Options& options = table.options;
  MR_ASSIGN_OR_RETURN(ConnectionSettings settings,
                      ParseJdbcUrl(options.GetString("url"), options.GetString("username"),
                                   options.GetString("password"),
                                   options.GetMicros("connection.max-retry-timeout")));
  duck::VirtualTable made;
  made.schema = "main";
  made.name = table.name;
  made.columns = table.schema;
  made.scan = [settings, schema = table.schema,
               target = QuotedTarget(options.GetString("table-name"))](
                  const std::vector<size_t>& wanted) -> Result<std::unique_ptr<duck::TableScan>> {
    std::vector<std::string> columns;
    for (size_t c : wanted) columns.push_back(QuoteIdentifier(schema.columns[c].name));
    if (columns.empty()) columns.push_back("1");  // count(*)
    auto scan = std::make_unique<PostgresScan>(settings);
    MR_RETURN_IF_ERROR(scan->Begin("SELECT " + Join(columns, ", ") + " FROM " + target));
    return std::unique_ptr<duck::TableScan>(std::move(scan));
  };
  return made;
}

}  // namespace millrace::connectors::jdbc
