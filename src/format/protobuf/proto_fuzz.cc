// Any bytes as a .proto file, and any bytes as a message of a schema that has everything: never a
// crash, and what was decoded is encoded and decoded to the same again.
#include <cstdint>
#include <memory>
#include <string>

#include "format/fuzz_codec.h"
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

void FuzzOne(std::string_view input) {
  const std::map<std::string, std::string> options = {{"protobuf.schema", kSchema}};
  static FuzzCodec whole("protobuf", EveryType(), options);
  static FuzzCodec part("protobuf", EveryType(), options, 1);
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  if ((input[0] & 1) != 0) {
    if (auto schema = ProtoSchema::Parse(bytes); schema.ok()) (void)(*schema)->Source();
    return;
  }
  part.Decode(bytes);
  whole.RoundTrip(bytes);
}

}  // namespace
}  // namespace millrace::format

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::format::FuzzOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
