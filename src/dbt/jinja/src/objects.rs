//! What templates hold in their hands: relations, tables of a query, macros, host functions.

use crate::blocks::MACRO_NAME;
use crate::convert::{arguments, from_json, named};
use crate::engine::{Shared, BUILTINS};
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::{json, Map, Value as Json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// The name of a table: parts database, schema, identifier, type; or `text`, taken as it is.
#[derive(Debug)]
pub struct Relation {
    pub parts: Json,
}

impl Relation {
    pub fn new(parts: &Json) -> Self {
        Relation { parts: parts.clone() }
    }

    fn part(&self, name: &str) -> Option<&str> {
        self.parts.get(name).and_then(Json::as_str).filter(|s| !s.is_empty())
    }

    fn with(&self, changes: &Map<String, Json>, drop_only: bool) -> Value {
        let mut parts = self.parts.clone();
        for (key, value) in changes {
            if !drop_only {
                parts[key.as_str()] = value.clone();
            } else if value == &Json::Bool(false) {
                parts[key.as_str()] = Json::Null;
            }
        }
        Value::from_object(Relation { parts })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.part("text") {
            return f.write_str(text);
        }
        let quoted: Vec<String> = ["database", "schema", "identifier"]
            .iter()
            .filter_map(|p| self.part(p))
            .map(|p| format!("\"{}\"", p.replace('"', "\"\"")))
            .collect();
        f.write_str(&quoted.join("."))
    }
}

impl Object for Relation {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let kind = self.part("type").unwrap_or("");
        Some(match key.as_str()? {
            "name" | "table" => Value::from(self.part("identifier")),
            "is_table" => Value::from(kind == "table"),
            "is_view" => Value::from(kind == "view"),
            "is_cte" => Value::from(kind == "cte"),
            other => from_json(self.parts.get(other)?),
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let (_, named, _) = arguments(args);
        match method {
            "render" => Ok(Value::from(self.to_string())),
            "include" => Ok(self.with(&named, true)),
            "incorporate" => {
                let path = named.get("path").and_then(Json::as_object).cloned();
                let mut changes = path.unwrap_or_default();
                if let Some(kind) = named.get("type") {
                    changes.insert("type".into(), kind.clone());
                }
                Ok(self.with(&changes, false))
            }
            "without_identifier" => {
                let mut changes = Map::new();
                changes.insert("identifier".into(), Json::Bool(false));
                Ok(self.with(&changes, true))
            }
            "quote" => Ok(Value::from_dyn_object(self.clone())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A query's answer, with the parts of an agate table that templates use.
#[derive(Debug)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Value>,
    cells: Vec<Vec<Value>>,
}

impl Table {
    pub fn new(json: &Json) -> Self {
        let strings = |v: &Json| v.as_str().unwrap_or_default().to_string();
        let list = |v: Option<&Json>| v.and_then(Json::as_array).cloned().unwrap_or_default();
        let columns: Vec<String> = list(json.get("columns")).iter().map(strings).collect();
        let cells: Vec<Vec<Value>> = list(json.get("rows"))
            .iter()
            .map(|row| list(Some(row)).iter().map(from_json).collect())
            .collect();
        let names = Arc::new(columns.clone());
        let rows = cells
            .iter()
            .map(|row| Value::from_object(Row { names: names.clone(), cells: row.clone() }))
            .collect();
        Table { columns, rows, cells }
    }

    fn column(&self, index: usize) -> Value {
        let cells = self.cells.iter().map(|row| row[index].clone()).collect();
        Value::from_object(Column { name: self.columns[index].clone(), cells })
    }
}

impl Object for Table {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "columns" => {
                let all = (0..self.columns.len()).map(|i| self.column(i)).collect();
                let names = Arc::new(self.columns.clone());
                Some(Value::from_object(Row { names, cells: all }))
            }
            "rows" => Some(Value::from(self.rows.clone())),
            "column_names" => Some(Value::from(self.columns.clone())),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.rows.clone())
    }

    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }
}

/// Values that have a position and a name: a table's row, or its columns.
#[derive(Debug)]
struct Row {
    names: Arc<Vec<String>>,
    cells: Vec<Value>,
}

impl Object for Row {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(name) = key.as_str() {
            let index = self.names.iter().position(|n| n.eq_ignore_ascii_case(name))?;
            return Some(self.cells[index].clone());
        }
        self.cells.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.cells.len())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "values" => Ok(Value::from(self.cells.clone())),
            "keys" => Ok(Value::from(self.names.as_ref().clone())),
            "items" => {
                let pairs = self.names.iter().zip(&self.cells);
                Ok(pairs.map(|(n, c)| Value::from(vec![Value::from(n), c.clone()])).collect())
            }
            "get" => Ok(args.first().and_then(|k| self.get_value(k)).unwrap_or(Value::from(()))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

#[derive(Debug)]
struct Column {
    name: String,
    cells: Vec<Value>,
}

impl Object for Column {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("name") => Some(Value::from(&self.name)),
            Some(_) => None,
            None => self.cells.get(key.as_usize()?).cloned(),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.cells.len())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "values" => Ok(Value::from(self.cells.clone())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// A list or dict that can be changed, as Python's can.
#[derive(Debug)]
pub enum Mutable {
    List(Mutex<Vec<Value>>),
    Dict(Mutex<Vec<(Value, Value)>>),
}

impl Mutable {
    pub fn of(value: &Value) -> Value {
        let items = value.try_iter().into_iter().flatten();
        if value.kind() == minijinja::value::ValueKind::Map {
            let pairs = items.map(|k| (k.clone(), value.get_item(&k).unwrap_or_default()));
            return Value::from_object(Mutable::Dict(Mutex::new(pairs.collect())));
        }
        Value::from_object(Mutable::List(Mutex::new(items.collect())))
    }

    pub fn snapshot(&self) -> Value {
        match self {
            Mutable::List(items) => Value::from(items.lock().unwrap().clone()),
            Mutable::Dict(pairs) => pairs.lock().unwrap().iter().cloned().collect(),
        }
    }
}

impl Object for Mutable {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match **self {
            Mutable::List(_) => ObjectRepr::Seq,
            Mutable::Dict(_) => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match &**self {
            Mutable::List(items) => items.lock().unwrap().get(key.as_usize()?).cloned(),
            Mutable::Dict(pairs) => {
                let pairs = pairs.lock().unwrap();
                pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone())
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &**self {
            Mutable::List(items) => Enumerator::Seq(items.lock().unwrap().len()),
            Mutable::Dict(pairs) => {
                Enumerator::Values(pairs.lock().unwrap().iter().map(|(k, _)| k.clone()).collect())
            }
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let first = args.first().cloned().unwrap_or_default();
        match (&**self, method) {
            (Mutable::List(items), "append") => items.lock().unwrap().push(first),
            (Mutable::List(items), "extend") => {
                let more: Vec<Value> = first.try_iter()?.collect();
                items.lock().unwrap().extend(more);
            }
            (Mutable::List(items), "insert") => {
                let mut items = items.lock().unwrap();
                let at = first.as_usize().unwrap_or(0).min(items.len());
                items.insert(at, args.get(1).cloned().unwrap_or_default());
            }
            (Mutable::List(items), "remove") => {
                let mut items = items.lock().unwrap();
                if let Some(at) = items.iter().position(|v| *v == first) {
                    items.remove(at);
                }
            }
            (Mutable::List(items), "pop") => {
                let mut items = items.lock().unwrap();
                let at = first.as_usize().unwrap_or(items.len().saturating_sub(1));
                return if at < items.len() {
                    Ok(items.remove(at))
                } else {
                    Err(Error::new(ErrorKind::InvalidOperation, "pop from a list without that item"))
                };
            }
            (Mutable::Dict(pairs), "update") => {
                let source = first;
                for key in source.try_iter()? {
                    let value = source.get_item(&key)?;
                    let mut pairs = pairs.lock().unwrap();
                    match pairs.iter_mut().find(|(k, _)| *k == key) {
                        Some(pair) => pair.1 = value,
                        None => pairs.push((key, value)),
                    }
                }
            }
            (Mutable::Dict(pairs), "pop") => {
                let mut pairs = pairs.lock().unwrap();
                let at = pairs.iter().position(|(k, _)| *k == first);
                return Ok(match at {
                    Some(at) => pairs.remove(at).1,
                    None => args.get(1).cloned().unwrap_or(Value::from(())),
                });
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(Value::from(()))
    }
}

/// The names a template can see: its node's values, macros, packages and host functions.
#[derive(Debug)]
pub struct Context {
    pub shared: Arc<Shared>,
    pub values: Arc<BTreeMap<String, Value>>,
    pub package: String,
}

impl Context {
    pub fn macro_value(self: &Arc<Self>, package: &str, name: &str) -> Option<Value> {
        self.shared.template_of(package, name).map(|template| {
            Value::from_object(DbtMacro {
                template,
                package: package.to_string(),
                name: name.to_string(),
                context: self.clone(),
            })
        })
    }

    /// By dbt's rule: the own package, the project, then what is built in.
    pub fn find_macro(self: &Arc<Self>, name: &str) -> Option<Value> {
        let root = self.shared.root();
        let places = [self.package.as_str(), root.as_str(), BUILTINS];
        places.iter().find_map(|package| self.macro_value(package, name))
    }

    /// dbt's name of the target's type.
    fn adapter_type(&self) -> String {
        let kind = self.values.get("target").and_then(|t| t.get_attr("type").ok());
        kind.and_then(|k| k.as_str().map(str::to_string)).unwrap_or_default()
    }

    /// The adapter's own form of a macro in the given packages, or the default form.
    pub fn dispatch(self: &Arc<Self>, name: &str, package: Option<&str>) -> Option<Value> {
        let root = self.shared.root();
        let mut places = vec![root.as_str()];
        places.extend(package);
        places.push(self.package.as_str());
        places.push(BUILTINS);
        [self.adapter_type().as_str(), "default"].iter().find_map(|prefix| {
            let full = format!("{prefix}__{name}");
            places.iter().find_map(|place| self.macro_value(place, &full))
        })
    }
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if let Some(value) = self.values.get(name) {
            return Some(value.clone());
        }
        if let Some(found) = self.find_macro(name) {
            return Some(found);
        }
        if self.shared.is_host(name) {
            return Some(Value::from_object(Host { name: name.into(), context: self.clone() }));
        }
        if self.shared.has_package(name) {
            return Some(Value::from_object(Package { name: name.into(), context: self.clone() }));
        }
        None
    }
}

/// A macro's place taken by a unit test: whatever the arguments, one value.
#[derive(Debug)]
pub struct Constant {
    pub value: Value,
}

impl Object for Constant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &State<'_, '_>, _args: &[Value]) -> Result<Value, Error> {
        Ok(self.value.clone())
    }
}

/// `dbt_utils` in `dbt_utils.star(…)`.
#[derive(Debug)]
struct Package {
    name: String,
    context: Arc<Context>,
}

impl Object for Package {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if let Some(constant) = self.context.values.get(&format!("{}.{name}", self.name)) {
            return Some(constant.clone());
        }
        let package = if self.name == "dbt" { BUILTINS } else { &self.name };
        self.context.macro_value(package, name)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match self.get_value(&Value::from(method)) {
            Some(found) => found.call(state, args),
            None => Err(Error::new(
                ErrorKind::UnknownFunction,
                format!("there is no macro \"{method}\" in package \"{}\"", self.name),
            )),
        }
    }
}

/// A macro of a project, whose value is what `return` gave, or else its text.
struct DbtMacro {
    template: String,
    package: String,
    name: String,
    context: Arc<Context>,
}

impl fmt::Debug for DbtMacro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}.{}>", self.package, self.name)
    }
}

impl Object for DbtMacro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let context = Context {
            shared: self.context.shared.clone(),
            values: self.context.values.clone(),
            package: self.package.clone(),
        };
        let template = state.env().get_template(&self.template)?;
        let inner = template.render_captured(Value::from_object(context))?;
        let inner = inner.state();
        let body = inner.lookup(MACRO_NAME).ok_or_else(|| {
            Error::new(ErrorKind::UnknownFunction, format!("macro \"{}\" is gone", self.name))
        })?;
        let lent = LentCaller::lend(state, args);
        let result = body.call(inner, &lent.args);
        match result {
            Ok(text) => Ok(text),
            Err(error) => match self.context.shared.take_returned() {
                Some(value) => Ok(value),
                None => Err(error),
            },
        }
    }
}

/// minijinja's `caller` only works with the state it was made in: lends that state to the macro for
/// as long as the call lasts.
struct LentCaller {
    args: Vec<Value>,
    lent: Option<Arc<Caller>>,
}

#[derive(Debug)]
struct Caller {
    state: Mutex<usize>,
    body: Value,
}

impl LentCaller {
    fn lend(state: &State<'_, '_>, args: &[Value]) -> LentCaller {
        let mut out = args.to_vec();
        let Some(kwargs) = named(args) else {
            return LentCaller { args: out, lent: None };
        };
        let Ok(body) = kwargs.peek::<Value>("caller") else {
            return LentCaller { args: out, lent: None };
        };
        let address = state as *const State<'_, '_> as usize;
        let caller = Arc::new(Caller { state: Mutex::new(address), body });
        let named: Vec<(String, Value)> = kwargs
            .args()
            .map(|name| {
                let value = match name {
                    "caller" => Value::from_dyn_object(caller.clone()),
                    _ => kwargs.peek(name).unwrap_or_default(),
                };
                (name.to_string(), value)
            })
            .collect();
        out.pop();
        out.push(named.into_iter().collect::<Kwargs>().into());
        LentCaller { args: out, lent: Some(caller) }
    }
}

impl Drop for LentCaller {
    fn drop(&mut self) {
        if let Some(caller) = &self.lent {
            *caller.state.lock().unwrap() = 0;
        }
    }
}

impl Object for Caller {
    fn call(self: &Arc<Self>, _state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let address = *self.state.lock().unwrap();
        if address == 0 {
            let message = "caller() outside of the macro it was given to";
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
        // The address is only set while `lend`'s state is alive, further up on this stack.
        let state = unsafe { &*(address as *const State<'_, '_>) };
        self.body.call(state, args)
    }
}

/// A function, or an object with functions, that Millrace answers.
#[derive(Debug)]
pub struct Host {
    name: String,
    context: Arc<Context>,
}

impl Host {
    fn ask(&self, name: &str, args: &[Value], state: &State<'_, '_>) -> Result<Value, Error> {
        let shared = &self.context.shared;
        match name {
            "return" => {
                shared.set_returned(args.first().cloned().unwrap_or(Value::from(())));
                return Err(Error::new(ErrorKind::InvalidOperation, "return outside of a macro"));
            }
            "mutable" => return Ok(Mutable::of(args.first().unwrap_or(&Value::UNDEFINED))),
            "adapter.dispatch" => return self.dispatch(args),
            "statement" => return self.statement(args, state),
            "load_result" => {
                let name = args.first().map(|a| a.to_string()).unwrap_or_default();
                return Ok(shared.statement(&name).unwrap_or(Value::from(())));
            }
            _ => {}
        }
        let (positional, named, _) = arguments(args);
        shared.ask(name, positional, named)
    }

    fn dispatch(&self, args: &[Value]) -> Result<Value, Error> {
        let (positional, named, _) = arguments(args);
        let text = |v: Option<&Json>| v.and_then(Json::as_str).map(str::to_string);
        let name = text(positional.first().or(named.get("macro_name"))).unwrap_or_default();
        let package = text(positional.get(1).or(named.get("macro_namespace")));
        let package = package.map(|p| if p == "dbt" { BUILTINS.to_string() } else { p });
        self.context.dispatch(&name, package.as_deref()).ok_or_else(|| {
            let kind = self.context.adapter_type();
            let message = format!("no macro \"{kind}__{name}\" or \"default__{name}\" to dispatch to");
            Error::new(ErrorKind::UnknownFunction, message)
        })
    }

    /// `{% call statement('name', fetch_result=True) %} sql {% endcall %}`
    fn statement(&self, args: &[Value], state: &State<'_, '_>) -> Result<Value, Error> {
        let (positional, named, caller) = arguments(args);
        let Some(caller) = caller else {
            return Err(Error::new(ErrorKind::InvalidOperation, "statement needs a call block"));
        };
        let sql = caller.call(state, &[])?.to_string();
        let table = self.context.shared.ask("run_query", vec![json!(sql)], Map::new())?;
        let name = positional.first().or(named.get("name")).and_then(Json::as_str);
        if let Some(name) = name {
            let data = table.get_attr("rows").unwrap_or_default();
            let result = [("table", table), ("data", data)].into_iter().collect();
            self.context.shared.keep_statement(name, result);
        }
        Ok(Value::from(""))
    }
}

impl Object for Host {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let full = format!("{}.{}", self.name, key.as_str()?);
        let known = self.context.shared.is_host(&full);
        known.then(|| Value::from_object(Host { name: full, context: self.context.clone() }))
    }

    fn call(self: &Arc<Self>, state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.ask(&self.name, args, state)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        self.ask(&format!("{}.{method}", self.name), args, state)
    }
}
