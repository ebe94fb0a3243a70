// Dashboards: dashboards/*.yml of a project, and the rows of their charts.
//
//   title: Shop
//   description: …
//   filters: [{name: country, label: Country, column: country, sql: "SELECT DISTINCT country …"}]
//   charts:
//     - {id: views, title: Views per minute, type: line, x: window_start, y: [views], series:
//     device,
//        sql: "SELECT … WHERE {{filters}} AND window_start >= {{since}} …", filters: [country],
//        click: device, unit: "", width: half}
// {{filters}} becomes `column = 'value' AND …` for the chart's filters that are set, or `true`;
// {{since}} the start of the time range as a TIMESTAMP literal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "duck/warehouse.h"

namespace millrace::project {

struct DashboardFilter {
  std::string name;
  std::string label;
  std::string column;
  std::string sql;  // one column of values; empty: no list
};

struct Chart {
  std::string id;
  std::string title;
  std::string type;
  std::string x;
  std::vector<std::string> y;
  std::string series;
  std::string unit;
  std::string sql;
  std::vector<std::string> filters;
  std::string click;
  std::string width = "half";
};

struct Dashboard {
  std::string name;  // of the file, without .yml
  std::string title;
  std::string description;
  std::vector<DashboardFilter> filters;
  std::vector<Chart> charts;
};

// All dashboards of a project, by name. A file that cannot be read is the error, with its line.
Result<std::vector<Dashboard>> LoadDashboards(const std::string& project_directory);

// The JSON bodies of docs/reference/http-api.md.
std::string DashboardListJson(const std::vector<Dashboard>& dashboards);
std::string DashboardJson(const Dashboard& dashboard, duck::Warehouse& warehouse);
// Runs every chart's query; a query that fails is that chart's "error". `now_ms`: the range's end.
std::string DashboardDataJson(const Dashboard& dashboard, duck::Warehouse& warehouse,
                              const std::map<std::string, std::string>& params, int64_t now_ms);

}  // namespace millrace::project
