//! Patterns for numbers.
//!
//! A pattern is read once for its [`Shape`] (places before and after the point, where the sign goes) and then walked item
//! by item with the digits at hand. Places that have no digit become blanks, or zeros from the first `0` on, or nothing
//! under `FM`; the sign stands right before the first digit unless the pattern gives it a place.

use super::date::ordinal;
use crate::format::is_space;
use crate::{Error, Numeric, Result, SqlState};

/// Most places of a pattern.
const PLACES_MAX: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Nine,
    Zero,
    Point,
    Comma,
    Group,
    Currency,
    Sign,
    Minus,
    Plus,
    PlusMinus,
    Bracket,
    Roman,
    Shift,
    Exponent,
    Fill,
    Blank,
    Ordinal,
}

#[derive(Clone, Debug)]
enum Item {
    Key(Key, bool),
    Text(String),
}

/// Keywords, longer ones before their beginnings.
const KEYS: &[(&str, Key)] = &[
    ("9", Key::Nine),
    ("0", Key::Zero),
    (".", Key::Point),
    (",", Key::Comma),
    ("B", Key::Blank),
    ("D", Key::Point),
    ("EEEE", Key::Exponent),
    ("FM", Key::Fill),
    ("G", Key::Group),
    ("L", Key::Currency),
    ("MI", Key::Minus),
    ("PL", Key::Plus),
    ("PR", Key::Bracket),
    ("RN", Key::Roman),
    ("SG", Key::PlusMinus),
    ("SP", Key::Blank),
    ("S", Key::Sign),
    ("TH", Key::Ordinal),
    ("V", Key::Shift),
];

/// Where a sign of its own (`S`) stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignPlace {
    None,
    Before,
    After,
}

struct Shape {
    items: Vec<Item>,
    before: usize,
    after: usize,
    shift: usize,
    /// The place of the first `0` before the point, from 1.
    zero_start: Option<usize>,
    /// The last place with a `0`, from 1.
    zero_end: usize,
    has_point: bool,
    fill: bool,
    sign: SignPlace,
    minus: bool,
    plus: bool,
    bracket: bool,
    roman: bool,
    exponent: bool,
    multiply: bool,
}

#[cold]
fn contradiction(message: &str) -> Error {
    Error::new(SqlState::SYNTAX_ERROR, message)
}

fn split(pattern: &str) -> Vec<Item> {
    let mut items = vec![];
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let found = KEYS.iter().find(|(name, _)| {
            rest.get(..name.len())
                .is_some_and(|text| text == *name || text == name.to_ascii_lowercase())
        });
        if let Some(&(name, key)) = found {
            let upper = rest.starts_with(|c: char| c.is_ascii_uppercase());
            items.push(Item::Key(key, upper));
            rest = &rest[name.len()..];
        } else if c == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |at| at + 1);
            items.push(Item::Text(rest[1..end].replace('\\', "")));
            rest = rest.get(end + 1..).unwrap_or("");
        } else if c == '\\' && rest[1..].starts_with('"') {
            items.push(Item::Text("\"".to_owned()));
            rest = &rest[2..];
        } else {
            items.push(Item::Text(c.to_string()));
            rest = &rest[c.len_utf8()..];
        }
    }
    items
}

impl Shape {
    fn new(pattern: &str) -> Result<Self> {
        let items = split(pattern);
        let mut shape = Self {
            items: vec![],
            before: 0,
            after: 0,
            shift: 0,
            zero_start: None,
            zero_end: 0,
            has_point: false,
            fill: false,
            sign: SignPlace::None,
            minus: false,
            plus: false,
            bracket: false,
            roman: false,
            exponent: false,
            multiply: false,
        };
        let mut places_before_sign = 0;
        for item in &items {
            let Item::Key(key, _) = item else {
                continue;
            };
            if shape.exponent && matches!(key, Key::Exponent) {
                return Err(contradiction("cannot use \"EEEE\" twice"));
            }
            match key {
                Key::Nine | Key::Zero => {
                    if shape.bracket {
                        let digit = if *key == Key::Nine { '9' } else { '0' };
                        return Err(contradiction(&format!("\"{digit}\" must be ahead of \"PR\"")));
                    }
                    if shape.multiply {
                        shape.shift += 1;
                        continue;
                    }
                    if *key == Key::Zero {
                        if !shape.has_point && shape.zero_start.is_none() {
                            shape.zero_start = Some(shape.before + 1);
                        }
                        shape.zero_end = shape.before + shape.after + 1;
                    }
                    if shape.has_point {
                        shape.after += 1;
                    } else {
                        shape.before += 1;
                    }
                    if shape.before + shape.after > PLACES_MAX {
                        return Err(contradiction("number pattern is too long"));
                    }
                }
                Key::Point => {
                    if shape.has_point {
                        return Err(contradiction("multiple decimal points"));
                    }
                    if shape.multiply {
                        return Err(contradiction("cannot use \"V\" and decimal point together"));
                    }
                    shape.has_point = true;
                }
                Key::Sign => {
                    if shape.sign != SignPlace::None {
                        return Err(contradiction("cannot use \"S\" twice"));
                    }
                    if shape.plus || shape.minus || shape.bracket {
                        return Err(contradiction(
                            "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together",
                        ));
                    }
                    shape.sign = if shape.has_point { SignPlace::After } else { SignPlace::Before };
                    places_before_sign = shape.before;
                }
                Key::Minus | Key::Plus | Key::PlusMinus | Key::Bracket => {
                    if shape.sign != SignPlace::None {
                        let name = match key {
                            Key::Minus => "MI",
                            Key::Plus => "PL",
                            Key::PlusMinus => "SG",
                            _ => "PR",
                        };
                        return Err(contradiction(&if name == "PR" {
                            "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together".to_owned()
                        } else {
                            format!("cannot use \"S\" and \"{name}\" together")
                        }));
                    }
                    if *key == Key::Bracket && (shape.plus || shape.minus) {
                        return Err(contradiction(
                            "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together",
                        ));
                    }
                    shape.minus |= matches!(key, Key::Minus | Key::PlusMinus);
                    shape.plus |= matches!(key, Key::Plus | Key::PlusMinus);
                    shape.bracket |= *key == Key::Bracket;
                }
                Key::Roman => shape.roman = true,
                Key::Shift => {
                    if shape.has_point {
                        return Err(contradiction("cannot use \"V\" and decimal point together"));
                    }
                    shape.multiply = true;
                }
                Key::Exponent => {
                    if shape.fill
                        || shape.sign != SignPlace::None
                        || shape.bracket
                        || shape.minus
                        || shape.plus
                        || shape.roman
                        || shape.multiply
                    {
                        return Err(contradiction("\"EEEE\" is incompatible with other formats")
                            .detail("\"EEEE\" may only be used together with digit and decimal point patterns."));
                    }
                    shape.exponent = true;
                }
                Key::Fill => shape.fill = true,
                Key::Comma | Key::Group | Key::Currency | Key::Blank | Key::Ordinal => {}
            }
        }
        if shape.sign == SignPlace::Before && shape.before == places_before_sign && shape.before > 0
        {
            // Nothing but the sign follows the digits.
            shape.sign = SignPlace::After;
        }
        shape.items = items;
        Ok(shape)
    }
}

/// A number in the form of `pattern`.
pub(super) fn write(value: &Numeric, pattern: &str) -> Result<String> {
    let mut shape = Shape::new(pattern)?;
    if shape.roman {
        let number = value.round(0)?.to_i32()?;
        return Ok(roman(number, &shape));
    }
    if shape.exponent {
        return scientific(value, &shape);
    }
    let value = if shape.multiply {
        shape.before += shape.shift;
        let power = Numeric::parse(&format!("1e{}", shape.shift))?;
        value.mul(&power)?
    } else {
        value.clone()
    };
    let text = value.round(shape.after as i32)?.to_string();
    write_digits(&text, shape)
}

/// A float in the form of `pattern`, with no more digits than it has.
pub(super) fn write_float(value: f64, digits: usize, pattern: &str) -> Result<String> {
    let mut shape = Shape::new(pattern)?;
    if shape.roman {
        return Ok(roman(value.round_ties_even() as i32, &shape));
    }
    if shape.exponent {
        if !value.is_finite() {
            return Ok(not_finite(&shape));
        }
        let numeric = Numeric::parse(&format!("{value:.*e}", shape.after))?;
        return scientific(&numeric, &shape);
    }
    let mut value = value;
    if shape.multiply {
        shape.before += shape.shift;
        value *= 10f64.powi(shape.shift as i32);
    }
    if !value.is_finite() {
        let text = if value.is_nan() {
            "NaN"
        } else if value < 0.0 {
            "-Infinity"
        } else {
            "Infinity"
        };
        return write_digits(text, shape);
    }
    let whole = format!("{:.0}", value.abs()).len();
    let after = if whole >= digits { 0 } else { shape.after.min(digits - whole) };
    shape.after = after;
    let text = format!("{value:.after$}");
    write_digits(&text, shape)
}

fn not_finite(shape: &Shape) -> String {
    // As many marks as a number would have characters.
    let mut marks = vec![b'#'; shape.before + shape.after + 6];
    marks[0] = b' ';
    marks[shape.before + 1] = b'.';
    String::from_utf8(marks).expect("marks are ASCII")
}

/// d.ddde+xx
fn scientific(value: &Numeric, shape: &Shape) -> Result<String> {
    let after = shape.after;
    let Some((negative, digits, scale)) = value.to_digits() else {
        return Ok(not_finite(shape));
    };
    let mut exponent = digits.len() as i64 - 1 - i64::from(scale);
    let mut shown = format!("0{}{}", if after > 0 { "." } else { "" }, "0".repeat(after));
    if digits.is_empty() {
        exponent = 0;
    } else {
        // The digits as one before the point and the others after it, rounded.
        let text: String = digits.iter().map(|digit| (b'0' + digit) as char).collect();
        let head = Numeric::parse(&format!("{}.{}", &text[..1], &text[1..]))?;
        // A nine that is rounded up becomes a ten, as in PostgreSQL.
        shown = head.round(after as i32)?.to_string();
    }
    let sign = if negative { '-' } else { ' ' };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    Ok(format!("{sign}{shown}e{exponent_sign}{:02}", exponent.abs()))
}

fn roman(number: i32, shape: &Shape) -> String {
    const PARTS: [(i32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..4000).contains(&number) {
        return "#".repeat(15);
    }
    let mut rest = number;
    let mut text = String::new();
    for (value, letters) in PARTS {
        while rest >= value {
            text.push_str(letters);
            rest -= value;
        }
    }
    let lower = shape.items.iter().any(|item| matches!(item, Item::Key(Key::Roman, false)));
    if lower {
        text.make_ascii_lowercase();
    }
    if shape.fill { text } else { format!("{text:>15}") }
}

/// The state of writing one number.
struct Writer {
    shape: Shape,
    negative: bool,
    /// The digits with their point.
    number: Vec<u8>,
    /// The next of them.
    next: usize,
    /// The place of the pattern, from 0.
    place: usize,
    /// Places before the first digit.
    blanks: usize,
    /// Under `FM`, the last digit that counts.
    last: Option<usize>,
    sign_written: bool,
    in_number: bool,
    /// Where a place past the digits cut the text off.
    cut: Option<usize>,
    /// Places of the whole number.
    count: usize,
    out: String,
}

fn write_digits(text: &str, mut shape: Shape) -> Result<String> {
    let negative = text.starts_with('-');
    let digits = text.trim_start_matches('-');
    let whole = digits.find('.').unwrap_or(digits.len());
    let mut number = digits.as_bytes().to_vec();
    let blanks = shape.before.saturating_sub(whole);
    if whole > shape.before {
        // Too large for its places.
        number = vec![b'#'; shape.before];
        number.push(b'.');
        number.extend(std::iter::repeat_n(b'#', shape.after));
    }
    let sign_written = if shape.plus || shape.minus {
        shape.minus
    } else {
        if !negative && shape.fill {
            shape.bracket = false;
        }
        !negative && shape.fill && shape.sign == SignPlace::None
    };
    let mut last = None;
    if shape.fill && shape.has_point {
        last = number.iter().position(|b| *b == b'.').map(|point| {
            number[point + 1..].iter().rposition(|b| *b != b'0').map_or(point, |at| point + 1 + at)
        });
        if let Some(at) = last
            && shape.zero_end > blanks
        {
            last = Some(at.max(shape.zero_end - blanks));
        }
    }
    let mut count = (shape.after + shape.before).saturating_sub(1);
    if !sign_written && blanks == 0 {
        count += 1;
    }
    let mut writer = Writer {
        shape,
        negative,
        number,
        next: 0,
        place: 0,
        blanks,
        last,
        sign_written,
        in_number: false,
        cut: None,
        count,
        out: String::new(),
    };
    writer.run()?;
    if let Some(cut) = writer.cut {
        writer.out.truncate(cut);
    }
    Ok(writer.out)
}

impl Writer {
    fn run(&mut self) -> Result<()> {
        for item in std::mem::take(&mut self.shape.items) {
            let (key, upper) = match item {
                Item::Text(text) => {
                    self.out.push_str(&text);
                    continue;
                }
                Item::Key(key, upper) => (key, upper),
            };
            let fill = self.shape.fill;
            match key {
                Key::Nine | Key::Zero | Key::Point => self.digit(key),
                Key::Comma | Key::Group => {
                    if self.in_number {
                        self.out.push(',');
                    } else if !fill {
                        self.out.push(' ');
                    }
                }
                // The C locale has no currency sign.
                Key::Currency => self.out.push(' '),
                Key::Minus => match (self.negative, fill) {
                    (true, _) => self.out.push('-'),
                    (false, true) => {}
                    (false, false) => self.out.push(' '),
                },
                Key::Plus => match (self.negative, fill) {
                    (false, _) => self.out.push('+'),
                    (true, true) => {}
                    (true, false) => self.out.push(' '),
                },
                Key::PlusMinus => self.out.push(if self.negative { '-' } else { '+' }),
                Key::Ordinal => {
                    if self.number.first() != Some(&b'#') && !self.negative && !self.shape.has_point
                    {
                        let digits = String::from_utf8_lossy(&self.number).into_owned();
                        if !digits.ends_with(|c: char| c.is_ascii_digit()) {
                            return Err(Error::new(
                                SqlState::INVALID_TEXT_REPRESENTATION,
                                format!("\"{digits}\" is not a number"),
                            ));
                        }
                        self.out.push_str(ordinal(&digits, upper));
                    }
                }
                Key::Sign
                | Key::Bracket
                | Key::Roman
                | Key::Shift
                | Key::Exponent
                | Key::Fill
                | Key::Blank => {}
            }
        }
        Ok(())
    }

    /// Whether the zero before the point is left out: "9.9" writes ".1".
    fn is_silent_zero(&self) -> bool {
        self.shape.zero_start.is_none()
            && self.next == 0
            && self.number.first() == Some(&b'0')
            && self.shape.after != 0
    }

    fn last_is_point(&self) -> bool {
        self.last.is_some_and(|last| self.number.get(last) == Some(&b'.'))
    }

    fn write_sign(&mut self) {
        let starts = self.place >= self.blanks
            || self.shape.zero_start.is_some_and(|start| start - 1 == self.place);
        if self.sign_written || !starts || (self.is_silent_zero() && !self.last_is_point()) {
            return;
        }
        match self.shape.sign {
            SignPlace::Before => {
                self.out.push(if self.negative { '-' } else { '+' });
                self.sign_written = true;
            }
            SignPlace::After => {}
            SignPlace::None if self.shape.bracket => {
                self.out.push(if self.negative { '<' } else { ' ' });
                self.sign_written = true;
            }
            SignPlace::None => {
                if self.negative {
                    self.out.push('-');
                } else if !self.shape.fill {
                    self.out.push(' ');
                }
                self.sign_written = true;
            }
        }
    }

    fn digit(&mut self, key: Key) {
        self.in_number = false;
        self.write_sign();
        let fill = self.shape.fill;
        let zero_reached = self.shape.zero_start.is_some_and(|start| start <= self.place + 1);
        if self.place < self.blanks {
            if zero_reached {
                self.out.push('0');
                self.in_number = true;
            } else if !fill {
                self.out.push(' ');
            }
        } else {
            match self.number.get(self.next).copied() {
                Some(b'.') => {
                    if !self.last_is_point() || fill {
                        self.out.push('.');
                    }
                }
                digit => {
                    let past = self.last.is_some_and(|last| self.next > last);
                    if past && key != Key::Zero {
                        // Cut off by FM.
                    } else if self.is_silent_zero() {
                        if !fill {
                            self.out.push(' ');
                        } else if self.last_is_point() {
                            self.out.push('0');
                        }
                    } else if let Some(digit) = digit {
                        self.out.push(digit as char);
                        self.in_number = true;
                    } else {
                        self.cut.get_or_insert(self.out.len());
                    }
                }
            }
            if self.next < self.number.len() {
                self.next += 1;
            }
        }
        let mut end = self.count + usize::from(self.blanks > 0) + usize::from(self.shape.has_point);
        if self.last == Some(self.next) {
            end = self.place;
        }
        if self.place + 1 == end {
            if self.sign_written && self.shape.bracket {
                self.out.push(if self.negative { '>' } else { ' ' });
            } else if self.shape.sign == SignPlace::After {
                self.out.push(if self.negative { '-' } else { '+' });
            }
        }
        self.place += 1;
    }
}

/// The number that `text` is under `pattern`: digits, a sign and a point are taken, separators and text of the pattern
/// pass over what stands there.
pub(super) fn read(text: &str, pattern: &str) -> Result<Numeric> {
    let shape = Shape::new(pattern)?;
    if shape.roman || shape.exponent {
        return Err(Error::unsupported(if shape.roman {
            "\"RN\" for input"
        } else {
            "\"EEEE\" for input"
        }));
    }
    let mut negative = false;
    let mut digits = String::new();
    let (mut whole, mut fraction, mut has_point) = (0, 0, false);
    let mut signed = false;
    let mut rest = text.chars().peekable();
    let take_sign = |c: char| matches!(c, '-' | '+' | '<' | '>');
    for item in &shape.items {
        if rest.peek().is_none() {
            break;
        }
        match item {
            Item::Text(text) => {
                for _ in text.chars() {
                    rest.next();
                }
            }
            Item::Key(Key::Nine | Key::Zero | Key::Point, _) => {
                rest.next_if(|c| *c == ' ');
                if whole + fraction == 0
                    && !signed
                    && let Some(sign) = rest.next_if(|c| take_sign(*c))
                {
                    signed = true;
                    negative |= matches!(sign, '-' | '<');
                }
                // Each place of the pattern, the point's too, takes a digit or the point.
                if let Some(c) = rest.peek().copied() {
                    if c.is_ascii_digit() && !(has_point && fraction == shape.after) {
                        digits.push(c);
                        *(if has_point { &mut fraction } else { &mut whole }) += 1;
                        rest.next();
                    } else if c == '.' && shape.has_point && !has_point {
                        digits.push('.');
                        has_point = true;
                        rest.next();
                    }
                }
            }
            Item::Key(Key::Comma | Key::Group, _) => {
                rest.next_if(|c| *c == ',');
            }
            Item::Key(Key::Currency, _) => {
                rest.next_if(|c| *c == '$');
            }
            Item::Key(Key::Sign | Key::Minus | Key::Plus | Key::PlusMinus | Key::Bracket, _) => {
                if let Some(sign) = rest.next_if(|c| take_sign(*c)) {
                    negative |= matches!(sign, '-' | '<');
                }
            }
            Item::Key(Key::Ordinal, _) => {
                rest.next();
                rest.next();
            }
            Item::Key(Key::Roman | Key::Shift | Key::Exponent | Key::Fill | Key::Blank, _) => {}
        }
    }
    // A sign may follow the last digit.
    while rest.next_if(|c| is_space(*c)).is_some() {}
    if rest.peek().is_some_and(|c| *c == '-') && shape.sign != SignPlace::None {
        negative = true;
    }
    if whole + fraction == 0 {
        return Err(crate::format::invalid_text("numeric", " "));
    }
    let value = Numeric::parse(&digits)?;
    let value = if negative { value.neg() } else { value };
    if shape.multiply {
        return value.div(&Numeric::parse(&format!("1e{}", shape.shift))?);
    }
    Ok(value)
}
