#include "dbt/adapter.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "dbt/duckdb_adapter.h"
#include "dbt/postgres_adapter.h"

namespace millrace::dbt {

Result<std::unique_ptr<Adapter>> OpenAdapter(const Project& project) {
  if (project.profile.type == "postgres") return OpenPostgres(project);
  return OpenDuckDb(project);
}

std::string QualifiedName(const Node& node) {
  return QuoteIdentifier(node.database) + "." + QuoteIdentifier(node.schema) + "." +
         QuoteIdentifier(node.alias);
}

Result<std::string> Adapter::Existing(Session& session, const Node& node) {
  MR_ASSIGN_OR_RETURN(
      Rows answer,
      session.Query(fmt::format(
          "SELECT table_type FROM information_schema.tables WHERE lower(table_catalog) = lower({}) "
          "AND lower(table_schema) = lower({}) AND lower(table_name) = lower({})",
          QuoteLiteral(node.database), QuoteLiteral(node.schema), QuoteLiteral(node.alias))));
  return answer.rows.empty() ? std::string() : answer.rows[0][size_t{0}].text();
}

}  // namespace millrace::dbt
