//! `modules.itertools`: what Python's functions of these names give, as lists. Those without an end
//! (`count`, `cycle`, `repeat` without a number) are not there.

use crate::convert::named;
use minijinja::value::Value;
use minijinja::{Error, ErrorKind, State};

pub fn call(state: &State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
    let options = named(args);
    let positional = if options.is_some() { &args[..args.len() - 1] } else { args };
    let option = |name: &str| options.as_ref().and_then(|o| o.peek::<Value>(name).ok());
    let lists: Result<Vec<Vec<Value>>, Error> = positional
        .iter()
        .map(|list| list.try_iter().map(Iterator::collect).or(Ok(Vec::new())))
        .collect();
    let lists: Vec<Vec<Value>> = lists?;
    let first = lists.first().cloned().unwrap_or_default();
    let number = |i: usize| positional.get(i).and_then(|v| v.as_usize());
    Ok(match method {
        "chain" => lists.into_iter().flatten().collect(),
        "product" => {
            let times = option("repeat").and_then(|v| v.as_usize()).unwrap_or(1);
            let all: Vec<&Vec<Value>> = (0..times).flat_map(|_| lists.iter()).collect();
            all.iter().fold(vec![Vec::new()], |rows, list| extended(&rows, list)).as_rows()
        }
        "permutations" => {
            let length = number(1).unwrap_or(first.len());
            choices(first.len(), length, |row, next| !row.contains(&next)).of(&first)
        }
        "combinations" => {
            let length = number(1).unwrap_or(0);
            choices(first.len(), length, |row, next| row.last().is_none_or(|l| *l < next)).of(&first)
        }
        "combinations_with_replacement" => {
            let length = number(1).unwrap_or(0);
            choices(first.len(), length, |row, next| row.last().is_none_or(|l| *l <= next)).of(&first)
        }
        "zip_longest" => {
            let fill = option("fillvalue").unwrap_or(Value::from(()));
            let length = lists.iter().map(Vec::len).max().unwrap_or(0);
            let at = |list: &Vec<Value>, i: usize| list.get(i).unwrap_or(&fill).clone();
            (0..length).map(|i| lists.iter().map(|l| at(l, i)).collect::<Value>()).collect()
        }
        "islice" => {
            // islice(list, stop) or islice(list, start, stop[, step])
            let (start, stop) = if positional.len() > 2 { (number(1), number(2)) } else { (None, number(1)) };
            let step = number(3).unwrap_or(1).max(1);
            let stop = stop.unwrap_or(first.len()).min(first.len());
            (start.unwrap_or(0)..stop).step_by(step).map(|i| first[i].clone()).collect()
        }
        "compress" => {
            let chosen = lists.get(1).cloned().unwrap_or_default();
            let kept = first.into_iter().zip(chosen).filter(|(_, c)| c.is_true());
            kept.map(|(value, _)| value).collect()
        }
        "repeat" if number(1).is_some() => {
            (0..number(1).unwrap_or(0)).map(|_| positional[0].clone()).collect()
        }
        "accumulate" => accumulate(state, first, positional.get(1))?,
        "starmap" => {
            let Some((function, rows)) = positional.split_first() else {
                return Err(Error::from(ErrorKind::MissingArgument));
            };
            let mut out = Vec::new();
            for row in rows.first().cloned().unwrap_or_default().try_iter()? {
                let args: Vec<Value> = row.try_iter()?.collect();
                out.push(function.call(state, &args)?);
            }
            out.into()
        }
        "tee" => {
            let copies = number(1).unwrap_or(2);
            (0..copies).map(|_| Value::from(first.clone())).collect()
        }
        _ => {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("modules.itertools.{method} is not there"),
            ))
        }
    })
}

fn accumulate(state: &State<'_, '_>, list: Vec<Value>, by: Option<&Value>) -> Result<Value, Error> {
    let sum = state.env().compile_expression("a + b")?;
    let mut out: Vec<Value> = Vec::new();
    for value in list {
        out.push(match (out.last(), by) {
            (None, _) => value,
            (Some(so_far), Some(function)) => function.call(state, &[so_far.clone(), value])?,
            (Some(so_far), None) => sum.eval(minijinja::context! { a => so_far, b => value })?,
        });
    }
    Ok(out.into())
}

fn extended(rows: &[Vec<Value>], list: &[Value]) -> Vec<Vec<Value>> {
    let with = |row: &Vec<Value>, value: &Value| [row.as_slice(), &[value.clone()]].concat();
    rows.iter().flat_map(|row| list.iter().map(move |value| with(row, value))).collect()
}

trait AsRows {
    fn as_rows(self) -> Value;
}

impl AsRows for Vec<Vec<Value>> {
    fn as_rows(self) -> Value {
        self.into_iter().map(Value::from).collect()
    }
}

/// Rows of positions, in the order of the positions.
struct Choices(Vec<Vec<usize>>);

fn choices(count: usize, length: usize, fits: impl Fn(&[usize], usize) -> bool) -> Choices {
    let mut rows = vec![Vec::new()];
    for _ in 0..length {
        let longer = rows.iter().flat_map(|row: &Vec<usize>| {
            let next = (0..count).filter(|next| fits(row, *next));
            next.map(|next| [row.as_slice(), &[next]].concat()).collect::<Vec<_>>()
        });
        rows = longer.collect();
    }
    Choices(rows)
}

impl Choices {
    fn of(&self, list: &[Value]) -> Value {
        let row = |row: &Vec<usize>| row.iter().map(|i| list[*i].clone()).collect::<Value>();
        self.0.iter().map(row).collect()
    }
}
