#include "sql/function_spec.h"

namespace millrace::sql {
namespace {

constexpr std::string_view kSpread = "a DOUBLE; in Flink of the argument's type, cut";

}  // namespace

const std::vector<FunctionSpec>& AggregateFunctions() {
  static const std::vector<FunctionSpec> list = {
      {"COUNT", "COUNT(*), COUNT([DISTINCT] a)", "rows, or values that are not NULL"},
      {"SUM",
       "SUM([DISTINCT] n)",
       "the sum; NULL of no values",
       "",
       {},
       "of integers exact in 128 bits and cast to the sink's type; Flink overflows silently"},
      {"AVG",
       "AVG([DISTINCT] n)",
       "the mean; of integers cut towards zero",
       "",
       {},
       "of DECIMALs a DOUBLE; in a query that is not a job (`millrace sql`) of integers too"},
      {"MIN", "MIN(a), MAX(a)", "the least and the greatest"},
      {"STDDEV_POP",
       "STDDEV_POP(n), STDDEV_SAMP(n), STDDEV(n)",
       "standard deviation",
       "",
       {},
       kSpread},
      {"VAR_POP", "VAR_POP(n)", "variance", "", {}, kSpread},
      {"VAR_SAMP",
       "VAR_SAMP(n), VARIANCE(n)",
       "variance of a sample",
       "",
       {{1, 1, "var_samp($1)"}},
       kSpread},
      {"VARIANCE", "VARIANCE(n)", "as VAR_SAMP", "", {{1, 1, "var_samp($1)"}}, kSpread},
      {"FIRST_VALUE", "FIRST_VALUE(a), LAST_VALUE(a)",
       "the first and the last that is not NULL, in the order of arrival"},
      {"LISTAGG",
       "LISTAGG([DISTINCT] text [, separator])",
       "the texts, joined by , if not given",
       "",
       {{1, 1, "string_agg($1, ',')"}, {2, 2, "string_agg($1, $2)"}}},
      {"ARRAY_AGG",
       "ARRAY_AGG([DISTINCT] a)",
       "an array of the values, NULLs too",
       "",
       {},
       "takes no IGNORE NULLS: FILTER (WHERE a IS NOT NULL)"},
      {"COLLECT",
       "COLLECT([DISTINCT] a)",
       "a MULTISET: a map of each value to its count",
       "",
       {{1, 1, "mr_collect($1)"}},
       "takes no DISTINCT and no FILTER"},
      {"JSON_OBJECTAGG",
       "JSON_OBJECTAGG([KEY] key VALUE value [{NULL | ABSENT} ON NULL])",
       "a JSON object of the rows",
       "",
       {},
       "a key that occurs twice stands twice"},
      {"JSON_ARRAYAGG", "JSON_ARRAYAGG(value [{NULL | ABSENT} ON NULL])",
       "a JSON array of the rows"},
      {"APPROX_COUNT_DISTINCT", "APPROX_COUNT_DISTINCT(a)", "about how many different values"},
      {"PERCENTILE",
       "PERCENTILE(n, share)",
       "the value below which that share (0 to 1) lies; "
       "for an array of shares an array",
       "",
       {{2, 2, "quantile_cont($1, $2)"}}},
      {"GROUPING", "GROUPING(a, …), GROUPING_ID(a, …)",
       "which columns a row of GROUPING SETS leaves out, as bits"},
      {"ROW_NUMBER",
       "ROW_NUMBER(), RANK(), DENSE_RANK(), LAG(a [, n [, other]]), NTILE(n), "
       "CUME_DIST(), PERCENT_RANK() OVER (…)",
       "see Queries"},
  };
  return list;
}

const std::vector<FunctionGroup>& FunctionGroups() {
  static const std::vector<FunctionGroup> groups = {
      {"Conditions and conversion", ConditionFunctions()},
      {"Numbers", NumberFunctions()},
      {"Text", TextFunctions()},
      {"Time", TimeFunctions()},
      {"JSON", JsonFunctions()},
      {"Arrays, maps and rows", CollectionFunctions()},
      {"Aggregates", AggregateFunctions()},
  };
  return groups;
}

const std::vector<RefusedFunction>& RefusedFunctions() {
  constexpr std::string_view kRandom =
      "derive it from the row: MD5(key) is the same whenever an epoch runs";
  constexpr std::string_view kVariant = "keep JSON as STRING: JSON_VALUE, JSON_QUERY, JSON_OBJECT";
  constexpr std::string_view kBitmap = "COUNT(DISTINCT n) counts, ARRAY_AGG(DISTINCT n) collects";
  static const std::vector<RefusedFunction> list = {
      {"RAND", 0, 1, kRandom},
      {"RAND_INTEGER", 1, 2, kRandom},
      {"UUID", 0, 0, "derive it from the row's key: MD5(key)"},
      {"CURRENT_WATERMARK", 0, 1000, "late rows are counted and kept by the table's policy"},
      {"PERCENTILE", 3, 3, "repeat the rows as often as they count"},
      {"PARSE_JSON", 1, 2, kVariant},
      {"TRY_PARSE_JSON", 1, 2, kVariant},
      {"OBJECT_OF", 1, 1000, "ROW(a, b), or JSON_OBJECT('key' VALUE a)"},
      {"OBJECT_UPDATE", 1, 1000, "ROW(a, b), or JSON_OBJECT('key' VALUE a)"},
      {"BITMAP_BUILD", 1, 1, kBitmap},
      {"BITMAP_BUILD_AGG", 1, 1, kBitmap},
      {"BITMAP_BUILD_CARDINALITY_AGG", 1, 1, kBitmap},
      {"ML_PREDICT", 0, 1000, "write the expression in SQL, or as CREATE FUNCTION"},
  };
  return list;
}

}  // namespace millrace::sql
