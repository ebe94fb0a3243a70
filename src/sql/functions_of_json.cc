#include "sql/function_spec.h"

namespace millrace::sql {

const std::vector<FunctionSpec>& JsonFunctions() {
  static const std::vector<FunctionSpec> list = {
      {"IS JSON", "text IS [NOT] JSON [VALUE | SCALAR | ARRAY | OBJECT]",
       "whether it is JSON (of that kind); NULL is not", "'{}' IS JSON OBJECT"},
      {"JSON_EXISTS", "JSON_EXISTS(text, path [{TRUE | FALSE | UNKNOWN} ON ERROR])",
       "whether there is something at the path, other than null",
       "JSON_EXISTS('{\"a\": [{ \"b\": 1 }]}', '$.a[0].b')"},
      {"JSON_VALUE",
       "JSON_VALUE(text, path [RETURNING type] [{NULL | DEFAULT value} ON EMPTY] "
       "[{NULL | DEFAULT value} ON ERROR])",
       "the scalar at the path; paths are `lax` or `strict`, with fields and indexes",
       "JSON_VALUE('{\"a\": true}', '$.a' RETURNING BOOLEAN)",
       {},
       "with RETURNING a scalar of another type is cast, or NULL; in Flink the job fails"},
      {"JSON_QUERY",
       "JSON_QUERY(text, path [WITH [CONDITIONAL] ARRAY WRAPPER] "
       "[{NULL | EMPTY ARRAY | EMPTY OBJECT} ON EMPTY] [… ON ERROR])",
       "the object or array at the path as text; [*] collects",
       "JSON_QUERY('{\"a\":[{\"c\":\"c1\"},{\"c\":\"c2\"}]}', 'lax $.a[*].c')"},
      {"JSON_STRING",
       "JSON_STRING(value)",
       "any value as JSON",
       "JSON_STRING(ARRAY[1, 2])",
       {{1, 1, "CAST(to_json($1) AS VARCHAR)"}},
       "a TIMESTAMP has a blank for the T, a DECIMAL no trailing zeros, an unnamed field no name"},
      {"JSON_OBJECT", "JSON_OBJECT([[KEY] key VALUE value] … [{NULL | ABSENT} ON NULL])",
       "a JSON object; other JSON functions inside are nested",
       "JSON_OBJECT('K1' VALUE 'V1', 'K2' VALUE 2)"},
      {"JSON_ARRAY", "JSON_ARRAY(value, … [{NULL | ABSENT} ON NULL])", "a JSON array",
       "JSON_ARRAY(1, '2')"},
      {"JSON",
       "JSON(text)",
       "in JSON_OBJECT and JSON_ARRAY: the text is JSON already",
       "JSON_OBJECT('a' VALUE JSON('{\"x\": 1}'))",
       {{1, 1, "CAST(json($1) AS VARCHAR)"}}},
      {"JSON_QUOTE",
       "JSON_QUOTE(text)",
       "as a string of JSON",
       "JSON_QUOTE('a \"b\"')",
       {{1, 1, "mr_json_quote($1)"}}},
      {"JSON_UNQUOTE",
       "JSON_UNQUOTE(text)",
       "the text that a string of JSON stands for",
       "JSON_UNQUOTE('\"abc\"')",
       {{1, 1, "mr_json_unquote($1)"}}},
  };
  return list;
}

}  // namespace millrace::sql
