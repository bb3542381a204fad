//! Power that goes: what a disk may hold afterwards, by a model of what file systems promise.
//!
//! A [`Ledger`] carries operations out and takes note of them. [`power_cuts`] then lets the power go after each of
//! them and looks at every state the disk may be in:
//!
//! * what was written to a file since its last sync is there or not, page by page, in any order;
//! * what happened to the names of a folder since its last sync is there or not, one by one, but a name is not
//!   taken away before it was given;
//! * everything before those syncs is there.
//!
//! Under the name of the output there must be the old file or the complete new one; after the last operation, the
//! new one.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use briq_format::{Existing, FileSystem, System};

use super::{OUTPUT, Scene, Tally};

/// What a disk writes at once, in bytes.
const PAGE: usize = 4096;

/// An operation that was carried out. A file is known by the name it was made under.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Operation {
    /// A file was made.
    Create(PathBuf),
    /// Bytes were written to the file, from this one on.
    Write(u64, Vec<u8>),
    /// The file's bytes are on the disk.
    Sync,
    /// The file got another name.
    Rename(PathBuf, PathBuf),
    /// The names of the folder are on the disk.
    SyncFolder,
    /// A name is gone.
    Remove(PathBuf),
}

/// The operations of the system, and a list of those that were done.
#[derive(Debug, Default)]
struct Ledger(Arc<Mutex<Vec<Operation>>>);

impl Ledger {
    fn note(&self, operation: Operation) {
        self.0.lock().expect("nobody panics with it").push(operation);
    }
}

impl FileSystem for Ledger {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        let file = System.create(path)?;
        self.note(Operation::Create(path.to_owned()));
        Ok(file)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        let at = file.stream_position()?;
        let written = System.write(file, bytes)?;
        self.note(Operation::Write(at, bytes[..written].to_vec()));
        Ok(written)
    }

    fn sync(&mut self, _: &File) -> io::Result<()> {
        self.note(Operation::Sync);
        Ok(())
    }

    fn rename(&mut self, temporary: &Path, target: &Path, existing: Existing) -> io::Result<()> {
        System.rename(temporary, target, existing)?;
        self.note(Operation::Rename(temporary.to_owned(), target.to_owned()));
        Ok(())
    }

    fn sync_folder(&mut self, _: &Path) -> io::Result<()> {
        self.note(Operation::SyncFolder);
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        System.remove(path)?;
        self.note(Operation::Remove(path.to_owned()));
        Ok(())
    }
}

/// Records a scene's work, and lets the power go after each of its operations.
pub fn power_cuts(scene: &Scene) -> Tally {
    scene.reset();
    let ledger = Ledger::default();
    let operations = Arc::clone(&ledger.0);
    scene.attempt(Box::new(ledger)).expect("nothing is in the way");
    let operations = operations.lock().expect("nobody panics with it");
    let (old, new) = scene.old_and_new();
    replay(&operations, &scene.folder().path(OUTPUT), old, new)
}

/// Every state after each of the operations, held against what `output` may be.
fn replay(operations: &[Operation], output: &Path, old: Option<&[u8]>, new: &[u8]) -> Tally {
    let mut tally = Tally::default();
    for point in 0..=operations.len() {
        let disk = Disk::after(&operations[..point], output);
        for entry in disk.entries() {
            let found: Vec<Option<Vec<u8>>> = match entry {
                Entry::Old => vec![old.map(<[u8]>::to_vec)],
                Entry::File(number) => disk.files[number].states().into_iter().map(Some).collect(),
            };
            for found in found {
                let is_new = found.as_deref() == Some(new);
                let is_allowed = is_new || (point < operations.len() && found.as_deref() == old);
                let bytes = found.map(|bytes| bytes.len());
                let problem = format!("the output, with {bytes:?} bytes, is not what it may be");
                tally.count("power gone", point as u64, if is_allowed { Ok(()) } else { Err(problem) });
            }
        }
    }
    tally
}

/// What is surely on a disk, and what may be.
struct Disk {
    files: Vec<Written>,
    /// The files by the names they were made under.
    names: HashMap<PathBuf, usize>,
    /// What the output's name leads to since the last sync of the folder.
    durable: Entry,
    /// What it may lead to as well.
    pending: Vec<Entry>,
}

/// What a name leads to.
#[derive(Clone, Copy)]
enum Entry {
    /// To what was there before, if anything.
    Old,
    File(usize),
}

impl Disk {
    fn after(operations: &[Operation], output: &Path) -> Self {
        let (files, names) = (Vec::new(), HashMap::new());
        let mut disk = Self { files, names, durable: Entry::Old, pending: Vec::new() };
        for operation in operations {
            match operation {
                Operation::Create(path) => {
                    disk.names.insert(path.clone(), disk.files.len());
                    disk.files.push(Written::default());
                }
                Operation::Write(at, bytes) => disk.last().write(*at, bytes),
                Operation::Sync => disk.last().sync(),
                Operation::Rename(from, to) if to == output => {
                    disk.pending.push(Entry::File(disk.names[from]));
                }
                Operation::SyncFolder => {
                    disk.durable = disk.pending.drain(..).next_back().unwrap_or(disk.durable);
                }
                Operation::Rename(..) | Operation::Remove(_) => {}
            }
        }
        disk
    }

    /// The file that is written: the one that was made last.
    fn last(&mut self) -> &mut Written {
        self.files.last_mut().expect("a file is made before it is written")
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        std::iter::once(self.durable).chain(self.pending.iter().copied())
    }
}

/// A file that was written.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    /// What is in front of this byte has not been written since the last sync.
    synced: usize,
}

impl Written {
    fn write(&mut self, at: u64, bytes: &[u8]) {
        let at = usize::try_from(at).expect("a small file");
        let end = at + bytes.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[at..end].copy_from_slice(bytes);
        self.synced = self.synced.min(at);
    }

    fn sync(&mut self) {
        self.synced = self.bytes.len();
    }

    /// What it may hold: with all pages, cut before each one that was not synced, without each single one of them,
    /// and with none but that one.
    fn states(&self) -> Vec<Vec<u8>> {
        let mut states = vec![self.bytes.clone()];
        for start in (self.synced..self.bytes.len()).step_by(PAGE) {
            let page = start..(start + PAGE).min(self.bytes.len());
            states.push(self.bytes[..start].to_vec());
            let mut without = self.bytes.clone();
            without[page.clone()].fill(0);
            states.push(without);
            let mut alone = self.bytes.clone();
            alone[self.synced..].fill(0);
            alone[page.clone()].copy_from_slice(&self.bytes[page]);
            states.push(alone);
        }
        states
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operations that leave the right file when the power stays.
    fn lost(operations: &[Operation]) -> usize {
        let new = vec![7; 3 * PAGE];
        let all: Vec<Operation> = [Operation::Create("t".into()), Operation::Write(0, new.clone())]
            .into_iter()
            .chain(operations.iter().cloned())
            .collect();
        let tally = replay(&all, Path::new("out"), Some(b"old"), &new);
        assert!(tally.points > operations.len() as u64);
        tally.lost.len()
    }

    #[test]
    fn only_a_file_that_is_synced_renamed_and_synced_by_name_survives_every_cut() {
        let rename = || Operation::Rename("t".into(), "out".into());
        assert_eq!(lost(&[Operation::Sync, rename(), Operation::SyncFolder]), 0);
        assert_ne!(
            lost(&[rename(), Operation::Sync, Operation::SyncFolder]),
            0,
            "renamed before it is synced"
        );
        assert_ne!(lost(&[rename(), Operation::SyncFolder]), 0, "never synced");
        assert_ne!(lost(&[Operation::Sync, rename()]), 0, "the folder never synced");
        let front = || Operation::Write(0, vec![7]);
        assert_eq!(lost(&[front(), Operation::Sync, rename(), Operation::SyncFolder]), 0);
        assert_ne!(
            lost(&[Operation::Sync, front(), rename(), Operation::SyncFolder]),
            0,
            "written again after it was synced"
        );
        assert_ne!(
            lost(&[Operation::Sync, Operation::SyncFolder, rename()]),
            0,
            "the folder synced too early"
        );
    }
}
