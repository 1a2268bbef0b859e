//! Rows come back as they went in, by every way, and damaged ones give errors.

use super::*;
use crate::testing::{Chance, types};
use damask_types::{Numeric, TILE_ROWS, TypeId};
use std::sync::Arc;

/// NaN differs from NaN as a value, not as text.
fn same(a: &Value, b: &Value) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

fn all(layout: &RowLayout) -> Vec<ColumnIndex> {
    (0..layout.column_count() as u16).map(ColumnIndex).collect()
}

fn random_row(chance: &mut Chance, layout: &RowLayout) -> Vec<Value> {
    layout.columns().iter().map(|column| chance.value(column.ty)).collect()
}

#[test]
fn rows_come_back_by_every_way() {
    let layout = Arc::new(RowLayout::new(types()).unwrap());
    let mut chance = Chance(1);
    for _ in 0..20 {
        let rows: Vec<Vec<Value>> =
            (0..chance.below(100)).map(|_| random_row(&mut chance, &layout)).collect();
        let encoded: Vec<Vec<u8>> = rows.iter().map(|row| layout.encode(row).unwrap()).collect();
        for (row, bytes) in rows.iter().zip(&encoded) {
            assert!(layout.decode(bytes).unwrap().iter().zip(row).all(|(a, b)| same(a, b)));
            let column = chance.below(row.len() as u64) as usize;
            let value = layout.column(bytes, ColumnIndex(column as u16)).unwrap();
            assert!(same(&value, &row[column]));
        }
        let bytes: Vec<&[u8]> = encoded.iter().map(|bytes| &bytes[..]).collect();
        let vectors = layout.gather(&bytes, &all(&layout)).unwrap();
        for (index, vector) in vectors.iter().enumerate() {
            assert_eq!(vector.rows(), rows.len());
            for (i, row) in rows.iter().enumerate() {
                let value = vector.value(i);
                assert!(same(&value, &row[index]), "{value:?} for {:?}", row[index]);
            }
        }
    }
}

#[test]
fn fixed_columns_have_one_offset_in_all_rows() {
    let layout = RowLayout::new(vec![
        TypeId::Text.into(),
        TypeId::Bool.into(),
        TypeId::Int8.into(),
        TypeId::Uuid.into(),
        TypeId::Int2.into(),
    ])
    .unwrap();
    let row = layout
        .encode(&[
            Value::text("ab"),
            Value::Bool(true),
            Value::Int8(-2),
            Value::Uuid([7; 16]),
            Value::Null,
        ])
        .unwrap();
    let mut expected = vec![5, 0, 0b1_0000];
    expected.extend([7; 16]);
    expected.extend((-2i64).to_le_bytes());
    expected.extend([0, 0, 1]);
    expected.extend([2, 0, b'a', b'b']);
    assert_eq!(row, expected);
}

#[test]
fn numerics_of_a_scale_are_gathered_as_decimals() {
    let ty = SqlType { id: TypeId::Numeric, typmod: SqlType::numeric_typmod(15, 2) };
    let layout = Arc::new(RowLayout::new(vec![ty]).unwrap());
    let row = |numeric| layout.encode(&[Value::Numeric(numeric)]).unwrap();
    let short = row(Numeric::Decimal { mantissa: 5, scale: 1 });
    let nan = row(Numeric::NaN);
    let vectors = layout.gather(&[&short], &[ColumnIndex(0)]).unwrap();
    assert_eq!(vectors[0].value(0), Value::Numeric(Numeric::Decimal { mantissa: 50, scale: 2 }));
    assert!(matches!(vectors[0].data, damask_types::VectorData::Decimal64 { scale: 2, .. }));
    let vectors = layout.gather(&[&short, &nan], &[ColumnIndex(0)]).unwrap();
    assert_eq!(vectors[0].value(1), Value::Numeric(Numeric::NaN));
    for numeric in [
        Numeric::PositiveInfinity,
        Numeric::Decimal { mantissa: 1, scale: 3 },
        Numeric::Decimal { mantissa: i128::from(i64::MAX), scale: 0 },
    ] {
        let error = layout.encode(&[Value::Numeric(numeric)]).unwrap_err();
        assert_eq!(error.sqlstate(), SqlState::NUMERIC_VALUE_OUT_OF_RANGE);
    }
}

#[test]
fn long_rows_have_wide_offsets() {
    let layout = Arc::new(
        RowLayout::new(vec![TypeId::Text.into(), TypeId::Int4.into(), TypeId::Bytea.into()])
            .unwrap(),
    );
    let short = [Value::text("a"), Value::Int4(1), Value::Null];
    let long = [Value::text("b".repeat(70_000)), Value::Int4(2), Value::Bytes([9; 20].into())];
    let encoded = [layout.encode(&short).unwrap(), layout.encode(&long).unwrap()];
    assert_eq!(layout.decode(&encoded[1]).unwrap(), long);
    let vectors = layout.gather(&[&encoded[0], &encoded[1]], &all(&layout)).unwrap();
    for (i, vector) in vectors.iter().enumerate() {
        assert_eq!([vector.value(0), vector.value(1)], [short[i].clone(), long[i].clone()]);
    }
}

#[test]
fn columns_are_added_and_dropped_without_a_rewrite() {
    let mut columns = vec![RowColumn::new(TypeId::Int4), RowColumn::new(TypeId::Text)];
    let old = RowLayout::with_columns(columns.clone()).unwrap();
    let row = old.encode(&[Value::Int4(1), Value::text("a")]).unwrap();
    columns[1].dropped = true;
    columns.push(RowColumn { missing: Value::Int8(7), ..RowColumn::new(TypeId::Int8) });
    let new = Arc::new(RowLayout::with_columns(columns).unwrap());
    let expected = [Value::Int4(1), Value::Null, Value::Int8(7)];
    assert_eq!(new.decode(&row).unwrap(), expected);
    let changed = new.update(&row, &[(ColumnIndex(0), Value::Int4(2))]).unwrap();
    let newer = [Value::Int4(2), Value::Null, Value::Int8(7)];
    assert_eq!(new.decode(&changed).unwrap(), newer);
    let vectors = new.gather(&[&changed, &row, &changed], &all(&new)).unwrap();
    for (i, vector) in vectors.iter().enumerate() {
        assert_eq!(vector.value(0), newer[i]);
        assert_eq!(vector.value(1), expected[i]);
        assert_eq!(vector.value(2), newer[i]);
    }
}

#[test]
fn updates_change_what_they_name() {
    let layout = RowLayout::new(types()).unwrap();
    let mut chance = Chance(5);
    for _ in 0..200 {
        let mut row = random_row(&mut chance, &layout);
        let bytes = layout.encode(&row).unwrap();
        let mut changes = Vec::new();
        for _ in 0..=chance.below(3) {
            let column = chance.below(row.len() as u64) as usize;
            let value = chance.value(layout.columns()[column].ty);
            row[column] = value.clone();
            changes.push((ColumnIndex(column as u16), value));
        }
        let updated = layout.update(&bytes, &changes).unwrap();
        assert_eq!(updated, layout.encode(&row).unwrap());
    }
}

#[test]
fn a_gatherer_fills_tiles_from_several_leaves() {
    let layout = Arc::new(RowLayout::new(vec![TypeId::Int4.into(), TypeId::Text.into()]).unwrap());
    let columns = all(&layout);
    let mut gatherer = ColumnGatherer::new(&layout, &columns).unwrap();
    let rows: Vec<Vec<u8>> = (0..1500)
        .map(|i| layout.encode(&[Value::Int4(i), Value::text(format!("row number {i}"))]).unwrap())
        .collect();
    let mut seen = 0;
    let mut tile = |gatherer: &mut ColumnGatherer| {
        let vectors = gatherer.finish().unwrap();
        for i in 0..vectors[0].rows() {
            assert_eq!(vectors[0].value(i), Value::Int4(seen));
            assert_eq!(vectors[1].value(i), Value::text(format!("row number {seen}")));
            seen += 1;
        }
    };
    for leaf in rows.chunks(130) {
        let leaf: Vec<&[u8]> = leaf.iter().map(|row| &row[..]).collect();
        let taken = gatherer.push_rows(&leaf).unwrap();
        if taken < leaf.len() {
            assert_eq!(gatherer.len(), TILE_ROWS);
            tile(&mut gatherer);
            assert_eq!(gatherer.push_rows(&leaf[taken..]).unwrap(), leaf.len() - taken);
        }
    }
    tile(&mut gatherer);
    assert_eq!(seen, 1500);
}

#[test]
fn damaged_rows_are_errors() {
    let layout = Arc::new(RowLayout::new(types()).unwrap());
    let mut chance = Chance(3);
    let columns = all(&layout);
    let mut errors = 0;
    for _ in 0..3000 {
        let mut bytes = layout.encode(&random_row(&mut chance, &layout)).unwrap();
        if chance.one_in(3) {
            bytes.truncate(chance.below(bytes.len() as u64) as usize);
        } else {
            for _ in 0..=chance.below(3) {
                let at = chance.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << chance.below(8);
            }
        }
        // Some damage is to be seen by nobody; none of it may panic.
        let decoded = layout.decode(&bytes);
        let gathered = layout.gather(&[&bytes], &columns);
        // Gathering sees more: bytes that a null should not have.
        assert!(decoded.is_ok() || gathered.is_err());
        errors += usize::from(decoded.is_err());
        layout.update(&bytes, &[(ColumnIndex(0), Value::Null)]).ok();
        if let Ok(vectors) = gathered {
            for vector in &vectors {
                drop(vector.value(0));
            }
        }
    }
    assert!(errors > 500, "{errors} errors");
}
