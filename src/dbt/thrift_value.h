// ThriftValue: what a message of Thrift's binary protocol holds, without classes generated for it;
// and the two ways between it and bytes.
//
// Contract: what is read may come from anybody. Lengths are bounded, depths too, and memory is
// taken only for bytes that came.
//
// Format (big endian):
//   message  i32 0x80010000 | kind (1 call, 2 reply, 3 exception), name as bytes, i32 number,
//   struct struct   fields until a byte 0: byte type, i16 id, value bytes    i32 length, that many
//   bytes; also texts list     byte type of the elements, i32 count, elements; sets, too map byte
//   type of the keys, byte type of the values, i32 count, keys and values in turn
// Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-binary-protocol.md
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace millrace::dbt {

class ThriftValue {
 public:
  using List = std::vector<ThriftValue>;
  using Struct = std::map<int, ThriftValue>;  // by the field's id

  ThriftValue() = default;
  explicit ThriftValue(int64_t v) : v_(v) {}
  explicit ThriftValue(double v) : v_(v) {}
  explicit ThriftValue(std::string v) : v_(std::move(v)) {}
  explicit ThriftValue(List v) : v_(std::move(v)) {}
  explicit ThriftValue(Struct v) : v_(std::move(v)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(v_); }
  // Of a boolean (0, 1) or any whole number; 0 of anything else.
  int64_t whole() const;
  double number() const;
  // "" and empty of anything else. A map is a list of keys and values in turn.
  const std::string& bytes() const;
  const List& list() const;
  const Struct& fields() const;
  // A field; null where there is none, so that answers are looked through without checks.
  const ThriftValue& operator[](int id) const;

 private:
  std::variant<std::monostate, int64_t, double, std::string, List, Struct> v_;
};

// A call's bytes. Structs are opened and ended around their fields; Call opens the arguments.
class ThriftWriter {
 public:
  ThriftWriter& Call(const std::string& method, int32_t number);
  ThriftWriter& Struct(int id);
  ThriftWriter& End();
  ThriftWriter& Bool(int id, bool value);
  ThriftWriter& I32(int id, int64_t value);
  ThriftWriter& I64(int id, int64_t value);
  ThriftWriter& Bytes(int id, const std::string& value);
  ThriftWriter& Texts(int id, const std::vector<std::pair<std::string, std::string>>& map);
  const std::string& bytes() const { return out_; }

 private:
  void Field(int type, int id);
  void Number(int64_t value, int bytes);
  void Text(const std::string& value);
  std::string out_;
};

struct ThriftMessage {
  enum Kind { kCall = 1, kReply = 2, kException = 3 };
  int kind = 0;
  std::string name;
  int32_t number = 0;
  ThriftValue body;  // a struct
};

// Fills `to` with the next `count` bytes, or fails.
using ThriftSource = std::function<Status(char* to, size_t count)>;

Result<ThriftMessage> ReadThriftMessage(const ThriftSource& source);

}  // namespace millrace::dbt
