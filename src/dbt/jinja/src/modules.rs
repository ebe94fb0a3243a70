//! `modules.datetime`, `modules.itertools` and `modules.re`: the parts of Python's libraries that projects call.
//!
//! Regular expressions are those of the crate regex: no look-around, no back references in them.

use crate::moment::{delta, Moment};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use regex::{Captures, Regex};
use std::sync::Arc;

/// `modules`, `modules.datetime`, `modules.datetime.datetime`, `modules.itertools`, `modules.re`
#[derive(Debug)]
pub struct Module {
    pub path: &'static str,
}

const PATHS: [&str; 7] = [
    "modules.datetime", "modules.datetime.datetime", "modules.datetime.date",
    "modules.datetime.timezone", "modules.datetime.timezone.utc", "modules.re",
    "modules.itertools",
];

fn fault(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

impl Object for Module {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let full = format!("{}.{}", self.path, key.as_str()?);
        let path = PATHS.into_iter().find(|path| *path == full)?;
        Some(Value::from_object(Module { path }))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match (self.path, method) {
            ("modules.datetime.datetime", "now" | "utcnow" | "today") => {
                Ok(Value::from_object(Moment::now()))
            }
            ("modules.datetime.date", "today") => Ok(Value::from_object(Moment::now().date())),
            ("modules.datetime", "timedelta") => delta(args),
            ("modules.datetime", "datetime" | "date") => {
                let parts: Option<Vec<i64>> = args.iter().map(|v| v.as_i64()).collect();
                match parts {
                    Some(parts) if parts.len() >= 3 => {
                        let moment = Moment::of(&parts);
                        let moment = if method == "date" { moment.date() } else { moment };
                        Ok(Value::from_object(moment))
                    }
                    _ => Err(fault("datetime takes year, month, day and times as numbers".into())),
                }
            }
            ("modules.datetime.datetime", "fromisoformat" | "strptime") => parse_time(method, args),
            ("modules.itertools", _) => crate::itertools::call(state, method, args),
            ("modules.re", _) => call_re(state, method, args),
            _ => Err(fault(format!("{}.{method} is not there", self.path))),
        }
    }
}

/// Numbers in the order of the letters of the format, which are years first by default.
fn parse_time(method: &str, args: &[Value]) -> Result<Value, Error> {
    let text = args.first().and_then(|v| v.as_str()).unwrap_or_default();
    let wanted = match method {
        "strptime" => args.get(1).and_then(|v| v.as_str()).unwrap_or_default(),
        _ => "%Y-%m-%d %H:%M:%S.%f",
    };
    let refuse = || fault(format!("\"{text}\" is not a time of the form \"{wanted}\""));
    let mut parts = [1970, 1, 1, 0, 0, 0, 0];
    let mut rest = text;
    for letter in wanted.split('%').skip(1) {
        let Some(at) = letter.chars().next().and_then(|c| "YmdHMSf".find(c)) else {
            return Err(fault(format!("{method} does not know \"%{letter}\" here")));
        };
        let long = if at == 0 { 4 } else if at == 6 { 6 } else { 2 };
        let digits: String = rest.chars().take(long).take_while(char::is_ascii_digit).collect();
        if digits.is_empty() {
            if method == "fromisoformat" && at > 2 && rest.is_empty() {
                break;
            }
            return Err(refuse());
        }
        rest = &rest[digits.len()..];
        let padded = if at == 6 { format!("{digits:0<6}") } else { digits };
        parts[at] = padded.parse().map_err(|_| refuse())?;
        let between = &letter[1..];
        if let Some(after) = rest.strip_prefix(between) {
            rest = after;
        } else if method == "fromisoformat" {
            rest = rest.trim_start_matches(['T', '.']);
        } else {
            return Err(refuse());
        }
    }
    if !matches!(rest, "" | "Z" | "+00:00") {
        return Err(refuse());
    }
    Ok(Value::from_object(Moment::of(&parts)))
}

fn call_re(state: &State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
    let text = |i: usize| args.get(i).map(|v| v.to_string()).unwrap_or_default();
    let pattern = match method {
        "match" => format!("^(?:{})", text(0)),
        "fullmatch" => format!("^(?:{})$", text(0)),
        _ => text(0),
    };
    if method == "escape" {
        return Ok(Value::from(regex::escape(&text(0))));
    }
    let re = Regex::new(&pattern).map_err(|e| fault(e.to_string().replace('\n', " ")))?;
    match method {
        "match" | "fullmatch" | "search" => Ok(match re.captures(&text(1)) {
            Some(found) => Value::from_object(Match::of(&found)),
            None => Value::from(()),
        }),
        "findall" => {
            let subject = text(1);
            let found = re.captures_iter(&subject).map(|c| match c.len() {
                1 => Value::from(&c[0]),
                2 => Value::from(c.get(1).map_or("", |m| m.as_str())),
                n => (1..n).map(|i| Value::from(c.get(i).map_or("", |m| m.as_str()))).collect(),
            });
            Ok(found.collect())
        }
        "split" => Ok(re.split(&text(1)).map(Value::from).collect()),
        "sub" => {
            let subject = text(2);
            let count = args.get(3).and_then(|v| v.as_usize()).unwrap_or(0);
            let by_macro = args.get(1).filter(|v| v.as_str().is_none());
            let mut failure = None;
            let replaced = re.replacen(&subject, count, |found: &Captures| match by_macro {
                None => expand(&text(1), found),
                Some(function) => function
                    .call(state, &[Value::from_object(Match::of(found))])
                    .map(|v| v.to_string())
                    .unwrap_or_else(|e| {
                        failure = Some(e);
                        String::new()
                    }),
            });
            match failure {
                Some(error) => Err(error),
                None => Ok(Value::from(replaced.into_owned())),
            }
        }
        _ => Err(fault(format!("modules.re.{method} is not there"))),
    }
}

/// `\1` and `\g<name>` of a replacement.
fn expand(template: &str, found: &Captures) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        let digits: String = rest.chars().take_while(char::is_ascii_digit).take(2).collect();
        if let (true, Some(end)) = (rest.starts_with("g<"), rest.find('>')) {
            let name = &rest[2..end];
            let group = name.parse().ok().map_or_else(|| found.name(name), |n| found.get(n));
            out += group.map_or("", |m| m.as_str());
            rest = &rest[end + 1..];
        } else if let Ok(group) = digits.parse() {
            out += found.get(group).map_or("", |m| m.as_str());
            rest = &rest[digits.len()..];
        } else {
            let mut letters = rest.chars();
            out += &match letters.next() {
                Some('n') => "\n".to_string(),
                Some('t') => "\t".to_string(),
                other => other.map(String::from).unwrap_or_default(),
            };
            rest = letters.as_str();
        }
    }
    out + rest
}

#[derive(Debug)]
struct Match {
    groups: Vec<Value>,
}

impl Match {
    fn of(found: &Captures) -> Match {
        let groups = found.iter().map(|g| g.map_or(Value::from(()), |m| Value::from(m.as_str())));
        Match { groups: groups.collect() }
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let index = args.first().and_then(|v| v.as_usize()).unwrap_or(0);
        match method {
            "group" => Ok(self.groups.get(index).cloned().unwrap_or(Value::from(()))),
            "groups" => Ok(self.groups.iter().skip(1).cloned().collect()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
