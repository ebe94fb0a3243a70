#include "format/avro/avro_decoder.h"

#include <fmt/format.h>

#include "base/check.h"
#include "format/avro/avro_options.h"
#include "format/avro/avro_table_schema.h"

namespace millrace::format {

using model::RowErrorKind;

Result<std::unique_ptr<Decoder>> AvroDecoder::Create(const DecoderOptions& options,
                                                     const FormatOptions& parsed) {
  std::unique_ptr<AvroDecoder> decoder(new AvroDecoder());
  MR_RETURN_IF_ERROR(decoder->AddColumns(options));
  MR_ASSIGN_OR_RETURN(decoder->reader_, OwnAvroSchema(options.format, parsed));
  if (options.format == kAvroConfluent) {
    if (options.registry == nullptr) return NoSchemaRegistry();
    decoder->registry_ = options.registry;
    return std::unique_ptr<Decoder>(std::move(decoder));
  }
  std::shared_ptr<const AvroSchema> writer = decoder->reader_;
  if (writer == nullptr) {
    MR_ASSIGN_OR_RETURN(std::string text,
                        AvroSchemaOf(options.schema, decoder->types_, HasLocalTimes(parsed)));
    MR_ASSIGN_OR_RETURN(writer, AvroSchema::Parse(text));
  }
  decoder->known_[0] = decoder->Plan(writer);
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Status AvroDecoder::AddColumns(const DecoderOptions& options) {
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
  return {};
}

AvroDecoder::Known AvroDecoder::Plan(
    const Result<std::shared_ptr<const AvroSchema>>& writer) const {
  if (!writer.ok()) return {nullptr, writer.status().message()};
  auto plan = AvroPlan::Make(*writer, reader_ ? &reader_->root() : nullptr, columns_);
  if (!plan.ok()) return {nullptr, plan.status().message()};
  return {*plan, ""};
}

Status AvroDecoder::Prepare(std::span<const model::Record> records) {
  if (registry_ == nullptr) return {};
  for (const model::Record& record : records) {
    const auto id = AvroConfluentId(record.value);
    if (!id || known_.count(*id)) continue;
    auto found = registry_->Find(*id);
    if (!found.ok()) {
      if (found.status().code() != Code::kNotFound) return found.status();
      known_[*id].fault = "the registry has no such schema";
    } else if (found->type != "AVRO") {
      known_[*id].fault = fmt::format("its type is {}, not AVRO", found->type);
    } else {
      known_[*id] = Plan(AvroSchema::Parse(found->text, found->references));
    }
  }
  return {};
}

void AvroDecoder::Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                         std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) {
  MR_CHECK(records.size() <= STANDARD_VECTOR_SIZE, "too many records for one chunk");
  MR_CHECK(out.ColumnCount() == writers_.size(), "the chunk has not the projected columns");
  for (size_t i = 0; i < writers_.size(); i++) writers_[i].Bind(out.data[i]);
  row_record.clear();
  for (uint32_t i = 0; i < records.size(); i++) {
    if (DecodeRecord(records[i], row_record.size())) {
      row_record.push_back(i);
    } else {
      fault_.record_index = i;
      errors.push_back(std::move(fault_));
      fault_ = {};
    }
  }
  for (ColumnWriter& writer : writers_) writer.Finish();
  out.SetCardinality(row_record.size());
}

bool AvroDecoder::DecodeRecord(const model::Record& record, duckdb::idx_t row) {
  if (!record.has_value) return Malformed("tombstone: the record has no value");
  std::string_view bytes = record.value;
  const AvroPlan* plan = PlanOf(bytes);
  if (plan == nullptr) return false;
  if (row_reader_.Read(*plan, bytes, columns_, row)) return true;
  fault_ = row_reader_.fault();
  return false;
}

const AvroPlan* AvroDecoder::PlanOf(std::string_view& bytes) {
  int32_t id = 0;
  if (registry_ != nullptr) {
    const auto given = AvroConfluentId(bytes);
    if (!given) {
      Malformed(
          "not a record of avro-confluent: it does not begin with a zero byte and the number of "
          "a schema");
      return nullptr;
    }
    id = *given;
    bytes.remove_prefix(kAvroConfluentHeader);
  }
  auto known = known_.find(id);
  if (known != known_.end() && known->second.plan != nullptr) return known->second.plan.get();
  MR_CHECK(known != known_.end(), "Prepare comes before Decode");
  Malformed(registry_ == nullptr ? known->second.fault
                                 : fmt::format("schema {}: {}", id, known->second.fault));
  return nullptr;
}

bool AvroDecoder::Malformed(std::string message) {
  fault_.kind = RowErrorKind::kMalformed;
  fault_.message = std::move(message);
  return false;
}

}  // namespace millrace::format
