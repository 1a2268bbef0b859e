//! `lower`, `upper`, `initcap`: character by character, as PostgreSQL's C.UTF-8 does, so no mapping changes the number of characters.

use crate::registry::{ScalarFunction, family};
use crate::rows::map1;

/// A character in lower case, unless that takes several.
fn lower_char(char: char) -> char {
    let mut mapped = char.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => char,
    }
}

fn upper_char(char: char) -> char {
    let mut mapped = char.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => char,
    }
}

/// Text in lower case.
pub(crate) fn lower(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().map(lower_char).collect() }
}

/// Text in upper case.
pub(crate) fn upper(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_uppercase() } else { text.chars().map(upper_char).collect() }
}

/// The first letter of each word in upper case, the rest in lower.
pub(crate) fn initcap(text: &str) -> String {
    let mut in_word = false;
    text.chars()
        .map(|char| {
            let mapped = if in_word { lower_char(char) } else { upper_char(char) };
            in_word = char.is_alphanumeric();
            mapped
        })
        .collect()
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    870 lower(Text) -> Text: strict immutable = |c, a| map1(c, a, lower);
    871 upper(Text) -> Text: strict immutable = |c, a| map1(c, a, upper);
    872 initcap(Text) -> Text: strict immutable = |c, a| map1(c, a, initcap);
};
