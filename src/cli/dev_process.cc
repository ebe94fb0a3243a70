#include "cli/dev_process.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <unistd.h>

#include <cstdlib>

#include "base/strings.h"
#include "cli/client.h"
#include "env/files.h"

namespace millrace::cli {

namespace {
constexpr int64_t kHealthTimeoutMs = 10'000;

// A server on all addresses is asked on the loopback one.
std::string AskableUrl(std::string url) {
  for (const char* any : {"//0.0.0.0:", "//[::]:"}) {
    size_t at = url.find(any);
    if (at != std::string::npos) url.replace(at, std::string_view(any).size(), "//127.0.0.1:");
  }
  return url;
}
}  // namespace

std::optional<DevProcess> FindDevProcess(const std::string& data_directory) {
  auto text = env::ReadWholeFile(*env::FileSystem::Real(), data_directory + "/dev.json");
  if (!text.ok()) return std::nullopt;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  std::string_view url;
  DevProcess dev;
  if (parser.parse(text->data(), text->size(), true).get_object().get(object) ||
      object["pid"].get_int64().get(dev.pid) || object["url"].get_string().get(url)) {
    return std::nullopt;
  }
  dev.url = std::string(url);
  auto client = HttpClient::ForUrl(dev.url);
  if (!client.ok()) return std::nullopt;
  client->set_timeout_ms(kHealthTimeoutMs);
  if (!client->Get("/healthz").ok()) return std::nullopt;
  return dev;
}

std::string DataDirectoryOf(const std::string& directory) {
  const char* given = std::getenv("MILLRACE_DATA_DIR");
  return given && *given ? given : directory + "/.millrace";
}

DevFile::DevFile(std::string data_directory, const std::string& url)
    : path_(std::move(data_directory) + "/dev.json") {
  std::string content =
      fmt::format("{{\"pid\": {}, \"url\": {}}}\n", getpid(), JsonQuote(AskableUrl(url)));
  status_ = env::ReplaceFile(*env::FileSystem::Real(), path_, content);
}

DevFile::~DevFile() {
  // Gone already, or on a broken disk: the next reader finds nobody answering.
  (void)env::FileSystem::Real()->Remove(path_);
}

}  // namespace millrace::cli
