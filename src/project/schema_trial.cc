#include "project/schema_trial.h"

#include <fmt/format.h>

#include "format/confluent.h"
#include "format/protobuf/proto_options.h"

namespace millrace::project {

using format::AvroSchema;
using format::ProtoSchema;

Result<std::unique_ptr<SchemaTrial>> SchemaTrial::New(registry::Registry& registry,
                                                      const registry::WholeSchema& candidate) {
  std::unique_ptr<SchemaTrial> trial(new SchemaTrial(registry));
  const std::string& text = candidate.schema.text;
  trial->type_ = candidate.schema.type;
  if (trial->type_ == "AVRO") {
    MR_ASSIGN_OR_RETURN(trial->avro_, AvroSchema::Parse(text, candidate.references));
    return trial;
  }
  if (trial->type_ == "PROTOBUF") {
    MR_ASSIGN_OR_RETURN(trial->protobuf_, ProtoSchema::Parse(text, candidate.references));
  }
  MR_ASSIGN_OR_RETURN(trial->check_,
                      registry::PayloadCheck::New({trial->type_, text, candidate.references}));
  return trial;
}

SchemaTrial::Answer SchemaTrial::Try(std::string_view bytes, std::string& reason) {
  const auto id = format::ConfluentId(bytes);
  if (!id) return Answer::kSkipped;
  const Writer& writer = WriterOf(*id);
  bytes.remove_prefix(format::kConfluentHeader);
  std::optional<std::string> fault;
  if (writer.avro != nullptr) {
    fault = resolver_.Fault(avro_->root(), writer.avro->root(), bytes);
  } else if (writer.protobuf != nullptr) {
    fault = ProtobufFault(*writer.protobuf, bytes);
  } else if (writer.json) {
    fault = check_->Fault(bytes);
  } else {
    return Answer::kSkipped;
  }
  if (!fault) return Answer::kRead;
  reason = fmt::format("{} (written with schema {})", *fault, *id);
  return Answer::kBroken;
}

const SchemaTrial::Writer& SchemaTrial::WriterOf(int32_t id) {
  auto [known, is_new] = writers_.try_emplace(id);
  Writer& writer = known->second;
  if (!is_new) return writer;
  auto found = registry_.Find(id);
  if (!found.ok() || found->type != type_) return writer;
  if (type_ == "AVRO") {
    auto parsed = AvroSchema::Parse(found->text, found->references);
    if (parsed.ok()) writer.avro = *parsed;
  } else if (type_ == "PROTOBUF") {
    auto parsed = ProtoSchema::Parse(found->text, found->references);
    if (parsed.ok()) writer.protobuf = *parsed;
  } else {
    writer.json = true;
  }
  return writer;
}

// Messages may stand in another order in the candidate: they are found by name.
std::optional<std::string> SchemaTrial::ProtobufFault(const ProtoSchema& writer,
                                                      std::string_view bytes) const {
  const auto* written = format::TakeMessage(writer.file(), bytes);
  if (written == nullptr) return "it names no message of its schema";
  const auto* message = protobuf_->file().pool()->FindMessageTypeByName(written->full_name());
  if (message == nullptr || message->file() != &protobuf_->file()) {
    return fmt::format("there is no message \"{}\"", written->full_name());
  }
  std::string payload;
  format::AppendMessageIndexes(*message, payload);
  return check_->Fault(payload.append(bytes));
}

}  // namespace millrace::project
