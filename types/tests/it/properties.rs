//! What is written is read back as the same value, in text and in binary.

use damask_types::format::{
    FormatSettings, IntervalStyle, parse_binary, parse_text, write_binary, write_binary_at,
    write_text, write_text_at,
};
use damask_types::{Interval, Numeric, SqlType, TypeId, Value, Vector, compare, datetime};
use std::hash::{BuildHasher, Hasher};

/// A small generator: the same cases in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = self.0 ^ (self.0 >> 33);
        x.wrapping_mul(0xFF51_AFD7_ED55_8CCD) ^ (x >> 29)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A number whose size is random too.
    fn sized(&mut self) -> i64 {
        (self.next() as i64) >> self.below(64)
    }

    fn digits(&mut self, most: u64) -> String {
        (0..=self.below(most)).map(|_| (b'0' + self.below(10) as u8) as char).collect()
    }

    fn text(&mut self) -> String {
        (0..self.below(20))
            .map(|_| match self.below(5) {
                0 => '"',
                1 => '\\',
                2 => [',', '{', '}', ' ', '(', ')', 'ä'][self.below(7) as usize],
                _ => (b'a' + self.below(26) as u8) as char,
            })
            .collect()
    }

    fn value(&mut self, ty: TypeId) -> Value {
        match ty {
            TypeId::Bool => Value::Bool(self.below(2) == 0),
            TypeId::Int2 => Value::Int2(self.sized() as i16),
            TypeId::Int4 => Value::Int4(self.sized() as i32),
            TypeId::Int8 => Value::Int8(self.sized()),
            TypeId::Oid => Value::Oid(damask_types::Oid(self.next() as u32)),
            TypeId::Float4 => Value::Float4(f32::from_bits(self.next() as u32)),
            TypeId::Float8 => Value::Float8(f64::from_bits(self.next())),
            TypeId::Numeric => {
                let most = if self.below(4) == 0 { 90 } else { 20 };
                let text = match self.below(12) {
                    0 => "NaN".to_owned(),
                    1 => "-Infinity".to_owned(),
                    2 => format!("-{}", self.digits(most)),
                    _ => format!("{}.{}", self.digits(most), self.digits(most)),
                };
                Value::Numeric(Numeric::parse(&text).unwrap())
            }
            TypeId::Text => Value::text(self.text()),
            TypeId::Bytea => {
                Value::Bytes(self.next().to_le_bytes()[..self.below(9) as usize].into())
            }
            TypeId::Date => Value::Date(match self.below(20) {
                0 => i32::MAX,
                _ => (self.sized() as i32).clamp(datetime::DATE_MIN, datetime::DATE_MAX),
            }),
            TypeId::Time => Value::Time(self.below(datetime::DAY_MICROS as u64 + 1) as i64),
            TypeId::TimeTz => Value::Int8(datetime::timetz::pack(
                self.below(datetime::DAY_MICROS as u64) as i64,
                self.below(100_000) as i32 - 50_000,
            )),
            TypeId::Timestamp | TypeId::TimestampTz => {
                let micros = match self.below(20) {
                    0 => i64::MIN,
                    _ => self.sized().clamp(datetime::TIMESTAMP_MIN, datetime::TIMESTAMP_END - 1),
                };
                if ty == TypeId::Timestamp {
                    Value::Timestamp(micros)
                } else {
                    Value::TimestampTz(micros)
                }
            }
            TypeId::Interval => Value::Interval(Interval {
                months: self.sized() as i32,
                days: self.sized() as i32,
                micros: self.sized(),
            }),
            TypeId::Uuid => {
                let mut uuid = [0; 16];
                uuid[..8].copy_from_slice(&self.next().to_le_bytes());
                uuid[8..].copy_from_slice(&self.next().to_le_bytes());
                Value::Uuid(uuid)
            }
            array => {
                let element = array.element().unwrap();
                let values = (0..self.below(5))
                    .map(|_| if self.below(4) == 0 { Value::Null } else { self.value(element) })
                    .collect();
                Value::array(element, values)
            }
        }
    }
}

const TYPES: &[TypeId] = &[
    TypeId::Bool,
    TypeId::Int2,
    TypeId::Int4,
    TypeId::Int8,
    TypeId::Oid,
    TypeId::Float4,
    TypeId::Float8,
    TypeId::Numeric,
    TypeId::Text,
    TypeId::Bytea,
    TypeId::Date,
    TypeId::Time,
    TypeId::TimeTz,
    TypeId::Timestamp,
    TypeId::TimestampTz,
    TypeId::Interval,
    TypeId::Uuid,
    TypeId::TextArray,
    TypeId::NumericArray,
    TypeId::TimestampArray,
];

fn hash(ty: TypeId, value: &Value) -> u64 {
    let mut state =
        std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().build_hasher();
    compare::hash(ty, value, &mut state);
    state.finish()
}

#[test]
fn values_come_back() {
    let mut random = Random(42);
    let mut settings = FormatSettings::default();
    for round in 0..300 {
        settings.interval_style =
            [IntervalStyle::Postgres, IntervalStyle::PostgresVerbose, IntervalStyle::Iso8601]
                [round % 3];
        for &ty in TYPES {
            let value = random.value(ty);
            let mut text = vec![];
            write_text(ty, &value, &settings, &mut text);
            let shown = String::from_utf8(text.clone()).unwrap();
            let read = parse_text(SqlType::plain(ty), &shown, &settings, 0)
                .unwrap_or_else(|error| panic!("{ty:?} {shown}: {error}"));
            assert!(compare::not_distinct(ty, &value, &read), "{ty:?} {shown} {value:?} {read:?}");
            assert_eq!(hash(ty, &value), hash(ty, &read), "{ty:?} {shown}");

            let mut binary = vec![];
            write_binary(ty, &value, &mut binary);
            let read = parse_binary(SqlType::plain(ty), &binary).unwrap();
            assert!(compare::not_distinct(ty, &value, &read), "{ty:?} {shown} {read:?}");

            let vector = Vector::from_values(ty, &[Value::Null, value]);
            let (mut text_at, mut binary_at) = (vec![], vec![]);
            write_text_at(&vector, 1, &settings, &mut text_at);
            write_binary_at(&vector, 1, &mut binary_at);
            assert_eq!(text_at, text);
            assert_eq!(binary_at, binary);
        }
    }
}

#[test]
fn any_bytes_are_a_value_or_an_error() {
    let mut random = Random(7);
    for _ in 0..400 {
        for &ty in TYPES.iter().chain(&[TypeId::Record, TypeId::Json, TypeId::Name, TypeId::Char]) {
            // Mostly valid forms with a byte changed or missing.
            let mut binary = vec![];
            if ty.is_array() || TYPES.contains(&ty) {
                let value = random.value(ty);
                write_binary(ty, &value, &mut binary);
            } else {
                binary.extend(random.next().to_le_bytes());
            }
            if !binary.is_empty() {
                let at = random.below(binary.len() as u64) as usize;
                binary[at] = random.next() as u8;
                binary.truncate(random.below(binary.len() as u64 + 1) as usize);
            }
            drop(parse_binary(SqlType::plain(ty), &binary));
            let text = String::from_utf8_lossy(&binary);
            drop(parse_text(SqlType::plain(ty), &text, &FormatSettings::default(), 0));
        }
        let text: String = (0..random.below(25))
            .map(|_| {
                let words = [
                    "1", "9", ":", "-", "/", ".", " ", "T", "jan", "pm", "bc", "+", "{", "}", ",",
                    "\"", "e", "P", "day", "ä", "[", "]", "=",
                ];
                words[random.below(words.len() as u64) as usize]
            })
            .collect();
        for &ty in TYPES {
            drop(parse_text(SqlType::plain(ty), &text, &FormatSettings::default(), 0));
        }
    }
}
