//! The engine: minijinja's environment with a project's macros, and the way to the host.

use crate::blocks::{prepared, split, Signature};
use crate::convert::{from_json, to_json};
use crate::formatting;
use crate::modules::Module;
use crate::moment;
use crate::objects::Context;
use crate::{Callback, Reply};
use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State};
use serde_json::{json, Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;
use std::sync::{Arc, Mutex};

/// The package of the macros that Millrace brings; `dbt` in templates.
pub const BUILTINS: &str = "dbt";

/// Between a path and a macro's name in the name of a template.
const SEPARATOR: char = '\u{1f}';

/// Objects with functions carry a dot; those without are called by themselves.
const HOST: [&str; 27] = [
    "adapter", "api", "api.Relation", "config", "doc", "env_var", "exceptions", "fromjson",
    "fromyaml", "is_incremental", "load_result", "local_md5", "log", "mutable", "print", "ref",
    "return", "run_query", "should_full_refresh", "source", "statement", "store_result", "tojson",
    "var", "set_sql_header", "run_started_at", "toyaml",
];

#[derive(Debug, Default)]
struct Macros {
    root: String,
    packages: BTreeSet<String>,
    templates: BTreeMap<(String, String), (String, Arc<Signature>)>,
    /// The project's macros that were called since the last answer.
    called: BTreeSet<String>,
}

pub struct Shared {
    callback: Callback,
    user: usize,
    macros: Mutex<Macros>,
    returned: Mutex<Option<Value>>,
    statements: Mutex<BTreeMap<String, Value>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    pub fn root(&self) -> String {
        self.macros.lock().unwrap().root.clone()
    }

    pub fn note_called(&self, package: &str, name: &str) {
        if package != BUILTINS {
            self.macros.lock().unwrap().called.insert(format!("{package}.{name}"));
        }
    }

    pub fn template_of(&self, package: &str, name: &str) -> Option<(String, Arc<Signature>)> {
        let key = (package.to_string(), name.to_string());
        self.macros.lock().unwrap().templates.get(&key).cloned()
    }

    pub fn has_package(&self, name: &str) -> bool {
        self.macros.lock().unwrap().packages.contains(name)
    }

    pub fn is_host(&self, name: &str) -> bool {
        HOST.contains(&name)
    }

    pub fn set_returned(&self, value: Value) {
        *self.returned.lock().unwrap() = Some(value);
    }

    pub fn take_returned(&self) -> Option<Value> {
        self.returned.lock().unwrap().take()
    }

    pub fn keep_statement(&self, name: &str, result: Value) {
        self.statements.lock().unwrap().insert(name.to_string(), result);
    }

    pub fn statement(&self, name: &str) -> Option<Value> {
        self.statements.lock().unwrap().get(name).cloned()
    }

    pub fn ask(&self, name: &str, args: Vec<Json>, kwargs: Map<String, Json>) -> Result<Value, Error> {
        let request = json!({"name": name, "args": args, "kwargs": kwargs}).to_string();
        let mut reply = Reply(None);
        let bytes = request.as_bytes();
        (self.callback)(self.user as *mut c_void, bytes.as_ptr() as *const _, bytes.len(), &mut reply);
        let answer: Json = serde_json::from_str(reply.0.as_deref().unwrap_or("{}"))
            .map_err(|e| Error::new(ErrorKind::InvalidOperation, e.to_string()))?;
        match answer.get("error").and_then(Json::as_str) {
            Some(message) => Err(Error::new(ErrorKind::InvalidOperation, message.to_string())),
            None => Ok(from_json(answer.get("ok").unwrap_or(&Json::Null))),
        }
    }
}

pub struct Engine {
    env: Environment<'static>,
    shared: Arc<Shared>,
}

impl Engine {
    pub fn new(callback: Callback, user: *mut c_void) -> Self {
        let mut env = Environment::new();
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_unknown_method_callback(python_method);
        env.add_function("set", python_set);
        env.add_function("zip", python_zip);
        for name in ["as_native", "as_bool", "as_number", "as_text"] {
            env.add_filter(name, |value: Value| value);
        }
        env.add_function("remainder", formatting::remainder);
        env.add_function("shifted", moment::shifted);
        let shared = Shared {
            callback,
            user: user as usize,
            macros: Mutex::default(),
            returned: Mutex::default(),
            statements: Mutex::default(),
        };
        Engine { env, shared: Arc::new(shared) }
    }

    /// One more with the macros that this one has, for another thread: what a rendering keeps on its
    /// way (returned values, statements' results, macros called) is its own.
    pub fn fork(&self, callback: Callback, user: *mut c_void) -> Self {
        let macros = self.shared.macros.lock().unwrap();
        let shared = Shared {
            callback,
            user: user as usize,
            macros: Mutex::new(Macros {
                root: macros.root.clone(),
                packages: macros.packages.clone(),
                templates: macros.templates.clone(),
                called: BTreeSet::new(),
            }),
            returned: Mutex::default(),
            statements: Mutex::default(),
        };
        Engine { env: self.env.clone(), shared: Arc::new(shared) }
    }

    pub fn add(&mut self, request: &Json) -> Result<Json, Json> {
        let text = |key: &str| request[key].as_str().unwrap_or_default().to_string();
        let (package, path) = (text("package"), text("path"));
        let blocks = split(&text("source")).map_err(|e| describe(&e, &path))?;
        let keeps = !package.is_empty();
        let mut listed = Vec::new();
        for block in blocks {
            if keeps && !block.template.is_empty() {
                let name = match block.kind {
                    "test" => format!("test_{}", block.name),
                    _ => block.name.clone(),
                };
                let template = format!("{path}{SEPARATOR}{package}.{name}");
                self.env
                    .add_template_owned(template.clone(), block.template)
                    .map_err(|e| describe(&e, &path))?;
                let mut macros = self.shared.macros.lock().unwrap();
                macros.packages.insert(package.clone());
                let signature = Arc::new(block.signature);
                macros.templates.insert((package.clone(), name), (template, signature));
            }
            listed.push(json!({"kind": block.kind, "name": block.name, "line": block.line,
                               "body": block.body}));
        }
        let mut macros = self.shared.macros.lock().unwrap();
        if request["root"] == Json::Bool(true) {
            macros.root = package;
        }
        Ok(json!({ "ok": listed }))
    }

    pub fn render(&self, request: &Json) -> Result<Json, Json> {
        let text = |key: &str| request[key].as_str().unwrap_or_default();
        let mut values = BTreeMap::new();
        if let Some(context) = request["context"].as_object() {
            values.extend(context.iter().map(|(k, v)| (k.clone(), from_json(v))));
            values.insert("modules".into(), Value::from_object(Module { path: "modules" }));
        }
        let context = Arc::new(Context {
            shared: self.shared.clone(),
            values: Arc::new(values),
            package: text("package").to_string(),
        });
        let path = text("path");
        if let Some(name) = request["macro"].as_str() {
            let place = request["macro_package"].as_str();
            let found = match place {
                Some(place) => context.macro_value(place, name),
                None => context.find_macro(name),
            };
            let Some(found) = found else {
                return Ok(json!({ "missing": true }));
            };
            let named = request["kwargs"].as_object().cloned().unwrap_or_default();
            let mut args: Vec<Value> =
                request["args"].as_array().into_iter().flatten().map(from_json).collect();
            if !named.is_empty() {
                let named = named.iter().map(|(k, v)| (k.clone(), from_json(v)));
                args.push(named.collect::<Kwargs>().into());
            }
            let value = found.call(&self.env.empty_state(), &args);
            return value.map(|v| json!({ "ok": to_json(&v) })).map_err(|e| describe(&e, path));
        }
        if request["context"]["execute"] == Json::Bool(false) {
            // What is read before must not show in what is noted of this node.
            self.shared.statements.lock().unwrap().clear();
            self.shared.macros.lock().unwrap().called.clear();
        }
        let lines_before = request["line"].as_u64().unwrap_or(1).max(1) as usize - 1;
        let source = "\n".repeat(lines_before) + &prepared(text("source"));
        let out = self.env.render_named_str(path, &source, Value::from_dyn_object(context));
        let called = std::mem::take(&mut self.shared.macros.lock().unwrap().called);
        let out = out.map_err(|e| describe(&e, path))?;
        let text = if lines_before > 0 { out.trim_start() } else { &out };
        Ok(json!({ "ok": text, "macros": called }))
    }
}

/// What minijinja's imitation of Python's methods lacks.
fn python_method(
    state: &State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if value.kind() == ValueKind::Seq && method == "index" {
        let wanted = args.first().cloned().unwrap_or_default();
        return match value.try_iter()?.position(|item| item == wanted) {
            Some(at) => Ok(Value::from(at)),
            None => Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("{wanted} is not in the list"),
            )),
        };
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
}

/// Each value once, sorted: equal sets are equal lists.
fn python_set(values: Option<Value>) -> Result<Value, Error> {
    let mut items: Vec<Value> = match values {
        Some(values) => values.try_iter()?.collect(),
        None => Vec::new(),
    };
    items.sort();
    items.dedup();
    Ok(items.into())
}

fn python_zip(lists: Rest<Value>) -> Result<Value, Error> {
    let lists: Result<Vec<Vec<Value>>, Error> =
        lists.iter().map(|list| list.try_iter().map(Iterator::collect)).collect();
    let lists = lists?;
    let length = lists.iter().map(Vec::len).min().unwrap_or(0);
    Ok((0..length).map(|i| lists.iter().map(|l| l[i].clone()).collect::<Value>()).collect())
}

/// The innermost place that minijinja knows, without our names of macro templates.
fn describe(error: &Error, path: &str) -> Json {
    let mut place = (error.name().unwrap_or(path).to_string(), error.line().unwrap_or(0));
    let mut message = error.detail().map_or_else(|| error.kind().to_string(), str::to_string);
    if !matches!(error.kind(), ErrorKind::InvalidOperation | ErrorKind::SyntaxError)
        && error.detail().is_some()
    {
        message = format!("{}: {message}", error.kind());
    }
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<Error>() {
            if let (Some(name), Some(line)) = (inner.name(), inner.line()) {
                place = (name.to_string(), line);
            }
            message = inner.detail().map_or_else(|| inner.kind().to_string(), str::to_string);
        }
        source = inner.source();
    }
    let file = place.0.split(SEPARATOR).next().unwrap_or_default();
    json!({"error": {"message": message, "file": file, "line": place.1}})
}
