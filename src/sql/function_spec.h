// What every function of the dialect is: its name, its meaning, and what becomes of it in DuckDB.
// The only description there is: the rewriter, SHOW FUNCTIONS, `millrace functions` and the
// reference (docs/reference/sql.md) are made from it.
//
// A function that is not listed passes through to DuckDB unchanged.
#pragma once

#include <string_view>
#include <vector>

namespace millrace::sql {

struct FunctionForm {
  int arguments_min = 0;
  int arguments_max = 0;
  // DuckDB's text: $1 … $9 are the arguments, each at most once; $*: all of them with commas; $+:
  // all but the first.
  std::string_view result;
};

struct FunctionSpec {
  std::string_view name;       // upper case; of an operator: its words
  std::string_view signature;  // as a reference shows it
  std::string_view meaning;    // a phrase, without a full stop
  // An expression whose value the reference shows; empty: none that stands alone.
  std::string_view example = {};
  // Empty: DuckDB's function of this name, or a grammar of its own in rewrite_functions.cc.
  std::vector<FunctionForm> forms = {};
  std::string_view difference = {};  // from Flink's answer; empty: none known
};

// A function of Flink's that is not there, and the nearest thing that works.
struct RefusedFunction {
  std::string_view name;
  int arguments_min = 0;
  int arguments_max = 0;
  std::string_view hint;
};

struct FunctionGroup {
  std::string_view title;
  const std::vector<FunctionSpec>& functions;
};

// In the order of the reference.
const std::vector<FunctionGroup>& FunctionGroups();
const std::vector<RefusedFunction>& RefusedFunctions();

const std::vector<FunctionSpec>& ConditionFunctions();
const std::vector<FunctionSpec>& NumberFunctions();
const std::vector<FunctionSpec>& TextFunctions();
const std::vector<FunctionSpec>& TimeFunctions();
const std::vector<FunctionSpec>& JsonFunctions();
const std::vector<FunctionSpec>& CollectionFunctions();
const std::vector<FunctionSpec>& AggregateFunctions();

}  // namespace millrace::sql
