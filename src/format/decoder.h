// Decoder: records -> rows, one implementation per format (format/json_decoder.h, ...).
//
// Contract: one thread at a time. Decode never fails as a whole: each input record ends either as
// rows of `out` (none for a comment line of a CSV file) or as one RowError. Output vectors may not
// point into the records' bytes: strings are copied (into the vector's own heap) so the caller may
// drop the records afterwards.
#pragma once

#include <duckdb.hpp>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/schema_registry.h"
#include "model/record.h"
#include "model/row_error.h"
#include "model/schema.h"
#include "model/wanted_fields.h"

namespace millrace::format {

struct DecoderOptions {
  std::string format;              // "json", "csv"
  model::Schema schema;            // all physical columns of the table, in order
  std::vector<size_t> projection;  // columns wanted, as indexes into schema, output order
  std::map<std::string, std::string> options;  // the table's WITH options of this format ("json.…")
  // Per projected column; none at all: everything is wanted. Fields that are not wanted may come
  // out NULL, whatever the record has, and need not be of their type there.
  std::vector<model::WantedFields> wanted = {};

  // Rows are told apart by key: columns of the PRIMARY KEY, as indexes into schema, all projected.
  // A row that is taken away then need not be whole, nor an update tell what was before.
  std::vector<size_t> key = {};
  // What the message says beside its rows: columns after the projected ones, each named by its key
  // in FormatSpec::metadata.
  std::vector<model::Column> metadata = {};

  // The record's key has columns of its own (upsert): a record without a value takes away the row
  // of its key.
  bool upsert = false;
  std::string key_format = {};
  std::map<std::string, std::string> key_options = {};  // "json.…"
  std::string key_prefix = {};  // of the key's columns in the schema, not in the record
  bool value_has_key = true;    // the value holds the columns of the key, too

  // For formats whose records name their schema (avro-confluent).
  std::shared_ptr<SchemaRegistry> registry = {};
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Fetches what Decode needs to know of these records and does not know yet; Decode may only be
  // given records that were prepared. May wait. Errors: kUnavailable, to be tried again.
  virtual Status Prepare(std::span<const model::Record>) { return {}; }
  // Decodes up to records_max() records into `out`, which the caller initialised with the
  // projected types and has reset, and sets its cardinality. row_record is overwritten:
  // row_record[i] is the index of the record that row i came from (ascending). Errors are appended
  // in record order.
  virtual void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                      std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) = 0;
  // At most so many records may be given to Decode at a time: a message of a changelog may be two
  // rows.
  virtual size_t records_max() const { return STANDARD_VECTOR_SIZE; }
  // Of the rows of the last Decode: +1 the row comes, -1 it is taken away. Null: all come.
  virtual const std::vector<int32_t>* weights() const { return nullptr; }
  // Records of the last Decode that are neither a row nor a fault: tombstones, comments.
  virtual size_t skipped() const { return 0; }
};

// The format that a table's WITH clause names ('format' or 'value.format'; "" when neither does)
// and the options for it, and the same of its key; schema, projection and `upsert` are the caller's
// to fill in.
DecoderOptions DecoderOptionsOf(const std::map<std::string, std::string>& with);

// Errors: kUnknownOption for a format or an option nobody knows (with the list), kBadOption,
// kUnsupported for a column type that the format cannot carry.
Result<std::unique_ptr<Decoder>> NewDecoder(const DecoderOptions& options);

}  // namespace millrace::format
