// Templates: what a template of dbt can ask for, and rendering with it.
//
// A project is rendered twice. While reading (`execute` is false) config(), ref() and source() are
// noted on the node, and queries answer nothing; while running they have their real values.
//
// Source: https://docs.getdbt.com/reference/dbt-jinja-functions
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dbt/adapter.h"
#include "dbt/batches.h"
#include "dbt/ephemeral.h"
#include "dbt/project.h"

namespace millrace::dbt {

// What a unit test puts in the place of the project's own.
struct Replacements {
  Value vars, env_vars;
  Value macros;                               // {"is_incremental": true, "package.macro": value}
  std::map<std::string, CommonTable> inputs;  // by the node's id; no others can be read
};

// The piece of time that a microbatch model is compiled for: what it reads is cut down to it.
struct EventWindow {
  Batch batch;
  bool incremental = false;  // the table is there
};

// Contract: one thread at a time; Another() gives each further thread its own. The project's nodes
// are read by all of them, and each is written (`compiled`) by who compiles it.
class Templates {
 public:
  explicit Templates(Project& project);
  ~Templates();
  Templates(const Templates&) = delete;
  Templates& operator=(const Templates&) = delete;

  // One more, with an engine of its own, that knows what was deferred and where to print. No file
  // is read into the project from now on.
  std::unique_ptr<Templates> Another() const;

  // Notes what `node` is configured to be and what it depends on.
  Status Note(Node& node);
  // Its SQL, with the ephemeral models it reads put before it, and, of a stream model, the stream
  // models.
  Result<std::string> Compile(Node& node);
  // As Compile for a first run, without the ephemeral models: the text reads them by their
  // EphemeralName().
  Result<std::string> CompileAlone(Node& node);
  // Any other text for this node: hooks, expressions.
  Result<std::string> Render(Node& node, const std::string& source);
  // A text of a .yml file; only if it has Jinja in it.
  Result<std::string> RenderText(const std::string& text, const std::string& path);
  // Every text of a value.
  Status RenderAll(Value& value, const std::string& path);
  // A macro's value; null when the project has no such macro.
  Result<Value> Call(const std::string& macro, const Value& args, Node* node);

  // Holds for what is compiled from now on; null: nothing is replaced. Not owned.
  void set_replacements(const Replacements* replaced) { replaced_ = replaced; }
  // As above, for a microbatch model.
  void set_window(const EventWindow* window) { window_ = window; }
  // Tables of another place that ref() gives for these ids.
  void set_deferred(std::map<std::string, Value> relations) { deferred_ = std::move(relations); }
  // Without one (while reading) queries answer nothing.
  void set_adapter(Adapter* adapter) { adapter_ = adapter; }
  // While one is set, run_query and its like see what its transaction has done.
  void set_session(Session* session) { session_ = session; }
  Session* session() const { return session_; }
  // Whether is_incremental() holds for the node.
  void set_is_incremental(std::function<bool(const Node&)> f) { is_incremental_ = std::move(f); }
  // Prints what log(…, info=true) and print() say.
  void set_log(std::function<void(const std::string&)> f) { log_ = std::move(f); }

 private:
  Templates(Project& project, const Templates& like);
  JinjaEngine& engine() { return own_engine_ ? *own_engine_ : *project_.engine; }
  Result<Value> Answer(const std::string& name, const Value& args, const Value& kwargs);
  Result<Value> Config(const Value& args, const Value& kwargs);
  Result<Value> ConfigGet(const Value& args, const Value& kwargs, bool required);
  Result<Value> Ref(const Value& args, const Value& kwargs);
  Result<Value> Source(const Value& args);
  Result<Value> Var(const Value& args, const Value& kwargs);
  Result<Value> EnvVar(const Value& args, const Value& kwargs);
  Result<Value> AskAdapter(const std::string& method, const Value& args, const Value& kwargs);
  // {"$table": {"columns", "rows"}}
  Result<Value> Query(const std::string& sql);
  Result<Value> Columns(const Value& relation);
  Value Context();
  // A name in SQL, as the target's database has it; and a relation that will be shown so.
  std::string Quoted(const std::string& name) const;
  Value Named(Value relation) const;
  // A unit test's rows in the place of the node.
  Result<Value> Replaced(const Node& node) const;
  // Of `node`, cut down to the window if there is one.
  Value Cut(const Node& node, Value relation) const;
  Result<std::string> RenderFor(Node* node, const Template& source,
                                std::vector<std::string>* called = nullptr);

  Project& project_;
  std::unique_ptr<JinjaEngine> own_engine_;  // null: the project's
  Node* node_ = nullptr;                     // whose template is being rendered
  bool execute_ = false;
  bool for_stream_ = false;  // a stream model is being compiled: other ones are read as they run
  bool first_run_ = false;   // is_incremental() does not hold, whatever is there
  std::vector<std::string> ephemeral_;  // ids that the current text reads
  const Replacements* replaced_ = nullptr;
  const EventWindow* window_ = nullptr;
  std::map<std::string, Value> deferred_;
  Adapter* adapter_ = nullptr;
  Session* session_ = nullptr;
  std::function<bool(const Node&)> is_incremental_;
  std::function<void(const std::string&)> log_;
};

}  // namespace millrace::dbt
