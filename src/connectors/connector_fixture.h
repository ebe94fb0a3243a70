// What the connectors' tests share: tables from WITH options, chunks from values, collected reads.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "connectors/connector.h"

namespace millrace::connectors {

using duckdb::LogicalType;
using duckdb::Value;

// A directory that goes with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "millrace_conn_XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline TableContext MakeTable(const std::string& connector, const model::Schema& schema,
                              const std::map<std::string, std::string>& with,
                              std::vector<std::string> primary_key = {}) {
  TableContext table;
  table.name = "t";
  table.job = "job";
  table.schema = schema;
  table.primary_key = std::move(primary_key);
  auto entry = FindConnector(connector);
  EXPECT_TRUE(entry.ok());
  auto options = ParseOptions((*entry)->spec, with);
  EXPECT_TRUE(options.ok()) << options.status().ToString();
  if (options.ok()) table.options = *options;
  return table;
}

inline std::unique_ptr<duckdb::DataChunk> MakeChunk(const model::Schema& schema,
                                                    const std::vector<std::vector<Value>>& rows) {
  auto chunk = std::make_unique<duckdb::DataChunk>();
  chunk->Initialize(duckdb::Allocator::DefaultAllocator(), schema.Types());
  for (size_t r = 0; r < rows.size(); r++) {
    for (size_t c = 0; c < rows[r].size(); c++) {
      chunk->SetValue(c, r, rows[r][c].DefaultCastAs(chunk->data[c].GetType()));
    }
  }
  chunk->SetCardinality(rows.size());
  return chunk;
}

inline Status WriteRows(Sink& sink, const model::Schema& schema,
                        const std::vector<std::vector<Value>>& rows,
                        const std::vector<int32_t>& weights = {}) {
  auto chunk = MakeChunk(schema, rows);
  SinkBatch batch;
  batch.rows = chunk.get();
  batch.weights = weights.empty() ? nullptr : &weights;
  return sink.Write(batch);
}

// Everything a source hands out, as "offset:text".
class Collected : public SourceOutput {
 public:
  std::vector<std::string> rows;
  std::vector<model::Offset> offsets;
  size_t bytes = 0;
  bool keep = true;

  void OnRecords(std::span<const model::Record> records) override {
    for (const model::Record& record : records) {
      bytes += record.value.size();
      // The padding must be readable.
      for (size_t i = 0; i < model::kRecordPadding; i += 63)
        touched_ += record.value.data()[record.value.size() + i];
      if (!keep) continue;
      offsets.push_back(record.offset);
      rows.push_back(std::to_string(record.offset) + ":" + std::string(record.value));
    }
  }
  void OnRows(duckdb::DataChunk& chunk, std::span<const model::Offset> row_offsets) override {
    for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
      std::string text = std::to_string(row_offsets[r]) + ":";
      for (size_t c = 0; c < chunk.ColumnCount(); c++) {
        text += (c ? "," : "") + chunk.GetValue(c, r).ToString();
      }
      offsets.push_back(row_offsets[r]);
      rows.push_back(text);
    }
  }

 private:
  int touched_ = 0;
};

// Polls with a budget until the end, or until nothing comes.
inline std::vector<std::string> ReadAll(Source& source, const Split& split, int64_t budget,
                                        model::Offset from = 0,
                                        std::vector<model::Offset>* boundaries = nullptr) {
  Collected out;
  while (true) {
    auto ready = source.Poll(split, from, budget);
    EXPECT_TRUE(ready.ok()) << ready.status().ToString();
    if (!ready.ok()) break;
    Status status = source.Read(split, from, ready->to, out);
    EXPECT_TRUE(status.ok()) << status.ToString();
    if (!status.ok()) break;
    if (boundaries) boundaries->push_back(ready->to);
    if (ready->end || ready->to == from) break;
    from = ready->to;
  }
  return out.rows;
}

}  // namespace millrace::connectors
