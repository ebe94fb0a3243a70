#include "project/dashboard.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <duckdb/common/types/timestamp.hpp>

#include "base/strings.h"
#include "base/units.h"
#include "env/files.h"

namespace millrace::project {

namespace {

std::string Text(const YAML::Node& node, const std::string& fallback = "") {
  return node && node.IsScalar() ? node.Scalar() : fallback;
}

std::vector<std::string> Texts(const YAML::Node& node) {
  std::vector<std::string> texts;
  if (node && node.IsScalar()) texts.push_back(node.Scalar());
  if (node && node.IsSequence()) {
    for (const auto& entry : node) texts.push_back(entry.as<std::string>());
  }
  return texts;
}

Result<Dashboard> LoadOne(const std::string& path, const std::string& name) {
  try {
    YAML::Node root = YAML::LoadFile(path);
    Dashboard dashboard;
    dashboard.name = name;
    dashboard.title = Text(root["title"], name);
    dashboard.description = Text(root["description"]);
    for (const auto& node : root["filters"]) {
      DashboardFilter filter;
      filter.name = Text(node["name"]);
      filter.label = Text(node["label"], filter.name);
      filter.column = Text(node["column"], filter.name);
      filter.sql = Text(node["sql"]);
      dashboard.filters.push_back(filter);
    }
    for (const auto& node : root["charts"]) {
      Chart chart;
      chart.id = Text(node["id"], fmt::format("chart{}", dashboard.charts.size() + 1));
      chart.title = Text(node["title"], chart.id);
      chart.type = Text(node["type"], "table");
      chart.x = Text(node["x"]);
      chart.y = Texts(node["y"]);
      chart.series = Text(node["series"]);
      chart.unit = Text(node["unit"]);
      chart.sql = Text(node["sql"]);
      chart.filters = Texts(node["filters"]);
      chart.click = Text(node["click"]);
      chart.width = Text(node["width"], "half");
      if (chart.sql.empty()) {
        YAML::Mark mark = node.Mark();
        return Status(Code::kBadOption, fmt::format("chart \"{}\" has no sql", chart.id))
            .At({path, mark.line + 1, mark.column + 1, 1});
      }
      dashboard.charts.push_back(chart);
    }
    return dashboard;
  } catch (const YAML::Exception& e) {
    return Status(Code::kSyntax, "not valid YAML: " + e.msg)
        .At({path, e.mark.line + 1, e.mark.column + 1, 1});
  }
}

std::string TextsJson(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(JsonQuote(text));
  return "[" + Join(quoted, ",") + "]";
}

void ReplaceAll(std::string& text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

std::string ChartSql(const Dashboard& dashboard, const Chart& chart,
                     const std::map<std::string, std::string>& params, int64_t now_ms) {
  std::vector<std::string> conditions;
  for (const DashboardFilter& filter : dashboard.filters) {
    auto value = params.find(filter.name);
    bool used =
        std::find(chart.filters.begin(), chart.filters.end(), filter.name) != chart.filters.end();
    if (!used || value == params.end() || value->second.empty()) continue;
    conditions.push_back(fmt::format("CAST({} AS VARCHAR) = {}", QuoteIdentifier(filter.column),
                                     QuoteLiteral(value->second)));
  }
  int64_t range_us = 3600LL * 1'000'000;
  if (auto since = params.find("since"); since != params.end()) {
    auto parsed = ParseDurationMicros(since->second);
    if (parsed.ok()) range_us = *parsed;
  }
  auto start = duckdb::timestamp_t(now_ms * 1000 - range_us);
  std::string sql = chart.sql;
  ReplaceAll(sql, "{{filters}}",
             conditions.empty() ? "true" : "(" + Join(conditions, " AND ") + ")");
  ReplaceAll(sql, "{{since}}", fmt::format("TIMESTAMP '{}'", duckdb::Timestamp::ToString(start)));
  return sql;
}

bool IsTime(const duckdb::LogicalType& type) {
  return type.id() == duckdb::LogicalTypeId::TIMESTAMP ||
         type.id() == duckdb::LogicalTypeId::TIMESTAMP_TZ;
}

// {"columns","rows","fresh_ms","error"}: as QueryResult::ToJson, but times in milliseconds.
std::string ChartJson(const duck::QueryResult& result, int64_t now_ms) {
  std::string out = "{\"columns\":[";
  for (size_t c = 0; c < result.columns.size(); c++) {
    out += fmt::format("{}{{\"name\":{},\"type\":{}}}", c ? "," : "",
                       JsonQuote(result.columns[c].name),
                       JsonQuote(result.columns[c].type.ToString()));
  }
  out += "],\"rows\":[";
  int64_t newest_ms = -1;
  for (size_t r = 0; r < result.row_count(); r++) {
    out += r ? ",[" : "[";
    for (size_t c = 0; c < result.columns.size(); c++) {
      if (c) out += ",";
      duckdb::Value value = result.Get(r, c);
      if (!value.IsNull() && IsTime(result.columns[c].type)) {
        int64_t ms = value.GetValue<duckdb::timestamp_t>().value / 1000;
        newest_ms = std::max(newest_ms, ms);
        out += std::to_string(ms);
      } else {
        duck::AppendJson(value, out);
      }
    }
    out += "]";
  }
  std::string fresh =
      newest_ms < 0 ? "null" : std::to_string(std::max<int64_t>(0, now_ms - newest_ms));
  return out + fmt::format("],\"fresh_ms\":{},\"error\":null}}", fresh);
}

}  // namespace

Result<std::vector<Dashboard>> LoadDashboards(const std::string& project_directory) {
  std::vector<Dashboard> dashboards;
  auto names = env::FileSystem::Real()->List(project_directory + "/dashboards");
  if (!names.ok()) return dashboards;
  for (const std::string& name : *names) {
    if (name.size() < 5 || name.compare(name.size() - 4, 4, ".yml") != 0) continue;
    MR_ASSIGN_OR_RETURN(Dashboard dashboard, LoadOne(project_directory + "/dashboards/" + name,
                                                     name.substr(0, name.size() - 4)));
    dashboards.push_back(std::move(dashboard));
  }
  return dashboards;
}

std::string DashboardListJson(const std::vector<Dashboard>& dashboards) {
  std::vector<std::string> entries;
  for (const Dashboard& d : dashboards) {
    entries.push_back(
        fmt::format("{{\"name\":{},\"title\":{}}}", JsonQuote(d.name), JsonQuote(d.title)));
  }
  return "[" + Join(entries, ",") + "]";
}

std::string DashboardJson(const Dashboard& dashboard, duck::Warehouse& warehouse) {
  std::vector<std::string> filters;
  for (const DashboardFilter& filter : dashboard.filters) {
    std::vector<std::string> values;
    duck::QueryOptions options;
    options.read_only = true;
    options.max_rows = 1000;
    if (!filter.sql.empty()) {
      auto result = warehouse.Query(filter.sql, options);
      for (size_t r = 0; result.ok() && r < result->row_count(); r++) {
        duckdb::Value value = result->Get(r, 0);
        if (!value.IsNull()) values.push_back(value.ToString());
      }
    }
    filters.push_back(fmt::format("{{\"name\":{},\"label\":{},\"values\":{}}}",
                                  JsonQuote(filter.name), JsonQuote(filter.label),
                                  TextsJson(values)));
  }
  std::vector<std::string> charts;
  for (const Chart& c : dashboard.charts) {
    charts.push_back(
        fmt::format("{{\"id\":{},\"title\":{},\"type\":{},\"x\":{},\"y\":{},\"series\":{},\"unit\":"
                    "{},\"sql\":{},"
                    "\"filters\":{},\"click\":{},\"width\":{}}}",
                    JsonQuote(c.id), JsonQuote(c.title), JsonQuote(c.type), JsonQuote(c.x),
                    TextsJson(c.y), JsonQuote(c.series), JsonQuote(c.unit), JsonQuote(c.sql),
                    TextsJson(c.filters), JsonQuote(c.click), JsonQuote(c.width)));
  }
  return fmt::format(
      "{{\"name\":{},\"title\":{},\"description\":{},\"filters\":[{}],\"charts\":[{}]}}",
      JsonQuote(dashboard.name), JsonQuote(dashboard.title), JsonQuote(dashboard.description),
      Join(filters, ","), Join(charts, ","));
}

std::string DashboardDataJson(const Dashboard& dashboard, duck::Warehouse& warehouse,
                              const std::map<std::string, std::string>& params, int64_t now_ms) {
  std::vector<std::string> charts;
  for (const Chart& chart : dashboard.charts) {
    duck::QueryOptions options;
    options.read_only = true;
    options.max_rows = 10'000;
    auto result = warehouse.Query(ChartSql(dashboard, chart, params, now_ms), options);
    std::string body =
        result.ok() ? ChartJson(*result, now_ms)
                    : fmt::format("{{\"columns\":[],\"rows\":[],\"fresh_ms\":null,\"error\":{}}}",
                                  JsonQuote(result.status().message()));
    charts.push_back(JsonQuote(chart.id) + ":" + body);
  }
  return fmt::format("{{\"time_ms\":{},\"charts\":{{{}}}}}", now_ms, Join(charts, ","));
}

}  // namespace millrace::project
