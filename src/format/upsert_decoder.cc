#include "format/upsert_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <duckdb/common/vector_operations/vector_operations.hpp>

#include "base/check.h"
#include "format/format_options.h"

namespace millrace::format {

using duckdb::idx_t;
using model::RowErrorKind;

namespace {

Status CheckFormat(const std::string& option, const std::string& name) {
  if (name.empty()) {
    return Status(Code::kBadOption, fmt::format("option \"{}\" is missing", option))
        .WithHint(fmt::format("for example '{}' = 'json'", option));
  }
  MR_ASSIGN_OR_RETURN(const FormatSpec* spec, FindFormat(name));
  if (spec->changelog == model::ChangelogKind::kAppend) return Status::Ok();
  return Status(Code::kBadOption,
                fmt::format("option \"{}\" cannot be \"{}\": what a record means follows from its "
                            "key, so its parts are plain rows",
                            option, name))
      .WithHint("read such messages with 'connector' = 'kafka'");
}

// The records' keys, as the values of records.
std::vector<model::Record> KeysOf(std::span<const model::Record> records) {
  std::vector<model::Record> keys(records.begin(), records.end());
  for (model::Record& record : keys) {
    record.value = record.key;
    record.has_value = record.has_key;
  }
  return keys;
}

}  // namespace

Result<std::unique_ptr<Decoder>> UpsertDecoder::Create(const DecoderOptions& options) {
  MR_RETURN_IF_ERROR(CheckFormat("key.format", options.key_format));
  MR_RETURN_IF_ERROR(CheckFormat("value.format", options.format));
  MR_CHECK(!options.key.empty(), "an upsert table has a key");
  std::unique_ptr<UpsertDecoder> decoder(new UpsertDecoder());
  decoder->options_ = options;

  DecoderOptions key;
  key.format = options.key_format;
  key.options = options.key_options;
  DecoderOptions value;
  value.format = options.format;
  value.options = options.options;
  key.registry = value.registry = options.registry;
  decoder->key_.place.assign(options.projection.size(), -1);
  decoder->value_.place.assign(options.projection.size(), -1);
  auto projected = [&](size_t column) {
    return static_cast<size_t>(
        std::find(options.projection.begin(), options.projection.end(), column) -
        options.projection.begin());
  };
  for (size_t column : options.key) {
    model::Column of_key = options.schema.columns[column];
    if (!of_key.name.starts_with(options.key_prefix)) {
      return Status(Code::kBadOption,
                    fmt::format("column \"{}\" of the primary key does not begin with "
                                "'key.fields-prefix', \"{}\"",
                                of_key.name, options.key_prefix))
          .WithHint("the prefix is what the columns have before the name in the record's key");
    }
    of_key.name = of_key.name.substr(options.key_prefix.size());
    // Said below, with the reason; but the bytes of a plain Avro record depend on it.
    if (options.key_format != "avro") of_key.nullable = true;
    const size_t place = projected(column);
    MR_CHECK(place < options.projection.size(), "the key is projected");
    decoder->key_.place[place] = static_cast<int>(key.projection.size());
    key.projection.push_back(key.schema.size());
    key.schema.columns.push_back(of_key);
  }
  for (size_t c = 0; c < options.schema.size(); c++) {
    const bool of_key = std::find(options.key.begin(), options.key.end(), c) != options.key.end();
    if (of_key && !options.value_has_key) continue;
    if (size_t place = projected(c); place < options.projection.size()) {
      decoder->value_.place[place] = static_cast<int>(value.projection.size());
      value.projection.push_back(value.schema.size());
      if (!options.wanted.empty()) value.wanted.push_back(options.wanted[place]);
    }
    value.schema.columns.push_back(options.schema.columns[c]);
  }
  if (value.projection.empty() && value.schema.size() > 0) {
    value.projection.push_back(0);  // whether the value is a row, its decoder says
    if (!options.wanted.empty()) value.wanted.emplace_back();
  }
  for (auto [part, of_part] :
       {std::pair(&decoder->key_, &key), std::pair(&decoder->value_, &value)}) {
    if (of_part->schema.size() == 0) continue;  // EXCEPT_KEY of a table that is all key
    MR_ASSIGN_OR_RETURN(part->decoder, NewDecoder(*of_part));
    duckdb::vector<duckdb::LogicalType> types;
    for (size_t c : of_part->projection) types.push_back(of_part->schema.columns[c].type);
    part->rows.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Status UpsertDecoder::Prepare(std::span<const model::Record> records) {
  MR_RETURN_IF_ERROR(key_.decoder->Prepare(KeysOf(records)));
  return value_.decoder ? value_.decoder->Prepare(records) : Status();
}

void UpsertDecoder::Part::Decode(std::span<const model::Record> records,
                                 std::vector<model::RowError>& errors) {
  row_record.clear();
  rows.Reset();
  decoder->Decode(records, rows, row_record, errors);
}

void UpsertDecoder::DecodeParts(std::span<const model::Record> records,
                                std::vector<model::RowError>& errors) {
  const size_t first_error = errors.size();
  key_.Decode(KeysOf(records), errors);
  // A comment line of a CSV file is neither a row nor a fault.
  skipped_ = key_.decoder->skipped();
  for (size_t i = first_error; i < errors.size(); i++) {
    const model::Record& record = records[errors[i].record_index];
    errors[i].message = record.has_key ? "key: " + errors[i].message
                                       : "the record has no key, but its key says which row it is";
  }
  for (size_t row = 0; row < key_.row_record.size(); row++) {
    found_[key_.row_record[row]].key = static_cast<int64_t>(row);
  }
  std::vector<model::Record> values;
  std::vector<uint32_t> record_of_value;
  for (uint32_t i = 0; i < records.size(); i++) {
    if (!records[i].has_value || found_[i].key < 0) continue;
    values.push_back(records[i]);
    record_of_value.push_back(i);
  }
  if (!value_.decoder) {
    for (uint32_t i : record_of_value) found_[i].value = 0;
    return;
  }
  const size_t value_errors = errors.size();
  value_.Decode(values, errors);
  skipped_ += value_.decoder->skipped();
  for (size_t i = value_errors; i < errors.size(); i++) {
    errors[i].record_index = record_of_value[errors[i].record_index];
  }
  for (size_t row = 0; row < value_.row_record.size(); row++) {
    found_[record_of_value[value_.row_record[row]]].value = static_cast<int64_t>(row);
  }
}

bool UpsertDecoder::KeyIsNull(int64_t row, size_t& column) const {
  for (size_t c = 0; c < key_.rows.ColumnCount(); c++) {
    duckdb::UnifiedVectorFormat format;
    const_cast<duckdb::Vector&>(key_.rows.data[c]).ToUnifiedFormat(key_.rows.size(), format);
    column = options_.key[c];
    if (!format.validity.RowIsValid(format.sel->get_index(static_cast<idx_t>(row)))) return true;
  }
  return false;
}

void UpsertDecoder::Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                           std::vector<uint32_t>& row_record,
                           std::vector<model::RowError>& errors) {
  MR_CHECK(records.size() <= STANDARD_VECTOR_SIZE, "too many records for one chunk");
  const size_t first_error = errors.size();
  found_.assign(records.size(), {});
  DecodeParts(records, errors);
  for (size_t i = first_error; i < errors.size(); i++) {
    found_[errors[i].record_index].failed = true;
  }
  rows_.clear();
  weights_.clear();
  row_record.clear();
  for (uint32_t i = 0; i < records.size(); i++) {
    if (found_[i].failed || found_[i].key < 0) continue;
    if (records[i].has_value && found_[i].value < 0) continue;
    size_t column = 0;
    if (KeyIsNull(found_[i].key, column)) {
      errors.push_back({i, RowErrorKind::kNull, options_.schema.columns[column].name,
                        "key: the primary key is null or missing"});
      continue;
    }
    rows_.push_back(&found_[i]);
    weights_.push_back(records[i].has_value ? 1 : -1);
    row_record.push_back(i);
  }
  std::stable_sort(errors.begin() + static_cast<std::ptrdiff_t>(first_error), errors.end(),
                   [](const model::RowError& a, const model::RowError& b) {
                     return a.record_index < b.record_index;
                   });
  Fill(out);
  out.SetCardinality(rows_.size());
}

// The values of a column, then its keys, then a NULL; the output picks its rows from there.
void UpsertDecoder::Fill(duckdb::DataChunk& out) {
  const idx_t values = value_.decoder ? value_.rows.size() : 0;
  const idx_t keys = key_.rows.size();
  for (idx_t c = 0; c < out.ColumnCount(); c++) {
    const int in_value = value_.place[c];
    const int in_key = key_.place[c];
    const idx_t null = (in_value < 0 ? 0 : values) + (in_key < 0 ? 0 : keys);
    duckdb::SelectionVector picked(std::max<idx_t>(rows_.size(), 1));  // the column shares it
    duckdb::Vector all(out.data[c].GetType(), null + 1);
    idx_t used = 0;
    if (in_value >= 0) {
      duckdb::VectorOperations::Copy(value_.rows.data[static_cast<size_t>(in_value)], all, values,
                                     0, used);
      used += values;
    }
    if (in_key >= 0) {
      duckdb::VectorOperations::Copy(key_.rows.data[static_cast<size_t>(in_key)], all, keys, 0,
                                     used);
    }
    duckdb::FlatVector::SetNull(all, null, true);
    for (size_t row = 0; row < rows_.size(); row++) {
      const bool comes = weights_[row] > 0;
      idx_t at = null;
      if (comes && in_value >= 0) {
        at = static_cast<idx_t>(rows_[row]->value);
      } else if (in_key >= 0) {
        at = used + static_cast<idx_t>(rows_[row]->key);
      }
      picked.set_index(row, at);
    }
    out.data[c].Slice(all, picked, rows_.size());
  }
}

}  // namespace millrace::format
