// Any bytes as a .proto file, and any bytes as a message of a schema that has everything: never a
// crash, and what was decoded is encoded and decoded to the same again.
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.h"
#include "format/decoder.h"
#include "format/encoder.h"
#include "format/protobuf/proto_schema.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;

constexpr const char* kSchema = R"(
syntax = "proto3";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "confluent/type/decimal.proto";
message Everything {
  optional bool a = 1;
  optional int32 b = 2;
  sint64 c = 3;
  optional fixed64 d = 4;
  oneof either { float e = 5; double f = 6; }
  confluent.type.Decimal g = 7;
  string h = 8;
  bytes i = 9;
  google.protobuf.Timestamp j = 10;
  repeated sfixed32 k = 11;
  Inner l = 12;
  map<string, Inner> m = 13;
  google.protobuf.Int64Value n = 14;
  message Inner { optional sint64 x = 1; repeated string y = 2; Inner again = 3; }
})";

model::Schema EveryType() {
  const LogicalType row = LogicalType::STRUCT(
      {{"x", LogicalType::BIGINT}, {"y", LogicalType::LIST(LogicalType::VARCHAR)}});
  return {{{"a", LogicalType::BOOLEAN},
           {"b", LogicalType::INTEGER},
           {"c", LogicalType::BIGINT},
           {"d", LogicalType::BIGINT},
           {"e", LogicalType::FLOAT},
           {"f", LogicalType::DOUBLE},
           {"g", LogicalType::DECIMAL(20, 2)},
           {"h", LogicalType::VARCHAR},
           {"i", LogicalType::BLOB},
           {"j", LogicalType::TIMESTAMP},
           {"k", LogicalType::LIST(LogicalType::INTEGER)},
           {"l", row},
           {"m", LogicalType::MAP(LogicalType::VARCHAR, row)},
           {"n", LogicalType::BIGINT}}};
}

struct Codec {
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Encoder> encoder =
      *NewEncoder("protobuf", EveryType(), {{"protobuf.schema", kSchema}});
  duckdb::DataChunk chunk;
  std::vector<uint32_t> rows;
  std::vector<model::RowError> errors;

  // `skip`: the other columns are passed over.
  explicit Codec(size_t skip) {
    std::vector<size_t> projection;
    duckdb::vector<LogicalType> types;
    for (size_t i = 0; i < EveryType().size(); i += 1 + skip) {
      projection.push_back(i);
      types.push_back(EveryType().columns[i].type);
    }
    decoder = *NewDecoder({"protobuf", EveryType(), projection, {{"protobuf.schema", kSchema}}});
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  }

  // Two records, so that a bad one has a neighbour to spoil.
  void Decode(std::string_view document) {
    // Exactly the padding that is promised, on the heap: reading past it is found.
    std::unique_ptr<char[]> bytes(new char[document.size() + model::kRecordPadding]);
    document.copy(bytes.get(), document.size());
    std::fill_n(bytes.get() + document.size(), model::kRecordPadding, '\1');
    model::Record record;
    record.value = {bytes.get(), document.size()};
    const model::Record records[] = {record, record};
    chunk.Reset();
    errors.clear();
    decoder->Decode(records, chunk, rows, errors);
    MR_CHECK(rows.size() == chunk.size() && chunk.size() + errors.size() == 2,
             "every record is a row or an error");
    chunk.Verify();
  }

  std::string Encode() {
    std::string out;
    std::vector<size_t> ends;
    encoder->EncodeChunk(chunk, "", out, ends);
    MR_CHECK(out.size() % 2 == 0 && out.substr(0, ends[0]) == out.substr(ends[0]),
             "equal records are equal rows");
    return out.substr(0, ends[0]);
  }
};

void FuzzOne(std::string_view input) {
  static Codec whole(0);
  static Codec part(1);
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  if ((input[0] & 1) != 0) {
    if (auto schema = ProtoSchema::Parse(bytes); schema.ok()) (void)(*schema)->Source();
    return;
  }
  part.Decode(bytes);
  whole.Decode(bytes);
  if (whole.chunk.size() != 2) return;
  const std::string first = whole.Encode();
  whole.Decode(first);
  MR_CHECK(whole.chunk.size() == 2, "what was encoded decodes");
  MR_CHECK(whole.Encode() == first, "what was encoded decodes to the same");
}

}  // namespace
}  // namespace millrace::format

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::format::FuzzOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
