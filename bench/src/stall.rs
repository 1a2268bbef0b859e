//! How long checkpoints keep writers waiting: `damask-bench stall FOLDER [SECONDS]`.
//!
//! Eight connections update single rows, each update a commit. In phases: no checkpoint; the background's checkpoints, due all
//! the time; `CHECKPOINT` again and again. Latencies of each are printed beside those of a plain write and sync of 4 KiB to another
//! file of the folder meanwhile, which is what the disk takes for a flush.

use damask::{Connection, Database, DatabaseOptions, Value};
use std::fs::File;
use std::io::{Error, Result};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CONNECTIONS: u64 = 8;
const ROWS: u64 = 200_000;
/// Log between two checkpoints that are due "all the time".
const SMALL_LOG: &str = "16MB";

/// What a phase does about checkpoints.
#[derive(Clone, Copy, PartialEq)]
enum Checkpoints {
    None,
    Background,
    Command,
}

/// Runs the phases and prints a table.
pub(crate) fn run(folder: &Path, seconds: u64) -> Result<()> {
    println!("milliseconds            count      p50      p99    p99.9      max");
    let phases = [
        ("without checkpoint", Checkpoints::None),
        ("background", Checkpoints::Background),
        ("CHECKPOINT", Checkpoints::Command),
    ];
    for (name, checkpoints) in phases {
        let file = folder.join("stall.damask");
        if file.exists() {
            std::fs::remove_file(&file)?;
        }
        let log = if checkpoints == Checkpoints::Background { SMALL_LOG } else { "100GB" };
        let mut options = DatabaseOptions::default();
        options.configuration.set("max_wal_size", log).map_err(Error::other)?;
        let database = Database::open_with(Some(&file), options).map_err(Error::other)?;
        load(&database).map_err(Error::other)?;
        let (updates, flushes) = phase(&database, folder, checkpoints, seconds)?;
        print(name, updates);
        print("  the disk's flush", flushes);
        database.close().map_err(Error::other)?;
        drop(database);
        std::fs::remove_file(&file)?;
    }
    Ok(())
}

fn load(database: &Database) -> damask::Result<()> {
    let mut connection = database.connect()?;
    connection.execute("CREATE TABLE stall (id int8 PRIMARY KEY, v int8, pad text)")?;
    connection.execute(&format!(
        "INSERT INTO stall SELECT i, 0, repeat('x', 300) FROM generate_series(1, {ROWS}) i"
    ))?;
    connection.execute("CHECKPOINT")?;
    Ok(())
}

fn phase(
    database: &Database,
    folder: &Path,
    checkpoints: Checkpoints,
    seconds: u64,
) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let stop = AtomicBool::new(false);
    let (stop, end) = (&stop, Duration::from_secs(seconds));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..CONNECTIONS)
            .map(|seed| {
                let connection = database.connect().map_err(Error::other);
                scope.spawn(move || update(connection?, seed, stop).map_err(Error::other))
            })
            .collect();
        let prober = scope.spawn(move || probe(&folder.join("stall.probe"), stop));
        let started = Instant::now();
        let mut connection = database.connect().map_err(Error::other)?;
        while started.elapsed() < end {
            if checkpoints == Checkpoints::Command {
                connection.execute("CHECKPOINT").map_err(Error::other)?;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::Relaxed);
        let mut updates = vec![];
        for writer in writers {
            updates.extend(writer.join().expect("a writer does not panic")?);
        }
        Ok((updates, prober.join().expect("the prober does not panic")?))
    })
}

fn update(
    mut connection: Connection,
    seed: u64,
    stop: &AtomicBool,
) -> damask::Result<Vec<Duration>> {
    let statement = connection.prepare("UPDATE stall SET v = v + 1 WHERE id = $1")?;
    let mut random = seed + 1;
    let mut taken = vec![];
    while !stop.load(Ordering::Relaxed) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let id = 1 + (random >> 33) % ROWS;
        let started = Instant::now();
        connection.query_prepared(&statement, &[Value::Int8(id as i64)])?;
        taken.push(started.elapsed());
    }
    Ok(taken)
}

fn probe(path: &Path, stop: &AtomicBool) -> Result<Vec<Duration>> {
    let file = File::create(path)?;
    let block = [1; 4096];
    file.write_all_at(&vec![0; 1 << 20], 0)?;
    file.sync_all()?;
    let mut taken = vec![];
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        file.write_all_at(&block, taken.len() as u64 % 256 * 4096)?;
        file.sync_data()?;
        taken.push(started.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(path)?;
    Ok(taken)
}

fn print(name: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let at = |part: f64| {
        let index = ((taken.len() as f64 * part) as usize).min(taken.len().saturating_sub(1));
        taken.get(index).map_or(0.0, |taken| taken.as_secs_f64() * 1000.0)
    };
    println!(
        "{name:20} {:8} {:8.2} {:8.2} {:8.2} {:8.2}",
        taken.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
