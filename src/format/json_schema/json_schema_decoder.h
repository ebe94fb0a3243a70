// JsonSchemaDecoder: 'json-schema', a JSON document that is valid in the schema it names -> one
// row.
//
// Contract: as format/decoder.h; the document is then read as 'json' is (format/json_decoder.h).
//
// Format: the header of format/confluent.h, then JSON.
#pragma once

#include <simdjson.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/decoder.h"
#include "format/drift.h"
#include "format/json_schema/json_schema.h"

namespace millrace::format {

class JsonSchemaDecoder : public Decoder, public DriftSource {
 public:
  // Errors: as NewDecoder of 'json'; kFailedPrecondition when there is no registry.
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options);

  Status Prepare(std::span<const model::Record> records) override;
  void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
              std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) override;
  const DriftList* drift() const override { return DriftOf(*json_); }

 private:
  struct Known {
    std::shared_ptr<const JsonSchema> schema;  // null: `fault` says why
    std::string fault;
  };

  JsonSchemaDecoder() = default;
  // Why the record is none; nothing: what follows its header is valid.
  std::optional<std::string> Fault(const model::Record& record);

  std::unique_ptr<Decoder> json_;
  std::shared_ptr<SchemaRegistry> registry_;
  std::map<int32_t, Known> known_;
  simdjson::dom::parser parser_;
};

}  // namespace millrace::format
