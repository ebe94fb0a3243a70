// WireReader and WireWriter: Kafka's primitive types, in both directions.
//
// A message describes itself once, for both:
//   struct HeartbeatRequest {
//     std::string group_id; int32_t generation_id = -1; …
//     template <class Io> void Visit(Io& io) {
//       io(group_id, generation_id);         // fields of every version
//       io.Since(3, group_instance_id);      // of version 3 and later
//     }
//   };
// Tagged fields (KIP-482) stand at the end of every structure of a flexible version: a writer says
// that there are none, a reader passes over them.
//
// Contract: one thread. A reader never reads past its bytes; after the first fault it gives zeros
// and ok() is false. Arrays cost memory in proportion to the bytes that are there, whatever count
// they claim. string_view fields (record batches) point into the bytes that are read.
//
// Format: integers big-endian; int16/int32 lengths, -1 for null; in flexible versions unsigned
// varints of length + 1, 0 for null. Source: Kafka protocol guide; KIP-482.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "kafka/frame.h"
#include "log/wire.h"

namespace millrace::kafka {

// Bytes that are not text: int32 length even where strings have an int16 one.
struct Bytes {
  std::string value;
  bool operator==(const Bytes&) const = default;
};

// Of a topic; all zero: none.
struct Uuid {
  std::array<char, 16> bytes = {};
  auto operator<=>(const Uuid&) const = default;
};

template <class T, class Io>
concept Message = requires(T& t, Io& io) {
  t.Visit(io);
};

// What reader and writer share: which fields a version has.
template <class Derived>
class WireIo {
 public:
  WireIo(int version, bool flexible) : version_(version), flexible_(flexible) {}

  int version() const { return version_; }
  bool flexible() const { return flexible_; }

  template <class... Fields>
  void operator()(Fields&... fields) {
    (self().Field(fields), ...);
  }
  template <class... Fields>
  void Since(int version, Fields&... fields) {
    if (version_ >= version) (*this)(fields...);
  }
  template <class... Fields>
  void Between(int first, int last, Fields&... fields) {
    if (version_ >= first && version_ <= last) (*this)(fields...);
  }

 private:
  Derived& self() { return static_cast<Derived&>(*this); }
  const int version_;
  const bool flexible_;
};

class WireReader : public WireIo<WireReader> {
 public:
  WireReader(std::string_view bytes, int version, bool flexible)
      : WireIo(version, flexible), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return fault_ == nullptr; }
  const char* fault() const { return fault_ == nullptr ? "" : fault_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  template <class T>
  requires std::is_arithmetic_v<T>
  void Field(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = Number<int8_t>() != 0;
    } else if constexpr (std::is_same_v<T, double>) {
      value = std::bit_cast<double>(Number<int64_t>());
    } else {
      value = Number<T>();
    }
  }
  void Field(std::string& text);
  void Field(std::optional<std::string>& text);
  void Field(Bytes& bytes);
  // Records; null data() for null.
  void Field(std::string_view& records);
  void Field(Records& records);
  template <class T>
  void Field(std::vector<T>& items) {
    const int64_t count = Count();
    if (count < 0) Fail("null where an array must be");
    Items(count, items);
  }
  template <class T>
  void Field(std::optional<std::vector<T>>& items) {
    items.reset();
    const int64_t count = Count();
    if (count >= 0 && ok()) Items(count, items.emplace());
  }
  template <Message<WireReader> T>
  void Field(T& message) {
    message.Visit(*this);
    Tags();
  }
  template <Message<WireReader> T>
  void Field(std::optional<T>& message) {
    message.reset();
    if (Number<int8_t>() >= 0 && ok()) Field(message.emplace());
  }
  void Field(Uuid& id);
  void Tags();

 private:
  template <class T>
  T Number() {
    if (left() < sizeof(T)) {
      Fail("cut off");
      return {};
    }
    const T value = log::LoadBig<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  template <class T>
  void Items(int64_t count, std::vector<T>& items) {
    items.clear();
    // Every item takes at least one byte.
    if (count > static_cast<int64_t>(left())) Fail("an array longer than the message");
    for (int64_t i = 0; i < count && ok(); i++) Field(items.emplace_back());
  }
  void Fail(const char* fault);
  uint32_t Varint();
  int64_t Count();       // of an array; -1: null
  int64_t TextLength();  // -1: null
  std::string_view Take(int64_t length);

  const char* at_;
  const char* end_;
  const char* fault_ = nullptr;
};

class WireWriter : public WireIo<WireWriter> {
 public:
  // Appends to *out.
  WireWriter(std::string* out, int version, bool flexible) : WireIo(version, flexible), out_(out) {}
  // Batches that lie in files stay there.
  WireWriter(Frame* frame, int version, bool flexible)
      : WireIo(version, flexible), out_(&frame->bytes), slices_(&frame->slices) {}

  template <class T>
  requires std::is_arithmetic_v<T>
  void Field(T value) {
    if constexpr (std::is_same_v<T, bool>) {
      Number<int8_t>(value ? 1 : 0);
    } else if constexpr (std::is_same_v<T, double>) {
      Number<int64_t>(std::bit_cast<int64_t>(value));
    } else {
      Number<T>(value);
    }
  }
  void Field(const std::string& text) { Text(text, text.size()); }
  void Field(const std::optional<std::string>& text);
  void Field(const Bytes& bytes) { Blob(bytes.value, false); }
  void Field(const std::string_view& records) { Blob(records, records.data() == nullptr); }
  void Field(const Records& records);
  template <class T>
  void Field(std::vector<T>& items) {
    Count(static_cast<int64_t>(items.size()));
    for (size_t i = 0; i < items.size(); i++) Field(items[i]);
  }
  template <class T>
  void Field(std::optional<std::vector<T>>& items) {
    if (items) {
      Field(*items);
    } else {
      Count(-1);
    }
  }
  template <Message<WireWriter> T>
  void Field(T& message) {
    message.Visit(*this);
    Tags();
  }
  template <Message<WireWriter> T>
  void Field(std::optional<T>& message) {
    Number<int8_t>(message ? 1 : -1);
    if (message) Field(*message);
  }
  void Field(const Uuid& id) { out_->append(id.bytes.data(), id.bytes.size()); }
  void Tags() {
    if (flexible()) Varint(0);
  }

 private:
  template <class T>
  void Number(T value) {
    char raw[sizeof(T)];
    log::StoreBig<T>(raw, value);
    out_->append(raw, sizeof(T));
  }
  void Varint(uint32_t value);
  void Count(int64_t count);
  void Text(std::string_view text, size_t length);
  void Blob(std::string_view bytes, bool null);

  std::string* out_;
  std::vector<Frame::Slice>* slices_ = nullptr;
};

}  // namespace millrace::kafka
