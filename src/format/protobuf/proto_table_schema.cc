#include "format/protobuf/proto_table_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace millrace::format {

namespace {

bool IsProtoName(const std::string& name) {
  const auto is_part = [](unsigned char c) { return c < 128 && (std::isalnum(c) || c == '_'); };
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), is_part);
}

class Writer {
 public:
  // A message's fields, and before them the messages that they use.
  Result<std::string> Fields(const std::vector<std::string>& names,
                             const std::vector<ColumnType>& types,
                             const std::vector<bool>& nullable, const std::string& indent) {
    std::string messages;
    std::string fields;
    for (size_t i = 0; i < names.size(); i++) {
      auto type = TypeOf(names[i], types[i], indent, messages);
      if (!type.ok()) {
        return std::move(type).status().Annotate(fmt::format("column \"{}\"", names[i]));
      }
      const bool has_label =
          types[i].kind == ColumnKind::kList || types[i].kind == ColumnKind::kMap;
      fields += fmt::format("{}{}{} {} = {};\n", indent,
                            nullable[i] && !has_label ? "optional " : "", *type, names[i], i + 1);
    }
    return messages + fields;
  }

  std::string Imports() const {
    std::string text;
    for (const std::string& import : imports_) text += fmt::format("import \"{}\";\n", import);
    return text;
  }

 private:
  Result<std::string> TypeOf(const std::string& name, const ColumnType& type,
                             const std::string& indent, std::string& messages) {
    if (!IsProtoName(name)) {
      return Status(Code::kUnsupported,
                    "Protobuf allows only letters, digits and _ in the name of a field");
    }
    switch (type.kind) {
      case ColumnKind::kBool:
        return std::string("bool");
      case ColumnKind::kInt8:
      case ColumnKind::kInt16:
      case ColumnKind::kInt32:
        return std::string("int32");
      case ColumnKind::kInt64:
        return std::string("int64");
      case ColumnKind::kFloat:
        return std::string("float");
      case ColumnKind::kDouble:
        return std::string("double");
      case ColumnKind::kString:
        return std::string("string");
      case ColumnKind::kBytes:
        return std::string("bytes");
      case ColumnKind::kDecimal:
        imports_.insert("confluent/type/decimal.proto");
        return std::string("confluent.type.Decimal");
      case ColumnKind::kTimestamp:
      case ColumnKind::kTimestampTz:
        imports_.insert("google/protobuf/timestamp.proto");
        return std::string("google.protobuf.Timestamp");
      case ColumnKind::kStruct: {
        std::string message = name + "_row";
        message[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(message[0])));
        MR_ASSIGN_OR_RETURN(std::string fields,
                            Fields(type.field_names, type.children,
                                   std::vector<bool>(type.children.size(), true), indent + "  "));
        messages += fmt::format("{0}message {1} {{\n{2}{0}}}\n", indent, message, fields);
        return message;
      }
      case ColumnKind::kList:
      case ColumnKind::kMap: {
        const bool list = type.kind == ColumnKind::kList;
        const ColumnType& part = type.children[list ? 0 : 1];
        if (part.kind == ColumnKind::kList || part.kind == ColumnKind::kMap) {
          return Status(Code::kUnsupported, fmt::format("Protobuf has no {} of {}", TypeName(type),
                                                        TypeNameWithArticle(part)))
              .WithHint("put it into a ROW");
        }
        MR_ASSIGN_OR_RETURN(std::string inner, TypeOf(name, part, indent, messages));
        return list ? "repeated " + inner : fmt::format("map<string, {}>", inner);
      }
      case ColumnKind::kDate:
        imports_.insert("google/type/date.proto");
        return std::string("google.type.Date");
      case ColumnKind::kTime:
        imports_.insert("google/type/timeofday.proto");
        return std::string("google.type.TimeOfDay");
    }
    return std::string();
  }

  std::set<std::string> imports_;
};

}  // namespace

Result<std::string> ProtoSchemaOf(const model::Schema& schema,
                                  const std::vector<ColumnType>& types) {
  std::vector<bool> nullable;
  for (const model::Column& column : schema.columns) nullable.push_back(column.nullable);
  Writer writer;
  MR_ASSIGN_OR_RETURN(std::string fields, writer.Fields(schema.Names(), types, nullable, "  "));
  return fmt::format("syntax = \"proto3\";\n{}message Record {{\n{}}}\n", writer.Imports(), fields);
}

}  // namespace millrace::format
