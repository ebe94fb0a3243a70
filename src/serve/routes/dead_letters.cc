// Routes over the dead letters: list, one, and what is to be done with them.
#include <algorithm>
#include <charconv>

#include "serve/routes/routes.h"

namespace millrace::serve {

namespace {
constexpr int64_t kDefault = 100;
constexpr int64_t kMax = 1000;

Response List(Backend& backend, const Request& request) {
  int64_t limit = kDefault;
  std::string_view text = request.Query("limit");
  if (!text.empty()) {
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (ec != std::errc() || end != text.data() + text.size() || limit < 0) {
      return ErrorResponse(
          Status(Code::kInvalidArgument, "\"limit\" is not a number of dead letters"));
    }
  }
  return JsonResponse(backend.DeadLettersJson(std::min(limit, kMax)));
}
}  // namespace

void AddDeadLetterRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  router.Add(Method::kGet, "/api/dead-letters",
             InPool(pool, [&backend](const Request& request) { return List(backend, request); }));
  router.Add(
      Method::kGet, "/api/dead-letters/{partition}/{offset}",
      InPool(pool, [&backend](const Request& request) {
        return JsonResponse(backend.DeadLetterJson(std::string(request.PathArg("partition")) + "/" +
                                                   std::string(request.PathArg("offset"))));
      }));
  router.Add(Method::kPost, "/api/dead-letters/actions",
             InPool(pool, [&backend](const Request& request) {
               return JsonResponse(backend.ActOnDeadLetters(request.body()));
             }));
}

}  // namespace millrace::serve
