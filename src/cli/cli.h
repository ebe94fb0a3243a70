// The command line: `millrace <command> …`.
//
// Contract: Main never throws and returns the process's exit code; errors go to stderr in the shape
// of Status::ToString, results to stdout. docs: `millrace --help` and `millrace <command> --help`.
#pragma once

#include "base/status.h"

namespace millrace::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitFault = 1,     // the user's to mend: faults in a project, bad SQL, an unknown topic
  kExitUsage = 2,     // the command line itself
  kExitExternal = 3,  // a server or the disk
  kExitInternal = 4,  // a bug of Millrace
};

ExitCode ExitCodeFor(const Status& status);

int Main(int argc, const char* const* argv);

}  // namespace millrace::cli
