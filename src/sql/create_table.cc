#include <duckdb.hpp>

#include "sql/create_table.h"

#include "base/strings.h"
#include "sql/types.h"

namespace millrace::sql {
namespace {

class TableBodyParser {
 public:
  TableBodyParser(TokenCursor& cursor, CreateTable& table) : cursor_(cursor), table_(table) {}

  Status Run() {
    if (cursor_.AcceptOperator("(")) {
      do {
        MR_RETURN_IF_ERROR(Element());
      } while (cursor_.AcceptOperator(","));
      MR_RETURN_IF_ERROR(cursor_.ExpectOperator(")", "or \",\" after a column"));
    }
    for (;;) {
      if (cursor_.AcceptWord("COMMENT")) {
        MR_ASSIGN_OR_RETURN(table_.comment, cursor_.ExpectString("a string with the comment"));
      } else if (cursor_.Peek().Is("PARTITIONED")) {
        MR_RETURN_IF_ERROR(PartitionedBy());
      } else if (cursor_.Peek().Is("DISTRIBUTED")) {
        return Status(Code::kUnsupported, "DISTRIBUTED BY is not supported")
            .At(cursor_.Span())
            .WithHint("leave it out: rows go to partitions by their key");
      } else if (cursor_.AcceptWord("WITH")) {
        MR_RETURN_IF_ERROR(ParseOptionList(cursor_, table_.options));
      } else if (cursor_.AcceptWord("LIKE")) {
        MR_RETURN_IF_ERROR(Like());
      } else {
        return Status::Ok();
      }
    }
  }

 private:
  Status Element() {
    const Token& first = cursor_.Peek();
    const Token& second = cursor_.Peek(1);
    if (first.Is("WATERMARK") && second.Is("FOR")) return WatermarkClause();
    if (first.Is("PRIMARY") && second.Is("KEY")) return PrimaryKey();
    if (first.Is("CONSTRAINT") && second.IsName()) return NamedConstraint();
    if (first.Is("CHECK") && second.IsOperator("(")) {
      return CheckClause("check_" + std::to_string(table_.constraints.size() + 1), cursor_.pos());
    }
    if (first.Is("UNIQUE") && (second.IsOperator("(") || second.Is("KEY"))) {
      return Status(Code::kUnsupported, "UNIQUE is not supported")
          .At(cursor_.Span())
          .WithHint("declare PRIMARY KEY (…) NOT ENFORCED");
    }
    return Column();
  }

  Status Column() {
    ColumnDefinition column;
    column.span = cursor_.Span();
    if (cursor_.Peek().IsOperator(")")) return cursor_.Unexpected("a column");
    MR_ASSIGN_OR_RETURN(column.name, cursor_.ExpectIdentifier("a column name"));
    if (cursor_.AcceptWord("AS")) {
      column.kind = ColumnKind::kComputed;
      column.type = duckdb::LogicalType::INVALID;
      size_t begin = cursor_.pos();
      cursor_.SkipTo({","}, {"COMMENT"});
      if (cursor_.pos() == begin) return cursor_.Unexpected("an expression after \"AS\"");
      column.expression = cursor_.MakeFragment(begin, cursor_.pos());
    } else {
      MR_ASSIGN_OR_RETURN(SqlType type, ParseType(cursor_));
      column.type = type.type;
      column.type_text = type.text;
      column.nullable = type.nullable;
      MR_RETURN_IF_ERROR(Metadata(column));
      MR_RETURN_IF_ERROR(ColumnConstraint(column));
    }
    if (cursor_.AcceptWord("COMMENT")) {
      MR_ASSIGN_OR_RETURN(column.comment, cursor_.ExpectString("a string with the comment"));
    }
    if (cursor_.Peek().Is("DEFAULT")) {
      return Status(Code::kUnsupported, "DEFAULT is not supported")
          .At(cursor_.Span())
          .WithHint("use COALESCE(\"" + column.name + "\", …) in the query that writes the table");
    }
    table_.columns.push_back(std::move(column));
    return Status::Ok();
  }

  Status Metadata(ColumnDefinition& column) {
    if (!cursor_.AcceptWord("METADATA")) return Status::Ok();
    column.kind = ColumnKind::kMetadata;
    column.metadata_key = column.name;
    if (cursor_.AcceptWord("FROM")) {
      MR_ASSIGN_OR_RETURN(column.metadata_key, cursor_.ExpectString("a string with the key"));
    }
    column.is_virtual = cursor_.AcceptWord("VIRTUAL");
    return Status::Ok();
  }

  // a INT PRIMARY KEY NOT ENFORCED, a INT CONSTRAINT pk PRIMARY KEY NOT ENFORCED
  Status ColumnConstraint(ColumnDefinition& column) {
    if (cursor_.Peek().Is("CONSTRAINT") && cursor_.Peek(2).Is("PRIMARY")) {
      cursor_.MoveTo(cursor_.pos() + 2);
    }
    if (!cursor_.Peek().Is("PRIMARY")) return Status::Ok();
    size_t begin = cursor_.pos();
    cursor_.Next();
    MR_RETURN_IF_ERROR(cursor_.ExpectWord("KEY", "after \"PRIMARY\""));
    return FinishPrimaryKey(begin, {column.name});
  }

  Status WatermarkClause() {
    size_t begin = cursor_.pos();
    if (table_.watermark) {
      return Status(Code::kBind, "table \"" + table_.name.last() + "\" has two watermarks")
          .At(cursor_.Span())
          .WithHint("keep the one for the column that windows use");
    }
    cursor_.MoveTo(begin + 2);
    WatermarkDefinition watermark;
    MR_ASSIGN_OR_RETURN(Name column, cursor_.ExpectName("the watermark's column"));
    watermark.column = column.parts;
    watermark.column_span = column.span;
    MR_RETURN_IF_ERROR(cursor_.ExpectWord("AS", "after the watermark's column"));
    size_t expression = cursor_.pos();
    cursor_.SkipTo({","});
    if (cursor_.pos() == expression) return cursor_.Unexpected("an expression after \"AS\"");
    watermark.expression = cursor_.MakeFragment(expression, cursor_.pos());
    watermark.span = cursor_.MakeFragment(begin, cursor_.pos()).span;
    table_.watermark = std::move(watermark);
    return Status::Ok();
  }

  Status PrimaryKey() {
    size_t begin = cursor_.pos();
    cursor_.MoveTo(begin + 2);
    MR_ASSIGN_OR_RETURN(auto columns, cursor_.ExpectIdentifierList("the key's columns"));
    return FinishPrimaryKey(begin, std::move(columns));
  }

  Status FinishPrimaryKey(size_t begin, std::vector<std::string> columns) {
    if (!table_.primary_key.empty()) {
      return Status(Code::kBind, "table \"" + table_.name.last() + "\" has two primary keys")
          .At(cursor_.At(begin).Span(cursor_.file()))
          .WithHint("a key of several columns is written PRIMARY KEY (a, b) NOT ENFORCED");
    }
    SourceSpan end = cursor_.Span();
    if (cursor_.AcceptWord("ENFORCED") || !cursor_.AcceptWords({"NOT", "ENFORCED"})) {
      return Status(Code::kSyntax, "a primary key must be NOT ENFORCED")
          .At(std::move(end))
          .WithHint("write PRIMARY KEY (" + Join(columns, ", ") +
                    ") NOT ENFORCED: rows are upserted by it, their uniqueness is not checked");
    }
    table_.primary_key = std::move(columns);
    table_.primary_key_span = cursor_.MakeFragment(begin, cursor_.pos()).span;
    return Status::Ok();
  }

  Status NamedConstraint() {
    size_t begin = cursor_.pos();
    cursor_.Next();
    MR_ASSIGN_OR_RETURN(std::string name, cursor_.ExpectIdentifier("the constraint's name"));
    if (cursor_.Peek().Is("PRIMARY") && cursor_.Peek(1).Is("KEY")) return PrimaryKey();
    if (cursor_.Peek().Is("CHECK")) return CheckClause(std::move(name), begin);
    return cursor_.Unexpected("PRIMARY KEY or CHECK after the constraint's name");
  }

  Status CheckClause(std::string name, size_t begin) {
    CheckConstraint check;
    check.name = std::move(name);
    cursor_.Next();
    MR_ASSIGN_OR_RETURN(check.expression, cursor_.ExpectParenthesised("the CHECK condition"));
    for (;;) {
      if (cursor_.AcceptWords({"NOT", "ENFORCED"})) {
        check.enforced = false;
      } else if (cursor_.AcceptWord("ENFORCED")) {
        check.enforced = true;
      } else if (cursor_.AcceptWords({"ON", "VIOLATION"})) {
        MR_ASSIGN_OR_RETURN(check.action, Action());
      } else {
        break;
      }
    }
    for (const CheckConstraint& other : table_.constraints) {
      if (EqualsIgnoreCase(other.name, check.name)) {
        return Status(Code::kBind, "constraint \"" + check.name + "\" is defined twice")
            .At(cursor_.At(begin).Span(cursor_.file()))
            .WithHint("give each its own name: CONSTRAINT name CHECK (…)");
      }
    }
    check.span = cursor_.MakeFragment(begin, cursor_.pos()).span;
    table_.constraints.push_back(std::move(check));
    return Status::Ok();
  }

  Result<ViolationAction> Action() {
    if (cursor_.AcceptWords({"DEAD", "LETTER"})) return ViolationAction::kDeadLetter;
    if (cursor_.AcceptWord("FAIL")) return ViolationAction::kFail;
    if (cursor_.AcceptWord("DROP")) return ViolationAction::kDrop;
    if (cursor_.AcceptWord("WARN")) return ViolationAction::kWarn;
    return cursor_.Unexpected("DEAD LETTER, FAIL, DROP or WARN after ON VIOLATION");
  }

  Status PartitionedBy() {
    size_t begin = cursor_.pos();
    cursor_.Next();
    MR_RETURN_IF_ERROR(cursor_.ExpectWord("BY", "after \"PARTITIONED\""));
    MR_ASSIGN_OR_RETURN(table_.partitioned_by,
                        cursor_.ExpectIdentifierList("the partition columns"));
    table_.partitioned_by_span = cursor_.MakeFragment(begin, cursor_.pos()).span;
    return Status::Ok();
  }

  Status Like() {
    LikeClause like;
    MR_ASSIGN_OR_RETURN(like.table, cursor_.ExpectName("a table name after \"LIKE\""));
    if (cursor_.AcceptOperator("(")) {
      while (!cursor_.AcceptOperator(")")) {
        LikeClause::Choice choice;
        choice.span = cursor_.Span();
        choice.mode = ToUpper(cursor_.Peek().text);
        if (choice.mode != "INCLUDING" && choice.mode != "EXCLUDING" &&
            choice.mode != "OVERWRITING") {
          return cursor_.Unexpected("INCLUDING, EXCLUDING, OVERWRITING or \")\"");
        }
        cursor_.Next();
        choice.feature = ToUpper(cursor_.Peek().text);
        static const std::vector<std::string> kFeatures = {
            "ALL", "CONSTRAINTS", "GENERATED", "METADATA", "OPTIONS", "PARTITIONS", "WATERMARKS"};
        if (std::find(kFeatures.begin(), kFeatures.end(), choice.feature) == kFeatures.end()) {
          return cursor_.Unexpected("one of " + Join(kFeatures, ", "));
        }
        cursor_.Next();
        like.choices.push_back(std::move(choice));
      }
    }
    table_.like = std::move(like);
    return Status::Ok();
  }

  TokenCursor& cursor_;
  CreateTable& table_;
};

}  // namespace

Status ParseTableBody(TokenCursor& cursor, CreateTable& table) {
  return TableBodyParser(cursor, table).Run();
}

Status ParseOptionList(TokenCursor& cursor, OptionMap& options) {
  MR_RETURN_IF_ERROR(cursor.ExpectOperator("(", "before the options"));
  if (cursor.AcceptOperator(")")) return Status::Ok();
  do {
    OptionValue option;
    option.key_span = cursor.Span();
    MR_ASSIGN_OR_RETURN(std::string key, cursor.ExpectString("an option's name in single quotes"));
    MR_RETURN_IF_ERROR(cursor.ExpectOperator("=", "after the option's name"));
    option.value_span = cursor.Span();
    MR_ASSIGN_OR_RETURN(option.value, cursor.ExpectString("the option's value in single quotes"));
    if (options.contains(key)) {
      return Status(Code::kBadOption, "option \"" + key + "\" is given twice")
          .At(option.key_span)
          .WithHint("keep one of them");
    }
    options.emplace(std::move(key), std::move(option));
  } while (cursor.AcceptOperator(","));
  return cursor.ExpectOperator(")", "or \",\" after an option");
}

}  // namespace millrace::sql
