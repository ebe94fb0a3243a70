// ProtoSchema: a .proto file as a schema registry keeps it, together with what it imports.
//
// Contract: immutable; may be shared between threads. Descriptors live as long as the schema.
// Imports are the references' names; google/protobuf/*.proto and Confluent's meta.proto and
// decimal.proto are known without being given. Options that nothing defines are kept in the source
// and mean nothing (format/protobuf/unknown_options.h).
#pragma once

#include <google/protobuf/descriptor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/schema_registry.h"

namespace millrace::format {

// Whether every schema may import it.
bool IsKnownProtoFile(const std::string& name);

class ProtoSchema {
 public:
  // `text`: the source of a .proto file, or in base64 a FileDescriptorProto, which some clients
  // register, or a FileDescriptorSet, whose last file is the schema. `references`: each after those
  // that it imports itself.
  // Errors: kInvalidArgument, saying what is wrong and where ("line 3, column 7").
  static Result<std::shared_ptr<const ProtoSchema>> Parse(
      std::string_view text, const std::vector<NamedSchema>& references = {});

  const google::protobuf::FileDescriptor& file() const { return *file_; }
  // As the source of a .proto file in its one form, with its comments.
  std::string Source() const;
  // As a FileDescriptorProto in base64, without options that nothing defines.
  std::string Serialized() const;

 private:
  ProtoSchema() = default;

  google::protobuf::DescriptorPool pool_;
  const google::protobuf::FileDescriptor* file_ = nullptr;
  std::string source_;  // only if it has options that nothing defines
};

}  // namespace millrace::format
