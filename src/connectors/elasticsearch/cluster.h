// What sink and look-ups of an index share: the cluster's hosts, and the options of the documents.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "connectors/http/http_client.h"

namespace millrace::connectors::elasticsearch {

// Errors: kBadOption.
Result<std::vector<http::HttpSettings>> HostsOf(const TableContext& table);
// Those that begin with "json.".
std::map<std::string, std::string> JsonOptionsOf(const TableContext& table);

}  // namespace millrace::connectors::elasticsearch
