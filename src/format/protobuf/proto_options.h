// What the Protobuf formats have in common: their options, and which message a record is.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "format/format_options.h"
#include "format/protobuf/proto_schema.h"

namespace millrace::format {

constexpr std::string_view kProtobuf = "protobuf";
constexpr std::string_view kProtobufConfluent = "protobuf-confluent";

FormatSpec ProtobufSpec();
FormatSpec ProtobufConfluentSpec();

// The schema that the table gives ("protobuf.schema"), or null. kBadOption when it is none.
Result<std::shared_ptr<const ProtoSchema>> OwnProtoSchema(std::string_view format,
                                                          const FormatOptions& options);
// The message that "….message-class-name" names, otherwise the first. Errors: kBadOption.
Result<const google::protobuf::Descriptor*> OwnMessage(std::string_view format,
                                                       const FormatOptions& options,
                                                       const ProtoSchema& schema);
bool ReadsDefaults(std::string_view format, const FormatOptions& options);

// Which message of the schema a record of 'protobuf-confluent' is: the index of a message, then of
// one in it, and so on. Types of maps are not counted.
//
// Format: how many indexes, then each; zig-zag varints. A zero alone is the first message.
// Source: Confluent's documentation, "Wire format".
//
// Takes the indexes from `bytes`; null when there is no such message.
const google::protobuf::Descriptor* TakeMessage(const google::protobuf::FileDescriptor& file,
                                                std::string_view& bytes);
void AppendMessageIndexes(const google::protobuf::Descriptor& message, std::string& out);

}  // namespace millrace::format
