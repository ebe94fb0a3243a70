// Adapter: the database that a project's nodes are built in, and what its SQL does differently.
//
// Contract
//   threads     one at a time; Another() gives each further thread its own. Interrupt from any.
//   statements  are the project's own text; what the builder writes itself is SQL that every
//               adapter understands, or comes from one of the methods below.
//   errors      carry the line within the statement where the database names one, without a file.
#pragma once

#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "dbt/dialect.h"
#include "dbt/project.h"
#include "duck/warehouse.h"

namespace millrace::dbt {

struct Column {
  std::string name, type;
};

// What a table or view is made of: a query, or declared columns and rows that are put in after.
struct Definition {
  std::string kind = "TABLE";  // or "VIEW"
  std::string query = {};
  std::string columns = {};  // of a table without a query: "(day DATE, …)"
  // Puts rows into the table of that name, before anybody sees it; gives how many.
  std::function<Result<int64_t>(const std::string& name)> fill = {};

  // What follows the name in CREATE. A query starts on the second line.
  std::string Text() const { return query.empty() ? columns : "AS (\n" + query + "\n)"; }
};

// A query's answer in values that templates know.
struct Rows {
  std::vector<std::string> columns;
  std::vector<Value> rows;  // each a list
};

// Of what DESCRIBE answers: rows that begin with a name and a type.
std::vector<Column> DescribedColumns(const Rows& answer);

// One connection; what it runs belongs to one transaction, where the database has them.
class Session {
 public:
  virtual ~Session() = default;
  virtual Status Run(const std::string& sql) = 0;
  // Runs a statement that writes and gives the rows it wrote; -1 where the database does not say.
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

class Adapter : public Dialect {
 public:
  // "duckdb", "postgres", "clickhouse", "spark": dbt's name, and the prefix by which macros are
  // dispatched.
  virtual std::string type() const = 0;
  // One more of the same database, for another thread.
  Result<std::unique_ptr<Adapter>> Another() const;

  using Body = std::function<Status(Session&)>;
  // All of `body` or nothing of it. Where the database takes it back because of what another thread
  // did at the same time, `body` is called once more, while no other has a transaction. `body` must
  // not call InTransaction. Without transactions (ClickHouse, Spark) what `body` did stays,
  // so each relation is changed by one statement: see Replace and Publish.
  Status InTransaction(const Body& body);
  // For reading outside of any transaction, on a connection that is not the transactions'.
  virtual Result<std::unique_ptr<Session>> Reader() = 0;
  // As Session's, on that connection.
  Result<Rows> Query(const std::string& sql);
  Result<std::vector<Column>> ColumnsOf(const std::string& table);
  Result<std::vector<Column>> ColumnsOfQuery(const std::string& sql);

  // From any thread: the statement that runs now ends with an error, where the database can do that
  // (ClickHouse cannot). May come too late for it and hit the next one, or nothing.
  virtual void Interrupt() {}

  // How a temporary table made by CreateTemporary is named. Names that nodes give theirs come from
  // NameBeside, as they may share one place.
  virtual std::string Temporary(const std::string& name) const = 0;
  // A temporary table of `sql`'s rows, in place of one of that name; gives the rows. Errors count
  // lines from the first of `sql`.
  virtual Result<int64_t> CreateTemporary(Session& session, const std::string& name,
                                          const std::string& sql) = 0;
  // Puts the node's table or view in the place of what is there under its name (`existing`: as
  // Existing says), which the query may read. Gives the table's rows.
  virtual Result<int64_t> Replace(Session& session, const Node& node, const std::string& existing,
                                  const Definition& definition) = 0;
  // The table in which the rows of the node's are changed: itself where a transaction can be taken
  // back, or else a copy beside it, which is nothing until Publish puts it in its place.
  virtual Result<std::string> BeginChange(Session& session, const Node& node);
  virtual Status Publish(Session& session, const Node& node);
  // Takes the rows out of `table` whose keys are in `staged`.
  virtual Status DeleteMatching(Session& session, const std::string& table,
                                const std::string& staged, const std::vector<std::string>& keys);
  // How an incremental model changes its table: "append", "merge", …
  virtual std::string IncrementalStrategy(const Node& node) const;
  // insert_overwrite: `columns` of the rows of `staged` take the place of what `target` has.
  virtual Status Overwrite(Session& session, const Node& node, const std::string& target,
                           const std::string& columns, const std::string& staged);
  // Whether rows can be updated from another table.
  virtual bool CanUpdate() const { return true; }
  // Whether a snapshot's versions change by one MERGE, which is atomic where transactions are not.
  virtual bool MergesVersions() const { return false; }
  // An error if the project wants of the node what this database cannot do.
  virtual Status Check(const Node& node) const;
  // A DuckDB that can read the seeds' files.
  virtual Result<duck::Warehouse*> FileReader();

  // "BASE TABLE", "VIEW" or "" for none.
  virtual Result<std::string> Existing(Session& session, const Node& node);
  // database, schema, name and kind of the relations of that name, in letters of any size.
  virtual Result<Rows> Lookup(const std::string& schema, const std::string& name);
  virtual Result<bool> HasSchema(const std::string& name);
  Status CreateSchema(Session& session, const Node& node);

 protected:
  virtual Result<std::unique_ptr<Adapter>> Connected() const = 0;
  virtual Status Attempt(const Body& body) = 0;
  // Whether the error is that of a transaction which another one got in the way of.
  virtual bool IsConflict(const Status&) const { return false; }

 private:
  std::unique_ptr<duck::Warehouse> file_reader_;  // once asked for
  // Of all that come from one: shared by transactions, taken alone by those that are repeated.
  std::shared_ptr<std::shared_mutex> transactions_ = std::make_shared<std::shared_mutex>();
};

// A name for something that is made beside the node's relation: what and where it is, and
// `purpose`, in at most 63 bytes. No two nodes have the same.
std::string NameBeside(const Node& node, const std::string& purpose);

// The one that the project's target asks for, connected.
Result<std::unique_ptr<Adapter>> OpenAdapter(const Project& project);

}  // namespace millrace::dbt
