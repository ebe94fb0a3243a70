#include "format/protobuf/proto_decoder.h"

#include <fmt/format.h>

#include "format/protobuf/proto_drift.h"
#include "format/protobuf/proto_options.h"
#include "format/protobuf/proto_table_schema.h"

namespace millrace::format {

Result<std::unique_ptr<Decoder>> ProtoDecoder::Create(const DecoderOptions& options,
                                                      const FormatOptions& parsed) {
  std::unique_ptr<ProtoDecoder> decoder(new ProtoDecoder());
  MR_RETURN_IF_ERROR(decoder->Open(options));
  decoder->defaults_ = ReadsDefaults(options.format, parsed);
  MR_ASSIGN_OR_RETURN(decoder->own_, OwnProtoSchema(options.format, parsed));
  if (decoder->own_ == nullptr && options.format == kProtobuf) {
    MR_ASSIGN_OR_RETURN(std::string text, ProtoSchemaOf(options.schema, decoder->types()));
    MR_ASSIGN_OR_RETURN(decoder->own_, ProtoSchema::Parse(text));
  }
  if (decoder->own_ != nullptr) {
    MR_ASSIGN_OR_RETURN(decoder->own_message_, OwnMessage(options.format, parsed, *decoder->own_));
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

void ProtoDecoder::Learn(int32_t id, const Result<RegisteredSchema>& schema) {
  Known& known = known_[id];
  if (!schema.ok()) {
    known.fault = "the registry has no such schema";
  } else if (schema->type != "PROTOBUF") {
    known.fault = fmt::format("its type is {}, not PROTOBUF", schema->type);
  } else if (auto parsed = ProtoSchema::Parse(schema->text, schema->references); parsed.ok()) {
    known.schema = *parsed;
  } else {
    known.fault = parsed.status().message();
  }
}

bool ProtoDecoder::DecodeRecord(int32_t id, std::string_view bytes, duckdb::idx_t row) {
  const Message* message = own_message_;
  std::shared_ptr<const ProtoSchema> schema = own_;
  if (auto known = known_.find(id); known != known_.end()) {
    if (known->second.schema == nullptr) {
      return Malformed(fmt::format("schema {}: {}", id, known->second.fault));
    }
    const Message* named = TakeMessage(known->second.schema->file(), bytes);
    if (named == nullptr) {
      return Malformed(fmt::format("it names no message of schema {}", id));
    }
    if (message == nullptr) {
      message = named;
      schema = known->second.schema;
    }
  }
  const Planned& planned = PlanOf(schema, *message);
  if (row_reader_.Read(*planned.plan, bytes, columns(), row)) return PassDrift(planned.drifted);
  fault_ = row_reader_.fault();
  return false;
}

const ProtoDecoder::Planned& ProtoDecoder::PlanOf(const std::shared_ptr<const ProtoSchema>& schema,
                                                  const Message& message) {
  Planned& planned = plans_[&message];
  if (planned.plan != nullptr) return planned;
  planned.plan = ProtoPlan::Make(schema, message, columns(), defaults_);
  // What the table's own schema has beside its columns was meant so.
  if (own_ == nullptr)
    planned.drifted = NoteDrift(UndeclaredProtoFields(message, this->schema(), types()));
  return planned;
}

}  // namespace millrace::format
