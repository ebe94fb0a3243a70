// A .proto file and what it imports as one text, as option "protobuf.schema" takes it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::format {

// `content`: the source of a .proto file; anything that is no text is taken for a compiled
// descriptor (a FileDescriptorSet or a FileDescriptorProto). `read` gives the source of an import.
//
// Returns the source itself when all of its imports are known (format/protobuf/proto_schema.h) and
// it has no "${"; otherwise a FileDescriptorSet in base64. Errors: kInvalidArgument, naming the
// file; those of `read`.
Result<std::string> BundleProto(std::string_view content,
                                const std::function<Result<std::string>(const std::string&)>& read);

}  // namespace millrace::format
