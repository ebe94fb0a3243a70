// Any bytes through the CSV decoder: never a crash, and what was decoded is encoded and decoded to
// the same again. The first byte chooses the options.
#include <cstdint>
#include <string>

#include "format/fuzz_codec.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;

model::Schema Scalars() {
  return {{{"a", LogicalType::BOOLEAN},
           {"b", LogicalType::INTEGER},
           {"c", LogicalType::DOUBLE},
           {"d", LogicalType::DECIMAL(20, 3)},
           {"e", LogicalType::VARCHAR},
           {"f", LogicalType::BLOB},
           {"g", LogicalType::DATE},
           {"h", LogicalType::TIME},
           {"i", LogicalType::TIMESTAMP},
           {"j", LogicalType::TIMESTAMP_TZ}}};
}

void FuzzOne(std::string_view input) {
  static FuzzCodec plain("csv", Scalars(), {}, 0, '1');
  static FuzzCodec text(
      "csv", {{{"e", LogicalType::VARCHAR}, {"f", LogicalType::VARCHAR}}},
      {{"csv.field-delimiter", ";"}, {"csv.quote-character", "'"}, {"csv.null-literal", "\\N"}}, 0,
      '\'');
  static FuzzCodec lenient("csv", Scalars(), {{"csv.ignore-parse-errors", "true"}}, 1, ',');
  if (input.empty()) return;
  const std::string_view line = input.substr(1);
  switch (input[0] % 3) {
    case 0:
      return plain.RoundTrip(line);
    case 1:
      return text.RoundTrip(line);
    default:
      lenient.Decode(line);
  }
}

}  // namespace
}  // namespace millrace::format

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::format::FuzzOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
