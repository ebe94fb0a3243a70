// The API's routes, a file each per subject; docs/reference/http-api.md describes them.
//
// Contract: each function adds its routes to the router. What the handlers use (backend, pool)
// outlives the server. Routes that may wait run in the pool.
#pragma once

#include <functional>
#include <memory>

#include "serve/backend.h"
#include "serve/blocking_pool.h"
#include "serve/router.h"
#include "serve/server_metrics.h"

namespace millrace::serve {

// A handler that runs `answer` in the pool; 503 when it has no room.
Handler InPool(BlockingPool& pool, std::function<Response(const Request&)> answer);
Response JsonResponse(Result<std::string> json);

// /api/pipeline, /api/jobs, /api/dashboards, /api/sql
void AddViewRoutes(Router& router, Backend& backend, BlockingPool& pool);
// /api/dead-letters
void AddDeadLetterRoutes(Router& router, Backend& backend, BlockingPool& pool);
// /api/changes, /api/jobs/{name}/reprocess, /api/jobs/{name}/verify
void AddChangeRoutes(Router& router, Backend& backend, BlockingPool& pool);
// /api/models/runs
void AddModelRoutes(Router& router, Backend& backend, BlockingPool& pool);
// /api/lineage, /api/trace
void AddLineageRoutes(Router& router, Backend& backend, BlockingPool& pool);
// /api/ledger
void AddLedgerRoutes(Router& router, Backend& backend, BlockingPool& pool);
// /api/topics
void AddTopicRoutes(Router& router, Backend& backend, BlockingPool& pool);
// /subjects, /schemas, /config, /mode, /compatibility; /api/schemas
void AddSchemaRoutes(Router& router, Backend& backend, BlockingPool& pool);
// /healthz, /readyz, /metrics
// `more`: what /metrics shows beside the server's and the backend's.
void AddHealthRoutes(Router& router, Backend& backend, ServerMetrics& metrics,
                     std::vector<std::shared_ptr<prometheus::Collectable>> more);

}  // namespace millrace::serve
