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

// `options` outlive what is added.
void AddLineageCommands(const AddCommand& add, LineageOptions& lineage);

}  // namespace millrace::cli
