//! `docs/format.md` and the constants in code say the same.

use crate::log::group;
use crate::page::{self, UNIT_BYTES};
use crate::{alloc, codec, page_table, root, superblock};
use std::collections::BTreeMap;

/// Rows of the tables under a heading: field to (offset, size).
fn table(heading: &str) -> BTreeMap<String, (usize, usize)> {
    let text = include_str!("../../docs/format.md");
    let (_, section) = text.split_once(&format!("\n### {heading}\n")).expect("the heading exists");
    let section = section.split("\n#").next().unwrap();
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, offset, size, field, ..] = cells[..] else { return None };
        Some((field.to_owned(), (offset.parse().ok()?, size.parse().ok()?)))
    };
    section.lines().filter_map(row).collect()
}

/// Compares a table with (field, offset, size) from code; fields must not overlap.
fn compare(heading: &str, code: &[(&str, usize, usize)]) {
    let expected: BTreeMap<_, _> =
        code.iter().map(|(field, offset, size)| ((*field).to_owned(), (*offset, *size))).collect();
    assert_eq!(table(heading), expected, "{heading}");
    let mut places: Vec<_> = expected.values().collect();
    places.sort_unstable();
    assert!(places.is_sorted_by(|a, b| a.0 + a.1 <= b.0), "{heading}: {places:?}");
}

#[test]
fn the_superblock_is_as_documented() {
    use superblock::offset as at;
    compare(
        "Superblock",
        &[
            ("magic", at::MAGIC, superblock::MAGIC.len()),
            ("major", at::MAJOR, 2),
            ("minor", at::MINOR, 2),
            ("page_bytes", at::PAGE_BYTES, 4),
            ("features_compatible", at::FEATURES_COMPATIBLE, 8),
            ("features_read_only", at::FEATURES_READ_ONLY, 8),
            ("features_incompatible", at::FEATURES_INCOMPATIBLE, 8),
            ("uuid", at::UUID, 16),
            ("generation", at::GENERATION, 8),
            ("checkpoint_ts", at::CHECKPOINT_TS, 8),
            ("log_offset", at::LOG_OFFSET, 8),
            ("log_group_seq", at::LOG_GROUP_SEQ, 8),
            ("log_stream", at::LOG_STREAM, 8),
            ("log_prev_crc", at::LOG_PREV_CRC, 4),
            ("flags", at::FLAGS, 4),
            ("log_segment_bytes", at::LOG_SEGMENT_BYTES, 8),
            ("unit_count", at::UNIT_COUNT, 8),
            ("root", at::ROOT, 8),
            ("root_crc", at::ROOT_CRC, 4),
            ("slot", at::SLOT, 4),
            ("log_more_lanes", at::LOG_MORE_LANES, 4),
            ("log_lane_offsets", at::LOG_LANE_OFFSETS, 8 * superblock::MORE_LANES_MAX),
            ("checksum", at::CHECKSUM, 4),
        ],
    );
    assert_eq!((superblock::MAJOR, superblock::MINOR), (1, 1));
    assert_eq!(UNIT_BYTES, 4096);
}

#[test]
fn the_page_header_is_as_documented() {
    use page::offset as at;
    compare(
        "Page header",
        &[
            ("kind", at::KIND, 1),
            ("layout", at::LAYOUT, 1),
            ("level", at::LEVEL, 1),
            ("flags", at::FLAGS, 1),
            ("checksum", at::CHECKSUM, 4),
            ("page", at::PAGE, 8),
            ("tree", at::TREE, 4),
            ("count", at::COUNT, 2),
            ("heap_low", at::HEAP_LOW, 2),
            ("free_bytes", at::FREE_BYTES, 2),
            ("prefix_len", at::PREFIX_LEN, 2),
            ("low_fence_offset", at::LOW_FENCE_OFFSET, 2),
            ("low_fence_len", at::LOW_FENCE_LEN, 2),
            ("base", at::BASE, 8),
            ("high_fence_offset", at::HIGH_FENCE_OFFSET, 2),
            ("high_fence_len", at::HIGH_FENCE_LEN, 2),
            ("spare", at::SPARE, page::PAGE_HEADER_BYTES - at::SPARE),
        ],
    );
}

#[test]
fn the_page_table_and_the_root_are_as_documented() {
    let entry = page_table::ENTRY_BYTES;
    assert_eq!(page_table::NODE_ENTRIES, 252);
    compare(
        "Page table node",
        &[
            ("location", 0, 8),
            ("crc", page_table::ENTRY_CRC, 4),
            ("tree", page_table::ENTRY_TREE, entry - page_table::ENTRY_TREE),
        ],
    );
    assert_eq!(
        (alloc::RUN_BITS, codec::PageCodec::ALL.map(|codec| codec as u8)),
        (51, [0, 1, 2, 3])
    );
    compare(
        "Compressed page",
        &[
            ("page_checksum", codec::offset::PAGE_CHECKSUM, 4),
            ("length", codec::offset::LENGTH, 2),
            ("zero", codec::offset::ZERO, 2),
        ],
    );
    assert_eq!((codec::PAYLOAD, superblock::FEATURE_COMPRESSED_PAGES), (28, 1));
    assert_eq!((superblock::FEATURE_FIXED_LEAVES, superblock::FEATURE_WRITE_BUFFERS), (2, 4));
    assert_eq!(superblock::FEATURE_LOG_LANES, 8);
    use root::offset as at;
    compare(
        "Checkpoint root piece",
        &[
            ("generation", at::GENERATION, 8),
            ("len", at::LEN, 4),
            ("next_crc", at::NEXT_CRC, 4),
            ("next", at::NEXT, 8),
        ],
    );
}

#[test]
fn the_log_group_is_as_documented() {
    use group::offset as at;
    compare(
        "Group header",
        &[
            ("magic", at::MAGIC, 4),
            ("version", at::VERSION, 2),
            ("flags", at::FLAGS, 1),
            ("lane", at::LANE, 1),
            ("group_seq", at::GROUP_SEQ, 8),
            ("raw_len", at::RAW_LEN, 4),
            ("stored_len", at::STORED_LEN, 4),
            ("first_ts", at::FIRST_TS, 8),
            ("last_ts", at::LAST_TS, 8),
            ("uuid", at::UUID, 16),
            ("prev_crc", at::PREV_CRC, 4),
            ("checksum", at::CHECKSUM, 4),
        ],
    );
    let flags = [
        group::FLAG_CONTINUES,
        group::FLAG_FIRST,
        group::FLAG_RESTART,
        group::FLAG_LZ4,
        group::FLAG_OVERLAPS,
    ];
    assert_eq!((group::VERSION, flags, group::FRAME_HEAD_BYTES), (1, [1, 2, 4, 8, 16], 12));
    assert_eq!(group::LANES_MAX, 16);
}

#[test]
fn tree_nodes_are_as_documented() {
    use crate::tree::layout as at;
    compare("Row leaf", &[("low", at::ROW_LOW, 8), ("high", at::ROW_HIGH, 8)]);
    let slot = [("offset", 0, 2), ("length", 2, 2), ("head", 4, 4)];
    let head = [("head_skip", at::INDEX_HEAD_SKIP, 2), ("stride", at::INDEX_STRIDE, 2)];
    compare("Index node", &[&head[..], &slot].concat());
    compare("Overflow page", &[("next", at::OVERFLOW_NEXT, 8), ("used", at::OVERFLOW_USED, 4)]);
    assert_eq!((at::ROW_SLOT_BYTES, at::ROW_WIDE_SLOT_BYTES, at::ROW_CHILD_BYTES), (8, 12, 12));
    assert_eq!((at::INDEX_SLOT_BYTES, at::INDEX_MARK, at::ROW_WIDE), (8, 1 << 15, 1));
    assert_eq!((at::INDEX_LAYOUT_FIXED, at::INDEX_FLAGS_BYTES), (1, 1));
}
