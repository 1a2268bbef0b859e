//! Texts of expressions in which columns are written as parameters: `lower($2)` reads the second column.
//!
//! Indexes keep their expressions so: a new name of a column changes nothing that is stored, and the text binds without a
//! table's names. `$` and a digit inside of a string or a quoted name is no parameter.

use damask_types::ColumnIndex;

/// A part of such a text.
enum Part<'t> {
    Text(&'t str),
    Column(ColumnIndex),
}

/// Cuts a text at its parameters.
fn each_part<'t>(text: &'t str, mut f: impl FnMut(Part<'t>)) {
    let bytes = text.as_bytes();
    let (mut start, mut at) = (0, 0);
    let mut quote = None;
    while at < bytes.len() {
        let byte = bytes[at];
        at += 1;
        match quote {
            Some(open) => quote = (byte != open).then_some(open),
            None if byte == b'\'' || byte == b'"' => quote = Some(byte),
            None if byte == b'$' => {
                let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number = text[at..at + digits].parse::<u16>().ok();
                if let Some(column) = number.and_then(|number| number.checked_sub(1)) {
                    f(Part::Text(&text[start..at - 1]));
                    f(Part::Column(ColumnIndex(column)));
                    at += digits;
                    start = at;
                }
            }
            None => {}
        }
    }
    f(Part::Text(&text[start..]));
}

/// The columns that a text reads, with repeats.
pub fn each_column(text: &str, mut f: impl FnMut(ColumnIndex)) {
    each_part(text, |part| {
        if let Part::Column(column) = part {
            f(column);
        }
    });
}

/// The text with names for the columns.
pub fn named(text: &str, name: impl Fn(ColumnIndex) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    each_part(text, |part| match part {
        Part::Text(text) => out.push_str(text),
        Part::Column(column) => out.push_str(&name(column)),
    });
    out
}

/// The text as `pg_get_expr(.., true)` and psql show it: without the parentheses around the whole, around operands of AND and
/// OR, and around names under a cast. (PostgreSQL leaves out some more.)
pub fn pretty(text: &str) -> String {
    let inner = strip(text);
    for (word, is_loose) in [(" OR ", true), (" AND ", false)] {
        let parts = split(inner, word);
        if parts.len() > 1 {
            let parts: Vec<String> =
                parts.into_iter().map(|part| operand(part, is_loose)).collect();
            return parts.join(word);
        }
    }
    plain_casts(inner)
}

/// An operand of OR (`is_loose`) or AND. What binds more loosely keeps its parentheses, and so do ANY and ALL.
fn operand(text: &str, is_loose: bool) -> String {
    let inner = strip(text);
    let is_or = split(inner, " OR ").len() > 1;
    let is_list = [" ANY (", " ALL ("].iter().any(|word| split(inner, word).len() > 1);
    if is_or && !is_loose || is_list { format!("({})", pretty(text)) } else { pretty(text) }
}

/// `(a)::text` as `a::text`.
fn plain_casts(text: &str) -> String {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut dropped = vec![];
    each_outside_quotes(text, |at, byte| {
        let rest = &text.as_bytes()[at + 1..];
        let name = rest.iter().take_while(|byte| is_word(byte)).count();
        let is_argument = at > 0 && is_word(&text.as_bytes()[at - 1]);
        if byte == b'(' && name > 0 && rest[name..].starts_with(b")::") && !is_argument {
            dropped.extend([at, at + 1 + name]);
        }
    });
    let kept = text.char_indices().filter(|(at, _)| !dropped.contains(at));
    kept.map(|(_, letter)| letter).collect()
}

/// Whether the text is one call of a function, which needs no parentheses where others do.
pub fn is_call(text: &str) -> bool {
    let name = text.find('(').unwrap_or(0);
    let is_name = text[..name].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    name > 0 && is_name && strip(&text[name..]).len() + 2 == text.len() - name
}

/// Without the parentheses around all of it, if there are some.
fn strip(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) else {
        return text;
    };
    let mut closes = false;
    let mut depth = 0_i32;
    each_outside_quotes(inner, |_, byte| {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        closes |= depth < 0;
    });
    if closes { text } else { inner }
}

/// The parts between a word that stands outside of every parenthesis.
fn split<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let mut cuts = vec![];
    each_top_level(text, |at| {
        if text[at..].starts_with(word) {
            cuts.push(at);
        }
    });
    let mut parts = vec![];
    let mut start = 0;
    for cut in cuts {
        parts.push(&text[start..cut]);
        start = cut + word.len();
    }
    parts.push(&text[start..]);
    parts
}

/// Calls `f` at each space outside of quotes and parentheses.
fn each_top_level(text: &str, mut f: impl FnMut(usize)) {
    let mut depth = 0_i32;
    each_outside_quotes(text, |at, byte| {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        if depth == 0 && byte == b' ' {
            f(at);
        }
    });
}

fn each_outside_quotes(text: &str, mut f: impl FnMut(usize, u8)) {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match quote {
            Some(open) => quote = (byte != open).then_some(open),
            None if byte == b'\'' || byte == b'"' => quote = Some(byte),
            None => f(at, byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        named(text, |column| format!("c{}", column.0))
    }

    #[test]
    fn parameters_are_columns() {
        assert_eq!(shown("lower($2)"), "lower(c1)");
        assert_eq!(shown("(($1 + $12) > '$1'::text)"), "((c0 + c11) > '$1'::text)");
        assert_eq!(shown("($3 = 'it''s $3'::text)"), "(c2 = 'it''s $3'::text)");
        assert_eq!(shown("1"), "1");
        let mut columns = vec![];
        each_column("($2 = $1)", |column| columns.push(column.0));
        assert_eq!(columns, [1, 0]);
    }

    #[test]
    fn pretty_texts() {
        assert_eq!(pretty("(a = 5)"), "a = 5");
        assert_eq!(
            pretty("((a = 5) AND (b = 'x) AND ('::text))"),
            "a = 5 AND b = 'x) AND ('::text"
        );
        assert_eq!(pretty("((a = 5) AND ((b = 1) OR (b = 2)))"), "a = 5 AND (b = 1 OR b = 2)");
        assert_eq!(pretty("lower(b)"), "lower(b)");
        assert_eq!(pretty("((a)::text)"), "a::text");
        assert_eq!(pretty("(((a = 5) AND (b = 1)) OR (b = 2))"), "a = 5 AND b = 1 OR b = 2");
        assert_eq!(pretty("(lower((b)::text) = 'x'::text)"), "lower(b::text) = 'x'::text");
        assert_eq!(pretty("((b)::text = '(a)::b'::text)"), "b::text = '(a)::b'::text");
        assert_eq!(
            pretty("((a = 1) AND (b = ANY (ARRAY[1, 2])))"),
            "a = 1 AND (b = ANY (ARRAY[1, 2]))"
        );
        assert!(is_call("lower(b)") && is_call("COALESCE(a, (b + 1))"));
        assert!(!is_call("(a + b)") && !is_call("lower(a) || lower(b)") && !is_call("(b)::text"));
    }
}
