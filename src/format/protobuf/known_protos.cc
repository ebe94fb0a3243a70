#include "format/protobuf/known_protos.h"

namespace millrace::format {

namespace {

// Source: Confluent's documentation, "Formats, Serializers, and Deserializers", "Protobuf".
constexpr KnownProto kConfluents[] = {{"confluent/meta.proto", R"(
syntax = "proto3";
package confluent;
import "google/protobuf/descriptor.proto";
message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
}
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
)"},
                                      {"confluent/type/decimal.proto", R"(
syntax = "proto3";
package confluent.type;
message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
)"}};

const KnownProto* Find(std::span<const KnownProto> protos, std::string_view name) {
  for (const KnownProto& proto : protos) {
    if (proto.name == name) return &proto;
  }
  return nullptr;
}

}  // namespace

const KnownProto* FindKnownProto(std::string_view name) {
  const KnownProto* found = Find(kConfluents, name);
  return found != nullptr ? found : Find(GoogleTypeProtos(), name);
}

}  // namespace millrace::format
