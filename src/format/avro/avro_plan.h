// AvroPlan: how records of one writer's schema become rows of a table: Avro's schema resolution,
// with the columns as the reader, worked out once per schema.
//
//   - A column takes the writer's field of its name. Where the table gives a reader's schema, the
//     aliases of that schema's field count, too, and its default where the writer has no such
//     field; without a default the column is NULL.
//   - Numbers are promoted as Avro says (int, long, float, double); bytes and string are read as
//     each other; an enum and a uuid are texts; a decimal gets the column's scale, rounded half up.
//   - Dates and times are read in the unit of their logical type; a plain int or long as
//     milliseconds, as Flink writes them.
//   - What cannot be read (a long as an INT) is a fault of the records that have such a value: of a
//     union other branches may still be fine.
//
// Source: Apache Avro 1.11 specification, "Schema Resolution", "Logical Types".
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/avro/avro_schema.h"
#include "format/record_decoder.h"
#include "model/row_error.h"

namespace millrace::format {

struct AvroStep {
  enum class Kind : uint8_t {
    kSkip,    // nobody wants the value
    kNull,    // a null: takes no bytes
    kScalar,  // `writer` says how it is encoded, the column how it is stored
    kRecord,
    kList,
    kMap,
    kUnion,
    kFault,  // such a value has no place in the column
  };
  Kind kind = Kind::kSkip;
  const AvroType* writer = nullptr;
  // kRecord: one per field of the writer; kUnion: one per branch; kList, kMap: one.
  std::vector<AvroStep> steps = {};
  std::vector<int> places = {};  // kRecord: per step the field of the column; -1: none
  struct Missing {
    int place = 0;
    std::optional<std::string> default_bytes = {};  // none: NULL
    std::vector<AvroStep> step = {};                // one, for the default
  };
  std::vector<Missing> missing = {};  // kRecord: what the writer has not
  int64_t unit_us = 1;                // kScalar, of a time: microseconds
  int scale = 0;                      // kScalar, of a decimal: digits behind the point
  model::RowErrorKind fault_kind = model::RowErrorKind::kType;
  std::string fault = {};
};

class AvroPlan {
 public:
  // `reader`: the table's own schema, a record; may be null. It and the writers outlive the plan.
  // Errors: kInvalidArgument when the writer's schema is no record.
  static Result<std::shared_ptr<const AvroPlan>> Make(std::shared_ptr<const AvroSchema> writer,
                                                      const AvroType* reader,
                                                      std::span<const TargetColumn> columns);

  // kRecord; places are indexes into the columns.
  const AvroStep& root() const { return root_; }
  // The first of the writer's values that the column cannot take; nothing: it takes all.
  std::optional<std::string> ColumnFault(size_t column) const;
  // Whether the writer has nothing for the column, and no default stands in.
  bool Lacks(size_t column) const;

 private:
  AvroPlan() = default;

  std::shared_ptr<const AvroSchema> writer_;
  AvroStep root_;
};

}  // namespace millrace::format
