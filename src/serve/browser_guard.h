// Keeps other web sites, open in a user's browser, away from the API.
//
// Contract: a pure check of a request's Origin and Host; see HttpServer's contract. The collector's
// path (/v1/) is left alone: pages of a shop send their events there.
#pragma once

#include "base/status.h"
#include "serve/http_types.h"
#include "serve/http_worker.h"

namespace millrace::serve {

// Ok, or the reason for a 403.
Status CheckBrowser(const Request& request, const HttpCore& core);

}  // namespace millrace::serve
