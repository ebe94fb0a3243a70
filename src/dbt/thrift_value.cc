#include "dbt/thrift_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace millrace::dbt {

namespace {

enum Type {
  kStop = 0,
  kBool = 2,
  kByte = 3,
  kDouble = 4,
  kI16 = 6,
  kI32 = 8,
  kI64 = 10,
  kBytes = 11,
  kStruct = 12,
  kMap = 13,
  kSet = 14,
  kList = 15
};

constexpr uint32_t kVersion = 0x80010000;
constexpr int kDepthMax = 32;
constexpr int64_t kBytesMax = 256LL << 20;  // of one text
constexpr int64_t kCountMax = 16LL << 20;   // of a list's elements
constexpr size_t kPieceBytes = 64U << 10;    // taken before their bytes are there

Status Broken(const std::string& what) {
  return Status(Code::kCorruption, "the answer is no Thrift message: " + what);
}

class Reader {
 public:
  explicit Reader(const ThriftSource& source) : source_(source) {}

  Result<ThriftMessage> Message() {
    MR_ASSIGN_OR_RETURN(int64_t head, Number(4));
    if ((static_cast<uint32_t>(head) & 0xffff0000U) != kVersion) {
      return Broken(fmt::format("it begins with {:08x}", static_cast<uint32_t>(head)));
    }
    ThriftMessage out;
    out.kind = static_cast<int>(head & 0xff);
    MR_ASSIGN_OR_RETURN(out.name, Bytes());
    MR_ASSIGN_OR_RETURN(int64_t number, Number(4));
    out.number = static_cast<int32_t>(number);
    MR_ASSIGN_OR_RETURN(out.body, Of(kStruct, 0));
    return out;
  }

 private:
  Result<int64_t> Number(size_t bytes) {
    char raw[8];
    MR_RETURN_IF_ERROR(source_(raw, bytes));
    uint64_t value = (raw[0] & 0x80) != 0 ? ~uint64_t{0} : 0;  // the sign goes all the way up
    for (size_t i = 0; i < bytes; i++) value = value << 8 | static_cast<unsigned char>(raw[i]);
    return static_cast<int64_t>(value);
  }

  Result<std::string> Bytes() {
    MR_ASSIGN_OR_RETURN(int64_t size, Number(4));
    if (size < 0 || size > kBytesMax) return Broken(fmt::format("a text of {} bytes", size));
    std::string out;
    while (out.size() < static_cast<size_t>(size)) {
      const size_t at = out.size();
      const size_t piece = std::min(kPieceBytes, static_cast<size_t>(size) - at);
      out.resize(at + piece);
      MR_RETURN_IF_ERROR(source_(out.data() + at, piece));
    }
    return out;
  }

  Result<int64_t> Count() {
    MR_ASSIGN_OR_RETURN(int64_t count, Number(4));
    if (count < 0 || count > kCountMax) return Broken(fmt::format("a list of {}", count));
    return count;
  }

  Result<ThriftValue> Of(int64_t type, int depth) {
    if (depth > kDepthMax) return Broken("it is nested too deep");
    switch (type) {
      case kBool:
      case kByte:
        return Whole(1);
      case kI16:
        return Whole(2);
      case kI32:
        return Whole(4);
      case kI64:
        return Whole(8);
      case kDouble: {
        MR_ASSIGN_OR_RETURN(int64_t bits, Number(8));
        return ThriftValue(std::bit_cast<double>(bits));
      }
      case kBytes: {
        MR_ASSIGN_OR_RETURN(std::string bytes, Bytes());
        return ThriftValue(std::move(bytes));
      }
      case kStruct:
        return Struct(depth);
      case kMap: {
        MR_ASSIGN_OR_RETURN(int64_t keys, Number(1));
        MR_ASSIGN_OR_RETURN(int64_t values, Number(1));
        MR_ASSIGN_OR_RETURN(int64_t count, Count());
        return List(2 * count, {keys, values}, depth);
      }
      case kSet:
      case kList: {
        MR_ASSIGN_OR_RETURN(int64_t element, Number(1));
        MR_ASSIGN_OR_RETURN(int64_t count, Count());
        return List(count, {element, element}, depth);
      }
      default:
        return Broken(fmt::format("there is no type {}", type));
    }
  }

  Result<ThriftValue> Whole(size_t bytes) {
    MR_ASSIGN_OR_RETURN(int64_t value, Number(bytes));
    return ThriftValue(value);
  }

  Result<ThriftValue> Struct(int depth) {
    ThriftValue::Struct out;
    while (true) {
      MR_ASSIGN_OR_RETURN(int64_t type, Number(1));
      if (type == kStop) return ThriftValue(std::move(out));
      MR_ASSIGN_OR_RETURN(int64_t id, Number(2));
      MR_ASSIGN_OR_RETURN(out[static_cast<int>(id)], Of(type, depth + 1));
    }
  }

  Result<ThriftValue> List(int64_t count, std::pair<int64_t, int64_t> types, int depth) {
    ThriftValue::List out;
    for (int64_t i = 0; i < count; i++) {
      MR_ASSIGN_OR_RETURN(ThriftValue value,
                          Of(i % 2 == 0 ? types.first : types.second, depth + 1));
      out.push_back(std::move(value));
    }
    return ThriftValue(std::move(out));
  }

  const ThriftSource& source_;
};

}  // namespace

int64_t ThriftValue::whole() const {
  const auto* found = std::get_if<int64_t>(&v_);
  return found == nullptr ? 0 : *found;
}

double ThriftValue::number() const {
  const auto* found = std::get_if<double>(&v_);
  return found == nullptr ? 0 : *found;
}

const std::string& ThriftValue::bytes() const {
  static const std::string kNone;
  const auto* found = std::get_if<std::string>(&v_);
  return found == nullptr ? kNone : *found;
}

const ThriftValue::List& ThriftValue::list() const {
  static const List kNone;
  const auto* found = std::get_if<List>(&v_);
  return found == nullptr ? kNone : *found;
}

const ThriftValue::Struct& ThriftValue::fields() const {
  static const Struct kNone;
  const auto* found = std::get_if<Struct>(&v_);
  return found == nullptr ? kNone : *found;
}

const ThriftValue& ThriftValue::operator[](int id) const {
  static const ThriftValue kNull;
  const auto found = fields().find(id);
  return found == fields().end() ? kNull : found->second;
}

ThriftWriter& ThriftWriter::Call(const std::string& method, int32_t number) {
  Number(kVersion | ThriftMessage::kCall, 4);
  Text(method);
  Number(number, 4);
  return *this;
}

ThriftWriter& ThriftWriter::Struct(int id) {
  Field(kStruct, id);
  return *this;
}

ThriftWriter& ThriftWriter::End() {
  Number(kStop, 1);
  return *this;
}

ThriftWriter& ThriftWriter::Bool(int id, bool value) {
  Field(kBool, id);
  Number(value ? 1 : 0, 1);
  return *this;
}

ThriftWriter& ThriftWriter::I32(int id, int64_t value) {
  Field(kI32, id);
  Number(value, 4);
  return *this;
}

ThriftWriter& ThriftWriter::I64(int id, int64_t value) {
  Field(kI64, id);
  Number(value, 8);
  return *this;
}

ThriftWriter& ThriftWriter::Bytes(int id, const std::string& value) {
  Field(kBytes, id);
  Text(value);
  return *this;
}

ThriftWriter& ThriftWriter::Texts(int id,
                                  const std::vector<std::pair<std::string, std::string>>& map) {
  Field(kMap, id);
  Number(kBytes, 1);
  Number(kBytes, 1);
  Number(static_cast<int64_t>(map.size()), 4);
  for (const auto& [key, value] : map) {
    Text(key);
    Text(value);
  }
  return *this;
}

void ThriftWriter::Field(int type, int id) {
  Number(type, 1);
  Number(id, 2);
}

void ThriftWriter::Number(int64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; i--) {
    out_ += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  }
}

void ThriftWriter::Text(const std::string& value) {
  Number(static_cast<int64_t>(value.size()), 4);
  out_ += value;
}

Result<ThriftMessage> ReadThriftMessage(const ThriftSource& source) {
  return Reader(source).Message();
}

}  // namespace millrace::dbt
