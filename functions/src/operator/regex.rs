//! `~` and its kin: PostgreSQL's advanced regular expressions, translated to the `regex` crate's syntax.
//!
//! What is regular is translated: classes, bounds, escapes, embedded options, `***:` and `***=`. Back references and
//! lookaround are 0A000. Alternation prefers the first branch that matches where PostgreSQL prefers the longest match; this can
//! show in what `regexp_match` and `regexp_replace` take, never in whether something matches.

use crate::KernelContext;
use crate::registry::{ScalarFunction, family};
use crate::rows::{map1, map2};
use damask_types::{Error, Result, SqlState, Vector};
use regex::{Regex, RegexBuilder};
use std::rc::Rc;

/// Options of a regular expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    /// `i`.
    pub(crate) ignore_case: bool,
    /// `g`: every match, not the first.
    pub(crate) global: bool,
    /// `n`, `m`: `^` and `$` match at lines, and `.` not at their ends.
    pub(crate) lines: Lines,
    /// `x`: white space and comments are left out.
    pub(crate) expanded: bool,
    /// `q`: not a pattern at all but text.
    pub(crate) literal: bool,
}

/// What a newline means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Lines {
    /// An ordinary character.
    #[default]
    No,
    /// Both `.` and anchors know it.
    Both,
    /// `.` stops at it (`p`).
    Dot,
    /// Anchors match at it (`w`).
    Anchors,
}

impl Options {
    /// Options from the flags argument of `regexp_match` and others.
    ///
    /// # Errors
    /// 22023 `invalid regular expression option: "z"`.
    pub(crate) fn parse(flags: &str) -> Result<Self> {
        let mut options = Self::default();
        for flag in flags.chars() {
            match flag {
                'g' => options.global = true,
                _ if options.apply(flag) => {}
                _ => {
                    return Err(Error::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        format!("invalid regular expression option: \"{flag}\""),
                    ));
                }
            }
        }
        Ok(options)
    }

    fn apply(&mut self, flag: char) -> bool {
        match flag {
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'n' | 'm' => self.lines = Lines::Both,
            's' => self.lines = Lines::No,
            'p' => self.lines = Lines::Dot,
            'w' => self.lines = Lines::Anchors,
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            'b' | 'e' => {}
            _ => return false,
        }
        true
    }
}

/// 2201B.
#[cold]
fn invalid(reason: &str) -> Error {
    Error::new(
        SqlState::INVALID_REGULAR_EXPRESSION,
        format!("invalid regular expression: {reason}"),
    )
}

/// Compiles a pattern.
///
/// # Errors
/// 2201B if it is malformed, 0A000 for what is not regular.
pub(crate) fn compile(pattern: &str, mut options: Options) -> Result<Regex> {
    let mut rest = pattern;
    if let Some(after) = rest.strip_prefix("***") {
        if let Some(literal) = after.strip_prefix('=') {
            options.literal = true;
            rest = literal;
        } else if let Some(are) = after.strip_prefix(':') {
            rest = are;
        } else {
            return Err(invalid("quantifier operand invalid"));
        }
    }
    if options.literal {
        return build(&regex::escape(rest), options);
    }
    // Embedded options stand at the very start: (?i).
    if let Some(after) = rest.strip_prefix("(?")
        && let Some(end) = after.find(')')
        && end > 0
        && after[..end].chars().all(|flag| flag.is_ascii_alphabetic())
    {
        for flag in after[..end].chars() {
            if !options.apply(flag) {
                return Err(invalid("invalid embedded option"));
            }
        }
        rest = &after[end + 1..];
        if options.literal {
            return build(&regex::escape(rest), options);
        }
    }
    build(&Translator { chars: rest.chars().collect(), at: 0, out: String::new() }.run()?, options)
}

fn build(translated: &str, options: Options) -> Result<Regex> {
    RegexBuilder::new(translated)
        .case_insensitive(options.ignore_case)
        .ignore_whitespace(options.expanded)
        .multi_line(matches!(options.lines, Lines::Both | Lines::Anchors))
        .dot_matches_new_line(matches!(options.lines, Lines::No | Lines::Anchors))
        .size_limit(16 << 20)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => invalid("regular expression is too complex"),
            other => {
                let text = other.to_string();
                let reason = if text.contains("unclosed group") || text.contains("unopened group") {
                    "parentheses () not balanced"
                } else if text.contains("unclosed character class") {
                    "brackets [] not balanced"
                } else if text.contains("repetition operator missing") {
                    "quantifier operand invalid"
                } else if text.contains("range")
                    || text.contains("bound")
                    || text.contains("repetition")
                {
                    "invalid repetition count(s)"
                } else {
                    "invalid escape \\ sequence"
                };
                invalid(reason)
            }
        })
}

/// Rewrites a pattern character by character.
struct Translator {
    chars: Vec<char>,
    at: usize,
    out: String,
}

impl Translator {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += 1;
        Some(char)
    }

    fn run(mut self) -> Result<String> {
        let mut depth = 0usize;
        while let Some(char) = self.next() {
            match char {
                '\\' => self.escape()?,
                '[' => self.bracket()?,
                '(' => {
                    depth += 1;
                    self.group()?;
                }
                ')' if depth == 0 => return Err(invalid("parentheses () not balanced")),
                ')' => {
                    depth -= 1;
                    self.out.push(')');
                }
                '{' if self.peek().is_some_and(|next| next.is_ascii_digit()) => self.bound()?,
                '{' | '}' => {
                    self.out.push('\\');
                    self.out.push(char);
                }
                // Nothing may be empty around a star in ARE either, but `(*` and `|*` are errors in both.
                _ => self.out.push(char),
            }
        }
        if depth > 0 {
            return Err(invalid("parentheses () not balanced"));
        }
        Ok(self.out)
    }

    fn group(&mut self) -> Result<()> {
        self.out.push('(');
        if self.peek() != Some('?') {
            return Ok(());
        }
        match self.chars.get(self.at + 1) {
            Some(':') => {
                self.at += 2;
                self.out.push_str("?:");
                Ok(())
            }
            Some('=' | '!' | '<') => Err(Error::unsupported("lookaround in regular expressions")),
            Some('#') => {
                while let Some(char) = self.next() {
                    if char == ')' {
                        self.at -= 1;
                        break;
                    }
                }
                self.out.push_str("?:");
                Ok(())
            }
            _ => Err(invalid("quantifier operand invalid")),
        }
    }

    fn bound(&mut self) -> Result<()> {
        let start = self.at;
        while self.peek().is_some_and(|char| char.is_ascii_digit() || char == ',') {
            self.at += 1;
        }
        let bound: String = self.chars[start..self.at].iter().collect();
        if self.next() != Some('}') {
            return Err(invalid("braces {} not balanced"));
        }
        let limits: Vec<Option<u32>> = bound
            .split(',')
            .map(|limit| if limit.is_empty() { Some(0) } else { limit.parse().ok() })
            .collect();
        let too_big = limits.iter().any(|limit| limit.is_none_or(|limit| limit > 255));
        let backwards = matches!(limits.as_slice(), [Some(low), Some(high)] if low > high)
            && !bound.ends_with(',');
        if too_big || backwards || limits.len() > 2 {
            return Err(invalid("invalid repetition count(s)"));
        }
        self.out.push('{');
        self.out.push_str(&bound);
        self.out.push('}');
        Ok(())
    }

    /// After a backslash outside brackets.
    fn escape(&mut self) -> Result<()> {
        let Some(char) = self.next() else {
            return Err(invalid("invalid escape \\ sequence"));
        };
        match char {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.out.push('\\');
                self.out.push(char);
            }
            'm' => self.out.push_str("\\b{start}"),
            'M' => self.out.push_str("\\b{end}"),
            'y' => self.out.push_str("\\b"),
            'Y' => self.out.push_str("\\B"),
            'A' => self.out.push_str("\\A"),
            'Z' => self.out.push_str("\\z"),
            '1'..='9' => {
                return Err(Error::unsupported("a back reference in regular expressions"));
            }
            _ => {
                let literal = self.character_escape(char)?;
                self.literal(literal);
            }
        }
        Ok(())
    }

    fn literal(&mut self, char: char) {
        self.out.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
    }

    /// Escapes that stand for one character.
    fn character_escape(&mut self, char: char) -> Result<char> {
        Ok(match char {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'B' => '\\',
            'c' => {
                let of = self.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
                char::from(of as u8 & 0x1f)
            }
            'e' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'u' => self.hex(4, 4)?,
            'U' => self.hex(8, 8)?,
            'x' => self.hex(1, 255)?,
            '0' => {
                let mut code = 0u32;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|char| char.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    self.at += 1;
                }
                char::from_u32(code).unwrap_or('\0')
            }
            _ if char.is_ascii_alphanumeric() => {
                return Err(invalid("invalid escape \\ sequence"));
            }
            _ => char,
        })
    }

    fn hex(&mut self, min: usize, max: usize) -> Result<char> {
        let mut code = 0u32;
        let mut digits = 0;
        while digits < max
            && let Some(digit) = self.peek().and_then(|char| char.to_digit(16))
        {
            code = code.wrapping_mul(16).wrapping_add(digit);
            digits += 1;
            self.at += 1;
        }
        if digits < min {
            return Err(invalid("invalid escape \\ sequence"));
        }
        char::from_u32(code).ok_or_else(|| invalid("invalid escape \\ sequence"))
    }

    /// After `[`.
    fn bracket(&mut self) -> Result<()> {
        let rest: String = self.chars[self.at..].iter().take(7).collect();
        for (word, boundary) in [("[:<:]]", "\\b{start}"), ("[:>:]]", "\\b{end}")] {
            if rest.starts_with(word) {
                self.at += word.len();
                self.out.push_str(boundary);
                return Ok(());
            }
        }
        self.out.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let Some(char) = self.next() else {
                return Err(invalid("brackets [] not balanced"));
            };
            match char {
                ']' if !first => {
                    self.out.push(']');
                    return Ok(());
                }
                '[' if matches!(self.peek(), Some(':')) => self.class()?,
                '[' if matches!(self.peek(), Some('.' | '=')) => {
                    let mark = self.next();
                    let element = self.next().ok_or_else(|| invalid("brackets [] not balanced"))?;
                    if self.next() != mark || self.next() != Some(']') {
                        return Err(invalid("invalid collating element"));
                    }
                    self.class_literal(element);
                }
                '\\' => {
                    let Some(char) = self.next() else {
                        return Err(invalid("invalid escape \\ sequence"));
                    };
                    if matches!(char, 'd' | 's' | 'w' | 'D' | 'S' | 'W') {
                        self.out.push('\\');
                        self.out.push(char);
                    } else {
                        let literal = self.character_escape(char)?;
                        self.class_literal(literal);
                    }
                }
                '-' if self.is_range() && !first => self.out.push('-'),
                _ => self.class_literal(char),
            }
            first = false;
        }
    }

    /// Whether the `-` just read stands between two ends.
    fn is_range(&self) -> bool {
        self.peek().is_some_and(|next| next != ']')
            && !self.out.ends_with('[')
            && !self.out.ends_with("[^")
    }

    fn class_literal(&mut self, char: char) {
        if matches!(char, '[' | ']' | '\\' | '^' | '-' | '&' | '~' | '#' | ' ') {
            self.out.push('\\');
        }
        self.out.push(char);
    }

    fn class(&mut self) -> Result<()> {
        self.at += 1;
        let start = self.at;
        while self.peek().is_some_and(|char| char.is_ascii_alphabetic()) {
            self.at += 1;
        }
        let name: String = self.chars[start..self.at].iter().collect();
        if self.next() != Some(':') || self.next() != Some(']') {
            return Err(invalid("invalid character class"));
        }
        self.out.push_str(match name.as_str() {
            "alpha" => "\\p{Alphabetic}",
            "digit" => "\\d",
            "alnum" => "\\p{Alphabetic}\\d",
            "upper" => "\\p{Uppercase}",
            "lower" => "\\p{Lowercase}",
            "space" => "\\s",
            "blank" => "[:blank:]",
            "punct" => "[:punct:]",
            "print" => "[[:print:]\\p{L}\\p{N}\\p{P}\\p{S}\\p{M}]",
            "graph" => "[[:graph:]\\p{L}\\p{N}\\p{P}\\p{S}\\p{M}]",
            "cntrl" => "[:cntrl:]",
            "xdigit" => "[:xdigit:]",
            "word" => "\\w",
            _ => return Err(invalid("invalid character class")),
        });
        Ok(())
    }
}

/// Compiled patterns of this thread, most recent last.
const CACHE_ENTRIES: usize = 32;

thread_local! {
    static CACHE: std::cell::RefCell<Vec<(String, Options, Rc<Regex>)>> =
        const { std::cell::RefCell::new(Vec::new()) };
}

/// A compiled pattern, from the thread's cache if it was used lately.
pub(crate) fn cached(pattern: &str, options: Options) -> Result<Rc<Regex>> {
    let options = Options { global: false, ..options };
    CACHE.with_borrow_mut(|cache| {
        let hit = cache.iter().rposition(|(key, with, _)| key == pattern && *with == options);
        let entry = if let Some(at) = hit {
            cache.remove(at)
        } else {
            let regex = Rc::new(compile(pattern, options)?);
            if cache.len() == CACHE_ENTRIES {
                cache.remove(0);
            }
            (pattern.to_owned(), options, regex)
        };
        let regex = Rc::clone(&entry.2);
        cache.push(entry);
        Ok(regex)
    })
}

fn matches(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    ignore_case: bool,
    negated: bool,
) -> Result<Vector> {
    let options = Options { ignore_case, ..Options::default() };
    if args[1].is_const() && ctx.rows > 0 && !args[1].is_null(0) {
        if crate::lanes::live_rows(ctx, args).is_empty() {
            return Ok(Vector::nulls(damask_types::TypeId::Bool, ctx.rows));
        }
        let pattern = args[1].value(0);
        let regex = cached(pattern.as_text().unwrap_or(""), options)?;
        return map1(ctx, &args[..1], |text: &str| regex.is_match(text) != negated);
    }
    map2(ctx, args, |text: &str, pattern: &str| {
        Ok(cached(pattern, options)?.is_match(text) != negated)
    })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    1254 textregexeq(Text, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, false, false);
    1256 textregexne(Text, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, false, true);
    1238 texticregexeq(Text, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, true, false);
    1239 texticregexne(Text, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, true, true);
    79 nameregexeq(Name, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, false, false);
    1252 nameregexne(Name, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, false, true);
    1240 nameicregexeq(Name, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, true, false);
    1241 nameicregexne(Name, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, true, true);
    1658 bpcharregexeq(BpChar, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, false, false);
    1659 bpcharregexne(BpChar, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, false, true);
    1656 bpcharicregexeq(BpChar, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, true, false);
    1657 bpcharicregexne(BpChar, Text) -> Bool: strict immutable raises = |c, a| matches(c, a, true, true);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translations() {
        let cases = [
            ("abc", "b", true),
            ("abc", "^(a|x)", true),
            ("a{", "a{", true),
            ("aaa", "^a{2,3}$", true),
            ("a]b", "[]]", true),
            ("a-b", "[a-]b", true),
            ("foo bar", "\\mbar\\M", true),
            ("foobar", "\\mbar", false),
            ("FOO", "(?i)foo", true),
            ("a.c", "***=a.c", true),
            ("abc", "***=a.c", false),
            ("a1", "[[:alpha:]][[:digit:]]", true),
            ("a b", "a[[:blank:]]b", true),
            ("a\nb", "a.b", true),
            ("pg_class", "^(pg_class)$", true),
            ("a&&b", "[&]{2}", true),
            ("\u{e9}", "^\\w$", true),
        ];
        for (text, pattern, expected) in cases {
            let regex = compile(pattern, Options::default());
            let regex = regex.unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.is_match(text), expected, "{text} ~ {pattern}: {regex}");
        }
        for bad in ["(", ")", "[a", "a{2,1}", "*a\\", "\\"] {
            assert!(compile(bad, Options::default()).is_err(), "{bad}");
        }
    }
}
