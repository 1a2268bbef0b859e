//! LIKE and ILIKE, compiled once per pattern.
//!
//! A pattern is split at `%` into segments; without `_` these are byte strings, so a match is a prefix test, searches by
//! `memmem` in order, and a suffix test. With `_` a segment is matched piece by piece. Taking each middle segment at its
//! leftmost place is right because what follows can only gain room.
//!
//! An ILIKE compares lower-cased text, as PostgreSQL does.

use crate::KernelContext;
use crate::lanes::{bools, valid_in_all};
use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2};
use damask_types::{Error, Mask, Result, SqlState, Vector, VectorData, Views};
use memchr::memmem::Finder;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Like {
    shape: Shape,
    /// The pattern ends with the escape character, which is an error once the matcher gets there.
    dangling_escape: bool,
}

#[derive(Debug)]
enum Shape {
    /// No wildcard.
    Exact(Vec<u8>),
    /// Byte strings only: how it begins, what follows in order, how it ends.
    Parts { prefix: Vec<u8>, middle: Vec<Finder<'static>>, suffix: Vec<u8>, min_bytes: usize },
    /// Segments with `_`; `open_start`/`open_end` tell whether `%` stands before the first and after the last.
    Segments { segments: Vec<Vec<Piece>>, open_start: bool, open_end: bool },
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Bytes(Vec<u8>),
    /// `_`: one character (one byte in bytea).
    Any,
}

impl Like {
    /// Compiles a pattern with `\` as the escape character. `is_text` tells whether `_` is a character or a byte.
    pub(crate) fn new(pattern: &[u8]) -> Self {
        let mut segments: Vec<Vec<Piece>> = vec![Vec::new()];
        let mut has_percent = false;
        let mut dangling_escape = false;
        let mut bytes = pattern.iter().copied();
        while let Some(byte) = bytes.next() {
            let segment = segments.last_mut().expect("there is always a segment");
            match byte {
                b'%' => {
                    has_percent = true;
                    segments.push(Vec::new());
                }
                b'_' => segment.push(Piece::Any),
                b'\\' => {
                    if let Some(escaped) = bytes.next() {
                        push_byte(segment, escaped);
                    } else {
                        dangling_escape = true;
                        has_percent = true;
                        segment.push(Piece::Any);
                        segments.push(Vec::new());
                    }
                }
                _ => push_byte(segment, byte),
            }
        }
        Self { shape: shape(segments, has_percent), dangling_escape }
    }

    /// Whether `text` matches.
    ///
    /// # Errors
    /// 22025 if the pattern ends with the escape character and the text reaches it.
    pub(crate) fn matches(&self, text: &[u8], is_text: bool) -> Result<bool> {
        let matched = match &self.shape {
            Shape::Exact(exact) => text == exact.as_slice(),
            Shape::Parts { prefix, middle, suffix, min_bytes } => {
                text.len() >= *min_bytes
                    && text.starts_with(prefix)
                    && text.ends_with(suffix)
                    && in_order(&text[prefix.len()..text.len() - suffix.len()], middle)
            }
            Shape::Segments { segments, open_start, open_end } => {
                match_segments(text, segments, *open_start, *open_end, is_text)
            }
        };
        if matched && self.dangling_escape {
            return Err(Error::new(
                SqlState::INVALID_ESCAPE_SEQUENCE,
                "LIKE pattern must not end with escape character",
            ));
        }
        Ok(matched)
    }
}

fn push_byte(segment: &mut Vec<Piece>, byte: u8) {
    if let Some(Piece::Bytes(bytes)) = segment.last_mut() {
        bytes.push(byte);
    } else {
        segment.push(Piece::Bytes(vec![byte]));
    }
}

fn shape(mut segments: Vec<Vec<Piece>>, has_percent: bool) -> Shape {
    let has_any = segments.iter().flatten().any(|piece| *piece == Piece::Any);
    let bytes = |segment: &[Piece]| match segment {
        [Piece::Bytes(bytes)] => bytes.clone(),
        _ => Vec::new(),
    };
    if !has_any {
        if !has_percent {
            return Shape::Exact(bytes(&segments[0]));
        }
        let prefix = bytes(&segments[0]);
        let suffix = bytes(segments.last().expect("there is always a segment"));
        let middle: Vec<Vec<u8>> = segments[1..segments.len() - 1]
            .iter()
            .map(|segment| bytes(segment))
            .filter(|segment| !segment.is_empty())
            .collect();
        let min_bytes = prefix.len() + suffix.len() + middle.iter().map(Vec::len).sum::<usize>();
        let middle = middle.iter().map(|part| Finder::new(part).into_owned()).collect();
        return Shape::Parts { prefix, middle, suffix, min_bytes };
    }
    let open_start = segments[0].is_empty() && has_percent;
    let open_end = segments.last().is_some_and(Vec::is_empty) && has_percent;
    segments.retain(|segment| !segment.is_empty());
    Shape::Segments { segments, open_start, open_end }
}

fn in_order(mut text: &[u8], parts: &[Finder<'_>]) -> bool {
    for part in parts {
        match part.find(text) {
            Some(at) => text = &text[at + part.needle().len()..],
            None => return false,
        }
    }
    true
}

/// Bytes of the character that starts `text`.
fn char_bytes(text: &[u8], is_text: bool) -> usize {
    match text[0] {
        _ if !is_text => 1,
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}

/// The bytes that `segment` takes at the start of `text`.
fn match_here(text: &[u8], segment: &[Piece], is_text: bool) -> Option<usize> {
    let mut at = 0;
    for piece in segment {
        match piece {
            Piece::Bytes(bytes) if text[at..].starts_with(bytes) => at += bytes.len(),
            Piece::Any if at < text.len() => {
                at += char_bytes(&text[at..], is_text).min(text.len() - at);
            }
            Piece::Bytes(_) | Piece::Any => return None,
        }
    }
    Some(at)
}

fn match_segments(
    mut text: &[u8],
    mut segments: &[Vec<Piece>],
    open_start: bool,
    open_end: bool,
    is_text: bool,
) -> bool {
    if !open_start && let [first, rest @ ..] = segments {
        let Some(taken) = match_here(text, first, is_text) else { return false };
        text = &text[taken..];
        segments = rest;
        if segments.is_empty() {
            return open_end || text.is_empty();
        }
    }
    let last = if open_end {
        None
    } else {
        let (last, rest) = segments.split_last().expect("a closed end has a segment");
        segments = rest;
        Some(last)
    };
    for segment in segments {
        loop {
            if let Some(taken) = match_here(text, segment, is_text) {
                text = &text[taken..];
                break;
            }
            if text.is_empty() {
                return false;
            }
            text = &text[char_bytes(text, is_text).min(text.len())..];
        }
    }
    let Some(last) = last else { return true };
    // The end is fixed and every character's width is known from there: try each start.
    loop {
        if match_here(text, last, is_text) == Some(text.len()) {
            return true;
        }
        if text.is_empty() {
            return false;
        }
        text = &text[char_bytes(text, is_text).min(text.len())..];
    }
}

fn views(vector: &Vector) -> &Views {
    match &vector.data {
        VectorData::Bytes(views) => views,
        other => panic!("LIKE was given {other:?}"),
    }
}

/// LIKE over vectors: a const pattern is compiled once, and where it cannot raise it is run over all rows.
fn like(ctx: &KernelContext<'_>, args: &[Vector], negated: bool, is_text: bool) -> Result<Vector> {
    if args[1].is_const() && ctx.rows > 0 && !args[1].is_null(0) {
        let pattern = Like::new(views(&args[1]).get(0));
        let text = views(&args[0]);
        if !pattern.dangling_escape {
            let valid = valid_in_all(args);
            return Ok(bools(ctx, args, |rows| {
                Mask::from_fn(rows, |row| {
                    (ctx.active.get(row) || args[0].is_const())
                        && valid.is_none_or(|valid| valid.get(row))
                        && pattern.matches(text.get(args[0].index(row)), is_text).unwrap_or(false)
                            != negated
                })
            }));
        }
        return map1(ctx, &args[..1], |text: &[u8]| Ok(pattern.matches(text, is_text)? != negated));
    }
    let mut last: Option<(Vec<u8>, Like)> = None;
    map2(ctx, args, |text: &[u8], pattern: &[u8]| {
        if last.as_ref().is_none_or(|(key, _)| key != pattern) {
            last = Some((pattern.to_vec(), Like::new(pattern)));
        }
        let (_, compiled) = last.as_ref().expect("just set");
        Ok(compiled.matches(text, is_text)? != negated)
    })
}

/// ILIKE: LIKE of lower-cased text.
fn ilike(ctx: &KernelContext<'_>, args: &[Vector], negated: bool) -> Result<Vector> {
    let mut last: Option<(String, Like)> = None;
    map2(ctx, args, |text: &str, pattern: &str| {
        if last.as_ref().is_none_or(|(key, _)| key != pattern) {
            let lowered = crate::scalar::case::lower(pattern);
            last = Some((pattern.to_owned(), Like::new(lowered.as_bytes())));
        }
        let (_, compiled) = last.as_ref().expect("just set");
        let text = crate::scalar::case::lower(text);
        Ok(compiled.matches(text.as_bytes(), true)? != negated)
    })
}

/// `LIKE p ESCAPE e`: the pattern with `\` as its escape character.
fn like_escape(pattern: &str, escape: &str) -> Result<String> {
    let mut chars = escape.chars();
    let escape = chars.next();
    if chars.next().is_some() {
        return Err(invalid_escape());
    }
    let mut result = String::with_capacity(pattern.len() + 4);
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if Some(char) == escape {
            // The escaped character stays escaped, whatever the character.
            result.push('\\');
            if let Some(next) = chars.next() {
                result.push(next);
            }
        } else {
            if char == '\\' {
                result.push('\\');
            }
            result.push(char);
        }
    }
    Ok(result)
}

fn like_escape_bytes(pattern: &[u8], escape: &[u8]) -> Result<Vec<u8>> {
    let escape = match escape {
        [] => None,
        [byte] => Some(*byte),
        _ => return Err(invalid_escape()),
    };
    let mut result = Vec::with_capacity(pattern.len() + 4);
    let mut bytes = pattern.iter().copied();
    while let Some(byte) = bytes.next() {
        if Some(byte) == escape {
            result.push(b'\\');
            result.extend(bytes.next());
        } else {
            if byte == b'\\' {
                result.push(b'\\');
            }
            result.push(byte);
        }
    }
    Ok(result)
}

/// 22019.
#[cold]
pub(crate) fn invalid_escape() -> Error {
    Error::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
        .hint("Escape string must be empty or one character.")
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    850 textlike(Text, Text) -> Bool: strict immutable raises = |c, a| like(c, a, false, true);
    851 textnlike(Text, Text) -> Bool: strict immutable raises = |c, a| like(c, a, true, true);
    858 namelike(Name, Text) -> Bool: strict immutable raises = |c, a| like(c, a, false, true);
    859 namenlike(Name, Text) -> Bool: strict immutable raises = |c, a| like(c, a, true, true);
    1631 bpcharlike(BpChar, Text) -> Bool: strict immutable raises = |c, a| like(c, a, false, true);
    1632 bpcharnlike(BpChar, Text) -> Bool: strict immutable raises = |c, a| like(c, a, true, true);
    2005 bytealike(Bytea, Bytea) -> Bool: strict immutable raises = |c, a| like(c, a, false, false);
    2006 byteanlike(Bytea, Bytea) -> Bool: strict immutable raises = |c, a| like(c, a, true, false);
    1633 texticlike(Text, Text) -> Bool: strict immutable raises = |c, a| ilike(c, a, false);
    1634 texticnlike(Text, Text) -> Bool: strict immutable raises = |c, a| ilike(c, a, true);
    1635 nameiclike(Name, Text) -> Bool: strict immutable raises = |c, a| ilike(c, a, false);
    1636 nameicnlike(Name, Text) -> Bool: strict immutable raises = |c, a| ilike(c, a, true);
    1660 bpchariclike(BpChar, Text) -> Bool: strict immutable raises = |c, a| ilike(c, a, false);
    1661 bpcharicnlike(BpChar, Text) -> Bool: strict immutable raises = |c, a| ilike(c, a, true);
    1569 like(Text, Text) -> Bool: strict immutable raises = |c, a| like(c, a, false, true);
    1570 notlike(Text, Text) -> Bool: strict immutable raises = |c, a| like(c, a, true, true);
    1571 like(Name, Text) -> Bool: strict immutable raises = |c, a| like(c, a, false, true);
    1572 notlike(Name, Text) -> Bool: strict immutable raises = |c, a| like(c, a, true, true);
    2007 like(Bytea, Bytea) -> Bool: strict immutable raises = |c, a| like(c, a, false, false);
    2008 notlike(Bytea, Bytea) -> Bool: strict immutable raises = |c, a| like(c, a, true, false);
    1637 like_escape(Text, Text) -> Text: strict immutable raises = |c, a| map2(c, a, like_escape);
    2009 like_escape(Bytea, Bytea) -> Bytea: strict immutable raises = |c, a| map2(c, a, like_escape_bytes);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "%b%", true),
            ("abc", "a%c", true),
            ("aba", "a%ba", true),
            ("aa", "aa%a", false),
            ("special packages requests", "%special%requests%", true),
            ("abc", "a_c", true),
            ("äbc", "_bc", true),
            ("äbc", "__bc", false),
            ("abcabd", "%ab_", true),
            ("abc", "%_", true),
            ("", "%", true),
            ("", "_", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("xaxbx", "%a_b%", true),
            ("abab", "%_b_b", true),
            ("ab", "%", true),
            ("ab", "%%", true),
            ("ab", "_%_", true),
            ("a", "_%_", false),
        ];
        for (text, pattern, expected) in cases {
            let like = Like::new(pattern.as_bytes());
            let got = like.matches(text.as_bytes(), true).expect("no dangling escape");
            assert_eq!(got, expected, "{text} LIKE {pattern}: {like:?}");
        }
        assert!(Like::new(b"ab\\").matches(b"abc", true).is_err());
        assert!(!Like::new(b"x\\").matches(b"abc", true).expect("not reached"));
    }
}
