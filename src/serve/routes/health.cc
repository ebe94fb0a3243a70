// Routes for those who watch the process.
#include "serve/routes/routes.h"

namespace millrace::serve {

void AddHealthRoutes(Router& router, Backend& backend, ServerMetrics& metrics,
                     std::vector<std::shared_ptr<prometheus::Collectable>> more) {
  router.Add(Method::kGet, "/healthz", [](const Request&, const Responder& responder) {
    Response response;
    response.content_type = "text/plain; charset=utf-8";
    response.body = "ok\n";
    responder.Send(std::move(response));
  });
  router.Add(Method::kGet, "/readyz", [&backend](const Request&, const Responder& responder) {
    if (Status status = backend.Ready(); !status.ok()) {
      responder.Send(ErrorResponse(503, status));
      return;
    }
    Response response;
    response.content_type = "text/plain; charset=utf-8";
    response.body = "ready\n";
    responder.Send(std::move(response));
  });
  router.Add(Method::kGet, "/metrics",
             [&backend, &metrics, more](const Request&, const Responder& responder) {
               auto all = more;
               all.push_back(backend.Metrics());
               Response response;
               response.content_type = "text/plain; version=0.0.4; charset=utf-8";
               response.body = metrics.Text(all);
               responder.Send(std::move(response));
             });
}

}  // namespace millrace::serve
