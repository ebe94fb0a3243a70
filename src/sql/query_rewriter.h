// The machine behind rewriter.h: walks over the tokens of a query once and builds DuckDB's text.
//
//   Range            tokens of one region, one after the other
//     Special        what is not copied: hints, clauses refused, literals, names to be quoted
//     Function       calls: functions.h's rules, and those with a grammar of their own
//     WindowTable    TUMBLE, HOP, CUMULATE, SESSION in FROM (rewrite_windows.cc)
//     SystemTime     FOR SYSTEM_TIME AS OF in FROM (rewrite_temporal.cc)
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "sql/cursor.h"
#include "sql/functions.h"
#include "sql/piece.h"
#include "sql/types.h"

namespace millrace::sql {

class QueryRewriter {
 public:
  QueryRewriter(const Fragment& original, const std::vector<Token>& tokens)
      : original_(original), tokens_(tokens),
        cursor_(original_.text, tokens, original.span.file) {}

  Result<Rewritten> Run();
  // As Run, with parameters in place of columns.
  Result<Rewritten> RunFunction(const CreateFunction& function);

 private:
  // Tokens [begin, end) of an argument; `name` of a named one (NAME => …), upper case.
  struct Argument {
    size_t begin = 0;
    size_t end = 0;
    std::string name;
  };

  const Token& At(size_t i) const { return cursor_.At(i); }
  SourceSpan SpanOf(size_t begin, size_t end) const { return cursor_.MakeFragment(begin, end).span; }
  Status Unsupported(size_t begin, size_t end, std::string what, std::string hint) const;
  Status Wrong(size_t begin, size_t end, std::string what, std::string hint) const;

  // rewriter.cc
  Status Range(size_t begin, size_t end, Piece& out);
  // Handles the token at `i` (and maybe more) and moves i past it; false: it is to be copied.
  Result<bool> Special(size_t& i, size_t end, Piece& out);
  Result<bool> SpecialWord(size_t& i, size_t end, Piece& out);
  Result<bool> Interval(size_t& i, Piece& out);
  Status Hint(size_t i) const;
  void Gap(size_t i, Piece& out) const;
  void CopyToken(size_t i, Piece& out) const;
  void QuoteName(size_t i, Piece& out) const;
  bool MayBeName(size_t i) const;
  bool Parameter(size_t i, Piece& out) const;

  // rewrite_functions.cc
  // The call whose name is at i; moves i past its ")".
  Result<bool> Function(size_t& i, size_t end, Piece& out);
  Result<bool> ByRule(const std::vector<const FunctionRule*>& rules, size_t i,
                      const std::vector<Argument>& arguments, Piece& out);
  Status Expand(std::string_view pattern, size_t i, const std::vector<Argument>& arguments,
                Piece& out);
  Status Cast(size_t i, size_t close, Piece& out);
  Status CastTo(const char* cast, const SqlType& type, size_t i, const Piece& value, Piece& out);
  Status Concat(size_t i, const std::vector<Argument>& arguments, Piece& out);
  Result<bool> FloorOrCeil(size_t i, size_t close, Piece& out);
  Result<bool> Extract(size_t i, size_t close, Piece& out);
  Status Overlay(size_t i, size_t close, Piece& out);
  Status TimestampAdd(size_t i, const std::vector<Argument>& arguments, Piece& out);
  Status TimestampDiff(size_t i, const std::vector<Argument>& arguments, Piece& out);
  // DATE_FORMAT, TO_TIMESTAMP … with a literal pattern as the second argument.
  Result<bool> WithPattern(size_t i, const std::vector<Argument>& arguments, Piece& out);
  Result<bool> SubstringFrom(size_t i, size_t close, Piece& out);
  Result<bool> FirstOrLast(size_t i, size_t close, const std::vector<Argument>& arguments,
                           Piece& out);
  std::vector<Argument> SplitArguments(size_t open, size_t close) const;
  // First token in [begin, end), outside brackets, that is this word; `end` when there is none.
  size_t FindWord(std::string_view word, size_t begin, size_t end) const;
  Result<std::string> UnitOf(const Argument& argument) const;
  Status CheckCount(size_t i, const std::vector<Argument>& arguments, size_t low,
                    size_t high) const;

  // rewrite_json.cc
  struct OnNull {
    size_t end;
    bool absent;
  };
  // A JSON function whose name is at i; false if it is some other function.
  Result<bool> Json(size_t i, size_t close, Piece& out);
  OnNull TakeOnNull(size_t begin, size_t close, bool absent) const;
  Status JsonItem(size_t begin, size_t end, Piece& out);
  Status JsonConstructor(size_t i, size_t close, Piece& out);
  Status JsonKey(size_t& begin, size_t end, Piece& out);
  Status JsonAggregate(size_t i, size_t close, Piece& out);
  Status JsonFallback(size_t i, size_t close, Piece& empty, Piece& wrong);
  Status JsonAtPath(size_t i, size_t close, Piece& out);
  bool IsJson(size_t& i, Piece& out) const;

  // rewrite_windows.cc
  // TUMBLE(…) and so on, in FROM or as a group window; false if it is some other function.
  Result<bool> Window(size_t i, size_t close, Piece& out);
  Status WindowTable(size_t i, size_t close, std::vector<Argument> arguments, Piece& out);
  Argument TakePartitionBy(std::vector<Argument>& arguments) const;
  Status SessionTable(size_t i, const Piece& input, const Piece& column, int64_t gap,
                      const Argument& keys, Piece& out);
  Status GroupWindow(size_t i, const std::vector<Argument>& arguments, Piece& out);
  Status WindowInput(const Argument& argument, Piece& out);
  Status WindowColumn(const Argument& argument, Piece& out);
  Result<int64_t> WindowMicros(const Argument& argument, const std::string& what, bool positive);

  // rewrite_temporal.cc
  // FOR at i; the rest of the joined table, ON and its condition.
  Status SystemTime(size_t& i, size_t end, Piece& out);
  // Where a join's condition that begins at `begin` ends.
  size_t EndOfCondition(size_t begin, size_t end) const;

  const Fragment& original_;
  const std::vector<Token>& tokens_;
  TokenCursor cursor_;
  int depth_ = 0;
  const std::vector<FunctionParameter>* parameters_ = nullptr;  // of a function's body
};

}  // namespace millrace::sql
