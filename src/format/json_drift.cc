// JsonDecoder's fields that the table does not declare.
#include <algorithm>

#include "format/json_decoder.h"
#include "format/json_types.h"

namespace millrace::format {

namespace {

// Of so many values of a field the type is looked at.
constexpr int64_t kTypedValuesMax = 1000;

// The type at a path of fields ("payload.after") of these columns; null: there is none.
const ColumnType* TypeAt(const model::Schema& schema, const std::vector<ColumnType>& types,
                         std::string_view path) {
  const size_t dot = path.find('.');
  const int column = schema.Find(path.substr(0, dot));
  const ColumnType* type = column < 0 ? nullptr : &types[static_cast<size_t>(column)];
  for (size_t at = dot; type != nullptr && at != std::string_view::npos;) {
    const size_t next = path.find('.', at + 1);
    const std::string_view name = path.substr(at + 1, next - at - 1);
    const auto& names = type->field_names;
    const auto found = std::find(names.begin(), names.end(), name);
    type = found == names.end() ? nullptr : &type->children[found - names.begin()];
    at = next;
  }
  return type;
}

}  // namespace

void JsonDecoder::FindRows(const DecoderOptions& options, const std::vector<std::string>& rows) {
  policy_ = DriftPolicyOf("json", options.options);
  document_is_row_ = rows.empty();
  if (document_is_row_) {
    for (const model::Column& column : options.schema.columns) declared_.insert(column.name);
  }
  if (policy_ == DriftPolicy::kIgnore) return;
  for (size_t c = 0; document_is_row_ && c < types_.size(); c++) {
    NamePaths(types_[c], options.schema.columns[c].name);
  }
  for (const std::string& path : rows) {
    const ColumnType* row = TypeAt(options.schema, types_, path);
    if (row != nullptr) NamePaths(*row, "");
  }
}

// `path`: of the value, "" where it is the whole row.
void JsonDecoder::NamePaths(const ColumnType& type, const std::string& path) {
  switch (type.kind) {
    case ColumnKind::kStruct: {
      const std::string& before = rows_[&type] = path.empty() ? "" : path + ".";
      for (size_t i = 0; i < type.children.size(); i++) {
        NamePaths(type.children[i], before + type.field_names[i]);
      }
      return;
    }
    case ColumnKind::kList:
      return NamePaths(type.children[0], path + "[]");
    case ColumnKind::kMap:
      return NamePaths(type.children[1], path + "{}");
    default:
      return;
  }
}

bool JsonDecoder::PassDrift(FieldDrift& drift) {
  if (drift.values++ == 0) drift.first_offset = offset_;
  if (policy_ == DriftPolicy::kIgnore) return tokens_.SkipValue() || Malformed("a value");
  const char* begin = tokens_.Rest().data();
  if (!tokens_.SkipValue()) return Malformed("a value");
  if (drift.values <= kTypedValuesMax && !drift.mixed) {
    const char* end = tokens_.Rest().data();
    drift.Widen(JsonValueType(types_parser_, {begin, static_cast<size_t>(end - begin)}));
  }
  if (policy_ != DriftPolicy::kAddColumn && drifted_ == nullptr) drifted_ = &drift;
  return true;
}

bool JsonDecoder::PassUnknownIn(const ColumnType& row) {
  const auto path = rows_.empty() ? rows_.end() : rows_.find(&row);
  if (path == rows_.end()) return tokens_.SkipValue() || Malformed("a value");
  return PassDrift(drift_.Entry(path->second + std::string(unknown_name_)));
}

}  // namespace millrace::format
