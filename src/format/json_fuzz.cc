// Any bytes through the JSON decoder: never a crash, and what was decoded is encoded and decoded to
// the same again. The first byte chooses the options.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/check.h"
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

struct Codec {
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Encoder> encoder;
  duckdb::DataChunk chunk;
  std::vector<uint32_t> rows;
  std::vector<model::RowError> errors;

  explicit Codec(std::map<std::string, std::string> options) {
    std::vector<size_t> all;
    for (size_t i = 0; i < EveryType().size(); i++) all.push_back(i);
    decoder = *NewDecoder({"json", EveryType(), all, options});
    encoder = *NewEncoder("json", EveryType(), options);
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), EveryType().Types());
  }

  // Two records, so that a bad one has a neighbour to spoil.
  void Decode(std::string_view document) {
    // Exactly the padding that is promised, on the heap: reading past it is found.
    std::unique_ptr<char[]> bytes(new char[document.size() + model::kRecordPadding]);
    document.copy(bytes.get(), document.size());
    std::fill_n(bytes.get() + document.size(), model::kRecordPadding, '1');
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
             "equal documents are equal rows");
    return out.substr(0, ends[0]);
  }
};

void FuzzOne(std::string_view input) {
  static Codec codecs[] = {Codec({}), Codec({{"json.ignore-parse-errors", "true"},
                                             {"json.timestamp-format.standard", "ISO-8601"},
                                             {"json.encode.ignore-null-fields", "true"}})};
  if (input.empty()) return;
  Codec& codec = codecs[input[0] & 1];
  codec.Decode(input.substr(1));
  if (codec.chunk.size() != 2) return;
  const std::string first = codec.Encode();
  codec.Decode(first);
  MR_CHECK(codec.chunk.size() == 2, "what was encoded decodes");
  MR_CHECK(codec.Encode() == first, "what was encoded decodes to the same");
}

}  // namespace
}  // namespace millrace::format

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::format::FuzzOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
