// Route over the ledger: what became of the rows of each job, and whether it closes.
#include <algorithm>
#include <charconv>

#include "project/ledger_report.h"
#include "serve/routes/routes.h"

namespace millrace::serve {

namespace {
constexpr int64_t kEntriesMax = 10'000;
}  // namespace

void AddLedgerRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  router.Add(
      Method::kGet, "/api/ledger", InPool(pool, [&backend](const Request& request) {
        int64_t entries = 0;
        const std::string_view text = request.Query("entries");
        auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), entries);
        if (!text.empty() && (error != std::errc() || end != text.data() + text.size())) {
          return ErrorResponse(Status(Code::kInvalidArgument, "\"entries\" is not a whole number")
                                   .WithHint("entries=20 gives the newest twenty"));
        }
        return JsonResponse(project::LedgerJson(backend.log(), std::string(request.Query("job")),
                                                std::clamp<int64_t>(entries, 0, kEntriesMax)));
      }));
}

}  // namespace millrace::serve
