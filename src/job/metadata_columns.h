// Metadata columns: what a record tells of itself besides its value (`offset BIGINT METADATA`).
#pragma once

#include <duckdb.hpp>
#include <span>
#include <string>
#include <vector>

#include "model/record.h"

namespace millrace::job {

// The keys that every record has: "topic", "partition", "offset", "timestamp", "timestamp-type"
// (CreateTime, LogAppendTime, NoTimestampType), "headers" (MAP<STRING, BYTES>).
const std::vector<std::string>& MetadataKeys();
bool IsMetadataKey(const std::string& key);

// Fills rows 0..row_record.size() of a column: row r comes from records[row_record[r]].
void FillMetadata(const std::string& key, std::span<const model::Record> records,
                  const std::vector<uint32_t>& row_record, const std::string& topic,
                  const std::string& partition, duckdb::Vector& column);

}  // namespace millrace::job
