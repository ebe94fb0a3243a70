// What fuzz targets of formats share: records through a decoder, their rows through the encoder.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "format/decoder.h"
#include "format/encoder.h"

namespace millrace::format {

// Exactly the padding that is promised, on the heap: reading past it is found.
class PaddedBytes {
 public:
  PaddedBytes(std::string_view bytes, char padding)
      : size_(bytes.size()), bytes_(new char[size_ + model::kRecordPadding]) {
    bytes.copy(bytes_.get(), size_);
    std::fill_n(bytes_.get() + size_, model::kRecordPadding, padding);
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<char[]> bytes_;
};

struct FuzzCodec {
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Encoder> encoder;
  duckdb::DataChunk chunk;
  std::vector<uint32_t> rows;
  std::vector<model::RowError> errors;
  char padding;  // what lies behind a record

  // `skip`: after each column so many are passed over.
  FuzzCodec(const std::string& format, const model::Schema& schema,
            const std::map<std::string, std::string>& options, size_t skip = 0, char behind = '\1')
      : encoder(*NewEncoder(format, schema, options)), padding(behind) {
    std::vector<size_t> projection;
    duckdb::vector<duckdb::LogicalType> types;
    for (size_t i = 0; i < schema.size(); i += 1 + skip) {
      projection.push_back(i);
      types.push_back(schema.columns[i].type);
    }
    decoder = *NewDecoder({format, schema, projection, options});
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  }

  // Two records, so that a bad one has a neighbour to spoil.
  void Decode(std::string_view document) {
    const PaddedBytes bytes(document, padding);
    model::Record record;
    record.value = bytes.view();
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

  // What was decoded is encoded and decoded to the same again.
  void RoundTrip(std::string_view document) {
    Decode(document);
    if (chunk.size() != 2) return;
    const std::string first = Encode();
    Decode(first);
    MR_CHECK(chunk.size() == 2, "what was encoded decodes");
    MR_CHECK(Encode() == first, "what was encoded decodes to the same");
  }
};

}  // namespace millrace::format
