#include "project/trace_records.h"

#include "format/decoder.h"
#include "job/metadata_columns.h"

namespace millrace::project {

namespace {

// Records as the decoders take them: with readable bytes behind each text.
class DecoderInput {
 public:
  explicit DecoderInput(std::span<const TraceRecord> records) {
    for (const TraceRecord& record : records) {
      model::Record& view = views_.emplace_back();
      view.offset = record.offset;
      view.timestamp_ms = record.timestamp_ms;
      view.has_key = record.key.has_value();
      view.has_value = record.value.has_value();
      if (record.key) view.key = Keep(*record.key);
      if (record.value) view.value = Keep(*record.value);
    }
  }
  std::span<const model::Record> views() const { return views_; }

 private:
  std::string_view Keep(const std::string& text) {
    texts_.push_back(std::make_unique<std::string>(text));
    texts_.back()->append(model::kRecordPadding, '\0');
    return std::string_view(*texts_.back()).substr(0, text.size());
  }
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<model::Record> views_;
};

// What is compared of a table: decoded columns and the records' own metadata.
struct Wanted {
  format::DecoderOptions decoded;
  duckdb::vector<duckdb::LogicalType> types;
  std::vector<CellText> values;  // of the first columns of the projection
  std::vector<const sql::MetadataColumn*> metadata;
  std::vector<CellText> metadata_values;
};

// Equal values have equal texts once they are of the column's type.
CellText TextAs(const CellText& text, const duckdb::LogicalType& type) {
  duckdb::Value value;
  std::string why;
  if (!text || !duckdb::Value(*text).DefaultTryCastAs(type, value, &why)) return text;
  return TextOf(value);
}

Wanted WantedOf(const sql::Table& table, const std::map<std::string, std::string>& options,
                const std::map<std::string, CellText>& values) {
  Wanted wanted;
  wanted.decoded = format::DecoderOptionsOf(options);
  wanted.decoded.schema = table.schema;
  wanted.decoded.upsert = table.Option("connector") == "upsert-kafka";
  auto add = [&](size_t column) {
    wanted.decoded.projection.push_back(column);
    wanted.types.push_back(table.schema.columns[column].type);
  };
  for (size_t c = 0; c < table.schema.size(); c++) {
    auto value = values.find(table.schema.columns[c].name);
    if (value == values.end()) continue;
    add(c);
    wanted.values.push_back(TextAs(value->second, wanted.types.back()));
  }
  for (const std::string& name :
       wanted.decoded.upsert ? table.primary_key : std::vector<std::string>()) {
    const int column = table.schema.Find(name);
    if (column < 0) continue;
    wanted.decoded.key.push_back(static_cast<size_t>(column));
    if (!values.count(name)) add(static_cast<size_t>(column));
  }
  if (wanted.types.empty() && table.schema.size() > 0) add(0);  // which records are rows, it says
  for (const sql::MetadataColumn& column : table.metadata) {
    auto value = values.find(column.name);
    if (value == values.end() || !job::IsMetadataKey(column.key)) continue;
    wanted.metadata.push_back(&column);
    wanted.metadata_values.push_back(TextAs(value->second, column.type));
  }
  return wanted;
}

}  // namespace

Result<std::vector<TraceRecord>> FindRecords(const Project& project, const sql::Table& table,
                                             const std::vector<TraceRecord>& records,
                                             const std::map<std::string, CellText>& values) {
  MR_ASSIGN_OR_RETURN(job::Binding binding, project.Bind(table));
  const Wanted wanted = WantedOf(table, binding.options, values);
  MR_ASSIGN_OR_RETURN(auto decoder, format::NewDecoder(wanted.decoded));
  std::vector<TraceRecord> found;
  std::vector<uint32_t> row_record;
  std::vector<model::RowError> errors;
  for (size_t at = 0; at < records.size();) {
    const size_t count = std::min(decoder->records_max(), records.size() - at);
    const std::span<const TraceRecord> some(&records[at], count);
    const DecoderInput input(some);
    duckdb::DataChunk rows;
    rows.Initialize(duckdb::Allocator::DefaultAllocator(), wanted.types);
    errors.clear();
    decoder->Decode(input.views(), rows, row_record, errors);
    std::vector<duckdb::Vector> metadata;
    for (const sql::MetadataColumn* column : wanted.metadata) {
      metadata.emplace_back(column->type, STANDARD_VECTOR_SIZE);
      job::FillMetadata(column->key, input.views(), row_record, some[0].topic,
                        std::to_string(some[0].partition), metadata.back());
    }
    for (duckdb::idx_t r = 0; r < rows.size(); r++) {
      bool same = true;
      for (size_t c = 0; same && c < wanted.values.size(); c++) {
        same = TextOf(rows.GetValue(c, r)) == wanted.values[c];
      }
      for (size_t c = 0; same && c < metadata.size(); c++) {
        same = TextOf(metadata[c].GetValue(r)) == wanted.metadata_values[c];
      }
      const TraceRecord& record = some[row_record[r]];
      const bool there = !found.empty() && found.back().offset == record.offset &&
                         found.back().partition == record.partition;
      if (same && !there) found.push_back(record);
    }
    at += count;
  }
  return found;
}

}  // namespace millrace::project
