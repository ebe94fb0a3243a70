#include "connectors/iceberg/manifest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "connectors/iceberg/value_bytes.h"

namespace millrace::connectors::iceberg {
namespace {

using duckdb::Value;

// The examples and rules of the specification's Appendix D.
TEST(ValueBytes, AreAsIcebergDescribesThem) {
  EXPECT_EQ(ValueBytes(Value::BOOLEAN(true)), std::string("\1"));
  EXPECT_EQ(ValueBytes(Value::INTEGER(34)), std::string("\x22\0\0\0", 4));
  EXPECT_EQ(ValueBytes(Value::BIGINT(-2)), std::string("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF"));
  EXPECT_EQ(ValueBytes(Value::FLOAT(-4.5F)), std::string("\0\0\x90\xC0", 4));
  EXPECT_EQ(ValueBytes(Value::DATE(2017, 11, 16)), std::string("\x4E\x44\0\0", 4));
  EXPECT_EQ(ValueBytes(Value("iceberg")), std::string("iceberg"));
  EXPECT_EQ(ValueBytes(Value::DECIMAL(static_cast<int64_t>(1420), 12, 2)), std::string("\x05\x8C"));
  EXPECT_EQ(ValueBytes(Value::DECIMAL(static_cast<int64_t>(-1), 12, 2)), std::string("\xFF"));
  EXPECT_EQ(ValueBytes(Value::DECIMAL(static_cast<int16_t>(128), 4, 0)), std::string("\0\x80", 2));
  EXPECT_EQ(ValueBytes(Value::DOUBLE(std::nan(""))), std::nullopt);
  EXPECT_EQ(ValueBytes(Value(duckdb::LogicalType::BIGINT)), std::nullopt);
}

// Texts of characters of 1 to 4 bytes: a bound holds, is short, and is UTF-8.
TEST(ValueBytes, BoundsOfLongTextsHold) {
  const std::string characters[] = {"a", "z", "\x7E", "\x7F", "ä", "€", "\xF4\x8F\xBF\xBF"};
  std::mt19937 random(7);
  for (int i = 0; i < 2000; i++) {
    std::string text;
    for (size_t n = random() % 40; n > 0; n--) text += characters[random() % 7];
    const auto lower = BoundBytes(Value(text), true), upper = BoundBytes(Value(text), false);
    ASSERT_TRUE(lower);
    EXPECT_LE(*lower, text);
    EXPECT_LE(lower->size(), 16 * 4);
    EXPECT_TRUE(duckdb::Value::StringIsValid(*lower));
    if (!upper) continue;  // of characters that cannot be raised
    EXPECT_GE(*upper, text);
    EXPECT_LE(upper->size(), 16 * 4);
    EXPECT_TRUE(duckdb::Value::StringIsValid(*upper));
  }
}

const std::vector<PartitionColumn> kColumns = {{1000, "day", duckdb::LogicalType::DATE},
                                               {1001, "2 odd-name", duckdb::LogicalType::VARCHAR},
                                               {1002, "hour", duckdb::LogicalType::INTEGER}};

DataFile FileOf(int i) {
  DataFile file;
  file.path = fmt::format("file:///lake/{}.parquet", i);
  file.partition = {i % 3 ? Value::DATE(2026, 1, 1 + i) : Value(duckdb::LogicalType::DATE),
                    Value("p" + std::to_string(i)), Value::INTEGER(-i)};
  file.record_count = 10 + i;
  file.size_bytes = 1000 + i;
  if (i % 2) return file;  // without anything optional
  file.column_sizes = {{1, 100}, {2, 200}};
  file.value_counts = {{1, 10 + i}};
  file.null_counts = {{1, i}};
  file.nan_counts = {{2, 0}};
  file.lower_bounds = {{1, std::string("\0\1", 2)}};
  file.upper_bounds = {{1, "z"}};
  file.key_metadata = "key";
  file.split_offsets = {4, 5000};
  file.equality_ids = {1, 2};
  file.sort_order_id = 3;
  return file;
}

void ExpectSame(const DataFile& a, const DataFile& b) {
  EXPECT_EQ(a.path, b.path);
  EXPECT_EQ(a.format, b.format);
  ASSERT_EQ(a.partition.size(), b.partition.size());
  for (size_t i = 0; i < a.partition.size(); i++) {
    EXPECT_TRUE(Value::NotDistinctFrom(a.partition[i], b.partition[i])) << i;
  }
  EXPECT_EQ(a.record_count, b.record_count);
  EXPECT_EQ(a.size_bytes, b.size_bytes);
  EXPECT_EQ(a.column_sizes, b.column_sizes);
  EXPECT_EQ(a.value_counts, b.value_counts);
  EXPECT_EQ(a.null_counts, b.null_counts);
  EXPECT_EQ(a.nan_counts, b.nan_counts);
  EXPECT_EQ(a.lower_bounds, b.lower_bounds);
  EXPECT_EQ(a.upper_bounds, b.upper_bounds);
  EXPECT_EQ(a.key_metadata, b.key_metadata);
  EXPECT_EQ(a.split_offsets, b.split_offsets);
  EXPECT_EQ(a.equality_ids, b.equality_ids);
  EXPECT_EQ(a.sort_order_id, b.sort_order_id);
}

TEST(Manifest, ReadsWhatItWrites) {
  TableMetadata table;
  table.schema_json = "{}";
  PartitionSpec spec{7, {}};
  std::vector<ManifestEntry> entries;
  for (int i = 0; i < 20; i++) {
    entries.push_back(
        {.status = static_cast<EntryStatus>(i % 3), .snapshot_id = 100 + i, .file = FileOf(i)});
    if (entries.back().status != EntryStatus::kAdded) {
      entries.back().sequence_number = 5 + i;
      entries.back().file_sequence_number = 5 + i;
    }
  }
  ManifestFile manifest;
  manifest.path = "file:///lake/m.avro";
  const std::string bytes = WriteManifest(table, spec, kColumns, entries, 42, manifest);
  EXPECT_EQ(manifest.length, static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(manifest.files[0] + manifest.files[1] + manifest.files[2], 20);
  EXPECT_EQ(manifest.min_sequence_number, 5);
  ASSERT_EQ(manifest.partitions.size(), 3U);
  EXPECT_TRUE(manifest.partitions[0].contains_null);
  EXPECT_FALSE(manifest.partitions[1].contains_null);
  EXPECT_EQ(manifest.partitions[1].lower, "p0");
  EXPECT_EQ(manifest.partitions[1].upper, "p9");

  // What is open takes its number from the list.
  auto list = ReadManifestList(WriteManifestList({manifest}, 42, -1, 9), "list");
  ASSERT_TRUE(list.ok()) << list.status().ToString();
  ASSERT_EQ(list->size(), 1U);
  const ManifestFile& read = (*list)[0];
  EXPECT_EQ(read.path, manifest.path);
  EXPECT_EQ(read.length, manifest.length);
  EXPECT_EQ(read.spec_id, 7);
  EXPECT_EQ(read.sequence_number, 9);
  EXPECT_EQ(read.min_sequence_number, 5);
  EXPECT_EQ(read.added_snapshot, 42);
  for (int status = 0; status < 3; status++) {
    EXPECT_EQ(read.files[status], manifest.files[status]);
    EXPECT_EQ(read.rows[status], manifest.rows[status]);
  }
  EXPECT_EQ(read.partitions[2].lower, manifest.partitions[2].lower);

  auto back = ReadManifest(bytes, read, kColumns);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  ASSERT_EQ(back->size(), entries.size());
  for (size_t i = 0; i < entries.size(); i++) {
    EXPECT_EQ((*back)[i].status, entries[i].status);
    EXPECT_EQ((*back)[i].snapshot_id, entries[i].snapshot_id);
    EXPECT_EQ((*back)[i].sequence_number, entries[i].sequence_number.value_or(9));
    ExpectSame((*back)[i].file, entries[i].file);
  }
  EXPECT_EQ(ReadManifest(bytes, read, {}).status().code(), Code::kCorruption);
  EXPECT_EQ(ReadManifest("no file", read, kColumns).status().code(), Code::kCorruption);
}

}  // namespace
}  // namespace millrace::connectors::iceberg
