// `millrace batch`: its options, their shape on the command line, and what carries it out.
#pragma once

#include <string>
#include <vector>

#include "cli/app_changes.h"

namespace millrace::cli {

struct BatchOptions {
  std::string file;
  std::vector<std::string> variables;  // NAME=VALUE
  std::string run;                     // "": the file's name and the variables
  std::string format = "table";        // of queries' rows
};

void AddBatchCommand(const AddCommand& add, BatchOptions& options);

int RunBatchFile(const BatchOptions& options);

}  // namespace millrace::cli
