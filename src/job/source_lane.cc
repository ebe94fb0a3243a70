#include "job/source_lane.h"

#include <fmt/format.h>

#include <algorithm>
#include <duckdb/common/error_data.hpp>
#include <duckdb/common/types/timestamp.hpp>
#include <duckdb/execution/expression_executor.hpp>
#include <duckdb/function/scalar/struct_utils.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <numeric>

#include "base/strings.h"
#include "base/units.h"
#include "connectors/schema_registry/schema_registry.h"
#include "duck/door.h"
#include "format/drift.h"
#include "format/format_options.h"
#include "job/metadata_columns.h"
#include "stream/row_text.h"

namespace millrace::job {

using duckdb::idx_t;
using model::RowErrorKind;

namespace {

constexpr int64_t kMillisecond = 1000;

// Columns by their index in BaseSchema, each with what is read of it.
using Wanted = std::map<size_t, model::WantedFields>;

void Want(Wanted& columns, size_t column, const model::WantedFields& fields) {
  auto [at, is_new] = columns.try_emplace(column, fields);
  if (!is_new) at->second.Add(fields);
}

// Adds the columns that `e` reads; `fields` is what is read of the value of `e` itself.
void CollectReferences(const duckdb::Expression& e, Wanted& columns,
                       const model::WantedFields& fields = {}) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    Want(columns, e.Cast<duckdb::BoundReferenceExpression>().index, fields);
    return;
  }
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_FUNCTION) {
    const auto& call = e.Cast<duckdb::BoundFunctionExpression>();
    const bool by_name = call.function.name == "struct_extract";
    if ((by_name || call.function.name == "struct_extract_at") && call.bind_info) {
      model::WantedFields of_row;
      of_row.fields[call.bind_info->Cast<duckdb::StructExtractBindData>().index] = fields;
      CollectReferences(*call.children[0], columns, of_row);
      return;
    }
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](const duckdb::Expression& child) { CollectReferences(child, columns); });
}

void RenumberReferences(duckdb::Expression& e, const std::map<size_t, size_t>& positions) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    auto& reference = e.Cast<duckdb::BoundReferenceExpression>();
    reference.index = positions.at(reference.index);
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](duckdb::Expression& child) { RenumberReferences(child, positions); });
}

// Of a record that is not as declared, where the format's option says that the job stops at it.
Status DriftFault(const SourceTable& source, const std::string& split,
                  const model::DeadLetter& letter) {
  const format::DecoderOptions options = format::DecoderOptionsOf(source.binding.options);
  const format::DriftPolicy policy = format::DriftPolicyOf(options.format, options.options);
  if (policy != format::DriftPolicy::kFail) return {};
  return Status(
             Code::kFailedPrecondition,
             fmt::format("table \"{}\": the record at offset {} of partition {} of \"{}\" is not "
                         "as declared: \"{}\": {}",
                         source.table->name, letter.offset, split, letter.topic, letter.column,
                         letter.reason))
      .WithHint(fmt::format("change CREATE TABLE, or say with '{}.schema-drift' = 'dead-letter' or "
                            "'ignore' what becomes of such records",
                            options.format))
      .At(source.table->span);
}

}  // namespace

// The records (or typed rows) of the block in hand. Row r of the base chunk came from record
// row_record[r].
class SourceLane::Origin : public stream::RowOrigin {
 public:
  const SourceLane* lane = nullptr;
  std::span<const model::Record> records;
  std::span<const model::Offset> offsets;
  std::vector<uint32_t> row_record;
  duckdb::DataChunk* rows = nullptr;
  const std::vector<int32_t>* weights = nullptr;  // by row; null: all come

  bool Comes(uint32_t row) const { return !weights || (*weights)[row] > 0; }
  uint32_t RecordOf(uint32_t row) const { return row_record.empty() ? row : row_record[row]; }

  void DescribeRecord(uint32_t record, model::DeadLetter& letter) const {
    letter.table = lane->table_.table->name;
    letter.topic = lane->topic_.empty() ? lane->reading_->id : lane->topic_;
    letter.time_ms = lane->clock_us_ / kMillisecond;
    bool numeric = !lane->reading_->id.empty() &&
                   lane->reading_->id.find_first_not_of("0123456789") == std::string::npos;
    if (numeric && lane->reading_->id.size() < 9) letter.partition = std::stoi(lane->reading_->id);
    if (!records.empty()) {
      letter.offset = records[record].offset;
      if (records[record].has_key) letter.key = std::string(records[record].key);
      letter.payload = std::string(records[record].value);
    } else {
      letter.offset = offsets[record];
      if (rows) letter.payload = stream::RowText(*rows, record);
    }
  }
  void Describe(uint32_t row, model::DeadLetter& letter) const override {
    DescribeRecord(RecordOf(row), letter);
  }
};

class SourceLane::Output : public connectors::SourceOutput {
 public:
  explicit Output(SourceLane& lane) : lane_(lane) {}
  void OnRecords(std::span<const model::Record> records) override {
    while (!records.empty()) {
      const size_t most = lane_.decoder_ ? lane_.decoder_->records_max() : STANDARD_VECTOR_SIZE;
      const size_t count = std::min(records.size(), most);
      lane_.OnRecords(records.first(count));
      records = records.subspan(count);
    }
  }
  void OnRows(duckdb::DataChunk& rows, std::span<const model::Offset> offsets) override {
    lane_.OnRows(rows, offsets);
  }

 private:
  SourceLane& lane_;
};

// Row r of `kept` is row from[r] of the base chunk (r itself when `from` is empty).
struct SourceLane::Rows {
  const Origin& origin;
  duckdb::DataChunk kept;
  std::vector<uint32_t> from = {};

  uint32_t BaseRow(uint32_t row) const { return from.empty() ? row : from[row]; }
};

SourceLane::SourceLane(int source, const SourceTable& table, stream::SourceUse& use,
                       stream::OperatorContext context, connectors::Services services,
                       std::string job)
    : index_(source),
      table_(table),
      use_(use),
      context_(std::move(context)),
      services_(std::move(services)),
      job_(std::move(job)) {}
SourceLane::~SourceLane() = default;

Status SourceLane::Open() {
  MR_RETURN_IF_ERROR(BindColumns(table_.bound));
  for (stream::Operator* consumer : use_.consumers) emitter_.Add(consumer, 0);

  connectors::TableContext table;
  table.name = table_.table->name;
  table.schema = table_.table->schema;
  table.primary_key = table_.table->primary_key;
  table.partitioned_by = table_.table->partitioned_by;
  MR_ASSIGN_OR_RETURN(table.options, connectors::ParseOptions(table_.binding.connector->spec,
                                                              table_.binding.options));
  table.job = job_;
  table.services = services_;
  if (auto topic = table_.binding.options.find("topic"); topic != table_.binding.options.end()) {
    topic_ = topic->second;
  }
  MR_ASSIGN_OR_RETURN(source_, table_.binding.connector->new_source(table));
  MR_RETURN_IF_ERROR(source_->Open(physical_));
  return NewDecoder();
}

Status SourceLane::NewDecoder() {
  format::DecoderOptions options = format::DecoderOptionsOf(table_.binding.options);
  if (options.format.empty() || options.format == "parquet") return Status::Ok();
  options.schema = table_.table->schema;
  options.projection = physical_;
  options.wanted = wanted_;
  options.metadata = message_metadata_;
  options.upsert = table_.binding.connector->spec.upserts;
  if (by_key_) {
    for (const std::string& key : table_.table->primary_key) {
      options.key.push_back(static_cast<size_t>(table_.table->schema.Find(key)));
    }
  }
  MR_ASSIGN_OR_RETURN(options.registry,
                      connectors::schema_registry::RegistryForDecoder(options, services_));
  MR_ASSIGN_OR_RETURN(decoder_, format::NewDecoder(options));
  return Status::Ok();
}

Status SourceLane::BindColumns(const BoundTable& bound) {
  by_key_ = bound.scan.changelog == model::ChangelogKind::kUpsert;
  const int time_column = bound.scan.time_column;
  has_time_ = time_column >= 0;
  if (has_time_) delay_us_ = table_.table->watermark->delay_us.value_or(0);

  // Which computed columns are wanted: those in use, and the event time.
  std::map<size_t, int> computed_of_column;  // scan column -> index into bound.computed
  int next_computed = 0;
  for (size_t c = 0; c < bound.base_column.size(); c++) {
    if (bound.base_column[c] < 0) computed_of_column[c] = next_computed++;
  }
  Wanted wanted;
  for (size_t i = 0; i < use_.columns.size(); i++) wanted[use_.columns[i]] = use_.fields[i];
  if (has_time_) Want(wanted, static_cast<size_t>(time_column), {});

  Wanted base;
  std::map<int, int> computed_position;
  for (const auto& [column, fields] : wanted) {
    if (bound.base_column[column] >= 0) {
      Want(base, static_cast<size_t>(bound.base_column[column]), fields);
      continue;
    }
    int which = computed_of_column.at(column);
    if (computed_position.count(which)) continue;
    computed_position[which] = static_cast<int>(computed_.size());
    computed_.push_back(bound.computed[static_cast<size_t>(which)]->Copy());
    CollectReferences(*computed_.back(), base);
  }
  std::vector<duckdb::unique_ptr<duckdb::Expression>> checks;
  for (const auto& check : bound.checks) {
    CollectReferences(*check, base);
    checks.push_back(check->Copy());
  }
  for (const std::string& key : table_.table->primary_key) {
    if (by_key_) Want(base, static_cast<size_t>(table_.table->schema.Find(key)), {});
  }
  std::vector<const sql::Check*> definitions;
  for (const sql::Check& check : table_.table->checks) {
    if (check.enforced) definitions.push_back(&check);
  }

  const size_t physical_columns = table_.table->schema.size();
  std::map<size_t, size_t> positions;
  for (const auto& [column, fields] : base) {  // ascending: physical first, then metadata
    positions[column] = base_types_.size();
    if (column < physical_columns) {
      physical_.push_back(column);
      wanted_.push_back(fields);
      base_types_.push_back(table_.table->schema.columns[column].type);
    } else {
      const sql::MetadataColumn& meta = table_.table->metadata[column - physical_columns];
      MR_RETURN_IF_ERROR(AddMetadata(meta));
    }
  }
  auto place = [&](size_t column) {
    OutputColumn out;
    if (bound.base_column[column] >= 0) {
      out.base = static_cast<int>(positions.at(static_cast<size_t>(bound.base_column[column])));
    } else {
      out.computed = computed_position.at(computed_of_column.at(column));
    }
    return out;
  };
  duckdb::vector<duckdb::LogicalType> output_types;
  for (size_t column : use_.columns) {
    outputs_.push_back(place(column));
    output_types.push_back(bound.scan.schema.columns[column].type);
  }
  if (has_time_) time_ = place(static_cast<size_t>(time_column));

  duckdb::vector<duckdb::LogicalType> computed_types;
  compute_ = std::make_unique<duckdb::ExpressionExecutor>(*context_.client);
  for (auto& e : computed_) {
    RenumberReferences(*e, positions);
    compute_->AddExpression(*e);
    computed_types.push_back(e->return_type);
  }
  if (!computed_.empty()) {
    computed_rows_.Initialize(duckdb::Allocator::DefaultAllocator(), computed_types);
  }
  for (auto& e : checks) RenumberReferences(*e, positions);
  checks_ = std::make_unique<RowChecks>(*context_.client, std::move(checks), definitions);
  if (base_types_.empty()) {  // only the number of rows matters
    physical_.push_back(0);
    wanted_.emplace_back();
    base_types_.push_back(table_.table->schema.columns[0].type);
  }
  base_.Initialize(duckdb::Allocator::DefaultAllocator(), base_types_);
  output_.InitializeEmpty(output_types);
  return Status::Ok();
}

// A column that the record tells beside its rows: of any record, or of the format's messages.
Status SourceLane::AddMetadata(const sql::MetadataColumn& meta) {
  const std::string format = format::DecoderOptionsOf(table_.binding.options).format;
  std::vector<std::string> known = MetadataKeys();
  if (auto spec = format::FindFormat(format); spec.ok()) {
    for (const std::string& key : (*spec)->metadata) known.push_back("value." + key);
  }
  if (std::find(known.begin(), known.end(), meta.key) == known.end()) {
    return Status(Code::kUnsupported,
                  fmt::format("metadata \"{}\" of table \"{}\" is not available", meta.key,
                              table_.table->name))
        .WithHint("there is: \"" + Join(known, "\", \"") + "\"")
        .At(meta.span);
  }
  if (IsMetadataKey(meta.key)) {
    metadata_.emplace_back(base_types_.size(), meta.key);
  } else {
    decoded_metadata_.push_back(base_types_.size());
    message_metadata_.push_back({meta.key.substr(std::string_view("value.").size()), meta.type});
  }
  base_types_.push_back(meta.type);
  return Status::Ok();
}

Status SourceLane::Read(SplitState& split, const state::SplitRange& range, int64_t clock_us,
                        model::EventTime frontier) {
  reading_ = &split;
  clock_us_ = clock_us;
  frontier_ = frontier;
  failure_ = Status::Ok();
  Output output(*this);
  if (range.to > range.from) {
    const int64_t missing_before = counters_.Missing();
    Status read = duck::AtTheDoor(
        [&]() -> Status { return source_->Read({range.split}, range.from, range.to, output); });
    MR_RETURN_IF_ERROR(read);
    MR_RETURN_IF_ERROR(failure_);
    split.missing += counters_.Missing() - missing_before;
  }
  split.next = range.to;
  split.ended = range.end;
  return Status::Ok();
}

void SourceLane::OnRecords(std::span<const model::Record> records) {
  counters_.rows_in += static_cast<int64_t>(records.size());
  Origin origin;
  origin.lane = this;
  origin.records = records;
  std::vector<model::RowError> errors;
  base_.Reset();
  if (!decoder_) {
    failure_ =
        Status(Code::kBadOption, fmt::format("table \"{}\" has no 'format'", table_.table->name))
            .At(table_.table->span);
    return;
  }
  failure_ = decoder_->Prepare(records);
  if (!failure_.ok()) return;
  if (metadata_.empty() && decoded_metadata_.empty()) {
    decoder_->Decode(records, base_, origin.row_record, errors);
  } else {
    DecodeBesideMetadata(records, origin, errors);
  }
  origin.weights = decoder_->weights();
  for (const model::RowError& error : errors) {
    model::DeadLetter letter;
    origin.DescribeRecord(error.record_index, letter);
    letter.stage = "decode";
    letter.job = job_;
    letter.kind = error.kind;
    letter.column = error.column;
    letter.reason = error.message;
    if (error.kind == RowErrorKind::kType) failure_ = DriftFault(table_, reading_->id, letter);
    if (!failure_.ok()) return;
    counters_.dead_lettered++;
    context_.dead_letters->Add(std::move(letter));
  }
  counters_.skipped += static_cast<int64_t>(decoder_->skipped());
  if (origin.weights) {
    for (size_t row = 1; row < origin.row_record.size(); row++) {
      counters_.added += origin.row_record[row] == origin.row_record[row - 1] ? 1 : 0;
    }
  }
  Deliver(base_, origin);
}

void SourceLane::DecodeBesideMetadata(std::span<const model::Record> records, Origin& origin,
                                      std::vector<model::RowError>& errors) {
  std::vector<size_t> places(physical_.size());
  std::iota(places.begin(), places.end(), 0);
  places.insert(places.end(), decoded_metadata_.begin(), decoded_metadata_.end());
  duckdb::vector<duckdb::LogicalType> types;
  for (size_t place : places) types.push_back(base_types_[place]);
  duckdb::DataChunk decoded;
  decoded.InitializeEmpty(types);
  for (size_t i = 0; i < places.size(); i++) decoded.data[i].Reference(base_.data[places[i]]);
  decoder_->Decode(records, decoded, origin.row_record, errors);
  for (size_t i = 0; i < places.size(); i++) base_.data[places[i]].Reference(decoded.data[i]);
  base_.SetCardinality(decoded.size());
  for (const auto& [position, key] : metadata_) {
    FillMetadata(key, records, origin.row_record, topic_, reading_->id, base_.data[position]);
  }
}

void SourceLane::OnRows(duckdb::DataChunk& rows, std::span<const model::Offset> offsets) {
  counters_.rows_in += static_cast<int64_t>(rows.size());
  Origin origin;
  origin.lane = this;
  origin.offsets = offsets;
  origin.rows = &rows;
  Deliver(rows, origin);
}

void SourceLane::Deliver(duckdb::DataChunk& base, const Origin& origin) {
  if (base.size() == 0) return;
  Rows rows{origin, {}};
  rows.kept.InitializeEmpty(base.GetTypes());
  rows.kept.Reference(base);
  KeepChecked(rows);
  if (rows.kept.size() > 0) Compute(rows);
  if (rows.kept.size() == 0) return;

  stream::Batch batch;
  batch.origin = &origin;
  for (size_t c = 0; c < outputs_.size(); c++) {
    const OutputColumn& column = outputs_[c];
    output_.data[c].Reference(column.base >= 0
                                  ? rows.kept.data[static_cast<size_t>(column.base)]
                                  : computed_rows_.data[static_cast<size_t>(column.computed)]);
  }
  output_.SetCardinality(rows.kept.size());
  batch.rows = &output_;
  if (origin.weights) {
    weights_.clear();
    for (uint32_t row = 0; row < rows.kept.size(); row++) {
      weights_.push_back((*origin.weights)[rows.BaseRow(row)]);
    }
  }
  if (has_time_) JudgeTimes(rows, batch);
  if (origin.weights) batch.weights = weights_.data();
  counters_.delivered += static_cast<int64_t>(output_.size());
  if (output_.size() > 0) emitter_.Emit(batch);
}

// Marks late candidates, moves the split's newest time, and takes out rows without a usable time.
void SourceLane::JudgeTimes(Rows& rows, stream::Batch& batch) {
  const idx_t count = rows.kept.size();
  duckdb::Vector& time = time_.base >= 0 ? rows.kept.data[static_cast<size_t>(time_.base)]
                                         : computed_rows_.data[static_cast<size_t>(time_.computed)];
  duckdb::UnifiedVectorFormat format;
  time.ToUnifiedFormat(count, format);
  const auto* times = reinterpret_cast<const int64_t*>(format.data);
  const int64_t newest_allowed = clock_us_ + table_.settings.max_time_ahead_us;
  std::vector<uint32_t> refused;
  for (uint32_t row = 0; row < count; row++) {
    const idx_t at = format.sel->get_index(row);
    const bool null = !format.validity.RowIsValid(at);
    const bool usable = !null && times[at] <= newest_allowed && times[at] > model::kTimeMin;
    const bool taken = !rows.origin.Comes(rows.BaseRow(row));
    const model::EventTime reached = std::max(frontier_, reading_->Reached(delay_us_));
    const bool marked = rows.origin.weights ? reached > model::kTimeMin : times[at] < reached;
    if (!usable && taken && !by_key_) {  // so was the row that it takes back, and refused
      counters_.dropped++;
      refused.push_back(row);
      continue;
    }
    if (!usable && !taken) {
      Bury(rows.origin, rows.BaseRow(row), RowErrorKind::kTime, table_.table->watermark->column[0],
           null ? "event time is NULL"
                : fmt::format("event time {} is more than {} ahead of the clock",
                              duckdb::Timestamp::ToString(duckdb::timestamp_t(times[at])),
                              FormatDurationMicros(table_.settings.max_time_ahead_us)),
           "event time");
      refused.push_back(row);
      continue;
    }
    if (marked) batch.late.push_back({row, rows.BaseRow(row), index_, reached});
    if (usable) reading_->newest = std::max(reading_->newest, times[at]);
  }
  if (!refused.empty()) RemoveRefused(rows, refused, batch);
}

void SourceLane::RemoveRefused(const Rows& rows, const std::vector<uint32_t>& refused,
                               stream::Batch& batch) {
  duckdb::SelectionVector rest(STANDARD_VECTOR_SIZE);
  std::vector<uint32_t> place(rows.kept.size());  // of each row that stays, in the result
  idx_t count = 0;
  size_t next = 0;
  for (uint32_t row = 0; row < rows.kept.size(); row++) {
    if (next < refused.size() && refused[next] == row) {
      next++;
      continue;
    }
    if (rows.origin.weights) weights_[count] = weights_[row];
    place[row] = static_cast<uint32_t>(count);
    rest.set_index(count++, row);
  }
  for (stream::LateCandidate& late : batch.late) late.row = place[late.row];
  output_.Slice(rest, count);
  output_.SetCardinality(count);
}

// Leaves the rows that satisfy every CHECK.
void SourceLane::KeepChecked(Rows& rows) {
  if (checks_->empty()) return;
  std::vector<uint8_t> broken(rows.kept.size(), 0);
  bool any = false;
  checks_->Run(rows.kept, [&](uint32_t row, const sql::Check& check) {
    if (!rows.origin.Comes(row)) {
      // By key it is taken away whatever it was; else the row that it was is not there either.
      const bool refuses = check.action == sql::ViolationAction::kDrop ||
                           check.action == sql::ViolationAction::kDeadLetter;
      if (by_key_ || !refuses || broken[row]) return;
      broken[row] = 1;
      any = true;
      counters_.dropped++;
      return;
    }
    if (check.action == sql::ViolationAction::kWarn) counters_.warned++;
    if (broken[row] || check.action == sql::ViolationAction::kWarn) return;
    broken[row] = 1;
    any = true;
    if (check.action == sql::ViolationAction::kDrop) {
      counters_.dropped++;
    } else if (check.action == sql::ViolationAction::kFail) {
      failure_ =
          Status(Code::kFailedPrecondition,
                 fmt::format("table \"{}\": {}", table_.table->name, RowChecks::Reason(check)))
              .WithHint("the constraint says ON VIOLATION FAIL")
              .At(check.span);
    } else {
      Bury(rows.origin, row, RowErrorKind::kConstraint, "", RowChecks::Reason(check), "check");
    }
  });
  if (!any) return;
  duckdb::SelectionVector rest(STANDARD_VECTOR_SIZE);
  for (uint32_t row = 0; row < broken.size(); row++) {
    if (broken[row]) continue;
    rest.set_index(rows.from.size(), row);
    rows.from.push_back(row);
  }
  rows.kept.Slice(rest, rows.from.size());
  rows.kept.SetCardinality(rows.from.size());
}

// Fills computed_rows_; rows on which an expression fails leave `kept`.
void SourceLane::Compute(Rows& rows) {
  if (computed_.empty()) return;
  duckdb::DataChunk& kept = rows.kept;
  computed_rows_.Reset();
  try {
    compute_->Execute(kept, computed_rows_);
    return;
  } catch (const std::exception&) {
    // Some row is at fault: find out which, one by one.
  }
  duckdb::SelectionVector good(STANDARD_VECTOR_SIZE);
  duckdb::SelectionVector one(1);
  std::vector<uint32_t> good_from;
  for (uint32_t row = 0; row < kept.size(); row++) {
    one.set_index(0, row);
    duckdb::DataChunk single;
    single.InitializeEmpty(kept.GetTypes());
    single.Slice(kept, one, 1);
    single.SetCardinality(1);
    uint32_t source_row = rows.BaseRow(row);
    try {
      computed_rows_.Reset();
      compute_->Execute(single, computed_rows_);
      good.set_index(good_from.size(), row);
      good_from.push_back(source_row);
    } catch (const std::exception& e) {
      Bury(rows.origin, source_row, RowErrorKind::kType, "", duckdb::ErrorData(e).RawMessage(),
           "computed column");
    }
  }
  rows.from = good_from;
  kept.Slice(good, good_from.size());
  kept.SetCardinality(good_from.size());
  computed_rows_.Reset();
  if (kept.size() > 0) compute_->Execute(kept, computed_rows_);
}

void SourceLane::Bury(const Origin& origin, uint32_t row, RowErrorKind kind,
                      const std::string& column, const std::string& reason, const char* stage) {
  model::DeadLetter letter;
  origin.Describe(row, letter);
  letter.stage = stage;
  letter.job = job_;
  letter.kind = kind;
  letter.column = column;
  letter.reason = reason;
  counters_.dead_lettered++;
  context_.dead_letters->Add(std::move(letter));
}

}  // namespace millrace::job
