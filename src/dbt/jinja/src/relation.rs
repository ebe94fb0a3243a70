//! Names of tables, and what their columns are.

use crate::convert::{arguments, from_json};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::{Map, Value as Json};
use std::fmt;
use std::sync::Arc;

/// A name as SQL has it, between marks that are doubled within it; `"` where the database says no other.
fn quoted(name: &str, mark: &str) -> String {
    let mark = if mark.is_empty() { "\"" } else { mark };
    format!("{mark}{}{mark}", name.replace(mark, &mark.repeat(2)))
}

/// The name of a table: parts database, schema, identifier, type, quote_character; or `text`, taken as it is. With
/// `filter`, a condition, it stands for those rows of it, under the name `filter_alias` if there is one.
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

    /// Without the filter.
    pub fn path(&self) -> String {
        if let Some(text) = self.part("text") {
            return text.to_string();
        }
        let mark = self.part("quote_character").unwrap_or_default();
        let parts = ["database", "schema", "identifier"].iter().filter_map(|p| self.part(p));
        parts.map(|p| quoted(p, mark)).collect::<Vec<_>>().join(".")
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
        match self.part("filter") {
            Some(filter) => {
                write!(f, "(select * from {} where {filter})", self.path())?;
                self.part("filter_alias").map_or(Ok(()), |alias| write!(f, " {alias}"))
            }
            None => f.write_str(&self.path()),
        }
    }
}

impl Object for Relation {
    /// As in dbt, where `is mapping` and `metadata.type` tell a relation from a text.
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let kind = self.part("type").unwrap_or("");
        Some(match key.as_str()? {
            "metadata" => [("type", "DuckDBRelation")].into_iter().collect(),
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
            "render" => Ok(Value::from(self.path())),
            "get" => {
                let found = args.first().and_then(|key| self.get_value(key));
                Ok(found.or(args.get(1).cloned()).unwrap_or(Value::from(())))
            }
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

/// What a column is: dbt's `Column`.
#[derive(Debug)]
pub struct Description {
    pub name: String,
    pub dtype: String,
    pub quote_character: String,
}

impl Description {
    fn kind(&self) -> &'static str {
        let dtype = self.dtype.to_lowercase();
        match dtype.split('(').next().unwrap_or_default().trim() {
            "varchar" | "text" | "string" | "char" | "bpchar" | "character varying" => "string",
            "float" | "real" | "double" | "float4" | "float8" | "double precision" => "float",
            "decimal" | "numeric" => "numeric",
            word if word.trim_start_matches('u').ends_with("int") || word == "integer" => "integer",
            "uinteger" | "int2" | "int4" | "int8" => "integer",
            _ => "",
        }
    }
}

impl Object for Description {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Value::from(match key.as_str()? {
            "name" | "column" => self.name.clone(),
            "dtype" | "data_type" => self.dtype.clone(),
            "quoted" => quoted(&self.name, &self.quote_character),
            _ => return None,
        }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["name", "column", "dtype", "data_type", "quoted"])
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        let kind = self.kind();
        Ok(match method {
            "is_string" | "is_float" | "is_numeric" | "is_integer" => {
                Value::from(kind == &method["is_".len()..])
            }
            "is_number" => Value::from(matches!(kind, "float" | "numeric" | "integer")),
            "string_size" => Value::from(256), // as dbt has it for texts without a length
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }
}
