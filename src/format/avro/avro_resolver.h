// AvroResolver: whether the bytes of one record, written with one schema, can be read with another.
// Unlike a comparison of the schemas it says so of this record: a branch of a union or a symbol
// that the record does not have is no fault of it.
//
// Contract: as format/avro/avro_row_reader.h: no bytes are trusted.
// Source: Apache Avro 1.11 specification, "Schema Resolution".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "format/avro/avro_cursor.h"
#include "format/avro/avro_schema.h"

namespace millrace::format {

// Whether Avro promotes values of the one kind to the other: int to long, string to bytes …
bool IsAvroPromotion(AvroKind from, AvroKind to);
// Whether two records, enums or fixed have the same name, without namespaces, or the reader an
// alias for it.
bool SameAvroName(const AvroType& reader, const AvroType& writer);
// The writer's field for a field of the reader, by name or alias; null: there is none.
const AvroField* FieldOfWriter(const AvroField& field, const AvroType& writer);

class AvroResolver {
 public:
  // Why the record cannot be read, and where ("customer.age: …"); nothing: it can.
  std::optional<std::string> Fault(const AvroType& reader, const AvroType& writer,
                                   std::string_view bytes);

 private:
  // `reader` null: the value is passed over. False: fault_ and path_ say why.
  bool Read(const AvroType* reader, const AvroType& writer, int depth);
  bool ReadRecord(const AvroType* reader, const AvroType& writer, int depth);
  bool ReadBlocks(const AvroType* reader, const AvroType& writer, int depth);
  bool ReadScalar(const AvroType* reader, const AvroType& writer);
  bool Fail(std::string fault);

  AvroCursor cursor_{std::string_view()};
  uint64_t elements_left_ = 0;
  std::string fault_;
  std::string path_;
};

}  // namespace millrace::format
