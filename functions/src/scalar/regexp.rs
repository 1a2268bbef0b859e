//! Functions on regular expressions: match, count, replace, split, `substring`, SIMILAR TO.

use crate::operator::like::invalid_escape;
use crate::operator::regex::{Options, cached};
use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2, map3, map4, map5, map6, map7};
use damask_types::array::ArrayValue;
use damask_types::{Error, Result, SqlState, TypeId, Value};
use regex::{Captures, Regex};
use std::rc::Rc;

fn options(flags: &str, function: &str, allow_global: bool) -> Result<Options> {
    let options = Options::parse(flags)?;
    if options.global && !allow_global {
        let error = Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("{function}() does not support the \"global\" option"),
        );
        return Err(if function == "regexp_match" {
            error.hint("Use the regexp_matches function instead.")
        } else {
            error
        });
    }
    Ok(options)
}

/// The groups of a match, or all of it if the pattern has none.
pub(crate) fn groups(captures: &Captures<'_>) -> ArrayValue {
    let text =
        |group: usize| captures.get(group).map_or(Value::Null, |found| Value::text(found.as_str()));
    let values = match captures.len() {
        1 => vec![text(0)],
        len => (1..len).map(text).collect(),
    };
    ArrayValue::new(TypeId::Text, values)
}

fn first_match(text: &str, pattern: &str, flags: &str) -> Result<Option<ArrayValue>> {
    let regex = cached(pattern, options(flags, "regexp_match", false)?)?;
    Ok(regex.captures(text).map(|captures| groups(&captures)))
}

/// `\1` to `\9` are groups, `\&` the match, `\\` a backslash.
fn expand(captures: &Captures<'_>, replacement: &str, out: &mut String) {
    let mut chars = replacement.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some(digit @ '1'..='9') => {
                let group = digit as usize - '0' as usize;
                out.push_str(captures.get(group).map_or("", |found| found.as_str()));
            }
            Some('&') => out.push_str(captures.get(0).map_or("", |found| found.as_str())),
            Some('\\') | None => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
}

/// Replaces match number `which` (from 1) at or after byte `start`, or all if it is 0.
fn replace(regex: &Regex, text: &str, replacement: &str, start: usize, which: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (number, captures) in captures_from(regex, text, start).enumerate() {
        if which != 0 && number + 1 != which {
            continue;
        }
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[copied..whole.start()]);
        expand(&captures, replacement, &mut out);
        copied = whole.end();
        if which != 0 {
            break;
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// Matches from a byte offset on; what is before it still counts as context.
fn captures_from<'a>(
    regex: &'a Regex,
    text: &'a str,
    start: usize,
) -> impl Iterator<Item = Captures<'a>> {
    let mut at = Some(start);
    let mut last_end = None;
    std::iter::from_fn(move || {
        loop {
            let captures = regex.captures_at(text, at?)?;
            let whole = captures.get(0)?;
            at = if whole.end() > whole.start() {
                Some(whole.end())
            } else {
                text[whole.end()..].chars().next().map(|char| whole.end() + char.len_utf8())
            };
            // An empty match right behind the last one is the same place.
            if whole.is_empty() && last_end == Some(whole.end()) {
                continue;
            }
            last_end = Some(whole.end());
            return Some(captures);
        }
    })
}

/// The byte offset of character `start` (from 1); `None` past the end, where nothing matches.
fn offset(text: &str, start: i32) -> Result<Option<usize>> {
    if start < 1 {
        return Err(bad_parameter("start", start));
    }
    Ok(text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(start as usize - 1))
}

fn bad_parameter(name: &str, value: i32) -> Error {
    Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("invalid value for parameter \"{name}\": {value}"),
    )
}

fn replace_flags(text: &str, pattern: &str, replacement: &str, flags: &str) -> Result<String> {
    if flags.starts_with(|char: char| char.is_ascii_digit()) {
        return Err(Error::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid regular expression option: \"{}\"", &flags[..1]),
        )
        .hint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly."));
    }
    let options = Options::parse(flags)?;
    let regex = cached(pattern, options)?;
    Ok(replace(&regex, text, replacement, 0, usize::from(!options.global)))
}

fn replace_at(
    text: &str,
    pattern: &str,
    replacement: &str,
    start: i32,
    which: i32,
    flags: &str,
) -> Result<String> {
    if which < 0 {
        return Err(bad_parameter("n", which));
    }
    let start = offset(text, start)?;
    let regex = cached(pattern, Options::parse(flags)?)?;
    let Some(start) = start else { return Ok(text.to_owned()) };
    Ok(replace(&regex, text, replacement, start, which as usize))
}

fn count(text: &str, pattern: &str, start: i32, flags: &str) -> Result<i32> {
    let start = offset(text, start)?;
    let regex = cached(pattern, options(flags, "regexp_count", false)?)?;
    let Some(start) = start else { return Ok(0) };
    Ok(captures_from(&regex, text, start).count() as i32)
}

fn like(text: &str, pattern: &str, flags: &str) -> Result<bool> {
    Ok(cached(pattern, options(flags, "regexp_like", false)?)?.is_match(text))
}

/// The byte range of group `group` of match number `which` at or after `start`.
fn find(
    function: &str,
    text: &str,
    pattern: &str,
    start: i32,
    which: i32,
    flags: &str,
    group: i32,
) -> Result<Option<(usize, usize)>> {
    let start = offset(text, start)?;
    if which < 1 {
        return Err(bad_parameter("n", which));
    }
    if group < 0 {
        return Err(bad_parameter("subexpr", group));
    }
    let regex: Rc<Regex> = cached(pattern, options(flags, function, false)?)?;
    let Some(start) = start else { return Ok(None) };
    let found = captures_from(&regex, text, start).nth(which as usize - 1);
    Ok(found.and_then(|captures| {
        captures.get(group as usize).map(|found| (found.start(), found.end()))
    }))
}

fn substr(
    text: &str,
    pattern: &str,
    start: i32,
    which: i32,
    flags: &str,
    group: i32,
) -> Result<Option<String>> {
    let found = find("regexp_substr", text, pattern, start, which, flags, group)?;
    Ok(found.map(|(start, end)| text[start..end].to_owned()))
}

fn instr(
    text: &str,
    pattern: &str,
    start: i32,
    which: i32,
    end_option: i32,
    flags: &str,
    group: i32,
) -> Result<i32> {
    if !(0..=1).contains(&end_option) {
        return Err(bad_parameter("endoption", end_option));
    }
    let found = find("regexp_instr", text, pattern, start, which, flags, group)?;
    Ok(found.map_or(0, |(start, end)| {
        text[..if end_option == 1 { end } else { start }].chars().count() as i32 + 1
    }))
}

/// `substring(text from pattern)`: the first group, or the match if there is none.
fn substring(text: &str, pattern: &str) -> Result<Option<String>> {
    let regex = cached(pattern, Options::default())?;
    Ok(regex.captures(text).and_then(|captures| {
        captures.get(usize::from(captures.len() > 1)).map(|found| found.as_str().to_owned())
    }))
}

/// The parts between matches. A match of nothing at the start, at the end or right behind another one does not split.
pub(crate) fn split<'a>(
    text: &'a str,
    pattern: &str,
    flags: &str,
    function: &str,
) -> Result<Vec<&'a str>> {
    let regex = cached(pattern, options(flags, function, false)?)?;
    let mut parts = Vec::new();
    let mut start = 0;
    for captures in captures_from(&regex, text, 0) {
        let Some(found) = captures.get(0) else { continue };
        if found.is_empty()
            && (found.start() == 0
                || found.start() == text.len()
                || found.start() == start && start != 0)
        {
            continue;
        }
        parts.push(&text[start..found.start()]);
        start = found.end();
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn split_array(text: &str, pattern: &str, flags: &str) -> Result<ArrayValue> {
    let parts = split(text, pattern, flags, "regexp_split_to_array")?;
    Ok(ArrayValue::new(TypeId::Text, parts.into_iter().map(Value::text).collect()))
}

/// A SIMILAR TO pattern as a regular expression; the escape character is `\` unless given, none if empty.
fn similar(pattern: &str, escape: &str) -> Result<String> {
    let mut chars = escape.chars();
    let escape = chars.next();
    if chars.next().is_some() {
        return Err(invalid_escape());
    }
    let mut out = String::from("^(?:");
    let mut separators = 0;
    let mut in_class = false;
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        if Some(char) == escape {
            match chars.next() {
                // substring's form: part before, part wanted, part after.
                Some('"') if !in_class => {
                    separators += 1;
                    out.push_str(match separators {
                        1 => "){1,1}?(",
                        2 => "){1,1}(?:",
                        _ => {
                            return Err(Error::new(
                                SqlState::INVALID_ESCAPE_SEQUENCE,
                                "SQL regular expression may not contain more than two escape-double-quote separators",
                            ));
                        }
                    });
                }
                Some(next) => {
                    out.push('\\');
                    out.push(next);
                }
                None => out.push_str("\\\\"),
            }
        } else if in_class {
            if char == '\\' {
                out.push('\\');
            }
            out.push(char);
            in_class = char != ']';
        } else {
            match char {
                '[' => {
                    in_class = true;
                    out.push('[');
                    if chars.peek() == Some(&'^') {
                        out.extend(chars.next());
                    }
                    if chars.peek() == Some(&']') {
                        out.extend(chars.next());
                    }
                }
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '\\' | '.' | '^' | '$' => {
                    out.push('\\');
                    out.push(char);
                }
                _ => out.push(char),
            }
        }
    }
    out.push_str(")$");
    Ok(out)
}

fn substring_similar(text: &str, pattern: &str, escape: &str) -> Result<Option<String>> {
    substring(text, &similar(pattern, escape)?)
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    3396 regexp_match(Text, Text) -> TextArray: strict immutable raises = |c, a| map2(c, a, |text: &str, pattern: &str| first_match(text, pattern, ""));
    3397 regexp_match(Text, Text, Text) -> TextArray: strict immutable raises = |c, a| map3(c, a, first_match);
    2284 regexp_replace(Text, Text, Text) -> Text: strict immutable raises = |c, a| map3(c, a, |text: &str, pattern: &str, with: &str| replace_flags(text, pattern, with, ""));
    2285 regexp_replace(Text, Text, Text, Text) -> Text: strict immutable raises = |c, a| map4(c, a, replace_flags);
    6253 regexp_replace(Text, Text, Text, Int4) -> Text: strict immutable raises = |c, a| map4(c, a, |text: &str, pattern: &str, with: &str, start: i32| replace_at(text, pattern, with, start, 1, ""));
    6252 regexp_replace(Text, Text, Text, Int4, Int4) -> Text: strict immutable raises = |c, a| map5(c, a, |text: &str, pattern: &str, with: &str, start: i32, n: i32| replace_at(text, pattern, with, start, n, ""));
    6251 regexp_replace(Text, Text, Text, Int4, Int4, Text) -> Text: strict immutable raises = |c, a| map6(c, a, replace_at);
    6254 regexp_count(Text, Text) -> Int4: strict immutable raises = |c, a| map2(c, a, |text: &str, pattern: &str| count(text, pattern, 1, ""));
    6255 regexp_count(Text, Text, Int4) -> Int4: strict immutable raises = |c, a| map3(c, a, |text: &str, pattern: &str, start: i32| count(text, pattern, start, ""));
    6256 regexp_count(Text, Text, Int4, Text) -> Int4: strict immutable raises = |c, a| map4(c, a, count);
    6263 regexp_like(Text, Text) -> Bool: strict immutable raises = |c, a| map2(c, a, |text: &str, pattern: &str| like(text, pattern, ""));
    6264 regexp_like(Text, Text, Text) -> Bool: strict immutable raises = |c, a| map3(c, a, like);
    6265 regexp_substr(Text, Text) -> Text: strict immutable raises = |c, a| map2(c, a, |text: &str, pattern: &str| substr(text, pattern, 1, 1, "", 0));
    6266 regexp_substr(Text, Text, Int4) -> Text: strict immutable raises = |c, a| map3(c, a, |text: &str, pattern: &str, start: i32| substr(text, pattern, start, 1, "", 0));
    6267 regexp_substr(Text, Text, Int4, Int4) -> Text: strict immutable raises = |c, a| map4(c, a, |text: &str, pattern: &str, start: i32, n: i32| substr(text, pattern, start, n, "", 0));
    6268 regexp_substr(Text, Text, Int4, Int4, Text) -> Text: strict immutable raises = |c, a| map5(c, a, |text: &str, pattern: &str, start: i32, n: i32, flags: &str| substr(text, pattern, start, n, flags, 0));
    6269 regexp_substr(Text, Text, Int4, Int4, Text, Int4) -> Text: strict immutable raises = |c, a| map6(c, a, substr);
    6257 regexp_instr(Text, Text) -> Int4: strict immutable raises = |c, a| map2(c, a, |text: &str, pattern: &str| instr(text, pattern, 1, 1, 0, "", 0));
    6258 regexp_instr(Text, Text, Int4) -> Int4: strict immutable raises = |c, a| map3(c, a, |text: &str, pattern: &str, start: i32| instr(text, pattern, start, 1, 0, "", 0));
    6259 regexp_instr(Text, Text, Int4, Int4) -> Int4: strict immutable raises = |c, a| map4(c, a, |text: &str, pattern: &str, start: i32, n: i32| instr(text, pattern, start, n, 0, "", 0));
    6260 regexp_instr(Text, Text, Int4, Int4, Int4) -> Int4: strict immutable raises = |c, a| map5(c, a, |text: &str, pattern: &str, start: i32, n: i32, end: i32| instr(text, pattern, start, n, end, "", 0));
    6261 regexp_instr(Text, Text, Int4, Int4, Int4, Text) -> Int4: strict immutable raises = |c, a| map6(c, a, |text: &str, pattern: &str, start: i32, n: i32, end: i32, flags: &str| instr(text, pattern, start, n, end, flags, 0));
    6262 regexp_instr(Text, Text, Int4, Int4, Int4, Text, Int4) -> Int4: strict immutable raises = |c, a| map7(c, a, instr);
    2767 regexp_split_to_array(Text, Text) -> TextArray: strict immutable raises = |c, a| map2(c, a, |text: &str, pattern: &str| split_array(text, pattern, ""));
    2768 regexp_split_to_array(Text, Text, Text) -> TextArray: strict immutable raises = |c, a| map3(c, a, split_array);
    2073 substring(Text, Text) -> Text: strict immutable raises = |c, a| map2(c, a, substring);
    2074 substring(Text, Text, Text) -> Text: strict immutable raises = |c, a| map3(c, a, substring_similar);
    1987 similar_to_escape(Text) -> Text: strict immutable raises = |c, a| map1(c, a, |pattern: &str| similar(pattern, "\\"));
    1986 similar_to_escape(Text, Text) -> Text: strict immutable raises = |c, a| map2(c, a, similar);
};
