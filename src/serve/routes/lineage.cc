// Routes over where data comes from and goes to.
#include "serve/routes/routes.h"

namespace millrace::serve {

void AddLineageRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  router.Add(Method::kGet, "/api/lineage", InPool(pool, [&backend](const Request& request) {
               return JsonResponse(backend.LineageJson(std::string(request.Query("of")),
                                                       std::string(request.Query("direction"))));
             }));
}

}  // namespace millrace::serve
