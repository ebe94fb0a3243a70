#include "connectors/filesystem/part_writer.h"
#include "format/encoder.h"

namespace millrace::connectors::filesystem {

namespace {

constexpr size_t kFlushBytes = 1 << 20;

class TextWriter : public PartWriter {
 public:
  TextWriter(env::FileSystem& files, std::string path, std::unique_ptr<format::Encoder> encoder)
      : files_(files), path_(std::move(path)), encoder_(std::move(encoder)) {}

  Status MakeRoom() override { return buffer_.size() < kFlushBytes ? Status::Ok() : Flush(); }

  void Append(duckdb::DataChunk& rows, const duckdb::SelectionVector& selection,
              duckdb::idx_t count) override {
    duckdb::DataChunk chosen;
    chosen.InitializeEmpty(rows.GetTypes());
    chosen.Slice(rows, selection, count);
    ends_.clear();
    encoder_->EncodeChunk(chosen, "\n", buffer_, ends_);
  }

  Status Finish() override {
    MR_RETURN_IF_ERROR(Flush());
    return file_->Sync();
  }

  int64_t bytes() const override { return written_ + static_cast<int64_t>(buffer_.size()); }

 private:
  // At a position of our own, so that a repeat after a short write overwrites it.
  Status Flush() {
    if (!file_) {
      auto opened = files_.Open(path_, env::OpenMode::kCreate);
      if (!opened.ok()) return opened.status();
      file_ = std::move(*opened);
    }
    const std::string_view part = buffer_;
    MR_RETURN_IF_ERROR(file_->WriteAt(written_, std::span(&part, 1)));
    written_ += static_cast<int64_t>(buffer_.size());
    buffer_.clear();
    return Status::Ok();
  }

  env::FileSystem& files_;
  const std::string path_;
  std::unique_ptr<format::Encoder> encoder_;
  std::unique_ptr<env::File> file_;
  std::string buffer_;
  std::vector<size_t> ends_;  // of the lines added last; not used
  int64_t written_ = 0;
};

class TextWriters : public PartWriters {
 public:
  TextWriters(const TableContext& table, const model::Schema& schema, env::FileSystem& files)
      : files_(files), schema_(schema), format_(table.options.GetString("format")) {
    for (const auto& [name, value] : table.options.raw()) {
      if (name.starts_with(format_ + ".")) options_[name] = value;
    }
  }

  Result<std::unique_ptr<PartWriter>> New(const std::string& staged_path) override {
    MR_ASSIGN_OR_RETURN(auto encoder, format::NewEncoder(format_, schema_, options_));
    return std::unique_ptr<PartWriter>(new TextWriter(files_, staged_path, std::move(encoder)));
  }

  Status Check() { return format::NewEncoder(format_, schema_, options_).status(); }

 private:
  env::FileSystem& files_;
  const model::Schema schema_;
  const std::string format_;
  std::map<std::string, std::string> options_;
};

}  // namespace

Result<std::unique_ptr<PartWriters>> NewTextWriters(const TableContext& table,
                                                    const model::Schema& schema,
                                                    env::FileSystem& files) {
  auto writers = std::make_unique<TextWriters>(table, schema, files);
  MR_RETURN_IF_ERROR(writers->Check());
  return std::unique_ptr<PartWriters>(std::move(writers));
}

}  // namespace millrace::connectors::filesystem
