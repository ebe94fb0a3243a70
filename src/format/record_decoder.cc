#include "format/record_decoder.h"

#include <fmt/format.h>

#include "base/check.h"
#include "format/confluent.h"
#include "format/decode_records.h"

namespace millrace::format {

Status RecordDecoder::Open(const DecoderOptions& options) {
  format_ = options.format;
  schema_ = options.schema;
  policy_ = DriftPolicyOf(format_, options.options);
  for (const model::Column& column : options.schema.columns) {
    auto type = MakeColumnType(column.type);
    if (!type.ok()) {
      return std::move(type).status().Annotate(fmt::format("column \"{}\"", column.name));
    }
    types_.push_back(*std::move(type));
  }
  writers_.reserve(options.projection.size());
  std::vector<ColumnWriter*> by_column(types_.size(), nullptr);
  for (size_t i = 0; i < options.projection.size(); i++) {
    const size_t column = options.projection[i];
    writers_.emplace_back(types_[column],
                          i < options.wanted.size() ? options.wanted[i] : model::WantedFields());
    by_column[column] = &writers_.back();
  }
  for (size_t c = 0; c < types_.size(); c++) {
    const model::Column& column = options.schema.columns[c];
    if (by_column[c] != nullptr || !column.nullable) {
      columns_.push_back({column.name, by_column[c], !column.nullable});
    }
  }
  if (!NamesItsSchema(format_)) return {};
  if (options.registry == nullptr) return NoSchemaRegistry(format_);
  registry_ = options.registry;
  return {};
}

Status RecordDecoder::Prepare(std::span<const model::Record> records) {
  if (registry_ == nullptr) return {};
  for (const model::Record& record : records) {
    const auto id = ConfluentId(record.value);
    if (!id || known_.count(*id) > 0) continue;
    auto found = registry_->Find(*id);
    if (!found.ok() && found.status().code() != Code::kNotFound) return found.status();
    Learn(*id, found);
    known_.insert(*id);
  }
  return {};
}

void RecordDecoder::Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                           std::vector<uint32_t>& row_record,
                           std::vector<model::RowError>& errors) {
  DecodeRecords(
      records, out, row_record, errors, writers_, fault_,
      [this](const model::Record& record, duckdb::idx_t row) { return DecodeOne(record, row); });
}

bool RecordDecoder::DecodeOne(const model::Record& record, duckdb::idx_t row) {
  if (!record.has_value) return Malformed("tombstone: the record has no value");
  if (registry_ == nullptr) return DecodeRecord(0, record.value, row);
  const auto id = ConfluentId(record.value);
  if (!id) {
    return Malformed(
        fmt::format("not a record of {}: it does not begin with a zero byte and the number of a "
                    "schema",
                    format_));
  }
  MR_CHECK(known_.count(*id) > 0, "Prepare comes before Decode");
  offset_ = record.offset;
  return DecodeRecord(*id, record.value.substr(kConfluentHeader), row);
}

RecordDecoder::Drifted RecordDecoder::NoteDrift(const std::vector<UndeclaredField>& fields) {
  Drifted noted;
  for (const UndeclaredField& field : fields) {
    noted.push_back(&drift_.Entry(field.path));
    noted.back()->Widen(field.type);
  }
  return noted;
}

bool RecordDecoder::PassDrift(const Drifted& fields) {
  for (FieldDrift* field : fields) {
    if (field->values++ == 0) field->first_offset = offset_;
  }
  const bool refuses = policy_ == DriftPolicy::kFail || policy_ == DriftPolicy::kDeadLetter;
  if (!refuses || fields.empty()) return true;
  fault_.kind = model::RowErrorKind::kType;
  fault_.column = fields[0]->field;
  fault_.message = fields[0]->Reason();
  return false;
}

bool RecordDecoder::Malformed(std::string message) {
  fault_.kind = model::RowErrorKind::kMalformed;
  fault_.message = std::move(message);
  return false;
}

}  // namespace millrace::format
