// Dialect: what has another text in each database. The defaults are what DuckDB and PostgreSQL
// share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dbt/node.h"

namespace millrace::dbt {

class Dialect {
 public:
  virtual ~Dialect() = default;

  // A name between the marks that make any text one.
  virtual std::string Quote(const std::string& name) const;
  // "db"."schema"."name", or without "db" where databases have no name.
  std::string TableName(const Node& node) const;
  // What CAST makes a text of any length.
  virtual std::string TextType() const { return "varchar"; }
  // "database"."schema" where a database can be named.
  virtual std::string SchemaName(const Node& node) const;
  // What a schema is called in CREATE and DROP.
  virtual std::string SchemaKind() const { return "SCHEMA"; }
  // A query in brackets that gives database, schema, name and kind ("BASE TABLE", "VIEW", …) of
  // every relation.
  virtual std::string Relations() const;
  // A literal of a TIMESTAMP, microseconds since 1970 in UTC.
  virtual std::string TimestampLiteral(int64_t micros) const = 0;
  // Microseconds since 1970 of a date or timestamp, as a whole number.
  virtual std::string MicrosOf(const std::string& expression) const = 0;
  // The database's name of a seed's column type: INTEGER, BIGINT, DOUBLE, DATE, TIMESTAMP, BOOLEAN,
  // VARCHAR.
  virtual std::string SeedType(const std::string& type) const = 0;
  // A value of that type, whichever.
  virtual std::string AnyValue(const std::string& type_name) const;
  // A text's hash, which identifies a version of a snapshot.
  virtual std::string Hash(const std::string& text) const { return "md5(" + text + ")"; }
  // Whether two values differ, as which NULL is one like any other.
  virtual std::string Differs(const std::string& a, const std::string& b) const;
  // `until` ("NULL" for open) as the end of versions that begin at `from`.
  virtual std::string ValidTo(const std::string& from, const std::string& until) const;
  // Whether a constraint of that type can be declared; others are left out of a table.
  virtual bool Holds(const std::string& /*constraint*/) const { return true; }
};

// A name between marks, which are doubled within it; "" for double quotes.
std::string QuoteWith(const std::string& mark, const std::string& name);
// Dialect::TableName where names are in double quotes.
std::string QualifiedName(const Node& node);
// target.a = staged.a AND target.b = staged.b
std::string OnKeys(const std::vector<std::string>& keys);

}  // namespace millrace::dbt
