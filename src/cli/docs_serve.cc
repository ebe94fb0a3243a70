#include "cli/docs_serve.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

#include "cli/cli.h"
#include "cli/stop_signal.h"
#include "cli/terminal.h"
#include "env/files.h"
#include "serve/http_server.h"

namespace millrace::cli {

namespace {

constexpr const char* kPage = "index.html";
constexpr const char* kJson = "application/json";
// What is served: nothing else of the directory is anybody's business.
constexpr std::array<std::pair<std::string_view, const char*>, 5> kServed = {{
    {kPage, "text/html; charset=utf-8"},
    {"manifest.json", kJson},
    {"catalog.json", kJson},
    {"run_results.json", kJson},
    {"column_lineage.json", kJson},
}};

// Reads the file anew each time: `docs generate` may run meanwhile.
serve::Response Answer(const std::string& directory, std::string_view path) {
  const std::string_view name = path == "/" ? kPage : path.substr(1);
  for (const auto& [served, content_type] : kServed) {
    if (name != served) continue;
    auto bytes = env::ReadWholeFile(*env::FileSystem::Real(), directory + "/" + std::string(name));
    if (!bytes.ok()) return serve::ErrorResponse(bytes.status());
    serve::Response response;
    response.content_type = content_type;
    response.body = *std::move(bytes);
    return response;
  }
  return serve::ErrorResponse(
      Status(Code::kNotFound, "\"" + std::string(path) + "\" is not a page of the docs"));
}

}  // namespace

int RunDocsServe(const DocsServeOptions& options) {
  const std::string directory = options.directory + "/" + options.target;
  const std::string page = directory + "/" + kPage;
  if (!env::FileSystem::Real()->Size(page).ok()) {
    return Fail(Status(Code::kNotFound, "there is no \"" + page + "\"")
                    .WithHint("run `millrace docs generate " + options.directory + "` first"));
  }
  serve::HttpServerOptions server_options;
  server_options.address = options.host;
  server_options.port = options.port;
  serve::Router router;
  router.SetFallback([directory](const serve::Request& request, const serve::Responder& responder) {
    responder.Send(Answer(directory, request.path));
  });
  const std::atomic<bool>& stop = CatchStopSignals();
  auto server = serve::HttpServer::Start(server_options, std::move(router));
  if (!server.ok()) return Fail(server.status());
  fmt::print("{}\nCtrl-C stops it.\n", (*server)->url());
  std::fflush(stdout);
  while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  constexpr int64_t kGraceMs = 1000;
  (*server)->Shutdown(kGraceMs);
  return kExitOk;
}

}  // namespace millrace::cli
