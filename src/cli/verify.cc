#include <fmt/format.h>
#include <simdjson.h>

#include "cli/access.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace millrace::cli {

int RunVerify(const VerifyOptions& options) {
  auto access = Access::Open(options.directory, options.target);
  if (!access.ok()) return Fail(access.status());
  auto json = (*access)->Verify(options.job, options.lines_max);
  if (!json.ok()) return Fail(json.status());
  simdjson::dom::parser parser;
  simdjson::dom::element answer, report;
  std::string_view text;
  bool equal = false;
  if (parser.parse(*json).get(answer) || answer["text"].get(text) || answer["equal"].get(equal) ||
      answer["report"].get(report)) {
    return Fail(Status(Code::kCorruption, "the answer to verify cannot be read")
                    .WithHint("is the running `millrace dev` of the same version?"));
  }
  fmt::print("{}", options.json ? simdjson::minify(report) + "\n" : std::string(text));
  return equal ? kExitOk : kExitFault;
}

}  // namespace millrace::cli
