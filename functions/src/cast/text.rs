//! Casts among the text types, their length coercions, and bool to text.

use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map3};
use damask_types::{Error, Result, SqlState};
use std::borrow::Cow;

/// Bytes of a `name` without its terminator.
const NAME_BYTES: usize = 63;

/// The longest prefix of at most `bytes` bytes that ends between characters.
pub(crate) fn clip(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn name(text: &str) -> String {
    clip(text, NAME_BYTES).to_owned()
}

fn without_blanks(text: &str) -> String {
    text.trim_end_matches(' ').to_owned()
}

/// `"char"` of a text: its first byte (characters beyond ASCII keep their first byte's code).
fn first_char(text: &str) -> String {
    text.chars().next().map_or_else(String::new, String::from)
}

fn too_long(kind: &str, limit: usize) -> Error {
    Error::new(
        SqlState::STRING_DATA_RIGHT_TRUNCATION,
        format!("value too long for type {kind}({limit})"),
    )
}

/// The byte offset after `limit` characters, if there are more.
fn cut_at(text: &str, limit: usize) -> Option<usize> {
    if text.len() <= limit {
        return None;
    }
    text.char_indices().nth(limit).map(|(at, _)| at)
}

fn varchar(text: &str, typmod: i32, explicit: bool) -> Result<&str> {
    let Some(limit) = usize::try_from(typmod - 4).ok().filter(|_| typmod >= 4) else {
        return Ok(text);
    };
    let Some(end) = cut_at(text, limit) else {
        return Ok(text);
    };
    // Blanks past the end go silently.
    if !explicit && !text[end..].chars().all(|char| char == ' ') {
        return Err(too_long("character varying", limit));
    }
    Ok(&text[..end])
}

fn bpchar(text: &str, typmod: i32, explicit: bool) -> Result<Cow<'_, str>> {
    let Some(limit) = usize::try_from(typmod - 4).ok().filter(|_| typmod >= 4) else {
        return Ok(text.into());
    };
    if let Some(end) = cut_at(text, limit) {
        if !explicit && !text[end..].chars().all(|char| char == ' ') {
            return Err(too_long("character", limit));
        }
        return Ok(text[..end].into());
    }
    let missing = limit - text.chars().count();
    if missing == 0 {
        return Ok(text.into());
    }
    Ok(format!("{text}{:missing$}", "").into())
}

fn char_code(text: &str) -> i32 {
    // The type is one signed byte.
    text.chars().next().map_or(0, |char| i32::from(char as u32 as u8 as i8))
}

fn char_of(code: i32) -> Result<String> {
    let Ok(code) = i8::try_from(code) else {
        return Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range"));
    };
    Ok(if code == 0 { String::new() } else { String::from(char::from(code as u8)) })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    401 text(BpChar) -> Text: strict immutable = |c, a| map1(c, a, without_blanks);
    946 text(Char) -> Text: strict immutable = |c, a| map1(c, a, |text: &str| text.to_owned());
    860 bpchar(Char) -> BpChar: strict immutable = |c, a| map1(c, a, |text: &str| text.to_owned());
    406 text(Name) -> Text: strict immutable = |_, a| Ok(a[0].clone().retype(damask_types::TypeId::Text));
    408 bpchar(Name) -> BpChar: strict immutable = |_, a| Ok(a[0].clone().retype(damask_types::TypeId::BpChar));
    1401 varchar(Name) -> Varchar: strict immutable = |_, a| Ok(a[0].clone().retype(damask_types::TypeId::Varchar));
    944 char(Text) -> Char: strict immutable = |c, a| map1(c, a, first_char);
    407 name(Text) -> Name: strict immutable = |c, a| map1(c, a, name);
    409 name(BpChar) -> Name: strict immutable = |c, a| map1(c, a, |text: &str| name(text.trim_end_matches(' ')));
    1400 name(Varchar) -> Name: strict immutable = |c, a| map1(c, a, name);
    2971 text(Bool) -> Text: strict immutable = |c, a| map1(c, a, |value: bool| if value { "true" } else { "false" });
    77 int4(Char) -> Int4: strict immutable raises = |c, a| map1(c, a, char_code);
    78 char(Int4) -> Char: strict immutable raises = |c, a| map1(c, a, char_of);
    668 bpchar(BpChar, Int4, Bool) -> BpChar: strict immutable raises = |c, a| map3(c, a, bpchar);
    669 varchar(Varchar, Int4, Bool) -> Varchar: strict immutable raises = |c, a| map3(c, a, |text: &str, typmod: i32, explicit: bool| varchar(text, typmod, explicit).map(str::to_owned));
};
