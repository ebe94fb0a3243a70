#include "project/schema_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/strings.h"
#include "env/files.h"
#include "format/format_options.h"
#include "format/protobuf/proto_bundle.h"

namespace millrace::project {

namespace {

constexpr std::string_view kFile = "-file";  // behind the name of the option that it stands for

// The format whose option it is, or "".
std::string FormatOf(std::string_view option) {
  for (const std::string_view part : {"key.", "value."}) {
    if (option.starts_with(part)) option.remove_prefix(part.size());
  }
  for (const format::FormatSpec& spec : format::AllFormats()) {
    if (option != spec.name + ".schema-file") continue;
    const bool known = std::any_of(spec.options.begin(), spec.options.end(),
                                   [&](const auto& own) { return own.name == option; });
    if (known) return spec.name;
  }
  return "";
}

class Reader {
 public:
  Reader(const std::string& directory, std::map<std::string, std::string>& files)
      : directory_(directory), files_(files) {}

  Result<std::string> Read(const std::string& path) {
    // A flat name in the folder that versions of jobs keep; no script, as it does not end so.
    std::string kept = path;
    std::replace(kept.begin(), kept.end(), '/', '%');
    kept = "sql/~file " + kept + ".text";
    const std::string place = path.starts_with('/') ? path : directory_ + "/" + path;
    Status failure;
    for (const std::string& one : {directory_ + "/" + kept, place}) {
      auto text = env::ReadWholeFile(*env::FileSystem::Real(), one);
      if (text.ok()) {
        files_[kept] = *text;
        return text;
      }
      failure = text.status();
    }
    return failure;
  }

  // Of a .proto file at `path`: beside it, then below the project.
  Result<std::string> ReadImport(const std::string& path, const std::string& import) {
    const size_t slash = path.rfind('/');
    if (slash != std::string::npos) {
      auto beside = Read(path.substr(0, slash + 1) + import);
      if (beside.ok()) return beside;
    }
    return Read(import);
  }

 private:
  const std::string& directory_;
  std::map<std::string, std::string>& files_;
};

// As an option's value, in which "${" would begin a reference. In JSON it stands in a text only.
std::string WithoutReferences(const std::string& json) {
  std::string out;
  for (size_t i = 0; i < json.size(); i++) {
    const bool reference = json.compare(i, 2, "${") == 0;
    out += reference ? "\\u0024" : json.substr(i, 1);
  }
  return out;
}

Result<std::string> SchemaIn(const std::string& format, const std::string& path, Reader& reader) {
  MR_ASSIGN_OR_RETURN(std::string text, reader.Read(path));
  if (!format.starts_with("protobuf")) return WithoutReferences(text);
  return format::BundleProto(
      text, [&](const std::string& import) { return reader.ReadImport(path, import); });
}

}  // namespace

Status ReadSchemaFiles(const std::string& directory, sql::CreateTable& table,
                       std::map<std::string, std::string>& files) {
  Reader reader(directory, files);
  std::vector<std::string> names;
  for (const auto& [name, unused] : table.options) {
    if (!FormatOf(name).empty()) names.push_back(name);
  }
  for (const std::string& name : names) {
    sql::OptionValue option = table.options[name];
    const std::string schema = name.substr(0, name.size() - kFile.size());
    if (table.options.count(schema) > 0) {
      return Status(Code::kBadOption, fmt::format("options \"{}\" and \"{}\" both say the schema",
                                                  schema, name))
          .WithHint("leave one of them out")
          .At(option.key_span);
    }
    auto text = SchemaIn(FormatOf(name), option.value, reader);
    if (!text.ok()) {
      return Status(Code::kBadOption, fmt::format("option \"{}\": schema \"{}\" cannot be read: {}",
                                                  name, option.value, text.status().message()))
          .WithDetail(text.status().detail())
          .WithHint(text.status().hint().empty() ? "the path is relative to the project"
                                                 : text.status().hint())
          .At(option.value_span);
    }
    option.value = *std::move(text);
    table.options.erase(name);
    table.options[schema] = std::move(option);
  }
  return {};
}

}  // namespace millrace::project
