#include "format/protobuf/proto_schema.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include "base/base64.h"
#include "base/strings.h"
#include "format/protobuf/known_protos.h"
#include "format/protobuf/proto_file.h"
#include "format/protobuf/unknown_options.h"

namespace millrace::format {

namespace pb = google::protobuf;

namespace {

class LinkErrors : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string&, const std::string& element, const pb::Message*, ErrorLocation,
                const std::string& message) override {
    if (first.empty()) first = element + ": " + SaidOfProto(message);
  }
  std::string first;
};

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

Result<pb::FileDescriptorProto> KnownFile(const std::string& name) {
  if (const KnownProto* known = FindKnownProto(name)) {
    MR_ASSIGN_OR_RETURN(auto files, ParseProto(name, known->text));
    return std::move(files.back());
  }
  pb::FileDescriptorProto file;
  FindWellKnown(name)->CopyTo(&file);
  FindWellKnown(name)->CopyJsonNameTo(&file);
  return file;
}

// Adds the file's imports, as far as they are known.
Status AddImports(const pb::FileDescriptorProto& file, pb::DescriptorPool& pool);

Result<const pb::FileDescriptor*> Link(const pb::FileDescriptorProto& file,
                                       pb::DescriptorPool& pool) {
  LinkErrors errors;
  const pb::FileDescriptor* added = pool.BuildFileCollectingErrors(file, &errors);
  if (added == nullptr) return InvalidProto(file.name(), errors.first);
  return added;
}

// Adds the file and what it imports.
Status Add(pb::FileDescriptorProto file, pb::DescriptorPool& pool) {
  MR_RETURN_IF_ERROR(AddImports(file, pool));
  const UnknownOptions unknown(file, pool);
  return Link(file, pool).status();
}

Status AddImports(const pb::FileDescriptorProto& file, pb::DescriptorPool& pool) {
  for (const std::string& import : file.dependency()) {
    if (pool.FindFileByName(import) != nullptr) continue;
    if (!IsKnownProtoFile(import)) {
      return InvalidProto(file.name(), fmt::format("it imports \"{}\", which is not there", import))
          .WithHint("name the subject and version that have it under \"references\"");
    }
    MR_ASSIGN_OR_RETURN(auto known, KnownFile(import));
    MR_RETURN_IF_ERROR(Add(std::move(known), pool));
  }
  return {};
}

// Adds what a file of another pool imports.
Status AddImportsOf(const pb::FileDescriptor& file, pb::DescriptorPool& pool) {
  for (int i = 0; i < file.dependency_count(); i++) {
    const pb::FileDescriptor& import = *file.dependency(i);
    if (pool.FindFileByName(import.name()) != nullptr) continue;
    MR_RETURN_IF_ERROR(AddImportsOf(import, pool));
    pb::FileDescriptorProto copy;
    import.CopyTo(&copy);
    MR_RETURN_IF_ERROR(Link(copy, pool).status());
  }
  return {};
}

std::string SourceOf(const pb::FileDescriptor& file) {
  pb::DebugStringOptions options;
  options.include_comments = true;
  return file.DebugStringWithOptions(options);
}

// `file`: as it was linked without those options.
Result<std::string> SourceWith(const UnknownOptions& unknown, const pb::FileDescriptor& file) {
  pb::DescriptorPool pool;
  MR_RETURN_IF_ERROR(AddImportsOf(file, pool));
  MR_RETURN_IF_ERROR(AddImports(unknown.definitions(), pool));
  MR_RETURN_IF_ERROR(Link(unknown.definitions(), pool).status());
  MR_ASSIGN_OR_RETURN(const pb::FileDescriptor* stood_in, Link(unknown.stood_in(), pool));
  return unknown.PutBack(SourceOf(*stood_in));
}

}  // namespace

bool IsKnownProtoFile(const std::string& name) {
  return FindWellKnown(name) != nullptr || FindKnownProto(name) != nullptr;
}

Result<std::shared_ptr<const ProtoSchema>> ProtoSchema::Parse(
    std::string_view text, const std::vector<NamedSchema>& references) {
  std::shared_ptr<ProtoSchema> schema(new ProtoSchema());
  // What is known is what formats take it for, whatever was registered under its name.
  auto is_there = [&](const std::string& name) {
    return IsKnownProtoFile(name) || schema->pool_.FindFileByName(name) != nullptr;
  };
  for (const NamedSchema& reference : references) {
    if (is_there(reference.name)) continue;
    MR_ASSIGN_OR_RETURN(auto files, ParseProto(reference.name, reference.text));
    for (auto& file : files) {
      if (!is_there(file.name())) MR_RETURN_IF_ERROR(Add(std::move(file), schema->pool_));
    }
  }
  MR_ASSIGN_OR_RETURN(auto files, ParseProto(kOwnProtoFile, text));
  pb::FileDescriptorProto file = std::move(files.back());
  files.pop_back();
  for (auto& import : files) {
    if (!is_there(import.name())) MR_RETURN_IF_ERROR(Add(std::move(import), schema->pool_));
  }
  MR_RETURN_IF_ERROR(AddImports(file, schema->pool_));
  const UnknownOptions unknown(file, schema->pool_);
  MR_ASSIGN_OR_RETURN(schema->file_, Link(file, schema->pool_));
  if (!unknown.empty()) {
    MR_ASSIGN_OR_RETURN(schema->source_, SourceWith(unknown, *schema->file_));
  }
  return std::shared_ptr<const ProtoSchema>(std::move(schema));
}

std::string ProtoSchema::Source() const {
  return source_.empty() ? SourceOf(*file_) : source_;
}

std::string ProtoSchema::Serialized() const {
  pb::FileDescriptorProto file;
  file_->CopyTo(&file);
  file_->CopyJsonNameTo(&file);
  return Base64(file.SerializeAsString());
}

}  // namespace millrace::format
