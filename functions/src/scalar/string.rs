//! Text in and text out: lengths, parts, padding, trimming, replacing.
//!
//! Positions count characters from 1. Text that is ASCII is cut by bytes.

use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2, map3, map4};
use damask_types::{Error, Result, SqlState};
use std::borrow::Cow;

/// Longest value: 1 GiB less PostgreSQL's header.
pub(crate) const VALUE_BYTES_MAX: usize = 0x3fff_ffff - 4;

/// 54000 for a result that would be longer than [`VALUE_BYTES_MAX`].
#[cold]
pub(crate) fn too_large() -> Error {
    Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

fn char_count(text: &str) -> i32 {
    if text.is_ascii() { text.len() as i32 } else { text.chars().count() as i32 }
}

fn trimmed(text: &str) -> &str {
    text.trim_end_matches(' ')
}

/// The byte range of characters `start..end` (from 0).
fn cut(text: &str, start: usize, end: usize) -> &str {
    if text.is_ascii() {
        let len = text.len();
        return &text[start.min(len)..end.min(len).max(start.min(len))];
    }
    let mut offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let from = offsets.nth(start).unwrap_or(text.len());
    let to = if end > start { offsets.nth(end - start - 1).unwrap_or(text.len()) } else { from };
    &text[from..to]
}

/// The 0-based half-open range that `substring(.. from start for count)` means.
pub(crate) fn substring_range(start: i32, count: Option<i32>) -> Result<(usize, usize)> {
    let start = i64::from(start) - 1;
    let end = match count {
        None => i64::MAX,
        Some(count) if count < 0 => {
            return Err(Error::new(
                SqlState::SUBSTRING_ERROR,
                "negative substring length not allowed",
            ));
        }
        Some(count) => start + i64::from(count),
    };
    Ok((start.max(0) as usize, end.max(0) as usize))
}

fn substring(text: &str, start: i32, count: Option<i32>) -> Result<&str> {
    let (start, end) = substring_range(start, count)?;
    Ok(if end <= start { "" } else { cut(text, start, end) })
}

fn left(text: &str, count: i32) -> &str {
    let end = if count >= 0 { count } else { (char_count(text) + count).max(0) };
    cut(text, 0, end as usize)
}

fn right(text: &str, count: i32) -> &str {
    let len = char_count(text);
    let start = if count >= 0 { (len - count).max(0) } else { count.saturating_neg().min(len) };
    cut(text, start as usize, usize::MAX)
}

fn position(text: &str, part: &str) -> i32 {
    memchr::memmem::find(text.as_bytes(), part.as_bytes())
        .map_or(0, |at| char_count(&text[..at]) + 1)
}

fn fill_for(text: &str, count: i32, fill: &str) -> Result<(usize, String)> {
    let count = count.max(0) as usize;
    let len = char_count(text) as usize;
    if count <= len || fill.is_empty() {
        return Ok((count.min(len), String::new()));
    }
    let missing = count - len;
    if missing.saturating_mul(4) > VALUE_BYTES_MAX {
        return Err(too_large());
    }
    Ok((len, fill.chars().cycle().take(missing).collect()))
}

fn lpad(text: &str, count: i32, fill: &str) -> Result<String> {
    let (keep, mut padded) = fill_for(text, count, fill)?;
    padded.push_str(cut(text, 0, keep));
    Ok(padded)
}

fn rpad(text: &str, count: i32, fill: &str) -> Result<String> {
    let (keep, padding) = fill_for(text, count, fill)?;
    Ok(format!("{}{padding}", cut(text, 0, keep)))
}

fn repeat(text: &str, count: i32) -> Result<String> {
    let count = count.max(0) as usize;
    if text.len().saturating_mul(count) > VALUE_BYTES_MAX {
        return Err(too_large());
    }
    Ok(text.repeat(count))
}

fn replace<'a>(text: &'a str, from: &str, to: &str) -> Cow<'a, str> {
    if from.is_empty() || memchr::memmem::find(text.as_bytes(), from.as_bytes()).is_none() {
        return text.into();
    }
    text.replace(from, to).into()
}

fn translate(text: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    text.chars()
        .filter_map(|char| match from.chars().position(|candidate| candidate == char) {
            None => Some(char),
            Some(at) => to.get(at).copied(),
        })
        .collect()
}

/// Fields from 1; negative ones count from the end.
fn split_part<'a>(text: &'a str, separator: &str, field: i32) -> Result<&'a str> {
    if field == 0 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "field position must not be zero",
        ));
    }
    if text.is_empty() {
        return Ok("");
    }
    if separator.is_empty() {
        return Ok(if field == 1 || field == -1 { text } else { "" });
    }
    let index = field.unsigned_abs() as usize - 1;
    let part = if field > 0 {
        text.split(separator).nth(index)
    } else {
        // From the left all the same: overlapping separators are found from the left.
        let parts: Vec<&str> = text.split(separator).collect();
        parts.len().checked_sub(index + 1).map(|at| parts[at])
    };
    Ok(part.unwrap_or(""))
}

fn overlay(text: &str, with: &str, start: i32, count: i32) -> Result<String> {
    if start <= 0 {
        return Err(Error::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start.checked_add(count).ok_or_else(crate::operator::integer::integer)?;
    let head = substring(text, 1, Some(start - 1))?;
    let tail = substring(text, after, None)?;
    Ok(format!("{head}{with}{tail}"))
}

fn chr(code: i32) -> Result<String> {
    let limit = |message: String| Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message);
    if code < 0 {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "character number must be positive",
        ));
    }
    if code == 0 {
        return Err(limit("null character not permitted".to_owned()));
    }
    if code > 0x10_ffff {
        return Err(limit(format!("requested character too large for encoding: {code}")));
    }
    char::from_u32(code as u32)
        .map(String::from)
        .ok_or_else(|| limit(format!("requested character not valid for encoding: {code}")))
}

fn ascii(text: &str) -> i32 {
    text.chars().next().map_or(0, |char| char as i32)
}

fn trim<'a>(text: &'a str, set: &str, start: bool, end: bool) -> &'a str {
    let in_set = |char: char| set.contains(char);
    let text = if start { text.trim_start_matches(in_set) } else { text };
    if end { text.trim_end_matches(in_set) } else { text }
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    1317 length(Text) -> Int4: strict immutable = |c, a| map1(c, a, char_count);
    1381 char_length(Text) -> Int4: strict immutable = |c, a| map1(c, a, char_count);
    1369 character_length(Text) -> Int4: strict immutable = |c, a| map1(c, a, char_count);
    1318 length(BpChar) -> Int4: strict immutable = |c, a| map1(c, a, |text: &str| char_count(trimmed(text)));
    1372 char_length(BpChar) -> Int4: strict immutable = |c, a| map1(c, a, |text: &str| char_count(trimmed(text)));
    1367 character_length(BpChar) -> Int4: strict immutable = |c, a| map1(c, a, |text: &str| char_count(trimmed(text)));
    1374 octet_length(Text) -> Int4: strict immutable = |c, a| map1(c, a, |text: &str| text.len() as i32);
    1375 octet_length(BpChar) -> Int4: strict immutable = |c, a| map1(c, a, |text: &str| text.len() as i32);
    1811 bit_length(Text) -> Int4: strict immutable = |c, a| map1(c, a, |text: &str| text.len() as i32 * 8);
    883 substr(Text, Int4) -> Text: strict immutable raises = |c, a| map2(c, a, |text: &str, start: i32| substring(text, start, None).map(str::to_owned));
    937 substring(Text, Int4) -> Text: strict immutable raises = |c, a| map2(c, a, |text: &str, start: i32| substring(text, start, None).map(str::to_owned));
    877 substr(Text, Int4, Int4) -> Text: strict immutable raises = |c, a| map3(c, a, |text: &str, start: i32, count: i32| substring(text, start, Some(count)).map(str::to_owned));
    936 substring(Text, Int4, Int4) -> Text: strict immutable raises = |c, a| map3(c, a, |text: &str, start: i32, count: i32| substring(text, start, Some(count)).map(str::to_owned));
    3060 left(Text, Int4) -> Text: strict immutable = |c, a| map2(c, a, |text: &str, count: i32| left(text, count).to_owned());
    3061 right(Text, Int4) -> Text: strict immutable = |c, a| map2(c, a, |text: &str, count: i32| right(text, count).to_owned());
    849 position(Text, Text) -> Int4: strict immutable = |c, a| map2(c, a, position);
    868 strpos(Text, Text) -> Int4: strict immutable = |c, a| map2(c, a, position);
    873 lpad(Text, Int4, Text) -> Text: strict immutable raises = |c, a| map3(c, a, lpad);
    879 lpad(Text, Int4) -> Text: strict immutable raises = |c, a| map2(c, a, |text: &str, count: i32| lpad(text, count, " "));
    874 rpad(Text, Int4, Text) -> Text: strict immutable raises = |c, a| map3(c, a, rpad);
    880 rpad(Text, Int4) -> Text: strict immutable raises = |c, a| map2(c, a, |text: &str, count: i32| rpad(text, count, " "));
    884 btrim(Text, Text) -> Text: strict immutable = |c, a| map2(c, a, |text: &str, set: &str| trim(text, set, true, true).to_owned());
    885 btrim(Text) -> Text: strict immutable = |c, a| map1(c, a, |text: &str| text.trim_matches(' ').to_owned());
    875 ltrim(Text, Text) -> Text: strict immutable = |c, a| map2(c, a, |text: &str, set: &str| trim(text, set, true, false).to_owned());
    881 ltrim(Text) -> Text: strict immutable = |c, a| map1(c, a, |text: &str| text.trim_start_matches(' ').to_owned());
    876 rtrim(Text, Text) -> Text: strict immutable = |c, a| map2(c, a, |text: &str, set: &str| trim(text, set, false, true).to_owned());
    882 rtrim(Text) -> Text: strict immutable = |c, a| map1(c, a, |text: &str| trimmed(text).to_owned());
    2087 replace(Text, Text, Text) -> Text: strict immutable = |c, a| map3(c, a, |text: &str, from: &str, to: &str| replace(text, from, to).into_owned());
    878 translate(Text, Text, Text) -> Text: strict immutable = |c, a| map3(c, a, translate);
    3062 reverse(Text) -> Text: strict immutable = |c, a| map1(c, a, |text: &str| text.chars().rev().collect::<String>());
    1622 repeat(Text, Int4) -> Text: strict immutable raises = |c, a| map2(c, a, repeat);
    2088 split_part(Text, Text, Int4) -> Text: strict immutable raises = |c, a| map3(c, a, |text: &str, separator: &str, field: i32| split_part(text, separator, field).map(str::to_owned));
    1404 overlay(Text, Text, Int4, Int4) -> Text: strict immutable raises = |c, a| map4(c, a, overlay);
    1405 overlay(Text, Text, Int4) -> Text: strict immutable raises = |c, a| map3(c, a, |text: &str, with: &str, start: i32| overlay(text, with, start, char_count(with)));
    1620 ascii(Text) -> Int4: strict immutable = |c, a| map1(c, a, ascii);
    1621 chr(Int4) -> Text: strict immutable raises = |c, a| map1(c, a, chr);
    2089 to_hex(Int4) -> Text: strict immutable = |c, a| map1(c, a, |v: i32| format!("{v:x}"));
    2090 to_hex(Int8) -> Text: strict immutable = |c, a| map1(c, a, |v: i64| format!("{v:x}"));
    3696 starts_with(Text, Text) -> Bool: strict immutable = |c, a| map2(c, a, |text: &str, prefix: &str| text.starts_with(prefix));
    1258 textcat(Text, Text) -> Text: strict immutable = |c, a| map2(c, a, |x: &str, y: &str| [x, y].concat());
};
