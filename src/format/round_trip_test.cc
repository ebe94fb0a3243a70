// Encoders, and the oracles: what was encoded decodes to the same, and DuckDB's own JSON reader
// agrees with ours on valid documents.
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "format/row_fixture.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;
using duckdb::Value;

model::Schema Scalars() {
  return {{{"b", LogicalType::BOOLEAN},
           {"i8", LogicalType::TINYINT},
           {"i16", LogicalType::SMALLINT},
           {"i32", LogicalType::INTEGER},
           {"i64", LogicalType::BIGINT},
           {"f32", LogicalType::FLOAT},
           {"f64", LogicalType::DOUBLE},
           {"d4", LogicalType::DECIMAL(4, 2)},
           {"d9", LogicalType::DECIMAL(9, 0)},
           {"d18", LogicalType::DECIMAL(18, 6)},
           {"d38", LogicalType::DECIMAL(38, 19)},
           {"text", LogicalType::VARCHAR},
           {"bytes", LogicalType::BLOB},
           {"day", LogicalType::DATE},
           {"clock", LogicalType::TIME},
           {"ts", LogicalType::TIMESTAMP},
           {"tstz", LogicalType::TIMESTAMP_TZ}}};
}

model::Schema Everything() {
  model::Schema schema = Scalars();
  const LogicalType row = LogicalType::STRUCT({{"a \"quoted\" field", LogicalType::BIGINT},
                                               {"t", LogicalType::LIST(LogicalType::VARCHAR)}});
  schema.columns.push_back({"list", LogicalType::LIST(LogicalType::LIST(LogicalType::DOUBLE))});
  schema.columns.push_back({"row", row});
  schema.columns.push_back({"rows", LogicalType::LIST(row)});
  schema.columns.push_back({"map", LogicalType::MAP(LogicalType::VARCHAR, row)});
  return schema;
}

class RandomRows {
 public:
  explicit RandomRows(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t n) { return random_() % n; }

  // Any value of the type; extremes and NULLs often.
  Value Any(const LogicalType& type) {
    if (Below(8) == 0) return Value(type);
    switch (type.id()) {
      case duckdb::LogicalTypeId::BOOLEAN:
        return Value::BOOLEAN(Below(2) == 0);
      case duckdb::LogicalTypeId::TINYINT:
        return Value::TINYINT(static_cast<int8_t>(Integer()));
      case duckdb::LogicalTypeId::SMALLINT:
        return Value::SMALLINT(static_cast<int16_t>(Integer()));
      case duckdb::LogicalTypeId::INTEGER:
        return Value::INTEGER(static_cast<int32_t>(Integer()));
      case duckdb::LogicalTypeId::BIGINT:
        return Value::BIGINT(Integer());
      case duckdb::LogicalTypeId::FLOAT: {
        const uint32_t bits = static_cast<uint32_t>(random_());
        float value = 0;
        std::memcpy(&value, &bits, 4);
        return Value::FLOAT(std::isfinite(value) ? value : 0.1F);
      }
      case duckdb::LogicalTypeId::DOUBLE: {
        const uint64_t bits = random_();
        double value = 0;
        std::memcpy(&value, &bits, 8);
        return Value::DOUBLE(std::isfinite(value) ? value : -0.0);
      }
      case duckdb::LogicalTypeId::DECIMAL: {
        std::string digits = Below(2) ? "-" : "";
        const int whole = duckdb::DecimalType::GetWidth(type) - duckdb::DecimalType::GetScale(type);
        const bool extreme = Below(4) == 0;
        for (int i = 0; i < whole; i++)
          digits += extreme ? '9' : static_cast<char>('0' + Below(10));
        digits += '.';
        for (int i = 0; i < duckdb::DecimalType::GetScale(type); i++) {
          digits += extreme ? '9' : static_cast<char>('0' + Below(10));
        }
        return Value(digits).DefaultCastAs(type);
      }
      case duckdb::LogicalTypeId::VARCHAR:
        return Value(Text());
      case duckdb::LogicalTypeId::BLOB: {
        std::string bytes(Below(40), '\0');
        for (char& c : bytes) c = static_cast<char>(Below(256));
        return Value::BLOB(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
      }
      case duckdb::LogicalTypeId::DATE:
        return Value::DATE(duckdb::date_t(static_cast<int32_t>(Below(3652059)) - 719528));
      case duckdb::LogicalTypeId::TIME:
        return Value::TIME(duckdb::dtime_t(Fraction(static_cast<int64_t>(Below(86400000000)))));
      case duckdb::LogicalTypeId::TIMESTAMP:
        return Value::TIMESTAMP(duckdb::timestamp_t(Micros()));
      case duckdb::LogicalTypeId::TIMESTAMP_TZ:
        return Value::TIMESTAMPTZ(duckdb::timestamp_tz_t(Micros()));
      case duckdb::LogicalTypeId::LIST: {
        duckdb::vector<Value> values;
        for (uint64_t n = Below(4); n > 0; n--) {
          values.push_back(Any(duckdb::ListType::GetChildType(type)));
        }
        return Value::LIST(duckdb::ListType::GetChildType(type), std::move(values));
      }
      case duckdb::LogicalTypeId::STRUCT: {
        duckdb::child_list_t<Value> fields;
        for (const auto& [name, child] : duckdb::StructType::GetChildTypes(type)) {
          fields.emplace_back(name, Any(child));
        }
        return Value::STRUCT(std::move(fields));
      }
      default: {
        duckdb::vector<Value> keys;
        duckdb::vector<Value> values;
        for (uint64_t n = Below(4); n > 0; n--) {
          keys.push_back(Value(std::to_string(n) + Text()));
          values.push_back(Any(duckdb::MapType::ValueType(type)));
        }
        return Value::MAP(duckdb::MapType::KeyType(type), duckdb::MapType::ValueType(type),
                          std::move(keys), std::move(values));
      }
    }
  }

 private:
  int64_t Integer() {
    switch (Below(4)) {
      case 0:
        return std::numeric_limits<int64_t>::min();
      case 1:
        return std::numeric_limits<int64_t>::max();
      default:
        return static_cast<int64_t>(random_()) >> Below(64);
    }
  }

  std::string Text() {
    static const std::vector<std::string> kPieces = {"a",
                                                     "plain text ",
                                                     "\"",
                                                     "\\",
                                                     "\n",
                                                     "\r\n",
                                                     "\t",
                                                     "\x01",
                                                     "ü",
                                                     "日本",
                                                     "\U0001F600",
                                                     "/",
                                                     ",",
                                                     "{}",
                                                     "NULL",
                                                     "#",
                                                     "'",
                                                     "\x7f",
                                                     std::string(1, '\0')};
    std::string text;
    for (uint64_t n = Below(12); n > 0; n--) text += kPieces[Below(kPieces.size())];
    return text;
  }

  int64_t Fraction(int64_t micros) { return Below(2) ? micros : micros / 1000000 * 1000000; }
  int64_t Micros() {
    return Fraction(static_cast<int64_t>(Below(315537897600000000)) - 62167219200000000);
  }

  std::mt19937_64 random_;
};

void Fill(duckdb::DataChunk& chunk, const model::Schema& schema, RandomRows& random, size_t rows) {
  chunk.Initialize(duckdb::Allocator::DefaultAllocator(), schema.Types());
  for (size_t row = 0; row < rows; row++) {
    for (size_t i = 0; i < schema.size(); i++) {
      chunk.SetValue(i, row, random.Any(schema.columns[i].type));
    }
  }
  chunk.SetCardinality(rows);
}

std::vector<std::string> Encode(Encoder& encoder, duckdb::DataChunk& chunk) {
  std::string bytes;
  std::vector<size_t> ends;
  encoder.EncodeChunk(chunk, "\n", bytes, ends);
  EXPECT_EQ(ends.size(), chunk.size());
  std::vector<std::string> documents;
  size_t start = 0;
  for (size_t row = 0; row < ends.size(); row++) {
    documents.push_back(bytes.substr(start, ends[row] - start));
    start = ends[row] + 1;
    if (row % 97 == 0) {  // the slow way writes the same
      std::string one;
      encoder.EncodeRow(chunk, row, one);
      EXPECT_EQ(one, documents.back());
    }
  }
  EXPECT_EQ(start, bytes.size());
  return documents;
}

void ExpectSame(duckdb::DataChunk& expected, duckdb::DataChunk& actual,
                const std::vector<std::string>& documents) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t row = 0; row < expected.size(); row++) {
    for (size_t i = 0; i < expected.ColumnCount(); i++) {
      const Value want = expected.GetValue(i, row);
      const Value got = actual.GetValue(i, row);
      ASSERT_TRUE(Value::NotDistinctFrom(want, got))
          << "row " << row << " column " << i << ": " << want.ToString() << " became "
          << got.ToString() << "\n"
          << documents[row];
    }
  }
}

TEST(RoundTrip, Json) {
  for (const OptionMap& options :
       {OptionMap{}, OptionMap{{"json.timestamp-format.standard", "ISO-8601"},
                               {"json.encode.ignore-null-fields", "true"}}}) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
      RandomRows random(seed);
      duckdb::DataChunk chunk;
      Fill(chunk, Everything(), random, seed == 1 ? STANDARD_VECTOR_SIZE : 300);
      auto encoder = *NewEncoder("json", Everything(), options);
      const auto documents = Encode(*encoder, chunk);
      RowFixture rows("json", Everything(), options);
      rows.Decode(documents);
      for (const auto& error : rows.errors) {
        ADD_FAILURE() << error.column << ": " << error.message << "\n"
                      << documents[error.record_index];
      }
      ExpectSame(chunk, rows.chunk(), documents);
    }
  }
}

TEST(RoundTrip, Csv) {
  const OptionMap options = {{"csv.null-literal", "NULL"}};
  RandomRows random(5);
  duckdb::DataChunk chunk;
  Fill(chunk, Scalars(), random, STANDARD_VECTOR_SIZE);
  auto encoder = *NewEncoder("csv", Scalars(), options);
  const auto documents = Encode(*encoder, chunk);
  RowFixture rows("csv", Scalars(), options);
  rows.Decode(documents);
  ASSERT_EQ(rows.errors.size(), 0u) << rows.errors[0].message;
  ExpectSame(chunk, rows.chunk(), documents);
}

TEST(RoundTrip, Raw) {
  for (const LogicalType& type :
       {LogicalType(LogicalType::VARCHAR), LogicalType(LogicalType::BLOB)}) {
    duckdb::DataChunk chunk;
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), {type});
    chunk.SetValue(0, 0,
                   type == LogicalType::BLOB ? Value::BLOB_RAW(std::string("\0\xff", 2))
                                             : Value("a text that is not inlined"));
    chunk.SetCardinality(1);
    auto encoder = *NewEncoder("raw", OneColumn(type), {});
    const auto documents = Encode(*encoder, chunk);
    RowFixture rows("raw", OneColumn(type));
    rows.Decode(documents);
    ExpectSame(chunk, rows.chunk(), documents);
  }
}

TEST(JsonEncoder, WritesWhatFlinkWrites) {
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  auto result = connection.Query(
      "SELECT 1::BIGINT AS id, 'a\"b' AS name, 12.50::DECIMAL(10, 2) AS price, 100::DOUBLE AS d, "
      "TIMESTAMP '2024-01-02 03:04:05.120' AS ts, TIMESTAMP '2024-01-02 03:04:05' AS whole, "
      "NULL::INTEGER AS missing, DATE '2024-01-02' AS day, 'nan'::DOUBLE AS nan, "
      "[1, NULL] AS list, {'x': 1, 'y': NULL::INTEGER} AS row, MAP {'k': true} AS map, "
      "0.00000001::DECIMAL(18, 8) AS small, "
      "make_timestamp(1704164645000000)::TIMESTAMP AS made");
  ASSERT_FALSE(result->HasError()) << result->GetError();
  model::Schema schema;
  for (size_t i = 0; i < result->names.size(); i++) {
    schema.columns.push_back({result->names[i], result->types[i]});
  }
  auto chunk = result->Fetch();
  std::string out;
  (*NewEncoder("json", schema, {}))->EncodeRow(*chunk, 0, out);
  EXPECT_EQ(out, R"({"id":1,"name":"a\"b","price":12.50,"d":100.0,"ts":"2024-01-02 03:04:05.12",)"
                 R"("whole":"2024-01-02 03:04:05","missing":null,"day":"2024-01-02","nan":"NaN",)"
                 R"("list":[1,null],"row":{"x":1,"y":null},"map":{"k":true},"small":0.00000001,)"
                 R"("made":"2024-01-02 03:04:05"})");
  out.clear();
  (*NewEncoder("json", schema,
               {{"json.encode.ignore-null-fields", "true"},
                {"json.timestamp-format.standard", "ISO-8601"}}))
      ->EncodeRow(*chunk, 0, out);
  EXPECT_EQ(out.find("missing"), std::string::npos);
  EXPECT_NE(out.find(R"("ts":"2024-01-02T03:04:05.12")"), std::string::npos);
  EXPECT_NE(out.find(R"("row":{"x":1})"), std::string::npos);
}

TEST(JsonEncoder, ReadsConstantAndDictionaryVectors) {
  const model::Schema schema = {{{"v", LogicalType::INTEGER},
                                 {"row", LogicalType::STRUCT({{"x", LogicalType::VARCHAR}})},
                                 {"c", LogicalType::VARCHAR}}};
  duckdb::DataChunk chunk;
  chunk.Initialize(duckdb::Allocator::DefaultAllocator(), schema.Types());
  for (int i = 0; i < 3; i++) {
    chunk.SetValue(0, static_cast<size_t>(i), Value::INTEGER(i));
    chunk.SetValue(1, static_cast<size_t>(i), Value::STRUCT({{"x", Value(std::to_string(i))}}));
  }
  chunk.SetCardinality(3);
  chunk.data[2].Reference(Value("same"));
  duckdb::SelectionVector selection(2);
  selection.set_index(0, 2);
  selection.set_index(1, 0);
  chunk.Slice(selection, 2);
  const auto documents = Encode(**NewEncoder("json", schema, {}), chunk);
  EXPECT_EQ(documents, (std::vector<std::string>{R"({"v":2,"row":{"x":"2"},"c":"same"})",
                                                 R"({"v":0,"row":{"x":"0"},"c":"same"})"}));
}

// A query over `path` with every column's type given.
std::string ReadJson(const model::Schema& schema, const std::string& path) {
  std::string columns;
  for (const model::Column& column : schema.columns) {
    columns +=
        (columns.empty() ? "'" : ", '") + column.name + "': '" + column.type.ToString() + "'";
  }
  return "SELECT * FROM read_json('" + path + "', format = 'newline_delimited', columns = {" +
         columns + "})";
}

TEST(Oracle, DuckDbReadsTheSame) {
  // Of the types on which DuckDB agrees by intent: it reads BLOB as escaped text and not as base64,
  // and a number with too many digits goes through DOUBLE there.
  model::Schema schema;
  for (const model::Column& column : Scalars().columns) {
    if (column.name != "bytes" && column.name != "tstz" && column.name != "d38" &&
        column.name != "d18") {
      schema.columns.push_back(column);
    }
  }
  schema.columns.push_back({"list", LogicalType::LIST(LogicalType::VARCHAR)});
  schema.columns.push_back(
      {"row", LogicalType::STRUCT({{"x", LogicalType::BIGINT}, {"y", LogicalType::VARCHAR}})});
  schema.columns.push_back({"map", LogicalType::MAP(LogicalType::VARCHAR, LogicalType::BIGINT)});
  RandomRows random(6);
  duckdb::DataChunk chunk;
  Fill(chunk, schema, random, STANDARD_VECTOR_SIZE);
  const auto documents = Encode(**NewEncoder("json", schema, {}), chunk);
  const std::string path =
      (std::filesystem::temp_directory_path() / ("oracle" + std::to_string(getpid()) + ".jsonl"));
  std::ofstream file(path, std::ios::binary);
  for (const std::string& document : documents) file << document << "\n";
  file.close();

  RowFixture rows("json", schema);
  rows.Decode(documents);
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  auto result = connection.Query(ReadJson(schema, path));
  std::filesystem::remove(path);
  ASSERT_FALSE(result->HasError()) << result->GetError();
  ASSERT_EQ(rows.size(), documents.size());
  size_t row = 0;
  while (auto theirs = result->Fetch()) {
    for (size_t k = 0; k < theirs->size(); k++, row++) {
      for (size_t i = 0; i < schema.size(); i++) {
        const Value want = theirs->GetValue(i, k);
        const Value got = rows.Value(i, row);
        ASSERT_TRUE(Value::NotDistinctFrom(want, got))
            << schema.columns[i].name << ": DuckDB reads " << want.ToString() << ", we read "
            << got.ToString() << "\n"
            << documents[row];
      }
    }
  }
  EXPECT_EQ(row, documents.size());
}

TEST(Oracle, RealInvoiceLines) {
  const char* shared = std::getenv("MILLRACE_SHARED");
  const std::string path = std::string(shared ? shared : "") + "/data/online_retail.csv";
  if (shared == nullptr || !std::filesystem::exists(path)) {
    GTEST_SKIP() << "MILLRACE_SHARED does not name a folder with data/online_retail.csv";
  }
  const model::Schema schema = {{{"InvoiceNo", LogicalType::VARCHAR},
                                 {"StockCode", LogicalType::VARCHAR},
                                 {"Description", LogicalType::VARCHAR},
                                 {"Quantity", LogicalType::INTEGER},
                                 {"InvoiceDate", LogicalType::VARCHAR},
                                 {"UnitPrice", LogicalType::DECIMAL(12, 4)},
                                 {"CustomerID", LogicalType::BIGINT},
                                 {"Country", LogicalType::VARCHAR}}};
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  std::string columns;
  for (const auto& column : schema.columns) {
    columns +=
        (columns.empty() ? "'" : ", '") + column.name + "': '" + column.type.ToString() + "'";
  }
  auto result = connection.Query("SELECT * FROM read_csv('" + path +
                                 "', header = true, columns = {" + columns + "})");
  ASSERT_FALSE(result->HasError()) << result->GetError();
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::getline(file, line);  // the header
  RowFixture rows("csv", schema);
  auto encoder = *NewEncoder("json", schema, {});
  RowFixture again("json", schema);
  size_t total = 0;
  while (auto theirs = result->Fetch()) {
    std::vector<std::string> lines;
    for (size_t k = 0; k < theirs->size() && std::getline(file, line); k++) lines.push_back(line);
    rows.Decode(lines);
    ASSERT_TRUE(rows.errors.empty()) << rows.errors[0].message;
    again.Decode(Encode(*encoder, rows.chunk()));
    for (size_t k = 0; k < theirs->size(); k++) {
      for (size_t i = 0; i < schema.size(); i++) {
        const Value want = theirs->GetValue(i, k);
        const Value got = rows.Value(i, k);
        // An empty text is NULL to DuckDB and '' to Flink.
        if (want.IsNull() && got.ToString().empty()) continue;
        ASSERT_TRUE(Value::NotDistinctFrom(want, got)) << lines[k];
        ASSERT_TRUE(Value::NotDistinctFrom(got, again.Value(i, k))) << lines[k];
      }
    }
    total += theirs->size();
  }
  EXPECT_GT(total, 8000u);
}

}  // namespace
}  // namespace millrace::format
