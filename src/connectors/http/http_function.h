// The services behind CREATE FUNCTION … LANGUAGE HTTP. To the job such a service is a table that is
// asked by key: the arguments, for the answer.
//
// Format: a POST of JSON, values as in 'format' = 'json', with an answer for each row in its order:
//
//   {"rows": [[12.5, "DE"], [900.0, null]]}
//   ->  {"results": [0.12, {"error": "no country"}], "version": "fraud-7"}
//
// An object whose only member is "error" says why there is no answer to that row. "version" (text
// or any other JSON) may be missing; it is kept with the answers.
#pragma once

#include "connectors/connector.h"

namespace millrace::connectors::http {

ConnectorEntry HttpFunctionConnector();

}  // namespace millrace::connectors::http
