#include "kafka/api_table.h"
#include "kafka/handlers/handlers.h"

namespace millrace::kafka {

void HandleApiVersions(Services&, const CallPtr& call) {
  const Api& own = *FindApi(kApiVersionsKey);
  const bool known = call->version() <= own.max_version;
  ApiVersionsResponse response;
  for (const Api& api : AllApis()) {
    response.apis.push_back({api.key, api.min_version, api.max_version});
  }
  if (!known) {
    // A client of the future learns from the oldest format what to ask for instead.
    response.error_code = kUnsupportedVersion;
    call->AnswerIn(response, 0, false, false);
    return;
  }
  ApiVersionsRequest request;
  if (!call->Decode(request)) return;
  call->AnswerIn(response, call->version(), call->version() >= own.flexible_from, false);
}

}  // namespace millrace::kafka
