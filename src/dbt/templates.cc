#include "dbt/templates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/strings.h"
#include "dbt/configs.h"
#include "dbt/ephemeral.h"
#include "dbt/model_versions.h"
#include "dbt/yaml.h"

namespace millrace::dbt {

namespace {

const Value& Argument(const Value& args, const Value& kwargs, size_t index, const char* name) {
  return index < args.list().size() ? args[index] : kwargs[name];
}

// The SQL of a relation's name that came back from a template.
std::string SqlName(const Value& relation, const std::string& quote_character) {
  const Value& parts = relation["$relation"];
  if (parts.is_null() || parts.has("text")) return parts["text"].text_or(relation.text());
  std::vector<std::string> names;
  for (const char* part : {"database", "schema", "identifier"}) {
    if (!parts[part].text().empty())
      names.push_back(QuoteWith(quote_character, parts[part].text()));
  }
  return Join(names, ".");
}

}  // namespace

Templates::Templates(Project& project) : project_(project) {
  project_.host = [this](const std::string& name, const Value& args, const Value& kwargs) {
    return Answer(name, args, kwargs);
  };
}

Templates::Templates(Project& project, const Templates& like)
    : project_(project), deferred_(like.deferred_), log_(like.log_) {
  own_engine_ =
      project_.engine->Fork([this](const std::string& name, const Value& args,
                                   const Value& kwargs) { return Answer(name, args, kwargs); });
}

std::string Templates::Quoted(const std::string& name) const {
  return QuoteWith(project_.profile.quote_character, name);
}

Value Templates::Named(Value relation) const {
  const std::string& mark = project_.profile.quote_character;
  if (mark.empty()) return relation;
  Value parts = relation["$relation"];
  parts.Set("quote_character", mark);
  return Value::Object({{"$relation", parts}});
}

Templates::~Templates() {
  if (!own_engine_) project_.host = nullptr;
}

std::unique_ptr<Templates> Templates::Another() const {
  return std::unique_ptr<Templates>(new Templates(project_, *this));
}

Value Templates::Context() {
  const Profile& profile = project_.profile;
  Value target = Value::Object({{"name", profile.target},
                                {"profile_name", profile.name},
                                {"schema", profile.schema},
                                {"database", profile.database},
                                {"dbname", profile.database},
                                {"type", profile.type},
                                {"path", profile.database_path},
                                {"threads", profile.threads}});
  for (const char* part : {"host", "port", "user"}) {
    if (profile.output.has(part)) target.Set(part, profile.output[part]);
  }
  Value context =
      Value::Object({{"target", target},
                     {"execute", execute_},
                     {"invocation_id", project_.invocation_id},
                     {"project_name", project_.name()},
                     {"dbt_version", "1.11.0"},
                     {"flags", Value::Object({{"FULL_REFRESH", project_.options.full_refresh},
                                              {"STORE_FAILURES", project_.options.store_failures},
                                              {"WHICH", "build"}})}});
  if (replaced_ != nullptr) {
    for (const auto& [name, value] : replaced_->macros.map()) {
      context.Set(name, Value::Object({{"$constant", value}}));
    }
  }
  if (node_ != nullptr) {
    const bool replaced = replaced_ != nullptr && replaced_->inputs.contains(node_->id);
    context.Set("this", replaced ? *Replaced(*node_) : Named(RelationOf(*node_)));
    context.Set("database", node_->database);
    context.Set("schema", node_->schema);
    Value batch;
    if (window_ != nullptr) {
      batch =
          Value::Object({{"event_time_start", Value::Object({{"$moment", window_->batch.from_us}})},
                         {"event_time_end", Value::Object({{"$moment", window_->batch.to_us}})}});
    }
    context.Set("model", Value::Object({{"name", node_->name},
                                        {"unique_id", node_->id},
                                        {"version", node_->properties["version"]},
                                        {"alias", node_->alias},
                                        {"schema", node_->schema},
                                        {"database", node_->database},
                                        {"package_name", node_->package},
                                        {"path", node_->path},
                                        {"original_file_path", node_->path},
                                        {"resource_type", node_->kind},
                                        {"fqn", node_->fqn},
                                        {"tags", node_->tags},
                                        {"columns", node_->properties["columns"]},
                                        {"description", node_->properties["description"]},
                                        {"config", node_->config},
                                        {"batch", batch}}));
  }
  return context;
}

Result<std::string> Templates::RenderFor(Node* node, const Template& source,
                                         std::vector<std::string>* called) {
  // A macro called while another node is rendered comes here again.
  Node* outer = std::exchange(node_, node);
  auto text = engine().Render(source, Context(), called);
  node_ = outer;
  return text;
}

Status Templates::Note(Node& node) {
  execute_ = false;
  auto text = RenderFor(&node, {node.package, node.path, node.line, node.code}, &node.macros);
  for (std::string& name : node.macros) name = "macro." + name;
  return text.status();
}

Result<std::string> Templates::Compile(Node& node) {
  execute_ = true;
  for_stream_ = node.kind == "model" && node.materialized() == "stream";
  ephemeral_.clear();
  MR_ASSIGN_OR_RETURN(std::string sql,
                      RenderFor(&node, {node.package, node.path, node.line, node.code}));
  std::vector<std::string> wanted = std::exchange(ephemeral_, {});
  std::vector<CommonTable> tables;
  // Ephemeral models read others: those come first, each once.
  std::function<Status(const std::string&)> add = [&](const std::string& id) -> Status {
    Node& other = *project_.Find(id);
    const std::string name = EphemeralName(NameWithVersion(other));
    for (const CommonTable& table : tables) {
      if (table.name == name) return Status::Ok();
    }
    MR_ASSIGN_OR_RETURN(std::string text,
                        RenderFor(&other, {other.package, other.path, other.line, other.code}));
    for (const std::string& inner : std::exchange(ephemeral_, {})) MR_RETURN_IF_ERROR(add(inner));
    tables.push_back({name, Statement(text)});
    return Status::Ok();
  };
  for (const std::string& id : wanted) MR_RETURN_IF_ERROR(add(id));
  if (replaced_ != nullptr) {
    for (const auto& [id, table] : replaced_->inputs) tables.push_back(table);
  }
  node.compiled = WithCommonTables(sql, tables, project_.profile.quote_character);
  return node.compiled;
}

Result<std::string> Templates::CompileAlone(Node& node) {
  execute_ = true;
  first_run_ = true;
  auto sql = RenderFor(&node, {node.package, node.path, node.line, node.code});
  first_run_ = false;
  ephemeral_.clear();
  return sql;
}

Result<std::string> Templates::Render(Node& node, const std::string& source) {
  execute_ = true;
  for_stream_ = false;
  return RenderFor(&node, {node.package, node.path, 1, source});
}

Result<std::string> Templates::RenderText(const std::string& text, const std::string& path) {
  if (text.find("{{") == std::string::npos && text.find("{%") == std::string::npos) return text;
  return RenderFor(nullptr, {project_.packages.empty() ? "" : project_.name(), path, 1, text});
}

Status Templates::RenderAll(Value& value, const std::string& path) {
  if (value.is_text()) {
    const std::string text = value.text();
    MR_ASSIGN_OR_RETURN(std::string out, RenderText(text, path));
    if (out == text) return Status::Ok();
    // "{{ var('n') }}" is a number if n is one.
    auto typed = ParseYaml(out, path);
    value = typed.ok() && !typed->is_map() && !typed->is_list() ? *typed : Value(out);
    return Status::Ok();
  }
  if (value.is_list()) {
    for (Value& item : value.list()) MR_RETURN_IF_ERROR(RenderAll(item, path));
  }
  if (value.is_map()) {
    for (auto& [key, item] : value.map()) {
      // Hooks are rendered when they run.
      if (key.ends_with("hook") || key.starts_with("on-run")) continue;
      MR_RETURN_IF_ERROR(RenderAll(item, path));
    }
  }
  return Status::Ok();
}

Result<Value> Templates::Call(const std::string& macro, const Value& args, Node* node) {
  Node* outer = std::exchange(node_, node);
  auto value = engine().Call(node ? node->package : project_.name(), macro, args, Context());
  node_ = outer;
  return value;
}

Result<Value> Templates::Answer(const std::string& name, const Value& args, const Value& kwargs) {
  if (name == "ref") return Ref(args, kwargs);
  if (name == "source") return Source(args);
  if (name == "config") return Config(args, kwargs);
  if (name == "config.get") return ConfigGet(args, kwargs, false);
  if (name == "config.require") return ConfigGet(args, kwargs, true);
  if (name == "config.persist_relation_docs" || name == "config.persist_column_docs")
    return Value(false);
  if (name == "var") return Var(args, kwargs);
  if (name == "var.has_var") {
    return Value(project_.FindVar(node_ ? node_->package : "", args[0].text()) != nullptr);
  }
  if (name == "env_var") return EnvVar(args, kwargs);
  if (name == "is_incremental") {
    if (window_ != nullptr) return Value(window_->incremental);
    if (first_run_) return Value(false);
    return Value(execute_ && node_ != nullptr && is_incremental_ && is_incremental_(*node_));
  }
  if (name == "should_full_refresh") {
    if (window_ != nullptr && window_->incremental) return Value(false);
    const Value& own = node_ ? node_->config["full_refresh"] : Value();
    return Value(own.truth_or(project_.options.full_refresh));
  }
  if (name == "run_query") {
    return execute_ ? Query(Argument(args, kwargs, 0, "sql").text()) : Value();
  }
  if (name == "log" || name == "print") {
    if (execute_ && log_ && (name == "print" || Argument(args, kwargs, 1, "info").truth())) {
      log_(Argument(args, kwargs, 0, "msg").text());
    }
    return Value("");
  }
  if (name == "doc") {
    auto found = project_.docs.find(args.list().empty() ? "" : args.list().back().text());
    return found == project_.docs.end() ? Value("") : Value(found->second);
  }
  if (name == "tojson") return Value(args[0].ToJson());
  if (name == "fromjson") return Value::FromJson(args[0].text());
  if (name == "fromyaml") return ParseYaml(args[0].text(), "fromyaml()");
  if (name == "exceptions.raise_compiler_error") {
    return Status(Code::kInvalidArgument, Argument(args, kwargs, 0, "msg").text());
  }
  if (name == "exceptions.warn") {
    if (log_) log_("warning: " + Argument(args, kwargs, 0, "msg").text());
    return Value("");
  }
  if (name == "api.Relation.create") {
    return Named(Value::Object({{"$relation", kwargs}}));
  }
  if (name.starts_with("adapter.")) return AskAdapter(name.substr(8), args, kwargs);
  return Status(Code::kUnsupported, fmt::format("\"{}\" is not known to templates here", name))
      .WithHint("docs/reference/dbt.md lists what templates can call");
}

Result<Value> Templates::Config(const Value& args, const Value& kwargs) {
  if (!execute_ && node_ != nullptr) {
    if (args[0].is_map()) MergeConfig(args[0], node_->config);
    MergeConfig(kwargs, node_->config);
  }
  return Value("");
}

Result<Value> Templates::ConfigGet(const Value& args, const Value& kwargs, bool required) {
  const std::string key = Argument(args, kwargs, 0, "name").text();
  if (node_ != nullptr && !node_->config[key].is_null()) return node_->config[key];
  if (!required) return Argument(args, kwargs, 1, "default");
  return Status(Code::kBadOption, fmt::format("config \"{}\" is required", key));
}

Result<Value> Templates::Ref(const Value& args, const Value& kwargs) {
  std::vector<std::string> names = args.texts();
  if (names.empty() || names.size() > 2) {
    return Status(Code::kInvalidArgument, "ref takes a model's name, or a package's and a model's");
  }
  const Reference asked(Reference::Entry(names, kwargs[kwargs.has("v") ? "v" : "version"]));
  static const Node kNobody;
  if (!execute_) {
    if (node_ != nullptr) {
      const Value ref = Reference::Entry(names, kwargs[kwargs.has("v") ? "v" : "version"]);
      bool known = false;
      for (const Value& old : node_->refs.list()) known |= old.ToJson() == ref.ToJson();
      if (!known) node_->refs.Append(ref);
    }
    // The other may not have been read yet.
    Node unknown;
    unknown.database = project_.profile.database;
    unknown.schema = project_.profile.schema;
    unknown.alias = names.back();
    return Named(RelationOf(unknown));
  }
  Node* node = project_.FindRef(asked.package, asked.place(), node_ ? *node_ : kNobody);
  if (node == nullptr) {
    return Status(Code::kUnknownTable, fmt::format("ref names \"{}\", which is no model, seed or "
                                                   "snapshot of the project",
                                                   asked.place()));
  }
  if (replaced_ != nullptr) return Replaced(*node);
  const bool is_stream = node->kind == "model" && node->materialized() == "stream";
  const bool is_ephemeral = node->kind == "model" && node->materialized() == "ephemeral";
  if (for_stream_ && !is_stream && !is_ephemeral) {
    return Status(Code::kUnsupported,
                  fmt::format("a stream cannot read \"{}\", which is a table that runs make",
                              node->name))
        .WithHint(
            "a stream model reads sources that are tables of sql/*.sql, ephemeral models and "
            "other stream models");
  }
  if (is_ephemeral || (for_stream_ && is_stream)) {
    ephemeral_.push_back(node->id);
    return Value::Object(
        {{"$relation", Value::Object({{"text", EphemeralName(NameWithVersion(*node))},
                                      {"identifier", EphemeralName(NameWithVersion(*node))},
                                      {"type", "cte"}})}});
  }
  auto deferred = deferred_.find(node->id);
  return Cut(*node, Named(deferred == deferred_.end() ? RelationOf(*node) : deferred->second));
}

Value Templates::Cut(const Node& node, Value relation) const {
  const std::string column = node.config["event_time"].text();
  if (window_ == nullptr || column.empty()) return relation;
  Value parts = relation["$relation"];
  parts.Set("filter",
            fmt::format("{0} >= '{1}' and {0} < '{2}'", column, TimeText(window_->batch.from_us),
                        TimeText(window_->batch.to_us)));
  // DuckDB needs no name for it, and the model may give one.
  if (project_.profile.type != "duckdb") {
    parts.Set("filter_alias", Quoted("_dbt_et_filter_subq_" + node.alias));
  }
  return Value::Object({{"$relation", parts}});
}

Result<Value> Templates::Replaced(const Node& node) const {
  auto found = replaced_->inputs.find(node.id);
  if (found == replaced_->inputs.end()) {
    return Status(Code::kBadOption,
                  fmt::format("the unit test gives no rows for \"{}\", which the model reads",
                              node.name))
        .WithHint("add it to `given`, if need be with rows: []");
  }
  const std::string& name = found->second.name;
  return Value::Object(
      {{"$relation",
        Value::Object({{"text", Quoted(name)}, {"identifier", name}, {"type", "cte"}})}});
}

Result<Value> Templates::Source(const Value& args) {
  if (args.list().size() != 2) {
    return Status(Code::kInvalidArgument, "source takes the source's name and the table's");
  }
  if (!execute_ && node_ != nullptr) node_->source_refs.Append(args);
  Node* node = project_.FindSource(args[0].text(), args[1].text());
  if (node != nullptr && replaced_ != nullptr) return Replaced(*node);
  if (node != nullptr && project_.options.streams.contains(node->alias)) {
    return Value::Object({{"$relation", Value::Object({{"text", Quoted(node->alias)},
                                                       {"identifier", node->alias}})}});
  }
  if (node != nullptr) return Cut(*node, Named(RelationOf(*node)));
  if (!execute_) return Value::Object({{"$relation", Value::Object({{"identifier", args[1]}})}});
  return Status(Code::kUnknownTable, fmt::format("there is no source \"{}\" with a table \"{}\"",
                                                 args[0].text(), args[1].text()));
}

Result<Value> Templates::Var(const Value& args, const Value& kwargs) {
  const std::string name = Argument(args, kwargs, 0, "name").text();
  if (replaced_ != nullptr && replaced_->vars.has(name)) return replaced_->vars[name];
  if (const Value* value = project_.FindVar(node_ ? node_->package : "", name)) return *value;
  if (args.list().size() > 1 || kwargs.has("default")) return Argument(args, kwargs, 1, "default");
  return Status(Code::kUnknownOption, fmt::format("var \"{}\" is not set and has no default", name))
      .WithHint("set it in dbt_project.yml under vars, or with --vars '{" + name + ": …}'");
}

Result<Value> Templates::EnvVar(const Value& args, const Value& kwargs) {
  const std::string name = Argument(args, kwargs, 0, "var").text();
  if (replaced_ != nullptr && replaced_->env_vars.has(name)) return replaced_->env_vars[name];
  if (const char* value = std::getenv(name.c_str())) return Value(value);
  if (args.list().size() > 1 || kwargs.has("default")) return Argument(args, kwargs, 1, "default");
  return Status(Code::kNotFound,
                fmt::format("environment variable \"{}\" is not set and has no default", name));
}

Result<Value> Templates::Columns(const Value& relation) {
  if (!execute_ || adapter_ == nullptr) return Value(Value::List{});
  const std::string table = SqlName(relation, project_.profile.quote_character);
  auto asked = session_ != nullptr ? session_->ColumnsOf(table) : adapter_->ColumnsOf(table);
  MR_ASSIGN_OR_RETURN(std::vector<Column> columns, std::move(asked));
  Value out = Value::List{};
  for (const Column& column : columns) {
    out.Append(Value::Object(
        {{"$column", Value::Object({{"name", column.name},
                                    {"dtype", column.type},
                                    {"quote_character", project_.profile.quote_character}})}}));
  }
  return out;
}

Result<Value> Templates::Query(const std::string& sql) {
  if (adapter_ == nullptr) return Value();
  auto asked = session_ != nullptr ? session_->Query(sql) : adapter_->Query(sql);
  MR_ASSIGN_OR_RETURN(Rows answer, std::move(asked));
  return Value::Object(
      {{"$table", Value::Object({{"columns", answer.columns}, {"rows", std::move(answer.rows)}})}});
}

Result<Value> Templates::AskAdapter(const std::string& method, const Value& args,
                                    const Value& kwargs) {
  if (method == "quote") return Value(Quoted(args[0].text()));
  if (method == "type") return Value(project_.profile.type);
  if (method == "get_columns_in_relation") return Columns(args[0]);
  if (method == "get_relation" || method == "check_schema_exists") {
    if (!execute_ || adapter_ == nullptr) return Value();
    const bool schema_only = method == "check_schema_exists";
    const std::string schema = Argument(args, kwargs, 1, "schema").text();
    const std::string table = Argument(args, kwargs, 2, "identifier").text();
    if (schema_only) {
      MR_ASSIGN_OR_RETURN(bool there, adapter_->HasSchema(schema));
      return Value(there);
    }
    MR_ASSIGN_OR_RETURN(Rows answer, adapter_->Lookup(schema, table));
    if (answer.rows.empty()) return Value();
    const Value& row = answer.rows.front();
    const char* kind = row[3].text() == "VIEW" ? "view" : "table";
    return Named(Value::Object({{"$relation", Value::Object({{"database", row[0]},
                                                             {"schema", row[1]},
                                                             {"identifier", row[2]},
                                                             {"type", kind}})}}));
  }
  if (method == "create_schema" || method == "drop_relation" || method == "drop_schema") {
    if (!execute_ || adapter_ == nullptr) return Value("");
    const Value& parts = args[0]["$relation"];
    const std::string schema = Quoted(parts["schema"].text());
    const std::string what = adapter_->SchemaKind();
    if (method == "create_schema") return Query("CREATE " + what + " IF NOT EXISTS " + schema);
    if (method == "drop_schema") {
      return Query("DROP " + what + " IF EXISTS " + schema + (what == "SCHEMA" ? " CASCADE" : ""));
    }
    const std::string kind = parts["type"].text() == "view" ? "VIEW " : "TABLE ";
    return Query("DROP " + kind + "IF EXISTS " +
                 SqlName(args[0], project_.profile.quote_character));
  }
  return Status(Code::kUnsupported, fmt::format("adapter.{} is not known here", method))
      .WithHint("docs/reference/dbt.md lists what templates can call");
}

}  // namespace millrace::dbt
