#include "connectors/elasticsearch/cluster.h"

#include "base/strings.h"

namespace millrace::connectors::elasticsearch {

Result<std::vector<http::HttpSettings>> HostsOf(const TableContext& table) {
  const Options& options = table.options;
  std::string prefix = options.GetString("connection.path-prefix");
  if (!prefix.empty() && prefix[0] != '/') prefix = "/" + prefix;
  std::vector<http::HttpSettings> hosts;
  for (const std::string& part : millrace::Split(options.GetString("hosts"), ';')) {
    std::string url(Trim(part));
    if (url.empty()) continue;
    while (url.ends_with('/')) url.pop_back();
    http::HttpSettings settings{
        .url = url + prefix,
        .headers = {},
        .timeout_ms = options.GetMicros("connection.request-timeout") / 1000,
        .username = options.GetString("username"),
        .password = options.GetString("password")};
    MR_RETURN_IF_ERROR(CheckSettings(settings).Annotate("option \"hosts\""));
    hosts.push_back(std::move(settings));
  }
  if (hosts.empty()) return Status(Code::kBadOption, "option \"hosts\" names no host");
  return hosts;
}

std::map<std::string, std::string> JsonOptionsOf(const TableContext& table) {
  std::map<std::string, std::string> json;
  for (const auto& [name, value] : table.options.raw()) {
    if (name.starts_with("json.")) json[name] = value;
  }
  return json;
}

}  // namespace millrace::connectors::elasticsearch
