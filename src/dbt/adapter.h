// Adapter: the database that a project's nodes are built in, and what its SQL does differently.
//
// Contract
//   threads     one at a time.
//   statements  are the project's own text; what the builder writes itself is SQL that every
//   adapter
//               understands, or comes from one of the methods below.
//   errors      carry the line within the statement where the database names one (span().file is
//   "").
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dbt/project.h"
#include "duck/warehouse.h"

namespace millrace::dbt {

struct Column {
  std::string name, type;
};

// A query's answer in values that templates know.
struct Rows {
  std::vector<std::string> columns;
  std::vector<Value> rows;  // each a list
};

// One connection; what it runs belongs to one transaction.
class Session {
 public:
  virtual ~Session() = default;
  virtual Status Run(const std::string& sql) = 0;
  // Runs a statement that writes and gives the rows it wrote.
  virtual Result<int64_t> Count(const std::string& sql) = 0;
  virtual Result<Rows> Query(const std::string& sql) = 0;
  // `table`: a name as SQL has it, also a temporary table's.
  virtual Result<std::vector<Column>> ColumnsOf(const std::string& table) = 0;
  // Of a query, which is not run. Its text starts on the second line, as in CREATE TABLE … AS.
  virtual Result<std::vector<Column>> ColumnsOfQuery(const std::string& sql) = 0;
  // Appends a CSV file with a header line to a table of as many columns; gives the rows.
  virtual Result<int64_t> LoadCsv(const std::string& table, const std::string& path,
                                  const std::string& delimiter) = 0;
};

class Adapter {
 public:
  virtual ~Adapter() = default;

  // "duckdb", "postgres": dbt's name, and the prefix by which macros are dispatched.
  virtual std::string type() const = 0;
  // On a connection of its own, outside of any transaction.
  virtual Result<Rows> Query(const std::string& sql) = 0;
  // As Session's, on a connection of its own.
  virtual Result<std::vector<Column>> ColumnsOf(const std::string& table) = 0;
  virtual Result<std::vector<Column>> ColumnsOfQuery(const std::string& sql) = 0;
  // All of `body` or nothing of it. `body` must not call InTransaction.
  virtual Status InTransaction(const std::function<Status(Session&)>& body) = 0;

  // From any thread: a statement that runs in a transaction now ends with an error, where it can.
  virtual void Interrupt() {}

  // "database"."schema" where a database can be named.
  virtual std::string SchemaName(const Node& node) const = 0;
  // How a temporary table made by CreateTemporary is named.
  virtual std::string Temporary(const std::string& name) const = 0;
  // A temporary table of `sql`'s rows, in place of one of that name; gives the rows. Errors count
  // lines from the first of `sql`.
  virtual Result<int64_t> CreateTemporary(Session& session, const std::string& name,
                                          const std::string& sql) = 0;
  // Puts the node's table or view (`kind`: "TABLE", "VIEW") in the place of what is there under its
  // name (`existing`: as Existing says); `definition` is what follows the name in CREATE, and may
  // read what is there. Gives the rows of a table made from a query.
  virtual Result<int64_t> Replace(Session& session, const Node& node, const std::string& kind,
                                  const std::string& existing, const std::string& definition) = 0;
  // A literal of a TIMESTAMP, microseconds since 1970 in UTC.
  virtual std::string TimestampLiteral(int64_t micros) const = 0;
  // Microseconds since 1970 of a date or timestamp, as a whole number.
  virtual std::string MicrosOf(const std::string& expression) const = 0;
  // The database's name of a seed's column type: INTEGER, BIGINT, DOUBLE, DATE, TIMESTAMP, BOOLEAN,
  // VARCHAR.
  virtual std::string SeedType(const std::string& type) const = 0;
  // A DuckDB that can read the seeds' files.
  virtual Result<duck::Warehouse*> FileReader() = 0;

  // "BASE TABLE", "VIEW" or "" for none.
  Result<std::string> Existing(Session& session, const Node& node);
};

// The one that the project's target asks for, connected.
Result<std::unique_ptr<Adapter>> OpenAdapter(const Project& project);

// "db"."schema"."name"
std::string QualifiedName(const Node& node);

}  // namespace millrace::dbt
