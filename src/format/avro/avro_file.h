// Avro's object container files: a schema, metadata, and blocks of records.
//
// Contract: no bytes are trusted: whatever they say, reading ends, reads nothing behind them and
// makes no more values than there are bytes.
//
// Format: "Obj" 0x01; metadata (a map of bytes: "avro.schema", "avro.codec" and the writer's own);
// a marker of 16 bytes; then blocks: count of records, bytes of them, the records, the marker.
// Written without compression; read also with "deflate".
// Source: Apache Avro 1.11 specification, "Object Container Files".
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "format/avro/avro_schema.h"

namespace millrace::format {

// One value as it was written; of a union, the branch that was taken.
struct AvroValue {
  const AvroType* type = nullptr;      // of the file's schema
  int64_t number = 0;                  // boolean, int, long, enum (the symbol's index)
  double floating = 0;                 // float, double
  std::string bytes = {};              // bytes, string, fixed
  std::vector<AvroValue> parts = {};   // record: as its fields; array: elements; map: values
  std::vector<std::string> keys = {};  // map

  bool is_null() const { return type->kind == AvroKind::kNull; }
  // A record's field; null: there is none of that name, or its value is null.
  const AvroValue* Find(std::string_view field) const;
};

struct AvroFile {
  std::map<std::string, std::string> metadata;
  std::shared_ptr<const AvroSchema> schema;
  std::vector<AvroValue> records;
};

// Errors: kCorruption for bytes that are no such file; kUnsupported for another codec.
Result<AvroFile> ReadAvroFile(std::string_view bytes);

// `schema`: as JSON; `records`: each encoded by it.
std::string WriteAvroFile(const std::string& schema, std::map<std::string, std::string> metadata,
                          const std::vector<std::string>& records);

}  // namespace millrace::format
