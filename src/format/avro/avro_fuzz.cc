// Any bytes as an Avro schema, and any bytes as a record of a schema that has everything: never a
// crash, and what was decoded is encoded and decoded to the same again.
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.h"
#include "format/avro/avro_schema.h"
#include "format/decoder.h"
#include "format/encoder.h"

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

struct Codec {
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Encoder> encoder = *NewEncoder("avro", EveryType(), {});
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
    decoder = *NewDecoder({"avro", EveryType(), projection, {}});
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
    MR_CHECK(rows.size() == chunk.size() && (chunk.size() == 2) == errors.empty(),
             "every record is a row or an error");
    MR_CHECK(chunk.size() + errors.size() == 2, "every record is a row or an error");
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
    (void)AvroSchema::Parse(bytes);
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
