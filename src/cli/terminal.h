// What a terminal sees of errors: the shape of Status::ToString, coloured when somebody looks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace millrace::cli {

bool IsTerminal(int descriptor);
// A terminal that shows colours, and NO_COLOR is not set.
bool UsesColor(int descriptor);
// Columns of the terminal behind stderr; 100 when it does not say.
int TerminalWidth();

// `text` is Status::ToString(): the code red and bold, places and hints in their own colours.
std::string ColorError(std::string_view text);

// Prints to stderr.
void PrintError(const Status& status);
// Prints and returns the exit code that fits.
int Fail(const Status& status);
// Prints all of them and how many there are; the exit code is the gravest one's.
int FailAll(const std::vector<Status>& faults);

// Names a project for messages and for opening: without a trailing slash.
std::string CleanPath(std::string path);

// Sets up the process's logger: to stderr, or to `file` when it is not "". Errors: kBadOption for a
// level nobody knows, kIo.
Status SetUpLogging(const std::string& level, const std::string& file);

}  // namespace millrace::cli
