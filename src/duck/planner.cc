#include "duck/planner.h"

#include <fmt/format.h>

#include <duckdb/catalog/catalog.hpp>
#include <duckdb/execution/column_binding_resolver.hpp>
#include <duckdb/function/table_function.hpp>
#include <duckdb/main/client_context.hpp>
#include <duckdb/main/client_context_state.hpp>
#include <duckdb/optimizer/optimizer.hpp>
#include <duckdb/parser/parsed_data/create_table_function_info.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/logical_get.hpp>
#include <functional>
#include <map>
#include <mutex>

#include "base/strings.h"
#include "duck/bound_query.h"
#include "duck/door.h"
#include "duck/functions.h"
#include "duck/served_function.h"

namespace millrace::duck {

namespace {

// What looks at data that a stream does not have, or hides shapes that stream/ recognises.
constexpr const char* kDisabledOptimizers =
    "statistics_propagation,compressed_materialization,empty_result_pullup,sum_rewriter,"
    "late_materialization,top_n_window_elimination,build_side_probe_side,join_order,in_clause,"
    "limit_pushdown,row_group_pruner,sampling_pushdown,window_self_join";

// The streaming tables of one planner, found through its connection.
struct Tables : public duckdb::ClientContextState {
  std::map<std::string, model::Schema> schemas;
};
constexpr const char* kTablesState = "millrace_tables";

struct ScanBindData : public duckdb::TableFunctionData {
  std::string table;
};

duckdb::unique_ptr<duckdb::FunctionData> BindScan(duckdb::ClientContext& client,
                                                  duckdb::TableFunctionBindInput& input,
                                                  duckdb::vector<duckdb::LogicalType>& types,
                                                  duckdb::vector<duckdb::string>& names) {
  auto data = duckdb::make_uniq<ScanBindData>();
  data->table = input.inputs[0].ToString();
  auto tables = client.registered_state->GetOrCreate<Tables>(kTablesState);
  for (const model::Column& column : tables->schemas.at(data->table).columns) {
    types.push_back(column.type);
    names.push_back(column.name);
  }
  return data;
}

void NeverScan(duckdb::ClientContext&, duckdb::TableFunctionInput&, duckdb::DataChunk& output) {
  output.SetCardinality(0);
}

// The DuckDB that all planners of this process are connections to: it holds no data, and starting
// one for each would cost 10 ms a job. Lives as long as the process.
struct PlannerDatabase {
  std::mutex mutex;
  duckdb::DuckDB* database = nullptr;
};

PlannerDatabase& TheDatabase() {
  static auto* the = new PlannerDatabase();
  return *the;
}

Result<duckdb::DuckDB*> StartDatabase() {
  duckdb::DBConfig config;
  config.options.maximum_threads = 1;
  auto database = std::make_unique<duckdb::DuckDB>(nullptr, &config);
  MR_RETURN_IF_ERROR(RegisterFunctions(*database));
  duckdb::TableFunction scan(kScanFunction, {duckdb::LogicalType::VARCHAR}, NeverScan, BindScan);
  scan.projection_pushdown = true;
  duckdb::CreateTableFunctionInfo info(scan);
  duckdb::Connection connection(*database);
  connection.BeginTransaction();
  duckdb::Catalog::GetSystemCatalog(*connection.context)
      .CreateTableFunction(*connection.context, info);
  connection.Commit();
  auto set = connection.Query(fmt::format("SET disabled_optimizers='{}'", kDisabledOptimizers));
  if (set->HasError()) return FromDuckError(set->GetErrorObject());
  return database.release();
}

}  // namespace

const std::string& ScannedTable(const duckdb::FunctionData& bind_data) {
  return bind_data.Cast<ScanBindData>().table;
}

struct Planner::Impl {
  std::unique_ptr<duckdb::Connection> connection;
  duckdb::shared_ptr<Tables> tables;

  Status Run(const std::string& statement) {
    return AtTheDoor([&]() -> Status {
      auto result = connection->Query(statement);
      return result->HasError() ? FromDuckError(result->GetErrorObject()) : Status::Ok();
    });
  }
};

Planner::Planner() : impl_(std::make_unique<Impl>()) {}
Planner::~Planner() = default;

Result<std::unique_ptr<Planner>> Planner::Create() {
  std::unique_ptr<Planner> planner(new Planner());
  PlannerDatabase& shared = TheDatabase();
  std::lock_guard<std::mutex> lock(shared.mutex);
  Status started = AtTheDoor([&]() -> Status {
    if (!shared.database) {
      MR_ASSIGN_OR_RETURN(shared.database, StartDatabase());
    }
    planner->impl_->connection = std::make_unique<duckdb::Connection>(*shared.database);
    planner->impl_->tables = planner->context().registered_state->GetOrCreate<Tables>(kTablesState);
    MR_RETURN_IF_ERROR(planner->impl_->Run("SET TimeZone='UTC'"));
    // As in Flink, NULL is lower than every value.
    return planner->impl_->Run("SET default_null_order='nulls_first_on_asc_last_on_desc'");
  });
  MR_RETURN_IF_ERROR(started);
  return planner;
}

duckdb::ClientContext& Planner::context() {
  return *impl_->connection->context;
}

duckdb::Connection& Planner::connection() {
  return *impl_->connection;
}

duckdb::DuckDB& Planner::database() {
  return *TheDatabase().database;
}

Status Planner::Define(const std::string& statement) {
  return impl_->Run(statement);
}

Status Planner::DefineTable(const std::string& name, const model::Schema& schema) {
  if (!impl_->tables->schemas.emplace(name, schema).second) {
    return Status(Code::kAlreadyExists, fmt::format("table \"{}\" exists already", name));
  }
  return impl_->Run(fmt::format("CREATE TEMP VIEW {} AS SELECT * FROM {}({})",
                                QuoteIdentifier(name), kScanFunction, QuoteLiteral(name)));
}

Status Planner::DefineView(const std::string& name, const std::vector<std::string>& columns,
                           const std::string& query) {
  std::string list;
  for (const std::string& column : columns) {
    list += (list.empty() ? "(" : ", ") + QuoteIdentifier(column);
  }
  if (!list.empty()) list += ")";
  std::string head =
      fmt::format("CREATE OR REPLACE TEMP VIEW {}{} AS ", QuoteIdentifier(name), list);
  // Bound first by itself, so that error positions count from the query's own start.
  MR_RETURN_IF_ERROR(DescribeQuery(query).status());
  return impl_->Run(head + query);
}

Status WithBoundQuery(duckdb::Connection& connection, const std::string& query,
                      const std::function<void(duckdb::Planner&)>& use) {
  try {
    auto statements = connection.ExtractStatements(query);
    if (statements.size() != 1) return Status(Code::kSyntax, "expected exactly one query");
    connection.context->RunFunctionInTransaction([&]() {
      duckdb::Planner binder(*connection.context);
      binder.CreatePlan(std::move(statements[0]));
      use(binder);
    });
    return Status::Ok();
  } catch (const std::exception& e) {
    duckdb::ErrorData error(e);
    Status status = FromDuckError(error);
    if (auto position = ErrorPosition(error)) {
      SourceSpan span;
      span.column = static_cast<int>(*position) + 1;
      return std::move(status).At(span);
    }
    return status;
  }
}

Result<Plan> Planner::PlanQuery(const std::string& query) {
  Plan plan;
  MR_RETURN_IF_ERROR(WithBoundQuery(*impl_->connection, query, [&](duckdb::Planner& binder) {
    for (const auto& name : binder.names) plan.names.push_back(name);
    duckdb::Optimizer optimizer(*binder.binder, context());
    plan.root = optimizer.Optimize(std::move(binder.plan));
    // Connection::ExtractPlan resolves references before types, and so trips over a UNION ALL
    // whose unused columns were taken away; DuckDB's own execution does it in this order.
    plan.root->ResolveOperatorTypes();
    duckdb::ColumnBindingResolver resolver;
    resolver.VisitOperator(*plan.root);
  }));
  return plan;
}

Result<model::Schema> Planner::DescribeQuery(const std::string& query) {
  model::Schema schema;
  MR_RETURN_IF_ERROR(WithBoundQuery(*impl_->connection, query, [&](duckdb::Planner& binder) {
    for (size_t i = 0; i < binder.names.size(); i++) {
      schema.columns.push_back({binder.names[i], binder.types[i], true});
    }
  }));
  return schema;
}

Result<std::vector<duckdb::unique_ptr<duckdb::Expression>>> Planner::BindExpressions(
    const model::Schema& schema, const std::vector<std::string>& expressions) {
  std::vector<duckdb::unique_ptr<duckdb::Expression>> bound;
  if (expressions.empty()) return bound;
  constexpr const char* kScratch = "millrace scratch table";
  impl_->tables->schemas[kScratch] = schema;
  for (const std::string& text : expressions) {
    std::string query =
        fmt::format("SELECT ({}\n) FROM {}({})", text, kScanFunction, QuoteLiteral(kScratch));
    auto planned = PlanQuery(query);
    if (!planned.ok()) {
      Status status = planned.status();
      SourceSpan span = status.span();
      if (span.column > 0) span.column = std::max(1, span.column - static_cast<int>(8));
      return std::move(status).At(span);
    }
    duckdb::LogicalOperator& root = *planned->root;
    bool scan_below = root.children.size() == 1 &&
                      root.children[0]->type == duckdb::LogicalOperatorType::LOGICAL_GET;
    if (root.type != duckdb::LogicalOperatorType::LOGICAL_PROJECTION || !scan_below) {
      return Status(Code::kUnsupported,
                    fmt::format("\"{}\" is not a plain expression over the row", Trim(text)));
    }
    if (const duckdb::Expression* served = FindServedCall(*root.expressions[0])) {
      return Status(Code::kUnsupported,
                    fmt::format("function \"{}\" is served over HTTP, and is not asked in computed "
                                "columns, watermarks and CHECKs: \"{}\"",
                                NameOfServed(*served), Trim(text)))
          .WithHint("call it in the query of a job: INSERT INTO … SELECT");
    }
    // The scan was narrowed to the columns in use: point each reference back at the full row.
    const auto& columns = root.children[0]->Cast<duckdb::LogicalGet>().GetColumnIds();
    auto expression = std::move(root.expressions[0]);
    std::function<void(duckdb::Expression&)> widen = [&](duckdb::Expression& e) {
      if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
        auto& ref = e.Cast<duckdb::BoundReferenceExpression>();
        ref.index = columns[ref.index].GetPrimaryIndex();
      }
      duckdb::ExpressionIterator::EnumerateChildren(e, widen);
    };
    widen(*expression);
    bound.push_back(std::move(expression));
  }
  return bound;
}

}  // namespace millrace::duck
