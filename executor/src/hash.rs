//! Hashing and equality of keys, a column at a time.
//!
//! Equal values hash equally whatever form their vector has: numerics of different scales, -0 and 0, padded and unpadded `char`.
//! Nulls hash to one value and are equal to each other here; who wants SQL's `=` leaves rows with null keys out before.

use crate::store::Column;
use damask_types::compare::{canonical_f64, compare, trim_blanks};
use damask_types::{Mask, Numeric, TypeId, Value, Vector, VectorData};
use std::cmp::Ordering;
use std::hash::{BuildHasher, Hasher};

/// Mixes a word into a hash.
#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    let product =
        u128::from(hash ^ 0x9e37_79b9_7f4a_7c15) * u128::from(word ^ 0xd6e8_feb8_6659_fd93);
    (product as u64) ^ (product >> 64) as u64
}

const NULL_HASH: u64 = 0x6a09_e667_f3bc_c908;

/// Mixes the values of a key column into `hashes`, one for each row.
pub(crate) fn hash_column(vector: &Vector, hashes: &mut [u64]) {
    let has_null = vector.validity().is_some();
    macro_rules! each {
        (|$i:ident| $word:expr) => {
            for (row, hash) in hashes.iter_mut().enumerate() {
                let $i = vector.index(row);
                *hash = if has_null && vector.is_null(row) {
                    mix(*hash, NULL_HASH)
                } else {
                    mix(*hash, $word)
                };
            }
        };
    }
    match &vector.data {
        VectorData::Bool(v) => each!(|i| u64::from(v.get(i))),
        VectorData::Int2(v) => each!(|i| i64::from(v[i]).cast_unsigned()),
        VectorData::Int4(v) => each!(|i| i64::from(v[i]).cast_unsigned()),
        VectorData::Int8(v) => each!(|i| v[i].cast_unsigned()),
        VectorData::Oid(v) => each!(|i| u64::from(v[i])),
        VectorData::Float4(v) => each!(|i| canonical_f64(v[i].into())),
        VectorData::Float8(v) => each!(|i| canonical_f64(v[i])),
        VectorData::Decimal64 { scale, values } => {
            each!(|i| hash_decimal(values[i].into(), u16::from(*scale)));
        }
        VectorData::Decimal128 { scale, values } => {
            each!(|i| hash_decimal(values[i], u16::from(*scale)))
        }
        VectorData::Numeric(v) => each!(|i| hash_numeric(&v[i])),
        VectorData::Interval(v) => each!(|i| v[i].cmp_key() as u64),
        VectorData::Uuid(v) => each!(|i| hash_bytes(&v[i])),
        VectorData::Bytes(v) if vector.ty == TypeId::BpChar => {
            each!(|i| hash_bytes(trim_blanks(v.get(i))))
        }
        VectorData::Bytes(v) => each!(|i| hash_bytes(v.get(i))),
        VectorData::Boxed(v) => each!(|i| hash_value(vector.ty, &v[i])),
    }
}

/// The hash of each row over all key columns.
pub(crate) fn hash_rows(keys: &[Vector], rows: usize, hashes: &mut Vec<u64>) {
    hashes.clear();
    hashes.resize(rows, 0);
    for key in keys {
        hash_column(key, hashes);
    }
}

/// Rows whose keys are all not null.
pub(crate) fn not_null_rows(keys: &[Vector], active: &Mask) -> Mask {
    keys.iter().fold(*active, |mask, key| {
        if key.validity().is_some() { mask.and(&key.valid_rows()) } else { mask }
    })
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        hash = mix(hash, u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(hash, u64::from_le_bytes(last))
}

/// Trailing zeros do not count: 1.10 and 1.1 are equal.
fn hash_decimal(mut mantissa: i128, mut scale: u16) -> u64 {
    if let Ok(mut small) = i64::try_from(mantissa) {
        while scale > 0 && small % 10 == 0 {
            small /= 10;
            scale -= 1;
        }
        // Both words are mixed in, so that neither being zero hides the other.
        return mix(u64::from(scale), small.cast_unsigned());
    }
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    match i64::try_from(mantissa) {
        Ok(small) => mix(u64::from(scale), small.cast_unsigned()),
        Err(_) => mix(u64::from(scale), mantissa as u64 ^ (mantissa >> 64) as u64),
    }
}

fn hash_numeric(value: &Numeric) -> u64 {
    match value {
        Numeric::Decimal { mantissa, scale } => hash_decimal(*mantissa, *scale),
        other => hash_value(TypeId::Numeric, &Value::Numeric(other.clone())),
    }
}

fn hash_value(ty: TypeId, value: &Value) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    damask_types::compare::hash(ty, value, &mut hasher);
    hasher.finish()
}

/// Whether row `row` of a vector equals row `at` of a column; nulls are equal.
#[inline]
pub(crate) fn equal(column: &Column, at: usize, vector: &Vector, row: usize) -> bool {
    let null = vector.is_null(row);
    if null || column.is_null(at) {
        return null == column.is_null(at);
    }
    let i = vector.index(row);
    match &vector.data {
        VectorData::Bool(v) => column.as_i64(at) == Some(v.get(i).into()),
        VectorData::Int2(v) => column.as_i64(at) == Some(v[i].into()),
        VectorData::Int4(v) => column.as_i64(at) == Some(v[i].into()),
        VectorData::Int8(v) => column.as_i64(at) == Some(v[i]),
        VectorData::Oid(v) => column.as_i64(at) == Some(v[i].into()),
        VectorData::Bytes(v) if column.ty != TypeId::BpChar => {
            column.as_bytes(at) == Some(v.get(i))
        }
        VectorData::Decimal64 { scale, values } if column.decimal_scale() == Some(*scale) => {
            column.as_i64(at) == Some(values[i])
        }
        _ => compare(column.ty, &column.value(at), &vector.value(row)) == Ordering::Equal,
    }
}

/// Chains of rows by hash, for joins and groups: row numbers only, keys are the owner's.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    /// First row of each bucket plus one; 0 is none. A power of two.
    heads: Vec<u32>,
    /// Per row: the next row of its bucket plus one, and its hash.
    next: Vec<u32>,
    hashes: Vec<u64>,
}

impl Chains {
    /// Rows held.
    pub(crate) fn len(&self) -> usize {
        self.next.len()
    }

    /// Adds the next row. Rows of one bucket are found newest first.
    pub(crate) fn insert(&mut self, hash: u64) {
        if self.next.len() >= self.heads.len() {
            self.grow();
        }
        let bucket = hash as usize & (self.heads.len() - 1);
        self.next.push(self.heads[bucket]);
        self.hashes.push(hash);
        self.heads[bucket] = self.next.len() as u32;
    }

    fn grow(&mut self) {
        let buckets = (self.heads.len() * 2).max(1024);
        self.heads.clear();
        self.heads.resize(buckets, 0);
        for (row, &hash) in self.hashes.iter().enumerate() {
            let bucket = hash as usize & (buckets - 1);
            self.next[row] = self.heads[bucket];
            self.heads[bucket] = row as u32 + 1;
        }
    }

    /// The first row with this hash at or after the cursor `from` (0 starts), as row and next cursor.
    #[inline]
    pub(crate) fn first(&self, hash: u64) -> u32 {
        if self.heads.is_empty() { 0 } else { self.heads[hash as usize & (self.heads.len() - 1)] }
    }

    /// Goes along a chain from cursor `at` to the next row of this hash: the row and the cursor after it.
    #[inline]
    pub(crate) fn follow(&self, mut at: u32, hash: u64) -> Option<(usize, u32)> {
        while at != 0 {
            let row = at as usize - 1;
            at = self.next[row];
            if self.hashes[row] == hash {
                return Some((row, at));
            }
        }
        None
    }

    pub(crate) fn buckets(&self) -> usize {
        self.heads.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.heads.len() * 4 + self.next.len() * 12
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_hash_equally() {
        let hash = |ty, value: Value| {
            let mut hashes = vec![0];
            hash_column(&Vector::from_values(ty, &[value]), &mut hashes);
            hashes[0]
        };
        let number = |mantissa, scale| Value::Numeric(Numeric::Decimal { mantissa, scale });
        assert_eq!(hash(TypeId::Numeric, number(110, 2)), hash(TypeId::Numeric, number(11, 1)));
        assert_eq!(
            hash(TypeId::Numeric, number(11, 1)),
            hash(TypeId::Numeric, number(110_000_000_000_000_000_000_000, 23))
        );
        assert_eq!(
            hash(TypeId::Float8, Value::Float8(0.0)),
            hash(TypeId::Float8, Value::Float8(-0.0))
        );
        assert_eq!(
            hash(TypeId::BpChar, Value::text("a  ")),
            hash(TypeId::BpChar, Value::text("a"))
        );
        assert_ne!(hash(TypeId::Text, Value::text("a")), hash(TypeId::Text, Value::text("b")));
    }

    #[test]
    fn chains_find_every_row() {
        let mut chains = Chains::default();
        for row in 0..5000_u64 {
            chains.insert(row % 7);
        }
        let mut at = chains.first(3);
        let mut found = 0;
        while let Some((row, next)) = chains.follow(at, 3) {
            assert_eq!(row % 7, 3);
            (found, at) = (found + 1, next);
        }
        assert_eq!(found, (0..5000).filter(|row| row % 7 == 3).count());
    }
}
