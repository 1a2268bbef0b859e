//! What this crate's tests share: machines with several nodes, seeded chance and random values of each type.

use crate::env::Env;
use crate::topology::SimulatedTopology;
use damask_types::numeric::BigDecimal;
use damask_types::{Interval, Numeric, Oid, SqlType, TypeId, Value};
use std::sync::Arc;

/// An environment in memory on a machine with so many nodes.
pub(crate) fn env_of_nodes(seed: u64, node_count: usize) -> Env {
    let topology = Arc::new(SimulatedTopology::new(node_count));
    Env { topology, ..Env::in_memory(seed) }
}

/// SplitMix64.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// An integer: small, extreme or anything.
    pub(crate) fn integer(&mut self) -> i64 {
        match self.below(4) {
            0 => self.below(7) as i64 - 3,
            1 => [i64::MIN, i64::MAX, 0, -1][self.below(4) as usize],
            _ => (self.next() as i64) >> self.below(64),
        }
    }

    pub(crate) fn bytes(&mut self, max: u64) -> Vec<u8> {
        let len = self.below(max + 1);
        // Few different bytes, so that prefixes and zeros are common.
        (0..len).map(|_| [0, 1, 97, 98, 0xfe, 0xff][self.below(6) as usize]).collect()
    }

    pub(crate) fn text(&mut self, max: u64) -> String {
        let len = self.below(max + 1);
        (0..len).map(|_| ['a', 'b', ' ', '\u{1}', 'é', '€'][self.below(6) as usize]).collect()
    }

    fn float(&mut self) -> f64 {
        let few = [0.0, -0.0, 1.5, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-310];
        match self.below(3) {
            0 => few[self.below(8) as usize],
            1 => f64::from_bits(self.next()),
            _ => self.integer() as f64,
        }
    }

    pub(crate) fn numeric(&mut self) -> Numeric {
        match self.below(12) {
            0 => Numeric::NaN,
            1 => Numeric::PositiveInfinity,
            2 => Numeric::NegativeInfinity,
            3 => {
                let mut limbs: Vec<u32> =
                    (0..5 + self.below(4)).map(|_| self.below(1_000_000_000) as u32).collect();
                limbs.push(1 + self.below(999_999_999) as u32);
                let (negative, scale) = (self.one_in(2), self.below(60) as u16);
                Numeric::Big(Arc::new(BigDecimal { negative, limbs, scale }))
            }
            4 => Numeric::Decimal {
                mantissa: i128::from(self.integer()) * 10i128.pow(self.below(19) as u32),
                scale: self.below(300) as u16,
            },
            _ => Numeric::Decimal {
                mantissa: i128::from(self.integer() >> self.below(60)),
                scale: self.below(6) as u16,
            },
        }
    }

    /// A value that a column of type `ty` may hold; null now and then.
    pub(crate) fn value(&mut self, ty: SqlType) -> Value {
        if self.one_in(6) { Value::Null } else { self.value_not_null(ty) }
    }

    fn value_not_null(&mut self, ty: SqlType) -> Value {
        if let Some((precision, scale)) = ty.numeric_shape() {
            if self.one_in(20) {
                return Value::Numeric(Numeric::NaN);
            }
            let digits = u32::from(precision.min(38));
            let mantissa = (i128::from(self.next() as i64) << 64 | i128::from(self.next()))
                % 10i128.pow(1 + self.below(digits.into()) as u32);
            return Value::Numeric(Numeric::Decimal { mantissa, scale: scale.max(0) as u16 });
        }
        match ty.id {
            TypeId::Bool => Value::Bool(self.one_in(2)),
            TypeId::Int2 => Value::Int2(self.integer() as i16),
            TypeId::Int4 => Value::Int4(self.integer() as i32),
            TypeId::Int8 => Value::Int8(self.integer()),
            TypeId::Oid => Value::Oid(Oid(self.integer() as u32)),
            TypeId::Float4 => Value::Float4(self.float() as f32),
            TypeId::Float8 => Value::Float8(self.float()),
            TypeId::Date => Value::Date(self.integer() as i32),
            TypeId::Time => Value::Time(self.below(86_400_000_000) as i64),
            TypeId::Timestamp => Value::Timestamp(self.integer()),
            TypeId::TimestampTz => Value::TimestampTz(self.integer()),
            TypeId::Interval => Value::Interval(Interval {
                months: self.integer() as i32 >> 20,
                days: self.integer() as i32 >> 16,
                micros: self.integer(),
            }),
            TypeId::Uuid => {
                let mut uuid = [0; 16];
                uuid[..8].copy_from_slice(&self.integer().to_be_bytes());
                Value::Uuid(uuid)
            }
            TypeId::Numeric => Value::Numeric(self.numeric()),
            TypeId::Bytea => Value::Bytes(self.bytes(30).into()),
            TypeId::Int4Array => {
                let count = self.below(4);
                let values = (0..count).map(|_| self.value(TypeId::Int4.into())).collect();
                Value::array(TypeId::Int4, values)
            }
            TypeId::TextArray => {
                let count = self.below(4);
                let values = (0..count).map(|_| self.value(TypeId::Text.into())).collect();
                Value::array(TypeId::Text, values)
            }
            TypeId::Record => Value::Record(Arc::new([
                (TypeId::Int4, self.value(TypeId::Int4.into())),
                (TypeId::Text, self.value(TypeId::Text.into())),
            ])),
            _ => Value::text(self.text(20)),
        }
    }
}

/// One of each representation.
pub(crate) fn types() -> Vec<SqlType> {
    let numeric = |precision, scale| SqlType {
        id: TypeId::Numeric,
        typmod: SqlType::numeric_typmod(precision, scale),
    };
    let mut types: Vec<SqlType> = [
        TypeId::Bool,
        TypeId::Int2,
        TypeId::Text,
        TypeId::Int4,
        TypeId::Int8,
        TypeId::Oid,
        TypeId::Float4,
        TypeId::Float8,
        TypeId::Bytea,
        TypeId::Date,
        TypeId::Time,
        TypeId::Timestamp,
        TypeId::TimestampTz,
        TypeId::Interval,
        TypeId::Numeric,
        TypeId::Uuid,
        TypeId::BpChar,
        TypeId::Varchar,
        TypeId::Int4Array,
        TypeId::TextArray,
        TypeId::Record,
    ]
    .map(SqlType::plain)
    .to_vec();
    types.extend([numeric(15, 2), numeric(18, 0), numeric(30, 10), numeric(38, 2)]);
    types.push(numeric(100, 5));
    types
}
