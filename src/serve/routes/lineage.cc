// Routes over where data comes from and goes to: of columns, and of one record.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "project/trace_request.h"
#include "serve/routes/json_body.h"
#include "serve/routes/routes.h"

namespace millrace::serve {

namespace {

constexpr int64_t kTracesMax = 50;

Result<project::TraceRequest> ParseTraceRequest(const Request& request) {
  MR_ASSIGN_OR_RETURN(JsonBody body,
                      JsonBody::Parse(request, {"table", "key", "column", "topic", "partition",
                                                "offset", "sink", "where", "limit"}));
  project::TraceRequest trace;
  auto take = [&body](std::string_view name, std::string& to) -> Status {
    MR_ASSIGN_OR_RETURN(auto text, body.Text(name));
    to = text.value_or("");
    return Status::Ok();
  };
  MR_RETURN_IF_ERROR(take("table", trace.table));
  MR_RETURN_IF_ERROR(take("column", trace.column));
  MR_RETURN_IF_ERROR(take("topic", trace.topic));
  MR_RETURN_IF_ERROR(take("sink", trace.sink));
  MR_RETURN_IF_ERROR(take("where", trace.where));
  MR_ASSIGN_OR_RETURN(const auto key, body.Text("key"));
  if (key) trace.keys.push_back(*key);
  MR_ASSIGN_OR_RETURN(const auto partition, body.Number("partition"));
  if (partition && (*partition < 0 || *partition > std::numeric_limits<int>::max())) {
    return Status(Code::kInvalidArgument, fmt::format("there is no partition {}", *partition));
  }
  trace.partition = static_cast<int>(partition.value_or(0));
  MR_ASSIGN_OR_RETURN(const auto offset, body.Number("offset"));
  trace.offset = offset.value_or(-1);
  MR_ASSIGN_OR_RETURN(const auto limit, body.Number("limit"));
  trace.limit = std::clamp<int64_t>(limit.value_or(trace.limit), 1, kTracesMax);
  return trace;
}

Response Trace(Backend& backend, const Request& request) {
  const auto trace = ParseTraceRequest(request);
  return trace.ok() ? JsonResponse(backend.TraceJson(*trace)) : ErrorResponse(trace.status());
}

}  // namespace

void AddLineageRoutes(Router& router, Backend& backend, BlockingPool& pool) {
  router.Add(Method::kGet, "/api/lineage", InPool(pool, [&backend](const Request& request) {
               return JsonResponse(backend.LineageJson(std::string(request.Query("of")),
                                                       std::string(request.Query("direction"))));
             }));
  // A condition on a sink's rows is SQL, so it is refused to pages of other sites, as is /api/sql.
  router.Add(Method::kPost, "/api/trace",
             InPool(pool, [&backend](const Request& request) { return Trace(backend, request); }));
}

}  // namespace millrace::serve
