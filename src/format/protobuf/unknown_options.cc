#include "format/protobuf/unknown_options.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/strutil.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>

#include "base/strings.h"

namespace millrace::format {

namespace pb = google::protobuf;

namespace {

constexpr const char* kFile = "millrace_unknown_options.proto";
// Of the stand-ins: below the greatest number of an extension, where nobody else is.
constexpr int kFirstNumber = 536'000'000;

// Goes through all options of a file: `visit(options, scope)`, where the scope is the name of what
// has the options.
template <typename Visit>
class Walk {
 public:
  explicit Walk(Visit visit) : visit_(std::move(visit)) {}

  void Of(pb::FileDescriptorProto& file) {
    const std::string& package = file.package();
    if (file.has_options()) visit_(*file.mutable_options(), package);
    for (auto& message : *file.mutable_message_type()) Of(message, Join(package, message.name()));
    for (auto& one : *file.mutable_enum_type()) Of(one, Join(package, one.name()));
    for (auto& field : *file.mutable_extension()) Leaf(field, package);
    for (auto& service : *file.mutable_service()) {
      const std::string scope = Join(package, service.name());
      if (service.has_options()) visit_(*service.mutable_options(), scope);
      for (auto& method : *service.mutable_method()) Leaf(method, scope);
    }
  }

 private:
  static std::string Join(const std::string& scope, const std::string& name) {
    return scope.empty() ? name : scope + "." + name;
  }

  template <typename One>
  void Leaf(One& one, const std::string& scope) {
    if (one.has_options()) visit_(*one.mutable_options(), Join(scope, one.name()));
  }

  void Of(pb::DescriptorProto& message, const std::string& scope) {
    if (message.has_options()) visit_(*message.mutable_options(), scope);
    for (auto& field : *message.mutable_field()) Leaf(field, scope);
    for (auto& field : *message.mutable_extension()) Leaf(field, scope);
    for (auto& oneof : *message.mutable_oneof_decl()) Leaf(oneof, scope);
    for (auto& range : *message.mutable_extension_range()) {
      if (range.has_options()) visit_(*range.mutable_options(), scope);
    }
    for (auto& one : *message.mutable_enum_type()) Of(one, Join(scope, one.name()));
    for (auto& nested : *message.mutable_nested_type()) Of(nested, Join(scope, nested.name()));
  }

  void Of(pb::EnumDescriptorProto& one, const std::string& scope) {
    if (one.has_options()) visit_(*one.mutable_options(), scope);
    for (auto& value : *one.mutable_value()) Leaf(value, scope);
  }

  Visit visit_;
};

void AddExtensions(const pb::RepeatedPtrField<pb::FieldDescriptorProto>& fields,
                   const std::string& scope, std::set<std::string>& names) {
  for (const auto& field : fields) {
    names.insert(scope.empty() ? field.name() : scope + "." + field.name());
  }
}

void AddExtensions(const pb::DescriptorProto& message, const std::string& scope,
                   std::set<std::string>& names) {
  const std::string own = scope.empty() ? message.name() : scope + "." + message.name();
  AddExtensions(message.extension(), own, names);
  for (const auto& nested : message.nested_type()) AddExtensions(nested, own, names);
}

// What a file may name: what it imports, and what that imports publicly.
void AddVisible(const pb::FileDescriptor& file, std::set<const pb::FileDescriptor*>& files) {
  if (!files.insert(&file).second) return;
  for (int i = 0; i < file.public_dependency_count(); i++) {
    AddVisible(*file.public_dependency(i), files);
  }
}

class Definitions {
 public:
  Definitions(const pb::FileDescriptorProto& file, const pb::DescriptorPool& pool) : pool_(pool) {
    AddExtensions(file.extension(), file.package(), own_);
    for (const auto& message : file.message_type()) AddExtensions(message, file.package(), own_);
    for (const std::string& import : file.dependency()) {
      if (const auto* found = pool.FindFileByName(import)) AddVisible(*found, visible_);
    }
  }

  // `options`: the message that would have the option as a field, "google.protobuf.FieldOptions".
  bool Has(const pb::UninterpretedOption& option, const pb::Descriptor& options,
           std::string scope) const {
    if (option.name_size() == 0) return true;  // what links the file says that it is wrong
    const auto& part = option.name(0);
    const std::string& name = part.name_part();
    if (!part.is_extension()) return options.FindFieldByName(name) != nullptr;
    if (name.starts_with('.')) return HasExtension(name.substr(1));
    // From the innermost scope outwards.
    while (!scope.empty()) {
      if (HasExtension(scope + "." + name)) return true;
      const size_t dot = scope.rfind('.');
      scope.resize(dot == std::string::npos ? 0 : dot);
    }
    return HasExtension(name);
  }

 private:
  bool HasExtension(const std::string& name) const {
    if (own_.contains(name)) return true;
    const auto* found = pool_.FindExtensionByName(name);
    return found != nullptr && visible_.contains(found->file());
  }

  const pb::DescriptorPool& pool_;
  std::set<std::string> own_;
  std::set<const pb::FileDescriptor*> visible_;
};

std::string TextOf(const pb::UninterpretedOption& option) {
  std::vector<std::string> names;
  for (const auto& part : option.name()) {
    names.push_back(part.is_extension() ? "(" + part.name_part() + ")" : part.name_part());
  }
  std::string value;
  if (option.has_identifier_value()) value = option.identifier_value();
  if (option.has_positive_int_value()) value = fmt::to_string(option.positive_int_value());
  if (option.has_negative_int_value()) value = fmt::to_string(option.negative_int_value());
  if (option.has_double_value()) value = fmt::to_string(option.double_value());
  if (option.has_string_value()) value = '"' + pb::CEscape(option.string_value()) + '"';
  if (option.has_aggregate_value()) value = "{ " + option.aggregate_value() + " }";
  return Join(names, ".") + " = " + value;
}

// A package that nothing in the file speaks of, be it in a comment.
std::string FreshPackage(const pb::FileDescriptorProto& file) {
  const std::string text = file.SerializeAsString();
  std::string package = "millrace_unknown_options";
  while (text.find(package) != std::string::npos) package += '_';
  return package;
}

}  // namespace

UnknownOptions::UnknownOptions(pb::FileDescriptorProto& file, const pb::DescriptorPool& pool)
    : stood_in_(file), before_(fmt::format(".{}.o", FreshPackage(file))) {
  const Definitions known(file, pool);
  definitions_.set_name(kFile);
  definitions_.set_package(before_.substr(1, before_.size() - 3));
  definitions_.add_dependency("google/protobuf/descriptor.proto");
  Walk stand_in([&](auto& options, const std::string& scope) {
    const pb::Descriptor& owner = *options.GetDescriptor();
    for (pb::UninterpretedOption& option : *options.mutable_uninterpreted_option()) {
      if (known.Has(option, owner, scope)) continue;
      const int number = static_cast<int>(texts_.size());
      texts_.push_back(TextOf(option));
      pb::FieldDescriptorProto& field = *definitions_.add_extension();
      field.set_name(fmt::format("o{}", number));
      field.set_number(kFirstNumber + number);
      field.set_label(pb::FieldDescriptorProto::LABEL_OPTIONAL);
      field.set_type(pb::FieldDescriptorProto::TYPE_STRING);
      field.set_extendee("." + owner.full_name());
      option.Clear();
      auto& name = *option.add_name();
      name.set_name_part(before_ + fmt::to_string(number));
      name.set_is_extension(true);
      option.set_string_value("");
    }
  });
  stand_in.Of(stood_in_);
  if (empty()) return;
  file = stood_in_;
  Walk leave_out([&](auto& options, const std::string&) {
    auto& all = *options.mutable_uninterpreted_option();
    auto is_stand_in = [&](const pb::UninterpretedOption& option) {
      return option.name_size() == 1 && option.name(0).name_part().starts_with(before_);
    };
    all.erase(std::remove_if(all.begin(), all.end(), is_stand_in), all.end());
  });
  leave_out.Of(file);
  stood_in_.add_dependency(kFile);
}

std::string UnknownOptions::PutBack(const std::string& source) const {
  const std::string before = "(" + before_;  // then come the number and `after`
  constexpr std::string_view after = ") = \"\"";
  std::string text;
  size_t at = 0;
  for (size_t found; (found = source.find(before, at)) != std::string::npos;) {
    text += source.substr(at, found - at);
    const char* digits = source.data() + found + before.size();
    size_t number = 0;
    const char* end = std::from_chars(digits, source.data() + source.size(), number).ptr;
    text += texts_[number];
    at = static_cast<size_t>(end - source.data()) + after.size();
  }
  text += source.substr(at);
  const std::string import = fmt::format("import \"{}\";\n", kFile);
  if (const size_t line = text.find(import); line != std::string::npos) {
    text.erase(line, import.size());
  }
  return text;
}

}  // namespace millrace::format
