// Turns a query or an expression of Flink's dialect into DuckDB's, token by token, and remembers
// where every part came from.
//
// Contract: pure functions, callable from any thread. Nothing is looked up: unknown tables, columns
// and functions pass through and are the binder's to report, at the place Locate gives. The result
// uses the functions listed in functions.h. What has no equal in DuckDB is refused (kUnsupported)
// with the clause, its position and the nearest thing that works.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sql/statement.h"

namespace millrace::sql {

// Maps offsets of rewritten text back to offsets of the text it was made from.
class PositionMap {
 public:
  // From `target` on, text comes from `source`; byte for byte if `verbatim`, else all of it was
  // made from that one place.
  struct Mark {
    size_t target = 0;
    size_t source = 0;
    bool verbatim = false;
  };
  // Marks must come with growing targets.
  void Add(Mark mark) { marks_.push_back(mark); }
  // Never larger than what was added makes possible; 0 when the map is empty.
  size_t ToSource(size_t target) const;
  const std::vector<Mark>& marks() const { return marks_; }

 private:
  std::vector<Mark> marks_;
};

struct Rewritten {
  std::string text;  // DuckDB SQL
  PositionMap map;
  Fragment original;

  bool empty() const { return text.empty(); }
  // The place in the user's file that byte `target` of `text` came from.
  SourceSpan Locate(size_t target) const;
};

// A whole query: SELECT …, WITH …, VALUES …, TABLE t.
Result<Rewritten> RewriteQuery(const Fragment& query);
// One scalar expression: computed column, watermark, CHECK.
Result<Rewritten> RewriteExpression(const Fragment& expression);
// The body of a function: each parameter cast to its type, the whole to the type it returns.
Result<Rewritten> RewriteFunctionBody(const CreateFunction& function);

}  // namespace millrace::sql
