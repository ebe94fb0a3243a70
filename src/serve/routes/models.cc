// Routes over the pipeline's dbt models: starting a run, following it.
#include <cstdlib>

#include "serve/routes/routes.h"

namespace millrace::serve {

namespace {

int64_t NumberOf(std::string_view text) {
  return std::atoll(std::string(text).c_str());
}

}  // namespace

void AddModelRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  router.Add(Method::kPost, "/api/models/runs", InPool(pool, [&backend](const Request& request) {
               return JsonResponse(backend.StartModels(request.body()));
             }));
  router.Add(Method::kGet, "/api/models/runs", InPool(pool, [&backend](const Request&) {
               return JsonResponse(backend.ModelRunsJson());
             }));
  router.Add(Method::kGet, "/api/models/runs/{run}",
             InPool(pool, [&backend](const Request& request) {
               const int64_t from = NumberOf(request.Query("from"));
               return JsonResponse(backend.ModelEventsJson(
                   NumberOf(request.PathArg("run")), static_cast<size_t>(from < 0 ? 0 : from)));
             }));
}

}  // namespace millrace::serve
