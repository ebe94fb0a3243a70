#include "sql/functions.h"

#include <map>

namespace millrace::sql {
namespace {

constexpr int kAny = 1000;

const std::vector<FunctionRule>& Rules() {
  static const std::vector<FunctionRule> rules = {
      // conditions
      {"NVL", 2, 2, "coalesce($1, $2)"},
      {"IFNULL", 2, 2, "coalesce($1, $2)"},
      {"IF", 3, 3, "CASE WHEN $1 THEN $2 ELSE $3 END"},
      {"GREATEST", 1, kAny, "mr_greatest([$*])"},
      {"LEAST", 1, kAny, "mr_least([$*])"},
      // time
      {"TO_TIMESTAMP", 1, 1, "TRY_CAST($1 AS TIMESTAMP)"},
      {"TO_TIMESTAMP_LTZ", 1, 1, "mr_to_timestamp_ltz($1, 3)"},
      {"TO_TIMESTAMP_LTZ", 2, 2, "mr_to_timestamp_ltz($1, $2)"},
      {"TO_DATE", 1, 1, "TRY_CAST($1 AS DATE)"},
      {"UNIX_TIMESTAMP", 0, 0, "mr_unix_timestamp(mr_now())"},
      {"UNIX_TIMESTAMP", 1, 1, "mr_unix_timestamp(TRY_CAST($1 AS TIMESTAMP))"},
      {"FROM_UNIXTIME", 1, 1, "mr_from_unixtime($1, '%Y-%m-%d %H:%M:%S')"},
      {"NOW", 0, 0, "mr_now()"},
      {"PROCTIME", 0, 0, "mr_now()"},
      {"CURRENT_ROW_TIMESTAMP", 0, 0, "mr_now()"},
      {"CURRENT_TIMESTAMP", 0, 0, "mr_now()"},
      {"CURRENT_TIMESTAMP", 1, 1, "mr_now()"},
      {"LOCALTIMESTAMP", 0, 1, "CAST(mr_now() AS TIMESTAMP)"},
      {"CURRENT_DATE", 0, 0, "CAST(CAST(mr_now() AS TIMESTAMP) AS DATE)"},
      {"CURRENT_TIME", 0, 1, "CAST(CAST(mr_now() AS TIMESTAMP) AS TIME)"},
      {"LOCALTIME", 0, 1, "CAST(CAST(mr_now() AS TIMESTAMP) AS TIME)"},
      {"DAYOFWEEK", 1, 1, "(dayofweek($1) + 1)"},
      {"CURRENT_WATERMARK", 0, kAny, "", "late rows are counted and kept by the table's policy"},
      {"CONVERT_TZ", 3, 3, "mr_convert_tz($1, $2, $3)"},
      // text
      {"CHAR_LENGTH", 1, 1, "length($1)"},
      {"CHARACTER_LENGTH", 1, 1, "length($1)"},
      {"SPLIT_INDEX", 3, 3, "mr_split_index($1, $2, $3)"},
      {"REGEXP", 2, 2, "regexp_matches($1, $2)"},
      {"REGEXP_EXTRACT", 2, 2, "mr_regexp_extract($1, $2, 0)"},
      {"REGEXP_EXTRACT", 3, 3, "mr_regexp_extract($1, $2, $3)"},
      {"LOCATE", 2, 2, "mr_locate($1, $2)"},
      {"LISTAGG", 1, 1, "string_agg($1, ',')"},
      {"LISTAGG", 2, 2, "string_agg($1, $2)"},
      {"TO_BASE64", 1, 1, "to_base64(encode($1))"},
      {"FROM_BASE64", 1, 1, "decode(from_base64($1))"},
      {"STR_TO_MAP", 1, 3, "", "split it with SPLIT_INDEX or REGEXP_EXTRACT"},
      // JSON
      {"JSON_EXISTS", 2, 2, "mr_json_exists($1, $2)"},
      {"JSON_STRING", 1, 1, "CAST(to_json($1) AS VARCHAR)"},
      // numbers
      {"TRUNCATE", 1, 1, "trunc($1)"},
      {"TRUNCATE", 2, 2, "trunc($1, $2)"},
      {"LOG", 1, 1, "ln($1)"},
      {"RAND", 0, 1, "", "derive it from the row: MD5(key) is the same whenever an epoch runs"},
      {"RAND_INTEGER", 1, 2, "", "derive it from the row: MD5(key) is the same whenever an epoch runs"},
      {"UUID", 0, 0, "", "derive it from the row's key: MD5(key)"},
      // collections
      {"CARDINALITY", 1, 1, "mr_cardinality($1)"},
      {"ARRAY_JOIN", 2, 2, "array_to_string($1, $2)"},
      {"COLLECT", 1, 1, "", "use ARRAY_AGG"},
      // aggregates
      {"VAR_SAMP", 1, 1, "var_samp($1)"},
      {"VARIANCE", 1, 1, "var_samp($1)"},
  };
  return rules;
}

}  // namespace

std::vector<const FunctionRule*> FindFunctionRules(std::string_view upper_name) {
  static const auto* index = [] {
    auto* map = new std::multimap<std::string_view, const FunctionRule*>;
    for (const FunctionRule& rule : Rules()) map->emplace(rule.name, &rule);
    return map;
  }();
  std::vector<const FunctionRule*> found;
  auto [begin, end] = index->equal_range(upper_name);
  for (auto it = begin; it != end; ++it) found.push_back(it->second);
  return found;
}

const std::vector<std::string_view>& MacroStatements() {
  static const std::vector<std::string_view> statements = {
      // NULL if any argument is NULL, where DuckDB's would leave the NULLs out.
      "CREATE MACRO mr_greatest(l) AS CASE WHEN list_count(l) = len(l) THEN list_max(l) END",
      "CREATE MACRO mr_least(l) AS CASE WHEN list_count(l) = len(l) THEN list_min(l) END",
      "CREATE MACRO mr_to_timestamp_ltz(n, p) AS "
      "to_timestamp(CASE p WHEN 3 THEN n / CAST(1000 AS DOUBLE) WHEN 0 THEN CAST(n AS DOUBLE) END)",
      "CREATE MACRO mr_unix_timestamp(t) AS CAST(floor(epoch(t)) AS BIGINT)",
      "CREATE MACRO mr_from_unixtime(n, f) AS strftime(make_timestamp(CAST(n AS BIGINT) * 1000000), f)",
      "CREATE MACRO mr_convert_tz(s, f, t) AS "
      "strftime(timezone(t, timezone(f, TRY_CAST(s AS TIMESTAMP))), '%Y-%m-%d %H:%M:%S')",
      // Counts from 0; a negative index or one past the end is NULL.
      "CREATE MACRO mr_split_index(s, d, i) AS "
      "CASE WHEN i >= 0 THEN list_extract(string_split(s, d), i + 1) END",
      "CREATE MACRO mr_regexp_extract(s, r, g) AS "
      "CASE WHEN regexp_matches(s, r) THEN regexp_extract(s, r, g) END",
      "CREATE MACRO mr_locate(part, whole) AS instr(whole, part)",
      "CREATE MACRO mr_overlay(s, r, f, n) AS "
      "left(s, f - 1) || r || substring(s, f + n)",
      "CREATE MACRO mr_overlay_whole(s, r, f) AS left(s, f - 1) || r || substring(s, f + length(r))",
      // A scalar at the path, else NULL; also for text that is not JSON.
      "CREATE MACRO mr_json_value(j, p) AS CASE WHEN json_valid(j) AND "
      "json_type(j, p) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(j, p) END",
      // An object or array at the path as text, else NULL.
      "CREATE MACRO mr_json_query(j, p) AS CASE WHEN json_valid(j) AND "
      "json_type(j, p) IN ('OBJECT', 'ARRAY') THEN CAST(json_extract(j, p) AS VARCHAR) END",
      "CREATE MACRO mr_json_exists(j, p) AS "
      "CASE WHEN j IS NOT NULL THEN json_valid(j) AND json_exists(j, p) END",
      "CREATE MACRO mr_ceil_time(unit, t, step) AS CASE WHEN date_trunc(unit, t) = t "
      "THEN date_trunc(unit, t) ELSE date_trunc(unit, t) + step END",
  };
  return statements;
}

}  // namespace millrace::sql
