// Rejections as sinks keep them with the epoch they belong to, and the option that asks for them.
//
// Format: {"total": 3, "rows": [{"row": "…", "column": "…", "reason": "…"}, …]}
#pragma once

#include <string>

#include "connectors/connector.h"

namespace millrace::connectors {

// 'sink.on-reject', for the spec of a sink that can tell which row its target refuses.
OptionSpec OnRejectOption();
// Whether the table wants refused rows as dead letters; otherwise they fail the job.
bool KeepsRejected(const TableContext& table);

// A row of `rows` as a JSON object, values as in duck/query_result.h.
std::string RowAsJson(const model::Schema& schema, duckdb::DataChunk& rows, duckdb::idx_t row);

std::string RejectionsToJson(const Rejections& rejections);
// "": none. Error kCorruption.
Result<Rejections> RejectionsFromJson(const std::string& json);

}  // namespace millrace::connectors
