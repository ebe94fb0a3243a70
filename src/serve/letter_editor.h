// LetterEditor: changes the JSON of dead letters, by the list of an SQL UPDATE or a merge patch.
//
// Contract: one thread at a time. The letters' values only ever reach DuckDB as parameters of a
// prepared statement, never as SQL.
#pragma once

#include <duckdb.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::duck {
class Warehouse;
}

namespace millrace::serve {

class JsonObject;

class LetterEditor {
 public:
  // `assignments`: what stands behind SET in an UPDATE, in DuckDB's SQL, over the letter's fields:
  // strings are VARCHAR, numbers BIGINT or DOUBLE, booleans BOOLEAN, objects and arrays their JSON
  // as VARCHAR; columns of the table that the letter lacks are NULL. Error kSyntax.
  static Result<LetterEditor> ForAssignments(const std::string& assignments,
                                             duck::Warehouse& warehouse);
  // `patch`: an RFC 7396 merge patch. Error kInvalidArgument.
  static Result<LetterEditor> ForPatch(const std::string& patch);
  // The letter becomes `value`, whatever it was.
  static LetterEditor ForValue(const std::string& value);

  // `schema`: of the table that the letter should fit; null when there is none. Errors: the letter
  // is not a JSON object; an expression does not fit it; kUnknownColumn for an assignment to what
  // is neither a field nor a column.
  Result<std::string> Apply(const std::string& value, const model::Schema* schema);

 private:
  LetterEditor() = default;
  Result<std::string> Assign(const std::string& value, const model::Schema* schema);
  Status CheckNames(const JsonObject& object, const model::Schema* schema) const;

  std::string patch_;
  std::string value_;
  bool replaces_ = false;
  std::vector<std::pair<std::string, std::string>> assignments_;  // name, expression
  std::shared_ptr<duckdb::Connection> connection_;
  // By the names and types of the fields they take.
  std::map<std::string, std::shared_ptr<duckdb::PreparedStatement>> statements_;
};

}  // namespace millrace::serve
