#include "serve/api_server.h"

#include "serve/assets.h"
#include "serve/blocking_pool.h"
#include "serve/live_updates.h"
#include "serve/routes/routes.h"
#include "serve/server_metrics.h"

namespace millrace::serve {

namespace {
class Api final : public ApiServer {
 public:
  Api(Backend& backend, ApiServerOptions options)
      : backend_(backend),
        options_(WithMetrics(std::move(options), metrics_)),
        pool_(options_.blocking_threads, options_.blocking_queue_max),
        collector_(std::make_unique<Collector>(backend, options_.collector)),
        live_(backend,
              {options_.live_interval_ms, options_.live_refresh_ms, options_.live_clients_max}) {}

  ~Api() override { Shutdown(0); }

  Status Start() {
    Router router;
    router.Add(Method::kPost, "/v1/events/{topic}", [this](Request request, Responder responder) {
      Collect(std::move(request), std::move(responder));
    });
    AddViewRoutes(router, backend_, pool_);
    AddDeadLetterRoutes(router, backend_, pool_);
    AddChangeRoutes(router, backend_, pool_);
    AddModelRoutes(router, backend_, pool_);
    AddLineageRoutes(router, backend_, pool_);
    AddLedgerRoutes(router, backend_, pool_);
    AddTopicRoutes(router, backend_, pool_);
    AddSchemaRoutes(router, backend_, pool_);
    AddHealthRoutes(router, backend_, metrics_, options_.metrics);
    router.Add(Method::kGet, "/api/stream",
               [this](const Request&, const Responder& responder) { live_.Handle(responder); });
    router.SetFallback([this](const Request& request, const Responder& responder) {
      responder.Send(assets_.Get(request));
    });
    MR_ASSIGN_OR_RETURN(http_, HttpServer::Start(options_.http, std::move(router)));
    return {};
  }

  int port() const override { return http_->port(); }
  std::string url() const override { return http_->url(); }

  int64_t Shutdown(int64_t grace_ms) override {
    live_.Stop();
    int64_t cut_off = http_ ? http_->Shutdown(grace_ms) : 0;
    pool_.Stop();
    collector_.reset();
    return cut_off;
  }

 private:
  void Collect(Request request, Responder responder) {
    if (!collector_->Waits(std::string(request.PathArg("topic")))) {
      return collector_->Handle(std::move(request), std::move(responder));
    }
    auto shared = std::make_shared<Request>(std::move(request));  // a task can be copied
    const bool taken = pool_.TryRun(
        [this, shared, responder] { collector_->Handle(std::move(*shared), responder); });
    if (!taken) {
      responder.SendError(Status(Code::kUnavailable, "too many requests wait to be worked on")
                              .WithHint("nothing was accepted; try again in a moment")
                              .WithRetry(Retry::kBackoff));
    }
  }

  static ApiServerOptions WithMetrics(ApiServerOptions options, ServerMetrics& metrics) {
    if (options.http.observer == nullptr) options.http.observer = &metrics;
    if (options.collector.observer == nullptr) options.collector.observer = &metrics;
    return options;
  }

  Backend& backend_;
  ServerMetrics metrics_;
  ApiServerOptions options_;
  Assets assets_;
  BlockingPool pool_;
  std::unique_ptr<Collector> collector_;
  LiveUpdates live_;
  std::unique_ptr<HttpServer> http_;  // last: its connections use the parts above
};
}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::Start(Backend& backend, ApiServerOptions options) {
  auto api = std::make_unique<Api>(backend, std::move(options));
  MR_RETURN_IF_ERROR(api->Start());
  return std::unique_ptr<ApiServer>(std::move(api));
}

}  // namespace millrace::serve
