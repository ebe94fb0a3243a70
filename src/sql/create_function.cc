#include <duckdb.hpp>

#include "sql/create_function.h"

#include "base/strings.h"
#include "sql/create_table.h"
#include "sql/types.h"

namespace millrace::sql {
namespace {

// The one place that knows of languages: SQL becomes a macro of DuckDB's, HTTP the name of a
// service.
Status AcceptLanguage(TokenCursor& cursor, CreateFunction& function) {
  if (!cursor.AcceptWord("LANGUAGE")) return Status::Ok();
  const Token language = cursor.Peek();
  if (cursor.AcceptWord("SQL")) return Status::Ok();
  if (cursor.AcceptWord("HTTP")) {
    function.language = FunctionLanguage::kHttp;
    return Status::Ok();
  }
  return Status(Code::kUnsupported,
                "a function in language " + language.Describe() + " is not supported")
      .At(language.Span(cursor.file()))
      .WithHint("write it as an expression: CREATE FUNCTION f(a INT) RETURNS INT AS a + 1");
}

Status ParseParameters(TokenCursor& cursor, CreateFunction& function) {
  if (cursor.AcceptOperator(")")) return Status::Ok();
  do {
    FunctionParameter parameter;
    parameter.span = cursor.Span();
    MR_ASSIGN_OR_RETURN(parameter.name, cursor.ExpectIdentifier("a parameter's name"));
    for (const FunctionParameter& other : function.parameters) {
      if (!EqualsIgnoreCase(other.name, parameter.name)) continue;
      return Status(Code::kBind, "parameter \"" + parameter.name + "\" is there twice")
          .At(parameter.span)
          .WithHint("names must differ in more than upper and lower case");
    }
    if (cursor.Peek().IsName()) {
      MR_ASSIGN_OR_RETURN(SqlType type, ParseType(cursor));
      parameter.type = type.type;
    }
    function.parameters.push_back(std::move(parameter));
  } while (cursor.AcceptOperator(","));
  return cursor.ExpectOperator(")", "after the parameters");
}

// A string whose text is the body; its first byte stands behind the quote.
Fragment BodyInString(const TokenCursor& cursor, const Token& token) {
  Fragment body;
  body.text = token.value;
  body.span = token.Span(cursor.file());
  body.span.column++;
  body.span.length = static_cast<int>(body.text.size());
  body.offset = token.offset + 1;
  return body;
}

// What a function needs that others answer: types, and something to ask by.
Status CheckServed(const TokenCursor& cursor, const CreateFunction& function, const Token& url) {
  const std::string example = "CREATE FUNCTION " + function.name.last() +
                              "(amount DOUBLE, country STRING) RETURNS DOUBLE LANGUAGE HTTP AS "
                              "'http://127.0.0.1:9000/score'";
  auto wrong = [&](const std::string& what, const SourceSpan& at) {
    return Status(Code::kSyntax, what).At(at).WithHint("write " + example);
  };
  if (url.kind != TokenKind::kString) {
    return wrong("a function in language HTTP needs the URL of its service after AS",
                 url.Span(cursor.file()));
  }
  if (function.parameters.empty()) {
    return wrong("a function in language HTTP needs parameters", function.name.span);
  }
  for (const FunctionParameter& parameter : function.parameters) {
    if (parameter.type) continue;
    return wrong("parameter \"" + parameter.name + "\" of a function in language HTTP has no type",
                 parameter.span);
  }
  if (function.returns.empty()) {
    return wrong("a function in language HTTP needs RETURNS", function.name.span);
  }
  return Status::Ok();
}

}  // namespace

Status ParseFunctionBody(TokenCursor& cursor, CreateFunction& function) {
  function.if_not_exists = cursor.AcceptWords({"IF", "NOT", "EXISTS"});
  MR_ASSIGN_OR_RETURN(function.name, cursor.ExpectName("a function's name"));
  bool listed = cursor.AcceptOperator("(");
  if (listed) MR_RETURN_IF_ERROR(ParseParameters(cursor, function));
  if (cursor.AcceptWord("RETURNS")) {
    size_t begin = cursor.pos();
    MR_RETURN_IF_ERROR(ParseType(cursor).status());
    function.returns = cursor.MakeFragment(begin, cursor.pos());
  }
  MR_RETURN_IF_ERROR(AcceptLanguage(cursor, function));
  MR_RETURN_IF_ERROR(cursor.ExpectWord("AS", "before the function's expression"));
  const Token first = cursor.Peek();
  bool quoted = first.kind == TokenKind::kString &&
                (cursor.Peek(1).IsOperator(";") || cursor.Peek(1).Is("LANGUAGE") ||
                 cursor.Peek(1).Is("WITH") || cursor.Peek(1).kind == TokenKind::kEnd);
  if (quoted) {
    cursor.Next();
    if (!listed) {
      return Status(Code::kUnsupported, "a function made of a class is not supported")
          .At(first.Span(cursor.file()))
          .WithHint("write it as an expression: CREATE FUNCTION " + function.name.last() +
                    "(a INT) RETURNS INT AS a + 1");
    }
    function.body = BodyInString(cursor, first);
    MR_RETURN_IF_ERROR(AcceptLanguage(cursor, function));
    if (function.language == FunctionLanguage::kSql) return Status::Ok();
    MR_RETURN_IF_ERROR(CheckServed(cursor, function, first));
    return cursor.AcceptWord("WITH") ? ParseOptionList(cursor, function.options) : Status::Ok();
  }
  if (!listed) return cursor.Unexpected("\"(\" and the parameters after the function's name");
  if (function.language == FunctionLanguage::kHttp) return CheckServed(cursor, function, first);
  size_t begin = cursor.pos();
  cursor.SkipTo({";"}, {"LANGUAGE"});
  if (cursor.pos() == begin) return cursor.Unexpected("the function's expression after AS");
  function.body = cursor.MakeFragment(begin, cursor.pos());
  MR_RETURN_IF_ERROR(AcceptLanguage(cursor, function));
  if (function.language == FunctionLanguage::kHttp) return CheckServed(cursor, function, first);
  return Status::Ok();
}

}  // namespace millrace::sql
