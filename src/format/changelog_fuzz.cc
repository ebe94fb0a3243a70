// Any bytes through the decoders of changelogs: never a crash, and every message is rows with
// weights, an error, or counted as passed over. The first byte chooses the format.
#include <cstdint>
#include <string>

#include "format/fuzz_codec.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;

struct Changes {
  std::unique_ptr<Decoder> decoder;
  duckdb::DataChunk chunk;
  std::vector<uint32_t> rows;
  std::vector<model::RowError> errors;

  Changes(const std::string& format, std::vector<size_t> key,
          const std::map<std::string, std::string>& options) {
    const model::Schema schema{
        {{"id", LogicalType::BIGINT, false},
         {"name", LogicalType::VARCHAR},
         {"tags", LogicalType::LIST(LogicalType::STRUCT({{"x", LogicalType::DOUBLE}}))}}};
    DecoderOptions decoding{format, schema, {0, 1, 2}, options};
    decoding.key = std::move(key);
    decoder = *NewDecoder(decoding);
    duckdb::vector<duckdb::LogicalType> types;
    for (const model::Column& column : schema.columns) types.push_back(column.type);
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  }

  void Decode(std::string_view message) {
    const PaddedBytes bytes(message, '1');
    model::Record record;
    record.value = bytes.view();
    const model::Record records[] = {record, record};
    chunk.Reset();
    errors.clear();
    decoder->Decode(records, chunk, rows, errors);
    MR_CHECK(rows.size() == chunk.size() && decoder->weights()->size() == chunk.size(),
             "a row has its record and its weight");
    MR_CHECK(chunk.size() % 2 == 0 && errors.size() % 2 == 0, "equal messages, equal rows");
    MR_CHECK(chunk.size() + errors.size() + decoder->skipped() >= 2, "no message disappears");
    chunk.Verify();
  }
};

void FuzzOne(std::string_view input) {
  static Changes debezium("debezium-json", {}, {});
  static Changes enveloped("debezium-json", {0}, {{"debezium-json.schema-include", "true"}});
  static Changes changelog("changelog-json", {0}, {});
  if (input.empty()) return;
  Changes* const formats[] = {&debezium, &enveloped, &changelog};
  formats[static_cast<uint8_t>(input[0]) % 3]->Decode(input.substr(1));
}

}  // namespace
}  // namespace millrace::format

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::format::FuzzOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
