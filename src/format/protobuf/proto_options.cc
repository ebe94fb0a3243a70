#include "format/protobuf/proto_options.h"

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "format/confluent.h"
#include "format/drift.h"
#include "format/protobuf/proto_wire.h"

namespace millrace::format {

using google::protobuf::Descriptor;
using google::protobuf::FileDescriptor;
using model::OptionType;

namespace {

std::vector<model::OptionSpec> OwnOptions(const std::string& format, const std::string& otherwise) {
  return {
      {.name = format + ".schema",
       .doc = "the source of the .proto file, or in base64 its descriptor or a set of them, its "
              "own the last; " +
              otherwise,
       .example = "syntax = \"proto3\"; message Order { int64 id = 1; }"},
      SchemaFileOption(format),
      {.name = format + ".message-class-name",
       .doc = "the message: its name or, as in Flink, that of its Java class; otherwise the "
              "schema's first",
       .example = "shop.Order"},
      {.name = format + ".read-default-values",
       .type = OptionType::kBool,
       .doc = "whether a field that is not there has its default, also where it would be NULL",
       .default_value = "false"},
  };
}

std::vector<const Descriptor*> MessagesIn(const FileDescriptor& file) {
  std::vector<const Descriptor*> messages;
  for (int i = 0; i < file.message_type_count(); i++) messages.push_back(file.message_type(i));
  return messages;
}

std::vector<const Descriptor*> MessagesIn(const Descriptor& message) {
  std::vector<const Descriptor*> messages;
  for (int i = 0; i < message.nested_type_count(); i++) {
    const Descriptor* nested = message.nested_type(i);
    const bool of_map = nested->map_key() != nullptr;
    if (!of_map) messages.push_back(nested);
  }
  return messages;
}

void AddNames(const std::vector<const Descriptor*>& messages, std::vector<std::string>& names) {
  for (const Descriptor* message : messages) {
    names.push_back(message->full_name());
    AddNames(MessagesIn(*message), names);
  }
}

// By full name, or without the package.
const Descriptor* FindMessage(const FileDescriptor& file, const std::string& name) {
  for (const std::string& full : {name, file.package() + "." + name}) {
    const Descriptor* found = file.pool()->FindMessageTypeByName(full);
    if (found != nullptr && found->file() == &file) return found;
  }
  return nullptr;
}

}  // namespace

FormatSpec ProtobufSpec() {
  FormatSpec spec;
  spec.name = kProtobuf;
  spec.summary =
      "one Protobuf message, without a header; fields are matched to columns by name, within "
      "messages, too";
  spec.example = "'format' = 'protobuf', 'protobuf.schema' = 'syntax = \"proto3\"; message …'";
  spec.binary = true;
  spec.options = OwnOptions(spec.name, "otherwise it is derived from the table");
  return spec;
}

FormatSpec ProtobufConfluentSpec() {
  FormatSpec spec;
  spec.name = kProtobufConfluent;
  spec.summary =
      "Protobuf messages that carry the number of their schema in a schema registry; fields are "
      "matched to columns by name";
  spec.example =
      "'format' = 'protobuf-confluent', 'protobuf-confluent.url' = 'http://registry:8081'";
  spec.binary = true;
  spec.options = RegistryOptions(spec.name);
  for (auto& option : OwnOptions(spec.name,
                                 "to write with; otherwise it is derived from the table, and "
                                 "records are read with the schema that they name")) {
    spec.options.push_back(std::move(option));
  }
  spec.options.push_back(DriftSpec(spec.name));
  return spec;
}

Result<std::shared_ptr<const ProtoSchema>> OwnProtoSchema(std::string_view format,
                                                          const FormatOptions& options) {
  const std::string name = std::string(format) + ".schema";
  if (!options.Has(name)) return std::shared_ptr<const ProtoSchema>();
  auto schema = ProtoSchema::Parse(options.GetString(name));
  if (schema.ok()) return schema;
  return Status(Code::kBadOption,
                "option \"" + name + "\" is no Protobuf schema: " + schema.status().message())
      .WithHint(schema.status().hint());
}

Result<const Descriptor*> OwnMessage(std::string_view format, const FormatOptions& options,
                                     const ProtoSchema& schema) {
  const std::string option = std::string(format) + ".message-class-name";
  const FileDescriptor& file = schema.file();
  if (!options.Has(option)) {
    if (file.message_type_count() > 0) return file.message_type(0);
    return Status(Code::kBadOption, "the Protobuf schema has no message");
  }
  // A Java class has the package of Java before it and perhaps a class around it.
  std::string name = options.GetString(option);
  std::replace(name.begin(), name.end(), '$', '.');
  while (true) {
    if (const Descriptor* found = FindMessage(file, name)) return found;
    const size_t dot = name.find('.');
    if (dot == std::string::npos) break;
    name = name.substr(dot + 1);
  }
  std::vector<std::string> names;
  AddNames(MessagesIn(file), names);
  return Status(Code::kBadOption, "option \"" + option + "\" names the message \"" +
                                      options.GetString(option) +
                                      "\", which the schema does not have")
      .WithHint(DidYouMean(name, names));
}

bool ReadsDefaults(std::string_view format, const FormatOptions& options) {
  return options.GetBool(std::string(format) + ".read-default-values");
}

const Descriptor* TakeMessage(const FileDescriptor& file, std::string_view& bytes) {
  ProtoCursor cursor(bytes);
  uint64_t count = 0;
  if (!cursor.ReadVarint(count)) return nullptr;
  int64_t indexes = FromZigZag(count);
  const Descriptor* message = nullptr;
  if (indexes == 0 && file.message_type_count() > 0) message = file.message_type(0);
  for (; indexes > 0; indexes--) {
    const auto messages = message == nullptr ? MessagesIn(file) : MessagesIn(*message);
    uint64_t bits = 0;
    if (!cursor.ReadVarint(bits)) return nullptr;
    const int64_t index = FromZigZag(bits);
    if (index < 0 || static_cast<size_t>(index) >= messages.size()) return nullptr;
    message = messages[static_cast<size_t>(index)];
  }
  bytes.remove_prefix(bytes.size() - cursor.left());
  return message;
}

void AppendMessageIndexes(const Descriptor& message, std::string& out) {
  std::vector<int64_t> indexes;
  for (const Descriptor* at = &message; at != nullptr; at = at->containing_type()) {
    const Descriptor* around = at->containing_type();
    const auto messages = around == nullptr ? MessagesIn(*at->file()) : MessagesIn(*around);
    indexes.push_back(std::find(messages.begin(), messages.end(), at) - messages.begin());
  }
  const bool first = indexes.size() == 1 && indexes[0] == 0;
  if (first) indexes.clear();
  AppendVarint(ToZigZag(static_cast<int64_t>(indexes.size())), out);
  for (auto index = indexes.rbegin(); index != indexes.rend(); ++index) {
    AppendVarint(ToZigZag(*index), out);
  }
}

}  // namespace millrace::format
