//! Text from values of any type: `concat`, `concat_ws`, `format`, `quote_*`, `text || any`.

use super::keywords;
use crate::KernelContext;
use crate::registry::{ScalarFunction, family};
use crate::rows::{Calls, map_values, map1};
use crate::text_io::{CONCATENATE, output};
use damask_types::{Error, Result, SqlState, TypeId, Value, Vector};

/// Types of the operands, for their output.
fn types(args: &[Vector]) -> Vec<TypeId> {
    args.iter().map(|arg| arg.ty).collect()
}

/// The texts of operands. Null operands are left out by the callers.
fn texts(ctx: &KernelContext<'_>, types: &[TypeId], values: &[Value]) -> Vec<Option<String>> {
    let texts = values.iter().zip(types).map(|(value, &ty)| output(ctx.session, ty, value));
    texts.collect()
}

/// A function of operands of any types, as its body sees them: from `types[fixed]` on they vary in number.
type AnyBody = fn(&KernelContext<'_>, &[TypeId], &[Value]) -> Result<Value>;

fn operands(ctx: &KernelContext<'_>, args: &[Vector], body: AnyBody) -> Result<Vector> {
    let types = types(args);
    map_values(ctx, args, Calls::Once, |values| body(ctx, &types, values))
}

/// The form for `f(..., VARIADIC array)`: the elements are the last operands. `of_null` is called for a null array.
pub(crate) fn elements(
    ctx: &KernelContext<'_>,
    args: &[Vector],
    body: AnyBody,
    of_null: AnyBody,
) -> Result<Vector> {
    let fixed = args.len().saturating_sub(1);
    let types = types(args);
    map_values(ctx, args, Calls::Once, |values| {
        let Some(Value::Array(array)) = values.last() else {
            return of_null(ctx, &types[..fixed], &values[..fixed]);
        };
        let mut spread = values[..fixed].to_vec();
        spread.extend(array.values.iter().cloned());
        let mut spread_types = types[..fixed].to_vec();
        spread_types.resize(spread.len(), array.element);
        body(ctx, &spread_types, &spread)
    })
}

pub(crate) fn null(_: &KernelContext<'_>, _: &[TypeId], _: &[Value]) -> Result<Value> {
    Ok(Value::Null)
}

fn concat(ctx: &KernelContext<'_>, types: &[TypeId], values: &[Value]) -> Result<Value> {
    let texts = texts(ctx, types, values);
    Ok(Value::text(texts.into_iter().flatten().collect::<String>()))
}

fn concat_ws(ctx: &KernelContext<'_>, types: &[TypeId], values: &[Value]) -> Result<Value> {
    let Some(separator) = values[0].as_text() else {
        return Ok(Value::Null);
    };
    let texts: Vec<String> = texts(ctx, &types[1..], &values[1..]).into_iter().flatten().collect();
    Ok(Value::text(texts.join(separator)))
}

/// An identifier, quoted if it must be.
pub(crate) fn quote_ident(text: &str) -> String {
    let safe = text.starts_with(|char: char| char.is_ascii_lowercase() || char == '_')
        && text
            .chars()
            .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
        && !keywords::is_reserved(text);
    if safe { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// A string constant.
pub(crate) fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

fn format(ctx: &KernelContext<'_>, types: &[TypeId], values: &[Value]) -> Result<Value> {
    let Some(template) = values[0].as_text() else {
        return Ok(Value::Null);
    };
    let text =
        Formatter { ctx, types: &types[1..], values: &values[1..], next: 0 }.run(template)?;
    Ok(Value::text(text))
}

/// The state of one `format` call.
struct Formatter<'a> {
    ctx: &'a KernelContext<'a>,
    types: &'a [TypeId],
    values: &'a [Value],
    /// Operand that the next specifier without position takes.
    next: usize,
}

fn format_error(message: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, message)
}

impl Formatter<'_> {
    fn run(&mut self, template: &str) -> Result<String> {
        let mut out = String::new();
        let mut chars = template.chars().peekable();
        let unterminated = || {
            format_error("unterminated format() type specifier")
                .hint("For a single \"%\" use \"%%\".")
        };
        let number = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Result<Option<i32>> {
            let mut value: Option<i32> = None;
            while let Some(digit) = chars.peek().and_then(|char| char.to_digit(10)) {
                chars.next();
                value = Some(
                    value
                        .unwrap_or(0)
                        .checked_mul(10)
                        .and_then(|value| value.checked_add(digit as i32))
                        .ok_or_else(|| {
                            Error::new(
                                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                                "number is out of range",
                            )
                        })?,
                );
            }
            Ok(value)
        };
        while let Some(char) = chars.next() {
            if char != '%' {
                out.push(char);
                continue;
            }
            if chars.peek() == Some(&'%') {
                chars.next();
                out.push('%');
                continue;
            }
            let mut position = None;
            let mut left = false;
            let mut start = number(&mut chars)?;
            if let Some(value) = start
                && chars.peek() == Some(&'$')
            {
                chars.next();
                if value == 0 {
                    return Err(format_error(
                        "format specifies argument 0, but arguments are numbered from 1",
                    ));
                }
                position = Some(value as usize - 1);
                start = None;
            }
            let mut width = start;
            if start.is_none() {
                while chars.peek() == Some(&'-') {
                    chars.next();
                    left = true;
                }
                if chars.peek() == Some(&'*') {
                    chars.next();
                    let at = number(&mut chars)?;
                    if at.is_some() && chars.next() != Some('$') {
                        return Err(format_error("width argument position must be ended by \"$\""));
                    }
                    let at = at.map(|at| at as usize - 1);
                    width = self.width(at)?;
                } else {
                    width = number(&mut chars)?;
                }
            }
            let conversion = chars.next().ok_or_else(unterminated)?;
            if !matches!(conversion, 's' | 'I' | 'L') {
                return Err(format_error(&format!(
                    "unrecognized format() type specifier \"{conversion}\""
                ))
                .hint("For a single \"%\" use \"%%\"."));
            }
            let text = self.argument(position, conversion)?;
            if let Some(width) = width
                && width < 0
            {
                left = true;
            }
            let width = width.map_or(0, |width| width.unsigned_abs() as usize);
            let missing = width.saturating_sub(text.chars().count());
            if left {
                out.push_str(&text);
            }
            out.extend(std::iter::repeat_n(' ', missing));
            if !left {
                out.push_str(&text);
            }
        }
        Ok(out)
    }

    fn take(&mut self, position: Option<usize>) -> Result<(TypeId, Value)> {
        let at = position.unwrap_or(self.next);
        self.next = at + 1;
        match (self.types.get(at), self.values.get(at)) {
            (Some(&ty), Some(value)) => Ok((ty, value.clone())),
            _ => Err(format_error("too few arguments for format()")),
        }
    }

    fn width(&mut self, position: Option<usize>) -> Result<Option<i32>> {
        let (ty, value) = self.take(position)?;
        match output(self.ctx.session, ty, &value) {
            None => Ok(Some(0)),
            Some(text) => text.trim().parse().map(Some).map_err(|_| {
                Error::new(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("invalid input syntax for type integer: \"{text}\""),
                )
            }),
        }
    }

    fn argument(&mut self, position: Option<usize>, conversion: char) -> Result<String> {
        let (ty, value) = self.take(position)?;
        let text = output(self.ctx.session, ty, &value);
        Ok(match (conversion, text) {
            ('s', text) => text.unwrap_or_default(),
            ('L', None) => "NULL".to_owned(),
            ('L', Some(text)) => quote_literal(&text),
            (_, Some(text)) => quote_ident(&text),
            (_, None) => {
                return Err(Error::new(
                    SqlState::NULL_VALUE_NOT_ALLOWED,
                    "null values cannot be formatted as an SQL identifier",
                ));
            }
        })
    }
}

/// `quote_literal` and `quote_nullable` of any type.
fn quote_any(ctx: &KernelContext<'_>, args: &[Vector], null: Value) -> Result<Vector> {
    let ty = args[0].ty;
    map_values(ctx, args, Calls::Once, |values| {
        Ok(match output(ctx.session, ty, &values[0]) {
            None => null.clone(),
            Some(text) => Value::text(quote_literal(&text)),
        })
    })
}

/// The family.
#[rustfmt::skip]
pub(crate) static FUNCTIONS: &[ScalarFunction] = family! {
    3058 concat(Any) -> Text: stable raises variadic = |c, a| operands(c, a, concat);
    3059 concat_ws(Text, Any) -> Text: stable raises variadic = |c, a| operands(c, a, concat_ws);
    3539 format(Text, Any) -> Text: stable raises variadic = |c, a| operands(c, a, format);
    3540 format(Text) -> Text: stable raises = |c, a| operands(c, a, format);
    0xffff_0020 concat(AnyArray) -> Text: stable raises = |c, a| elements(c, a, concat, null);
    0xffff_0021 concat_ws(Text, AnyArray) -> Text: stable raises = |c, a| elements(c, a, concat_ws, null);
    0xffff_0022 format(Text, AnyArray) -> Text: stable raises = |c, a| elements(c, a, format, format);
    1282 quote_ident(Text) -> Text: strict immutable = |c, a| map1(c, a, quote_ident);
    1283 quote_literal(Text) -> Text: strict immutable = |c, a| map1(c, a, quote_literal);
    1285 quote_literal(AnyElement) -> Text: strict stable = |c, a| quote_any(c, a, Value::Null);
    1289 quote_nullable(Text) -> Text: immutable = |c, a| quote_any(c, a, Value::text("NULL"));
    1290 quote_nullable(AnyElement) -> Text: stable = |c, a| quote_any(c, a, Value::text("NULL"));
    2003 textanycat(Text, AnyNonArray) -> Text: strict stable = CONCATENATE;
    2004 anytextcat(AnyNonArray, Text) -> Text: strict stable = CONCATENATE;
};
