// Catalog: the tables and views that a project's scripts define, checked and resolved as far as
// that is possible without knowing the connectors and without binding expressions.
//
// Contract: a plain container, used by one thread at a time. Names are matched exactly first, then
// ignoring case. Qualified names are accepted; their last part is what counts. Pointers returned
// stay valid until the entry is dropped or replaced.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "duck/planner.h"
#include "model/schema.h"
#include "sql/rewriter.h"
#include "sql/statement.h"

namespace millrace::sql {

struct ComputedColumn {
  std::string name;
  size_t position = 0;   // index among Table::column_names
  Fragment flink;        // the user's text
  Rewritten expression;  // the same for DuckDB; binds against the physical and metadata columns
};

struct MetadataColumn {
  std::string name;
  size_t position = 0;  // index among Table::column_names
  std::string key;      // of the connector: "timestamp", "partition", "offset" …
  duckdb::LogicalType type;
  bool is_virtual = false;
  SourceSpan span;
};

struct Watermark {
  std::vector<std::string> column;  // may be a computed or metadata column; parts of a nested one
  // How far the watermark stays behind the highest event time, in microseconds; set when the
  // expression is `column` or `column - INTERVAL …`. Empty: evaluate `expression` per row and take
  // its maximum.
  std::optional<int64_t> delay_us;
  Fragment flink;
  Rewritten expression;
  SourceSpan span;
};

struct Check {
  std::string name;
  Fragment flink;
  Rewritten expression;
  ViolationAction action = ViolationAction::kDeadLetter;
  bool enforced = true;
  SourceSpan span;
};

struct Table {
  std::string name;
  bool temporary = false;
  model::Schema schema;  // physical columns, as the connector reads and writes them
  std::vector<ComputedColumn> computed;
  std::vector<MetadataColumn> metadata;
  std::vector<std::string> column_names;  // all columns, in the order a SELECT * shows them
  std::optional<Watermark> watermark;
  std::vector<std::string> primary_key;
  std::vector<Check> checks;
  std::vector<std::string> partitioned_by;
  OptionMap options;
  std::string comment;
  SourceSpan span;  // of the name in CREATE TABLE

  // Value of an option, or "".
  std::string Option(const std::string& key) const;
  // The WITH clause as connectors take it.
  std::map<std::string, std::string> OptionValues() const;
  // SELECT list, in DuckDB's dialect, that makes all columns of `column_names` from the physical
  // and metadata columns, e.g. `"a", "b", (a + 1) AS "c"`.
  std::string SelectList() const;
};

struct View {
  std::string name;
  bool temporary = false;
  std::vector<std::string> columns;  // empty: the query's own
  Fragment flink;
  Rewritten query;
  SourceSpan span;
};

// A function that a script defines: a macro of DuckDB's. In LANGUAGE HTTP its body is a call of
// duck::kServedFunction, which says who is to be asked.
struct Function {
  std::string name;
  std::vector<FunctionParameter> parameters;
  Fragment flink;   // the body, as written
  Rewritten body;   // each parameter cast to its type
  Fragment returns; // the type, or empty
  std::vector<std::string> calls;  // what the body calls, in lower case
  SourceSpan span;
  // Who answers, of LANGUAGE HTTP: a table by the name ServiceTable(name), asked by the columns of
  // the parameters for one named "result", the last.
  std::optional<Table> service = {};

  // `f(a INT) RETURNS INT`.
  std::string Signature() const;
  // DuckDB's statement, e.g. CREATE OR REPLACE TEMP MACRO "f"("a") AS (…).
  std::string Statement() const;
};

// No name of a table that a script defines.
inline std::string ServiceTable(const std::string& function) {
  return function + "()";
}

class Catalog {
 public:
  // Applies CREATE TABLE, VIEW and FUNCTION and DROP TABLE/VIEW/FUNCTION; every other statement is
  // ignored.
  Status Apply(const Statement& statement);

  // Checks a definition and adds it. kAlreadyExists for a name in use, unless IF NOT EXISTS (then
  // nothing changes). LIKE is resolved against the tables already here. Refuses AS SELECT: what its
  // columns are needs a planner (project/create_table_as.h).
  Status AddTable(const CreateTable& definition);
  Status AddView(const CreateView& definition);
  // Also refuses names of built-in functions, and recursion.
  Status AddFunction(const CreateFunction& definition);
  Status Remove(const Drop& drop);

  // Null when there is none. `name` may be qualified ("db.t"): the part after the last dot counts.
  const Table* FindTable(std::string_view name) const;
  const View* FindView(std::string_view name) const;
  const Function* FindFunction(std::string_view name) const;
  // In order of definition, so that a function comes after those that it calls.
  std::vector<const Function*> Functions() const;
  // Those among them that these words (names in a query, lower case) and their bodies call.
  std::vector<const Function*> FunctionsIn(const std::set<std::string>& words) const;
  // As FindTable, but with kUnknownTable and did-you-mean at `name.span`.
  Result<const Table*> GetTable(const Name& name) const;

  // In order of definition.
  std::vector<const Table*> Tables() const;
  std::vector<const View*> Views() const;
  // Tables and views together, in order of definition.
  std::vector<std::string> Names() const;

 private:
  struct Entry {
    std::unique_ptr<Table> table;  // exactly one of the two is set
    std::unique_ptr<View> view;
    CreateTable definition;  // of the table, LIKE resolved: what another LIKE copies
    const std::string& name() const { return table ? table->name : view->name; }
    const SourceSpan& span() const { return table ? table->span : view->span; }
  };
  const Entry* Find(std::string_view name) const;
  Status CheckFree(const Name& name) const;

  Status RemoveFunction(const Drop& drop);
  bool Calls(const std::string& caller, const std::string& callee) const;

  std::vector<Entry> entries_;
  std::vector<std::unique_ptr<Function>> functions_;
};

// Makes the functions known to a connection, and checks the bodies whose parameters have types.
// Errors point into the function's definition. Repeatable.
Status DefineFunctions(const Catalog& catalog, duck::Planner& planner);
// A planner for the Flink dialect that knows the catalog's functions.
Result<std::unique_ptr<duck::Planner>> NewFlinkPlanner(const Catalog& catalog);

// Checks a CREATE TABLE on its own (no LIKE) and resolves it. Errors: kType, kUnknownColumn, kBind,
// each with its position and what to write instead.
Result<Table> ResolveTable(const CreateTable& definition);

}  // namespace millrace::sql
