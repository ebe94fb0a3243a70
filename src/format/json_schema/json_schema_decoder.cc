#include "format/json_schema/json_schema_decoder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/strings.h"
#include "format/confluent.h"
#include "format/json_schema/json_schema_options.h"
#include "format/json_schema/json_validator.h"

namespace millrace::format {

Result<std::unique_ptr<Decoder>> JsonSchemaDecoder::Create(const DecoderOptions& options) {
  if (options.registry == nullptr) return NoSchemaRegistry(options.format);
  std::unique_ptr<JsonSchemaDecoder> decoder(new JsonSchemaDecoder());
  decoder->registry_ = options.registry;
  DecoderOptions of_json = options;
  of_json.format = "json";
  of_json.options = JsonOptionsOf(options.options);
  MR_ASSIGN_OR_RETURN(decoder->json_, NewDecoder(of_json));
  return std::unique_ptr<Decoder>(std::move(decoder));
}

Status JsonSchemaDecoder::Prepare(std::span<const model::Record> records) {
  for (const model::Record& record : records) {
    const auto id = ConfluentId(record.value);
    if (!id || known_.count(*id) > 0) continue;
    auto found = registry_->Find(*id);
    if (!found.ok() && found.status().code() != Code::kNotFound) return found.status();
    Known& known = known_[*id];
    if (!found.ok()) {
      known.fault = "the registry has no such schema";
    } else if (found->type != "JSON") {
      known.fault = fmt::format("its type is {}, not JSON", found->type);
    } else if (auto parsed = JsonSchema::Parse(found->text, found->references); parsed.ok()) {
      known.schema = *parsed;
    } else {
      known.fault = parsed.status().message();
    }
  }
  return {};
}

void JsonSchemaDecoder::Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
                               std::vector<uint32_t>& row_record,
                               std::vector<model::RowError>& errors) {
  std::vector<model::Record> valid;
  std::vector<uint32_t> index;  // of each in `records`
  std::vector<model::RowError> found;
  for (uint32_t i = 0; i < records.size(); i++) {
    if (auto fault = Fault(records[i])) {
      found.push_back({i, model::RowErrorKind::kMalformed, "", std::move(*fault)});
      continue;
    }
    valid.push_back(records[i]);
    valid.back().value.remove_prefix(kConfluentHeader);
    index.push_back(i);
  }
  const size_t invalid = found.size();
  json_->Decode(valid, out, row_record, found);
  for (uint32_t& record : row_record) record = index[record];
  for (size_t i = invalid; i < found.size(); i++) {
    found[i].record_index = index[found[i].record_index];
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.record_index < b.record_index; });
  std::move(found.begin(), found.end(), std::back_inserter(errors));
}

std::optional<std::string> JsonSchemaDecoder::Fault(const model::Record& record) {
  if (!record.has_value) return "tombstone: the record has no value";
  const auto id = ConfluentId(record.value);
  if (!id) {
    return "not a record of json-schema: it does not begin with a zero byte and the number of a "
           "schema";
  }
  const auto known = known_.find(*id);
  MR_CHECK(known != known_.end(), "Prepare comes before Decode");
  if (known->second.schema == nullptr) {
    return fmt::format("schema {}: {}", *id, known->second.fault);
  }
  const std::string_view document = record.value.substr(kConfluentHeader);
  simdjson::dom::element json;
  if (auto error = parser_.parse(document.data(), document.size()).get(json)) {
    return fmt::format("not JSON: {}", ToLower(simdjson::error_message(error)));
  }
  auto fault = JsonSchemaFault(known->second.schema->root(), json);
  if (fault) return fmt::format("not valid in schema {}: {}", *id, *fault);
  return std::nullopt;
}

}  // namespace millrace::format
