//! The views that Damask has of itself: their columns, what sessions tell for them, and their rows.
//!
//! They lie in `pg_catalog`, so that they are found by name alone; their OIDs begin at 15000, behind those of PostgreSQL's own relations.
//! `docs/mvcc.md` tells of versions, `docs/decisions/0010-memory-by-node.md` of nodes.

use super::SystemContext;
use super::definitions::Definition;
use super::row::{Rows, count, text};
use damask_types::TypeId::{Bool, Int4, Int8, Text};
use damask_types::Value;

/// Their names, OIDs and columns.
#[rustfmt::skip]
pub(super) static DEFINITIONS: &[Definition] = &[
    Definition { oid: 15000, information_schema: false, name: "damask_versions", is_view: true, columns: &[
        ("versions", Int8, false), ("undo_bytes", Int8, false), ("undo_spilled_bytes", Int8, false),
        ("hidden_ranges", Int8, false), ("garbage_rows", Int8, false), ("last_commit", Int8, false),
        ("watermark", Int8, false), ("watermark_pid", Int4, false), ("kept_log_bytes", Int8, false), ("kept_log_pid", Int4, false),
    ] },
    Definition { oid: 15001, information_schema: false, name: "damask_memory", is_view: true, columns: &[
        ("purpose", Text, false), ("used_bytes", Int8, false), ("limit_bytes", Int8, false),
    ] },
    Definition { oid: 15002, information_schema: false, name: "damask_numa", is_view: true, columns: &[
        ("node", Int4, false), ("cpus", Text, false), ("frames_max", Int8, false), ("frames", Int8, false),
        ("frames_spare", Int8, false), ("pages_afar", Int8, false), ("bound", Bool, false),
    ] },
    Definition { oid: 15003, information_schema: false, name: "damask_pool", is_view: true, columns: &[
        ("frames_max", Int8, false), ("frames", Int8, false), ("frames_huge", Int8, false), ("pages", Int8, false),
        ("pages_dirty", Int8, false), ("pages_loaded", Int8, false), ("pages_ahead", Int8, false),
        ("io_method", Text, false), ("leaf_waits", Int8, false), ("contention_splits", Int8, false),
        ("file_bytes", Int8, false), ("file_free_bytes", Int8, false),
    ] },
];

/// What old snapshots keep, for `damask_versions`.
#[derive(Clone, Copy, Debug)]
pub struct VersionCounts {
    /// Versions in memory.
    pub versions: u64,
    /// Bytes of rows as they were, in memory.
    pub undo_bytes: u64,
    /// The same, in temporary files.
    pub undo_spilled_bytes: u64,
    /// Ranges of rows that an old snapshot does not see.
    pub hidden_ranges: u64,
    /// Changed rows that are still to be looked at.
    pub garbage_rows: u64,
    /// The last commit.
    pub last_commit: u64,
    /// What every snapshot sees ends here.
    pub watermark: u64,
    /// The session with the oldest snapshot.
    pub pid: Option<i32>,
    /// Bytes of log that is kept because open transactions have logged a part of their changes.
    pub kept_log_bytes: u64,
    /// The session whose transaction needs the most of it.
    pub kept_log_pid: Option<i32>,
}

/// What is held in memory for a purpose, for `damask_memory`.
#[derive(Clone, Copy, Debug)]
pub struct MemoryRow {
    /// What for.
    pub purpose: &'static str,
    /// Bytes held.
    pub used: u64,
    /// Most bytes there may be, if this purpose has a limit.
    pub limit: Option<u64>,
}

/// A node of the machine, for `damask_numa`.
#[derive(Clone, Debug)]
pub struct NodeRow {
    /// The system's number for it.
    pub node: u32,
    /// Its processors, as the system writes lists.
    pub cpus: Option<String>,
    /// Most frames for pages that it may have.
    pub frames_max: u64,
    /// Frames it has.
    pub frames: u64,
    /// Those that hold no page.
    pub frames_spare: u64,
    /// Pages that its threads loaded or made, and that lie in frames of other nodes.
    pub pages_afar: u64,
    /// The system binds memory and threads as it is asked to.
    pub is_bound: bool,
}

/// The buffer pool and the data file, for `damask_pool`.
#[derive(Clone, Copy, Debug)]
pub struct PoolRow {
    /// Most frames for pages that there may be.
    pub frames_max: u64,
    /// Frames there are.
    pub frames: u64,
    /// Those in memory that was asked to lie in huge pages, and the system did not refuse.
    pub frames_huge: u64,
    /// Pages, in memory or not.
    pub pages: u64,
    /// Those of which the newest state is in memory only.
    pub pages_dirty: u64,
    /// Reads of a page from the file.
    pub pages_loaded: u64,
    /// Those of them that a scan was likely to come to, read with others.
    pub pages_ahead: u64,
    /// What reads them together.
    pub io_method: &'static str,
    /// Changes that had to wait for their leaf.
    pub leaf_waits: u64,
    /// Leaves split because changes of different entries waited for each other.
    pub contention_splits: u64,
    /// Bytes of the data file.
    pub file_bytes: u64,
    /// Those that nothing lies in.
    pub file_free_bytes: u64,
}

pub(super) fn damask_versions(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let counts = ctx.session.versions();
    rows.push(&[
        ("versions", count(counts.versions)),
        ("undo_bytes", count(counts.undo_bytes)),
        ("undo_spilled_bytes", count(counts.undo_spilled_bytes)),
        ("hidden_ranges", count(counts.hidden_ranges)),
        ("garbage_rows", count(counts.garbage_rows)),
        ("last_commit", count(counts.last_commit)),
        ("watermark", count(counts.watermark)),
        ("watermark_pid", counts.pid.map_or(Value::Null, Value::Int4)),
        ("kept_log_bytes", count(counts.kept_log_bytes)),
        ("kept_log_pid", counts.kept_log_pid.map_or(Value::Null, Value::Int4)),
    ]);
}

pub(super) fn damask_memory(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for row in ctx.session.memory() {
        rows.push(&[
            ("purpose", text(row.purpose)),
            ("used_bytes", count(row.used)),
            ("limit_bytes", row.limit.map_or(Value::Null, count)),
        ]);
    }
}

pub(super) fn damask_numa(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for row in ctx.session.nodes() {
        rows.push(&[
            ("node", Value::Int4(row.node.cast_signed())),
            ("cpus", row.cpus.map_or(Value::Null, text)),
            ("frames_max", count(row.frames_max)),
            ("frames", count(row.frames)),
            ("frames_spare", count(row.frames_spare)),
            ("pages_afar", count(row.pages_afar)),
            ("bound", Value::Bool(row.is_bound)),
        ]);
    }
}

pub(super) fn damask_pool(ctx: &SystemContext<'_>, rows: &mut Rows<'_>) {
    let row = ctx.session.pool();
    rows.push(&[
        ("frames_max", count(row.frames_max)),
        ("frames", count(row.frames)),
        ("frames_huge", count(row.frames_huge)),
        ("pages", count(row.pages)),
        ("pages_dirty", count(row.pages_dirty)),
        ("pages_loaded", count(row.pages_loaded)),
        ("pages_ahead", count(row.pages_ahead)),
        ("io_method", text(row.io_method)),
        ("leaf_waits", count(row.leaf_waits)),
        ("contention_splits", count(row.contention_splits)),
        ("file_bytes", count(row.file_bytes)),
        ("file_free_bytes", count(row.file_free_bytes)),
    ]);
}
