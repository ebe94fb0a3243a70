//! Values between Jinja and JSON. Objects of ours travel as markers: `{"$relation": …}` for a name
//! of a table, `{"$table": {"columns", "rows"}}` for a query's answer, `{"$constant": value}` for a
//! function that always answers the same, `{"$column": {"name", "dtype", "quote_character"}}` for what a
//! table's column is, `{"$moment": microseconds since 1970}` for a time.

use crate::moment::Moment;
use crate::mutable::Mutable;
use crate::objects::{Constant, Table};
use crate::relation::{Description, Relation};
use minijinja::value::{Kwargs, Value, ValueKind};
use serde_json::{json, Map, Value as Json};

pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Object(map) => {
            if let Some(relation) = map.get("$relation") {
                return Value::from_object(Relation::new(relation));
            }
            if let Some(table) = map.get("$table") {
                return Value::from_object(Table::new(table));
            }
            if let Some(micros) = map.get("$moment").and_then(Json::as_i64) {
                return Value::from_object(Moment { micros, date_only: false });
            }
            if let Some(column) = map.get("$column") {
                let text = |key: &str| column[key].as_str().unwrap_or_default().to_string();
                return Value::from_object(Description {
                    name: text("name"),
                    dtype: text("dtype"),
                    quote_character: text("quote_character"),
                });
            }
            if let Some(value) = map.get("$constant") {
                return Value::from_object(Constant { value: from_json(value) });
            }
            map.iter().map(|(k, v)| (k.as_str(), from_json(v))).collect()
        }
        Json::Array(items) => items.iter().map(from_json).collect::<Vec<_>>().into(),
        other => Value::from_serialize(other),
    }
}

pub fn to_json(value: &Value) -> Json {
    if let Some(relation) = value.downcast_object_ref::<Relation>() {
        return json!({ "$relation": relation.parts });
    }
    if let Some(column) = value.downcast_object_ref::<Description>() {
        return json!({ "$column": { "name": column.name, "dtype": column.dtype,
            "quote_character": column.quote_character } });
    }
    if let Some(mutable) = value.downcast_object_ref::<Mutable>() {
        return to_json(&mutable.snapshot());
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => match value.try_iter() {
            Ok(items) => Json::Array(items.map(|v| to_json(&v)).collect()),
            Err(_) => Json::Null,
        },
        ValueKind::Map => {
            let mut map = Map::new();
            if let Ok(keys) = value.try_iter() {
                for key in keys {
                    let item = value.get_item(&key).unwrap_or_default();
                    map.insert(key.to_string(), to_json(&item));
                }
            }
            Json::Object(map)
        }
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool | ValueKind::Number | ValueKind::String => {
            serde_json::to_value(value).unwrap_or(Json::Null)
        }
        _ => Json::String(value.to_string()),
    }
}

/// The named arguments, which come last.
pub fn named(args: &[Value]) -> Option<Kwargs> {
    args.last().filter(|v| v.is_kwargs()).and_then(|v| Kwargs::try_from(v.clone()).ok())
}

/// The arguments of a call, without a `caller`.
pub fn arguments(args: &[Value]) -> (Vec<Json>, Map<String, Json>, Option<Value>) {
    let (positional, kwargs) = match named(args) {
        Some(kwargs) => (&args[..args.len() - 1], Some(kwargs)),
        None => (args, None),
    };
    let mut by_name = Map::new();
    let mut caller = None;
    if let Some(kwargs) = kwargs {
        for name in kwargs.args() {
            let Ok(value) = kwargs.peek::<Value>(name) else { continue };
            if name == "caller" {
                caller = Some(value);
            } else {
                by_name.insert(name.to_string(), to_json(&value));
            }
        }
    }
    (positional.iter().map(to_json).collect(), by_name, caller)
}
