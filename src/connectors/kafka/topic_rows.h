// TopicRows: the rows of one epoch as records of a topic, whoever keeps the topic.
//
// With PRIMARY KEY semantics (`upsert-kafka`) an epoch makes one record per key that changed: its
// new row, or a tombstone. Formats that are changelogs make one of every change, and the changes of
// one PRIMARY KEY go to one partition. Otherwise rows only come.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "connectors/kafka/record_key.h"
#include "connectors/net_changes.h"
#include "format/encoder.h"

namespace millrace::connectors::kafka {

// Every record carries this header: the epoch, 8 bytes, big endian; for tracing.
constexpr const char* kEpochHeader = "millrace.epoch";
std::string EpochHeader(model::Epoch epoch);

class TopicRows {
 public:
  // Errors: those of the key's and the value's format, and of the schema registry it asks.
  static Result<std::unique_ptr<TopicRows>> New(const TableContext& table, bool upsert);

  // Errors: kUnsupported for a row that is taken away where none can be; kFailedPrecondition for a
  // NULL in the PRIMARY KEY of an upsert, or where a binary format has no place for it, and for a
  // row that is not valid in the JSON Schema that the table or the registry gives.
  Status Add(const SinkBatch& batch);
  // To be called once the epoch's rows are there; may be repeated.
  void Finish();
  void Clear();

  // Views; valid until the next Add, Finish or Clear.
  struct Record {
    std::optional<std::string_view> key = {};
    std::optional<std::string_view> value = {};
  };
  size_t size() const { return entries_.size(); }
  Record At(size_t number) const;
  // Depends on the record, the epoch and the record's number in it only.
  int Partition(size_t number, model::Epoch epoch, int partitions) const;

 private:
  // What a row that is taken away becomes.
  enum class Mode { kAppend, kChangelog, kUpsert };
  struct Entry {
    size_t begin = 0;  // in bytes_: the key, then the value
    size_t key_bytes = 0;
    size_t value_bytes = 0;
    bool has_key = false;
    bool has_value = true;  // false: a tombstone
  };
  TopicRows(const TableContext& table, Mode mode) : table_(table), mode_(mode) {}
  // A schema in which a column is NOT NULL has no bytes for it.
  Status CheckNotNull(duckdb::DataChunk& rows) const;
  // Of the value's schema, of everything since the last call.
  Status CheckOfSchema();
  void AddRow(duckdb::idx_t row, bool comes);
  Status AddChange(duckdb::idx_t row, int32_t weight);

  const TableContext table_;
  const Mode mode_;
  bool binary_ = false;  // the format of the key, the value or both
  std::string partitioner_;
  std::unique_ptr<RecordKey> keys_;
  std::unique_ptr<format::Encoder> encoder_;
  std::vector<size_t> value_columns_;
  duckdb::DataChunk value_chunk_;
  std::string bytes_;
  std::vector<Entry> entries_;
  NetChanges changes_;  // of an upsert
  std::string key_bytes_;
  std::string value_bytes_;
};

}  // namespace millrace::connectors::kafka
