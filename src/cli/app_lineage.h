// The shape of `millrace lineage` and `millrace trace`: options, help, examples.
#pragma once

#include "cli/app_changes.h"

namespace millrace::cli {

struct LineageOptions {
  std::string name;  // "": the whole project
  std::string directory = ".";
  std::string target;
  bool up = false;
  bool down = false;
  std::string format = "text";
};
int RunLineage(const LineageOptions& options);

struct TraceOptions {
  std::string table;
  std::string directory = ".";
  std::string target;
  std::vector<std::string> keys;
  std::string column;  // "": the table's key
  int64_t limit = 5;   // of each key
  std::string sink;
  std::string where;
  std::string topic;
  int partition = 0;
  int64_t offset = -1;
  std::string format = "text";
};
int RunTrace(const TraceOptions& options);

// The options outlive what is added.
void AddLineageCommands(const AddCommand& add, LineageOptions& lineage, TraceOptions& trace);

}  // namespace millrace::cli
