// One file of Protobuf, parsed but not linked.
#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace millrace::format {

// Of a schema that nobody imports; messages about it do not name it.
constexpr const char* kOwnProtoFile = "schema.proto";

Status InvalidProto(const std::string& file, const std::string& message);

// As we say what Google's library says: lower case, no full stop.
std::string SaidOfProto(std::string message);

// `text`: the source of a .proto file; or in base64 a FileDescriptorProto, or a FileDescriptorSet,
// in which each file comes after those that it imports. Returns the files, the last of which is the
// one that is meant; its name becomes `name`. Errors: kInvalidArgument.
Result<std::vector<google::protobuf::FileDescriptorProto>> ParseProto(const std::string& name,
                                                                      std::string_view text);

}  // namespace millrace::format
