// Look-ups in files: all of them are read into memory, and again when one of them has changed.
#include <duckdb/common/vector_operations/vector_operations.hpp>
#include <map>
#include <unordered_map>

#include "base/strings.h"
#include "connectors/filesystem/file_list.h"
#include "connectors/filesystem/filesystem.h"
#include "connectors/lookup.h"
#include "connectors/row_bytes.h"
#include "format/decoder.h"

namespace millrace::connectors::filesystem {

namespace {

// The files' rows, found by their key.
class Content : public SourceOutput {
 public:
  // Columns of the rows: those of `columns`; key columns are at `keys` among them.
  Content(duckdb::vector<duckdb::LogicalType> types, std::vector<size_t> keys,
          std::unique_ptr<format::Decoder> decoder)
      : types_(std::move(types)), keys_(std::move(keys)), decoder_(std::move(decoder)) {}

  void OnRecords(std::span<const model::Record> records) override {
    while (!records.empty() && fault_.ok()) {
      const size_t count = std::min<size_t>(records.size(), STANDARD_VECTOR_SIZE);
      auto rows = NewRows();
      std::vector<uint32_t> row_record;
      std::vector<model::RowError> errors;
      decoder_->Decode(records.first(count), *rows, row_record, errors);
      if (!errors.empty()) {
        const model::RowError& error = errors[0];
        fault_ =
            Status(Code::kInvalidArgument, "file \"" + file + "\", byte " +
                                               std::to_string(records[error.record_index].offset) +
                                               ": " + error.message)
                .WithHint("correct the file; the job goes on by itself then")
                .WithRetry(Retry::kBackoff);
        return;
      }
      Keep(std::move(rows));
      records = records.subspan(count);
    }
  }
  void OnRows(duckdb::DataChunk& rows, std::span<const model::Offset>) override {
    auto kept = NewRows();
    kept->Append(rows);
    Keep(std::move(kept));
  }

  struct Place {
    uint32_t chunk;
    uint32_t row;
  };
  const std::vector<Place>* Find(const std::string& key) const {
    auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &found->second;
  }
  duckdb::DataChunk& Chunk(uint32_t i) const { return *chunks_[i]; }
  const Status& fault() const { return fault_; }

  std::string file;  // being read

 private:
  std::unique_ptr<duckdb::DataChunk> NewRows() const {
    auto rows = std::make_unique<duckdb::DataChunk>();
    rows->Initialize(duckdb::Allocator::DefaultAllocator(), types_);
    return rows;
  }
  void Keep(std::unique_ptr<duckdb::DataChunk> rows) {
    const auto chunk = static_cast<uint32_t>(chunks_.size());
    for (uint32_t row = 0; row < rows->size(); row++) {
      std::string key;
      for (size_t k : keys_) AppendValueBytes(rows->data[k], rows->size(), row, key);
      by_key_[key].push_back({chunk, row});
    }
    chunks_.push_back(std::move(rows));
  }

  duckdb::vector<duckdb::LogicalType> types_;
  std::vector<size_t> keys_;
  std::unique_ptr<format::Decoder> decoder_;  // null: typed rows
  std::vector<std::unique_ptr<duckdb::DataChunk>> chunks_;
  std::unordered_map<std::string, std::vector<Place>> by_key_;
  Status fault_;
};

class FileLookup : public Lookup {
 public:
  FileLookup(TableContext table, LookupQuery query)
      : table_(std::move(table)), query_(std::move(query)) {
    for (const auto* wanted : {&query_.keys, &query_.columns}) {
      for (size_t c : *wanted) place_.try_emplace(c, 0);
    }
    for (auto& [column, place] : place_) {
      place = read_.size();
      read_.push_back(column);
    }
  }

  Status Open() override { return Status::Ok(); }

  Status Ask(duckdb::DataChunk& keys, LookupOutput& out) override {
    MR_RETURN_IF_ERROR(ReadIfChanged());
    duckdb::vector<duckdb::LogicalType> types;
    for (size_t c : query_.columns) types.push_back(table_.schema.columns[c].type);
    duckdb::DataChunk rows;
    if (!types.empty()) rows.Initialize(duckdb::Allocator::DefaultAllocator(), types);
    std::vector<uint32_t> asked;
    auto flush = [&] {
      if (asked.empty()) return;
      rows.SetCardinality(asked.size());
      out.OnRows(rows, asked);
      rows.Reset();
      asked.clear();
    };
    for (uint32_t row = 0; row < keys.size(); row++) {
      std::string key;
      for (auto& column : keys.data) AppendValueBytes(column, keys.size(), row, key);
      const auto* places = content_->Find(key);
      if (!places) continue;
      for (const Content::Place& place : *places) {
        for (size_t c = 0; c < types.size(); c++) {
          auto& from = content_->Chunk(place.chunk).data[place_.at(query_.columns[c])];
          duckdb::VectorOperations::Copy(from, rows.data[c], place.row + 1, place.row,
                                         asked.size());
        }
        asked.push_back(row);
        if (asked.size() == STANDARD_VECTOR_SIZE) flush();
      }
    }
    flush();
    return Status::Ok();
  }

 private:
  Status ReadIfChanged() {
    const std::string path =
        ResolvePath(table_.options.GetString("path"), table_.services.base_dir);
    auto files = ListFiles(path);
    if (!files.ok()) return std::move(files).status().WithRetry(Retry::kBackoff);
    std::string state;
    for (const std::string& file : *files) {
      MR_ASSIGN_OR_RETURN(FileState of_file, StateOf(file));
      state += file + "\n" + std::to_string(of_file.size) + " " +
               std::to_string(of_file.modified_us) + "\n";
    }
    if (content_ && state == state_) return Status::Ok();
    MR_ASSIGN_OR_RETURN(content_, ReadAll());
    state_ = std::move(state);
    return Status::Ok();
  }

  Result<std::unique_ptr<Content>> ReadAll() {
    MR_ASSIGN_OR_RETURN(std::unique_ptr<Source> source, NewFileSource(table_));
    MR_RETURN_IF_ERROR(source->Open(read_));
    std::unique_ptr<format::Decoder> decoder;
    if (table_.options.GetString("format") != "parquet") {
      format::DecoderOptions options = format::DecoderOptionsOf(table_.options.raw());
      options.schema = table_.schema;
      options.projection = read_;
      MR_ASSIGN_OR_RETURN(decoder, format::NewDecoder(options));
    }
    duckdb::vector<duckdb::LogicalType> types;
    for (size_t c : read_) types.push_back(table_.schema.columns[c].type);
    std::vector<size_t> keys;
    for (size_t c : query_.keys) keys.push_back(place_.at(c));
    auto content = std::make_unique<Content>(types, keys, std::move(decoder));
    MR_ASSIGN_OR_RETURN(std::vector<Split> splits, source->Splits());
    for (const Split& split : splits) {
      content->file = split.id;
      model::Offset from = 0;
      for (bool end = false; !end;) {
        constexpr int64_t kPiece = 8 << 20;
        MR_ASSIGN_OR_RETURN(Source::Ready ready, source->Poll(split, from, kPiece));
        MR_RETURN_IF_ERROR(source->Read(split, from, ready.to, *content));
        MR_RETURN_IF_ERROR(content->fault());
        end = ready.end || ready.to == from;
        from = ready.to;
      }
    }
    return content;
  }

  TableContext table_;
  LookupQuery query_;
  std::vector<size_t> read_;        // columns, ascending
  std::map<size_t, size_t> place_;  // of a column among them
  std::unique_ptr<Content> content_;
  std::string state_;  // of the files when they were read
};

}  // namespace

Result<std::unique_ptr<Lookup>> NewFileLookup(const TableContext& table, const LookupQuery& query) {
  return std::unique_ptr<Lookup>(new FileLookup(table, query));
}

}  // namespace millrace::connectors::filesystem
