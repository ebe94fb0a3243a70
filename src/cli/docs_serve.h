// `millrace docs serve`: what `docs generate` wrote, over HTTP, for a browser on another machine or
// one that does not open files.
//
// Contract: as in cli/commands.h.
#pragma once

#include <string>

namespace millrace::cli {

struct DocsServeOptions {
  std::string directory = ".";
  std::string target = "target";  // the directory of the artifacts, in `directory`
  std::string host = "127.0.0.1";
  int port = 8080;          // 0: a free one
  bool no_browser = false;  // none is opened in any case
};
// Ends with the first SIGINT or SIGTERM.
int RunDocsServe(const DocsServeOptions& options);

}  // namespace millrace::cli
