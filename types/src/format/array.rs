//! Text forms of arrays, records and the catalog's vectors.

use super::{FormatSettings, is_space, number, parse_text, write_text};
use crate::array::ArrayValue;
use crate::{Error, Oid, Result, SqlState, SqlType, TypeId, Value};

/// Most dimensions of an array.
pub(crate) const DIMENSIONS_MAX: usize = 6;
/// Most elements of an array.
pub(crate) const ELEMENTS_MAX: usize = 134_217_727;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    delimiter: u8,
}

impl Reader<'_> {
    #[cold]
    fn malformed(&self, detail: &str) -> Error {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("malformed array literal: \"{}\"", self.text),
        )
        .detail(detail)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|b| is_space(b as char)) {
            self.at += 1;
        }
    }

    fn unexpected_end(&self) -> Error {
        self.malformed("Unexpected end of input.")
    }

    /// An integer bound between brackets.
    fn bound(&mut self) -> Result<i32> {
        let start = self.at;
        if matches!(self.peek(), Some(b'-' | b'+')) {
            self.at += 1;
        }
        let digits = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if digits == self.at {
            return Err(self.malformed("Missing array dimension value."));
        }
        self.text[start..self.at].parse().map_err(|_| {
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "array bound is out of integer range")
        })
    }

    /// `[lower:upper]...=`, where given.
    fn dimensions(&mut self) -> Result<Vec<(i32, i32)>> {
        let mut dims = vec![];
        loop {
            self.skip_space();
            if self.peek() != Some(b'[') {
                break;
            }
            self.at += 1;
            if dims.len() == DIMENSIONS_MAX {
                return Err(too_many_dimensions(DIMENSIONS_MAX + 1));
            }
            let first = self.bound()?;
            let (lower, upper) = if self.peek() == Some(b':') {
                self.at += 1;
                (first, self.bound()?)
            } else {
                (1, first)
            };
            if self.peek() != Some(b']') {
                return Err(self.malformed("Missing \"]\" after array dimensions."));
            }
            self.at += 1;
            if upper < lower {
                return Err(Error::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    "upper bound cannot be less than lower bound",
                ));
            }
            let length = i64::from(upper) - i64::from(lower) + 1;
            let length = i32::try_from(length).map_err(|_| too_large())?;
            dims.push((length, lower));
        }
        if !dims.is_empty() {
            if self.peek() != Some(b'=') {
                return Err(self.malformed("Missing \"=\" after array dimensions."));
            }
            self.at += 1;
            self.skip_space();
        }
        Ok(dims)
    }

    /// One element; `None` is null.
    fn element(&mut self, item: &mut String) -> Result<bool> {
        item.clear();
        let bytes = self.text.as_bytes();
        if self.peek() == Some(b'"') {
            self.at += 1;
            let mut start = self.at;
            loop {
                match bytes.get(self.at) {
                    None => return Err(self.unexpected_end()),
                    Some(b'"') => break,
                    Some(b'\\') => {
                        item.push_str(&self.text[start..self.at]);
                        self.at += 1;
                        start = self.at;
                        if start == bytes.len() {
                            return Err(self.unexpected_end());
                        }
                        self.at += 1;
                        while !self.text.is_char_boundary(self.at) {
                            self.at += 1;
                        }
                    }
                    Some(_) => self.at += 1,
                }
            }
            item.push_str(&self.text[start..self.at]);
            self.at += 1;
            return Ok(true);
        }
        let mut escaped = false;
        // Blanks at the end do not count, unless escaped.
        let mut kept = 0;
        loop {
            let Some(c) = self.text[self.at..].chars().next() else {
                return Err(self.unexpected_end());
            };
            match c {
                '{' => return Err(self.malformed("Unexpected \"{\" character.")),
                '"' => return Err(self.malformed("Unexpected array element.")),
                '}' => break,
                _ if c == self.delimiter as char => break,
                '\\' => {
                    self.at += 1;
                    let Some(c) = self.text[self.at..].chars().next() else {
                        return Err(self.unexpected_end());
                    };
                    escaped = true;
                    item.push(c);
                    self.at += c.len_utf8();
                    kept = item.len();
                }
                _ => {
                    item.push(c);
                    self.at += c.len_utf8();
                    if !is_space(c) {
                        kept = item.len();
                    }
                }
            }
        }
        item.truncate(kept);
        if item.is_empty() {
            return Err(self.malformed(&format!(
                "Unexpected \"{}\" character.",
                self.peek().map_or(' ', char::from)
            )));
        }
        Ok(escaped || !item.eq_ignore_ascii_case("null"))
    }
}

#[cold]
pub(crate) fn too_many_dimensions(count: usize) -> Error {
    Error::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!(
            "number of array dimensions ({count}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
        ),
    )
}

#[cold]
pub(crate) fn too_large() -> Error {
    Error::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})"),
    )
}

/// `{1,NULL,"a b"}`, nested for more dimensions, with bounds (`[0:1]={1,2}`) if wanted.
pub(crate) fn parse_array(
    ty: SqlType,
    text: &str,
    settings: &FormatSettings,
    now: i64,
) -> Result<Value> {
    let element = ty.id.element().ok_or_else(|| Error::internal("not an array type"))?;
    let element_type = SqlType { id: element, typmod: ty.typmod };
    let mut reader = Reader { text, at: 0, delimiter: element.info().delimiter as u8 };
    let given = reader.dimensions()?;
    if reader.peek() != Some(b'{') {
        return Err(reader.malformed(if given.is_empty() {
            "Array value must start with \"{\" or dimension information."
        } else {
            "Array contents must start with \"{\"."
        }));
    }
    let mut lengths: Vec<Option<i32>> = vec![];
    let mut counts: Vec<i32> = vec![];
    // The depth at which elements stand, once one was seen.
    let mut leaf: Option<usize> = None;
    let mut values = vec![];
    let mut item = String::new();
    let mismatch = |reader: &Reader<'_>| {
        reader.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
    };
    let mut expect_item = true;
    loop {
        reader.skip_space();
        match reader.peek() {
            None => return Err(reader.unexpected_end()),
            Some(b'{') if expect_item => {
                reader.at += 1;
                if counts.len() == DIMENSIONS_MAX {
                    return Err(too_many_dimensions(DIMENSIONS_MAX + 1));
                }
                if leaf.is_some_and(|leaf| counts.len() >= leaf) {
                    return Err(mismatch(&reader));
                }
                counts.push(0);
                if lengths.len() < counts.len() {
                    lengths.push(None);
                }
                reader.skip_space();
                if reader.peek() == Some(b'}') {
                    // Empty braces: nothing, and only alone.
                    expect_item = false;
                }
            }
            Some(b'}') if !expect_item => {
                reader.at += 1;
                let depth = counts.len() - 1;
                let count = counts.pop().expect("a brace is open here");
                if count == 0 && depth > 0 {
                    return Err(reader.malformed("Unexpected \"}\" character."));
                }
                match lengths[depth] {
                    Some(length) if length != count => return Err(mismatch(&reader)),
                    _ => lengths[depth] = Some(count),
                }
                match counts.last_mut() {
                    None => break,
                    Some(parent) => *parent += 1,
                }
            }
            Some(b) if b == reader.delimiter && !expect_item => {
                reader.at += 1;
                if counts.last() == Some(&0) {
                    return Err(reader.malformed("Unexpected \",\" character."));
                }
                expect_item = true;
            }
            Some(_) if expect_item => {
                if *leaf.get_or_insert(counts.len()) != counts.len() {
                    return Err(reader.malformed("Unexpected array element."));
                }
                let not_null = reader.element(&mut item)?;
                values.push(if not_null {
                    parse_text(element_type, &item, settings, now)?
                } else {
                    Value::Null
                });
                if values.len() > ELEMENTS_MAX {
                    return Err(too_large());
                }
                *counts.last_mut().expect("a brace is open here") += 1;
                expect_item = false;
            }
            Some(b'{') => return Err(reader.malformed("Unexpected \"{\" character.")),
            Some(_) => return Err(reader.malformed("Unexpected array element.")),
        }
    }
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(reader.malformed("Junk after closing right brace."));
    }
    if values.is_empty() {
        return Ok(Value::array(element, vec![]));
    }
    let lengths: Vec<i32> = lengths.into_iter().flatten().collect();
    if leaf.is_some_and(|leaf| leaf != lengths.len()) {
        return Err(mismatch(&reader));
    }
    let dims = if given.is_empty() {
        lengths.into_iter().map(|length| (length, 1)).collect()
    } else {
        if !given.iter().map(|dim| dim.0).eq(lengths) {
            return Err(reader.malformed("Specified array dimensions do not match array contents."));
        }
        given
    };
    Ok(Value::from(ArrayValue { element, dims, values }))
}

/// Appends an array; bounds are written where one is not 1.
pub(crate) fn write_array(array: &ArrayValue, settings: &FormatSettings, out: &mut Vec<u8>) {
    if array.dims.is_empty() {
        return out.extend_from_slice(b"{}");
    }
    if array.dims.iter().any(|dim| dim.1 != 1) {
        for &(length, lower) in &array.dims {
            out.push(b'[');
            super::digits::write_i64(out, lower.into());
            out.push(b':');
            super::digits::write_i64(out, i64::from(lower) + i64::from(length) - 1);
            out.push(b']');
        }
        out.push(b'=');
    }
    let delimiter = array.element.info().delimiter as u8;
    // Rows of the innermost dimension open and close as many braces as end there.
    let sizes: Vec<usize> = array
        .dims
        .iter()
        .rev()
        .scan(1usize, |size, dim| {
            *size *= dim.0.max(1) as usize;
            Some(*size)
        })
        .collect();
    let mut item = Vec::new();
    for (i, value) in array.values.iter().enumerate() {
        if i > 0 {
            out.push(delimiter);
        }
        let opened = sizes.iter().filter(|size| i.is_multiple_of(**size)).count();
        out.resize(out.len() + opened, b'{');
        if value.is_null() {
            out.extend_from_slice(b"NULL");
        } else {
            item.clear();
            write_text(array.element, value, settings, &mut item);
            write_element(&item, delimiter, out);
        }
        let closed = sizes.iter().filter(|size| (i + 1).is_multiple_of(**size)).count();
        out.resize(out.len() + closed, b'}');
    }
}

fn write_element(item: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let quoted = item.is_empty()
        || item.eq_ignore_ascii_case(b"null")
        || item.iter().any(|&b| {
            matches!(b, b'"' | b'\\' | b'{' | b'}') || b == delimiter || is_space(b as char)
        });
    if !quoted {
        return out.extend_from_slice(item);
    }
    out.push(b'"');
    for &b in item {
        if matches!(b, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(b);
    }
    out.push(b'"');
}

/// Appends `(a,"b c",)`.
pub(crate) fn write_record(
    fields: &[(TypeId, Value)],
    settings: &FormatSettings,
    out: &mut Vec<u8>,
) {
    out.push(b'(');
    let mut item = Vec::new();
    for (i, (ty, value)) in fields.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if value.is_null() {
            continue;
        }
        item.clear();
        write_text(*ty, value, settings, &mut item);
        let quoted = item.is_empty()
            || item
                .iter()
                .any(|&b| matches!(b, b'"' | b'\\' | b'(' | b')' | b',') || is_space(b as char));
        if !quoted {
            out.extend_from_slice(&item);
            continue;
        }
        out.push(b'"');
        for &b in &item {
            if matches!(b, b'"' | b'\\') {
                out.push(b);
            }
            out.push(b);
        }
        out.push(b'"');
    }
    out.push(b')');
}

/// Reads `(a,"b c",)` as fields of `types`.
///
/// # Errors
/// 22P02 if the parentheses, quotes or the number of fields are wrong; the fields' own errors.
pub fn parse_record(
    types: &[SqlType],
    text: &str,
    settings: &FormatSettings,
    now: i64,
) -> Result<Value> {
    let malformed = |detail: &str| {
        Error::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("malformed record literal: \"{text}\""),
        )
        .detail(detail)
    };
    let inner = text.trim_start_matches(is_space);
    let inner = inner.strip_prefix('(').ok_or_else(|| malformed("Missing left parenthesis."))?;
    let mut chars = inner.char_indices().peekable();
    let mut fields = Vec::with_capacity(types.len());
    for (i, ty) in types.iter().enumerate() {
        if i > 0 {
            match chars.next() {
                Some((_, ',')) => {}
                _ => return Err(malformed("Too few columns.")),
            }
        }
        let value = match chars.peek() {
            Some((_, ',' | ')')) => Value::Null,
            None => return Err(malformed("Unexpected end of input.")),
            Some(_) => {
                let mut item = String::new();
                let mut quoted = false;
                loop {
                    let Some(&(_, c)) = chars.peek() else {
                        return Err(malformed("Unexpected end of input."));
                    };
                    if !quoted && matches!(c, ',' | ')') {
                        break;
                    }
                    chars.next();
                    match c {
                        '\\' => match chars.next() {
                            Some((_, c)) => item.push(c),
                            None => return Err(malformed("Unexpected end of input.")),
                        },
                        '"' if !quoted => quoted = true,
                        '"' if matches!(chars.peek(), Some((_, '"'))) => {
                            chars.next();
                            item.push('"');
                        }
                        '"' => quoted = false,
                        c => item.push(c),
                    }
                }
                parse_text(*ty, &item, settings, now)?
            }
        };
        fields.push((ty.id, value));
    }
    match chars.next() {
        Some((_, ')')) => {}
        Some((_, ',')) => return Err(malformed("Too many columns.")),
        _ => return Err(malformed("Unexpected end of input.")),
    }
    if chars.any(|(_, c)| !is_space(c)) {
        return Err(malformed("Junk after right parenthesis."));
    }
    Ok(Value::Record(fields.into()))
}

/// `int2vector` and `oidvector`: numbers with blanks between, lower bound 0.
pub(crate) fn parse_vector(ty: TypeId, text: &str) -> Result<Value> {
    let element = if ty == TypeId::Int2Vector { TypeId::Int2 } else { TypeId::Oid };
    let values = text
        .split(is_space)
        .filter(|word| !word.is_empty())
        .map(|word| match element {
            TypeId::Int2 => number::parse_i16(word).map(Value::Int2),
            _ => number::parse_oid(word, "oid").map(|oid| Value::Oid(Oid(oid))),
        })
        .collect::<Result<Vec<_>>>()?;
    let dims = vec![(values.len() as i32, 0)];
    Ok(Value::from(ArrayValue { element, dims, values }))
}

/// Appends the numbers with blanks between.
pub(crate) fn write_vector(array: &ArrayValue, out: &mut Vec<u8>) {
    for (i, value) in array.values.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        super::digits::write_i64(out, value.as_i64().unwrap_or(0));
    }
}
