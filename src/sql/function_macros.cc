#include "sql/functions.h"

namespace millrace::sql {

const std::vector<std::string_view>& MacroStatements() {
  static const std::vector<std::string_view> statements = {
      // NULL if any argument is NULL, where DuckDB's would leave the NULLs out.
      "CREATE MACRO mr_greatest(l) AS CASE WHEN list_count(l) = len(l) THEN list_max(l) END",
      "CREATE MACRO mr_least(l) AS CASE WHEN list_count(l) = len(l) THEN list_min(l) END",

      // ---- numbers
      "CREATE MACRO mr_inet_aton(s) AS CASE WHEN regexp_full_match(s, "
      "'[0-9]{1,3}(\\.[0-9]{1,3}){3}') "
      "AND list_max(TRY_CAST(string_split(s, '.') AS INTEGER[])) < 256 THEN "
      "list_reduce(TRY_CAST(string_split(s, '.') AS BIGINT[]), lambda a, b: a * 256 + b) END",
      "CREATE MACRO mr_inet_ntoa(n) AS CASE WHEN n BETWEEN 0 AND 4294967295 THEN "
      "concat((CAST(n AS BIGINT) >> 24) & 255, '.', (CAST(n AS BIGINT) >> 16) & 255, '.', "
      "(CAST(n AS BIGINT) >> 8) & 255, '.', CAST(n AS BIGINT) & 255) END",

      // ---- text
      // Counts from 0; a negative index or one past the end is NULL. The split stands outside the
      // CASE, so that several calls on one text share it.
      "CREATE MACRO mr_split_index(s, d, i) AS list_extract(string_split(s, d), "
      "CASE WHEN i >= 0 AND s <> '' AND d <> '' THEN i + 1 END)",
      "CREATE MACRO mr_regexp_replace(s, r, t) AS "
      "regexp_replace(s, r, replace(t, '\\', '\\\\'), 'g')",
      "CREATE MACRO mr_regexp_instr(s, r) AS "
      "CASE WHEN regexp_matches(s, r) THEN instr(s, regexp_extract(s, r)) "
      "WHEN s IS NOT NULL AND r IS NOT NULL THEN 0 END",
      "CREATE MACRO mr_locate(part, whole) AS instr(whole, part)",
      "CREATE MACRO mr_locate_from(part, whole, f) AS CASE WHEN f <= 1 THEN instr(whole, part) "
      "WHEN instr(substring(whole, f), part) = 0 THEN 0 "
      "ELSE instr(substring(whole, f), part) + f - 1 END",
      "CREATE MACRO mr_overlay(s, r, f, n) AS CASE WHEN f > length(s) OR f <= 0 THEN s ELSE "
      "left(s, f - 1) || r || substring(s, f + greatest(n, 0)) END",
      "CREATE MACRO mr_overlay_whole(s, r, f) AS mr_overlay(s, r, f, length(r))",
      "CREATE MACRO mr_substring_from(s, f) AS "
      "substring(s, CASE WHEN f = 0 THEN 1 ELSE CAST(f AS BIGINT) END)",
      "CREATE MACRO mr_substring(s, f, n) AS CASE WHEN n >= 0 THEN "
      "substring(s, CASE WHEN f = 0 THEN 1 ELSE CAST(f AS BIGINT) END, CAST(n AS BIGINT)) END",
      "CREATE MACRO mr_left(s, n) AS left(s, greatest(CAST(n AS BIGINT), 0) + CAST(n AS BIGINT) * "
      "0)",
      "CREATE MACRO mr_right(s, n) AS "
      "right(s, greatest(CAST(n AS BIGINT), 0) + CAST(n AS BIGINT) * 0)",
      "CREATE MACRO mr_lpad(s, n, p) AS CASE WHEN n >= 0 AND p <> '' THEN lpad(s, n, p) END",
      "CREATE MACRO mr_rpad(s, n, p) AS CASE WHEN n >= 0 AND p <> '' THEN rpad(s, n, p) END",
      "CREATE MACRO mr_chr(n) AS CASE WHEN n < 0 THEN '' ELSE chr(CAST(n % 256 AS INTEGER)) END",
      "CREATE MACRO mr_elt(n, l) AS CASE WHEN n BETWEEN 1 AND len(l) THEN l[n] END",
      // Of equal keys the last one stays, at the place of the first.
      "CREATE MACRO mr_pairs(s, d, k) AS list_transform(regexp_split_to_array(s, d), lambda x: "
      "{'k': regexp_split_to_array(x, k)[1], 'v': regexp_split_to_array(x, k)[2]})",
      "CREATE MACRO mr_str_to_map(s, d, k) AS map_from_entries(list_filter(mr_pairs(s, d, k), "
      "lambda e, i: NOT list_contains(list_transform(mr_pairs(s, d, k)[i + 1:], lambda x: x.k), "
      "e.k)))",

      // ---- time
      "CREATE MACRO mr_to_timestamp_ltz(n, p) AS "
      "to_timestamp(CASE p WHEN 3 THEN n / CAST(1000 AS DOUBLE) WHEN 0 THEN CAST(n AS DOUBLE) END)",
      "CREATE MACRO mr_to_timestamp_ltz_of(n VARCHAR) AS timezone('UTC', TRY_CAST(n AS "
      "TIMESTAMP)), "
      "(n) AS mr_to_timestamp_ltz(n, 3)",
      "CREATE MACRO mr_to_timestamp_in(s, f, z) AS timezone(z, try_strptime(s, f))",
      "CREATE MACRO mr_unix_timestamp(t) AS CAST(floor(epoch(t)) AS BIGINT)",
      // Text that is no time gives Flink's lowest BIGINT; NULL stays NULL.
      "CREATE MACRO mr_unix_or_lowest(s, t) AS CASE WHEN s IS NOT NULL THEN "
      "coalesce(mr_unix_timestamp(CAST(t AS TIMESTAMPTZ)), CAST('-9223372036854775808' AS BIGINT)) "
      "END",
      "CREATE MACRO mr_unix_timestamp_of(s) AS mr_unix_or_lowest(s, TRY_CAST(s AS TIMESTAMP))",
      "CREATE MACRO mr_unix_timestamp_by(s, f) AS mr_unix_or_lowest(s, try_strptime(s, f))",
      "CREATE MACRO mr_from_unixtime(n, f) AS strftime(CAST(to_timestamp(CAST(n AS BIGINT)) AS "
      "TIMESTAMP), f)",
      "CREATE MACRO mr_convert_tz(s, f, t) AS "
      "strftime(timezone(t, timezone(f, TRY_CAST(s AS TIMESTAMP))), '%Y-%m-%d %H:%M:%S')",
      "CREATE MACRO mr_trunc(unit, t) AS CASE WHEN unit = 'week' "
      "THEN date_trunc(unit, t + INTERVAL 1 DAY) - INTERVAL 1 DAY ELSE date_trunc(unit, t) END",
      "CREATE MACRO mr_floor_time(unit, t DATE) AS CAST(mr_trunc(unit, t) AS DATE), "
      "(unit, t TIME) AS CAST(mr_trunc(unit, DATE '2000-01-01' + t) AS TIME), "
      "(unit, t TIMESTAMPTZ) AS mr_trunc(unit, t), (unit, t TIMESTAMP) AS mr_trunc(unit, t)",
      "CREATE MACRO mr_ceil(unit, t, step) AS CASE WHEN mr_floor_time(unit, t) = t "
      "THEN t ELSE mr_floor_time(unit, mr_floor_time(unit, t) + step) END",
      "CREATE MACRO mr_ceil_time(unit, t DATE, step) AS CAST(mr_ceil(unit, t, step) AS DATE), "
      "(unit, t TIME, step) AS mr_ceil(unit, t, step), "
      "(unit, t TIMESTAMPTZ, step) AS mr_ceil(unit, t, step), "
      "(unit, t TIMESTAMP, step) AS mr_ceil(unit, t, step)",
      "CREATE MACRO mr_add_time(t DATE, i) AS CAST(t + i AS DATE), (t TIMESTAMPTZ, i) AS t + i, "
      "(t TIMESTAMP, i) AS t + i",

      // ---- JSON; `strict`: what is missing is an error, else it is empty
      "CREATE MACRO mr_json_value(j, p, strict, empty, wrong) AS CASE WHEN j IS NULL THEN NULL "
      "WHEN NOT json_valid(j) THEN wrong "
      "WHEN json_type(j, p) IS NULL THEN CASE WHEN strict THEN wrong ELSE empty END "
      "WHEN json_type(j, p) IN ('OBJECT', 'ARRAY') THEN wrong ELSE json_extract_string(j, p) END",
      "CREATE MACRO mr_json_wrapped(v, wrap) AS CASE WHEN wrap = 2 OR (wrap = 1 AND json_type(v) "
      "<> 'ARRAY') THEN '[' || CAST(v AS VARCHAR) || ']' ELSE CAST(v AS VARCHAR) END",
      "CREATE MACRO mr_json_query(j, p, strict, wrap, empty, wrong) AS CASE WHEN j IS NULL THEN "
      "NULL "
      "WHEN NOT json_valid(j) THEN wrong "
      "WHEN json_type(j, p) IS NULL THEN CASE WHEN strict THEN wrong ELSE empty END "
      "WHEN wrap = 0 AND json_type(j, p) NOT IN ('OBJECT', 'ARRAY') THEN wrong "
      "ELSE mr_json_wrapped(json_extract(j, p), wrap) END",
      // The path has a wildcard: what it finds is an array already.
      "CREATE MACRO mr_json_query_all(j, p, strict, wrap, empty, wrong) AS CASE WHEN j IS NULL "
      "THEN "
      "NULL WHEN NOT json_valid(j) THEN wrong "
      "WHEN len(json_extract(j, p)) = 0 THEN CASE WHEN strict THEN wrong ELSE empty END "
      "ELSE mr_json_wrapped(to_json(json_extract(j, p)), wrap) END",
      "CREATE MACRO mr_json_exists(j, p, strict, wrong) AS CASE WHEN j IS NULL THEN NULL "
      "WHEN NOT json_valid(j) THEN wrong "
      "WHEN json_type(j, p) IS NULL THEN CASE WHEN strict THEN wrong ELSE false END "
      "ELSE json_type(j, p) <> 'NULL' END",
      "CREATE MACRO mr_json_exists_all(j, p, strict, wrong) AS CASE WHEN j IS NULL THEN NULL "
      "WHEN NOT json_valid(j) THEN wrong ELSE len(json_extract(j, p)) > 0 END",
      "CREATE MACRO mr_is_json(j, kind) AS CASE WHEN j IS NULL OR NOT json_valid(j) THEN false "
      "WHEN kind = 'VALUE' THEN true "
      "WHEN kind = 'SCALAR' THEN json_type(j) NOT IN ('OBJECT', 'ARRAY') ELSE json_type(j) = kind "
      "END",
      "CREATE MACRO mr_json_objectagg(k, v, absent) AS '{' || array_to_string(list_transform("
      "list_filter(list({'k': CAST(to_json(k) AS VARCHAR), 'v': CAST(to_json(v) AS VARCHAR)}), "
      "lambda e: NOT absent OR e.v IS NOT NULL), lambda e: e.k || ':' || coalesce(e.v, 'null')), "
      "',') "
      "|| '}'",
      "CREATE MACRO mr_json_arrayagg(v, absent) AS '[' || "
      "array_to_string(list_transform(list_filter("
      "list(CAST(to_json(v) AS VARCHAR)), lambda e: NOT absent OR e IS NOT NULL), "
      "lambda e: coalesce(e, 'null')), ',') || ']'",

      // ---- arrays and maps
      "CREATE MACRO mr_element(a) AS CASE WHEN len(a) > 1 THEN "
      "error('ELEMENT of an array that has more than one element') ELSE a[1] END",
      "CREATE MACRO mr_array_append(a, e) AS CASE WHEN a IS NOT NULL THEN list_append(a, e) END",
      "CREATE MACRO mr_array_prepend(a, e) AS CASE WHEN a IS NOT NULL THEN list_prepend(e, a) END",
      "CREATE MACRO mr_array_concat(l) AS CASE WHEN list_count(l) = len(l) THEN flatten(l) END",
      "CREATE MACRO mr_array_contains(a, e) AS CASE WHEN a IS NULL THEN NULL "
      "WHEN e IS NULL THEN list_count(a) < len(a) ELSE coalesce(list_contains(a, e), false) END",
      "CREATE MACRO mr_array_distinct(a) AS list_filter(a, lambda x, i: list_position(a, x) = i)",
      "CREATE MACRO mr_array_except(a, b) AS CASE WHEN b IS NOT NULL THEN list_filter("
      "mr_array_distinct(a), lambda x: list_position(b, x) IS NULL) END",
      "CREATE MACRO mr_array_intersect(a, b) AS CASE WHEN b IS NOT NULL THEN list_filter("
      "mr_array_distinct(a), lambda x: list_position(b, x) IS NOT NULL) END",
      "CREATE MACRO mr_array_union(a, b) AS CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN "
      "mr_array_distinct(list_concat(a, b)) END",
      "CREATE MACRO mr_array_join(a, s, n) AS "
      "array_to_string(list_transform(a, lambda x: coalesce(x, n)), s)",
      "CREATE MACRO mr_array_position(a, e) AS CASE WHEN a IS NOT NULL AND e IS NOT NULL THEN "
      "coalesce(list_position(a, e), 0) END",
      "CREATE MACRO mr_array_remove(a, e) AS list_filter(a, lambda x: x IS DISTINCT FROM e)",
      "CREATE MACRO mr_array_slice(a, b) AS list_slice(a, b, len(a))",
      "CREATE MACRO mr_array_sort(a, up, nulls) AS CASE "
      "WHEN up AND nulls THEN list_sort(a, 'ASC', 'NULLS FIRST') "
      "WHEN up THEN list_sort(a, 'ASC', 'NULLS LAST') "
      "WHEN NOT up AND nulls THEN list_sort(a, 'DESC', 'NULLS FIRST') "
      "WHEN NOT up THEN list_sort(a, 'DESC', 'NULLS LAST') END",
      "CREATE MACRO mr_array_sorted(a, up) AS mr_array_sort(a, up, up)",
      "CREATE MACRO mr_collect(x) AS map_from_entries(list_transform(map_entries(histogram(x)), "
      "lambda e: {'k': e.key, 'v': CAST(e.value AS INTEGER)}))",
  };
  return statements;
}

// A point in time is rounded as the local time is, by as much: also where the clocks change between
// the two. That is Flink's arithmetic.
const std::vector<std::string_view>& ZoneMacroStatements() {
  static const std::vector<std::string_view> statements = {
      "CREATE MACRO mr_moved(t, l, r) AS t + to_microseconds(epoch_us(r) - epoch_us(l))",
      "CREATE MACRO mr_floor_time(unit, t DATE) AS CAST(mr_trunc(unit, t) AS DATE), "
      "(unit, t TIME) AS CAST(mr_trunc(unit, DATE '2000-01-01' + t) AS TIME), "
      "(unit, t TIMESTAMPTZ) AS mr_moved(t, CAST(t AS TIMESTAMP), "
      "mr_trunc(unit, CAST(t AS TIMESTAMP))), (unit, t TIMESTAMP) AS mr_trunc(unit, t)",
      "CREATE MACRO mr_ceil_time(unit, t DATE, step) AS CAST(mr_ceil(unit, t, step) AS DATE), "
      "(unit, t TIME, step) AS mr_ceil(unit, t, step), "
      "(unit, t TIMESTAMPTZ, step) AS mr_moved(t, CAST(t AS TIMESTAMP), "
      "mr_ceil(unit, CAST(t AS TIMESTAMP), step)), "
      "(unit, t TIMESTAMP, step) AS mr_ceil(unit, t, step)",
  };
  return statements;
}

}  // namespace millrace::sql
