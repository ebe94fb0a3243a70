// What a script consists of: the statements of the Flink SQL dialect, as read, not yet resolved.
//
// Contract: plain values, copyable, owned by whoever holds them. Nothing here was looked up in a
// catalog and no query was understood: a query or an expression is kept as a Fragment, the user's
// own text with its place in the file, so that every later error can point there.
#pragma once

#include <duckdb.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace millrace::sql {

// A piece of the script, verbatim. `span` is where it starts; span.length counts its bytes.
// Lines and columns count from 1; a column is a character (code point), not a byte.
struct Fragment {
  std::string text;
  size_t offset = 0;  // of the first byte, in the script
  SourceSpan span;

  bool empty() const { return text.empty(); }
};

// The place of byte `offset` of the fragment's text (clamped to its end) in the user's file.
SourceSpan LocateIn(const Fragment& fragment, size_t offset, size_t length = 1);

// A possibly qualified name: catalog.database.table; quotes are already taken off.
struct Name {
  std::vector<std::string> parts;
  SourceSpan span;

  // The unqualified name; "" when there is none.
  const std::string& last() const;
  std::string ToString() const;  // parts with dots, for messages
};

// ---- CREATE TABLE -----------------------------------------------------------------------------

enum class ColumnKind { kPhysical, kComputed, kMetadata };

struct ColumnDefinition {
  std::string name;
  ColumnKind kind = ColumnKind::kPhysical;
  duckdb::LogicalType type;  // INVALID for computed columns: the binder finds it
  Fragment type_text;        // empty for computed columns
  bool nullable = true;
  Fragment expression;        // kComputed: Flink text of the expression
  std::string metadata_key;   // kMetadata: FROM 'key', else the column's name
  bool is_virtual = false;    // kMetadata: not written by INSERT
  std::string comment;
  SourceSpan span;  // of the name
};

struct WatermarkDefinition {
  std::vector<std::string> column;  // usually one part; more for a nested field
  SourceSpan column_span;
  Fragment expression;  // Flink text
  SourceSpan span;      // of the whole clause
};

// What happens to a row for which the CHECK expression is FALSE (NULL passes, as in the standard).
enum class ViolationAction { kFail, kDeadLetter, kDrop, kWarn };

struct CheckConstraint {
  std::string name;  // given, or "check_<n>" with n from 1
  Fragment expression;
  ViolationAction action = ViolationAction::kDeadLetter;
  bool enforced = true;  // NOT ENFORCED: a declaration only
  SourceSpan span;
};

struct OptionValue {
  std::string value;
  SourceSpan key_span;
  SourceSpan value_span;
};
using OptionMap = std::map<std::string, OptionValue>;

struct LikeClause {
  Name table;
  // As written, upper case: {"INCLUDING", "ALL"}, {"EXCLUDING", "OPTIONS"} …; empty: the default
  // (everything, own options win).
  struct Choice {
    std::string mode;     // INCLUDING, EXCLUDING, OVERWRITING
    std::string feature;  // ALL, CONSTRAINTS, GENERATED, METADATA, OPTIONS, PARTITIONS, WATERMARKS
    SourceSpan span;
  };
  std::vector<Choice> choices;
};

struct CreateTable {
  Name name;
  bool if_not_exists = false;
  bool temporary = false;
  std::vector<ColumnDefinition> columns;  // as written
  std::optional<WatermarkDefinition> watermark;
  std::vector<std::string> primary_key;  // column names; empty: none
  SourceSpan primary_key_span;
  std::vector<CheckConstraint> constraints;
  std::vector<std::string> partitioned_by;
  SourceSpan partitioned_by_span;
  OptionMap options;
  std::string comment;
  std::optional<LikeClause> like;
  Fragment query;  // AS SELECT …: names and types of the columns come from it, and its rows go in
};

// ---- the others -------------------------------------------------------------------------------

struct CreateView {
  Name name;
  std::vector<std::string> columns;  // empty: the query's own names
  Fragment query;
  bool temporary = false;
  bool if_not_exists = false;
  bool or_replace = false;
  std::string comment;
};

struct FunctionParameter {
  std::string name;
  std::optional<duckdb::LogicalType> type;  // empty: any
  SourceSpan span;
};

enum class FunctionLanguage { kSql, kHttp };

// CREATE FUNCTION f(a INT, b STRING) [RETURNS type] AS expression, or AS 'expression' LANGUAGE SQL.
// CREATE FUNCTION f(a INT) RETURNS type LANGUAGE HTTP AS 'http://…' [WITH ('key' = 'value', …)].
struct CreateFunction {
  Name name;
  std::vector<FunctionParameter> parameters;
  Fragment returns;  // the type, or empty
  FunctionLanguage language = FunctionLanguage::kSql;
  Fragment body;      // Flink text of the expression, or the URL
  OptionMap options;  // of kHttp
  bool temporary = false;
  bool if_not_exists = false;
  bool or_replace = false;
};

struct Insert {
  Name target;
  std::vector<std::string> columns;  // INSERT INTO t (a, b); empty: all, by position
  Fragment query;                    // SELECT …, WITH …, VALUES …, or TABLE t
  bool overwrite = false;
  OptionMap options;                                 // INSERT INTO t /*+ OPTIONS(…) */
  std::map<std::string, std::string> partition;      // PARTITION (a = 'x')
  SourceSpan span;
};

// EXECUTE STATEMENT SET BEGIN … END, or BEGIN STATEMENT SET; … END: one job with many sinks.
struct StatementSet {
  std::vector<Insert> inserts;
};

// SET 'key' = 'value'. An empty key asks for the list of settings.
struct Set {
  std::string key;
  std::string value;
};
// RESET 'key'. An empty key resets all.
struct Reset {
  std::string key;
};

struct Select {
  Fragment query;
};

enum class ObjectKind { kTable, kView, kDatabase, kCatalog, kFunction };

struct Drop {
  ObjectKind kind = ObjectKind::kTable;
  Name name;
  bool if_exists = false;
  bool temporary = false;
};

// SHOW TABLES, SHOW CREATE TABLE t …: `what` in upper case with single blanks.
struct Show {
  std::string what;  // "TABLES", "VIEWS", "CREATE TABLE", "CREATE VIEW", "COLUMNS", "DATABASES" …
  Name name;         // of CREATE TABLE/VIEW and COLUMNS; may be empty
};

struct Describe {
  Name name;
};

// USE db, USE CATALOG c, and CREATE DATABASE/CATALOG: accepted so that scripts run unchanged.
struct Use {
  ObjectKind kind = ObjectKind::kDatabase;
  Name name;
};
struct CreateDatabase {
  ObjectKind kind = ObjectKind::kDatabase;
  Name name;
  bool if_not_exists = false;
};

struct Statement;

// EXPLAIN [PLAN FOR | ESTIMATED_COST, CHANGELOG_MODE, …] statement.
struct Explain {
  std::shared_ptr<const Statement> statement;
  std::vector<std::string> kinds;  // upper case; empty: the default
};

struct Statement {
  using Body = std::variant<CreateTable, CreateView, CreateFunction, Insert, StatementSet, Set, Reset, Explain,
                            Select, Drop, Show, Describe, Use, CreateDatabase>;
  Body body;
  Fragment text;  // the whole statement without its ';'

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&body);
  }
};

// "CREATE TABLE", "INSERT", … for messages.
const char* StatementName(const Statement& statement);

}  // namespace millrace::sql
