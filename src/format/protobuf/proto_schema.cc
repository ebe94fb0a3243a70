#include "format/protobuf/proto_schema.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <algorithm>

#include "base/base64.h"
#include "base/strings.h"
#include "format/protobuf/known_protos.h"

namespace millrace::format {

namespace pb = google::protobuf;

namespace {

constexpr const char* kOwnName = "schema.proto";

// As we say it: lower case, no full stop.
std::string Said(std::string message) {
  if (message.ends_with('.')) message.pop_back();
  if (!message.empty()) message[0] = static_cast<char>(std::tolower(message[0]));
  return message;
}

// The first error counts: what follows is often its consequence.
class SyntaxErrors : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (first.empty()) {
      first = fmt::format("line {}, column {}: {}", line + 1, column + 1, Said(message));
    }
  }
  std::string first;
};

class LinkErrors : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string&, const std::string& element, const pb::Message*, ErrorLocation,
                const std::string& message) override {
    if (first.empty()) first = element + ": " + Said(message);
  }
  std::string first;
};

Status Invalid(const std::string& name, const std::string& message) {
  const std::string in = name == kOwnName ? "" : fmt::format("in \"{}\": ", name);
  return Status(Code::kInvalidArgument, in + message);
}

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

Result<pb::FileDescriptorProto> ParseFile(const std::string& name, std::string_view text) {
  pb::FileDescriptorProto file;
  text = Trim(text);
  if (text.empty()) return Invalid(name, "it is empty");
  if (IsBase64(text)) {
    if (!file.ParseFromString(DecodeBase64(text))) {
      return Invalid(name, "neither the source of a .proto file nor a file descriptor in base64");
    }
    for (pb::DescriptorProto& message : *file.mutable_message_type()) ForgetJsonNames(message);
  } else {
    pb::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
    SyntaxErrors errors;
    pb::io::Tokenizer tokens(&input, &errors);
    const pb::LogSilencer quiet;  // of a file without `syntax`, which is proto2
    pb::compiler::Parser parser;
    parser.RecordErrorsTo(&errors);
    if (!parser.Parse(&tokens, &file) || !errors.first.empty()) return Invalid(name, errors.first);
  }
  file.set_name(name);
  return file;
}

// Files of Protobuf itself that every schema may import. Naming a message of each keeps it in the program.
const pb::FileDescriptor* FindWellKnown(const std::string& name) {
  static const auto* const files = new std::vector<const pb::FileDescriptor*>{
      pb::Any::descriptor()->file(),       pb::FileDescriptorProto::descriptor()->file(),
      pb::Duration::descriptor()->file(),  pb::Empty::descriptor()->file(),
      pb::FieldMask::descriptor()->file(), pb::Struct::descriptor()->file(),
      pb::Timestamp::descriptor()->file(), pb::Int32Value::descriptor()->file()};
  for (const pb::FileDescriptor* file : *files) {
    if (file->name() == name) return file;
  }
  return nullptr;
}

bool IsKnown(const std::string& name) {
  return FindWellKnown(name) != nullptr || FindKnownProto(name) != nullptr;
}

Result<pb::FileDescriptorProto> KnownFile(const std::string& name) {
  if (const KnownProto* known = FindKnownProto(name)) return ParseFile(name, known->text);
  pb::FileDescriptorProto file;
  FindWellKnown(name)->CopyTo(&file);
  FindWellKnown(name)->CopyJsonNameTo(&file);
  return file;
}

// Adds the file and, before it, what it imports of what is known.
Result<const pb::FileDescriptor*> Add(const pb::FileDescriptorProto& file,
                                      pb::DescriptorPool& pool) {
  for (const std::string& import : file.dependency()) {
    if (pool.FindFileByName(import) != nullptr) continue;
    if (!IsKnown(import)) {
      return Invalid(file.name(), fmt::format("it imports \"{}\", which is not there", import))
          .WithHint("name the subject and version that have it under \"references\"");
    }
    MR_ASSIGN_OR_RETURN(auto known, KnownFile(import));
    MR_RETURN_IF_ERROR(Add(known, pool).status());
  }
  LinkErrors errors;
  const pb::FileDescriptor* added = pool.BuildFileCollectingErrors(file, &errors);
  if (added == nullptr) return Invalid(file.name(), errors.first);
  return added;
}

}  // namespace

Result<std::shared_ptr<const ProtoSchema>> ProtoSchema::Parse(
    std::string_view text, const std::vector<NamedSchema>& references) {
  std::shared_ptr<ProtoSchema> schema(new ProtoSchema());
  for (const NamedSchema& reference : references) {
    // What is known is what formats take it for, whatever was registered under its name.
    if (IsKnown(reference.name) || schema->pool_.FindFileByName(reference.name)) continue;
    MR_ASSIGN_OR_RETURN(auto file, ParseFile(reference.name, reference.text));
    MR_RETURN_IF_ERROR(Add(file, schema->pool_).status());
  }
  MR_ASSIGN_OR_RETURN(auto file, ParseFile(kOwnName, text));
  MR_ASSIGN_OR_RETURN(schema->file_, Add(file, schema->pool_));
  return std::shared_ptr<const ProtoSchema>(std::move(schema));
}

std::string ProtoSchema::Source() const {
  pb::DebugStringOptions options;
  options.include_comments = true;
  return file_->DebugStringWithOptions(options);
}

std::string ProtoSchema::Serialized() const {
  pb::FileDescriptorProto file;
  file_->CopyTo(&file);
  file_->CopyJsonNameTo(&file);
  return Base64(file.SerializeAsString());
}

}  // namespace millrace::format
