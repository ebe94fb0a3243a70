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
#include "sql/flink_values.h"
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
        RegisterMacro(context, catalog, kIsJsonOperator);
      });
    }
    auto current =
        run("SELECT current_database(), current_schema(), "
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
