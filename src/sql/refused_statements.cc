#include "sql/refused_statements.h"

namespace millrace::sql {

const std::vector<RefusedStatement>& RefusedStatements() {
  static const std::vector<RefusedStatement> list = {
      {{"ALTER"}, "change the CREATE statement in the project's files"},
      {{"UPDATE"}, "write the new rows with INSERT INTO a table with a PRIMARY KEY"},
      {{"DELETE"}, "a stream's rows cannot be deleted; filter them in the query that reads them"},
      {{"TRUNCATE"}, "drop the table's topic or target, then run the job again"},
      {{"MERGE"}, "INSERT INTO a table with a PRIMARY KEY; rows are upserted by it"},
      {{"CREATE", "MATERIALIZED"}, "CREATE TABLE and INSERT INTO it, or a model in models/"},
      {{"CREATE", "MODEL"}, "write the expression in SQL"},
      {{"CREATE", "INDEX"}, "leave it out: keys and windows choose how state is kept"},
      {{"REPLACE", "TABLE"}, "write CREATE TABLE"},
      {{"CREATE", "OR", "REPLACE", "TABLE"}, "write CREATE TABLE"},
      {{"COMPILE"}, "leave it out: a job keeps its plan with its state"},
      {{"EXECUTE", "PLAN"}, "run the INSERT statement itself"},
      {{"EXECUTE", "IMMEDIATE"}, "write the statement itself"},
      {{"CALL"}, "leave it out"},
      {{"ANALYZE"}, "leave it out: plans do not depend on statistics"},
      {{"ADD"}, "leave it out: connectors and formats are built in"},
      {{"REMOVE"}, "leave it out: connectors and formats are built in"},
      {{"LOAD"}, "leave it out: connectors and formats are built in"},
      {{"UNLOAD"}, "leave it out: connectors and formats are built in"},
      {{"STOP"}, "end the process; jobs commit what they have and go on at the next start"},
      {{"QUIT"}, "leave it out"},
      {{"EXIT"}, "leave it out"},
      {{"SOURCE"}, "put the statements into the project's sql/ folder"},
  };
  return list;
}

}  // namespace millrace::sql
