//! What a disk holds for sure, what it was given since, and what may be left of that after a crash.
//!
//! A file has its durable content and the list of writes since its last sync; a directory has durable names and the list
//! of name changes since its last sync. [`Disk::apply`] replays one [`Event`]; [`Disk::image`] makes the disk that a
//! crash at that moment could leave.

use crate::env::SeededRandom;
use crate::vfs::parent;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that a disk writes whole or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

/// A file's number on the simulated disk; names come and go, the number stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(pub usize);

/// Something that happened to the disk.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Event {
    Write {
        file: FileId,
        offset: u64,
        bytes: Arc<[u8]>,
    },
    SetLen {
        file: FileId,
        len: u64,
    },
    Sync {
        file: FileId,
    },
    /// A sync that failed: what it should have made durable is gone.
    SyncLost {
        file: FileId,
    },
    Create {
        path: PathBuf,
        file: FileId,
    },
    CreateDir {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    SyncDir {
        directory: PathBuf,
    },
    /// The test noted something, such as an acknowledgement.
    Mark(u64),
}

/// A change of a file that is not durable yet.
#[derive(Clone, Debug)]
enum Pending {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(FileId),
    Directory,
}

/// A name change that is not durable yet.
#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    durable: Arc<Vec<u8>>,
    /// What readers see.
    pub(super) current: Arc<Vec<u8>>,
    /// With the number of the change over the whole disk.
    pending: Vec<(u64, Pending)>,
}

type Names = BTreeMap<PathBuf, Node>;

/// A disk's whole state.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub(super) files: Vec<File>,
    /// What lookups see.
    pub(super) names: Names,
    durable_names: Names,
    pending_names: Vec<NameChange>,
    /// Counts changes.
    change_count: u64,
}

/// Which of the possible disks after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// Everything that was given to the disk is there.
    All,
    /// Nothing that was not synced is there.
    Nothing,
    /// Any subset of it, in any order.
    Random,
    /// Everything, but of the last write only some sectors.
    Torn,
    /// Everything up to some change, nothing from it on.
    Prefix,
    /// Everything but one change.
    Hole,
}

impl ImageKind {
    /// The kinds that differ most.
    pub const ALL: [Self; 4] = [Self::All, Self::Nothing, Self::Random, Self::Torn];
    /// Every kind.
    pub const EVERY: [Self; 6] =
        [Self::All, Self::Nothing, Self::Random, Self::Torn, Self::Prefix, Self::Hole];
}

impl Pending {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write(content, *offset as usize, bytes),
            Self::SetLen(len) => content.resize(*len as usize, 0),
        }
    }

    /// Applies some of a write's sectors: the first ones, the last ones, or any.
    fn apply_torn(&self, content: &mut Vec<u8>, random: &SeededRandom) {
        let Self::Write { offset, bytes } = self else { return };
        let sectors: Vec<_> = bytes.chunks(SECTOR_BYTES).enumerate().collect();
        let cut = random.below(sectors.len() as u64 + 1) as usize;
        let way = random.below(3);
        for (index, sector) in sectors {
            let kept = match way {
                0 => index < cut,
                1 => index >= cut,
                _ => random.below(2) == 0,
            };
            if kept {
                write(content, *offset as usize + index * SECTOR_BYTES, sector);
            }
        }
    }
}

fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl NameChange {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Set(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }

    fn is_in(&self, directory: &Path) -> bool {
        match self {
            Self::Set(path, _) | Self::Remove(path) => parent(path) == directory,
            Self::Rename(from, to) => parent(from) == directory || parent(to) == directory,
        }
    }
}

impl Disk {
    /// A number for a file to be made.
    pub(super) fn next_file(&self) -> FileId {
        FileId(self.files.len())
    }

    /// Lets an event happen.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Write { file, offset, bytes } => {
                let bytes = Arc::clone(bytes);
                self.change(*file, Pending::Write { offset: *offset, bytes });
            }
            Event::SetLen { file, len } => self.change(*file, Pending::SetLen(*len)),
            Event::Sync { file } => {
                let file = &mut self.files[file.0];
                if !file.pending.is_empty() {
                    let durable = Arc::make_mut(&mut file.durable);
                    file.pending.drain(..).for_each(|(_, change)| change.apply(durable));
                }
            }
            Event::SyncLost { file } => self.files[file.0].pending.clear(),
            Event::Create { path, file } => {
                if file.0 == self.files.len() {
                    self.files.push(File::default());
                }
                self.change_name(NameChange::Set(path.clone(), Node::File(*file)));
            }
            Event::CreateDir { path } => {
                self.change_name(NameChange::Set(path.clone(), Node::Directory));
            }
            Event::Rename { from, to } => {
                self.change_name(NameChange::Rename(from.clone(), to.clone()));
            }
            Event::Remove { path } => self.change_name(NameChange::Remove(path.clone())),
            Event::SyncDir { directory } => {
                let durable = &mut self.durable_names;
                self.pending_names.retain(|change| {
                    let now = change.is_in(directory);
                    if now {
                        change.apply(durable);
                    }
                    !now
                });
            }
            Event::Mark(_) => {}
        }
    }

    fn change(&mut self, file: FileId, change: Pending) {
        let file = &mut self.files[file.0];
        change.apply(Arc::make_mut(&mut file.current));
        file.pending.push((self.change_count, change));
        self.change_count += 1;
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    /// Changes bits that are at rest.
    pub(super) fn flip(&mut self, file: FileId, offset: usize, mask: u8) {
        let file = &mut self.files[file.0];
        for content in [&mut file.durable, &mut file.current] {
            if let Some(byte) = Arc::make_mut(content).get_mut(offset) {
                *byte ^= mask;
            }
        }
    }

    /// Bytes in files that have a name.
    pub(super) fn used_bytes(&self) -> u64 {
        let files = self.names.values().filter_map(|node| match node {
            Node::File(file) => Some(self.files[file.0].current.len() as u64),
            Node::Directory => None,
        });
        files.sum()
    }

    /// How many writes and how many names a crash now could lose.
    pub(super) fn pending_counts(&self) -> (usize, usize) {
        (self.files.iter().map(|file| file.pending.len()).sum(), self.pending_names.len())
    }

    /// A number that tells disks of different content apart; only for disks without pending changes.
    pub(super) fn fingerprint(&self) -> u64 {
        // Contents are large: a checksum that the processor computes, and the length.
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        for (path, node) in &self.names {
            path.hash(&mut hasher);
            if let Node::File(file) = node {
                let content = &self.files[file.0].current;
                (crc32c::crc32c(content), content.len()).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// The name that a file has now.
    pub(super) fn name_of(&self, file: FileId) -> Option<&Path> {
        let mut names = self.names.iter();
        names.find(|(_, node)| **node == Node::File(file)).map(|(path, _)| path.as_path())
    }

    /// A disk that a crash could leave now; everything on it is durable.
    pub(super) fn image(&self, kind: ImageKind, random: &SeededRandom) -> Self {
        let pending = self.files.iter().flat_map(|file| &file.pending);
        let mut numbers: Vec<u64> = pending.map(|(at, _)| *at).collect();
        numbers.sort_unstable();
        // The change that the kind is about.
        let chosen = match kind {
            ImageKind::All | ImageKind::Nothing | ImageKind::Random => None,
            ImageKind::Torn => numbers.last().copied(),
            ImageKind::Prefix | ImageKind::Hole => {
                numbers.get(random.below(numbers.len() as u64) as usize).copied()
            }
        };
        let chosen_name = random.below(self.pending_names.len() as u64 + 1) as usize;
        let file = |file: &File| {
            let mut content = Arc::clone(&file.durable);
            if kind != ImageKind::Nothing && !file.pending.is_empty() {
                let bytes = Arc::make_mut(&mut content);
                match kind {
                    ImageKind::Random => apply_random(&file.pending, bytes, random),
                    ImageKind::All
                    | ImageKind::Nothing
                    | ImageKind::Torn
                    | ImageKind::Prefix
                    | ImageKind::Hole => {
                        for (at, change) in &file.pending {
                            match kind {
                                ImageKind::Torn if Some(*at) == chosen => {
                                    change.apply_torn(bytes, random);
                                }
                                ImageKind::Hole if Some(*at) == chosen => {}
                                ImageKind::Prefix if Some(*at) >= chosen => {}
                                _ => change.apply(bytes),
                            }
                        }
                    }
                }
            }
            File { durable: Arc::clone(&content), current: content, pending: Vec::new() }
        };
        let files = self.files.iter().map(file).collect();
        let mut names = self.durable_names.clone();
        for (number, change) in self.pending_names.iter().enumerate() {
            let kept = match kind {
                ImageKind::All | ImageKind::Torn => true,
                ImageKind::Nothing => false,
                ImageKind::Random => random.below(2) == 0,
                ImageKind::Prefix => number < chosen_name,
                ImageKind::Hole => number != chosen_name,
            };
            if kept {
                change.apply(&mut names);
            }
        }
        Self {
            files,
            durable_names: names.clone(),
            names,
            pending_names: Vec::new(),
            change_count: 0,
        }
    }
}

/// Applies a random subset in random order, some of it torn.
fn apply_random(pending: &[(u64, Pending)], content: &mut Vec<u8>, random: &SeededRandom) {
    let mut chosen: Vec<_> = pending.iter().filter(|_| random.below(2) == 0).collect();
    for index in (1..chosen.len()).rev() {
        chosen.swap(index, random.below(index as u64 + 1) as usize);
    }
    for (_, change) in chosen {
        if random.below(4) == 0 {
            change.apply_torn(content, random);
        } else {
            change.apply(content);
        }
    }
}
