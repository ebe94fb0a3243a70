//! Finds the blocks that dbt adds to Jinja (`macro`, `test`, `snapshot`, `docs`, `materialization`)
//! in a file, with minijinja's own tokenizer, and makes each macro a template of its own.

use crate::formatting::formatted;
use minijinja::machinery::{tokenize, Span, Token, WhitespaceConfig};
use minijinja::syntax::SyntaxConfig;
use minijinja::Error;

pub struct Block {
    /// macro, test, snapshot, docs or materialization
    pub kind: &'static str,
    pub name: String,
    /// Where it starts, counted from 1.
    pub line: usize,
    /// What stands between its start and end tags; of a macro or test with those tags.
    pub body: String,
    /// macro and test: a template of the same lines that declares it under `MACRO_NAME`.
    pub template: String,
    pub signature: Signature,
}

/// What a macro takes; `varargs` and `kwargs`: its body asks for the arguments beyond those.
#[derive(Debug, Default, Clone)]
pub struct Signature {
    pub names: Vec<String>,
    pub varargs: bool,
    pub kwargs: bool,
}

/// The name under which a macro's template declares it. Not its own, so that a macro that calls
/// itself goes through the engine's lookup, where `return` is understood.
pub const MACRO_NAME: &str = "macro_body";

const KINDS: [(&str, &str, &str); 6] = [
    ("macro", "endmacro", "macro"),
    ("test", "endtest", "test"),
    ("data_test", "enddata_test", "test"),
    ("snapshot", "endsnapshot", "snapshot"),
    ("docs", "enddocs", "docs"),
    ("materialization", "endmaterialization", "materialization"),
];

struct Tag<'a> {
    start: usize,
    end: usize,
    word: &'a str,
    word_span: Span,
    name: &'a str,
    name_end: usize,
    arguments: Vec<&'a str>,
    /// Of the parenthesis that closes the arguments; 0 without.
    arguments_end: usize,
}

pub fn tokens(source: &str) -> Result<Vec<(Token<'_>, Span)>, Error> {
    tokenize(source, false, SyntaxConfig::default(), WhitespaceConfig::default()).collect()
}

fn tags<'a>(tokens: &[(Token<'a>, Span)]) -> Vec<Tag<'a>> {
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if let (Token::BlockStart, span) = &tokens[i] {
            let start = span.start_offset as usize;
            let mut end = i;
            while end < tokens.len() && !matches!(tokens[end].0, Token::BlockEnd) {
                end += 1;
            }
            if let (Some((Token::Ident(word), word_span)), Some((_, last))) =
                (tokens.get(i + 1), tokens.get(end))
            {
                let (name, name_end) = match tokens.get(i + 2) {
                    Some((Token::Ident(name), s)) => (*name, s.end_offset as usize),
                    _ => ("", word_span.end_offset as usize),
                };
                let (arguments, arguments_end) = arguments(&tokens[i..end]);
                let end = last.end_offset as usize;
                found.push(Tag {
                    start,
                    end,
                    word,
                    word_span: *word_span,
                    name,
                    name_end,
                    arguments,
                    arguments_end,
                });
            }
            i = end;
        }
        i += 1;
    }
    found
}

/// The names in `(a, b=1)` and where that ends.
fn arguments<'a>(tokens: &[(Token<'a>, Span)]) -> (Vec<&'a str>, usize) {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut first = false;
    for (token, span) in tokens {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
            Token::Ident(name) if first && depth == 1 => names.push(*name),
            _ => {}
        }
        if depth == 0 && matches!(token, Token::ParenClose) {
            return (names, span.start_offset as usize);
        }
        first = matches!(token, Token::ParenOpen | Token::Comma);
    }
    (names, 0)
}

pub fn split(source: &str) -> Result<Vec<Block>, Error> {
    let tokens = tokens(source)?;
    let mut blocks = Vec::new();
    let mut open: Option<(Tag, &(&str, &str, &'static str), usize)> = None;
    for tag in tags(&tokens) {
        match &mut open {
            None => {
                if let Some(kind) = KINDS.iter().find(|k| k.0 == tag.word) {
                    if !tag.name.is_empty() {
                        open = Some((tag, kind, 0));
                    }
                }
            }
            Some((start, kind, depth)) => {
                if tag.word == kind.0 {
                    *depth += 1;
                } else if tag.word == kind.1 {
                    if *depth > 0 {
                        *depth -= 1;
                        continue;
                    }
                    blocks.push(make_block(source, start, &tag, kind.2));
                    open = None;
                }
            }
        }
    }
    if let Some((start, kind, _)) = open {
        let line = start.word_span.start_line;
        let message = format!("{} \"{}\" of line {line} has no {}", kind.0, start.name, kind.1);
        return Err(Error::new(minijinja::ErrorKind::SyntaxError, message));
    }
    Ok(blocks)
}

fn make_block(source: &str, start: &Tag, end: &Tag, kind: &'static str) -> Block {
    let line = start.word_span.start_line as usize;
    let body = &source[start.end..end.start];
    let mut template = String::new();
    let mut signature = Signature::default();
    if kind == "macro" || kind == "test" {
        template.push_str(&"\n".repeat(line - 1));
        template.push_str(&source[start.start..start.word_span.start_offset as usize]);
        template.push_str("macro ");
        template.push_str(MACRO_NAME);
        let names = start.arguments.iter().map(|name| name.to_string()).collect();
        let asks = |word: &str| start.arguments_end > 0 && body.contains(word);
        signature = Signature { names, varargs: asks("varargs"), kwargs: asks("kwargs") };
        let mut from = start.name_end;
        if signature.varargs || signature.kwargs {
            template.push_str(&source[from..start.arguments_end]);
            let comma = if start.arguments.is_empty() { "" } else { ", " };
            template.push_str(&format!("{comma}varargs=[], kwargs={{}}"));
            from = start.arguments_end;
        }
        template.push_str(&source[from..end.word_span.start_offset as usize]);
        template.push_str("endmacro");
        template.push_str(&source[end.word_span.end_offset as usize..end.end]);
        template = prepared(&template);
    }
    let text = match kind {
        "macro" | "test" => &source[start.start..end.end],
        _ => body,
    };
    let (name, body) = (start.name.to_string(), text.to_string());
    Block { kind, name, line, body, template, signature }
}

/// Objects have no operators in minijinja: `x - modules.datetime.timedelta(days=1)` becomes
/// `shifted(x, '-', modules.datetime.timedelta(days=1))`. Lines stay the same.
fn shifted_times(source: &str) -> String {
    let mut text = source.to_string();
    while let Some(changed) = shift_first(&text) {
        text = changed;
    }
    text
}

fn shift_first(source: &str) -> Option<String> {
    const WORDS: [&str; 3] = ["modules", "datetime", "timedelta"];
    if !source.contains("timedelta") {
        return None;
    }
    let tokens = tokens(source).ok()?;
    let word = |i: usize| matches!(tokens.get(i), Some((Token::Ident(w), _)) if WORDS.contains(w));
    for (i, (token, _)) in tokens.iter().enumerate().skip(1) {
        let sign = match token {
            Token::Minus => '-',
            Token::Plus => '+',
            _ => continue,
        };
        let call = word(i + 1) && word(i + 3) && word(i + 5);
        if !call || !matches!(tokens.get(i + 6), Some((Token::ParenOpen, _))) {
            continue;
        }
        let end = closing(&tokens, i + 6)?;
        let from = tokens[start_of_operand(&tokens, i - 1)].1.start_offset as usize;
        let (left, right) = (tokens[i].1.start_offset as usize, tokens[i].1.end_offset as usize);
        let to = tokens[end].1.end_offset as usize;
        let (x, delta) = (&source[from..left], &source[right..to]);
        return Some(format!("{}shifted({x}, '{sign}', {delta}){}", &source[..from], &source[to..]));
    }
    None
}

fn depth_change(token: &Token) -> i32 {
    match token {
        Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => 1,
        Token::ParenClose | Token::BracketClose | Token::BraceClose => -1,
        _ => 0,
    }
}

fn closing(tokens: &[(Token, Span)], open: usize) -> Option<usize> {
    let mut depth = 0;
    (open..tokens.len()).find(|i| {
        depth += depth_change(&tokens[*i].0);
        depth == 0
    })
}

/// The first token of what ends at `end`: `a.b(c)[d]`, `(e)`.
pub fn start_of_operand(tokens: &[(Token, Span)], end: usize) -> usize {
    let mut at = end;
    loop {
        let mut depth = 0;
        while at > 0 {
            depth -= depth_change(&tokens[at].0);
            if depth == 0 {
                break;
            }
            at -= 1;
        }
        let bracket = depth_change(&tokens[at].0) == 1;
        match at.checked_sub(1).map(|before| &tokens[before].0) {
            Some(Token::Dot) if !bracket => at -= 2,
            Some(Token::Ident(_) | Token::ParenClose | Token::BracketClose) if bracket => at -= 1,
            _ => return at,
        }
    }
}

/// The last token of what starts at `start`: `a.b(c)[d]`, `(e)`, `-1`.
pub fn end_of_operand(tokens: &[(Token, Span)], start: usize) -> Option<usize> {
    let mut at = start;
    while matches!(tokens.get(at)?.0, Token::Minus | Token::Plus) {
        at += 1;
    }
    if depth_change(&tokens[at].0) == 1 {
        at = closing(tokens, at)?;
    }
    loop {
        match &tokens.get(at + 1)?.0 {
            Token::Dot => at += 2,
            Token::ParenOpen | Token::BracketOpen => at = closing(tokens, at + 1)?,
            _ => return Some(at),
        }
    }
}

/// A template's source as minijinja can carry it out.
pub fn prepared(source: &str) -> String {
    mutable_literals(&formatted(&shifted_times(source)))
}

/// Jinja's lists and dicts can be changed (`append`, `update`), minijinja's cannot: in a text that
/// does so, literals and what `set` gives a name become calls of `mutable`, which makes objects
/// that can. Lines stay the same.
fn mutable_literals(source: &str) -> String {
    const CHANGES: [&str; 6] =
        [".append(", ".extend(", ".insert(", ".pop(", ".update(", ".remove("];
    if !CHANGES.iter().any(|change| source.contains(change)) {
        return source.to_string();
    }
    // A fault in the text is reported where the text is compiled.
    let Ok(tokens) = tokens(source) else { return source.to_string() };
    let mut out = String::new();
    let mut done = 0;
    let mut brackets = Vec::new();
    let mut value_before = false;
    let mut in_set = false;
    for (i, (token, span)) in tokens.iter().enumerate() {
        let (from, to) = (span.start_offset as usize, span.end_offset as usize);
        match token {
            Token::Assign if i >= 3 && brackets.is_empty() => {
                let set = matches!(tokens[i - 2].0, Token::Ident("set"));
                if set && matches!(tokens[i - 3].0, Token::BlockStart) {
                    in_set = true;
                    out.push_str(&source[done..to]);
                    out.push_str(" mutable(");
                    done = to;
                }
            }
            Token::BlockEnd if in_set => {
                in_set = false;
                out.push_str(&source[done..from]);
                out.push(')');
                done = from;
            }
            Token::BracketOpen | Token::BraceOpen => {
                let literal = matches!(token, Token::BraceOpen) || !value_before;
                if literal {
                    out.push_str(&source[done..from]);
                    out.push_str("mutable(");
                    done = from;
                }
                brackets.push(literal);
            }
            Token::BracketClose | Token::BraceClose => {
                if brackets.pop() == Some(true) {
                    out.push_str(&source[done..to]);
                    out.push(')');
                    done = to;
                }
            }
            _ => {}
        }
        value_before = match token {
            Token::Ident(word) => {
                !["in", "not", "and", "or", "if", "else", "is", "return"].contains(word)
            }
            Token::Str(_) | Token::String(_) => true,
            Token::BracketClose | Token::BraceClose | Token::ParenClose => true,
            _ => false,
        };
    }
    out.push_str(&source[done..]);
    out
}
