#include <fmt/format.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "sql/reference.h"

namespace millrace::cli {

int RunFunctions(const FunctionsOptions& options) {
  auto text = options.markdown ? sql::RenderReference() : sql::RenderFunctionList(options.name);
  if (!text.ok()) return Fail(text.status());
  fmt::print("{}", *text);
  return kExitOk;
}

}  // namespace millrace::cli
