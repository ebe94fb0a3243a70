#include "job/job_structure.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <duckdb/common/serializer/serializer.hpp>
#include <duckdb/planner/operator/logical_get.hpp>
#include <set>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/served_function.h"
#include "duck/time_zone.h"
#include "job/compiled_job.h"
#include "job/job_entries.h"

namespace millrace::job {

namespace {

using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

// To be changed with the format of any operator's state entries.
constexpr const char* kStateForm = "2";
// With a time to live, entries also say when they were written.
constexpr const char* kStateFormWithTimes = "2, with times";
constexpr const char* kShards = "the number of shards";
constexpr const char* kState = "what the state is made of";
constexpr const char* kRest = "steps without state";
constexpr const char* kTable = "table ";
constexpr const char* kSink = "the columns or the key of the table it writes";

// DuckDB's own way of writing a plan down, as text without names and numbers given by the binder.
class PlanText : public duckdb::Serializer {
 public:
  explicit PlanText(bool keeps_indexes) {
    skipped_ = {"alias", "query_location", "names", "estimated_cardinality",
                "has_estimated_cardinality"};
    if (keeps_indexes) return;
    skipped_.insert({"table_index", "group_index", "aggregate_index", "groupings_index",
                     "window_index", "unnest_index", "mark_index"});
  }
  std::string text;

 protected:
  void OnPropertyBegin(const duckdb::field_id_t, const char* tag) override {
    if (skipping_ > 0 || skipped_.count(tag)) {
      skipping_++;
      return;
    }
    text += fmt::format("{}:", tag);
  }
  void OnPropertyEnd() override {
    if (skipping_ > 0) {
      skipping_--;
    } else {
      text += ' ';
    }
  }
  void OnOptionalPropertyBegin(const duckdb::field_id_t id, const char* tag, bool) override {
    OnPropertyBegin(id, tag);
  }
  void OnOptionalPropertyEnd(bool) override { OnPropertyEnd(); }
  void OnObjectBegin() override { Put("{"); }
  void OnObjectEnd() override { Put("}"); }
  void OnListBegin(duckdb::idx_t count) override { Put(fmt::format("[{}|", count)); }
  void OnListEnd() override { Put("]"); }
  void OnNullableBegin(bool present) override { Put(present ? "" : "-"); }
  void OnNullableEnd() override {}
  void WriteNull() override { Put("null"); }
  void WriteValue(char value) override { Put(std::to_string(value)); }
  void WriteValue(bool value) override { Put(value ? "true" : "false"); }
  void WriteValue(uint8_t value) override { Put(std::to_string(value)); }
  void WriteValue(int8_t value) override { Put(std::to_string(value)); }
  void WriteValue(uint16_t value) override { Put(std::to_string(value)); }
  void WriteValue(int16_t value) override { Put(std::to_string(value)); }
  void WriteValue(uint32_t value) override { Put(std::to_string(value)); }
  void WriteValue(int32_t value) override { Put(std::to_string(value)); }
  void WriteValue(uint64_t value) override { Put(std::to_string(value)); }
  void WriteValue(int64_t value) override { Put(std::to_string(value)); }
  void WriteValue(duckdb::hugeint_t value) override { Put(value.ToString()); }
  void WriteValue(duckdb::uhugeint_t value) override { Put(value.ToString()); }
  void WriteValue(float value) override { Put(fmt::format("{:a}", value)); }
  void WriteValue(double value) override { Put(fmt::format("{:a}", value)); }
  void WriteValue(const duckdb::string_t value) override { Put(JsonQuote(value.GetString())); }
  void WriteValue(const std::string& value) override { Put(JsonQuote(value)); }
  void WriteValue(const char* value) override { Put(JsonQuote(value)); }
  void WriteDataPtr(duckdb::const_data_ptr_t bytes, duckdb::idx_t count) override {
    Put(fmt::format("#{:016x}/{}", XXH3_64bits(bytes, count), count));
  }

 private:
  void Put(const std::string& piece) {
    if (skipping_ == 0) text += piece + ",";
  }
  std::set<std::string> skipped_;
  int skipping_ = 0;
};

// Branches that read one result are told apart by the binder's numbers only.
bool SharesBranches(const LogicalOperator& node) {
  switch (node.type) {
    case LogicalOperatorType::LOGICAL_MATERIALIZED_CTE:
    case LogicalOperatorType::LOGICAL_CTE_REF:
    case LogicalOperatorType::LOGICAL_DELIM_JOIN:
    case LogicalOperatorType::LOGICAL_DELIM_GET:
      return true;
    default:
      break;
  }
  for (const auto& child : node.children) {
    if (SharesBranches(*child)) return true;
  }
  return false;
}

std::string ScanText(const duckdb::LogicalGet& get, const std::string& table) {
  std::string text = fmt::format("scan {}", JsonQuote(table));
  for (const duckdb::ColumnIndex& column : get.GetColumnIds()) {
    text += column.IsVirtualColumn() ? " v" : fmt::format(" {}", column.GetPrimaryIndex());
    for (const duckdb::ColumnIndex& field : column.GetChildIndexes()) {
      text += field.HasPrimaryIndex() ? fmt::format(".{}", field.GetPrimaryIndex()) : ".*";
    }
  }
  text += " gives";
  for (duckdb::idx_t c : get.projection_ids) text += fmt::format(" {}", c);
  return text;
}

std::string NodeText(LogicalOperator& node, bool keeps_indexes) {
  if (node.type == LogicalOperatorType::LOGICAL_GET) {
    const auto& get = node.Cast<duckdb::LogicalGet>();
    if (get.function.name == duck::kScanFunction) {
      return ScanText(get, duck::ScannedTable(*get.bind_data));
    }
  }
  PlanText text(keeps_indexes);
  auto children = std::move(node.children);
  node.children.clear();
  Status written = duck::AtTheDoor([&] {
    node.Serialize(text);
    return Status::Ok();
  });
  node.children = std::move(children);
  // Something that nothing equals: who cannot tell must not keep the state.
  if (!written.ok()) return "unknown: " + written.message();
  return text.text;
}

void AddTree(LogicalOperator& node, bool keeps_indexes, int depth, std::string& text) {
  text += fmt::format("{:{}}{} {}\n", "", depth, duckdb::LogicalOperatorToString(node.type),
                      NodeText(node, keeps_indexes));
  for (auto& child : node.children) AddTree(*child, keeps_indexes, depth + 1, text);
}

std::string SourceText(const SourceTable& source) {
  const sql::Table& table = *source.table;
  std::string text = source.binding.connector->spec.name + "\n";
  for (const model::Column& column : source.bound.scan.schema.columns) {
    text += fmt::format("{} {},", JsonQuote(column.name), column.type.ToString());
  }
  for (const sql::ComputedColumn& column : table.computed) {
    text += fmt::format("\n{} AS {}", JsonQuote(column.name), column.expression.text);
  }
  for (const sql::MetadataColumn& column : table.metadata) {
    text += fmt::format("\n{} FROM {}", JsonQuote(column.name), JsonQuote(column.key));
  }
  if (table.watermark) {
    text += fmt::format("\nwatermark {} {}", Join(table.watermark->column, "."),
                        table.watermark->expression.text);
  }
  for (const sql::Check& check : table.checks) {
    if (!check.enforced) continue;
    text += fmt::format("\ncheck {} {}", static_cast<int>(check.action), check.expression.text);
  }
  text += fmt::format("\nchanges {} late {} {}", static_cast<int>(source.bound.scan.changelog),
                      static_cast<int>(source.settings.late.value_or(LateRowsPolicy::kDeadLetter)),
                      source.settings.allowed_lateness_us);
  // Which bytes these are and how they are read; not where to begin, nor how to connect, nor what
  // becomes of records that are not as declared. Hashed: there may be passwords among them.
  std::string options;
  for (const auto& [key, value] : source.binding.options) {
    if (key.rfind("scan.", 0) == 0 || key.rfind("properties.", 0) == 0) continue;
    if (key.ends_with(".schema-drift")) continue;
    options += fmt::format("{}={}\n", key, value);
  }
  text += fmt::format("\noptions {:016x}", XXH3_64bits(options.data(), options.size()));
  return text;
}

std::string SinkText(const sql::Table& sink) {
  std::string text;
  for (const model::Column& column : sink.schema.columns) {
    text += fmt::format("{} {},", JsonQuote(column.name), column.type.ToString());
  }
  return text + " key " + Join(sink.primary_key, ",");
}

// Which place it is; hashed as the sources' options are. How rows get there may change.
std::string PlaceText(const Binding& binding) {
  std::string text;
  for (const char* key : {"url", "table-name", "topic", "path"}) {
    auto option = binding.options.find(key);
    if (option != binding.options.end()) text += fmt::format("{}={}\n", key, option->second);
  }
  return fmt::format("{} {:016x}", binding.connector->spec.name,
                     XXH3_64bits(text.data(), text.size()));
}

// Such a step keeps answers.
bool AsksServices(const LogicalOperator& node) {
  return std::any_of(node.expressions.begin(), node.expressions.end(),
                     [](const auto& e) { return duck::FindServedCall(*e) != nullptr; });
}

}  // namespace

PlanTexts DescribePlan(duck::Plan& plan, bool stateful) {
  PlanTexts texts;
  const bool keeps_indexes = SharesBranches(*plan.root);
  if (!stateful) {
    AddTree(*plan.root, keeps_indexes, 0, texts.rest);
    return texts;
  }
  LogicalOperator* node = plan.root.get();
  while ((node->type == LogicalOperatorType::LOGICAL_PROJECTION ||
          node->type == LogicalOperatorType::LOGICAL_FILTER) &&
         !AsksServices(*node)) {
    texts.rest +=
        duckdb::LogicalOperatorToString(node->type) + " " + NodeText(*node, keeps_indexes) + "\n";
    node = node->children[0].get();
  }
  // A filter on a rank decides how many rows are kept.
  if (node->type == LogicalOperatorType::LOGICAL_WINDOW || keeps_indexes) {
    texts.rest.clear();
    node = plan.root.get();
  }
  AddTree(*node, keeps_indexes, 0, texts.state);
  return texts;
}

JobStructure StructureOf(const CompiledJob& job, const PlanTexts& texts) {
  JobStructure structure;
  std::string operators;
  for (const auto& op : job.plan.operators) {
    const stream::OperatorDescription d = op->Describe();
    if (!d.state.empty()) operators += fmt::format("{} {} {}\n", op->id(), d.name, d.changelog);
  }
  structure.stateful = !operators.empty();
  structure.appends = job.plan.changelog == stream::ChangelogKind::kAppend;
  auto& parts = structure.parts;
  parts[kShards] = std::to_string(job.settings.shards);
  parts[kState] = operators + texts.state;
  parts[kRest] = texts.rest;
  if (auto zone = duck::SessionTimeZone(job.planner->context()); zone) {
    parts["'table.local-time-zone'"] = zone->name();
  }
  if (structure.stateful) {
    parts["how this version of Millrace writes state"] =
        job.settings.state_ttl_us > 0 ? kStateFormWithTimes : kStateForm;
    parts["'table.exec.state.ttl'"] = std::to_string(job.settings.state_ttl_us);
  }
  parts["how its result changes"] = structure.appends ? "append" : "retract";
  if (job.sink) {
    parts[kSink] = SinkText(*job.sink);
    parts["where it writes"] = PlaceText(job.sink_binding);
  }
  const stream::WindowEmit emit = job.settings.Emit();
  parts["when results are shown"] =
      fmt::format("{} {} {}", emit.early, emit.early_delay_us, emit.late_delay_us);
  for (const auto& [name, lookup] : job.lookups) {
    parts[fmt::format("{} \"{}\"", name.ends_with(")") ? "function" : "lookup table", name)] =
        PlaceText(lookup.binding);
  }
  for (size_t i = 0; i < job.sources.size(); i++) {
    parts[fmt::format("{}\"{}\" (input {})", kTable, job.sources[i].table->name, i + 1)] =
        SourceText(job.sources[i]);
  }
  return structure;
}

namespace {

// Whether two texts of a table (SourceText) are the same but for columns at the end of one: no plan
// reads those without being another itself.
bool DiffersInLastColumns(const std::string& a, const std::string& b) {
  const size_t columns = a.find('\n') + 1;
  const size_t a_end = a.find('\n', columns);
  const size_t b_end = b.find('\n', columns);
  if (columns == 0 || a_end == std::string::npos || b_end == std::string::npos) return false;
  if (a.compare(0, columns, b, 0, columns) != 0) return false;
  if (a.compare(a_end, a.size(), b, b_end, b.size()) != 0) return false;
  const std::string_view of_a = std::string_view(a).substr(columns, a_end - columns);
  const std::string_view of_b = std::string_view(b).substr(columns, b_end - columns);
  return of_a.starts_with(of_b) || of_b.starts_with(of_a);
}

}  // namespace

StateFit Compare(const JobStructure& stored, const JobStructure& now) {
  std::set<std::string> names;
  for (const JobStructure* one : {&stored, &now}) {
    for (const auto& [name, text] : one->parts) names.insert(name);
  }
  StateFit fit;
  fit.kind = StateFit::Kind::kSame;
  bool only_rest = true;
  for (const std::string& name : names) {
    // Where nothing is kept by key, any number of shards goes on with it.
    if (name == kShards && !now.stateful && !stored.stateful) continue;
    auto before = stored.parts.find(name);
    auto after = now.parts.find(name);
    if (before == stored.parts.end()) {
      fit.reasons.push_back(name + " is new");
    } else if (after == now.parts.end()) {
      fit.reasons.push_back(name + " is gone");
    } else if (before->second.find("unknown: ") != std::string::npos) {
      fit.reasons.push_back(name + " cannot be compared");
    } else if (before->second == after->second) {
      continue;
    } else if (name.starts_with(kTable) && DiffersInLastColumns(before->second, after->second)) {
      continue;
    } else if (name == kShards) {
      fit.reasons.push_back(
          fmt::format("{} changed from {} to {}", name, before->second, after->second));
    } else {
      fit.reasons.push_back(name + " changed");
    }
    only_rest &= name == kRest;
  }
  if (fit.reasons.empty()) return fit;
  fit.kind = StateFit::Kind::kBackfill;
  if (!only_rest) return fit;
  if (now.appends && stored.appends) {
    fit.kind = StateFit::Kind::kKeeps;
  } else {
    fit.reasons.push_back(
        "the result updates its rows, and those that the old query wrote could "
        "not be taken back by the new one");
  }
  return fit;
}

StateFit FitOf(const state::StateReader& state, const CompiledJob& job) {
  auto entry = [&](const char* key) {
    std::string found;
    state.Scan(state::kJobEntries, key, [&](std::string_view name, std::string_view value) {
      if (name == key) found = value;
    });
    return found;
  };
  const std::string fingerprint = entry(kFingerprintKey);
  if (fingerprint.empty()) return {};
  const JobStructure stored = JobStructure::FromBytes(entry(kStructureKey));
  if (!stored.empty()) return Compare(stored, job.structure);
  StateFit fit;
  fit.kind = StateFit::Kind::kSame;
  if (fingerprint == job.fingerprint) return fit;
  fit.kind = StateFit::Kind::kBackfill;
  fit.reasons.push_back(
      "the state was made by a version of Millrace that did not write down by which query");
  return fit;
}

namespace {
constexpr char kFieldEnd = '\x1f';
constexpr const char* kFormat = "1";
}  // namespace

// Format: "1", then "stateful" or "", "append" or "", then name and text of each part; every field
// ends with 0x1f, which quoted texts do not hold.
std::string JobStructure::ToBytes() const {
  std::string bytes = kFormat;
  bytes += kFieldEnd;
  bytes += stateful ? "stateful" : "";
  bytes += kFieldEnd;
  bytes += appends ? "append" : "";
  bytes += kFieldEnd;
  for (const auto& [name, text] : parts) {
    bytes += name + kFieldEnd;
    bytes += text + kFieldEnd;
  }
  return bytes;
}

JobStructure JobStructure::FromBytes(const std::string& bytes) {
  const std::vector<std::string> fields = Split(bytes, kFieldEnd);
  JobStructure structure;
  if (fields.size() < 4 || fields[0] != kFormat) return structure;
  structure.stateful = !fields[1].empty();
  structure.appends = !fields[2].empty();
  for (size_t i = 3; i + 1 < fields.size(); i += 2) structure.parts[fields[i]] = fields[i + 1];
  return structure;
}

}  // namespace millrace::job
