// SourcesOf: from rows of a sink to the records that they were made of, by the columns that are
// handed on as they are (lineage IDENTITY).
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "project/trace.h"
#include "project/trace_records.h"
#include "project/trace_sink.h"

namespace millrace::project {

namespace {

using Values = std::map<std::string, CellText>;  // of a row's columns

std::string ValuesText(const Values& values) {
  std::vector<std::string> parts;
  for (const auto& [name, cell] : values) parts.push_back(name + "=" + cell.value_or("NULL"));
  return Join(parts, ", ");
}

class Upstream {
 public:
  Upstream(const Project& project, const TraceAccess& access, const Lineage& lineage)
      : project_(project), access_(access), lineage_(lineage) {}

  // Adds the first records of the ways that end in a row of `table`.
  Status Follow(const std::string& table, const Values& row) {
    bool any_job = false;
    for (const JobLineage& job : lineage_.jobs) {
      if (job.sink != table) continue;
      any_job = true;
      for (const std::string& source : job.from.tables) {
        MR_RETURN_IF_ERROR(FollowInto(job, *project_.catalog().FindTable(source), row));
      }
    }
    if (any_job) return Status::Ok();
    return Status(Code::kNotFound, fmt::format("no job writes table \"{}\"", table));
  }

  std::vector<TraceRecord> found;
  std::string ended;  // where a way went no further up; "": none did

 private:
  Status FollowInto(const JobLineage& job, const sql::Table& source, const Values& row) {
    MR_ASSIGN_OR_RETURN(job::Binding binding, project_.Bind(source));
    auto topic = binding.options.find("topic");
    if (topic == binding.options.end()) return Status::Ok();  // a look-up's table
    Values values;
    for (const duck::TracedColumn& column : job.from.columns) {
      auto cell = row.find(column.name);
      if (cell == row.end()) continue;
      for (const duck::Dependency& d : column.from) {
        if (d.from.table == source.name && d.influence == duck::Influence::kIdentity) {
          values[d.from.column] = cell->second;
        }
      }
    }
    if (values.empty() || !HasKey(source, values)) return Status::Ok();
    MR_ASSIGN_OR_RETURN(auto records, access_.read_topic(topic->second));
    MR_ASSIGN_OR_RETURN(auto matching, FindRecords(project_, source, records, values));
    if (matching.empty()) {
      ended = fmt::format("no record of topic \"{}\" has {}", topic->second, ValuesText(values));
    }
    const std::string writer = WriterOf(topic->second);
    if (writer.empty()) {
      for (TraceRecord& record : matching) Add(std::move(record));
    } else if (!matching.empty()) {
      return Follow(writer, values);
    }
    return Status::Ok();
  }

  // Rows of versions come from every version that has the same few values: only a row that says
  // which of its source's rows it is leads there.
  bool HasKey(const sql::Table& source, const Values& values) const {
    const bool versions = source.Option("connector") == "upsert-kafka";
    return !versions || std::all_of(source.primary_key.begin(), source.primary_key.end(),
                                    [&](const std::string& name) { return values.count(name); });
  }

  // The table by which a job of the project writes a topic; "": none does.
  std::string WriterOf(const std::string& topic) const {
    for (const JobLineage& job : lineage_.jobs) {
      const sql::Table* sink = project_.catalog().FindTable(job.sink);
      if (!sink) continue;
      auto binding = project_.Bind(*sink);
      if (!binding.ok()) continue;
      auto written = binding->options.find("topic");
      if (written != binding->options.end() && written->second == topic) return job.sink;
    }
    return "";
  }

  void Add(TraceRecord record) {
    if (places_.emplace(record.topic, record.partition, record.offset).second) {
      found.push_back(std::move(record));
    }
  }

  const Project& project_;
  const TraceAccess& access_;
  const Lineage& lineage_;
  std::set<std::tuple<std::string, int, int64_t>> places_;
};

}  // namespace

Result<std::vector<TraceRecord>> SourcesOf(const Project& project, const std::string& table,
                                           const std::string& where, int64_t limit,
                                           const TraceAccess& access) {
  const sql::Table* sink = project.catalog().FindTable(table);
  if (!sink) {
    std::vector<std::string> names;
    for (const sql::Table* one : project.catalog().Tables()) names.push_back(one->name);
    return Status(Code::kUnknownTable, fmt::format("there is no table \"{}\"", table))
        .WithHint(DidYouMean(table, names));
  }
  const std::string name = NameInSql(project, *sink);
  if (name.empty()) {
    return Status(Code::kUnsupported,
                  fmt::format("rows of table \"{}\" cannot be found by SQL", table))
        .WithHint("trace the table that it is made of: millrace trace TABLE --key K");
  }
  MR_ASSIGN_OR_RETURN(const TraceRows rows,
                      AskRows(access.ask, fmt::format("SELECT * FROM {} WHERE ({}\n) LIMIT {}",
                                                      QuoteIdentifier(name), where, limit)));
  if (rows.rows.empty()) {
    return Status(Code::kNotFound, fmt::format("no row of \"{}\" has {}", table, where));
  }
  Lineage read;
  if (!access.lineage) {
    MR_ASSIGN_OR_RETURN(read, LineageOf(project));
  }
  Upstream upstream(project, access, access.lineage ? *access.lineage : read);
  for (const auto& cells : rows.rows) {
    Values row;
    for (size_t c = 0; c < cells.size(); c++) row[rows.columns[c]] = cells[c];
    MR_RETURN_IF_ERROR(upstream.Follow(table, row));
  }
  if (!upstream.found.empty()) return std::move(upstream.found);
  return Status(Code::kNotFound,
                fmt::format("the way up from \"{}\" ends: {}", table,
                            upstream.ended.empty() ? "none of its columns is handed on as it is"
                                                   : upstream.ended));
}

}  // namespace millrace::project
