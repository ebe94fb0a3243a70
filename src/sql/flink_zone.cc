#include "sql/flink_zone.h"

#include <duckdb/common/exception/conversion_exception.hpp>
#include <duckdb/planner/expression/bound_cast_expression.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>

#include "duck/time_zone.h"

namespace millrace::sql {
namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;
using duckdb::ScalarFunction;
using duckdb::timestamp_t;

struct ZoneData : public duckdb::FunctionData {
  std::shared_ptr<const duck::TimeZone> zone;
  explicit ZoneData(std::shared_ptr<const duck::TimeZone> of) : zone(std::move(of)) {}
  duckdb::unique_ptr<duckdb::FunctionData> Copy() const override {
    return duckdb::make_uniq<ZoneData>(zone);
  }
  bool Equals(const duckdb::FunctionData& other) const override {
    return zone == other.Cast<ZoneData>().zone;
  }
};

const duck::TimeZone& ZoneOf(duckdb::ExpressionState& state) {
  return *state.expr.Cast<duckdb::BoundFunctionExpression>().bind_info->Cast<ZoneData>().zone;
}

timestamp_t Instant(const duck::TimeZone& zone, timestamp_t local) {
  return duckdb::Timestamp::IsFinite(local) ? timestamp_t(zone.ToUtc(local.value)) : local;
}

void InstantOf(duckdb::DataChunk& args, duckdb::ExpressionState& state, duckdb::Vector& result) {
  const duck::TimeZone& zone = ZoneOf(state);
  duckdb::UnaryExecutor::Execute<timestamp_t, timestamp_t>(
      args.data[0], result, args.size(), [&](timestamp_t local) { return Instant(zone, local); });
}

// Text may say its distance from UTC itself: 2024-07-01T10:00:00Z, …+02:00.
template <bool kTry>
void InstantOfText(duckdb::DataChunk& args, duckdb::ExpressionState& state,
                   duckdb::Vector& result) {
  const duck::TimeZone& zone = ZoneOf(state);
  duckdb::UnaryExecutor::ExecuteWithNulls<duckdb::string_t, timestamp_t>(
      args.data[0], result, args.size(),
      [&](duckdb::string_t text, duckdb::ValidityMask& mask, duckdb::idx_t row) {
        timestamp_t time(0);
        bool has_offset = false;
        duckdb::string_t name("");
        auto outcome = duckdb::Timestamp::TryConvertTimestampTZ(text.GetData(), text.GetSize(),
                                                                time, true, has_offset, name);
        if (outcome == duckdb::TimestampCastResult::SUCCESS && name.GetSize() == 0) {
          return has_offset ? time : Instant(zone, time);
        }
        if (!kTry) {
          throw duckdb::ConversionException("\"" + text.GetString() +
                                            "\" is no point in time; write it as 2024-01-31 "
                                            "10:00:00, or 2024-01-31T10:00:00Z for UTC");
        }
        mask.SetInvalid(row);
        return time;
      });
}

// What is neither a local time nor text is left to the CAST around it.
template <bool kTry>
duckdb::unique_ptr<duckdb::Expression> BindInstant(duckdb::FunctionBindExpressionInput& input) {
  auto& child = input.children[0];
  auto zone = duck::SessionTimeZone(input.context);
  const LogicalTypeId id = child->return_type.id();
  const bool text = id == LogicalTypeId::VARCHAR;
  const bool local = id == LogicalTypeId::TIMESTAMP || id == LogicalTypeId::DATE;
  if (!zone || (!text && !local)) return std::move(child);
  const LogicalType from = text ? LogicalType::VARCHAR : LogicalType::TIMESTAMP;
  duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> children;
  children.push_back(
      duckdb::BoundCastExpression::AddCastToType(input.context, std::move(child), from));
  ScalarFunction function(text ? "mr_instant_of_text" : "mr_instant", {from},
                          LogicalType::TIMESTAMP_TZ, text ? InstantOfText<kTry> : InstantOf);
  return duckdb::make_uniq<duckdb::BoundFunctionExpression>(
      LogicalType::TIMESTAMP_TZ, function, std::move(children),
      duckdb::make_uniq<ZoneData>(std::move(zone)));
}

bool IsInstant(const LogicalType& type) {
  return type.id() == LogicalTypeId::TIMESTAMP_TZ;
}

duckdb::unique_ptr<duckdb::Expression> BindLocal(duckdb::FunctionBindExpressionInput& input) {
  auto& child = input.children[0];
  if (!IsInstant(child->return_type)) return std::move(child);
  return duckdb::BoundCastExpression::AddCastToType(input.context, std::move(child),
                                                    LogicalType::TIMESTAMP);
}

LogicalType Plain(const LogicalType& type) {
  return IsInstant(type) ? LogicalType(LogicalType::TIMESTAMP) : type;
}

}  // namespace

std::vector<duckdb::ScalarFunctionSet> InstantFunctions() {
  std::vector<duckdb::ScalarFunctionSet> sets;
  auto add = [&](const char* name, duckdb::function_bind_expression_t bind) {
    ScalarFunction function({LogicalType::ANY}, LogicalType::ANY, ScalarFunction::NopFunction);
    function.SetBindExpressionCallback(bind);
    sets.emplace_back(name);
    sets.back().AddFunction(function);
  };
  add("mr_local", BindLocal);
  add("mr_instant", BindInstant<false>);
  add("mr_try_instant", BindInstant<true>);
  return sets;
}

duckdb::ScalarFunctionSet ExactOnInstants(duckdb::ScalarFunctionSet own) {
  const duckdb::ScalarFunctionSet before = own;
  for (ScalarFunction& function : own.functions) {
    bool instants = false;
    duckdb::vector<LogicalType> plain;
    for (const LogicalType& type : function.arguments) {
      instants |= IsInstant(type);
      plain.push_back(Plain(type));
    }
    if (!instants) continue;
    for (const ScalarFunction& other : before.functions) {
      if (other.arguments != plain || other.GetReturnType() != Plain(function.GetReturnType())) {
        continue;
      }
      ScalarFunction exact = other;
      exact.arguments = function.arguments;
      exact.SetReturnType(function.GetReturnType());
      function = exact;
      break;
    }
  }
  return own;
}

}  // namespace millrace::sql
