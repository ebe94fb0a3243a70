#include "format/avro/avro_file.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "format/avro/avro_cursor.h"

namespace millrace::format {
namespace {

constexpr const char* kSchema = R"({"type":"record","name":"row","fields":[
  {"name":"id","type":"long"},{"name":"word","type":["null","string"]},
  {"name":"marks","type":{"type":"array","items":"int"}},
  {"name":"by_name","type":{"type":"map","values":"double"}},
  {"name":"inner","type":{"type":"record","name":"part","fields":[
    {"name":"yes","type":"boolean"},{"name":"code","type":{"type":"fixed","name":"f","size":2}}]}}]})";

std::string Row(int64_t id) {
  std::string out;
  AppendAvroLong(id, out);
  AppendAvroLong(id % 2, out);
  if (id % 2) AppendAvroBytes("word " + std::to_string(id), out);
  // A block with its size before it, then one without.
  std::string marks;
  AppendAvroLong(id, marks);
  AppendAvroLong(-1, out);
  AppendAvroLong(static_cast<int64_t>(marks.size()), out);
  out += marks;
  AppendAvroLong(1, out);
  AppendAvroLong(-id, out);
  AppendAvroLong(0, out);
  AppendAvroLong(1, out);
  AppendAvroBytes("half", out);
  AppendAvroFloating(static_cast<double>(id) / 2, out);
  AppendAvroLong(0, out);
  return out + (id % 3 == 0 ? '\1' : '\0') + "ab";
}

void ExpectRows(const AvroFile& file, int64_t rows) {
  ASSERT_EQ(static_cast<int64_t>(file.records.size()), rows);
  for (int64_t id = 0; id < rows; id++) {
    const AvroValue& row = file.records[static_cast<size_t>(id)];
    EXPECT_EQ(row.Find("id")->number, id);
    ASSERT_EQ(row.Find("word") != nullptr, id % 2 == 1);
    if (id % 2) {
      EXPECT_EQ(row.Find("word")->bytes, "word " + std::to_string(id));
    }
    ASSERT_EQ(row.Find("marks")->parts.size(), 2U);
    EXPECT_EQ(row.Find("marks")->parts[0].number, id);
    EXPECT_EQ(row.Find("marks")->parts[1].number, -id);
    EXPECT_EQ(row.Find("by_name")->keys, std::vector<std::string>{"half"});
    EXPECT_EQ(row.Find("by_name")->parts[0].floating, static_cast<double>(id) / 2);
    EXPECT_EQ(row.Find("inner")->Find("yes")->number, id % 3 == 0 ? 1 : 0);
    EXPECT_EQ(row.Find("inner")->Find("code")->bytes, "ab");
    EXPECT_EQ(row.Find("nobody"), nullptr);
  }
}

std::string FileOf(int64_t rows) {
  std::vector<std::string> records;
  for (int64_t id = 0; id < rows; id++) records.push_back(Row(id));
  return WriteAvroFile(kSchema, {{"who", "a test"}}, records);
}

TEST(AvroFile, ReadsWhatItWrites) {
  for (const int64_t rows : {0, 1, 100}) {
    auto file = ReadAvroFile(FileOf(rows));
    ASSERT_TRUE(file.ok()) << file.status().ToString();
    EXPECT_EQ(file->metadata["who"], "a test");
    ExpectRows(*file, rows);
  }
}

TEST(AvroFile, ReadsBlocksThatAreDeflated) {
  const std::string plain = Row(0) + Row(1) + Row(2);
  std::string packed(compressBound(plain.size()), '\0');
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  std::string bytes = WriteAvroFile(kSchema, {}, {});
  const std::string marker = bytes.substr(bytes.size() - 16);
  const size_t codec = bytes.find("null", bytes.find("avro.codec"));
  // "null" with its length of 4 before it.
  std::string name;
  AppendAvroBytes("deflate", name);
  bytes.replace(codec - 1, 5, name);
  AppendAvroLong(3, bytes);
  AppendAvroBytes(packed, bytes);
  auto file = ReadAvroFile(bytes + marker);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  ExpectRows(*file, 3);
}

TEST(AvroFile, RefusesWhatIsCutOffOrChanged) {
  const std::string whole = FileOf(3);
  const std::string header = FileOf(0);
  for (size_t size = 0; size < whole.size(); size++) {
    // The header alone is a file without records.
    EXPECT_EQ(ReadAvroFile(whole.substr(0, size)).ok(), size == header.size()) << size;
  }
  // Whatever a byte is changed to, it ends, and reads nothing behind the bytes.
  for (size_t at = 0; at < whole.size(); at++) {
    for (const char to : {'\0', '\1', '\x7F', '\xFF'}) {
      std::string changed = whole;
      changed[at] = to;
      ReadAvroFile(changed).status().ok();
    }
  }
  std::string other = whole;
  other.replace(other.find("null", other.find("avro.codec")), 4, "brot");
  EXPECT_EQ(ReadAvroFile(other).status().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace millrace::format
