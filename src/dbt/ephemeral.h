// Ephemeral models: put as common table expressions before the query that reads them.
#pragma once

#include <string>
#include <vector>

namespace millrace::dbt {

struct CommonTable {
  std::string name;
  std::string sql;
};

std::string EphemeralName(const std::string& model);

// `sql` with the tables before its own; it may begin with comments and with WITH [RECURSIVE].
// Names are as QuoteWith (dialect.h) makes them.
std::string WithCommonTables(const std::string& sql, const std::vector<CommonTable>& tables,
                             const std::string& quote_character = "");

// `sql` without blanks and semicolons at its end.
std::string Statement(std::string sql);

}  // namespace millrace::dbt
