//! Python's `"%s rows" % n`: minijinja has `%` for numbers only, so `x % y` becomes
//! `remainder(x, y)` where x may be a text.

use crate::blocks::{end_of_operand, start_of_operand, tokens};
use minijinja::machinery::Token;
use minijinja::value::{Value, ValueKind};
use minijinja::{context, Error, State};

/// The text with its `%` operators as calls; lines stay the same.
pub fn formatted(source: &str) -> String {
    let mut text = source.to_string();
    while let Some(changed) = replace_first(&text) {
        text = changed;
    }
    text
}

/// `{%` and `%}` apart, is there a `%` that could be an operator?
fn may_have_operator(source: &str) -> bool {
    let bytes = source.as_bytes();
    bytes.iter().enumerate().any(|(i, byte)| {
        let before = i.checked_sub(1).map_or(b'{', |i| bytes[i]);
        let after = bytes.get(i + 1).copied().unwrap_or(b'}');
        *byte == b'%' && before != b'{' && !matches!(after, b'}') && before != b'-'
    })
}

fn replace_first(source: &str) -> Option<String> {
    if !may_have_operator(source) {
        return None;
    }
    let tokens = tokens(source).ok()?;
    for (i, (token, span)) in tokens.iter().enumerate().skip(2) {
        if !matches!(token, Token::Mod) {
            continue;
        }
        let start = start_of_operand(&tokens, i - 1);
        // Of numbers, what binds as tightly comes first; a text has no such operators.
        let is_text = matches!(tokens[start].0, Token::Str(_) | Token::String(_));
        let before = start.checked_sub(1).map(|at| &tokens[at].0);
        let in_a_chain = matches!(
            before,
            Some(Token::Mul | Token::Div | Token::FloorDiv | Token::Mod | Token::Pow | Token::Minus)
        );
        let Some(end) = end_of_operand(&tokens, i + 1) else { continue };
        if (in_a_chain && !is_text) || matches!(tokens.get(end + 1), Some((Token::Pow, _))) {
            continue;
        }
        let from = tokens[start].1.start_offset as usize;
        let (left, right) = (span.start_offset as usize, span.end_offset as usize);
        let to = tokens[end].1.end_offset as usize;
        let (x, y) = (&source[from..left], &source[right..to]);
        return Some(format!("{}remainder({x},{y}){}", &source[..from], &source[to..]));
    }
    None
}

/// A text takes a list's values one by one, as `%` does with a tuple.
pub fn remainder(state: &State<'_, '_>, x: Value, y: Value) -> Result<Value, Error> {
    if x.as_str().is_none() {
        return state.env().compile_expression("x % y")?.eval(context! { x, y });
    }
    let mut args = vec![x];
    match y.kind() {
        ValueKind::Seq | ValueKind::Iterable => args.extend(y.try_iter()?),
        _ => args.push(y),
    }
    state.apply_filter("format", &args)
}
