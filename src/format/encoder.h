// Encoder: rows -> bytes, one implementation per format. The inverse of format/decoder.h.
//
// Contract: one thread at a time. Never fails for a value that the format cannot carry: that was
// refused by NewEncoder, with its column type. Vectors may be of any kind (flat, constant,
// dictionary).
#pragma once

#include <duckdb.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/schema_registry.h"
#include "model/schema.h"

namespace millrace::format {

class Encoder {
 public:
  virtual ~Encoder() = default;

  // Looks at the vectors of `chunk` (columns as the schema), once for all of its rows. The chunk
  // must stay as it is while they are encoded.
  virtual void Bind(duckdb::DataChunk& chunk) = 0;
  // Appends the encoding of row `row` of the bound chunk to `out`, no newline.
  virtual void EncodeBound(duckdb::idx_t row, std::string& out) = 0;
  // The same for a row that comes or (`comes` false) is taken away. Only the formats whose
  // FormatSpec::changelog says so can tell the latter.
  virtual void EncodeChange(duckdb::idx_t row, bool comes, std::string& out);

  // Why one of the rows that were encoded since the last call is not of the schema under which it
  // was written, one line; nothing: all are. Only with a schema that the table did not make can
  // there be such rows: of 'json-schema', and of Protobuf, a STRING that is no value of an enum.
  virtual std::optional<std::string> TakeFault() { return std::nullopt; }

  // Binds and encodes a single row.
  void EncodeRow(duckdb::DataChunk& chunk, duckdb::idx_t row, std::string& out);
  // Binds and encodes all rows, each followed by `separator` (may be empty); the end of each (its
  // offset in `out`, before the separator) goes to `ends`.
  void EncodeChunk(duckdb::DataChunk& chunk, std::string_view separator, std::string& out,
                   std::vector<size_t>& ends);
};

// `options`: the table's WITH options of this format ("json.…").
// Errors: kUnknownOption for a format or an option nobody knows, kBadOption, kUnsupported for a
// column type that the format cannot carry; what the registry answers, which only formats ask whose
// records name their schema (avro-confluent).
Result<std::unique_ptr<Encoder>> NewEncoder(const std::string& format, const model::Schema& schema,
                                            const std::map<std::string, std::string>& options,
                                            SchemaRegistry* registry = nullptr);

}  // namespace millrace::format
