#include "registry/protobuf_compatibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace millrace::registry {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::OneofDescriptor;

namespace {

enum class Kind { kScalar, kMap, kMessage };
enum class Label { kNone, kOptional, kRequired, kRepeated };

Kind KindOf(const FieldDescriptor& field) {
  if (field.is_map()) return Kind::kMap;
  return field.message_type() != nullptr ? Kind::kMessage : Kind::kScalar;
}

// As it is written: a field of proto3 has none, unless it says so.
Label LabelOf(const FieldDescriptor& field) {
  if (field.is_repeated()) return Label::kRepeated;
  if (field.is_required()) return Label::kRequired;
  return field.has_optional_keyword() ? Label::kOptional : Label::kNone;
}

// Types of one group are encoded alike: the first of them stands for all.
FieldDescriptor::Type GroupOf(FieldDescriptor::Type type) {
  switch (type) {
    case FieldDescriptor::TYPE_INT64:
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_UINT64:
    case FieldDescriptor::TYPE_BOOL:
    case FieldDescriptor::TYPE_ENUM:
      return FieldDescriptor::TYPE_INT32;
    case FieldDescriptor::TYPE_SINT64:
      return FieldDescriptor::TYPE_SINT32;
    case FieldDescriptor::TYPE_BYTES:
      return FieldDescriptor::TYPE_STRING;
    case FieldDescriptor::TYPE_SFIXED32:
      return FieldDescriptor::TYPE_FIXED32;
    case FieldDescriptor::TYPE_SFIXED64:
      return FieldDescriptor::TYPE_FIXED64;
    default:
      return type;
  }
}

// The name without the package: "Order.Line".
std::string LocalName(const Descriptor& message) {
  const std::string& package = message.file()->package();
  return package.empty() ? message.full_name() : message.full_name().substr(package.size() + 1);
}

std::string TypeName(const FieldDescriptor& field) {
  if (field.is_map()) {
    const Descriptor& entry = *field.message_type();
    return fmt::format("map<{}, {}>", TypeName(*entry.map_key()), TypeName(*entry.map_value()));
  }
  if (field.message_type() != nullptr) {
    return fmt::format("message \"{}\"", LocalName(*field.message_type()));
  }
  if (field.enum_type() != nullptr) return fmt::format("enum \"{}\"", field.enum_type()->name());
  return field.type_name();
}

std::string Describe(const FieldDescriptor& field) {
  if (field.is_map()) return TypeName(field);
  switch (LabelOf(field)) {
    case Label::kOptional:
      return "optional " + TypeName(field);
    case Label::kRequired:
      return "required " + TypeName(field);
    case Label::kRepeated:
      return "repeated " + TypeName(field);
    case Label::kNone:
      break;
  }
  return TypeName(field);
}

using Messages = std::vector<const Descriptor*>;

Messages MessagesOf(const FileDescriptor& file) {
  Messages messages;
  for (int i = 0; i < file.message_type_count(); i++) messages.push_back(file.message_type(i));
  return messages;
}

Messages MessagesOf(const Descriptor& message) {
  Messages messages;
  for (int i = 0; i < message.nested_type_count(); i++) {
    const bool of_map = message.nested_type(i)->map_key() != nullptr;
    if (!of_map) messages.push_back(message.nested_type(i));
  }
  return messages;
}

class Checker {
 public:
  Checker(const FileDescriptor& reader, const FileDescriptor& writer, std::string reader_name,
          std::string writer_name)
      : reader_file_(reader),
        writer_file_(writer),
        reader_name_(std::move(reader_name)),
        writer_name_(std::move(writer_name)) {}

  std::vector<Incompatibility> Check() {
    if (reader_file_.package() != writer_file_.package()) {
      Add("PACKAGE_CHANGED", "",
          fmt::format("the package is \"{}\" in {}, but \"{}\" in {}", reader_file_.package(),
                      reader_name_, writer_file_.package(), writer_name_));
    }
    CheckMessages(MessagesOf(reader_file_), MessagesOf(writer_file_), "");
    return std::move(found_);
  }

 private:
  void Add(const char* kind, const std::string& path, std::string message) {
    found_.push_back({kind, path, std::move(message)});
  }

  void CheckMessages(const Messages& readers, const Messages& writers, const std::string& path) {
    for (const Descriptor* writer : writers) {
      const auto reader = std::find_if(readers.begin(), readers.end(), [&](const Descriptor* one) {
        return one->name() == writer->name();
      });
      const std::string at = path + "/" + writer->name();
      if (reader != readers.end()) {
        CheckMessage(**reader, *writer, at);
      } else {
        Add("MESSAGE_REMOVED", at,
            fmt::format("message \"{}\" of {} is missing in {}", LocalName(*writer), writer_name_,
                        reader_name_));
      }
    }
  }

  void CheckMessage(const Descriptor& reader, const Descriptor& writer, const std::string& path) {
    if (!compared_.insert({&reader, &writer}).second) return;
    if (depth_ == kDepthMax) {
      Add("NESTED_TOO_DEEPLY", path, "messages this deep inside each other are not compared");
      return;
    }
    depth_++;
    CheckOpen(reader, writer, path);
    depth_--;
  }

  void CheckOpen(const Descriptor& reader, const Descriptor& writer, const std::string& path) {
    for (int i = 0; i < reader.real_oneof_decl_count(); i++) {
      CheckOneof(*reader.oneof_decl(i), writer, path);
    }
    for (int i = 0; i < writer.field_count(); i++) {
      const FieldDescriptor& field = *writer.field(i);
      const std::string at = fmt::format("{}/{}", path, field.number());
      if (const FieldDescriptor* read = reader.FindFieldByNumber(field.number())) {
        CheckField(*read, field, at);
      } else if (LostFromOneof(field, reader)) {
        Add("ONEOF_FIELD_REMOVED", at,
            fmt::format("field \"{}\" of oneof \"{}\" in {} is missing in {}", field.name(),
                        field.containing_oneof()->name(), writer_name_, reader_name_));
      } else if (field.is_required()) {
        Add("REQUIRED_FIELD_REMOVED", at,
            fmt::format("field \"{}\" is required in {}, but missing in {}", field.name(),
                        writer_name_, reader_name_));
      }
    }
    for (int i = 0; i < reader.field_count(); i++) {
      const FieldDescriptor& field = *reader.field(i);
      if (!field.is_required() || writer.FindFieldByNumber(field.number()) != nullptr) continue;
      Add("REQUIRED_FIELD_ADDED", fmt::format("{}/{}", path, field.number()),
          fmt::format("field \"{}\" is required in {}, but missing in {}", field.name(),
                      reader_name_, writer_name_));
    }
    CheckMessages(MessagesOf(reader), MessagesOf(writer), path);
  }

  // A oneof may go as a whole.
  static bool LostFromOneof(const FieldDescriptor& field, const Descriptor& reader) {
    const OneofDescriptor* oneof = field.real_containing_oneof();
    if (oneof == nullptr) return false;
    const OneofDescriptor* left = reader.FindOneofByName(oneof->name());
    if (left != nullptr && !left->is_synthetic()) return true;
    for (int i = 0; i < oneof->field_count(); i++) {
      if (reader.FindFieldByNumber(oneof->field(i)->number()) != nullptr) return true;
    }
    return false;
  }

  // Fields of which only one can be set must have been so before: they come from one oneof.
  void CheckOneof(const OneofDescriptor& oneof, const Descriptor& writer, const std::string& path) {
    std::set<const void*> origins;
    std::vector<std::string> alone;
    for (int i = 0; i < oneof.field_count(); i++) {
      const FieldDescriptor* field = writer.FindFieldByNumber(oneof.field(i)->number());
      if (field == nullptr) continue;
      if (const OneofDescriptor* origin = field->real_containing_oneof()) {
        origins.insert(origin);
      } else {
        origins.insert(field);
        alone.push_back(field->name());
      }
    }
    if (origins.size() < 2) return;
    const char* kind =
        alone.size() > 1 ? "MULTIPLE_FIELDS_MOVED_TO_ONEOF" : "FIELD_MOVED_TO_EXISTING_ONEOF";
    Add(kind, path + "/" + oneof.name(),
        fmt::format("fields of oneof \"{}\" in {} can be set at the same time in {}", oneof.name(),
                    reader_name_, writer_name_));
  }

  void CheckField(const FieldDescriptor& reader, const FieldDescriptor& writer,
                  const std::string& path) {
    if (KindOf(reader) != KindOf(writer)) {
      TypeChanged("FIELD_KIND_CHANGED", reader, writer, path);
    } else if (KindOf(reader) == Kind::kMessage) {
      CheckMessageType(reader, writer, path);
    } else if (KindOf(reader) == Kind::kMap) {
      const Descriptor& reads = *reader.message_type();
      const Descriptor& wrote = *writer.message_type();
      CheckField(*reads.map_key(), *wrote.map_key(), path);
      CheckField(*reads.map_value(), *wrote.map_value(), path);
    } else if (GroupOf(reader.type()) != GroupOf(writer.type())) {
      TypeChanged("FIELD_SCALAR_KIND_CHANGED", reader, writer, path);
    } else if (GroupOf(reader.type()) != FieldDescriptor::TYPE_STRING &&
               !MayRelabel(LabelOf(reader), LabelOf(writer))) {
      TypeChanged("FIELD_NUMERIC_LABEL_CHANGED", reader, writer, path);
    }
  }

  static bool MayRelabel(Label reader, Label writer) {
    if (reader == Label::kNone) return writer != Label::kRepeated;
    return writer == Label::kNone || reader == writer;
  }

  // Types of the files themselves are compared with their messages; of those that are imported,
  // another version may have been referred to.
  void CheckMessageType(const FieldDescriptor& reader, const FieldDescriptor& writer,
                        const std::string& path) {
    const Descriptor& reads = *reader.message_type();
    const Descriptor& wrote = *writer.message_type();
    if (LocalName(reads) != LocalName(wrote)) {
      TypeChanged("FIELD_NAMED_TYPE_CHANGED", reader, writer, path);
      return;
    }
    if (reads.file() == &reader_file_ && wrote.file() == &writer_file_) return;
    const size_t before = found_.size();
    std::string path_of_type = "/" + LocalName(reads);
    std::replace(path_of_type.begin(), path_of_type.end(), '.', '/');
    CheckMessage(reads, wrote, path_of_type);
    if (found_.size() == before) return;
    Add("FIELD_NAMED_TYPE_CHANGED", path,
        fmt::format("{}, the type of field \"{}\", is incompatible", TypeName(reader),
                    reader.name()));
  }

  void TypeChanged(const char* kind, const FieldDescriptor& reader, const FieldDescriptor& writer,
                   const std::string& path) {
    Add(kind, path,
        fmt::format("field \"{}\" is {} in {}, but {} in {}", reader.name(), Describe(reader),
                    reader_name_, Describe(writer), writer_name_));
  }

  static constexpr int kDepthMax = 1000;

  const FileDescriptor& reader_file_;
  const FileDescriptor& writer_file_;
  const std::string reader_name_;
  const std::string writer_name_;
  std::set<std::pair<const Descriptor*, const Descriptor*>> compared_;
  int depth_ = 0;
  std::vector<Incompatibility> found_;
};

}  // namespace

std::vector<Incompatibility> CheckProtobuf(const format::ProtoSchema& reader,
                                           const format::ProtoSchema& writer,
                                           const std::string& reader_name,
                                           const std::string& writer_name) {
  return Checker(reader.file(), writer.file(), reader_name, writer_name).Check();
}

}  // namespace millrace::registry
