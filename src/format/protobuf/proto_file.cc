#include "format/protobuf/proto_file.h"

#include <fmt/format.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "base/base64.h"
#include "base/strings.h"

namespace millrace::format {

namespace pb = google::protobuf;

namespace {

// The first error counts: what follows is often its consequence.
class SyntaxErrors : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (first.empty()) {
      first = fmt::format("line {}, column {}: {}", line + 1, column + 1, SaidOfProto(message));
    }
  }
  std::string first;
};

// Of base64's alphabet only; the source of a .proto file has at least a semicolon.
bool IsBase64(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '+' || c == '/' || c == '=';
  });
}

// Names in JSON that follow from the fields' names say nothing, and some compilers write them.
template <typename Fields>
void ForgetJsonNames(Fields* fields) {
  for (pb::FieldDescriptorProto& field : *fields) {
    std::string name;
    bool upper = false;
    for (const char c : field.name()) {
      if (c != '_') name += upper ? static_cast<char>(std::toupper(c)) : c;
      upper = c == '_';
    }
    if (field.json_name() == name) field.clear_json_name();
  }
}

void ForgetJsonNames(pb::DescriptorProto& message) {
  ForgetJsonNames(message.mutable_field());
  for (pb::DescriptorProto& nested : *message.mutable_nested_type()) ForgetJsonNames(nested);
}

Result<std::vector<pb::FileDescriptorProto>> FromBase64(const std::string& name,
                                                        std::string_view text) {
  const std::string bytes = DecodeBase64(text);
  const pb::LogSilencer quiet;  // of a set, which is tried as a file first
  pb::FileDescriptorProto file;
  std::vector<pb::FileDescriptorProto> files;
  const bool parsed = file.ParseFromString(bytes);
  if (parsed && file.message_type_size() + file.enum_type_size() + file.extension_size() +
                        file.dependency_size() + file.service_size() >
                    0) {
    files.push_back(std::move(file));
  } else if (pb::FileDescriptorSet set; set.ParseFromString(bytes) && set.file_size() > 0) {
    // To a FileDescriptorProto the files of a set are names, and it has nothing else.
    for (pb::FileDescriptorProto& one : *set.mutable_file()) files.push_back(std::move(one));
  } else if (parsed) {
    files.push_back(std::move(file));
  } else {
    return InvalidProto(name,
                        "neither the source of a .proto file nor a file descriptor in base64");
  }
  for (pb::FileDescriptorProto& one : files) {
    for (pb::DescriptorProto& message : *one.mutable_message_type()) ForgetJsonNames(message);
  }
  return files;
}

Result<pb::FileDescriptorProto> FromSource(const std::string& name, std::string_view text) {
  pb::FileDescriptorProto file;
  pb::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  SyntaxErrors errors;
  pb::io::Tokenizer tokens(&input, &errors);
  const pb::LogSilencer quiet;  // of a file without `syntax`, which is proto2
  pb::compiler::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (!parser.Parse(&tokens, &file) || !errors.first.empty()) {
    return InvalidProto(name, errors.first);
  }
  return file;
}

}  // namespace

std::string SaidOfProto(std::string message) {
  if (message.ends_with('.')) message.pop_back();
  if (!message.empty()) message[0] = static_cast<char>(std::tolower(message[0]));
  return message;
}

Status InvalidProto(const std::string& file, const std::string& message) {
  const std::string in = file == kOwnProtoFile ? "" : fmt::format("in \"{}\": ", file);
  return Status(Code::kInvalidArgument, in + message);
}

Result<std::vector<pb::FileDescriptorProto>> ParseProto(const std::string& name,
                                                        std::string_view text) {
  text = Trim(text);
  if (text.empty()) return InvalidProto(name, "it is empty");
  std::vector<pb::FileDescriptorProto> files;
  if (IsBase64(text)) {
    MR_ASSIGN_OR_RETURN(files, FromBase64(name, text));
  } else {
    MR_ASSIGN_OR_RETURN(auto file, FromSource(name, text));
    files.push_back(std::move(file));
  }
  files.back().set_name(name);
  return files;
}

}  // namespace millrace::format
