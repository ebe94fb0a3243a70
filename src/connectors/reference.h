// The reference of a connector, rendered from its spec: as text for `millrace connectors NAME` and
// as Markdown for docs/reference/connectors.md. Values of secrets never appear.
#pragma once

#include <string>

#include "connectors/connector.h"

namespace millrace::connectors {

// One line per connector: name, what it can be, guarantee, summary.
std::string RenderConnectorList();
// Everything about one connector, for a terminal.
std::string RenderConnectorText(const ConnectorSpec& spec);
// One section ("## name") of the reference page.
std::string RenderConnectorMarkdown(const ConnectorSpec& spec);
// The whole reference page.
std::string RenderConnectorsPage();

}  // namespace millrace::connectors
