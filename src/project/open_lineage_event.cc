#include "project/open_lineage_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <set>

#include "base/strings.h"
#include "base/version.h"

namespace millrace::project {

namespace {

constexpr const char* kSpec = "https://openlineage.io/spec/";

// A facet's object: its own fields after those that every facet has.
std::string Facet(const std::string& producer, const char* version, const char* name,
                  const std::string& fields) {
  return fmt::format(R"({{"_producer":{},"_schemaURL":"{}facets/{}/{}.json#/$defs/{}"{}{}}})",
                     JsonQuote(producer), kSpec, version, name, name, fields.empty() ? "" : ",",
                     fields);
}

std::string IsoTime(int64_t time_us) {
  const std::time_t seconds = static_cast<std::time_t>(time_us / 1'000'000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     time_us / 1000 % 1000);
}

std::string OptionOf(const job::Binding& binding, const std::string& key) {
  auto found = binding.options.find(key);
  return found == binding.options.end() ? "" : found->second;
}

// "jdbc:postgresql://user:pw@host:5432/db?x=y" -> {"host:5432", "db"}.
std::pair<std::string, std::string> HostAndPath(std::string url) {
  const size_t scheme = url.find("://");
  if (scheme != std::string::npos) url = url.substr(scheme + 3);
  url = url.substr(0, url.find('?'));
  const size_t slash = url.find('/');
  std::string host = url.substr(0, slash);
  if (const size_t at = host.rfind('@'); at != std::string::npos) host = host.substr(at + 1);
  return {host, slash == std::string::npos ? "" : url.substr(slash + 1)};
}

DatasetName LogDataset(const Project& project, const std::string& topic) {
  const KafkaSettings& kafka = project.config().kafka;
  KafkaSettings::Listener listener = kafka.listener;
  if (listener.listen.empty() && !kafka.listeners.empty()) listener = kafka.listeners.front();
  if (listener.listen.empty()) return {"millrace://" + project.config().name, topic};
  if (std::count(listener.advertised.begin(), listener.advertised.end(), ':') == 1) {  // a port
    return {"kafka://" + listener.advertised, topic};
  }
  const size_t colon = listener.listen.rfind(':');
  const std::string port =
      colon == std::string::npos ? listener.listen : listener.listen.substr(colon + 1);
  std::string host = listener.advertised;
  if (host.empty() && colon != std::string::npos) host = listener.listen.substr(0, colon);
  return {fmt::format("kafka://{}:{}", host.empty() ? "localhost" : host, port), topic};
}

DatasetName FileDataset(const std::string& path) {
  const size_t scheme = path.find("://");
  if (scheme == std::string::npos || path.starts_with("file://")) {
    return {"file", scheme == std::string::npos ? path : path.substr(scheme + 3)};
  }
  auto [host, name] = HostAndPath(path);
  return {path.substr(0, scheme + 3) + host, name};
}

// A URI for the dataSource facet, which must be one.
std::string UriOf(const DatasetName& dataset) {
  return dataset.space.find(':') == std::string::npos ? dataset.space + ":///" : dataset.space;
}

}  // namespace

const char* RunEventName(RunEvent event) {
  switch (event) {
    case RunEvent::kStart:
      return "START";
    case RunEvent::kRunning:
      return "RUNNING";
    case RunEvent::kComplete:
      return "COMPLETE";
    case RunEvent::kAbort:
      return "ABORT";
    case RunEvent::kFail:
      return "FAIL";
  }
  return "OTHER";
}

DatasetName DatasetOf(const Project& project, const std::string& table_name) {
  const DatasetName own = {"millrace://" + project.config().name, table_name};
  const sql::Table* table = project.catalog().FindTable(table_name);
  if (!table) return own;
  auto binding = project.Bind(*table);
  if (!binding.ok()) return own;
  const std::string& connector = binding->connector->spec.name;
  std::string stored = OptionOf(*binding, "table-name");
  if (stored.empty()) stored = table->name;
  if (connector == "kafka" || connector == "upsert-kafka") {
    return LogDataset(project, OptionOf(*binding, "topic"));
  }
  if (connector == "kafka-cluster" || connector == "upsert-kafka-cluster") {
    const std::string servers = OptionOf(*binding, "properties.bootstrap.servers");
    return {"kafka://" + servers.substr(0, servers.find(',')), OptionOf(*binding, "topic")};
  }
  if (connector == "warehouse") {
    return {"duckdb://" + project.target_directory() + "/warehouse.duckdb", stored};
  }
  if (connector == "jdbc") {
    auto [host, database] = HostAndPath(OptionOf(*binding, "url"));
    if (host.find(':') == std::string::npos) host += ":5432";
    const bool has_schema = stored.find('.') != std::string::npos;
    return {"postgres://" + host,
            fmt::format("{}.{}{}", database, has_schema ? "" : "public.", stored)};
  }
  if (connector == "filesystem") return FileDataset(OptionOf(*binding, "path"));
  return own;
}

OpenLineageEvents::OpenLineageEvents(const Project& project, const OpenLineageSettings& settings)
    : project_(project),
      space_(settings.job_namespace.empty() ? project.config().name : settings.job_namespace),
      producer_(fmt::format("urn:millrace:{}", kVersion)) {
  auto lineage = LineageOf(project);
  if (lineage.ok()) lineage_ = std::move(*lineage);
  for (const sql::Table* table : project.catalog().Tables()) {
    datasets_[table->name] = DatasetOf(project, table->name);
  }
}

std::string OpenLineageEvents::FieldJson(const std::string& table, const std::string& column,
                                         const std::vector<duck::Dependency>& ways) const {
  auto dataset = datasets_.find(table);
  if (dataset == datasets_.end()) return "";
  std::vector<std::string> transformations;
  for (const duck::Dependency& d : ways) {
    transformations.push_back(
        fmt::format(R"({{"type":"{}","subtype":"{}","description":"","masking":{}}})",
                    duck::IsDirect(d.influence) ? "DIRECT" : "INDIRECT",
                    duck::InfluenceName(d.influence), d.masking));
  }
  return fmt::format(R"({{"namespace":{},"name":{},"field":{},"transformations":[{}]}})",
                     JsonQuote(dataset->second.space), JsonQuote(dataset->second.name),
                     JsonQuote(column), Join(transformations, ","));
}

// One input field per column, with all its ways.
std::string OpenLineageEvents::FieldsJson(const duck::Dependencies& from) const {
  std::map<duck::SourceColumn, std::vector<duck::Dependency>> by_column;
  for (const duck::Dependency& d : from) by_column[d.from].push_back(d);
  std::vector<std::string> fields;
  for (const auto& [column, ways] : by_column) {
    std::string field = FieldJson(column.table, column.column, ways);
    if (!field.empty()) fields.push_back(std::move(field));
  }
  return "[" + Join(fields, ",") + "]";
}

std::string OpenLineageEvents::ColumnLineageJson(const JobLineage& job) const {
  std::vector<std::string> fields;
  for (const duck::TracedColumn& column : job.from.columns) {
    fields.push_back(
        fmt::format(R"({}:{{"inputFields":{}}})", JsonQuote(column.name), FieldsJson(column.from)));
  }
  return fmt::format(R"("columnLineage":{})",
                     Facet(producer_, "1-2-0", "ColumnLineageDatasetFacet",
                           fmt::format(R"("fields":{{{}}},"dataset":{})", Join(fields, ","),
                                       FieldsJson(job.from.rows))));
}

std::string OpenLineageEvents::DatasetJson(const std::string& table, const std::string& more_facets,
                                           const std::string& role_facets) const {
  auto known = datasets_.find(table);
  const DatasetName dataset = known == datasets_.end() ? DatasetOf(project_, table) : known->second;
  std::vector<std::string> facets;
  facets.push_back(fmt::format(R"("dataSource":{})",
                               Facet(producer_, "1-0-1", "DatasourceDatasetFacet",
                                     fmt::format(R"("name":{},"uri":{})", JsonQuote(dataset.space),
                                                 JsonQuote(UriOf(dataset))))));
  if (const LineageNode* node = lineage_.Find("table:" + table)) {
    std::vector<std::string> fields;
    for (const LineageColumn& column : node->columns) {
      fields.push_back(fmt::format(R"({{"name":{},"type":{}}})", JsonQuote(column.name),
                                   JsonQuote(column.type)));
    }
    facets.push_back(
        fmt::format(R"("schema":{})", Facet(producer_, "1-2-0", "SchemaDatasetFacet",
                                            fmt::format(R"("fields":[{}])", Join(fields, ",")))));
  }
  if (!more_facets.empty()) facets.push_back(more_facets);
  return fmt::format(R"({{"namespace":{},"name":{},"facets":{{{}}},{}}})", JsonQuote(dataset.space),
                     JsonQuote(dataset.name), Join(facets, ","), role_facets);
}

std::string OpenLineageEvents::ErrorFacet(const std::string& message) const {
  return fmt::format(
      R"("errorMessage":{})",
      Facet(producer_, "1-0-1", "ErrorMessageRunFacet",
            fmt::format(R"("message":{},"programmingLanguage":"SQL")", JsonQuote(message))));
}

std::string OpenLineageEvents::EventJson(RunEvent event, const std::string& run_id, int64_t time_us,
                                         EventParts parts) const {
  parts.run_facets.push_back(fmt::format(
      R"("processing_engine":{})",
      Facet(producer_, "1-1-1", "ProcessingEngineRunFacet",
            fmt::format(R"("version":"{0}","name":"Millrace","openlineageAdapterVersion":"{0}")",
                        kVersion))));
  return fmt::format(
      R"({{"eventTime":"{}","producer":{},"schemaURL":"{}2-0-2/OpenLineage.json#/$defs/RunEvent",)"
      R"("eventType":"{}","run":{{"runId":"{}","facets":{{{}}}}},)"
      R"("job":{{"namespace":{},"name":{},"facets":{{{}}}}},"inputs":[{}],"outputs":[{}]}})",
      IsoTime(time_us), JsonQuote(producer_), kSpec, RunEventName(event), run_id,
      Join(parts.run_facets, ","), JsonQuote(space_), JsonQuote(parts.job),
      Join(parts.job_facets, ","), Join(parts.inputs, ","), Join(parts.outputs, ","));
}

std::string OpenLineageEvents::ToJson(RunEvent event, const std::string& run_id,
                                      const job::JobStatus& status, int64_t time_us) const {
  EventParts parts;
  parts.job = status.name;
  if (!status.error.ok()) {
    std::string message = status.error.message();
    if (!status.error.hint().empty()) message += "; hint: " + status.error.hint();
    parts.run_facets.push_back(ErrorFacet(message));
  }
  std::string query;
  for (const JobStatement& job : project_.jobs()) {
    if (job.settings.name != status.name) continue;
    // Options in a hint may hold a secret.
    query = job.insert.options.empty() ? job.sql : job.insert.query.text;
  }
  parts.job_facets = {fmt::format(
      R"("jobType":{})",
      Facet(producer_, "2-0-4", "JobTypeJobFacet",
            R"("processingType":"STREAMING","integration":"MILLRACE","jobType":"JOB")"))};
  if (!query.empty()) {
    parts.job_facets.push_back(fmt::format(
        R"("sql":{})", Facet(producer_, "1-1-0", "SQLJobFacet",
                             fmt::format(R"("query":{},"dialect":"flink")", JsonQuote(query)))));
  }
  const JobLineage* lineage = lineage_.FindJob(status.name);
  std::set<std::string> tables;  // those that are looked up, too
  if (lineage) tables = lineage->from.tables;
  for (const job::SourceStatus& source : status.sources) tables.insert(source.table);
  for (const std::string& table : tables) {
    std::string statistics = R"("inputFacets":{})";
    for (const job::SourceStatus& source : status.sources) {
      if (source.table != table) continue;
      statistics = fmt::format(R"("inputFacets":{{"inputStatistics":{}}})",
                               Facet(producer_, "1-0-0", "InputStatisticsInputDatasetFacet",
                                     fmt::format(R"("rowCount":{})", source.rows_in)));
    }
    parts.inputs.push_back(DatasetJson(table, "", statistics));
  }
  parts.outputs.push_back(
      DatasetJson(status.sink_table, lineage ? ColumnLineageJson(*lineage) : "",
                  fmt::format(R"("outputFacets":{{"outputStatistics":{}}})",
                              Facet(producer_, "1-0-2", "OutputStatisticsOutputDatasetFacet",
                                    fmt::format(R"("rowCount":{})", status.rows_out)))));
  return EventJson(event, run_id, time_us, std::move(parts));
}

// What a check says of its destination.
std::string OpenLineageEvents::AssertionFacets(const ReconcileResult& result) const {
  return fmt::format(
      R"("inputFacets":{{"dataQualityAssertions":{}}})",
      Facet(producer_, "1-1-0", "DataQualityAssertionsDatasetFacet",
            fmt::format(R"("assertions":[{{"assertion":"reconciliation","name":{},"success":{},)"
                        R"("severity":"error","description":{},"expected":"{}","actual":"{}"}}])",
                        JsonQuote(result.name), result.ok, JsonQuote(result.ToText()),
                        result.source_rows, result.destination_rows)));
}

std::string OpenLineageEvents::ToJson(RunEvent event, const std::string& run_id,
                                      const ReconcileResult& result) const {
  EventParts parts;
  parts.job = "reconcile." + result.name;
  parts.job_facets = {fmt::format(
      R"("jobType":{})",
      Facet(producer_, "2-0-4", "JobTypeJobFacet",
            R"("processingType":"BATCH","integration":"MILLRACE","jobType":"RECONCILIATION")"))};
  if (event == RunEvent::kFail) parts.run_facets.push_back(ErrorFacet(result.error));
  for (const CheckLineage& check : lineage_.checks) {
    if (check.check != result.name) continue;
    std::set<std::string> tables = check.sources;
    tables.insert(check.destinations.begin(), check.destinations.end());
    for (const std::string& table : tables) {
      const bool judged = event == RunEvent::kComplete && check.destinations.count(table) > 0;
      parts.inputs.push_back(
          DatasetJson(table, "", judged ? AssertionFacets(result) : R"("inputFacets":{})"));
    }
  }
  if (parts.inputs.empty()) return "";
  return EventJson(event, run_id, result.time_ms * 1000, std::move(parts));
}

}  // namespace millrace::project
