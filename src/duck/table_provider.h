// Virtual tables: things that are not stored in the warehouse (jobs, epochs, topics) as tables in
// its SQL.
//
// Contract: a table "s.n" appears as `SELECT … FROM s.n`; a table whose schema is "main" as `n`,
// unless a stored table has that name. They are views over a table function in an in-memory
// catalog, so nothing of them is written to the warehouse file. Scans run on DuckDB's threads, one
// thread per scan at a time, several scans at once.
#pragma once

#include <duckdb.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::duck {

class Warehouse;

// One pass over a virtual table.
class TableScan {
 public:
  virtual ~TableScan() = default;
  // Fills `out` (reset, of the wanted columns' types) with up to STANDARD_VECTOR_SIZE rows; leaves
  // it empty at the end. An error ends the query and is its error.
  virtual Status Next(duckdb::DataChunk& out) = 0;
};

// Begins a pass. `wanted`: indexes into the table's columns, in the order of the output; empty for
// count(*), where only the number of rows matters.
using BeginScan =
    std::function<Result<std::unique_ptr<TableScan>>(const std::vector<size_t>& wanted)>;

// A table's rows in two parts: what a query gives, at its own speed, and the rest.
struct SplitRows {
  std::string select;  // gives the table's columns, in their order; "": no rows
  BeginScan rest;      // rows that `select` does not give
};

struct VirtualTable {
  std::string schema;  // e.g. "millrace"; "main" for names without a schema
  std::string name;
  model::Schema columns;
  // What `SELECT *` shows, as a select list over `columns`; "": those. Only for schema "main".
  std::string select = {};
  // What follows the scan in `SELECT select FROM scan …`: GROUP BY, QUALIFY. Needs `select`.
  std::string tail = {};
  BeginScan scan;  // of all rows
  // Where part of the rows lies in files: asked whenever a statement that names the table is bound,
  // by any thread, instead of `scan`. Null: nothing does. Only for schema "main".
  std::function<Result<SplitRows>()> split = nullptr;
};

// Makes the table known; a second call with the same schema and name replaces it.
// Errors: kAlreadyExists when `schema` is the name of the warehouse's own catalog.
Status RegisterTable(Warehouse& warehouse, VirtualTable table);
// Makes `name` (in "main") stand for a query in DuckDB's dialect, which is bound when it is used.
void RegisterView(Warehouse& warehouse, const std::string& name, const std::string& query);
// Forgets it; scans that run go on.
Status UnregisterTable(Warehouse& warehouse, const std::string& schema, const std::string& name);

// A virtual table from a function that returns all rows at once (small system tables). Each row has
// one value per column; values are cast to the column's type.
VirtualTable RowsTable(std::string schema, std::string name, model::Schema columns,
                       std::function<Result<std::vector<std::vector<duckdb::Value>>>()> rows);

}  // namespace millrace::duck
