// JinjaEngine: renders templates (minijinja, by way of jinja/, our crate with a C interface).
//
// Contract
//   threads   one engine is used by one thread at a time; Fork() gives another thread its own, so
//             that nobody waits for a template that is held up by a query of its own. Render may be
//             called from inside the host function.
//   host      functions that templates call (ref, config, run_query …) arrive at `HostFunction`:
//             name, positional and named arguments; its value, or its error, goes back into the
//             template. {"$relation": {database, schema, identifier, type | text}} is a table's
//             name in both directions, {"$table": {columns, rows}} a query's answer.
//   errors    carry file and line of the template; the code and hint of a host function's error
//   stay.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dbt/value.h"

namespace millrace::dbt {

// A block of a file that is not plain Jinja: macro, test, snapshot, docs, materialization.
struct TemplateBlock {
  std::string kind;
  std::string name;
  int line = 1;
  std::string body;  // of a macro or test with its tags
};

struct Template {
  std::string package;  // whose macros it sees first
  std::string path;     // for errors
  int line = 1;         // of the source's first line in that file
  std::string source;
};

class JinjaEngine {
 public:
  using HostFunction =
      std::function<Result<Value>(const std::string& name, const Value& args, const Value& kwargs)>;
  explicit JinjaEngine(HostFunction host);
  ~JinjaEngine();
  JinjaEngine(const JinjaEngine&) = delete;
  JinjaEngine& operator=(const JinjaEngine&) = delete;

  // One more with all macros that this one has (their compiled text is shared), for another thread.
  std::unique_ptr<JinjaEngine> Fork(HostFunction host) const;

  // Takes the file's macros in and lists its blocks. `root`: the package is the project itself.
  Result<std::vector<TemplateBlock>> Add(const std::string& package, const std::string& path,
                                         const std::string& source, bool root);
  // `context`: a map of the variables. `called`: gets the macros of projects that were called, as
  // "package.name"; may be null.
  Result<std::string> Render(const Template& source, const Value& context,
                             std::vector<std::string>* called = nullptr);
  // Calls a macro; null when there is none of that name.
  Result<Value> Call(const std::string& package, const std::string& macro, const Value& args,
                     const Value& context);

 private:
  struct Native;
  JinjaEngine(HostFunction host, const JinjaEngine& like);
  Result<Value> Ask(const Value& request);
  std::unique_ptr<Native> native_;
};

}  // namespace millrace::dbt
