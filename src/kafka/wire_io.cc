#include "kafka/wire_io.h"

#include "base/check.h"

namespace millrace::kafka {

void WireReader::Fail(const char* fault) {
  if (fault_ == nullptr) fault_ = fault;
  at_ = end_;
}

uint32_t WireReader::Varint() {
  uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const auto byte = static_cast<uint8_t>(Number<int8_t>());
    if (!ok()) return 0;
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  Fail("a varint of more than 5 bytes");
  return 0;
}

int64_t WireReader::Count() {
  return flexible() ? static_cast<int64_t>(Varint()) - 1 : Number<int32_t>();
}

int64_t WireReader::TextLength() {
  return flexible() ? static_cast<int64_t>(Varint()) - 1 : Number<int16_t>();
}

std::string_view WireReader::Take(int64_t length) {
  if (length < 0 || length > static_cast<int64_t>(left())) {
    Fail(length < 0 ? "null where a value must be" : "a length beyond the message");
    return {};
  }
  const std::string_view bytes(at_, static_cast<size_t>(length));
  at_ += length;
  return bytes;
}

void WireReader::Field(std::string& text) {
  text = Take(TextLength());
}

void WireReader::Field(std::optional<std::string>& text) {
  text.reset();
  const int64_t length = TextLength();
  if (length == -1 || !ok()) return;
  text.emplace(Take(length));
}

void WireReader::Field(Bytes& bytes) {
  bytes.value = Take(Count());
}

void WireReader::Field(std::string_view& records) {
  records = {};
  const int64_t length = Count();
  if (length == -1 || !ok()) return;
  records = Take(length);
}

void WireReader::Field(Uuid& id) {
  const std::string_view bytes = Take(static_cast<int64_t>(id.bytes.size()));
  id = {};
  if (ok()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
}

void WireReader::Field(Records& records) {
  std::string_view bytes;
  Field(bytes);
  records = {std::string(bytes), {}};
}

void WireReader::Tags() {
  if (!flexible()) return;
  for (uint32_t left = Varint(); left > 0 && ok(); left--) {
    Varint();
    Take(Varint());
  }
}

void WireWriter::Field(const Records& records) {
  auto count = static_cast<int64_t>(records.bytes.size());
  for (const log::BatchSlice& slice : records.slices) count += slice.bytes;
  Count(count);
  out_->append(records.bytes);
  MR_CHECK(slices_ != nullptr || records.slices.empty(), "slices can only go into a frame");
  for (const log::BatchSlice& slice : records.slices) slices_->push_back({out_->size(), slice});
}

void WireWriter::Varint(uint32_t value) {
  for (; value >= 0x80; value >>= 7) out_->push_back(static_cast<char>(value | 0x80));
  out_->push_back(static_cast<char>(value));
}

void WireWriter::Count(int64_t count) {
  if (flexible()) {
    Varint(static_cast<uint32_t>(count + 1));
  } else {
    Number(static_cast<int32_t>(count));
  }
}

void WireWriter::Text(std::string_view text, size_t length) {
  // What does not fit an int16 is cut: only our own error messages could be so long.
  constexpr size_t kLongest = INT16_MAX;
  if (flexible()) {
    Varint(static_cast<uint32_t>(length) + 1);
  } else {
    length = std::min(length, kLongest);
    Number(static_cast<int16_t>(length));
  }
  out_->append(text.substr(0, length));
}

void WireWriter::Field(const std::optional<std::string>& text) {
  if (text) {
    Text(*text, text->size());
  } else if (flexible()) {
    Varint(0);
  } else {
    Number<int16_t>(-1);
  }
}

void WireWriter::Blob(std::string_view bytes, bool null) {
  Count(null ? -1 : static_cast<int64_t>(bytes.size()));
  out_->append(bytes);
}

}  // namespace millrace::kafka
