#include "project/trace_sink.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "base/strings.h"
#include "connectors/lookup.h"
#include "duck/door.h"

namespace millrace::project {

namespace {

constexpr size_t kRowsAsked = 100;

// A column of the made rows that the sink has, too.
struct Shared {
  size_t made = 0;
  size_t column = 0;  // of the sink's schema
};

std::vector<Shared> OwnColumns(const sql::Table& sink, const MadeRows& made) {
  std::vector<Shared> own;
  for (size_t c = 0; c < made.rows.columns.size(); c++) {
    const int column = sink.schema.Find(made.rows.columns[c]);
    if (column >= 0 && made.own[c]) own.push_back({c, static_cast<size_t>(column)});
  }
  return own;
}

// The columns of the sink's key; all of `own` where it has none, or others decide it, too.
std::vector<Shared> KeyAmong(const sql::Table& sink, const std::vector<Shared>& own) {
  std::vector<std::string> names = sink.primary_key;
  if (names.empty()) names = millrace::Split(sink.Option("key.fields"), ';');
  std::vector<Shared> key;
  for (const std::string& name : names) {
    auto at = std::find_if(own.begin(), own.end(), [&](const Shared& shared) {
      return sink.schema.columns[shared.column].name == name;
    });
    if (at != own.end()) key.push_back(*at);
  }
  return key.empty() || key.size() != names.size() ? own : key;
}

std::string Shown(const CellText& cell) {
  return cell.value_or("NULL");
}

std::string Difference(const std::string& column, const CellText& there, const CellText& here) {
  return fmt::format("{} is {} there, {} by this record alone", column, Shown(there), Shown(here));
}

std::string Literal(const CellText& cell, const duckdb::LogicalType& type) {
  return fmt::format("CAST({} AS {})", cell ? QuoteLiteral(*cell) : "NULL", type.ToString());
}

// ---- by SQL ------------------------------------------------------------------------------------

// The last column of the answer: names of the columns that differ, NULL for those that do not.
std::vector<std::string> TakeDifferences(TraceRows& rows, const TraceRows& made, size_t row) {
  std::vector<std::string> differences;
  rows.columns.pop_back();
  for (std::vector<CellText>& cells : rows.rows) {
    const std::string list = cells.back().value_or("[]");
    cells.pop_back();
    simdjson::dom::parser parser;
    simdjson::dom::array names;
    if (parser.parse(list).get(names)) continue;
    for (simdjson::dom::element element : names) {
      std::string_view name;
      if (element.get(name)) continue;
      auto index = [&](const std::vector<std::string>& columns) {
        return static_cast<size_t>(std::find(columns.begin(), columns.end(), name) -
                                   columns.begin());
      };
      differences.push_back(Difference(std::string(name), cells[index(rows.columns)],
                                       made.rows[row][index(made.columns)]));
    }
  }
  return differences;
}

Status AskBySql(const sql::Table& sink, const std::string& stored, const MadeRows& made,
                const std::vector<Shared>& key, const std::vector<Shared>& own, const AskSql& ask,
                SinkAnswer& answer) {
  for (size_t r = 0; r < made.rows.rows.size() && r < kRowsAsked; r++) {
    std::vector<std::string> equal, differs;
    for (const Shared& shared : key) {
      const model::Column& column = sink.schema.columns[shared.column];
      equal.push_back(fmt::format("{} IS NOT DISTINCT FROM {}", QuoteIdentifier(column.name),
                                  Literal(made.rows.rows[r][shared.made], column.type)));
    }
    for (const Shared& shared : own) {
      const model::Column& column = sink.schema.columns[shared.column];
      differs.push_back(fmt::format(
          "CASE WHEN {} IS DISTINCT FROM {} THEN {} END", QuoteIdentifier(column.name),
          Literal(made.rows.rows[r][shared.made], column.type), QuoteLiteral(column.name)));
    }
    MR_ASSIGN_OR_RETURN(
        TraceRows found,
        AskRows(ask, fmt::format("SELECT *, [{}] AS mr_differs FROM {} WHERE {} LIMIT {}",
                                 Join(differs, ", "), QuoteIdentifier(stored),
                                 equal.empty() ? "true" : Join(equal, " AND "), kRowsAsked)));
    for (std::string& text : TakeDifferences(found, made.rows, r)) {
      answer.differences.push_back(std::move(text));
    }
    answer.rows.columns = found.columns;
    for (auto& row : found.rows) answer.rows.rows.push_back(std::move(row));
    if (equal.empty()) break;  // these are all rows
  }
  return Status::Ok();
}

// ---- by key ------------------------------------------------------------------------------------

class FoundRows : public connectors::LookupOutput {
 public:
  void OnRows(duckdb::DataChunk& rows, const std::vector<uint32_t>& keys) override {
    for (size_t r = 0; r < keys.size(); r++) {
      std::vector<CellText> cells;
      for (duckdb::idx_t c = 0; c < rows.ColumnCount(); c++) {
        cells.push_back(TextOf(rows.GetValue(c, r)));
      }
      found.emplace_back(keys[r], std::move(cells));
    }
  }
  void OnBad(uint32_t, const std::string& why) override { bad = why; }

  std::vector<std::pair<uint32_t, std::vector<CellText>>> found;  // by row of the keys
  std::string bad;
};

Result<std::unique_ptr<connectors::Lookup>> OpenLookup(const Project& project,
                                                       const sql::Table& sink, job::Binding binding,
                                                       const connectors::LookupQuery& query) {
  MR_RETURN_IF_ERROR(job::TakeTableSettings(binding.options).status());
  connectors::TableContext context;
  context.name = sink.name;
  context.schema = sink.schema;
  context.primary_key = sink.primary_key;
  MR_ASSIGN_OR_RETURN(context.options,
                      connectors::ParseOptions(binding.connector->spec, binding.options));
  context.job = "trace";
  context.services.base_dir = project.directory();
  MR_ASSIGN_OR_RETURN(auto lookup, binding.connector->new_lookup(context, query));
  MR_RETURN_IF_ERROR(lookup->Open());
  return lookup;
}

Status AskByKey(const Project& project, const sql::Table& sink, const job::Binding& binding,
                const MadeRows& made, const std::vector<Shared>& key,
                const std::vector<Shared>& own, SinkAnswer& answer) {
  connectors::LookupQuery query;
  duckdb::vector<duckdb::LogicalType> types;
  for (const Shared& shared : key) {
    query.keys.push_back(shared.column);
    types.push_back(sink.schema.columns[shared.column].type);
  }
  for (size_t c = 0; c < sink.schema.size(); c++) query.columns.push_back(c);
  duckdb::DataChunk keys;
  keys.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  MR_ASSIGN_OR_RETURN(auto lookup, OpenLookup(project, sink, binding, query));
  std::vector<size_t> asked;  // made rows
  const size_t most = std::min(kRowsAsked, lookup->keys_max());
  for (size_t r = 0; r < made.rows.rows.size() && asked.size() < most; r++) {
    const std::vector<CellText>& cells = made.rows.rows[r];
    const bool whole = std::all_of(key.begin(), key.end(), [&](const Shared& shared) {
      return cells[shared.made].has_value();
    });
    if (!whole) continue;  // no row has such a key
    for (size_t k = 0; k < key.size(); k++) {
      keys.SetValue(k, asked.size(), duckdb::Value(*cells[key[k].made]).DefaultCastAs(types[k]));
    }
    asked.push_back(r);
  }
  keys.SetCardinality(asked.size());
  if (asked.empty()) return Status::Ok();
  FoundRows found;
  MR_RETURN_IF_ERROR(lookup->Ask(keys, found));
  answer.note = found.bad;
  answer.rows.columns = sink.schema.Names();
  for (auto& [k, cells] : found.found) {
    for (const Shared& shared : own) {
      const CellText& here = made.rows.rows[asked[k]][shared.made];
      if (cells[shared.column] == here) continue;
      answer.differences.push_back(
          Difference(sink.schema.columns[shared.column].name, cells[shared.column], here));
    }
    answer.rows.rows.push_back(std::move(cells));
  }
  return Status::Ok();
}

}  // namespace

Result<TraceRows> AskRows(const AskSql& ask, const std::string& sql) {
  MR_ASSIGN_OR_RETURN(const std::string json, ask(sql));
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  simdjson::dom::array columns, rows;
  if (parser.parse(json).get(answer) || answer["columns"].get(columns) ||
      answer["rows"].get(rows)) {
    return Status(Code::kCorruption, "the answer to a question of the trace cannot be read");
  }
  TraceRows out;
  for (simdjson::dom::element column : columns) {
    std::string_view name;
    if (column["name"].get(name)) continue;
    out.columns.emplace_back(name);
  }
  for (simdjson::dom::array row : rows) {
    std::vector<CellText> cells;
    for (simdjson::dom::element value : row) {
      std::string_view text;
      if (value.is_null()) {
        cells.emplace_back();
      } else if (!value.get(text)) {
        cells.emplace_back(std::string(text));
      } else {
        cells.emplace_back(simdjson::minify(value));
      }
    }
    out.rows.push_back(std::move(cells));
  }
  return out;
}

std::string NameInSql(const Project& project, const sql::Table& table) {
  auto binding = project.Bind(table);
  if (!binding.ok()) return "";
  const std::string& connector = binding->connector->spec.name;
  const std::string stored = connector == "warehouse" ? table.Option("table-name") : "";
  if (connector != "warehouse" && connector != "jdbc" && !binding->options.count("topic"))
    return "";
  return stored.empty() ? table.name : stored;
}

Result<SinkAnswer> AskSink(const Project& project, const sql::Table& sink, const MadeRows& made,
                           const AskSql& ask) {
  SinkAnswer answer;
  const std::vector<Shared> own = OwnColumns(sink, made);
  const std::vector<Shared> key = KeyAmong(sink, own);
  for (const Shared& shared : key) {
    answer.found_by.push_back(sink.schema.columns[shared.column].name);
  }
  MR_ASSIGN_OR_RETURN(job::Binding binding, project.Bind(sink));
  const std::string stored = NameInSql(project, sink);
  const bool embedded = binding.connector->spec.name != "jdbc" && !stored.empty();
  const bool by_key = !embedded && binding.connector->new_lookup != nullptr && !key.empty() &&
                      key.size() == sink.primary_key.size();
  Status asked = duck::AtTheDoor([&]() -> Status {
    if (by_key) return AskByKey(project, sink, binding, made, key, own, answer);
    if (!stored.empty()) return AskBySql(sink, stored, made, key, own, ask, answer);
    return Status(Code::kUnsupported, fmt::format("the sink \"{}\" ({}) cannot be asked from here",
                                                  sink.name, binding.connector->spec.name));
  });
  if (!asked.ok()) answer.note = asked.message();
  return answer;
}

}  // namespace millrace::project
