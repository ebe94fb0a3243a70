#include <duckdb.hpp>
#include <duckdb/catalog/catalog.hpp>
#include <duckdb/common/enums/database_modification_type.hpp>
#include <duckdb/catalog/catalog_entry/scalar_function_catalog_entry.hpp>
#include <duckdb/main/database_manager.hpp>
#include <duckdb/parser/parsed_data/create_info.hpp>
#include <duckdb/parser/parsed_data/create_macro_info.hpp>
#include <duckdb/parser/parsed_data/create_scalar_function_info.hpp>
#include <duckdb/parser/parser.hpp>
#include <duckdb/parser/statement/create_statement.hpp>
#include <duckdb/transaction/meta_transaction.hpp>
#include <mutex>

#include "duck/door.h"
#include "sql/functions.h"

namespace millrace::sql {
namespace {

using duckdb::LogicalType;
using duckdb::ScalarFunction;
using duckdb::ScalarFunctionSet;

constexpr const char* kArithmeticDatabase = "millrace_flink";

// The overloads of one of DuckDB's own functions.
ScalarFunctionSet BuiltIn(duckdb::ClientContext& context, const char* name) {
  auto& catalog = duckdb::Catalog::GetSystemCatalog(context);
  auto& entry = catalog.GetEntry<duckdb::ScalarFunctionCatalogEntry>(context, DEFAULT_SCHEMA, name);
  return entry.functions;
}

void Register(duckdb::ClientContext& context, duckdb::Catalog& catalog, ScalarFunctionSet set) {
  duckdb::CreateScalarFunctionInfo info(std::move(set));
  info.internal = catalog.IsSystemCatalog();
  info.on_conflict = duckdb::OnCreateConflict::IGNORE_ON_CONFLICT;
  catalog.CreateFunction(context, info);
}

void RegisterCut(duckdb::ClientContext& context) {
  ScalarFunctionSet set("mr_cut");
  for (const ScalarFunction& function : BuiltIn(context, "trunc").functions) {
    if (function.arguments.size() == 1) set.AddFunction(function);
  }
  for (const LogicalType& type : {LogicalType(LogicalType::VARCHAR),
                                  LogicalType(LogicalType::BOOLEAN)}) {
    set.AddFunction(ScalarFunction({type}, type, ScalarFunction::NopFunction));
  }
  Register(context, duckdb::Catalog::GetSystemCatalog(context), std::move(set));
}

void RegisterCardinality(duckdb::ClientContext& context) {
  ScalarFunctionSet set("mr_cardinality");
  for (const char* name : {"len", "cardinality"}) {
    for (const ScalarFunction& function : BuiltIn(context, name).functions) {
      auto id = function.arguments[0].id();
      if (id != duckdb::LogicalTypeId::VARCHAR && id != duckdb::LogicalTypeId::BIT) {
        set.AddFunction(function);
      }
    }
  }
  Register(context, duckdb::Catalog::GetSystemCatalog(context), std::move(set));
}

void RegisterMacros(duckdb::ClientContext& context) {
  auto& catalog = duckdb::Catalog::GetSystemCatalog(context);
  for (std::string_view text : MacroStatements()) {
    duckdb::Parser parser;
    parser.ParseQuery(std::string(text));
    auto& create = parser.statements.at(0)->Cast<duckdb::CreateStatement>();
    auto& info = create.info->Cast<duckdb::CreateMacroInfo>();
    info.schema = DEFAULT_SCHEMA;
    info.internal = true;
    info.on_conflict = duckdb::OnCreateConflict::IGNORE_ON_CONFLICT;
    catalog.CreateFunction(context, info);
  }
}

// "/" for whole numbers is DuckDB's "//"; for all others it stays what it is.
ScalarFunctionSet Division(duckdb::ClientContext& context) {
  ScalarFunctionSet set("/");
  auto whole = [](const ScalarFunction& f) { return f.arguments[0].IsIntegral(); };
  for (const ScalarFunction& function : BuiltIn(context, "//").functions) {
    if (whole(function)) set.AddFunction(function);
  }
  for (const ScalarFunction& function : BuiltIn(context, "/").functions) {
    if (!whole(function)) set.AddFunction(function);
  }
  return set;
}

}  // namespace

Status RegisterFlinkFunctions(duckdb::DuckDB& database) {
  return duck::AtTheDoor([&]() -> Status {
    duckdb::Connection connection(database);
    auto& context = *connection.context;
    context.RunFunctionInTransaction([&]() {
      RegisterCut(context);
      RegisterCardinality(context);
      RegisterMacros(context);
    });
    return Status::Ok();
  });
}

Status UseFlinkArithmetic(duckdb::Connection& connection) {
  return duck::AtTheDoor([&]() -> Status {
    auto run = [&](const std::string& sql) {
      auto result = connection.Query(sql);
      if (result->HasError()) result->ThrowError();
      return result;
    };
    auto& context = *connection.context;
    bool attached = false;
    context.RunFunctionInTransaction([&]() {
      auto& databases = duckdb::DatabaseManager::Get(context);
      attached = databases.GetDatabase(context, kArithmeticDatabase) != nullptr;
    });
    if (!attached) {
      run(std::string("ATTACH ':memory:' AS ") + kArithmeticDatabase);
      context.RunFunctionInTransaction([&]() {
        auto& catalog = duckdb::Catalog::GetCatalog(context, kArithmeticDatabase);
        // Below SQL nobody else tells the transaction which database it writes to.
        duckdb::MetaTransaction::Get(context).ModifyDatabase(
            catalog.GetAttached(), duckdb::DatabaseModificationType::CREATE_CATALOG_ENTRY);
        Register(context, catalog, Division(context));
      });
    }
    auto current = run("SELECT current_database(), current_schema(), "
                       "current_setting('search_path')");
    std::string path = current->GetValue(2, 0).ToString();
    if (path.find(kArithmeticDatabase) != std::string::npos) return Status::Ok();
    if (path.empty()) {
      path = current->GetValue(0, 0).ToString() + "." + current->GetValue(1, 0).ToString();
    }
    run("SET search_path = '" + path + "," + kArithmeticDatabase + ".main'");
    return Status::Ok();
  });
}

Result<std::unique_ptr<duck::Planner>> NewFlinkPlanner() {
  MR_ASSIGN_OR_RETURN(auto planner, duck::Planner::Create());
  static std::mutex mutex;
  static bool registered = false;
  std::lock_guard<std::mutex> lock(mutex);
  if (!registered) {
    MR_RETURN_IF_ERROR(RegisterFlinkFunctions(planner->database()));
    registered = true;
  }
  MR_RETURN_IF_ERROR(UseFlinkArithmetic(planner->connection()));
  return planner;
}

}  // namespace millrace::sql
