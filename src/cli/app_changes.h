// The shape of `millrace plan` and `millrace reprocess`: options, help, examples.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

#include "cli/commands.h"

namespace millrace::cli {

using AddCommand = std::function<CLI::App*(const char* name, const char* summary,
                                           const char* footer, std::function<int()> command)>;

// Both options outlive what is added.
void AddChangeCommands(const AddCommand& add, PlanOptions& plan, ReprocessOptions& reprocess);

}  // namespace millrace::cli
