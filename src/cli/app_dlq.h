// The command line of `millrace dlq`, for app.cc.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

#include "cli/commands.h"

namespace millrace::cli {

// Adds the subcommands to `dlq`. `to` takes what they are given; `choose` is told which one to run.
void AddDlqCommands(CLI::App* dlq, DlqOptions& to,
                    const std::function<void(std::function<int()>)>& choose);

}  // namespace millrace::cli
