// Sink into files, exactly once.
//
// Rows gather in one staged file per directory, <path>/.staging/<writer>/<epoch>-<n>.part, over
// many epochs. Commit(E): finish and sync the staged files; replace <path>/.millrace/<writer>.json,
// which names E and the files (the commit point); rename each to its final name. A reader never
// sees half a file: only the rename makes it visible. A crash before the commit point leaves staged
// files that nobody names: Open removes them and the job writes the epochs again. A crash after it
// leaves renames to do: Open does them. <writer> is "<job>-<table>".
#include "connectors/filesystem/file_sink.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <set>

#include "base/strings.h"
#include "connectors/filesystem/file_list.h"
#include "connectors/filesystem/filesystem.h"
#include "connectors/filesystem/manifest.h"
#include "connectors/filesystem/part_writer.h"
#include "connectors/row_bytes.h"
#include "connectors/sink_checks.h"
#include "env/clock.h"
#include "format/format_options.h"

namespace millrace::connectors::filesystem {

namespace {

// A name that is safe in a path; a hash keeps two names apart that look alike then.
std::string SafeName(const std::string& text) {
  std::string name;
  for (char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
    name += plain ? c : '_';
  }
  if (name == text && name.size() < 100) return name;
  name.resize(std::min<size_t>(name.size(), 100));
  return name + fmt::format("-{:08x}", static_cast<uint32_t>(XXH64(text.data(), text.size(), 0)));
}

// As Hive and Flink write partition values into directory names.
std::string EscapeValue(std::string_view text) {
  static const std::string kSpecial = "\"#%'*/:=?\\{[]^";
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || kSpecial.find(c) != std::string::npos) {
      out += fmt::format("%{:02X}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

struct Columns {
  std::vector<size_t> partition;  // of PARTITIONED BY, in its order
  std::vector<size_t> data;       // all others: what the files hold
};

class FileSink : public Sink {
 public:
  FileSink(const TableContext& table, env::FileSystem& files, Columns columns,
           model::Schema data_schema)
      : table_(table),
        files_(files),
        clock_(table.services.clock ? *table.services.clock : *env::Clock::System()),
        columns_(std::move(columns)),
        data_schema_(std::move(data_schema)),
        format_(table.options.GetString("format")),
        root_(ResolvePath(table.options.GetString("path"), table.services.base_dir)),
        writer_(SafeName(table.job) + "-" + SafeName(table.name)),
        staging_(root_ + "/.staging/" + writer_),
        manifest_path_(root_ + "/.millrace/" + writer_ + ".json") {}

  Status Open() override {
    MR_RETURN_IF_ERROR(files_.CreateDirectories(staging_));
    MR_RETURN_IF_ERROR(files_.CreateDirectories(root_ + "/.millrace"));
    MR_ASSIGN_OR_RETURN(Manifest manifest, ReadManifest(files_, manifest_path_));
    committed_ = manifest.epoch;
    MR_ASSIGN_OR_RETURN(auto staged, files_.List(staging_));
    std::set<std::string> left(staged.begin(), staged.end());
    for (const auto& part : manifest.parts) {
      if (left.erase(part.staged)) to_move_.push_back(part);
      // Moved already, perhaps by a process that died before it could sync the directory.
      to_sync_.insert(env::ParentDirectory(root_ + "/" + part.final));
    }
    MR_RETURN_IF_ERROR(MoveInPlace());
    left.erase("spill");
    for (const std::string& name : left) {
      Status removed = files_.Remove(staging_ + "/" + name);
      if (!removed.ok()) return removed;
    }
    if (format_ == "parquet") {
      MR_ASSIGN_OR_RETURN(writers_, NewParquetWriters(data_schema_, staging_ + "/spill", files_));
    } else {
      MR_ASSIGN_OR_RETURN(writers_, NewTextWriters(table_, data_schema_, files_));
    }
    return Status::Ok();
  }

  Result<model::Epoch> LastCommitted() override { return committed_; }

  Status Write(const SinkBatch& batch) override {
    duckdb::DataChunk& rows = *batch.rows;
    if (rows.size() == 0) return Status::Ok();
    if (TakesRowsBack(batch)) {
      return TakesNewRowsOnly(table_)
          .WithDetail("a file cannot be changed once it is written")
          .WithHint(
              "write updating results into a table with a PRIMARY KEY ('connector' = 'jdbc')");
    }
    // Everything that can fail comes before the first row is taken.
    std::map<PartWriter*, std::vector<duckdb::sel_t>> chosen;
    std::string partition;  // of the row, as bytes
    std::string last_partition;
    PartWriter* current = nullptr;  // of last_partition
    for (duckdb::idx_t r = 0; r < rows.size(); r++) {
      const int32_t copies = batch.weights ? (*batch.weights)[r] : 1;
      if (copies == 0) continue;
      partition.clear();
      for (size_t c : columns_.partition) {
        AppendValueBytes(rows.data[c], rows.size(), r, partition);
      }
      // Neighbours often go to the same directory.
      if (current == nullptr || partition != last_partition) {
        MR_ASSIGN_OR_RETURN(current, WriterFor(DirectoryOf(rows, r)));
        last_partition.swap(partition);
      }
      std::vector<duckdb::sel_t>& selected = chosen[current];
      selected.insert(selected.end(), static_cast<size_t>(copies), static_cast<duckdb::sel_t>(r));
    }
    for (auto& [writer, selected] : chosen) MR_RETURN_IF_ERROR(writer->MakeRoom());
    duckdb::DataChunk data;
    data.InitializeEmpty(data_schema_.Types());
    for (size_t i = 0; i < columns_.data.size(); i++) {
      data.data[i].Reference(rows.data[columns_.data[i]]);
    }
    data.SetCardinality(rows.size());
    for (auto& [writer, selected] : chosen) {
      for (size_t at = 0; at < selected.size(); at += STANDARD_VECTOR_SIZE) {
        const auto count = std::min<size_t>(STANDARD_VECTOR_SIZE, selected.size() - at);
        writer->Append(data, duckdb::SelectionVector(selected.data() + at), count);
      }
    }
    if (first_row_us_ < 0) first_row_us_ = clock_.MonotonicMicros();
    return Status::Ok();
  }

  Status Commit(model::Epoch epoch) override {
    // Before the manifest that names them is replaced.
    MR_RETURN_IF_ERROR(MoveInPlace());
    if (epoch > committed_) {
      Manifest manifest;
      manifest.epoch = epoch;
      size_t number = 0;
      for (auto& [directory, part] : parts_) {
        MR_RETURN_IF_ERROR(part.writer->Finish());
        manifest.parts.push_back(
            {part.staged, directory + fmt::format("part-{}-{:010}-{}.{}", writer_, epoch, number++,
                                                  format_ == "raw" ? "txt" : format_)});
      }
      MR_RETURN_IF_ERROR(files_.SyncDirectory(staging_));
      MR_RETURN_IF_ERROR(WriteManifest(files_, manifest_path_, manifest));
      committed_ = epoch;
      to_move_ = std::move(manifest.parts);
      parts_.clear();
      first_row_us_ = -1;
    }
    return MoveInPlace();
  }

  bool GathersEpochs() const override { return true; }

  bool WantsCommit() override {
    if (parts_.empty()) return !to_move_.empty() || !to_sync_.empty();
    if (clock_.MonotonicMicros() - first_row_us_ >=
        table_.options.GetMicros("sink.rolling-policy.rollover-interval")) {
      return true;
    }
    const int64_t limit = table_.options.GetBytes("sink.rolling-policy.file-size");
    return std::any_of(parts_.begin(), parts_.end(),
                       [&](const auto& part) { return part.second.writer->bytes() >= limit; });
  }

 private:
  struct Part {
    std::string staged;  // name in staging_
    std::unique_ptr<PartWriter> writer;
  };

  // "dt=2024-01-01/type=view/", or "" without partitions.
  std::string DirectoryOf(duckdb::DataChunk& rows, duckdb::idx_t row) const {
    std::string directory;
    for (size_t c : columns_.partition) {
      const duckdb::Value value = rows.GetValue(c, row);
      std::string text = value.IsNull() ? "" : value.ToString();
      text = text.empty() ? table_.options.GetString("partition.default-name") : EscapeValue(text);
      directory += table_.schema.columns[c].name + "=" + text + "/";
    }
    return directory;
  }

  Result<PartWriter*> WriterFor(const std::string& directory) {
    auto found = parts_.find(directory);
    if (found == parts_.end()) {
      // The epoch in the name: the manifest of epoch E only names files staged before E, so a file
      // staged after it can never be taken for one of them.
      const std::string staged = fmt::format("{}-{}.part", committed_, next_staged_++);
      auto writer = writers_->New(staging_ + "/" + staged);
      if (!writer.ok()) return writer.status();
      found = parts_.emplace(directory, Part{staged, std::move(*writer)}).first;
    }
    return found->second.writer.get();
  }

  // Renames what the last commit named; repeatable until everything is moved and synced.
  Status MoveInPlace() {
    while (!to_move_.empty()) {
      const Manifest::Part& part = to_move_.back();
      const std::string final = root_ + "/" + part.final;
      const std::string directory = env::ParentDirectory(final);
      MR_RETURN_IF_ERROR(files_.CreateDirectories(directory));
      MR_RETURN_IF_ERROR(files_.Rename(staging_ + "/" + part.staged, final));
      to_sync_.insert(directory);
      to_move_.pop_back();
    }
    if (to_sync_.empty()) return Status::Ok();
    for (const std::string& directory : to_sync_) {
      Status synced = files_.SyncDirectory(directory);
      // Someone may remove old files together with their directory.
      if (!synced.ok() && synced.code() != Code::kNotFound) return synced;
    }
    MR_RETURN_IF_ERROR(files_.SyncDirectory(staging_));
    to_sync_.clear();
    return Status::Ok();
  }

  const TableContext table_;
  env::FileSystem& files_;
  env::Clock& clock_;
  const Columns columns_;
  const model::Schema data_schema_;
  const std::string format_;
  const std::string root_;
  const std::string writer_;
  const std::string staging_;
  const std::string manifest_path_;
  std::unique_ptr<PartWriters> writers_;
  std::map<std::string, Part> parts_;  // by directory; before writers_ goes
  std::vector<Manifest::Part> to_move_;
  std::set<std::string> to_sync_;  // directories that got files
  model::Epoch committed_ = 0;
  int64_t next_staged_ = 0;
  int64_t first_row_us_ = -1;  // monotonic; -1: nothing gathered
};

}  // namespace

Result<std::unique_ptr<Sink>> NewFileSinkOn(const TableContext& table, env::FileSystem& files) {
  const std::string format = table.options.GetString("format");
  if (format != "parquet") MR_RETURN_IF_ERROR(format::FindFormat(format).status());
  Columns columns;
  model::Schema data_schema;
  MR_RETURN_IF_ERROR(CheckNames(table, table.partitioned_by, "PARTITIONED BY"));
  for (const std::string& name : table.partitioned_by) {
    columns.partition.push_back(static_cast<size_t>(table.schema.Find(name)));
  }
  for (size_t c = 0; c < table.schema.size(); c++) {
    const auto& partition = columns.partition;
    if (std::find(partition.begin(), partition.end(), c) != partition.end()) continue;
    columns.data.push_back(c);
    data_schema.columns.push_back(table.schema.columns[c]);
  }
  if (columns.data.empty()) {
    return Status(Code::kBadOption, "every column of table \"" + table.name +
                                        "\" is in PARTITIONED BY, which leaves none for the files");
  }
  return std::unique_ptr<Sink>(
      new FileSink(table, files, std::move(columns), std::move(data_schema)));
}

Result<std::unique_ptr<Sink>> NewFileSink(const TableContext& table) {
  return NewFileSinkOn(table, *env::FileSystem::Real());
}

}  // namespace millrace::connectors::filesystem
