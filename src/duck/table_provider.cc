#include "duck/table_provider.h"

#include <deque>
#include <duckdb/catalog/catalog.hpp>
#include <duckdb/function/replacement_scan.hpp>
#include <duckdb/function/table_function.hpp>
#include <duckdb/main/config.hpp>
#include <duckdb/main/database_manager.hpp>
#include <duckdb/main/extension/extension_loader.hpp>
#include <duckdb/parser/expression/constant_expression.hpp>
#include <duckdb/parser/expression/function_expression.hpp>
#include <duckdb/parser/parser.hpp>
#include <duckdb/parser/statement/select_statement.hpp>
#include <duckdb/parser/tableref/subqueryref.hpp>
#include <duckdb/parser/tableref/table_function_ref.hpp>
#include <duckdb/storage/object_cache.hpp>
#include <map>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/warehouse.h"

namespace millrace::duck {

namespace {

constexpr const char* kFunction = "millrace_virtual_table";
constexpr const char* kMainSchema = "main";

// All virtual tables of one database. Lives in the table function's info, so that it goes when the
// database goes.
class Tables {
 public:
  void Put(VirtualTable table) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::string key = Key(table.schema, table.name);
    tables_[key] = std::make_shared<VirtualTable>(std::move(table));
  }
  void Remove(const std::string& schema, const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    tables_.erase(Key(schema, name));
  }
  std::shared_ptr<VirtualTable> Find(const std::string& key) const {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = tables_.find(ToLower(key));
    return found == tables_.end() ? nullptr : found->second;
  }
  void PutView(const std::string& name, const std::string& query) {
    std::lock_guard<std::mutex> lock(mutex_);
    views_[ToLower(name)] = query;
  }
  // The query, or "".
  std::string FindView(const std::string& name) const {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = views_.find(ToLower(name));
    return found == views_.end() ? "" : found->second;
  }
  // Keeps a table that one statement needs between its replacement scan and its bind, and returns
  // the key under which Find finds it.
  std::string PutForBind(VirtualTable table) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::string key = Key("", std::to_string(next_for_bind_++));
    tables_[key] = std::make_shared<VirtualTable>(std::move(table));
    for_bind_.push_back(key);
    if (for_bind_.size() > kForBindMax) {
      tables_.erase(for_bind_.front());
      for_bind_.pop_front();
    }
    return key;
  }
  static std::string Key(const std::string& schema, const std::string& name) {
    return ToLower(schema + "." + name);
  }

 private:
  // More than statements that are being bound at a time name tables.
  static constexpr size_t kForBindMax = 1024;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<VirtualTable>> tables_;
  std::map<std::string, std::string> views_;  // name -> query
  std::deque<std::string> for_bind_;          // keys, oldest first
  int64_t next_for_bind_ = 0;
};

struct Info : duckdb::TableFunctionInfo {
  std::shared_ptr<Tables> tables;
};

struct ReplacementData : duckdb::ReplacementScanData {
  std::shared_ptr<Tables> tables;
};

struct BindData : duckdb::FunctionData {
  std::shared_ptr<VirtualTable> table;
  duckdb::unique_ptr<duckdb::FunctionData> Copy() const override {
    auto copy = duckdb::make_uniq<BindData>();
    copy->table = table;
    return copy;
  }
  bool Equals(const duckdb::FunctionData& other) const override {
    return table == other.Cast<BindData>().table;
  }
};

[[noreturn]] void Throw(const Status& status) {
  throw duckdb::InvalidInputException("%s%s", status.message(),
                                      status.hint().empty() ? "" : "; " + status.hint());
}

struct ScanState : duckdb::GlobalTableFunctionState {
  std::unique_ptr<TableScan> scan;
  duckdb::DataChunk chunk;     // the wanted columns
  std::vector<int> source_of;  // output column -> column of `chunk`; -1: row id and the like
  duckdb::idx_t MaxThreads() const override { return 1; }
};

duckdb::unique_ptr<duckdb::FunctionData> Bind(duckdb::ClientContext&,
                                              duckdb::TableFunctionBindInput& input,
                                              duckdb::vector<duckdb::LogicalType>& types,
                                              duckdb::vector<duckdb::string>& names) {
  const std::string key = input.inputs[0].ToString();
  auto data = duckdb::make_uniq<BindData>();
  data->table = input.info->Cast<Info>().tables->Find(key);
  if (!data->table) {
    throw duckdb::CatalogException("Table with name %s does not exist any more!", key);
  }
  for (const auto& column : data->table->columns.columns) {
    types.push_back(column.type);
    names.push_back(column.name);
  }
  return data;
}

duckdb::unique_ptr<duckdb::GlobalTableFunctionState> Init(duckdb::ClientContext& context,
                                                          duckdb::TableFunctionInitInput& input) {
  const VirtualTable& table = *input.bind_data->Cast<BindData>().table;
  auto state = duckdb::make_uniq<ScanState>();
  std::vector<size_t> wanted;
  duckdb::vector<duckdb::LogicalType> types;
  for (auto id : input.column_ids) {
    if (id >= table.columns.size()) {
      state->source_of.push_back(-1);
      continue;
    }
    state->source_of.push_back(static_cast<int>(wanted.size()));
    wanted.push_back(id);
    types.push_back(table.columns.columns[id].type);
  }
  auto scan = table.scan(wanted);
  if (!scan.ok()) Throw(scan.status());
  state->scan = std::move(*scan);
  state->chunk.Initialize(context, types);
  return state;
}

void Scan(duckdb::ClientContext&, duckdb::TableFunctionInput& input, duckdb::DataChunk& output) {
  auto& state = input.global_state->Cast<ScanState>();
  state.chunk.Reset();
  if (Status status = state.scan->Next(state.chunk); !status.ok()) Throw(status);
  for (size_t i = 0; i < state.source_of.size(); i++) {
    if (state.source_of[i] >= 0) {
      output.data[i].Reference(state.chunk.data[static_cast<size_t>(state.source_of[i])]);
    } else {
      output.data[i].SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
      duckdb::ConstantVector::SetNull(output.data[i], true);
    }
  }
  output.SetCardinality(state.chunk.size());
}

duckdb::unique_ptr<duckdb::TableRef> Subquery(const std::string& sql, const std::string& alias) {
  duckdb::Parser parser;
  parser.ParseQuery(sql);
  auto select = duckdb::unique_ptr_cast<duckdb::SQLStatement, duckdb::SelectStatement>(
      std::move(parser.statements[0]));
  return duckdb::make_uniq<duckdb::SubqueryRef>(std::move(select), alias);
}

std::string ScanCall(const std::string& key) {
  return std::string(kFunction) + "(" + QuoteLiteral(key) + ")";
}

// What stands for the table in FROM where part of its rows comes from a query; "" when none does.
std::string SplitSource(Tables& tables, const VirtualTable& table) {
  if (!table.split) return "";
  auto rows = table.split();
  if (!rows.ok()) Throw(rows.status());
  if (rows->select.empty()) return "";
  VirtualTable rest;
  rest.columns = table.columns;
  rest.scan = std::move(rows->rest);
  return "(" + rows->select + " UNION ALL SELECT * FROM " +
         ScanCall(tables.PutForBind(std::move(rest))) + ")";
}

// `FROM name`: a name without a schema that no stored table has.
duckdb::unique_ptr<duckdb::TableRef> Replace(
    duckdb::ClientContext&, duckdb::ReplacementScanInput& input,
    duckdb::optional_ptr<duckdb::ReplacementScanData> data) {
  const std::string schema = input.schema_name.empty() ? kMainSchema : input.schema_name;
  const std::string key = Tables::Key(schema, input.table_name);
  if (schema != kMainSchema) return nullptr;
  Tables& tables = *data->Cast<ReplacementData>().tables;
  const std::string view = tables.FindView(input.table_name);
  if (!view.empty()) return Subquery(view, input.table_name);
  auto table = tables.Find(key);
  if (!table) return nullptr;
  std::string source = SplitSource(tables, *table);
  if (!table->select.empty() || !source.empty()) {
    if (source.empty()) source = ScanCall(key);
    const std::string select = table->select.empty() ? "*" : table->select;
    return Subquery("SELECT " + select + " FROM " + source + table->tail, input.table_name);
  }
  auto ref = duckdb::make_uniq<duckdb::TableFunctionRef>();
  duckdb::vector<duckdb::unique_ptr<duckdb::ParsedExpression>> arguments;
  arguments.push_back(duckdb::make_uniq<duckdb::ConstantExpression>(duckdb::Value(key)));
  ref->function = duckdb::make_uniq<duckdb::FunctionExpression>(kFunction, std::move(arguments));
  ref->alias = input.table_name;
  return ref;
}

// The database's registry, and with it the table function: made at the first use.
class RegistryEntry : public duckdb::ObjectCacheEntry {
 public:
  std::shared_ptr<Tables> tables = std::make_shared<Tables>();
  static duckdb::string ObjectType() { return "millrace_virtual_tables"; }
  duckdb::string GetObjectType() override { return ObjectType(); }
  duckdb::optional_idx GetEstimatedCacheMemory() const override { return {}; }  // never evicted
};

std::mutex registry_mutex;

std::shared_ptr<Tables> TablesOf(Warehouse& warehouse) {
  std::lock_guard<std::mutex> lock(registry_mutex);
  auto& database = warehouse.instance();
  auto& cache = database.GetObjectCache();
  if (auto entry = cache.Get<RegistryEntry>(kFunction)) return entry->tables;
  auto entry = duckdb::make_shared_ptr<RegistryEntry>();
  auto info = duckdb::make_shared_ptr<Info>();
  info->tables = entry->tables;
  duckdb::TableFunction function(kFunction, {duckdb::LogicalType::VARCHAR}, Scan, Bind, Init);
  function.projection_pushdown = true;
  function.function_info = info;
  duckdb::ExtensionLoader loader(database, "millrace");
  loader.RegisterFunction(function);
  auto replacement = duckdb::make_uniq<ReplacementData>();
  replacement->tables = entry->tables;
  duckdb::DBConfig::GetConfig(database).replacement_scans.emplace_back(Replace,
                                                                       std::move(replacement));
  cache.Put(kFunction, entry);
  return entry->tables;
}

class RowsScan : public TableScan {
 public:
  RowsScan(std::vector<std::vector<duckdb::Value>> rows, std::vector<size_t> wanted)
      : rows_(std::move(rows)), wanted_(std::move(wanted)) {}

  Status Next(duckdb::DataChunk& out) override {
    const size_t count = std::min<size_t>(rows_.size() - next_, STANDARD_VECTOR_SIZE);
    for (size_t r = 0; r < count; r++, next_++) {
      for (size_t c = 0; c < wanted_.size(); c++) {
        out.SetValue(c, r, rows_[next_][wanted_[c]].DefaultCastAs(out.data[c].GetType()));
      }
    }
    out.SetCardinality(count);
    return Status::Ok();
  }

 private:
  std::vector<std::vector<duckdb::Value>> rows_;
  std::vector<size_t> wanted_;
  size_t next_ = 0;
};

}  // namespace

Status RegisterTable(Warehouse& warehouse, VirtualTable table) {
  return AtTheDoor([&]() -> Status {
    auto tables = TablesOf(warehouse);
    const std::string schema = table.schema, name = table.name;
    if (schema == kMainSchema) {
      tables->Put(std::move(table));
      return Status::Ok();
    }
    auto& manager = duckdb::DatabaseManager::Get(warehouse.instance());
    duckdb::Connection connection(warehouse.instance());
    MR_ASSIGN_OR_RETURN(auto own, Warehouse::QueryOn(connection, "SELECT current_database()"));
    if (EqualsIgnoreCase(own.Get(0, 0).ToString(), schema)) {
      return Status(Code::kAlreadyExists,
                    "\"" + schema + "\" is the warehouse's own name, it cannot hold virtual tables")
          .WithHint("give the database file another name");
    }
    auto before = tables->Find(Tables::Key(schema, name));
    tables->Put(std::move(table));
    Status status = Status::Ok();
    if (!manager.GetDatabase(schema)) {
      status = Warehouse::Execute(connection,
                                  "ATTACH IF NOT EXISTS ':memory:' AS " + QuoteIdentifier(schema));
    }
    if (status.ok()) {
      status = Warehouse::Execute(connection, "CREATE OR REPLACE VIEW " + QuoteIdentifier(schema) +
                                                  ".main." + QuoteIdentifier(name) +
                                                  " AS SELECT * FROM " + kFunction + "(" +
                                                  QuoteLiteral(Tables::Key(schema, name)) + ")");
    }
    if (!status.ok()) {
      if (before) {
        tables->Put(*before);
      } else {
        tables->Remove(schema, name);
      }
    }
    return status;
  });
}

void RegisterView(Warehouse& warehouse, const std::string& name, const std::string& query) {
  TablesOf(warehouse)->PutView(name, query);
}

Status UnregisterTable(Warehouse& warehouse, const std::string& schema, const std::string& name) {
  return AtTheDoor([&]() -> Status {
    TablesOf(warehouse)->Remove(schema, name);
    if (schema == kMainSchema) return Status::Ok();
    duckdb::Connection connection(warehouse.instance());
    return Warehouse::Execute(connection, "DROP VIEW IF EXISTS " + QuoteIdentifier(schema) +
                                              ".main." + QuoteIdentifier(name));
  });
}

VirtualTable RowsTable(std::string schema, std::string name, model::Schema columns,
                       std::function<Result<std::vector<std::vector<duckdb::Value>>>()> rows) {
  VirtualTable table;
  table.schema = std::move(schema);
  table.name = std::move(name);
  table.columns = std::move(columns);
  table.scan = [rows = std::move(rows)](
                   const std::vector<size_t>& wanted) -> Result<std::unique_ptr<TableScan>> {
    MR_ASSIGN_OR_RETURN(auto all, rows());
    return std::unique_ptr<TableScan>(new RowsScan(std::move(all), wanted));
  };
  return table;
}

}  // namespace millrace::duck
