//! A disk that becomes full under transactions that have changed more pages than there are frames: they are taken back, others read, and nothing stops.

use crate::{
    Engine, EngineOptions, IndexDesc, IsolationLevel, KeyColumn, Location, NewRows, RelationDesc,
    Table, Txn,
};
use damask_storage::Env;
use damask_storage::vfs::{Fault, RoomClock, SimVfs};
use damask_types::{ColumnIndex, RelId, Result, RowId, SqlType, TypeId, Value};
use std::ops::Range;
use std::sync::Arc;

/// Rows of the table, several to a page: more pages than frames.
const ROWS: i32 = 3000;

struct World {
    vfs: SimVfs,
    clock: Arc<RoomClock>,
    engine: Arc<Engine>,
    rel: RelId,
}

impl World {
    /// A table with an index, in a checkpoint.
    fn new() -> Self {
        let vfs = SimVfs::default();
        let clock = Arc::new(RoomClock::new(vfs.clone()));
        let env = Env::simulated(Arc::new(vfs.clone()), 1);
        let env = Env { clock: Arc::<RoomClock>::clone(&clock), ..env };
        let options =
            EngineOptions { pool_bytes: 128 * 4096, page_bytes: 4096, ..EngineOptions::default() };
        let engine = Engine::open(env, Location::File("d".into()), options).unwrap();
        let index = IndexDesc {
            name: "i".to_owned(),
            keys: vec![KeyColumn::ascending(ColumnIndex(1))],
            key_names: vec!["b".to_owned()],
            ..IndexDesc::default()
        };
        let desc = RelationDesc {
            columns: [TypeId::Int4, TypeId::Int4, TypeId::Text].map(SqlType::plain).to_vec(),
            indexes: vec![index],
            ..RelationDesc::default()
        };
        let mut txn = begin(&engine);
        let rel = txn.create_relation(desc).unwrap();
        let world = Self { vfs, clock, engine, rel };
        for key in 0..ROWS {
            world.insert(&mut txn, key).unwrap();
        }
        txn.commit().unwrap().wait().unwrap();
        world.engine.checkpoint().unwrap();
        world
    }

    fn table(&self) -> Arc<Table> {
        self.engine.table(self.rel).unwrap()
    }

    fn insert(&self, txn: &mut Txn, key: i32) -> Result<RowId> {
        self.table().insert(txn, &row(key))
    }

    fn insert_many(&self, txn: &mut Txn, keys: Range<i32>) -> Result<()> {
        let (table, mut rows) = (self.table(), NewRows::default());
        for key in keys {
            table.push_row(&mut rows, &row(key))?;
        }
        table.insert_rows(txn, &mut rows).map(drop)
    }

    /// Changes the indexed column of every row.
    fn change_all(&self, txn: &mut Txn) -> Result<()> {
        let table = self.table();
        let (first, last) = table.row_bounds()?.expect("there are rows");
        (first.0..=last.0).try_for_each(|row| {
            table.update(txn, RowId(row), &[(ColumnIndex(1), Value::Int4(-1))]).map(drop)
        })
    }

    /// No more room from here on.
    fn fill_disk(&self) {
        self.vfs.inject(Fault::Budget(self.vfs.used_bytes()));
    }

    /// Every row is there, as it was made.
    fn check_rows(&self) {
        let txn = begin(&self.engine);
        let view = txn.view().unwrap();
        let table = self.table();
        for key in 0..ROWS {
            let columns = [ColumnIndex(0), ColumnIndex(1)];
            let found = table.get(&view, RowId(key as u64 + 1), &columns).unwrap();
            assert_eq!(found, Some(vec![Value::Int4(key), Value::Int4(key * 7 % ROWS)]));
        }
    }

    /// There is room again: nothing is wrong, and changes are taken.
    fn check_end(&self) {
        self.vfs.heal();
        let report = self.engine.verify().unwrap();
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        let mut txn = begin(&self.engine);
        self.insert(&mut txn, ROWS).unwrap();
        txn.commit().unwrap().wait().unwrap();
        self.check_rows();
        self.engine.close().unwrap();
    }
}

fn row(key: i32) -> [Value; 3] {
    [Value::Int4(key), Value::Int4(key * 7 % ROWS), Value::text("x".repeat(300))]
}

fn begin(engine: &Arc<Engine>) -> Txn {
    let mut txn = engine.begin(IsolationLevel::ReadCommitted, false).unwrap();
    txn.begin_statement().unwrap();
    txn
}

#[test]
fn large_transactions_are_taken_back_on_a_full_disk() {
    let world = World::new();
    let mut txn = begin(&world.engine);
    world.change_all(&mut txn).unwrap();
    world.fill_disk();
    world.check_rows();
    txn.rollback().unwrap();
    world.check_rows();
    // Those that meet the full disk themselves, with rows one by one and many together.
    for count in [1, 1000] {
        let mut txn = begin(&world.engine);
        let mut firsts = (ROWS..).step_by(count as usize);
        let insert = |first| world.insert_many(&mut txn, first..first + count).err();
        let refused = firsts.find_map(insert).expect("some day");
        assert!(refused.is_disk_full(), "{refused}");
        world.check_rows();
        txn.rollback().unwrap();
        world.check_rows();
    }
    let report = world.engine.verify().unwrap();
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert_eq!(world.clock.sleeps(), 0, "nothing was waited for");
    world.check_end();
}

#[test]
fn taking_back_waits_for_room_if_it_must() {
    let world = World::new();
    let mut txn = begin(&world.engine);
    world.change_all(&mut txn).unwrap();
    // What was changed is in it, and may not be written over.
    world.engine.checkpoint().unwrap();
    world.fill_disk();
    // Takes what was free in the file.
    let mut other = begin(&world.engine);
    let mut keys = ROWS..;
    let refused = keys.find_map(|key| world.insert(&mut other, key).err()).expect("some day");
    assert!(refused.is_disk_full(), "{refused}");
    assert_eq!(world.clock.sleeps(), 0);
    txn.rollback().unwrap();
    assert!(world.clock.sleeps() > 0, "it had to wait");
    other.rollback().unwrap();
    world.check_rows();
    world.check_end();
}
