#include "connectors/reference.h"

#include <fmt/format.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace millrace::cli {

int RunConnectors(const ConnectorsOptions& options) {
  if (options.name.empty()) {
    fmt::print("{}", options.markdown ? connectors::RenderConnectorsPage()
                                      : connectors::RenderConnectorList());
    return kExitOk;
  }
  auto connector = connectors::FindConnector(options.name);
  if (!connector.ok()) return Fail(connector.status());
  const connectors::ConnectorSpec& spec = (*connector)->spec;
  fmt::print("{}", options.markdown ? connectors::RenderConnectorMarkdown(spec)
                                    : connectors::RenderConnectorText(spec));
  return kExitOk;
}

}  // namespace millrace::cli
