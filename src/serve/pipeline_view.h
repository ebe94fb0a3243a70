// The JSON of GET /api/pipeline and GET /api/jobs/{name}: what runs, as the page draws it.
#pragma once

#include <string>

#include "project/runtime.h"
#include "serve/rate_sampler.h"

namespace millrace::serve {

// All counters that rates are wanted for: "topic:<t>", "job:<j>:in", "job:<j>:out", "source:<s>".
std::map<std::string, int64_t> PipelineCounters(project::Runtime& runtime);

// `models`: ModelWatch::LastReportJson, or "null".
std::string PipelineJson(project::Runtime& runtime, const RateSampler& rates, int64_t now_ms,
                         const std::string& models = "null");
Result<std::string> JobJson(project::Runtime& runtime, const RateSampler& rates,
                            const std::string& name);

}  // namespace millrace::serve
