//! What templates hold in their hands: tables of a query, macros, host functions.

use crate::blocks::{Signature, MACRO_NAME};
use crate::convert::{arguments, from_json, named};
use crate::engine::{Shared, BUILTINS};
use crate::mutable::Mutable;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::{json, Map, Value as Json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

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
pub struct Row {
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
pub struct Column {
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

/// The names a template can see: its node's values, macros, packages and host functions.
#[derive(Debug)]
pub struct Context {
    pub shared: Arc<Shared>,
    pub values: Arc<BTreeMap<String, Value>>,
    pub package: String,
}

impl Context {
    pub fn macro_value(self: &Arc<Self>, package: &str, name: &str) -> Option<Value> {
        self.shared.template_of(package, name).map(|(template, signature)| {
            Value::from_object(DbtMacro {
                template,
                signature,
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
    signature: Arc<Signature>,
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
        self.context.shared.note_called(&self.package, &self.name);
        let args = collect_others(&self.signature, args);
        let lent = LentCaller::lend(state, &args);
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

/// The arguments beyond those that a macro declares, put into `varargs` and `kwargs` if it asks.
fn collect_others(signature: &Signature, args: &[Value]) -> Vec<Value> {
    if !signature.varargs && !signature.kwargs {
        return args.to_vec();
    }
    let given = named(args);
    let mut positional = args[..args.len() - usize::from(given.is_some())].to_vec();
    let mut declared: Vec<(String, Value)> = Vec::new();
    let mut others: Vec<(String, Value)> = Vec::new();
    if signature.varargs && positional.len() > signature.names.len() {
        declared.push(("varargs".into(), positional.split_off(signature.names.len()).into()));
    }
    let given = given.iter().flat_map(|g| g.args().map(|name| (name, g.peek(name))));
    for (name, value) in given {
        let known = name == "caller" || signature.names.iter().any(|n| n == name);
        let to = if known || !signature.kwargs { &mut declared } else { &mut others };
        to.push((name.to_string(), value.unwrap_or_default()));
    }
    if signature.kwargs {
        declared.push(("kwargs".into(), others.into_iter().collect()));
    }
    if !declared.is_empty() {
        positional.push(declared.into_iter().collect::<Kwargs>().into());
    }
    positional
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
