//! The C interface. Strings go in as (pointer, length) of UTF-8; every answer is one JSON text that
//! the caller gives back to `millrace_jinja_free_text`. One engine belongs to one thread.
//!
//! Errors are `{"error": {"message", "file", "line"}}`; `line` is 0 where it is not known.

mod blocks;
mod convert;
mod engine;
mod formatting;
mod itertools;
mod modules;
mod moment;
mod mutable;
mod objects;
mod relation;

use engine::Engine;
use serde_json::{json, Value as Json};
use std::ffi::c_void;
use std::os::raw::c_char;

/// Where a host function puts its answer: `{"ok": value}` or `{"error": "message"}`.
pub struct Reply(pub Option<String>);

/// Called for every host function: `request` is `{"name", "args", "kwargs"}`.
pub type Callback =
    extern "C" fn(user: *mut c_void, request: *const c_char, length: usize, reply: *mut Reply);

/// # Safety
/// `text` must point to `length` readable bytes.
unsafe fn borrow<'a>(text: *const c_char, length: usize) -> std::borrow::Cow<'a, str> {
    if length == 0 {
        return "".into();
    }
    String::from_utf8_lossy(std::slice::from_raw_parts(text as *const u8, length))
}

fn give(answer: Json, length: *mut usize) -> *mut c_char {
    let bytes = answer.to_string().into_bytes().into_boxed_slice();
    unsafe { *length = bytes.len() };
    Box::into_raw(bytes) as *mut c_char
}

#[no_mangle]
pub extern "C" fn millrace_jinja_new(callback: Callback, user: *mut c_void) -> *mut Engine {
    Box::into_raw(Box::new(Engine::new(callback, user)))
}

/// One more engine with the macros of `engine`, for another thread. No file is added to either
/// from now on.
///
/// # Safety
/// `engine` is alive; no other thread uses it during the call.
#[no_mangle]
pub unsafe extern "C" fn millrace_jinja_fork(
    engine: *mut Engine,
    callback: Callback,
    user: *mut c_void,
) -> *mut Engine {
    Box::into_raw(Box::new((*engine).fork(callback, user)))
}

/// # Safety
/// `engine` comes from `millrace_jinja_new` or `millrace_jinja_fork` and is not used again.
#[no_mangle]
pub unsafe extern "C" fn millrace_jinja_free(engine: *mut Engine) {
    drop(Box::from_raw(engine));
}

/// # Safety
/// `text` and `length` come from one call of this interface.
#[no_mangle]
pub unsafe extern "C" fn millrace_jinja_free_text(text: *mut c_char, length: usize) {
    drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(text as *mut u8, length)));
}

/// # Safety
/// Called inside a callback, with the reply given to it.
#[no_mangle]
pub unsafe extern "C" fn millrace_jinja_reply(reply: *mut Reply, text: *const c_char, length: usize) {
    (*reply).0 = Some(borrow(text, length).into_owned());
}

/// Lists a file's blocks, and for a package takes its macros and tests in; "" leaves them out.
/// `request`: `{"package", "path", "source", "root"}`; answers `{"ok": [{"kind", "name", "line", "body"}]}`.
///
/// # Safety
/// `engine` is alive, `request` points to `length` bytes, `out_length` is writable.
#[no_mangle]
pub unsafe extern "C" fn millrace_jinja_add(
    engine: *mut Engine,
    request: *const c_char,
    length: usize,
    out_length: *mut usize,
) -> *mut c_char {
    let engine = &mut *engine;
    let answer = parse(&borrow(request, length)).and_then(|r| engine.add(&r));
    give(answer.unwrap_or_else(|e| e), out_length)
}

/// Renders a template: `{"package", "path", "line", "source", "context"}` -> `{"ok": text,
/// "macros": [the project's macros that were called, as package.name]}`.
/// With "macro" instead of "source": calls that macro with "args" and answers its value.
///
/// # Safety
/// As `millrace_jinja_add`.
#[no_mangle]
pub unsafe extern "C" fn millrace_jinja_render(
    engine: *mut Engine,
    request: *const c_char,
    length: usize,
    out_length: *mut usize,
) -> *mut c_char {
    // Host functions may render again (a macro called for a name): no unique borrow here.
    let engine = &*engine;
    let answer = parse(&borrow(request, length)).and_then(|r| engine.render(&r));
    give(answer.unwrap_or_else(|e| e), out_length)
}

fn parse(request: &str) -> Result<Json, Json> {
    serde_json::from_str(request)
        .map_err(|e| json!({"error": {"message": e.to_string(), "file": "", "line": 0}}))
}
