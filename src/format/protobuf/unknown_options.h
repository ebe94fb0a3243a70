// Options in a .proto file that nothing defines: custom ones whose definition is not imported, and
// those of a newer Protobuf. They change no bytes of a message, so a schema is taken with them, as
// Confluent's registry does, and its source keeps them as they are written.
//
// What links a file interprets options, and refuses one that it does not know. So there are two
// forms of the file: one without them, which is linked; and one in which each is replaced by a
// stand-in, an option that is defined for it, in whose place the source gets the text back.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <string>
#include <vector>

namespace millrace::format {

class UnknownOptions {
 public:
  // Takes them out of `file`, whose imports are in `pool`.
  UnknownOptions(google::protobuf::FileDescriptorProto& file,
                 const google::protobuf::DescriptorPool& pool);

  bool empty() const { return texts_.empty(); }
  // What defines the stand-ins; it imports Protobuf's descriptor.proto.
  const google::protobuf::FileDescriptorProto& definitions() const { return definitions_; }
  // The file with them; it imports the definitions.
  const google::protobuf::FileDescriptorProto& stood_in() const { return stood_in_; }
  // The source of that file -> the source with the options in it.
  std::string PutBack(const std::string& source) const;

 private:
  google::protobuf::FileDescriptorProto definitions_;
  google::protobuf::FileDescriptorProto stood_in_;
  std::string before_;  // how the stand-ins' names begin: ".package.o"; then comes their number
  std::vector<std::string> texts_;  // "(my.option).name = 1", by the number of the stand-in
};

}  // namespace millrace::format
