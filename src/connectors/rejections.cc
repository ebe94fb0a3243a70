#include "connectors/rejections.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"
#include "duck/query_result.h"

namespace millrace::connectors {

OptionSpec OnRejectOption() {
  return {.name = "sink.on-reject",
          .type = OptionType::kEnum,
          .doc =
              "What becomes of a row that the target refuses (a value too long, a constraint): "
              "dead-letter puts it aside with the target's own words and goes on; fail stops "
              "the job at it.",
          .default_value = "dead-letter",
          .choices = {"dead-letter", "fail"}};
}

bool KeepsRejected(const TableContext& table) {
  return table.options.GetString("sink.on-reject") != "fail";
}

std::string RowAsJson(const model::Schema& schema, duckdb::DataChunk& rows, duckdb::idx_t row) {
  std::string json = "{";
  for (size_t c = 0; c < schema.size(); c++) {
    json += (c ? "," : "") + JsonQuote(schema.columns[c].name) + ":";
    duck::AppendJson(rows.GetValue(c, row), json);
  }
  return json + "}";
}

std::string RejectionsToJson(const Rejections& rejections) {
  std::string json = fmt::format("{{\"total\":{},\"rows\":[", rejections.total);
  for (size_t i = 0; i < rejections.rows.size(); i++) {
    const RejectedRow& row = rejections.rows[i];
    json += fmt::format("{}{{\"row\":{},\"column\":{},\"reason\":{}}}", i ? "," : "",
                        JsonQuote(row.row), JsonQuote(row.column), JsonQuote(row.reason));
  }
  return json + "]}";
}

Result<Rejections> RejectionsFromJson(const std::string& json) {
  Rejections rejections;
  if (json.empty()) return rejections;
  const Status damaged(Code::kCorruption, "what a sink remembers of its refused rows is damaged");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array rows;
  if (parser.parse(json).get(root) || root["total"].get(rejections.total) ||
      root["rows"].get(rows)) {
    return damaged;
  }
  for (simdjson::dom::element row : rows) {
    std::string_view text, column, reason;
    if (row["row"].get(text) || row["column"].get(column) || row["reason"].get(reason)) {
      return damaged;
    }
    rejections.rows.push_back({std::string(text), std::string(column), std::string(reason)});
  }
  return rejections;
}

}  // namespace millrace::connectors
