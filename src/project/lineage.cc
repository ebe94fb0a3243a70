#include "project/lineage.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/strings.h"
#include "job/scan_schema.h"
#include "project/dashboard.h"
#include "project/reconcile.h"
#include "sql/lexer.h"
#include "sql/types.h"

namespace millrace::project {

namespace {

using duck::Dependencies;
using duck::Influence;
using duck::QueryLineage;

std::string Id(LineageKind kind, const std::string& name) {
  return kind == LineageKind::kCollector ? LineageKindName(kind)
                                         : fmt::format("{}:{}", LineageKindName(kind), name);
}

// {{filters}} and {{since}} of a chart's query, as they stand when nothing is chosen.
std::string PlainChartQuery(std::string sql) {
  for (const auto& [mark, text] :
       {std::pair{"{{filters}}", "true"}, {"{{since}}", "TIMESTAMP '1970-01-01 00:00:00'"}}) {
    for (size_t at = sql.find(mark); at != std::string::npos; at = sql.find(mark, at)) {
      sql.replace(at, std::string_view(mark).size(), text);
    }
  }
  return sql;
}

// What a query is bound with.
struct Planners {
  std::unique_ptr<duck::Planner> whole;    // views are views
  std::unique_ptr<duck::Planner> layered;  // views are tables, so that they are seen

  static Result<Planners> Create(const sql::Catalog& catalog) {
    Planners out;
    MR_ASSIGN_OR_RETURN(out.whole, sql::NewFlinkPlanner(catalog));
    MR_ASSIGN_OR_RETURN(out.layered, sql::NewFlinkPlanner(catalog));
    return out;
  }
  Status DefineTable(const std::string& name, const model::Schema& schema) const {
    MR_RETURN_IF_ERROR(whole->DefineTable(name, schema));
    return layered->DefineTable(name, schema);
  }
};

class Builder {
 public:
  explicit Builder(const Project& project)
      : project_(project), catalog_(project.catalog()), grown_catalog_(project.grown_catalog()) {}

  Result<Lineage> Build() {
    MR_ASSIGN_OR_RETURN(declared_, Planners::Create(catalog_));
    if (&grown_catalog_ != &catalog_) {
      MR_ASSIGN_OR_RETURN(grown_, Planners::Create(grown_catalog_));
    }
    MR_ASSIGN_OR_RETURN(warehouse_, duck::Planner::Create());
    for (const sql::Table* table : catalog_.Tables()) AddTable(*table);
    for (const sql::View* view : grown_catalog_.Views()) AddView(*view);
    for (const JobStatement& job : project_.jobs()) AddJob(job);
    AddCollector();
    MR_ASSIGN_OR_RETURN(std::vector<Dashboard> dashboards, LoadDashboards(project_.directory()));
    for (const Dashboard& dashboard : dashboards) AddDashboard(dashboard);
    std::vector<Status> faults;
    for (const ReconcileCheck& check : LoadReconcileChecks(project_.directory(), faults)) {
      AddCheck(check);
    }
    return std::move(out_);
  }

 private:
  LineageNode& Node(LineageKind kind, const std::string& name) {
    LineageNode& node = out_.nodes.emplace_back();
    node.id = Id(kind, name);
    node.kind = kind;
    node.name = name;
    return node;
  }
  void Link(const std::string& from, const std::string& to) {
    std::pair<std::string, std::string> link(from, to);
    if (links_.insert(link).second) out_.links.push_back(std::move(link));
  }
  void Edge(LineageEdge edge) {
    if (edges_.insert(edge).second) out_.edges.push_back(std::move(edge));
  }
  // The table or view that a query names.
  std::string IdOf(const std::string& table) const {
    auto known = ids_.find(ToLower(table));
    return known == ids_.end() ? Id(LineageKind::kTable, table) : known->second;
  }
  void AddTable(const sql::Table& table);
  // The table with the columns that it got from its records.
  void AddGrown(const std::string& table, LineageNode& node);
  void AddTopic(const sql::Table& table, const std::string& topic);
  void AddView(const sql::View& view);
  void AddJob(const JobStatement& job);
  void AddCollector();
  void AddDashboard(const Dashboard& dashboard);
  void AddCheck(const ReconcileCheck& check);
  // Tables of the warehouse that a query names which cannot be bound: only that their rows go
  // there.
  void AddNamed(const std::string& query, const std::string& to);
  // Edges of a query's result into `to`; `names[i]`: the column that result column i becomes.
  void AddQuery(const QueryLineage& lineage, const std::string& to,
                const std::vector<std::string>& names, const std::string& by, bool to_all_rows);
  Dependencies WithoutComputed(const Dependencies& from) const;

  // Those that a query is bound with, as Project::Compile does it: with the columns that tables got
  // from their records only where it cannot be bound without them.
  const Planners& PlannersOf(const std::string& query) const {
    if (!grown_.whole || declared_.whole->DescribeQuery(query).ok()) return declared_;
    return grown_.whole->DescribeQuery(query).ok() ? grown_ : declared_;
  }

  const Project& project_;
  const sql::Catalog& catalog_;
  const sql::Catalog& grown_catalog_;  // the same one where no table has grown
  Planners declared_;
  Planners grown_;                            // null where no table has grown
  std::unique_ptr<duck::Planner> warehouse_;  // what dashboards ask
  // What computed columns are made of, by table and column.
  std::map<duck::SourceColumn, Dependencies> computed_;
  std::map<std::string, Dependencies> checks_;  // by table: what its rows depend on
  std::map<std::string, std::string> ids_;      // by name in lower case
  std::map<std::string, std::string> stored_;   // id of a table by its name in the warehouse
  std::map<std::string, std::string> topics_;   // topic's name by table
  std::set<std::pair<std::string, std::string>> links_;
  std::set<LineageEdge> edges_;
  Lineage out_;
};

void Builder::AddTable(const sql::Table& table) {
  const std::string id = Id(LineageKind::kTable, table.name);
  ids_[ToLower(table.name)] = id;
  const size_t index = out_.nodes.size();
  Node(LineageKind::kTable, table.name);
  std::string stored = table.name;
  std::string topic;
  auto binding = project_.Bind(table);
  if (binding.ok()) {
    out_.nodes[index].connector = binding->connector->spec.name;
    auto name = binding->options.find("table-name");
    if (out_.nodes[index].connector == "warehouse" && name != binding->options.end()) {
      stored = name->second;
    }
    auto found = binding->options.find("topic");
    if (found != binding->options.end()) topic = found->second;
  } else {
    out_.nodes[index].note = binding.status().message();
  }
  auto bound = job::BindTable(table, *declared_.whole);
  if (!bound.ok()) {
    out_.nodes[index].note = bound.status().message();
    return;
  }
  const model::Schema& schema = bound->scan.schema;
  std::vector<Dependencies> base;
  for (const std::string& name : job::BaseSchema(table).Names()) {
    base.push_back({{{table.name, name}, Influence::kIdentity, false}});
  }
  size_t next_computed = 0;
  for (size_t i = 0; i < schema.size(); i++) {
    const model::Column& column = schema.columns[i];
    out_.nodes[index].columns.push_back({column.name, sql::ToFlinkType(column.type)});
    if (bound->base_column[i] >= 0) continue;
    Dependencies from = duck::TraceExpression(*bound->computed[next_computed++], base);
    for (const duck::Dependency& d : from) {
      Edge({{id, d.from.column}, {id, column.name}, d.influence, d.masking, id});
    }
    computed_[{table.name, column.name}] = std::move(from);
  }
  for (const auto& check : bound->checks) {
    for (const duck::Dependency& d :
         duck::Compose(Influence::kFilter, duck::TraceExpression(*check, base))) {
      Edge({{id, d.from.column}, {id, ""}, d.influence, d.masking, id});
      checks_[table.name].insert(d);
    }
  }
  // A planner that cannot take a table says so again, and better, at each query over it.
  if (Status s = declared_.DefineTable(table.name, schema); !s.ok()) {
    out_.nodes[index].note = s.message();
  }
  if (grown_.whole) AddGrown(table.name, out_.nodes[index]);
  if (stored_.emplace(ToLower(stored), id).second) {
    if (Status s = warehouse_->DefineTable(stored, schema); !s.ok()) {
      out_.nodes[index].note = s.message();
    }
  }
  if (!topic.empty()) AddTopic(table, topic);
}

void Builder::AddGrown(const std::string& table, LineageNode& node) {
  auto bound = job::BindTable(*grown_catalog_.FindTable(table), *grown_.whole);
  Status defined = bound.status();
  if (defined.ok()) defined = grown_.DefineTable(table, bound->scan.schema);
  if (!defined.ok()) {
    node.note = defined.message();
    return;
  }
  node.columns.clear();
  for (const model::Column& column : bound->scan.schema.columns) {
    node.columns.push_back({column.name, sql::ToFlinkType(column.type)});
  }
}

void Builder::AddTopic(const sql::Table& table, const std::string& topic) {
  topics_[table.name] = topic;
  const std::string id = Id(LineageKind::kTopic, topic);
  auto node = std::find_if(out_.nodes.begin(), out_.nodes.end(),
                           [&](const LineageNode& n) { return n.id == id; });
  if (node == out_.nodes.end()) {
    Node(LineageKind::kTopic, topic);
    node = out_.nodes.end() - 1;
  }
  for (const model::Column& column : table.schema.columns) {
    const bool known = std::any_of(node->columns.begin(), node->columns.end(),
                                   [&](const auto& c) { return c.name == column.name; });
    if (!known) node->columns.push_back({column.name, sql::ToFlinkType(column.type)});
  }
}

void Builder::AddView(const sql::View& view) {
  const std::string id = Id(LineageKind::kView, view.name);
  LineageNode& node = Node(LineageKind::kView, view.name);
  auto fail = [&](const Status& status) { node.note = status.message(); };
  const Planners& planners = PlannersOf(view.query.text);
  if (Status s = planners.whole->DefineView(view.name, view.columns, view.query.text); !s.ok()) {
    return fail(s);
  }
  auto schema = planners.whole->DescribeQuery("SELECT * FROM " + QuoteIdentifier(view.name));
  if (!schema.ok()) return fail(schema.status());
  for (const model::Column& column : schema->columns) {
    node.columns.push_back({column.name, sql::ToFlinkType(column.type)});
  }
  auto lineage = duck::TraceColumns(*planners.layered, view.query.text);
  if (!lineage.ok()) return fail(lineage.status());
  ids_[ToLower(view.name)] = id;
  if (Status s = planners.layered->DefineTable(view.name, *schema); !s.ok()) return fail(s);
  if (grown_.whole && &planners == &declared_) {  // so that the others' queries find it, too
    Status s = grown_.whole->DefineView(view.name, view.columns, view.query.text);
    if (s.ok()) s = grown_.layered->DefineTable(view.name, *schema);
    if (!s.ok()) return fail(s);
  }
  AddQuery(*lineage, id, schema->Names(), id, true);
}

void Builder::AddQuery(const QueryLineage& lineage, const std::string& to,
                       const std::vector<std::string>& names, const std::string& by,
                       bool to_all_rows) {
  for (size_t i = 0; i < lineage.columns.size() && i < names.size(); i++) {
    Dependencies from = lineage.columns[i].from;
    // A chart has rows of its own among those of its dashboard.
    if (!to_all_rows) from.insert(lineage.rows.begin(), lineage.rows.end());
    for (const duck::Dependency& d : from) {
      Edge({{IdOf(d.from.table), d.from.column}, {to, names[i]}, d.influence, d.masking, by});
    }
    if (to_all_rows) continue;
    for (const std::string& table : lineage.tables) {
      Edge({{IdOf(table), ""}, {to, names[i]}, {}, false, by});
    }
  }
  for (const std::string& table : lineage.tables) Link(IdOf(table), by);
  if (!to_all_rows) return;
  for (const duck::Dependency& d : lineage.rows) {
    Edge({{IdOf(d.from.table), d.from.column}, {to, ""}, d.influence, d.masking, by});
  }
  for (const std::string& table : lineage.tables) {
    Edge({{IdOf(table), ""}, {to, ""}, {}, false, by});
  }
}

Dependencies Builder::WithoutComputed(const Dependencies& from) const {
  Dependencies all;
  for (const duck::Dependency& d : from) {
    auto computed = computed_.find(d.from);
    if (computed == computed_.end()) {
      all.insert(d);
    } else {
      all.merge(duck::Compose(d.influence, computed->second, d.masking));
    }
  }
  return all;
}

void Builder::AddJob(const JobStatement& job) {
  const std::string id = Id(LineageKind::kJob, job.settings.name);
  LineageNode& node = Node(LineageKind::kJob, job.settings.name);
  auto fail = [&](const Status& status) { node.note = status.message(); };
  auto sink = catalog_.GetTable(job.insert.target);
  if (!sink.ok()) return fail(sink.status());
  const std::string to = Id(LineageKind::kTable, (*sink)->name);
  Link(id, to);
  auto rewritten = sql::RewriteQuery(job.insert.query);
  if (!rewritten.ok()) return fail(rewritten.status());
  const Planners& planners = PlannersOf(rewritten->text);
  auto layered = duck::TraceColumns(*planners.layered, rewritten->text);
  if (!layered.ok()) return fail(layered.status());
  std::vector<std::string> names =
      job.insert.columns.empty() ? (*sink)->schema.Names() : job.insert.columns;
  AddQuery(*layered, to, names, id, true);
  auto whole = duck::TraceColumns(*planners.whole, rewritten->text);
  if (!whole.ok()) return fail(whole.status());
  JobLineage& lineage = out_.jobs.emplace_back();
  lineage.job = job.settings.name;
  lineage.sink = (*sink)->name;
  lineage.from = std::move(*whole);
  QueryLineage& from = lineage.from;
  for (size_t i = 0; i < from.columns.size(); i++) {
    from.columns[i].from = WithoutComputed(from.columns[i].from);
    if (i < names.size()) from.columns[i].name = names[i];
  }
  from.rows = WithoutComputed(from.rows);
  for (const std::string& table : from.tables) {
    auto checks = checks_.find(table);
    if (checks != checks_.end()) from.rows.insert(checks->second.begin(), checks->second.end());
  }
}

// Topics stand before the tables that are read from them, and behind those that are written to
// them.
void Builder::AddCollector() {
  std::set<std::string> sinks;
  std::set<std::string> written;
  for (const JobStatement& job : project_.jobs()) {
    const sql::Table* sink = catalog_.FindTable(job.insert.target.last());
    if (!sink) continue;
    sinks.insert(sink->name);
    auto topic = topics_.find(sink->name);
    if (topic != topics_.end()) written.insert(topic->second);
  }
  std::set<std::string> collected;
  for (const sql::Table* table : catalog_.Tables()) {
    auto found = topics_.find(table->name);
    if (found == topics_.end()) continue;
    const std::string topic = Id(LineageKind::kTopic, found->second);
    const std::string id = Id(LineageKind::kTable, table->name);
    // A table that is written and read is the topic's source; it is read as it was written.
    const bool writes = sinks.count(table->name) > 0;
    const auto& [from, to] = writes ? std::pair{id, topic} : std::pair{topic, id};
    Link(from, to);
    Edge({{from, ""}, {to, ""}, {}, false, ""});
    for (const model::Column& column : table->schema.columns) {
      Edge({{from, column.name}, {to, column.name}, Influence::kIdentity, false, ""});
    }
    if (!written.count(found->second)) collected.insert(topic);
  }
  if (collected.empty()) return;
  const std::string id = Node(LineageKind::kCollector, "collector").id;
  for (const std::string& topic : collected) {
    Link(id, topic);
    Edge({{id, ""}, {topic, ""}, {}, false, ""});
  }
}

void Builder::AddDashboard(const Dashboard& dashboard) {
  const std::string id = Id(LineageKind::kDashboard, dashboard.name);
  LineageNode& node = Node(LineageKind::kDashboard, dashboard.name);
  std::map<std::string, std::string> ids = ids_;
  ids_ = stored_;  // dashboards ask the warehouse, where tables have the names they are stored by
  for (const Chart& chart : dashboard.charts) {
    auto lineage = duck::TraceColumns(*warehouse_, PlainChartQuery(chart.sql));
    if (lineage.ok()) {
      for (const std::string& filter : chart.filters) {
        for (const DashboardFilter& f : dashboard.filters) {
          if (f.name != filter) continue;
          for (const std::string& table : lineage->tables) {
            const LineageNode* source = out_.Find(IdOf(table));
            const bool has =
                source && std::any_of(source->columns.begin(), source->columns.end(),
                                      [&](const auto& c) { return c.name == f.column; });
            if (has) lineage->rows.insert({{table, f.column}, Influence::kFilter, false});
          }
        }
      }
      std::vector<std::string> names;
      for (const auto& column : lineage->columns) {
        names.push_back(chart.id + "." + column.name);
        node.columns.push_back({names.back(), sql::ToFlinkType(column.type)});
      }
      AddQuery(*lineage, id, names, id, false);
      continue;
    }
    // Over a table that only the running project has, say: then at least what it names.
    node.note = fmt::format("chart \"{}\": {}", chart.id, lineage.status().message());
    AddNamed(chart.sql, id);
  }
  ids_ = std::move(ids);
}

void Builder::AddNamed(const std::string& query, const std::string& to) {
  for (const sql::Token& token : sql::Lex(query, {}).tokens) {
    if (!token.IsName()) continue;
    auto table = stored_.find(ToLower(token.NameText()));
    if (table == stored_.end()) continue;
    Link(table->second, to);
    Edge({{table->second, ""}, {to, ""}, {}, false, to});
  }
}

// Its columns are those that it compares: the key and what stands beside it, taken from both sides.
void Builder::AddCheck(const ReconcileCheck& check) {
  const std::string id = Id(LineageKind::kCheck, check.name);
  LineageNode& node = Node(LineageKind::kCheck, check.name);
  CheckLineage& sides = out_.checks.emplace_back();
  sides.check = check.name;
  std::vector<std::string> names;
  if (check.by != ReconcileCheck::By::kCount) names = check.key;
  if (check.by == ReconcileCheck::By::kChecksum) {
    names.insert(names.end(), check.columns.begin(), check.columns.end());
  }
  std::vector<std::string> columns;
  for (const std::string& name : names) {
    columns.push_back(QuoteIdentifier(name));
    node.columns.push_back({name, ""});
  }
  std::map<std::string, std::string> ids = ids_;
  ids_ = stored_;  // asked of the warehouse, as dashboards are
  for (const auto& [side, tables] : {std::pair{&check.source, &sides.sources},
                                     std::pair{&check.destination, &sides.destinations}}) {
    std::string query =
        fmt::format("SELECT {} FROM ({})", columns.empty() ? "1" : Join(columns, ", "), *side);
    if (!check.time.empty())
      query += fmt::format(" WHERE {} IS NOT NULL", QuoteIdentifier(check.time));
    auto lineage = duck::TraceColumns(*warehouse_, query);
    if (lineage.ok()) {
      AddQuery(*lineage, id, names, id, true);
      for (const std::string& table : lineage->tables) {
        if (const LineageNode* of = out_.Find(IdOf(table))) tables->insert(of->name);
      }
    } else {
      node.note = lineage.status().message();
      AddNamed(*side, id);
    }
  }
  ids_ = std::move(ids);
}

}  // namespace

const char* LineageKindName(LineageKind kind) {
  switch (kind) {
    case LineageKind::kCollector:
      return "collector";
    case LineageKind::kTopic:
      return "topic";
    case LineageKind::kTable:
      return "table";
    case LineageKind::kView:
      return "view";
    case LineageKind::kJob:
      return "job";
    case LineageKind::kDashboard:
      return "dashboard";
    case LineageKind::kCheck:
      return "check";
  }
  return "?";
}

const LineageNode* Lineage::Find(const std::string& id) const {
  for (const LineageNode& node : nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

const JobLineage* Lineage::FindJob(const std::string& job) const {
  for (const JobLineage& one : jobs) {
    if (one.job == job) return &one;
  }
  return nullptr;
}

Result<Lineage> LineageOf(const Project& project) {
  return Builder(project).Build();
}

}  // namespace millrace::project
