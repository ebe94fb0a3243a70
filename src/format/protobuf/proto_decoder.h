// ProtoDecoder: 'protobuf' and 'protobuf-confluent', one Protobuf message -> one row.
//
// Contract: as format/decoder.h; see format/protobuf/proto_plan.h for how message and table come
// together.
//
// Format: 'protobuf' is the message; 'protobuf-confluent' has the header of format/confluent.h and
// the message's indexes (format/protobuf/proto_options.h) before it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "format/format_options.h"
#include "format/protobuf/proto_row_reader.h"
#include "format/record_decoder.h"

namespace millrace::format {

class ProtoDecoder : public RecordDecoder {
 public:
  // Errors: kUnsupported for a column type or name; kBadOption for a schema that does not parse or
  // has no such message; kFailedPrecondition when 'protobuf-confluent' has no registry.
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options,
                                                 const FormatOptions& parsed);

 protected:
  void Learn(int32_t id, const Result<RegisteredSchema>& schema) override;
  bool DecodeRecord(int32_t id, std::string_view bytes, duckdb::idx_t row) override;

 private:
  using Message = google::protobuf::Descriptor;
  struct Known {
    std::shared_ptr<const ProtoSchema> schema;  // null: `fault` says why
    std::string fault;
  };

  ProtoDecoder() = default;
  struct Planned {
    std::shared_ptr<const ProtoPlan> plan;
    Drifted drifted = {};
  };
  const Planned& PlanOf(const std::shared_ptr<const ProtoSchema>& schema, const Message& message);

  bool defaults_ = false;
  std::shared_ptr<const ProtoSchema> own_;  // read with this one whatever a record names
  const Message* own_message_ = nullptr;
  std::map<int32_t, Known> known_;
  std::map<const Message*, Planned> plans_;
  ProtoRowReader row_reader_;
};

}  // namespace millrace::format
