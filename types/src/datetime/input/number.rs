//! Numbers in dates and times: C's `strtol`, fractions of a second, clocks and offsets of zones.

use super::{Failure, Parse};

/// An integer at the start of `text` as C's `strtol` reads it, and what follows.
pub(super) fn leading_integer(text: &str) -> Parse<(i64, &str)> {
    let (value, rest) = leading_i64(text)?;
    if i32::try_from(value).is_err() {
        return Err(Failure::Overflow);
    }
    Ok((value, rest))
}

/// The same with 64 bits.
pub(crate) fn leading_i64(text: &str) -> Parse<(i64, &str)> {
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(sign + digits);
    if digits == 0 {
        return Ok((0, text));
    }
    match number.parse() {
        Ok(value) => Ok((value, rest)),
        Err(_) => Err(Failure::Overflow),
    }
}

/// `.ffff` in microseconds, rounded half to even as `rint` does.
pub(crate) fn fraction(text: &str) -> Parse<i64> {
    let digits = text.strip_prefix('.').ok_or(Failure::Format)?;
    if digits.is_empty() {
        return Ok(0);
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Failure::Format);
    }
    let value: f64 = format!("0.{digits}").parse().map_err(|_| Failure::Format)?;
    Ok((value * 1e6).round_ties_even() as i64)
}

/// The value of digits, at most `i64::MAX`.
pub(super) fn digits_value(text: &str) -> i64 {
    text.bytes().fold(0i64, |value, b| {
        value.saturating_mul(10).saturating_add(i64::from(b.wrapping_sub(b'0') % 10))
    })
}

/// Hours, minutes, seconds and microseconds; `minute_first` reads two parts as mm:ss.
pub(crate) fn read_clock(text: &str, minute_first: bool) -> Parse<(i64, i64, i64, i64)> {
    let (hour, rest) = leading_i64(text)?;
    let rest = rest.strip_prefix(':').ok_or(Failure::Format)?;
    let (minute, rest) = leading_integer(rest)?;
    let (hour, minute, second, micros) = if rest.is_empty() {
        if minute_first { (0, hour, minute, 0) } else { (hour, minute, 0, 0) }
    } else if rest.starts_with('.') {
        (0, hour, minute, fraction(rest)?)
    } else {
        let rest = rest.strip_prefix(':').ok_or(Failure::Format)?;
        let (second, rest) = leading_integer(rest)?;
        let micros = if rest.is_empty() { 0 } else { fraction(rest)? };
        (hour, minute, second, micros)
    };
    if hour < 0 || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return Err(Failure::Overflow);
    }
    Ok((hour, minute, second, micros))
}

/// `±hh[:mm[:ss]]` or `±hhmm`, in seconds east.
pub(crate) fn read_offset(text: &str) -> Parse<i32> {
    let negative = match text.as_bytes().first() {
        Some(b'-') => true,
        Some(b'+') => false,
        _ => return Err(Failure::Format),
    };
    let overflow = |_| Failure::ZoneOverflow;
    let (mut hour, mut rest) = leading_integer(&text[1..]).map_err(overflow)?;
    let (mut minute, mut second) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        (minute, rest) = leading_integer(after).map_err(overflow)?;
        if let Some(after) = rest.strip_prefix(':') {
            (second, rest) = leading_integer(after).map_err(overflow)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        minute = hour % 100;
        hour /= 100;
    }
    if !(0..16).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return Err(Failure::ZoneOverflow);
    }
    if !rest.is_empty() {
        return Err(Failure::Format);
    }
    let seconds = (hour * 3600 + minute * 60 + second) as i32;
    Ok(if negative { -seconds } else { seconds })
}
