#include "job/source_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <duckdb/common/error_data.hpp>
#include <duckdb/common/types/timestamp.hpp>
#include <duckdb/execution/expression_executor.hpp>
#include <duckdb/function/scalar/struct_utils.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>

#include "base/units.h"
#include "duck/door.h"
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

}  // namespace

// The records (or typed rows) of the block in hand. Row r of the base chunk came from record
// row_record[r].
class SourceReader::Origin : public stream::RowOrigin {
 public:
  const SourceReader* reader = nullptr;
  std::span<const model::Record> records;
  std::span<const model::Offset> offsets;
  std::vector<uint32_t> row_record;
  duckdb::DataChunk* rows = nullptr;

  uint32_t RecordOf(uint32_t row) const { return row_record.empty() ? row : row_record[row]; }

  void DescribeRecord(uint32_t record, model::DeadLetter& letter) const {
    letter.table = reader->table_name();
    letter.topic = reader->topic_.empty() ? reader->reading_->id : reader->topic_;
    letter.time_ms = reader->clock_us_ / kMillisecond;
    bool numeric = !reader->reading_->id.empty() &&
                   reader->reading_->id.find_first_not_of("0123456789") == std::string::npos;
    if (numeric && reader->reading_->id.size() < 9)
      letter.partition = std::stoi(reader->reading_->id);
    if (!records.empty()) {
      letter.offset = records[record].offset;
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

class SourceReader::Output : public connectors::SourceOutput {
 public:
  explicit Output(SourceReader& reader) : reader_(reader) {}
  void OnRecords(std::span<const model::Record> records) override {
    while (!records.empty()) {
      size_t count = std::min<size_t>(records.size(), STANDARD_VECTOR_SIZE);
      reader_.OnRecords(records.first(count));
      records = records.subspan(count);
    }
  }
  void OnRows(duckdb::DataChunk& rows, std::span<const model::Offset> offsets) override {
    reader_.OnRows(rows, offsets);
  }

 private:
  SourceReader& reader_;
};

SourceReader::SourceReader(int index, const SourceTable& table, stream::SourceUse& use,
                           stream::OperatorContext context, connectors::Services services,
                           std::string job)
    : index_(index),
      table_(table),
      use_(use),
      context_(std::move(context)),
      services_(std::move(services)),
      job_(std::move(job)) {}
SourceReader::~SourceReader() = default;

Status SourceReader::Open(duck::Planner& planner) {
  MR_ASSIGN_OR_RETURN(BoundTable bound, BindTable(*table_.table, planner));
  MR_RETURN_IF_ERROR(BindColumns(std::move(bound)));
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

  auto format = table_.binding.options.find("format");
  if (format == table_.binding.options.end()) format = table_.binding.options.find("value.format");
  if (format != table_.binding.options.end() && format->second != "parquet") {
    format::DecoderOptions options;
    options.format = format->second;
    options.schema = table_.table->schema;
    options.projection = physical_;
    options.wanted = wanted_;
    for (const auto& [key, value] : table_.binding.options) {
      std::string name = key.rfind("value.", 0) == 0 ? key.substr(6) : key;
      if (name.rfind(options.format + ".", 0) == 0) options.options[name] = value;
    }
    MR_ASSIGN_OR_RETURN(decoder_, format::NewDecoder(options));
  }
  return RefreshSplits(0);
}

Status SourceReader::BindColumns(BoundTable bound) {
  time_column_ = bound.scan.time_column;
  if (time_column_ >= 0) delay_us_ = table_.table->watermark->delay_us.value_or(0);

  // Which computed columns are wanted: those in use, and the event time.
  std::map<size_t, int> computed_of_column;  // scan column -> index into bound.computed
  int next_computed = 0;
  for (size_t c = 0; c < bound.base_column.size(); c++) {
    if (bound.base_column[c] < 0) computed_of_column[c] = next_computed++;
  }
  Wanted wanted;
  for (size_t i = 0; i < use_.columns.size(); i++) wanted[use_.columns[i]] = use_.fields[i];
  if (time_column_ >= 0) Want(wanted, static_cast<size_t>(time_column_), {});

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
    computed_.push_back(std::move(bound.computed[static_cast<size_t>(which)]));
    CollectReferences(*computed_.back(), base);
  }
  for (auto& check : bound.checks) CollectReferences(*check, base);
  checks_ = std::move(bound.checks);
  for (const sql::Check& check : table_.table->checks) {
    if (check.enforced) check_definitions_.push_back(&check);
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
      if (meta.key != "offset" && meta.key != "partition" && meta.key != "timestamp" &&
          meta.key != "topic") {
        return Status(Code::kUnsupported,
                      fmt::format("metadata \"{}\" of table \"{}\" is not available", meta.key,
                                  table_.table->name))
            .WithHint("there is: \"topic\", \"partition\", \"offset\", \"timestamp\"")
            .At(meta.span);
      }
      metadata_.emplace_back(base_types_.size(), meta.key);
      base_types_.push_back(meta.type);
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
  if (time_column_ >= 0) time_ = place(static_cast<size_t>(time_column_));

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
  check_ = std::make_unique<duckdb::ExpressionExecutor>(*context_.client);
  for (auto& e : checks_) {
    RenumberReferences(*e, positions);
    check_->AddExpression(*e);
  }
  if (base_types_.empty()) {  // only the number of rows matters
    physical_.push_back(0);
    wanted_.emplace_back();
    base_types_.push_back(table_.table->schema.columns[0].type);
  }
  base_.Initialize(duckdb::Allocator::DefaultAllocator(), base_types_);
  output_.InitializeEmpty(output_types);
  return Status::Ok();
}

SplitState& SourceReader::Split(const std::string& id) {
  for (SplitState& split : splits_) {
    if (split.id == id) return split;
  }
  SplitState split;
  split.id = id;
  auto restored = restored_.find(id);
  if (restored != restored_.end()) split = restored->second;
  splits_.push_back(split);
  return splits_.back();
}

Status SourceReader::RefreshSplits(int64_t now_monotonic_us) {
  MR_ASSIGN_OR_RETURN(std::vector<connectors::Split> found, source_->Splits());
  const bool first_time = splits_.empty() && !has_checkpoint_;
  for (const connectors::Split& split : found) {
    bool known = std::any_of(splits_.begin(), splits_.end(),
                             [&](const SplitState& s) { return s.id == split.id; });
    if (known) continue;
    bool restored = restored_.count(split.id) > 0;
    SplitState& state = Split(split.id);
    state.last_data_monotonic_us = now_monotonic_us;
    // The startup mode is for the splits of a new job; one that appears later is read whole.
    if (!restored && first_time) {
      MR_ASSIGN_OR_RETURN(state.next, source_->Start(split));
    }
  }
  return Status::Ok();
}

Status SourceReader::Decide(int64_t budget_bytes, int64_t now_us, state::Decision& decision) {
  int64_t active = std::count_if(splits_.begin(), splits_.end(), [](auto& s) { return !s.ended; });
  if (active == 0) return Status::Ok();
  int64_t share = std::max<int64_t>(1, budget_bytes / active);
  for (SplitState& split : splits_) {
    if (split.ended) continue;
    MR_ASSIGN_OR_RETURN(connectors::Source::Ready ready,
                        source_->Poll({split.id}, split.next, share));
    split.behind = ready.behind;
    if (ready.to > split.next || ready.end) {
      decision.ranges.push_back({index_, split.id, split.next, ready.to, ready.end});
      split.last_data_monotonic_us = now_us;
      continue;
    }
    if (split.last_data_monotonic_us == 0) split.last_data_monotonic_us = now_us;
    int64_t timeout = table_.settings.idle_timeout_us;
    if (timeout > 0 && now_us - split.last_data_monotonic_us >= timeout) {
      decision.idle.push_back({index_, split.id});
    }
  }
  return Status::Ok();
}

Status SourceReader::Read(const state::SplitRange& range, int64_t clock_us) {
  reading_ = &Split(range.split);
  clock_us_ = clock_us;
  failure_ = Status::Ok();
  Output output(*this);
  if (range.to > range.from) {
    Status read = duck::AtTheDoor(
        [&]() -> Status { return source_->Read({range.split}, range.from, range.to, output); });
    MR_RETURN_IF_ERROR(read);
    MR_RETURN_IF_ERROR(failure_);
  }
  reading_->next = range.to;
  reading_->ended = range.end;
  return Status::Ok();
}

void SourceReader::OnRecords(std::span<const model::Record> records) {
  counters_.rows_in += static_cast<int64_t>(records.size());
  Origin origin;
  origin.reader = this;
  origin.records = records;
  std::vector<model::RowError> errors;
  base_.Reset();
  if (!decoder_) {
    failure_ = Status(Code::kBadOption, fmt::format("table \"{}\" has no 'format'", table_name()))
                   .At(table_.table->span);
    return;
  }
  if (metadata_.empty()) {
    decoder_->Decode(records, base_, origin.row_record, errors);
  } else {
    duckdb::DataChunk physical;
    physical.InitializeEmpty(
        {base_types_.begin(), base_types_.begin() + static_cast<std::ptrdiff_t>(physical_.size())});
    for (size_t c = 0; c < physical_.size(); c++) physical.data[c].Reference(base_.data[c]);
    decoder_->Decode(records, physical, origin.row_record, errors);
    for (size_t c = 0; c < physical_.size(); c++) base_.data[c].Reference(physical.data[c]);
    base_.SetCardinality(physical.size());
    FillMetadata(base_, records, origin.row_record);
  }
  for (const model::RowError& error : errors) {
    model::DeadLetter letter;
    origin.DescribeRecord(error.record_index, letter);
    letter.stage = "decode";
    letter.job = job_;
    letter.kind = error.kind;
    letter.column = error.column;
    letter.reason = error.message;
    counters_.dead_lettered++;
    context_.dead_letters->Add(std::move(letter));
  }
  Deliver(base_, origin);
}

void SourceReader::OnRows(duckdb::DataChunk& rows, std::span<const model::Offset> offsets) {
  counters_.rows_in += static_cast<int64_t>(rows.size());
  Origin origin;
  origin.reader = this;
  origin.offsets = offsets;
  origin.rows = &rows;
  Deliver(rows, origin);
}

void SourceReader::FillMetadata(duckdb::DataChunk& base, std::span<const model::Record> records,
                                const std::vector<uint32_t>& row_record) {
  for (const auto& [position, key] : metadata_) {
    for (idx_t row = 0; row < base.size(); row++) {
      const model::Record& record = records[row_record[row]];
      duckdb::Value value;
      if (key == "offset") {
        value = duckdb::Value::BIGINT(record.offset);
      } else if (key == "partition") {
        value = duckdb::Value(reading_->id);
      } else if (key == "timestamp") {
        value = duckdb::Value::TIMESTAMP(duckdb::timestamp_t(record.timestamp_ms * kMillisecond));
      } else {
        value = duckdb::Value(topic_);
      }
      base.data[position].SetValue(row, value.DefaultCastAs(base_types_[position]));
    }
  }
}

// Checks, event time and computed columns, then on to the consumers.
void SourceReader::Deliver(duckdb::DataChunk& base, const Origin& origin) {
  if (base.size() == 0) return;
  duckdb::DataChunk kept;
  kept.InitializeEmpty(base.GetTypes());
  std::vector<uint32_t> from;  // row of `base` for each row of `kept`; empty: the same
  KeepRows(base, kept, from, origin);
  if (kept.size() > 0) Compute(kept, from, origin);
  if (kept.size() == 0) return;

  stream::Batch batch;
  batch.origin = &origin;
  for (size_t c = 0; c < outputs_.size(); c++) {
    const OutputColumn& column = outputs_[c];
    output_.data[c].Reference(column.base >= 0
                                  ? kept.data[static_cast<size_t>(column.base)]
                                  : computed_rows_.data[static_cast<size_t>(column.computed)]);
  }
  output_.SetCardinality(kept.size());
  batch.rows = &output_;
  if (time_column_ >= 0) {
    duckdb::Vector& time = time_.base >= 0
                               ? kept.data[static_cast<size_t>(time_.base)]
                               : computed_rows_.data[static_cast<size_t>(time_.computed)];
    duckdb::UnifiedVectorFormat format;
    time.ToUnifiedFormat(kept.size(), format);
    const auto* times = reinterpret_cast<const int64_t*>(format.data);
    int64_t newest_allowed = clock_us_ + table_.settings.max_time_ahead_us;
    std::vector<uint32_t> refused;
    for (uint32_t row = 0; row < kept.size(); row++) {
      idx_t at = format.sel->get_index(row);
      if (!format.validity.RowIsValid(at) || times[at] > newest_allowed ||
          times[at] <= model::kTimeMin) {
        refused.push_back(row);
        continue;
      }
      model::EventTime reached =
          reading_->newest <= model::kTimeMin
              ? frontier_
              : std::max(frontier_, reading_->newest - delay_us_ + kMillisecond);
      if (times[at] < reached) {
        uint32_t source_row = from.empty() ? row : from[row];
        batch.late.push_back({row, source_row, index_, reached});
      }
      reading_->newest = std::max(reading_->newest, times[at]);
    }
    if (!refused.empty()) {
      // Rare: say why, and send the rest on by itself.
      duckdb::SelectionVector rest(STANDARD_VECTOR_SIZE);
      idx_t count = 0;
      size_t next = 0;
      std::vector<stream::LateCandidate> late;
      size_t candidate = 0;
      for (uint32_t row = 0; row < kept.size(); row++) {
        while (candidate < batch.late.size() && batch.late[candidate].row < row) candidate++;
        if (next < refused.size() && refused[next] == row) {
          next++;
          idx_t at = format.sel->get_index(row);
          bool null = !format.validity.RowIsValid(at);
          uint32_t source_row = from.empty() ? row : from[row];
          Bury(origin, source_row, RowErrorKind::kTime, table_.table->watermark->column[0],
               null ? "event time is NULL"
                    : fmt::format("event time {} is more than {} ahead of the clock",
                                  duckdb::Timestamp::ToString(duckdb::timestamp_t(times[at])),
                                  FormatDurationMicros(table_.settings.max_time_ahead_us)),
               "event time");
          continue;
        }
        if (candidate < batch.late.size() && batch.late[candidate].row == row) {
          late.push_back(batch.late[candidate]);
          late.back().row = static_cast<uint32_t>(count);
        }
        rest.set_index(count++, row);
      }
      batch.late = std::move(late);
      output_.Slice(rest, count);
      output_.SetCardinality(count);
    }
  }
  if (output_.size() > 0) emitter_.Emit(batch);
}

// `kept` becomes the rows of `base` that satisfy every CHECK (NULL passes, as in the standard).
void SourceReader::KeepRows(duckdb::DataChunk& base, duckdb::DataChunk& kept,
                            std::vector<uint32_t>& from, const Origin& origin) {
  kept.Reference(base);
  if (checks_.empty()) return;
  std::vector<uint8_t> broken(base.size(), 0);
  bool any = false;
  for (idx_t c = 0; c < checks_.size(); c++) {
    const sql::Check& check = *check_definitions_[c];
    duckdb::Vector holds(duckdb::LogicalType::BOOLEAN);
    check_->SetChunk(&base);
    check_->ExecuteExpression(c, holds);
    duckdb::UnifiedVectorFormat format;
    holds.ToUnifiedFormat(base.size(), format);
    for (uint32_t row = 0; row < base.size(); row++) {
      idx_t at = format.sel->get_index(row);
      if (broken[row] || !format.validity.RowIsValid(at)) continue;
      if (reinterpret_cast<const bool*>(format.data)[at]) continue;
      std::string reason =
          fmt::format("constraint \"{}\" is violated: {}", check.name, check.flink.text);
      switch (check.action) {
        case sql::ViolationAction::kWarn:
          continue;
        case sql::ViolationAction::kDrop:
          counters_.dropped++;
          break;
        case sql::ViolationAction::kFail:
          failure_ = Status(Code::kFailedPrecondition,
                            fmt::format("table \"{}\": {}", table_name(), reason))
                         .WithHint("the constraint says ON VIOLATION FAIL")
                         .At(check.span);
          break;
        case sql::ViolationAction::kDeadLetter:
          Bury(origin, row, RowErrorKind::kConstraint, "", reason, "check");
          break;
      }
      broken[row] = 1;
      any = true;
    }
  }
  if (!any) return;
  duckdb::SelectionVector rest(STANDARD_VECTOR_SIZE);
  for (uint32_t row = 0; row < base.size(); row++) {
    if (broken[row]) continue;
    rest.set_index(from.size(), row);
    from.push_back(row);
  }
  kept.Slice(base, rest, from.size());
  kept.SetCardinality(from.size());
}

// Fills computed_rows_; rows on which an expression fails leave `kept`.
void SourceReader::Compute(duckdb::DataChunk& kept, std::vector<uint32_t>& from,
                           const Origin& origin) {
  if (computed_.empty()) return;
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
    uint32_t source_row = from.empty() ? row : from[row];
    try {
      computed_rows_.Reset();
      compute_->Execute(single, computed_rows_);
      good.set_index(good_from.size(), row);
      good_from.push_back(source_row);
    } catch (const std::exception& e) {
      Bury(origin, source_row, RowErrorKind::kType, "", duckdb::ErrorData(e).RawMessage(),
           "computed column");
    }
  }
  from = good_from;
  kept.Slice(good, good_from.size());
  kept.SetCardinality(good_from.size());
  computed_rows_.Reset();
  if (kept.size() > 0) compute_->Execute(kept, computed_rows_);
}

void SourceReader::Bury(const Origin& origin, uint32_t row, RowErrorKind kind,
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

model::EventTime SourceReader::Advance(const state::Decision& decision) {
  if (time_column_ < 0) {
    return Ended() ? model::kTimeMax : model::kTimeMin;
  }
  for (SplitState& split : splits_) split.idle = false;
  for (const state::SplitName& idle : decision.idle) {
    if (idle.source == index_) Split(idle.split).idle = true;
  }
  model::EventTime lowest = model::kTimeMax;   // over the splits that may still send
  model::EventTime highest = model::kTimeMin;  // over all
  bool any = false;
  for (const SplitState& split : splits_) {
    model::EventTime own = split.newest <= model::kTimeMin
                               ? model::kTimeMin
                               : split.newest - delay_us_ + kMillisecond;
    highest = std::max(highest, own);
    if (split.ended || split.idle) continue;
    any = true;
    lowest = std::min(lowest, own);
  }
  if (Ended()) {
    frontier_ = model::kTimeMax;
  } else {
    // All silent: none holds the others back, as if they had fallen idle one after the other.
    frontier_ = std::max(frontier_, any ? lowest : highest);
  }
  return frontier_;
}

bool SourceReader::Ended() const {
  return !splits_.empty() &&
         std::all_of(splits_.begin(), splits_.end(), [](const SplitState& s) { return s.ended; });
}

namespace {
std::string SplitKey(int source, const std::string& split) {
  return fmt::format("split/{:06}/{}", source, split);
}
}  // namespace

void SourceReader::Save(state::StateWriter& writer) const {
  for (const SplitState& split : splits_) {
    std::string value(17, '\0');
    std::memcpy(value.data(), &split.next, 8);
    std::memcpy(value.data() + 8, &split.newest, 8);
    value[16] = split.ended ? '\1' : '\0';
    writer.Put(state::kJobEntries, SplitKey(index_, split.id), value);
  }
  std::string value(32, '\0');
  std::memcpy(value.data(), &frontier_, 8);
  std::memcpy(value.data() + 8, &counters_, sizeof counters_);
  writer.Put(state::kJobEntries, fmt::format("source/{:06}", index_), value);
}

void SourceReader::Restore(const state::StateReader& state) {
  state.Scan(state::kJobEntries, fmt::format("source/{:06}", index_),
             [&](std::string_view, std::string_view) { has_checkpoint_ = true; });
  std::string prefix = SplitKey(index_, "");
  state.Scan(state::kJobEntries, prefix, [&](std::string_view key, std::string_view value) {
    SplitState split;
    split.id = std::string(key.substr(prefix.size()));
    std::memcpy(&split.next, value.data(), 8);
    std::memcpy(&split.newest, value.data() + 8, 8);
    split.ended = value[16] != 0;
    restored_[split.id] = split;
  });
  state.Scan(state::kJobEntries, fmt::format("source/{:06}", index_),
             [&](std::string_view, std::string_view value) {
               std::memcpy(&frontier_, value.data(), 8);
               std::memcpy(&counters_, value.data() + 8, sizeof counters_);
             });
}

}  // namespace millrace::job
