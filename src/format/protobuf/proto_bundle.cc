#include "format/protobuf/proto_bundle.h"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "format/protobuf/proto_file.h"
#include "format/protobuf/proto_schema.h"

namespace millrace::format {

namespace pb = google::protobuf;

namespace {

using Read = std::function<Result<std::string>(const std::string&)>;

// A descriptor has tags and lengths among its bytes, which no text has.
bool IsText(std::string_view content) {
  return std::none_of(content.begin(), content.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\r' && c != '\t';
  });
}

// The file behind what it imports; each once.
Status AddTo(pb::FileDescriptorSet& set, pb::FileDescriptorProto file, const Read& read,
             std::set<std::string>& seen) {
  for (const std::string& import : file.dependency()) {
    // A file that imports itself in the end is told of when the files are linked.
    if (IsKnownProtoFile(import) || !seen.insert(import).second) continue;
    auto text = read(import);
    if (!text.ok()) {
      return std::move(text).status().Annotate("the import \"" + import + "\"");
    }
    MR_ASSIGN_OR_RETURN(auto files, ParseProto(import, *text));
    MR_RETURN_IF_ERROR(AddTo(set, std::move(files.back()), read, seen));
  }
  *set.add_file() = std::move(file);
  return {};
}

}  // namespace

Result<std::string> BundleProto(std::string_view content, const Read& read) {
  if (!IsText(content)) return Base64(content);
  MR_ASSIGN_OR_RETURN(auto files, ParseProto(kOwnProtoFile, content));
  pb::FileDescriptorSet set;
  std::set<std::string> seen;
  MR_RETURN_IF_ERROR(AddTo(set, std::move(files.back()), read, seen));
  // As the value of an option a text must not have what begins a reference there.
  const bool plain = set.file_size() == 1 && content.find("${") == std::string_view::npos;
  return plain ? std::string(content) : Base64(set.SerializeAsString());
}

}  // namespace millrace::format
