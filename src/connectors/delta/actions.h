// Actions: what one commit of a Delta table says, and its text in the transaction log.
//
// Format, of a file _delta_log/00000000000000000012.json: one JSON object a line, each with one
// member that names the action: protocol, metaData, add, remove, txn, commitInfo. A checkpoint has
// the same actions as rows of a Parquet file, one column an action.
// Source: PROTOCOL.md of delta-io/delta, sections "Actions" and "Checkpoint Schema".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace millrace::connectors::delta {

// What a client must know to read and to write the table.
struct Protocol {
  int64_t reader_version = 1;
  int64_t writer_version = 2;
  std::vector<std::string> reader_features = {};  // of reader version 3 only
  std::vector<std::string> writer_features = {};  // of writer version 7 only
};

struct Metadata {
  std::string id;
  std::string name = {};         // "": none
  std::string description = {};  // "": none
  std::string schema;            // JSON: delta_schema.h
  std::vector<std::string> partition_columns;
  std::map<std::string, std::string> configuration = {};
  int64_t created_ms = 0;
};

// Column -> its value as text; no value: NULL.
using PartitionValues = std::map<std::string, std::optional<std::string>>;

struct AddFile {
  std::string path;  // relative to the table, URL-encoded
  PartitionValues partition = {};
  int64_t bytes = 0;
  int64_t modified_ms = 0;
  bool data_change = true;  // false: the table's rows are the same, in other files
  std::string stats = {};   // JSON, "" when the writer gave none
  std::map<std::string, std::string> tags = {};
};

// A tombstone: readers of older versions may still want the file.
struct RemoveFile {
  std::string path;  // as it was added
  int64_t deleted_ms = 0;
  bool data_change = true;
  PartitionValues partition = {};
  int64_t bytes = 0;
};

// How far an application came; committed with its rows.
struct ApplicationVersion {
  std::string application;
  int64_t version = 0;
  int64_t updated_ms = 0;
};

// For whoever reads the table's history.
struct CommitInfo {
  int64_t at_ms = 0;
  std::string operation = {};                          // in Delta's words: "STREAMING UPDATE"
  std::map<std::string, std::string> parameters = {};  // of the operation
  bool blind_append = false;                           // depends on no row of the table
};

struct Actions {
  std::optional<CommitInfo> info = {};  // of what is read: only the time
  std::optional<Protocol> protocol = {};
  std::optional<Metadata> metadata = {};
  std::vector<RemoveFile> removed = {};
  std::vector<AddFile> added = {};
  std::vector<ApplicationVersion> versions = {};
};

// Adds what `line` says to `actions`; members that are null and actions that are not listed above
// are passed over. Error kCorruption.
Status ReadAction(std::string_view line, Actions& actions);

// The lines, each with its line end.
std::string ActionLines(const Actions& actions);

std::string PartitionJson(const PartitionValues& partition);

// A path of the log from a file's name below the table, and back.
std::string EncodePath(std::string_view name);
std::string DecodePath(std::string_view path);

}  // namespace millrace::connectors::delta
