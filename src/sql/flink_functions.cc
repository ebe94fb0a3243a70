#include <duckdb.hpp>
#include <duckdb/catalog/catalog.hpp>
#include <duckdb/catalog/catalog_entry/scalar_function_catalog_entry.hpp>
#include <duckdb/common/enums/database_modification_type.hpp>
#include <duckdb/main/database_manager.hpp>
#include <duckdb/parser/parsed_data/create_info.hpp>
#include <duckdb/parser/parsed_data/create_macro_info.hpp>
#include <duckdb/parser/parsed_data/create_scalar_function_info.hpp>
#include <duckdb/parser/parser.hpp>
#include <duckdb/parser/statement/create_statement.hpp>
#include <duckdb/transaction/meta_transaction.hpp>
#include <mutex>

#include "duck/door.h"
#include "duck/time_zone.h"
#include "sql/flink_values.h"
#include "sql/flink_zone.h"
#include "sql/functions.h"

namespace millrace::sql {
namespace {

using duckdb::LogicalType;
using duckdb::ScalarFunction;
using duckdb::ScalarFunctionSet;

constexpr const char* kArithmeticDatabase = "millrace_flink";
constexpr const char* kZoneDatabase = "millrace_flink_zone";

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

// Text of a number without what stands behind its point: '4.7' becomes '4'.
void CutText(duckdb::DataChunk& args, duckdb::ExpressionState&, duckdb::Vector& result) {
  duckdb::UnaryExecutor::Execute<duckdb::string_t, duckdb::string_t>(
      args.data[0], result, args.size(), [&](duckdb::string_t text) {
        std::string_view view(text.GetData(), text.GetSize());
        size_t point = view.find('.');
        bool digits = point != view.npos && point > 0 &&
                      view.find_first_not_of("0123456789 ", point + 1) == view.npos;
        return duckdb::StringVector::AddString(result, text.GetData(),
                                               digits ? point : text.GetSize());
      });
}

void RegisterCut(duckdb::ClientContext& context) {
  ScalarFunctionSet set("mr_cut");
  for (const ScalarFunction& function : BuiltIn(context, "trunc").functions) {
    if (function.arguments.size() == 1) set.AddFunction(function);
  }
  set.AddFunction(
      ScalarFunction({LogicalType::BOOLEAN}, LogicalType::BOOLEAN, ScalarFunction::NopFunction));
  set.AddFunction(ScalarFunction({LogicalType::VARCHAR}, LogicalType::VARCHAR, CutText));
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

void RegisterMacro(duckdb::ClientContext& context, duckdb::Catalog& catalog,
                   std::string_view statement) {
  duckdb::Parser parser;
  parser.ParseQuery(std::string(statement));
  auto& create = parser.statements.at(0)->Cast<duckdb::CreateStatement>();
  auto& info = create.info->Cast<duckdb::CreateMacroInfo>();
  // Below SQL nobody resolves the names of the parameters' types.
  for (auto& macro : info.macros) {
    for (LogicalType& type : macro->types) {
      std::string name = type.ToString();
      if (name.starts_with("\"")) name = name.substr(1, name.size() - 2);
      if (type.id() != duckdb::LogicalTypeId::UNKNOWN) {
        type = LogicalType(duckdb::TransformStringToLogicalTypeId(name));
      }
    }
  }
  info.schema = DEFAULT_SCHEMA;
  info.internal = catalog.IsSystemCatalog();
  info.on_conflict = duckdb::OnCreateConflict::IGNORE_ON_CONFLICT;
  catalog.CreateFunction(context, info);
}

void RegisterMacros(duckdb::ClientContext& context) {
  auto& catalog = duckdb::Catalog::GetSystemCatalog(context);
  for (std::string_view text : MacroStatements()) RegisterMacro(context, catalog, text);
}

// The operator that takes the place of IS JSON; GLOB is no word of Flink's.
constexpr std::string_view kIsJsonOperator =
    "CREATE MACRO \"~~~\"(j, kind) AS CASE WHEN starts_with(kind, 'NOT ') "
    "THEN NOT mr_is_json(j, substring(kind, 5)) ELSE mr_is_json(j, kind) END";

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
  set.AddFunction(DecimalDivision());
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
      for (ScalarFunctionSet& set : FlinkValueFunctions()) {
        Register(context, duckdb::Catalog::GetSystemCatalog(context), std::move(set));
      }
      for (ScalarFunctionSet& set : InstantFunctions()) {
        Register(context, duckdb::Catalog::GetSystemCatalog(context), std::move(set));
      }
      RegisterMacros(context);
    });
    return Status::Ok();
  });
}

namespace {

duckdb::unique_ptr<duckdb::MaterializedQueryResult> Run(duckdb::Connection& connection,
                                                        const std::string& sql) {
  auto result = connection.Query(sql);
  if (result->HasError()) result->ThrowError();
  return result;
}

// Makes an in-memory database of functions, once per DuckDB, and puts it on the connection's search
// path: `first`, or last but before DuckDB's own functions.
void UseDatabase(duckdb::Connection& connection, const std::string& name, bool first,
                 const std::function<void(duckdb::ClientContext&, duckdb::Catalog&)>& fill) {
  static std::mutex attaching;
  std::lock_guard<std::mutex> lock(attaching);
  auto& context = *connection.context;
  bool attached = false;
  context.RunFunctionInTransaction([&]() {
    auto& databases = duckdb::DatabaseManager::Get(context);
    attached = databases.GetDatabase(context, name) != nullptr;
  });
  if (!attached) {
    Run(connection, "ATTACH ':memory:' AS " + name);
    context.RunFunctionInTransaction([&]() {
      auto& catalog = duckdb::Catalog::GetCatalog(context, name);
      // Below SQL nobody else tells the transaction which database it writes to.
      duckdb::MetaTransaction::Get(context).ModifyDatabase(
          catalog.GetAttached(), duckdb::DatabaseModificationType::CREATE_CATALOG_ENTRY);
      fill(context, catalog);
    });
  }
  auto current = Run(connection,
                     "SELECT current_database(), current_schema(), current_setting('search_path')");
  std::string path = current->GetValue(2, 0).ToString();
  if (path.find(name + ".") != std::string::npos) return;
  if (path.empty()) {
    path = current->GetValue(0, 0).ToString() + "." + current->GetValue(1, 0).ToString();
  }
  // What is made without a schema's name goes to the first of the path, so that stays in front.
  const size_t comma = first ? std::min(path.find(','), path.size()) : path.size();
  path.insert(comma, "," + name + ".main");
  Run(connection, "SET search_path = '" + path + "'");
}

}  // namespace

Status UseFlinkArithmetic(duckdb::Connection& connection) {
  return duck::AtTheDoor([&]() -> Status {
    UseDatabase(connection, kArithmeticDatabase, false,
                [](duckdb::ClientContext& context, duckdb::Catalog& catalog) {
                  Register(context, catalog, Division(context));
                  RegisterMacro(context, catalog, kIsJsonOperator);
                });
    return Status::Ok();
  });
}

Status UseTimeZone(duckdb::Connection& connection, const std::string& name) {
  MR_RETURN_IF_ERROR(duck::SetTimeZone(connection, name));
  if (!duck::SessionTimeZone(*connection.context)) return Status::Ok();
  return duck::AtTheDoor([&]() -> Status {
    UseDatabase(connection, kZoneDatabase, true,
                [](duckdb::ClientContext& context, duckdb::Catalog& catalog) {
                  for (const char* own : {"+", "-", "date_sub"}) {
                    Register(context, catalog, ExactOnInstants(BuiltIn(context, own)));
                  }
                  for (std::string_view macro : ZoneMacroStatements()) {
                    RegisterMacro(context, catalog, macro);
                  }
                });
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
