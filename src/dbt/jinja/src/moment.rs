//! A point in time as templates hold it: Python's `datetime`, in UTC, with what projects use of it.

use crate::convert::named;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug)]
pub struct Moment {
    /// Since 1970.
    pub micros: i64,
    /// Python's `date`: shown without a time.
    pub date_only: bool,
}

/// Python's `timedelta`.
#[derive(Debug)]
pub struct Delta {
    pub micros: i64,
}

struct Parts {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    second_of_day: i64,
    micros: i64,
    days: i64,
}

const MONTHS: [&str; 12] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Days since 1970 of a date of the Gregorian calendar; months before January count.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl Moment {
    pub fn now() -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { micros: since.as_micros() as i64, date_only: false }
    }

    /// year, month, day [, hour, minute, second, microsecond]
    pub fn of(parts: &[i64]) -> Moment {
        let part = |i: usize| parts.get(i).copied().unwrap_or(0);
        let seconds = days_of(part(0), part(1), part(2)) * 86_400
            + part(3) * 3600
            + part(4) * 60
            + part(5);
        Moment { micros: seconds * 1_000_000 + part(6), date_only: false }
    }

    pub fn date(&self) -> Moment {
        let day = 86_400 * 1_000_000;
        Moment { micros: self.micros.div_euclid(day) * day, date_only: true }
    }

    /// With the parts of `replace(hour=0)`.
    fn replaced(&self, args: &[Value]) -> Result<Moment, Error> {
        let p = self.parts();
        let (hour, minute) = (p.second_of_day / 3600, p.second_of_day / 60 % 60);
        let second = p.second_of_day % 60;
        let mut parts = [p.year, p.month, p.day, hour, minute, second, p.micros];
        let names = ["year", "month", "day", "hour", "minute", "second", "microsecond"];
        if let Some(given) = named(args) {
            for name in given.args() {
                let number = given.peek::<Value>(name)?.as_i64();
                match (names.iter().position(|n| *n == name), number) {
                    (Some(part), Some(number)) => parts[part] = number,
                    _ if name == "tzinfo" => {}
                    _ => {
                        let message = format!("replace of a time does not know \"{name}\"");
                        return Err(Error::new(ErrorKind::InvalidOperation, message));
                    }
                }
            }
        }
        Ok(Moment { date_only: self.date_only, ..Moment::of(&parts) })
    }

    fn parts(&self) -> Parts {
        let seconds = self.micros.div_euclid(1_000_000);
        let days = seconds.div_euclid(86_400);
        let era = (days + 719_468).div_euclid(146_097);
        let day_of_era = (days + 719_468).rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524
            - day_of_era / 146_096)
            / 365;
        let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * from_march + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Parts {
            year,
            month,
            day: from_march - (153 * shifted + 2) / 5 + 1,
            day_of_year: days - days_of(year, 1, 1) + 1,
            second_of_day: seconds.rem_euclid(86_400),
            micros: self.micros.rem_euclid(1_000_000),
            days,
        }
    }

    pub fn format(&self, format: &str) -> Result<String, Error> {
        let p = self.parts();
        let (hour, minute) = (p.second_of_day / 3600, p.second_of_day / 60 % 60);
        let second = p.second_of_day % 60;
        let half = if hour % 12 == 0 { 12 } else { hour % 12 };
        let weekday = (p.days + 3).rem_euclid(7);
        let mut out = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            out += &match letters.next() {
                Some('Y') => format!("{:04}", p.year),
                Some('y') => format!("{:02}", p.year.rem_euclid(100)),
                Some('m') => format!("{:02}", p.month),
                Some('d') => format!("{:02}", p.day),
                Some('j') => format!("{:03}", p.day_of_year),
                Some('H') => format!("{hour:02}"),
                Some('I') => format!("{half:02}"),
                Some('M') => format!("{minute:02}"),
                Some('S') => format!("{second:02}"),
                Some('f') => format!("{:06}", p.micros),
                Some('p') => if hour < 12 { "AM" } else { "PM" }.to_string(),
                Some('B') => MONTHS[p.month as usize - 1].to_string(),
                Some('b') => MONTHS[p.month as usize - 1][..3].to_string(),
                Some('A') => DAYS[weekday as usize].to_string(),
                Some('a') => DAYS[weekday as usize][..3].to_string(),
                Some('w') => ((weekday + 1) % 7).to_string(),
                Some('u') => (weekday + 1).to_string(),
                Some('F') => format!("{:04}-{:02}-{:02}", p.year, p.month, p.day),
                Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
                Some('s') => self.micros.div_euclid(1_000_000).to_string(),
                Some('z') => "+0000".to_string(),
                Some('Z') => "UTC".to_string(),
                Some('%') => "%".to_string(),
                other => {
                    let letter = other.map(String::from).unwrap_or_default();
                    let message = format!("strftime does not know \"%{letter}\" here");
                    return Err(Error::new(ErrorKind::InvalidOperation, message));
                }
            };
        }
        Ok(out)
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let p = self.parts();
        Some(Value::from(match key.as_str()? {
            "year" => p.year,
            "month" => p.month,
            "day" => p.day,
            "hour" => p.second_of_day / 3600,
            "minute" => p.second_of_day / 60 % 60,
            "second" => p.second_of_day % 60,
            "microsecond" => p.micros,
            _ => return None,
        }))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let formatted = |format: &str| self.format(format).map(Value::from);
        match method {
            "strftime" => formatted(args.first().and_then(|v| v.as_str()).unwrap_or("")),
            "isoformat" if self.date_only => formatted("%F"),
            "isoformat" if self.micros % 1_000_000 == 0 => formatted("%FT%T"),
            "isoformat" => formatted("%FT%T.%f"),
            "date" => Ok(Value::from_object(self.date())),
            "time" => formatted("%T"),
            "timestamp" => Ok(Value::from(self.micros as f64 / 1e6)),
            "weekday" => Ok(Value::from((self.parts().days + 3).rem_euclid(7))),
            "isoweekday" => Ok(Value::from((self.parts().days + 3).rem_euclid(7) + 1)),
            "replace" => self.replaced(args).map(Value::from_object),
            "astimezone" => Ok(Value::from_dyn_object(self.clone())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.micros % 1_000_000 {
            _ if self.date_only => "%F",
            0 => "%F %T",
            _ => "%F %T.%f",
        };
        f.write_str(&self.format(format).map_err(|_| fmt::Error)?)
    }
}

impl Object for Delta {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let seconds = self.micros.div_euclid(1_000_000);
        match key.as_str()? {
            "days" => Some(Value::from(seconds.div_euclid(86_400))),
            "seconds" => Some(Value::from(seconds.rem_euclid(86_400))),
            _ => None,
        }
    }
}

/// `timedelta(days, seconds, …)` with Python's names.
pub fn delta(args: &[Value]) -> Result<Value, Error> {
    const UNITS: [(&str, f64); 7] = [
        ("days", 86_400e6), ("seconds", 1e6), ("microseconds", 1.0), ("milliseconds", 1e3),
        ("minutes", 60e6), ("hours", 3600e6), ("weeks", 604_800e6),
    ];
    let given = named(args);
    let number = |v: &Value| v.as_i64().map(|n| n as f64).or(f64::try_from(v.clone()).ok());
    let mut micros = 0.0;
    for (i, (name, unit)) in UNITS.iter().enumerate() {
        let positional = args.get(i).filter(|v| !v.is_kwargs()).cloned();
        let value = positional.or(given.as_ref().and_then(|g| g.peek(name).ok()));
        let Some(value) = value else { continue };
        let Some(number) = number(&value) else {
            let message = format!("timedelta: {name} is no number");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        };
        micros += number * unit;
    }
    Ok(Value::from_object(Delta { micros: micros as i64 }))
}

/// `x - timedelta(…)`; see blocks.rs.
pub fn shifted(value: Value, sign: &str, by: Value) -> Result<Value, Error> {
    let refuse = || {
        let message = "only a time of modules.datetime takes a timedelta";
        Error::new(ErrorKind::InvalidOperation, message)
    };
    let by = by.downcast_object_ref::<Delta>().ok_or_else(refuse)?.micros;
    let by = if sign == "-" { -by } else { by };
    if let Some(delta) = value.downcast_object_ref::<Delta>() {
        return Ok(Value::from_object(Delta { micros: delta.micros + by }));
    }
    let moment = value.downcast_object_ref::<Moment>().ok_or_else(refuse)?;
    let (micros, date_only) = (moment.micros + by, moment.date_only);
    let moved = Moment { micros, date_only };
    Ok(Value::from_object(if date_only { moved.date() } else { moved }))
}
