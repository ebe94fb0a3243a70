// ProtoRowReader: runs a ProtoPlan over the bytes of one message, into one row.
//
// A message's fields may come in any order and more than once: the last value counts, messages are
// merged, repeated ones are gathered. So a message is first looked through, then its fields are
// written one after another.
//
// Contract: no bytes are trusted: whatever they say, this ends and reads nothing behind them.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/protobuf/proto_plan.h"

namespace millrace::format {

class ProtoRowReader {
 public:
  // `columns` as given to ProtoPlan::Make; 16 bytes behind `bytes` must be readable. False: fault()
  // says why; record_index is not set.
  bool Read(const ProtoPlan& plan, std::string_view bytes, std::span<const TargetColumn> columns,
            duckdb::idx_t row);
  const model::RowError& fault() const { return fault_; }

 private:
  // What a message has of each step's field, in the order of the wire.
  struct Level {
    struct Part {
      WireField value;
      int next = -1;
    };
    std::vector<Part> parts;
    std::vector<int> first;  // by step; -1: none
    std::vector<int> last;
    std::string merged;  // of a message in several pieces
  };

  bool Scan(const std::vector<ProtoStep>& steps, std::string_view bytes, Level& level);
  void Add(const std::vector<ProtoStep>& steps, size_t step, const WireField& value, Level& level);
  Level& LevelAt(size_t depth);
  // The message's bytes, its pieces put together.
  std::string_view Merged(Level& level, size_t step);

  // Each writes what level `depth` has of step `i`.
  bool ReadField(const ProtoStep& step, size_t i, size_t depth, ColumnWriter& writer,
                 duckdb::idx_t row);
  bool ReadList(const ProtoStep& step, size_t i, size_t depth, ColumnWriter& writer,
                duckdb::idx_t row);
  bool ReadMap(const ProtoStep& step, size_t i, size_t depth, ColumnWriter& writer,
               duckdb::idx_t row);
  bool ReadPacked(const ProtoStep& element, std::string_view bytes, duckdb::idx_t first,
                  ColumnWriter& writer);

  // One value; what is below it is read at level `depth` + 1.
  bool ReadValue(const ProtoStep& step, const WireField& value, size_t depth, ColumnWriter& writer,
                 duckdb::idx_t row);
  bool ReadMessage(const ProtoStep& step, std::string_view bytes, size_t depth,
                   ColumnWriter& writer, duckdb::idx_t row);
  // Of the messages that are a value: that of each of their fields.
  bool ReadParts(const ProtoStep& step, std::string_view bytes, size_t depth,
                 std::vector<WireField>& values);
  bool StoreInteger(const ProtoStep& step, uint64_t bits, ColumnWriter& writer, duckdb::idx_t row);
  bool StoreText(std::string_view bytes, ColumnWriter& writer, duckdb::idx_t row);
  bool StoreTimestamp(const std::vector<WireField>& parts, ColumnWriter& writer, duckdb::idx_t row);
  bool StoreDecimal(const std::vector<WireField>& parts, ColumnWriter& writer, duckdb::idx_t row);
  bool StoreDate(const std::vector<WireField>& parts, ColumnWriter& writer, duckdb::idx_t row);
  bool StoreTimeOfDay(const std::vector<WireField>& parts, ColumnWriter& writer, duckdb::idx_t row);

  bool OutOfRange(std::string_view shown, const ColumnWriter& writer);
  bool Fault(model::RowErrorKind kind, std::string message);
  void At(const std::string& part) { path_ = part + path_; }

  std::deque<Level> levels_;
  std::string path_;  // to the value at fault, below its column
  model::RowError fault_;
};

}  // namespace millrace::format
