#include "format/changelog_encoder.h"

namespace millrace::format {

Result<std::unique_ptr<Encoder>> ChangelogEncoder::Create(
    const model::Schema& schema, const FormatSpec& spec,
    const std::map<std::string, std::string>& options) {
  MR_ASSIGN_OR_RETURN(FormatOptions parsed, ParseFormatOptions(spec, options));
  const bool debezium = spec.name == "debezium-json";
  if (debezium && parsed.GetBool("debezium-json.schema-include")) {
    return Status(Code::kBadOption,
                  "'debezium-json.schema-include' is for reading: messages are written without "
                  "their schema")
        .WithHint("leave it out of the table that is written");
  }
  std::map<std::string, std::string> of_rows;
  for (const auto& [name, value] : options) {
    if (name == "debezium-json.schema-include") continue;
    of_rows["json" + name.substr(spec.name.size())] = value;
  }
  MR_ASSIGN_OR_RETURN(auto rows, NewEncoder("json", schema, of_rows));
  return std::unique_ptr<Encoder>(new ChangelogEncoder(std::move(rows), debezium));
}

void ChangelogEncoder::EncodeChange(duckdb::idx_t row, bool comes, std::string& out) {
  if (debezium_) {
    out += comes ? R"({"before":null,"after":)" : R"({"before":)";
    rows_->EncodeBound(row, out);
    out += comes ? R"(,"op":"c"})" : R"(,"after":null,"op":"d"})";
    return;
  }
  out += R"({"data":)";
  rows_->EncodeBound(row, out);
  out += comes ? R"(,"op":"+I"})" : R"(,"op":"-D"})";
}

}  // namespace millrace::format
