#include <duckdb.hpp>

#include "sql/parser.h"

#include "base/strings.h"
#include "sql/create_function.h"
#include "sql/create_table.h"
#include "sql/cursor.h"
#include "sql/refused_statements.h"
#include "sql/statement_list.h"

namespace millrace::sql {
namespace {

class ScriptParser {
 public:
  ScriptParser(std::string_view text, const std::vector<Token>& tokens, const std::string& file)
      : cursor_(text, tokens, file) {}

  ParsedScript Run(bool first_error_only) {
    ParsedScript script;
    while (!cursor_.AtEnd()) {
      if (cursor_.AcceptOperator(";")) continue;
      size_t begin = cursor_.pos();
      Statement statement;
      Status status = ParseStatement(statement, 0);
      if (status.ok() && !cursor_.AtEnd() && !cursor_.Peek().IsOperator(";")) {
        status = AfterStatement(statement);
      }
      if (status.ok()) {
        statement.text = cursor_.MakeFragment(begin, cursor_.pos());
        script.statements.push_back(std::move(statement));
        continue;
      }
      script.errors.push_back(std::move(status));
      if (first_error_only) break;
      Recover(begin);
    }
    return script;
  }

 private:
  Status AfterStatement(const Statement& statement) {
    Status status = cursor_.Unexpected("\";\" after the " +
                                       std::string(StatementName(statement)) + " statement");
    if (statement.As<CreateTable>()) {
      return std::move(status).WithHint(
          "CREATE TABLE may be followed by COMMENT, PARTITIONED BY, WITH (…) and LIKE");
    }
    return status;
  }

  // Goes on after the ';' that ends the faulty statement, but never looks at the same token twice.
  // A statement set ends with its END.
  void Recover(size_t begin) {
    bool in_set = (cursor_.At(begin).Is("BEGIN") || cursor_.At(begin).Is("EXECUTE")) &&
                  cursor_.At(begin + 1).Is("STATEMENT");
    cursor_.MoveTo(std::max(cursor_.pos(), begin));
    while (!cursor_.AtEnd()) {
      bool ends = cursor_.Next().IsOperator(";");
      if (ends && (!in_set || cursor_.Peek().Is("END"))) break;
    }
    if (in_set) cursor_.AcceptWord("END");
  }

  Status ParseStatement(Statement& out, int depth) {
    size_t begin = cursor_.pos();
    MR_RETURN_IF_ERROR(ParseBody(out.body, depth));
    out.text = cursor_.MakeFragment(begin, cursor_.pos());
    return Status::Ok();
  }

  Status ParseBody(Statement::Body& body, int depth) {
    const Token first = cursor_.Peek();
    if (first.Is("CREATE")) return ParseCreate(body);
    if (first.Is("INSERT")) return ParseInsertInto<Insert>(body);
    if (StartsQuery()) return ParseSelect(body);
    if (first.Is("EXECUTE") && cursor_.AcceptWords({"EXECUTE", "STATEMENT", "SET"})) {
      MR_RETURN_IF_ERROR(cursor_.ExpectWord("BEGIN", "after EXECUTE STATEMENT SET"));
      return ParseStatementSet(body);
    }
    if (cursor_.AcceptWords({"BEGIN", "STATEMENT", "SET"})) {
      MR_RETURN_IF_ERROR(cursor_.ExpectOperator(";", "after BEGIN STATEMENT SET"));
      return ParseStatementSet(body);
    }
    if (first.Is("EXECUTE") && (cursor_.Peek(1).Is("INSERT") || cursor_.Peek(1).Is("SELECT"))) {
      cursor_.Next();  // EXECUTE INSERT … is INSERT …
      return ParseBody(body, depth);
    }
    if (first.Is("SET")) return ParseSet(body);
    if (first.Is("RESET")) return ParseReset(body);
    if (first.Is("EXPLAIN")) return ParseExplain(body, depth);
    if (first.Is("SHOW")) return ParseShow(body);
    if (first.Is("USE")) return ParseUse(body);
    if (first.Is("DESCRIBE") || first.Is("DESC")) {
      cursor_.Next();
      MR_ASSIGN_OR_RETURN(Name name, cursor_.ExpectName("a table name"));
      body = Describe{std::move(name)};
      return Status::Ok();
    }
    MR_RETURN_IF_ERROR(Refuse());
    if (first.Is("DROP")) return ParseDrop(body);
    return Status(Code::kSyntax, "statement begins with " + first.Describe())
        .At(cursor_.Span())
        .WithHint(DidYouMean(ToUpper(first.text.substr(0, 40)), StatementFirstWords()));
  }

  Status Refuse() const {
    for (const RefusedStatement& refused : RefusedStatements()) {
      std::string name;
      size_t matched = 0;
      for (std::string_view word : refused.words) {
        if (!cursor_.Peek(matched).Is(word)) break;
        name += (matched++ > 0 ? " " : "") + std::string(word);
      }
      if (matched < refused.words.size()) continue;
      return Status(Code::kUnsupported, name + " is not supported")
          .At(cursor_.MakeFragment(cursor_.pos(), cursor_.pos() + matched).span)
          .WithHint(refused.hint);
    }
    return Status::Ok();
  }

  // ---- queries --------------------------------------------------------------------------------

  bool StartsQuery(size_t ahead = 0) const {
    while (cursor_.Peek(ahead).IsOperator("(")) ahead++;
    const Token& token = cursor_.Peek(ahead);
    return token.Is("SELECT") || token.Is("WITH") || token.Is("VALUES") ||
           (token.Is("TABLE") && cursor_.Peek(ahead + 1).IsName());
  }

  // Everything up to the ';' that ends the statement.
  Result<Fragment> ParseQuery(const std::string& where) {
    if (!StartsQuery()) return cursor_.Unexpected("SELECT, WITH or VALUES " + where);
    size_t begin = cursor_.pos();
    std::vector<size_t> open;
    for (; !cursor_.AtEnd() && !cursor_.Peek().IsOperator(";"); cursor_.Next()) {
      const Token& token = cursor_.Peek();
      if (token.IsOperator("(")) open.push_back(cursor_.pos());
      if (token.IsOperator(")")) {
        if (open.empty()) {
          return Status(Code::kSyntax, "\")\" closes nothing")
              .At(cursor_.Span())
              .WithHint("remove it, or add the \"(\" that it belongs to");
        }
        open.pop_back();
      }
    }
    if (!open.empty()) {
      return Status(Code::kSyntax, "parenthesis is not closed")
          .At(cursor_.At(open.back()).Span(cursor_.file()))
          .WithHint("add the missing \")\"");
    }
    return cursor_.MakeFragment(begin, cursor_.pos());
  }

  Status ParseSelect(Statement::Body& body) {
    MR_ASSIGN_OR_RETURN(Fragment query, ParseQuery(""));
    body = Select{std::move(query)};
    return Status::Ok();
  }

  Result<Insert> ParseInsert() {
    Insert insert;
    size_t begin = cursor_.pos();
    cursor_.Next();
    if (cursor_.AcceptWord("OVERWRITE")) {
      insert.overwrite = true;
      cursor_.AcceptWord("INTO");
    } else {
      MR_RETURN_IF_ERROR(cursor_.ExpectWord("INTO", "after \"INSERT\""));
    }
    cursor_.AcceptWord("TABLE");
    MR_ASSIGN_OR_RETURN(insert.target, cursor_.ExpectName("the name of the target table"));
    if (cursor_.Peek().kind == TokenKind::kHint) MR_RETURN_IF_ERROR(ParseOptionsHint(insert));
    if (cursor_.AcceptWord("PARTITION")) MR_RETURN_IF_ERROR(ParsePartition(insert));
    if (cursor_.Peek().IsOperator("(") && !StartsQuery()) {
      MR_ASSIGN_OR_RETURN(insert.columns, cursor_.ExpectIdentifierList("the target columns"));
    }
    MR_ASSIGN_OR_RETURN(insert.query, ParseQuery("after the target table"));
    insert.span = cursor_.MakeFragment(begin, cursor_.pos()).span;
    return insert;
  }

  template <typename T>
  Status ParseInsertInto(Statement::Body& body) {
    MR_ASSIGN_OR_RETURN(T insert, ParseInsert());
    body = std::move(insert);
    return Status::Ok();
  }

  Status ParseOptionsHint(Insert& insert) {
    const Token hint = cursor_.Next();
    SourceSpan start = hint.Span(cursor_.file());
    start.column += 3;  // after "/*+"
    Lexed lexed = Lex(hint.value, start);
    MR_RETURN_IF_ERROR(lexed.status);
    TokenCursor inner(hint.value, lexed.tokens, cursor_.file());
    MR_RETURN_IF_ERROR(inner.ExpectWord("OPTIONS", "in the hint after the target table"));
    return ParseOptionList(inner, insert.options);
  }

  Status ParsePartition(Insert& insert) {
    MR_RETURN_IF_ERROR(cursor_.ExpectOperator("(", "after \"PARTITION\""));
    do {
      MR_ASSIGN_OR_RETURN(std::string column, cursor_.ExpectIdentifier("a partition column"));
      MR_RETURN_IF_ERROR(cursor_.ExpectOperator("=", "after the partition column"));
      const Token& value = cursor_.Peek();
      if (value.kind != TokenKind::kString && value.kind != TokenKind::kNumber) {
        return cursor_.Unexpected("the partition's value");
      }
      insert.partition[column] =
          value.kind == TokenKind::kString ? value.value : std::string(value.text);
      cursor_.Next();
    } while (cursor_.AcceptOperator(","));
    return cursor_.ExpectOperator(")", "after the partition");
  }

  Status ParseStatementSet(Statement::Body& body) {
    StatementSet set;
    while (!cursor_.AcceptWord("END")) {
      if (cursor_.AcceptOperator(";")) continue;
      if (!cursor_.Peek().Is("INSERT")) {
        return cursor_.Unexpected("INSERT or END in the statement set");
      }
      MR_ASSIGN_OR_RETURN(Insert insert, ParseInsert());
      set.inserts.push_back(std::move(insert));
      MR_RETURN_IF_ERROR(cursor_.ExpectOperator(";", "after an INSERT in a statement set"));
    }
    if (set.inserts.empty()) {
      return Status(Code::kSyntax, "the statement set has no INSERT")
          .At(cursor_.Span())
          .WithHint("write BEGIN STATEMENT SET; INSERT INTO …; END;");
    }
    body = std::move(set);
    return Status::Ok();
  }

  // ---- definitions ----------------------------------------------------------------------------

  Status ParseCreate(Statement::Body& body) {
    MR_RETURN_IF_ERROR(Refuse());
    cursor_.Next();
    bool or_replace = cursor_.AcceptWords({"OR", "REPLACE"});
    bool temporary = cursor_.AcceptWord("TEMPORARY");
    if (!or_replace && cursor_.AcceptWord("TABLE")) {
      CreateTable table;
      table.temporary = temporary;
      table.if_not_exists = cursor_.AcceptWords({"IF", "NOT", "EXISTS"});
      MR_ASSIGN_OR_RETURN(table.name, cursor_.ExpectName("a table name"));
      MR_RETURN_IF_ERROR(ParseTableBody(cursor_, table));
      if (cursor_.AcceptWord("AS")) {
        MR_ASSIGN_OR_RETURN(table.query, ParseQuery("after AS"));
      }
      body = std::move(table);
      return Status::Ok();
    }
    if (cursor_.AcceptWord("VIEW")) return ParseView(body, or_replace, temporary);
    cursor_.AcceptWord("SYSTEM");
    if (cursor_.AcceptWord("FUNCTION")) {
      CreateFunction function;
      function.or_replace = or_replace;
      function.temporary = temporary;
      MR_RETURN_IF_ERROR(ParseFunctionBody(cursor_, function));
      body = std::move(function);
      return Status::Ok();
    }
    bool catalog = cursor_.Peek().Is("CATALOG");
    if (!or_replace && !temporary && (catalog || cursor_.Peek().Is("DATABASE"))) {
      cursor_.Next();
      CreateDatabase database;
      database.kind = catalog ? ObjectKind::kCatalog : ObjectKind::kDatabase;
      database.if_not_exists = cursor_.AcceptWords({"IF", "NOT", "EXISTS"});
      MR_ASSIGN_OR_RETURN(database.name, cursor_.ExpectName("a name"));
      if (cursor_.AcceptWord("COMMENT")) {
        MR_ASSIGN_OR_RETURN(std::string unused, cursor_.ExpectString("a comment"));
      }
      OptionMap unused;
      if (cursor_.AcceptWord("WITH")) MR_RETURN_IF_ERROR(ParseOptionList(cursor_, unused));
      body = std::move(database);
      return Status::Ok();
    }
    return cursor_.Unexpected("TABLE, VIEW, FUNCTION, DATABASE or CATALOG after \"CREATE\"");
  }

  Status ParseView(Statement::Body& body, bool or_replace, bool temporary) {
    CreateView view;
    view.or_replace = or_replace;
    view.temporary = temporary;
    view.if_not_exists = cursor_.AcceptWords({"IF", "NOT", "EXISTS"});
    MR_ASSIGN_OR_RETURN(view.name, cursor_.ExpectName("a view name"));
    if (cursor_.AcceptOperator("(")) {
      do {
        MR_ASSIGN_OR_RETURN(std::string column, cursor_.ExpectIdentifier("a column name"));
        view.columns.push_back(std::move(column));
        if (cursor_.AcceptWord("COMMENT")) {
          MR_ASSIGN_OR_RETURN(std::string unused, cursor_.ExpectString("a comment"));
        }
      } while (cursor_.AcceptOperator(","));
      MR_RETURN_IF_ERROR(cursor_.ExpectOperator(")", "after the view's columns"));
    }
    if (cursor_.AcceptWord("COMMENT")) {
      MR_ASSIGN_OR_RETURN(view.comment, cursor_.ExpectString("a comment"));
    }
    MR_RETURN_IF_ERROR(cursor_.ExpectWord("AS", "before the view's query"));
    MR_ASSIGN_OR_RETURN(view.query, ParseQuery("after \"AS\""));
    body = std::move(view);
    return Status::Ok();
  }

  Status ParseDrop(Statement::Body& body) {
    cursor_.Next();
    Drop drop;
    drop.temporary = cursor_.AcceptWord("TEMPORARY");
    cursor_.AcceptWord("SYSTEM");
    if (cursor_.AcceptWord("TABLE")) {
      drop.kind = ObjectKind::kTable;
    } else if (cursor_.AcceptWord("VIEW")) {
      drop.kind = ObjectKind::kView;
    } else if (cursor_.AcceptWord("FUNCTION")) {
      drop.kind = ObjectKind::kFunction;
    } else if (cursor_.AcceptWord("DATABASE")) {
      drop.kind = ObjectKind::kDatabase;
    } else if (cursor_.AcceptWord("CATALOG")) {
      drop.kind = ObjectKind::kCatalog;
    } else {
      return cursor_.Unexpected("TABLE, VIEW, FUNCTION, DATABASE or CATALOG after \"DROP\"");
    }
    drop.if_exists = cursor_.AcceptWords({"IF", "EXISTS"});
    MR_ASSIGN_OR_RETURN(drop.name, cursor_.ExpectName("a name"));
    if (!cursor_.AcceptWord("CASCADE")) cursor_.AcceptWord("RESTRICT");
    body = std::move(drop);
    return Status::Ok();
  }

  // ---- the small ones -------------------------------------------------------------------------

  Status ParseSet(Statement::Body& body) {
    cursor_.Next();
    Set set;
    if (!AtStatementEnd()) {
      MR_ASSIGN_OR_RETURN(set.key, ParseSettingText("a setting's name in single quotes"));
      MR_RETURN_IF_ERROR(cursor_.ExpectOperator("=", "after the setting's name"));
      MR_ASSIGN_OR_RETURN(set.value, ParseSettingText("the setting's value in single quotes"));
    }
    body = std::move(set);
    return Status::Ok();
  }

  Status ParseReset(Statement::Body& body) {
    cursor_.Next();
    Reset reset;
    if (!AtStatementEnd()) {
      MR_ASSIGN_OR_RETURN(reset.key, ParseSettingText("a setting's name in single quotes"));
    }
    body = std::move(reset);
    return Status::Ok();
  }

  bool AtStatementEnd() const { return cursor_.AtEnd() || cursor_.Peek().IsOperator(";"); }

  // 'quoted', or as the SQL client once wrote it: execution.checkpointing.interval = 3s
  Result<std::string> ParseSettingText(const std::string& what) {
    if (cursor_.Peek().kind == TokenKind::kString) return cursor_.Next().value;
    size_t begin = cursor_.pos();
    while (!AtStatementEnd() && !cursor_.Peek().IsOperator("=")) {
      const Token& token = cursor_.Peek();
      bool part = token.IsName() || token.kind == TokenKind::kNumber || token.IsOperator(".") ||
                  token.IsOperator("-");
      if (!part || token.kind == TokenKind::kQuoted) break;
      cursor_.Next();
    }
    if (cursor_.pos() == begin) return cursor_.Unexpected(what);
    return cursor_.MakeFragment(begin, cursor_.pos()).text;
  }

  Status ParseExplain(Statement::Body& body, int depth) {
    if (depth > 0) return cursor_.Unexpected("a statement after EXPLAIN");
    cursor_.Next();
    Explain explain;
    if (cursor_.AcceptWord("PLAN")) {
      MR_RETURN_IF_ERROR(cursor_.ExpectWord("FOR", "after EXPLAIN PLAN"));
    } else {
      for (bool more = true; more;) {
        more = false;
        for (std::string_view kind :
             {"ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"}) {
          if (!cursor_.AcceptWord(kind)) continue;
          explain.kinds.emplace_back(kind);
          more = cursor_.AcceptOperator(",");
          if (more && !cursor_.Peek().IsName()) return cursor_.Unexpected("a kind of explanation");
          break;
        }
      }
    }
    bool explainable = StartsQuery() || cursor_.Peek().Is("INSERT") ||
                       cursor_.Peek().Is("EXECUTE") || cursor_.Peek().Is("BEGIN") ||
                       cursor_.Peek().Is("STATEMENT");
    if (!explainable) {
      return cursor_.Unexpected("SELECT, WITH, VALUES, INSERT or a statement set after EXPLAIN");
    }
    auto statement = std::make_shared<Statement>();
    if (cursor_.Peek().Is("STATEMENT")) {  // EXPLAIN STATEMENT SET BEGIN … END
      size_t begin = cursor_.pos();
      cursor_.Next();
      MR_RETURN_IF_ERROR(cursor_.ExpectWord("SET", "after EXPLAIN STATEMENT"));
      MR_RETURN_IF_ERROR(cursor_.ExpectWord("BEGIN", "after EXPLAIN STATEMENT SET"));
      MR_RETURN_IF_ERROR(ParseStatementSet(statement->body));
      statement->text = cursor_.MakeFragment(begin, cursor_.pos());
    } else {
      MR_RETURN_IF_ERROR(ParseStatement(*statement, depth + 1));
    }
    explain.statement = std::move(statement);
    body = std::move(explain);
    return Status::Ok();
  }

  Status ParseShow(Statement::Body& body) {
    cursor_.Next();
    static const std::vector<std::vector<std::string_view>> kShown = {
        {"CREATE", "TABLE"}, {"CREATE", "VIEW"},       {"CURRENT", "CATALOG"},
        {"CURRENT", "DATABASE"}, {"TABLES"},           {"VIEWS"},
        {"COLUMNS"},         {"DATABASES"},            {"CATALOGS"},
        {"FUNCTIONS"},       {"JOBS"}};
    Show show;
    for (const auto& words : kShown) {
      size_t matched = 0;
      while (matched < words.size() && cursor_.Peek(matched).Is(words[matched])) matched++;
      if (matched < words.size()) continue;
      for (std::string_view word : words) show.what += (show.what.empty() ? "" : " ") +
                                                       std::string(word);
      cursor_.MoveTo(cursor_.pos() + matched);
      break;
    }
    if (show.what.empty()) {
      return Status(Code::kUnsupported, "SHOW " + cursor_.Peek().Describe() + " is not supported")
          .At(cursor_.Span())
          .WithHint("SHOW knows TABLES, VIEWS, COLUMNS FROM t, CREATE TABLE t, CREATE VIEW v, "
                    "DATABASES, CATALOGS, FUNCTIONS and JOBS");
    }
    if (show.what == "COLUMNS" && !cursor_.AcceptWord("FROM")) {
      MR_RETURN_IF_ERROR(cursor_.ExpectWord("IN", "or FROM after SHOW COLUMNS"));
    }
    if (show.what == "COLUMNS" || show.what.starts_with("CREATE ")) {
      MR_ASSIGN_OR_RETURN(show.name, cursor_.ExpectName("a table name"));
    }
    body = std::move(show);
    return Status::Ok();
  }

  Status ParseUse(Statement::Body& body) {
    cursor_.Next();
    Use use;
    if (cursor_.Peek().Is("MODULES")) {
      return Status(Code::kUnsupported, "USE MODULES is not supported")
          .At(cursor_.Span())
          .WithHint("leave it out: functions are built in");
    }
    if (cursor_.AcceptWord("CATALOG")) use.kind = ObjectKind::kCatalog;
    MR_ASSIGN_OR_RETURN(use.name, cursor_.ExpectName("a name"));
    body = std::move(use);
    return Status::Ok();
  }

  TokenCursor cursor_;
};

ParsedScript Parse(std::string_view text, const std::string& file, bool first_error_only) {
  Lexed lexed = Lex(text, SourceSpan{file, 1, 1, 0});
  ParsedScript script = ScriptParser(text, lexed.tokens, file).Run(first_error_only);
  if (lexed.status.ok()) return script;
  // The statement that the fault cut off would be reported as incomplete; the fault itself is what
  // the user has to see.
  const Token& end = lexed.tokens.back();
  // A statement without its ";" was cut off too.
  if (!script.statements.empty()) {
    const Fragment& last = script.statements.back().text;
    size_t cut = lexed.tokens.size() > 1 ? lexed.tokens[lexed.tokens.size() - 2].end() : 0;
    if (last.offset + last.text.size() == cut) script.statements.pop_back();
  }
  auto at_cut = [&](const Status& s) {
    return s.span().line == end.line && s.span().column == end.column;
  };
  std::erase_if(script.errors, at_cut);
  if (script.errors.empty() || !first_error_only) script.errors.push_back(lexed.status);
  return script;
}

}  // namespace

const std::string& Name::last() const {
  static const std::string empty;
  return parts.empty() ? empty : parts.back();
}

std::string Name::ToString() const { return Join(parts, "."); }

const char* StatementName(const Statement& statement) {
  static constexpr const char* kNames[] = {
      "CREATE TABLE", "CREATE VIEW", "CREATE FUNCTION", "INSERT", "STATEMENT SET", "SET",      "RESET", "EXPLAIN",
      "SELECT",       "DROP",        "SHOW",   "DESCRIBE",      "USE",      "CREATE DATABASE"};
  static_assert(std::size(kNames) == std::variant_size_v<Statement::Body>);
  return kNames[statement.body.index()];
}

Result<std::vector<Statement>> ParseScript(std::string_view text, const std::string& file) {
  ParsedScript script = Parse(text, file, true);
  if (!script.errors.empty()) return std::move(script.errors.front());
  return std::move(script.statements);
}

ParsedScript ParseScriptAll(std::string_view text, const std::string& file) {
  return Parse(text, file, false);
}

}  // namespace millrace::sql
