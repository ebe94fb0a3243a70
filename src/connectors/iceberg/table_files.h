// TableFiles: the files of a table, by their locations: "file:///lake/…", "/lake/…" or "s3://…".
//
// Contract: one thread, outside of transactions of its connection. What Write and MakeDurable have
// returned from survives a crash. Errors that another try may mend have Retry::kBackoff.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace millrace::connectors::iceberg {

// A location as DuckDB opens it.
std::string PathOf(const std::string& location);

class TableFiles {
 public:
  // `connection` knows who may read and write the store, and outlives this.
  explicit TableFiles(duckdb::Connection& connection) : connection_(connection) {}

  Status CreateDirectory(const std::string& location);
  Result<std::string> Read(const std::string& location);
  Status Write(const std::string& location, std::string_view bytes);
  // Of a file that DuckDB has written.
  Status MakeDurable(const std::string& location);
  // Fine where there is none.
  Status Remove(const std::string& location);
  struct Listed {
    std::string location;
    int64_t modified_us = 0;  // wall clock of the store
  };
  // All files in `directory`, not below it.
  Result<std::vector<Listed>> List(const std::string& directory);

 private:
  duckdb::Connection& connection_;
};

}  // namespace millrace::connectors::iceberg
