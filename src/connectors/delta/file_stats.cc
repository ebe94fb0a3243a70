#include "connectors/delta/file_stats.h"

#include <fmt/format.h>

#include <map>

#include "base/strings.h"

namespace millrace::connectors::delta {

namespace {

using duckdb::LogicalTypeId;

constexpr size_t kTextMax = 64;  // bytes; longer ones would fill the log

std::map<std::string, duckdb::Value> Entries(const duckdb::Value& map) {
  std::map<std::string, duckdb::Value> entries;
  if (map.IsNull()) return entries;
  for (const duckdb::Value& entry : duckdb::MapValue::GetChildren(map)) {
    const auto& pair = duckdb::StructValue::GetChildren(entry);
    entries[pair[0].ToString()] = pair[1];
  }
  return entries;
}

// "2024-01-31 …", not "12024-01-31" or "infinity", which Delta cannot say.
bool HasPlainDate(const std::string& text) {
  return text.size() >= 10 && text[4] == '-' && text[7] == '-' && !text.ends_with("BC)");
}

// JSON of a smallest or largest value; "" where the log can have none.
std::string ValueJson(const std::string& text, const duckdb::LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::SMALLINT:
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::BIGINT:
    case LogicalTypeId::DECIMAL:
      return text;
    case LogicalTypeId::FLOAT:
    case LogicalTypeId::DOUBLE:
      return text.find_first_of("in") == std::string::npos ? text : "";  // inf, nan
    case LogicalTypeId::VARCHAR:
      return text.size() <= kTextMax ? JsonQuote(text) : "";
    case LogicalTypeId::DATE:
      return HasPlainDate(text) ? JsonQuote(text) : "";
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
      return HasPlainDate(text) ? JsonQuote(PartitionText(text, type)) : "";
    default:
      return "";
  }
}

std::string Object(const std::vector<std::string>& members) {
  return "{" + Join(members, ",") + "}";
}

}  // namespace

std::string StatsJson(int64_t rows, const duckdb::Value& column_statistics,
                      const model::Schema& columns) {
  const auto of_columns = Entries(column_statistics);
  std::vector<std::string> smallest, largest, nulls;
  for (const model::Column& column : columns.columns) {
    const auto found = of_columns.find(QuoteIdentifier(column.name));
    if (found == of_columns.end()) continue;
    auto stats = Entries(found->second);
    const auto text = [&](const char* name) {
      return stats.contains(name) ? stats[name].ToString() : "";
    };
    const std::string name = JsonQuote(column.name) + ":";
    if (stats.contains("null_count")) nulls.push_back(name + text("null_count"));
    if (!stats.contains("min") || !stats.contains("max") || text("has_nan") == "true") continue;
    const std::string low = ValueJson(text("min"), column.type);
    const std::string high = ValueJson(text("max"), column.type);
    if (!low.empty()) smallest.push_back(name + low);
    if (!high.empty()) largest.push_back(name + high);
  }
  return fmt::format("{{\"numRecords\":{},\"minValues\":{},\"maxValues\":{},\"nullCount\":{}}}",
                     rows, Object(smallest), Object(largest), Object(nulls));
}

std::string PartitionText(const std::string& text, const duckdb::LogicalType& type) {
  std::string iso = text;
  if (type.id() == LogicalTypeId::TIMESTAMP_TZ && iso.ends_with("+00")) {
    iso.replace(iso.size() - 3, 3, "Z");
  }
  const bool has_time =
      type.id() == LogicalTypeId::TIMESTAMP_TZ || type.id() == LogicalTypeId::TIMESTAMP;
  if (has_time && iso.size() > 10) iso[10] = 'T';
  return iso;
}

}  // namespace millrace::connectors::delta
