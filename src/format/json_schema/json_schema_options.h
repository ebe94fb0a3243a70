// The options of 'json-schema', and the schema that is registered for a table's rows.
//
// Format of the schema: an object of draft 7 that allows no other properties; so columns may be
// added later, but not removed. A column that may be NULL is a sum of null and its type; one that
// may not be is required. What JSON has no type for is a string, as 'json' writes it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "format/column_type.h"
#include "format/format_options.h"
#include "format/json_schema/json_schema.h"
#include "model/schema.h"

namespace millrace::format {

constexpr std::string_view kJsonSchema = "json-schema";
constexpr std::string_view kUseLatestVersion = "json-schema.use-latest-version";

// `json`: the description of 'json', whose options it shares.
FormatSpec JsonSchemaSpec(const FormatSpec& json);
// The options of 'json' among those given, under its own name.
std::map<std::string, std::string> JsonOptionsOf(const std::map<std::string, std::string>& given);

// The schema that the table gives ("json-schema.schema"), or null. kBadOption when it is none, or
// when the subject's latest one is wanted, too.
Result<std::shared_ptr<const JsonSchema>> OwnJsonSchema(const FormatOptions& options);

// `types`: of the columns.
std::string JsonSchemaOf(const model::Schema& schema, const std::vector<ColumnType>& types);

}  // namespace millrace::format
