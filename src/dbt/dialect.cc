#include "dbt/dialect.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace millrace::dbt {

std::string Dialect::Quote(const std::string& name) const {
  return QuoteIdentifier(name);
}

std::string Dialect::TableName(const Node& node) const {
  const std::string in_database = Quote(node.schema) + "." + Quote(node.alias);
  return node.database.empty() ? in_database : Quote(node.database) + "." + in_database;
}

std::string Dialect::SchemaName(const Node& node) const {
  return Quote(node.schema);
}

std::string Dialect::Relations() const {
  return "(SELECT table_catalog AS database, table_schema AS schema, table_name AS name, "
         "table_type AS kind FROM information_schema.tables)";
}

std::string Dialect::AnyValue(const std::string& type_name) const {
  return "CAST(NULL AS " + type_name + ")";
}

std::string Dialect::Differs(const std::string& a, const std::string& b) const {
  return a + " IS DISTINCT FROM " + b;
}

std::string Dialect::ValidTo(const std::string& /*from*/, const std::string& until) const {
  return "CAST(" + until + " AS TIMESTAMP)";
}

std::string QuoteWith(const std::string& mark, const std::string& name) {
  if (mark.empty()) return QuoteIdentifier(name);
  return mark + Join(Split(name, mark[0]), mark + mark) + mark;
}

std::string QualifiedName(const Node& node) {
  const std::string in_database = QuoteIdentifier(node.schema) + "." + QuoteIdentifier(node.alias);
  return node.database.empty() ? in_database : QuoteIdentifier(node.database) + "." + in_database;
}

std::string OnKeys(const std::vector<std::string>& keys) {
  std::vector<std::string> parts;
  for (const std::string& key : keys) {
    parts.push_back(fmt::format("target.{0} = staged.{0}", key));
  }
  return Join(parts, " AND ");
}

}  // namespace millrace::dbt
