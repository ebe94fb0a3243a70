// ProtoSchema: a .proto file as a schema registry keeps it, together with what it imports.
//
// Contract: immutable; may be shared between threads. Descriptors live as long as the schema.
// Imports are the references' names; google/protobuf/*.proto and Confluent's meta.proto and
// decimal.proto are known without being given.
#pragma once

#include <google/protobuf/descriptor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "format/schema_registry.h"

namespace millrace::format {

class ProtoSchema {
 public:
  // `text`: the source of a .proto file, or a FileDescriptorProto in base64, which some clients
  // register. `references`: each after those that it imports itself.
  // Errors: kInvalidArgument, saying what is wrong and where ("line 3, column 7").
  static Result<std::shared_ptr<const ProtoSchema>> Parse(
      std::string_view text, const std::vector<NamedSchema>& references = {});

  const google::protobuf::FileDescriptor& file() const { return *file_; }
  // As the source of a .proto file in its one form, with its comments.
  std::string Source() const;
  // As a FileDescriptorProto in base64.
  std::string Serialized() const;

 private:
  ProtoSchema() = default;

  google::protobuf::DescriptorPool pool_;
  const google::protobuf::FileDescriptor* file_ = nullptr;
};

}  // namespace millrace::format
