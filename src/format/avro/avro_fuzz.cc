// Any bytes as an Avro schema or a container file, and any bytes as a record of a schema that has
// everything: never a crash, and what was decoded is encoded and decoded to the same again.
#include <cstdint>
#include <memory>
#include <string>

#include "format/avro/avro_file.h"
#include "format/avro/avro_schema.h"
#include "format/fuzz_codec.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;

model::Schema EveryType() {
  const LogicalType row = LogicalType::STRUCT(
      {{"x", LogicalType::BIGINT}, {"y", LogicalType::LIST(LogicalType::VARCHAR)}});
  return {{{"a", LogicalType::BOOLEAN},
           {"b", LogicalType::TINYINT},
           {"c", LogicalType::INTEGER},
           {"d", LogicalType::BIGINT},
           {"e", LogicalType::FLOAT},
           {"f", LogicalType::DOUBLE},
           {"g", LogicalType::DECIMAL(9, 2)},
           {"h", LogicalType::DECIMAL(38, 10)},
           {"i", LogicalType::VARCHAR},
           {"j", LogicalType::BLOB},
           {"k", LogicalType::DATE},
           {"l", LogicalType::TIME},
           {"m", LogicalType::TIMESTAMP},
           {"n", LogicalType::TIMESTAMP_TZ},
           {"o", LogicalType::LIST(LogicalType::LIST(LogicalType::INTEGER))},
           {"p", row},
           {"q", LogicalType::MAP(LogicalType::VARCHAR, row)}}};
}

void FuzzOne(std::string_view input) {
  static FuzzCodec whole("avro", EveryType(), {});
  static FuzzCodec part("avro", EveryType(), {}, 1);
  if (input.empty()) return;
  const std::string_view bytes = input.substr(1);
  if ((input[0] & 1) != 0) {
    (void)AvroSchema::Parse(bytes);
    (void)ReadAvroFile(bytes);
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
