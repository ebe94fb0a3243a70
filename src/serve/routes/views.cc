// Routes whose bodies the backend makes.
#include <map>

#include "serve/routes/json_body.h"
#include "serve/routes/routes.h"

namespace millrace::serve {

Handler InPool(BlockingPool& pool, std::function<Response(const Request&)> answer) {
  return [&pool, answer = std::make_shared<std::function<Response(const Request&)>>(
                     std::move(answer))](Request request, Responder responder) {
    auto shared = std::make_shared<Request>(std::move(request));
    bool taken = pool.TryRun([shared, responder, answer] {
      try {
        responder.Send((*answer)(*shared));
      } catch (const std::exception& e) {
        responder.SendError(
            Status(Code::kInternal, "the request failed inside the server").WithDetail(e.what()));
      }
    });
    if (!taken) {
      responder.SendError(Status(Code::kUnavailable, "too many requests wait to be worked on")
                              .WithHint("try again in a moment")
                              .WithRetry(Retry::kBackoff));
    }
  };
}

Response JsonResponse(Result<std::string> json) {
  if (!json.ok()) return ErrorResponse(json.status());
  Response response;
  response.body = std::move(*json);
  return response;
}

void AddViewRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  router.Add(Method::kGet, "/api/pipeline", InPool(pool, [&backend](const Request&) {
               return JsonResponse(backend.PipelineJson());
             }));
  router.Add(Method::kGet, "/api/jobs/{name}", InPool(pool, [&backend](const Request& request) {
               return JsonResponse(backend.JobJson(std::string(request.PathArg("name"))));
             }));
  router.Add(Method::kGet, "/api/dashboards", InPool(pool, [&backend](const Request&) {
               return JsonResponse(backend.DashboardsJson());
             }));
  router.Add(Method::kGet, "/api/dashboards/{name}",
             InPool(pool, [&backend](const Request& request) {
               return JsonResponse(backend.DashboardJson(std::string(request.PathArg("name"))));
             }));
  router.Add(Method::kGet, "/api/dashboards/{name}/data",
             InPool(pool, [&backend](const Request& request) {
               std::map<std::string, std::string> params;
               for (const auto& [key, value] : request.query) params[key] = value;
               return JsonResponse(
                   backend.DashboardDataJson(std::string(request.PathArg("name")), params));
             }));
  router.Add(Method::kPost, "/api/sql", InPool(pool, [&backend](const Request& request) {
               Result<JsonBody> body = JsonBody::Parse(request, {"sql"});
               if (!body.ok()) return ErrorResponse(body.status());
               auto sql = body->Text("sql");
               if (!sql.ok()) return ErrorResponse(sql.status());
               if (!*sql) {
                 return ErrorResponse(Status(Code::kInvalidArgument, "the field \"sql\" is missing")
                                          .WithHint("send {\"sql\": \"SELECT 1\"}"));
               }
               return JsonResponse(backend.SqlJson(**sql));
             }));
}

}  // namespace millrace::serve
