// Any bytes through the JSON decoder: never a crash, and what was decoded is encoded and decoded to
// the same again. The first byte chooses the options.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "format/fuzz_codec.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;

model::Schema EveryType() {
  const LogicalType row = LogicalType::STRUCT(
      {{"x", LogicalType::BIGINT}, {"y", LogicalType::LIST(LogicalType::VARCHAR)}});
  return {{{"a", LogicalType::BOOLEAN},
           {"b", LogicalType::TINYINT},
           {"c", LogicalType::SMALLINT},
           {"d", LogicalType::INTEGER},
           {"e", LogicalType::BIGINT},
           {"f", LogicalType::FLOAT},
           {"g", LogicalType::DOUBLE},
           {"h", LogicalType::DECIMAL(9, 2)},
           {"i", LogicalType::DECIMAL(38, 10)},
           {"j", LogicalType::VARCHAR},
           {"k", LogicalType::BLOB},
           {"l", LogicalType::DATE},
           {"m", LogicalType::TIME},
           {"n", LogicalType::TIMESTAMP},
           {"o", LogicalType::TIMESTAMP_TZ},
           {"p", LogicalType::LIST(LogicalType::LIST(LogicalType::INTEGER))},
           {"q", row},
           {"r", LogicalType::MAP(LogicalType::VARCHAR, row)}}};
}

void FuzzOne(std::string_view input) {
  // A digit behind a record would make a number of it longer.
  static FuzzCodec plain("json", EveryType(), {}, 0, '1');
  static FuzzCodec lenient("json", EveryType(),
                           {{"json.ignore-parse-errors", "true"},
                            {"json.timestamp-format.standard", "ISO-8601"},
                            {"json.encode.ignore-null-fields", "true"}},
                           0, '1');
  if (input.empty()) return;
  ((input[0] & 1) != 0 ? lenient : plain).RoundTrip(input.substr(1));
}

}  // namespace
}  // namespace millrace::format

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::format::FuzzOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
