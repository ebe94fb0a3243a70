// Routes over a job's versions and its check against the batch: what would change, computing it
// anew, verifying it.
#include <algorithm>

#include "serve/routes/json_body.h"
#include "serve/routes/routes.h"

namespace millrace::serve {

namespace {
constexpr int64_t kLines = 40;
constexpr int64_t kLinesMax = 10'000;

Response Verify(Backend& backend, const Request& request) {
  Result<JsonBody> body = JsonBody::Parse(request, {"limit"});
  if (!body.ok()) return ErrorResponse(body.status());
  auto limit = body->Number("limit");
  if (!limit.ok()) return ErrorResponse(limit.status());
  const int64_t lines = std::clamp<int64_t>(limit->value_or(kLines), 1, kLinesMax);
  return JsonResponse(backend.VerifyJson(std::string(request.PathArg("name")), lines));
}
}  // namespace

void AddChangeRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  router.Add(Method::kGet, "/api/changes", InPool(pool, [&backend](const Request& request) {
               return JsonResponse(backend.ChangesJson(std::string(request.Query("job"))));
             }));
  router.Add(Method::kGet, "/api/jobs/{name}/reprocess",
             InPool(pool, [&backend](const Request& request) {
               return JsonResponse(backend.ReprocessingJson(std::string(request.PathArg("name"))));
             }));
  router.Add(Method::kPost, "/api/jobs/{name}/reprocess",
             InPool(pool, [&backend](const Request& request) {
               return JsonResponse(
                   backend.StartReprocessing(std::string(request.PathArg("name")), request.body()));
             }));
  router.Add(Method::kPost, "/api/jobs/{name}/verify",
             InPool(pool, [&backend](const Request& request) { return Verify(backend, request); }));
}

}  // namespace millrace::serve
