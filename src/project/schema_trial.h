// SchemaTrial: whether a candidate for a subject's next version reads what was written with other
// schemas.
//
//   Avro         the record is resolved from its writer's schema to the candidate
//   JSON Schema  the document must be valid in the candidate
//   Protobuf     the message of the same name must parse and be of the types of its fields
//
// Contract: one thread. Writers of another type than the candidate are not tried.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "format/avro/avro_resolver.h"
#include "format/protobuf/proto_schema.h"
#include "registry/payload_check.h"
#include "registry/registry.h"

namespace millrace::project {

class SchemaTrial {
 public:
  // `candidate`: in its normal form. The registry outlives the trial. Errors: kInvalidArgument.
  static Result<std::unique_ptr<SchemaTrial>> New(registry::Registry& registry,
                                                  const registry::WholeSchema& candidate);

  enum class Answer { kRead, kBroken, kSkipped };
  // `bytes`: of a record's value, header and all. kSkipped: it names no schema of the candidate's
  // type. kBroken: `reason` says why.
  Answer Try(std::string_view bytes, std::string& reason);

 private:
  // A schema that records name; all null: it is of another type.
  struct Writer {
    std::shared_ptr<const format::AvroSchema> avro;
    std::shared_ptr<const format::ProtoSchema> protobuf;
    bool json = false;
  };

  explicit SchemaTrial(registry::Registry& registry) : registry_(registry) {}
  const Writer& WriterOf(int32_t id);
  std::optional<std::string> ProtobufFault(const format::ProtoSchema& writer,
                                           std::string_view bytes) const;

  registry::Registry& registry_;
  std::string type_;
  std::shared_ptr<const format::AvroSchema> avro_;
  std::shared_ptr<const format::ProtoSchema> protobuf_;
  std::unique_ptr<const registry::PayloadCheck> check_;
  format::AvroResolver resolver_;
  std::map<int32_t, Writer> writers_;
};

}  // namespace millrace::project
