// What a project says of its batches: the storage and the databases that they may use.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace::batch {

// Access to what lies below a prefix of an S3 store.
struct Storage {
  std::string prefix;                          // "s3://data-lake"
  std::map<std::string, std::string> options;  // of DuckDB's CREATE SECRET (TYPE s3), by name
};

// A database that batches know by a name.
struct Database {
  std::string name;
  std::string url;                             // as DuckDB's ATTACH takes it
  std::map<std::string, std::string> options;  // of ATTACH, by name
};

struct Settings {
  int64_t memory_limit_bytes = 2LL << 30;  // larger work goes to the disk
  int threads = 0;                         // 0: one per core
  std::vector<Storage> storage;
  std::vector<Database> databases;
  std::vector<std::string> secrets;  // values within the above that errors must not show
};

}  // namespace millrace::batch
