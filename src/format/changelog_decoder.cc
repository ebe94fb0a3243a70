#include "format/changelog_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <duckdb/common/vector_operations/vector_operations.hpp>

#include "base/check.h"
#include "format/json_decoder.h"
#include "format/row_fault.h"

namespace millrace::format {

using duckdb::idx_t;
using duckdb::LogicalType;
using model::RowErrorKind;

namespace {

// Top-level fields of Debezium's messages, in the order in which they are decoded.
enum DebeziumField : size_t { kBefore, kAfter, kOp, kIngested, kSource };
enum SourceField : size_t { kSourceTime, kDatabase, kSchema, kTable };

bool IsValid(duckdb::Vector& vector, idx_t row) {
  return duckdb::FlatVector::Validity(vector).RowIsValid(row);
}

LogicalType RowType(const model::Schema& schema) {
  duckdb::child_list_t<LogicalType> fields;
  for (const model::Column& column : schema.columns) fields.emplace_back(column.name, column.type);
  return LogicalType::STRUCT(std::move(fields));
}

}  // namespace

Result<std::unique_ptr<Decoder>> ChangelogDecoder::Create(const DecoderOptions& options,
                                                          const FormatSpec& spec,
                                                          const FormatOptions& parsed) {
  std::unique_ptr<ChangelogDecoder> decoder(new ChangelogDecoder());
  decoder->options_ = options;
  decoder->debezium_ = spec.name == "debezium-json";
  const LogicalType row = RowType(options.schema);
  model::Schema message;
  if (decoder->debezium_) {
    decoder->in_payload_ = parsed.GetBool("debezium-json.schema-include");
    decoder->taken_ = kBefore;
    decoder->come_ = kAfter;
    decoder->op_ = kOp;
    message.columns = {{"before", row}, {"after", row}, {"op", LogicalType::VARCHAR}};
    if (!options.metadata.empty()) {
      message.columns.push_back({"ts_ms", LogicalType::BIGINT});
      message.columns.push_back({"source", LogicalType::STRUCT({{"ts_ms", LogicalType::BIGINT},
                                                                {"db", LogicalType::VARCHAR},
                                                                {"schema", LogicalType::VARCHAR},
                                                                {"table", LogicalType::VARCHAR}})});
    }
  } else {
    decoder->op_ = 1;
    message.columns = {{"data", row}, {"op", LogicalType::VARCHAR}};
  }

  // Of a row only what is read, and what has to be there.
  model::WantedFields of_row;
  for (size_t i = 0; i < options.projection.size(); i++) {
    of_row.fields[options.projection[i]] =
        options.wanted.empty() ? model::WantedFields() : options.wanted[i];
  }
  for (size_t c = 0; c < options.schema.size(); c++) {
    if (!options.schema.columns[c].nullable) of_row.fields.try_emplace(c);
  }
  for (size_t key : options.key) of_row.fields[key] = {};
  std::vector<model::WantedFields> wanted(message.size());
  wanted[decoder->come_] = wanted[decoder->taken_] = of_row;

  DecoderOptions json;
  json.format = "json";
  json.schema = std::move(message);
  json.wanted = std::move(wanted);
  std::vector<std::string> rows = {"data"};
  if (decoder->debezium_) rows = {"before", "after"};
  if (decoder->in_payload_) {
    model::WantedFields payload;
    for (size_t i = 0; i < json.wanted.size(); i++) payload.fields[i] = json.wanted[i];
    for (std::string& path : rows) path = "payload." + path;
    json.schema.columns = {{"payload", RowType(json.schema)}};
    json.wanted = {payload};
  }
  for (size_t i = 0; i < json.schema.size(); i++) json.projection.push_back(i);
  for (const auto& [name, value] : options.options) {
    if (name == "debezium-json.schema-include") continue;
    json.options["json" + name.substr(spec.name.size())] = value;
  }
  MR_ASSIGN_OR_RETURN(const FormatSpec* json_spec, FindFormat(json.format));
  MR_ASSIGN_OR_RETURN(const FormatOptions json_parsed,
                      ParseFormatOptions(*json_spec, json.options));
  MR_ASSIGN_OR_RETURN(decoder->json_, JsonDecoder::Create(json, json_parsed, rows));
  decoder->messages_.Initialize(duckdb::Allocator::DefaultAllocator(), json.schema.Types());
  return std::unique_ptr<Decoder>(std::move(decoder));
}

duckdb::Vector& ChangelogDecoder::Field(size_t field) {
  if (!in_payload_) return messages_.data[field];
  return *duckdb::StructVector::GetEntries(messages_.data[0])[field];
}

duckdb::Vector& ChangelogDecoder::Column(size_t field, size_t column) {
  return *duckdb::StructVector::GetEntries(Field(field))[column];
}

bool ChangelogDecoder::HasRow(size_t field, uint32_t m) {
  return IsValid(Field(field), m);
}

void ChangelogDecoder::Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                              std::vector<uint32_t>& row_record,
                              std::vector<model::RowError>& errors) {
  MR_CHECK(records.size() <= records_max(), "too many records for one chunk");
  records_.clear();
  record_place_.clear();
  skipped_ = 0;
  for (uint32_t i = 0; i < records.size(); i++) {
    // Debezium's tombstones; a changelog of another kind has none, and its decoder says so.
    if (debezium_ && (!records[i].has_value || records[i].value.empty())) {
      skipped_++;
      continue;
    }
    records_.push_back(records[i]);
    record_place_.push_back(i);
  }
  const size_t first_error = errors.size();
  messages_.Reset();
  json_->Decode(records_, messages_, message_record_, errors);
  FindChangedKeys(messages_.size());
  changes_.clear();
  weights_.clear();
  row_record.clear();
  std::vector<Change> of_message;
  for (uint32_t m = 0; m < messages_.size(); m++) {
    of_message.clear();
    model::RowError error;
    if (!Changes(m, of_message, error) || !CheckNulls(of_message, error)) {
      error.record_index = message_record_[m];
      errors.push_back(std::move(error));
      continue;
    }
    for (const Change& change : of_message) {
      changes_.push_back(change);
      weights_.push_back(change.weight);
      row_record.push_back(record_place_[message_record_[m]]);
    }
  }
  const auto own = errors.begin() + static_cast<std::ptrdiff_t>(first_error);
  for (auto error = own; error != errors.end(); ++error) {
    error->record_index = record_place_[error->record_index];
  }
  std::stable_sort(own, errors.end(), [](const model::RowError& a, const model::RowError& b) {
    return a.record_index < b.record_index;
  });
  Fill(out);
  if (!options_.metadata.empty()) FillMetadata(out);
  out.SetCardinality(changes_.size());
}

// For which messages the row before has another key than the row after.
void ChangelogDecoder::FindChangedKeys(size_t messages) {
  key_changed_.assign(messages, 0);
  if (!debezium_) return;
  duckdb::Vector distinct(LogicalType::BOOLEAN);
  for (size_t key : options_.key) {
    duckdb::VectorOperations::DistinctFrom(Column(taken_, key), Column(come_, key), distinct,
                                           messages);
    distinct.Flatten(messages);
    for (size_t m = 0; m < messages; m++) {
      key_changed_[m] |= duckdb::FlatVector::GetData<bool>(distinct)[m] ? 1 : 0;
    }
  }
}

bool ChangelogDecoder::Changes(uint32_t m, std::vector<Change>& changes, model::RowError& error) {
  error.kind = RowErrorKind::kMalformed;
  duckdb::Vector& ops = Field(op_);
  if (!IsValid(ops, m)) {
    error.message = debezium_ && !in_payload_ && !HasRow(come_, m) && !HasRow(taken_, m)
                        ? "not a change message: it has no \"op\" (messages that come with their "
                          "schema need 'debezium-json.schema-include' = 'true')"
                        : "not a change message: it has no \"op\"";
    return false;
  }
  const auto& text = duckdb::FlatVector::GetData<duckdb::string_t>(ops)[m];
  const std::string_view op(text.GetData(), text.GetSize());
  if (debezium_) return DebeziumChanges(m, op, changes, error.message);
  const bool comes = op == "+I" || op == "+U";
  if (!comes && op != "-U" && op != "-D") {
    error.message = fmt::format("op is \"{}\", not one of +I, -U, +U, -D", Excerpt(op));
    return false;
  }
  if (!HasRow(come_, m)) {
    error.message = fmt::format("\"data\" is missing in a message with op \"{}\"", op);
    return false;
  }
  changes.push_back({m, false, comes ? 1 : -1});
  return true;
}

bool ChangelogDecoder::DebeziumChanges(uint32_t m, std::string_view op,
                                       std::vector<Change>& changes, std::string& fault) {
  const bool takes = op == "u" || op == "d";
  const bool comes = op == "u" || op == "c" || op == "r";
  const bool keyed = !options_.key.empty();
  if (!takes && !comes) {
    fault = fmt::format("op is \"{}\", not one of c, r, u, d", Excerpt(op));
    return false;
  }
  const bool needs_before = op == "d" || (takes && !keyed);
  if (needs_before && !HasRow(taken_, m)) {
    fault = fmt::format(
        "\"before\" is null in a message with op \"{}\": have the database log whole rows "
        "(PostgreSQL: REPLICA IDENTITY FULL){}",
        op, keyed ? "" : ", or declare the table's PRIMARY KEY");
    return false;
  }
  if (comes && !HasRow(come_, m)) {
    fault = fmt::format("\"after\" is null in a message with op \"{}\"", op);
    return false;
  }
  // By key, the row after replaces the one before.
  const bool replaced = keyed && comes && (!HasRow(taken_, m) || !key_changed_[m]);
  if (takes && !replaced) changes.push_back({m, true, -1});
  if (comes) changes.push_back({m, false, 1});
  return true;
}

bool ChangelogDecoder::CheckNulls(const std::vector<Change>& changes, model::RowError& error) {
  for (const Change& change : changes) {
    for (size_t c = 0; c < options_.schema.size(); c++) {
      const bool of_key =
          std::find(options_.key.begin(), options_.key.end(), c) != options_.key.end();
      const bool whole = change.weight > 0 || options_.key.empty();
      if (!of_key && (options_.schema.columns[c].nullable || !whole)) continue;
      if (IsValid(Column(change.taken ? taken_ : come_, c), change.message)) continue;
      error.kind = RowErrorKind::kNull;
      error.column = options_.schema.columns[c].name;
      error.message =
          of_key ? "the primary key is null or missing" : "null or missing in a NOT NULL column";
      return false;
    }
  }
  return true;
}

// Both sides of a column one after the other; the output picks its rows from there.
void ChangelogDecoder::Fill(duckdb::DataChunk& out) {
  const idx_t messages = messages_.size();
  duckdb::SelectionVector picked(std::max<idx_t>(changes_.size(), 1));
  for (size_t i = 0; i < changes_.size(); i++) {
    picked.set_index(i, changes_[i].message + (changes_[i].taken ? messages : 0));
  }
  for (size_t i = 0; i < options_.projection.size(); i++) {
    const size_t c = options_.projection[i];
    duckdb::Vector both(options_.schema.columns[c].type, STANDARD_VECTOR_SIZE);
    duckdb::VectorOperations::Copy(Column(come_, c), both, messages, 0, 0);
    if (debezium_) {
      duckdb::VectorOperations::Copy(Column(taken_, c), both, messages, 0, messages);
    }
    out.data[i].Slice(both, picked, changes_.size());
  }
}

void ChangelogDecoder::FillMetadata(duckdb::DataChunk& out) {
  for (size_t i = 0; i < options_.metadata.size(); i++) {
    const model::Column& wanted = options_.metadata[i];
    duckdb::Vector* from = &Field(kIngested);
    if (wanted.name == "source.timestamp") from = &Column(kSource, kSourceTime);
    if (wanted.name == "source.database") from = &Column(kSource, kDatabase);
    if (wanted.name == "source.schema") from = &Column(kSource, kSchema);
    if (wanted.name == "source.table") from = &Column(kSource, kTable);
    const bool time = from->GetType().id() == duckdb::LogicalTypeId::BIGINT;
    duckdb::Vector& to = out.data[options_.projection.size() + i];
    for (size_t row = 0; row < changes_.size(); row++) {
      duckdb::Value value = from->GetValue(changes_[row].message);
      if (time && !value.IsNull()) {
        value = duckdb::Value::TIMESTAMP(duckdb::timestamp_t(value.GetValue<int64_t>() * 1000));
      }
      to.SetValue(row, value.DefaultCastAs(wanted.type));
    }
  }
}

}  // namespace millrace::format
