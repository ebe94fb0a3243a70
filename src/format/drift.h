// Drift: what records have that their table does not declare, and what is to be done about it.
//
// A field is named by its path: "note", "address.zip" (of a ROW), "lines[].sku" (of the ROWs in an
// ARRAY), "totals{}.net" (of those in a MAP). A field whose type is not the column's any more is no
// case of this: its value is a RowError of kind "type" under every policy.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/option_spec.h"
#include "model/position.h"
#include "model/schema.h"

namespace millrace::format {

class Decoder;

enum class DriftPolicy {
  kIgnore,      // the field is passed over
  kFail,        // the record is an error of kind "type", and the job is to stop at any such
  kDeadLetter,  // the record is an error of kind "type"
  kAddColumn,   // as kIgnore, and what type the values have is found out
};

// "<format>.schema-drift", for formats that tell fields by name.
model::OptionSpec DriftSpec(std::string_view format);
// What the options of a format say; kIgnore where they say nothing.
DriftPolicy DriftPolicyOf(std::string_view format,
                          const std::map<std::string, std::string>& options);

struct FieldDrift {
  std::string field;
  std::optional<duckdb::LogicalType> type = {};  // that takes its values; none: not known
  bool mixed = false;                            // no type takes them all
  int64_t values = 0;                            // how often it was there
  model::Offset first_offset = -1;               // of the first record that had it

  // Makes `type` take values of this one, too; none: of a value that says nothing (null).
  void Widen(const std::optional<duckdb::LogicalType>& of_value);
  // `the table does not declare the field "note"; its line in CREATE TABLE would be: `note` STRING`
  std::string Reason() const;
};

// The fields that one decoder has found, in the order in which it found them. Entries stay where
// they are. Of more than 256 fields the rest are one entry, "(others)".
class DriftList {
 public:
  FieldDrift& Entry(std::string_view field);
  const std::deque<FieldDrift>& fields() const { return fields_; }

 private:
  std::deque<FieldDrift> fields_;
  std::unordered_map<std::string, FieldDrift*> by_name_;
};

// What decoders are, beside Decoder, that can tell: json's and what has it inside, and those whose
// records name their schema.
class DriftSource {
 public:
  virtual ~DriftSource() = default;
  // Since the decoder was made. Entries may have no values yet. Null: nothing to tell.
  virtual const DriftList* drift() const = 0;
};

// Null: the decoder is none of them.
const DriftList* DriftOf(const Decoder& decoder);

// The smallest type whose columns can hold values of both; none: there is none. Integers become
// BIGINT, numbers DOUBLE, other scalars STRING, which JSON's decoder reads all of them as.
std::optional<duckdb::LogicalType> WiderType(const duckdb::LogicalType& a,
                                             const duckdb::LogicalType& b);

// A type as CREATE TABLE says it: "ARRAY<ROW<sku STRING, price DOUBLE>>".
std::string DeclaredType(const duckdb::LogicalType& type);

}  // namespace millrace::format
