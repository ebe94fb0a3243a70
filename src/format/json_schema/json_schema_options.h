// The options of 'json-schema', and the schema that is registered for a table's rows.
//
// Format of the schema: an object of draft 7 that allows no other properties; so columns may be
// added later, but not removed. A column that may be NULL is a sum of null and its type; one that
// may not be is required. What JSON has no type for is a string, as 'json' writes it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "format/column_type.h"
#include "format/format_options.h"
#include "model/schema.h"

namespace millrace::format {

constexpr std::string_view kJsonSchema = "json-schema";

// `json`: the description of 'json', whose options it shares.
FormatSpec JsonSchemaSpec(const FormatSpec& json);
// The options of 'json' among those given, under its own name.
std::map<std::string, std::string> JsonOptionsOf(const std::map<std::string, std::string>& given);

// `types`: of the columns.
std::string JsonSchemaOf(const model::Schema& schema, const std::vector<ColumnType>& types);

}  // namespace millrace::format
