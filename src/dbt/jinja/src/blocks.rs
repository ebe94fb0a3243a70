//! Finds the blocks that dbt adds to Jinja (`macro`, `test`, `snapshot`, `docs`, `materialization`)
//! in a file, with minijinja's own tokenizer, and makes each macro a template of its own.

use minijinja::machinery::{tokenize, Span, Token, WhitespaceConfig};
use minijinja::syntax::SyntaxConfig;
use minijinja::Error;

pub struct Block {
    /// macro, test, snapshot, docs or materialization
    pub kind: &'static str,
    pub name: String,
    /// Where it starts, counted from 1.
    pub line: usize,
    /// What stands between its start and end tags.
    pub body: String,
    /// macro and test: a template of the same lines that declares it under `MACRO_NAME`.
    pub template: String,
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
}

fn tokens(source: &str) -> Result<Vec<(Token<'_>, Span)>, Error> {
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
                let end = last.end_offset as usize;
                found.push(Tag { start, end, word, word_span: *word_span, name, name_end });
            }
            i = end;
        }
        i += 1;
    }
    found
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
    if kind == "macro" || kind == "test" {
        template.push_str(&"\n".repeat(line - 1));
        template.push_str(&source[start.start..start.word_span.start_offset as usize]);
        template.push_str("macro ");
        template.push_str(MACRO_NAME);
        template.push_str(&source[start.name_end..end.word_span.start_offset as usize]);
        template.push_str("endmacro");
        template.push_str(&source[end.word_span.end_offset as usize..end.end]);
        template = mutable_literals(&template);
    }
    Block { kind, name: start.name.to_string(), line, body: body.to_string(), template }
}

/// Jinja's lists and dicts can be changed (`append`, `update`), minijinja's cannot: in a text that
/// does so, literals become calls of `mutable`, which makes objects that can. Lines stay the same.
pub fn mutable_literals(source: &str) -> String {
    const CHANGES: [&str; 6] = [".append(", ".extend(", ".insert(", ".pop(", ".update(", ".remove("];
    if !CHANGES.iter().any(|change| source.contains(change)) {
        return source.to_string();
    }
    // A fault in the text is reported where the text is compiled.
    let Ok(tokens) = tokens(source) else { return source.to_string() };
    let mut out = String::new();
    let mut done = 0;
    let mut brackets = Vec::new();
    let mut value_before = false;
    for (token, span) in &tokens {
        let (from, to) = (span.start_offset as usize, span.end_offset as usize);
        match token {
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
