#include "connectors/kafka/record_key.h"

#include "base/strings.h"
#include "connectors/schema_registry/schema_registry.h"

namespace millrace::connectors::kafka {

namespace {

// The options of the key's format, without "key.".
std::map<std::string, std::string> FormatOptionsOf(const Options& options,
                                                   const std::string& format) {
  std::map<std::string, std::string> own;
  for (const auto& [name, value] : options.raw()) {
    if (name.starts_with("key." + format + ".")) own[name.substr(4)] = value;
  }
  return own;
}

}  // namespace

Result<std::unique_ptr<RecordKey>> RecordKey::New(const TableContext& table, bool upsert,
                                                  bool changelog) {
  auto keys = std::unique_ptr<RecordKey>(new RecordKey());
  const Options& options = table.options;
  std::vector<std::string> names;
  std::string format = options.Has("key.format") ? options.GetString("key.format") : "raw";
  if (upsert) {
    names = table.primary_key;
  } else if (options.Has("key.fields")) {
    for (const std::string& field : millrace::Split(options.GetString("key.fields"), ';')) {
      names.emplace_back(Trim(field));
    }
  } else if (changelog) {
    names = table.primary_key;
    keys->written_ = false;
    format = "json";
  }
  if (names.empty()) return keys;
  model::Schema schema;
  const std::string prefix = options.GetString("key.fields-prefix");
  for (const std::string& name : names) {
    const int column = table.schema.Find(name);
    if (column < 0) {
      return Status(Code::kUnknownColumn, "option \"key.fields\" of table \"" + table.name +
                                              "\" names the column \"" + name +
                                              "\", which does not exist")
          .WithHint(DidYouMean(name, table.schema.Names()));
    }
    keys->columns_.push_back(static_cast<size_t>(column));
    schema.columns.push_back(table.schema.columns[static_cast<size_t>(column)]);
    std::string& own_name = schema.columns.back().name;
    if (upsert && own_name.starts_with(prefix)) own_name = own_name.substr(prefix.size());
  }
  if (format == "raw" && !upsert) {
    if (keys->columns_.size() == 1) return keys;
    return Status(Code::kBadOption, "table \"" + table.name +
                                        "\" has several key fields, which "
                                        "the key format \"raw\" cannot hold")
        .WithHint("'key.format' = 'json'");
  }
  auto format_options = FormatOptionsOf(options, format);
  MR_ASSIGN_OR_RETURN(auto registry,
                      schema_registry::RegistryFor(format, format_options, table.services));
  if (registry) {
    format_options.try_emplace(format + ".subject", options.GetString("topic") + "-key");
  }
  MR_ASSIGN_OR_RETURN(keys->encoder_,
                      format::NewEncoder(format, schema, format_options, registry.get()));
  keys->chunk_.InitializeEmpty(schema.Types());
  return keys;
}

void RecordKey::UseChunk(duckdb::DataChunk& rows) {
  rows_ = &rows;
  if (!encoder_) return;
  for (size_t i = 0; i < columns_.size(); i++) chunk_.data[i].Reference(rows.data[columns_[i]]);
  chunk_.SetCardinality(rows.size());
  encoder_->Bind(chunk_);
}

bool RecordKey::HasNull(duckdb::idx_t row) const {
  for (size_t column : columns_) {
    duckdb::UnifiedVectorFormat format;
    rows_->data[column].ToUnifiedFormat(rows_->size(), format);
    if (!format.validity.RowIsValid(format.sel->get_index(row))) return true;
  }
  return false;
}

std::optional<std::string> RecordKey::TakeFault() {
  return encoder_ ? encoder_->TakeFault() : std::nullopt;
}

bool RecordKey::Append(duckdb::idx_t row, std::string& out) {
  if (encoder_) {
    encoder_->EncodeBound(row, out);
    return true;
  }
  const duckdb::Value value = rows_->GetValue(columns_[0], row);
  if (value.IsNull()) return false;
  const bool bytes = value.type().id() == duckdb::LogicalTypeId::BLOB;
  out += bytes ? duckdb::StringValue::Get(value) : value.ToString();
  return true;
}

}  // namespace millrace::connectors::kafka
