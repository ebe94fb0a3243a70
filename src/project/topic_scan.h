// TopicScan: records of a topic as rows of a table of the warehouse's SQL. Records that do not
// decode are left out.
//
// Contract: one thread at a time, as duck/table_provider.h.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "duck/table_provider.h"
#include "format/decoder.h"
#include "job/metadata_columns.h"
#include "log/log.h"
#include "sql/catalog.h"

namespace millrace::project {

// Columns that the scan of a table whose rows change has behind its own: whether a row comes (1) or
// is taken away (-1), and its place in the order of reading.
constexpr const char* kWeight = "mr_weight";
constexpr const char* kOrder = "mr_order";

// Fills a metadata column: as job::FillMetadata.
using FillColumn =
    std::function<void(const std::string& key, std::span<const model::Record> records,
                       const std::vector<uint32_t>& row_record, const std::string& topic,
                       const std::string& partition, duckdb::Vector& column)>;

// What a pass reads: decoded columns, columns of the record's metadata, and where each goes.
struct TopicColumns {
  format::DecoderOptions decoded;                        // its projection: the columns wanted
  duckdb::vector<duckdb::LogicalType> types;             // of the output
  std::vector<size_t> decoded_places;                    // in the output, by projection index
  std::vector<std::pair<size_t, std::string>> metadata;  // place in the output, key
  bool rows_only = false;                                // count(*)
  int weight = -1;                                       // places in the output
  int order = -1;
  FillColumn fill = job::FillMetadata;
};

// `format`: the physical columns and how to decode them; `metadata`: further columns by key.
// `wanted`: places in the former, the latter, and kWeight and kOrder behind them.
TopicColumns ChooseColumns(const format::DecoderOptions& format,
                           const std::vector<sql::MetadataColumn>& metadata,
                           const std::vector<size_t>& wanted);

// Where a pass has its records from.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // Visits records of one partition, in order; views as Log::Read. False: there are no more.
  using Visit = std::function<void(int partition, std::span<const model::Record>)>;
  virtual Result<bool> Next(const Visit& visit) = 0;
};

struct PartitionRange {
  int partition = 0;
  int64_t from = 0;
  int64_t to = 0;  // exclusive
};

// What each partition of the topic has now: up to the first record of an open transaction.
Result<std::vector<PartitionRange>> WholeTopic(log::Log& log, const std::string& topic);
// Those records, from the log.
std::unique_ptr<RecordReader> NewLogReader(log::Log& log, std::string topic,
                                           std::vector<PartitionRange> ranges);

class TopicScan : public duck::TableScan {
 public:
  // `readers`: one after the other.
  TopicScan(std::string topic, std::unique_ptr<format::Decoder> decoder, TopicColumns columns,
            std::vector<std::unique_ptr<RecordReader>> readers);

  Status Next(duckdb::DataChunk& out) override;

 private:
  Status ReadBlock();
  std::unique_ptr<duckdb::DataChunk> Decode(std::span<const model::Record> records,
                                            const std::string& partition);

  const std::string topic_;
  std::unique_ptr<format::Decoder> decoder_;
  const TopicColumns columns_;
  std::vector<std::unique_ptr<RecordReader>> readers_;
  size_t reading_ = 0;
  std::deque<std::unique_ptr<duckdb::DataChunk>> ready_;
  int64_t rows_read_ = 0;
  std::unique_ptr<duckdb::DataChunk> current_;
  std::vector<uint32_t> row_record_;
  std::vector<model::RowError> errors_;
};

}  // namespace millrace::project
