#include "format/avro/avro_decoder.h"

#include <fmt/format.h>

#include "format/avro/avro_drift.h"
#include "format/avro/avro_options.h"
#include "format/avro/avro_table_schema.h"

namespace millrace::format {

Result<std::unique_ptr<Decoder>> AvroDecoder::Create(const DecoderOptions& options,
                                                     const FormatOptions& parsed) {
  std::unique_ptr<AvroDecoder> decoder(new AvroDecoder());
  MR_RETURN_IF_ERROR(decoder->Open(options));
  MR_ASSIGN_OR_RETURN(decoder->reader_, OwnAvroSchema(options.format, parsed));
  if (options.format == kAvroConfluent) return std::unique_ptr<Decoder>(std::move(decoder));
  std::shared_ptr<const AvroSchema> writer = decoder->reader_;
  if (writer == nullptr) {
    MR_ASSIGN_OR_RETURN(std::string text,
                        AvroSchemaOf(options.schema, decoder->types(), HasLocalTimes(parsed)));
    MR_ASSIGN_OR_RETURN(writer, AvroSchema::Parse(text));
  }
  decoder->known_[0] = decoder->Plan(writer);
  return std::unique_ptr<Decoder>(std::move(decoder));
}

AvroDecoder::Known AvroDecoder::Plan(const Result<std::shared_ptr<const AvroSchema>>& writer) {
  if (!writer.ok()) return {nullptr, writer.status().message()};
  const AvroType* reader = reader_ ? &reader_->root() : nullptr;
  auto plan = AvroPlan::Make(*writer, reader, columns());
  if (!plan.ok()) return {nullptr, plan.status().message()};
  return {*plan, "", NoteDrift(UndeclaredAvroFields((*writer)->root(), reader, schema(), types()))};
}

void AvroDecoder::Learn(int32_t id, const Result<RegisteredSchema>& schema) {
  if (!schema.ok()) {
    known_[id].fault = "the registry has no such schema";
  } else if (schema->type != "AVRO") {
    known_[id].fault = fmt::format("its type is {}, not AVRO", schema->type);
  } else {
    known_[id] = Plan(AvroSchema::Parse(schema->text, schema->references));
  }
}

bool AvroDecoder::DecodeRecord(int32_t id, std::string_view bytes, duckdb::idx_t row) {
  const Known& known = known_.at(id);
  if (known.plan == nullptr) {
    return Malformed(id == 0 ? known.fault : fmt::format("schema {}: {}", id, known.fault));
  }
  if (row_reader_.Read(*known.plan, bytes, columns(), row)) return PassDrift(known.drifted);
  fault_ = row_reader_.fault();
  return false;
}

}  // namespace millrace::format
