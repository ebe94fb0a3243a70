//! Lists and dicts that templates change, which minijinja's own cannot be.

use crate::objects::{Column, Row, Table};
use crate::relation::{Description, Relation};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use std::sync::{Arc, Mutex};

/// Dicts are keyed by relations, too, whose names then count.
fn same_key(a: &Value, b: &Value) -> bool {
    let relations = (a.downcast_object_ref::<Relation>(), b.downcast_object_ref::<Relation>());
    match relations {
        (Some(a), Some(b)) => a.path() == b.path(),
        (None, None) => a == b,
        _ => false,
    }
}

/// A list or dict that can be changed, as Python's can.
#[derive(Debug)]
pub enum Mutable {
    List(Mutex<Vec<Value>>),
    Dict(Mutex<Vec<(Value, Value)>>),
}

impl Mutable {
    /// A copy of a plain list or dict; anything else, and what can be changed already, is itself.
    pub fn of(value: &Value) -> Value {
        let ours = value.downcast_object_ref::<Mutable>().is_some()
            || value.downcast_object_ref::<Relation>().is_some()
            || value.downcast_object_ref::<Table>().is_some()
            || value.downcast_object_ref::<Row>().is_some()
            || value.downcast_object_ref::<Column>().is_some()
            || value.downcast_object_ref::<Description>().is_some();
        if ours || !matches!(value.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::Iterable) {
            return value.clone();
        }
        let items = value.try_iter().into_iter().flatten();
        if value.kind() == ValueKind::Map {
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
                pairs.iter().find(|(k, _)| same_key(k, key)).map(|(_, v)| v.clone())
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
                    match pairs.iter_mut().find(|(k, _)| same_key(k, &key)) {
                        Some(pair) => pair.1 = value,
                        None => pairs.push((key, value)),
                    }
                }
            }
            (Mutable::Dict(pairs), "pop") => {
                let mut pairs = pairs.lock().unwrap();
                let at = pairs.iter().position(|(k, _)| same_key(k, &first));
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
