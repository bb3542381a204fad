use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a rename that keeps what is there")]
fn nothing_is_there_until_the_commit_and_nothing_else_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.bin");
    let mut file = AtomicFile::create(&path, Existing::Keep).unwrap();
    file.write_all(b"new").unwrap();
    assert!(!path.exists());
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["out.bin"]);
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a rename that keeps what is there")]
fn a_folder_that_is_removed_meanwhile_is_an_error_of_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let mut file = AtomicFile::create(inner.join("out.bin"), Existing::Keep).unwrap();
    file.write_all(b"new").unwrap();
    fs::remove_dir_all(&inner).unwrap();
    assert!(matches!(file.reopen().unwrap_err(), Error::Output { .. }));
    assert!(matches!(file.commit().unwrap_err().root(), Error::Output { .. }));
}

/// A file system with room for so many bytes; none where it does not tell.
#[derive(Debug)]
struct Room(Option<u64>);

impl FileSystem for Room {
    fn room(&mut self, _: &Path) -> Option<u64> {
        self.0
    }
}

#[test]
fn a_file_larger_than_its_disk_is_refused_before_it_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.bin");
    fs::write(&path, b"old").unwrap();
    for (room, is_enough) in [(Some(99), false), (Some(0), false), (Some(100), true), (None, true)] {
        let mut file = AtomicFile::create_with(&path, Existing::Replace, Box::new(Room(room))).unwrap();
        let expected = room.filter(|_| !is_enough).map(|room| {
            let problem = format!("the file takes 100 bytes, and the disk has room for {room}");
            format!("{}: cannot write: {problem}", path.display())
        });
        assert_eq!(file.expect(100).err().map(|error| error.to_string()), expected);
        drop(file);
        assert_eq!(names(folder.path()), ["out.bin"]);
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri has no system call for the room on a disk")]
fn a_file_system_that_tells_its_room_has_some() {
    let folder = tempfile::tempdir().unwrap();
    assert_ne!(System.room(folder.path()), Some(0));
    assert_eq!(System.room(&folder.path().join("nowhere")), None);
}

/// A disk that takes everything, and notes which bytes it was told to begin with.
#[derive(Debug, Default)]
struct Begun(Arc<Mutex<Vec<Range<u64>>>>);

impl FileSystem for Begun {
    fn write(&mut self, _: &mut File, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn begin_sync(&mut self, _: &File, bytes: Range<u64>) {
        self.0.lock().unwrap().push(bytes);
    }
}

#[test]
fn the_disk_begins_with_all_whole_pages_but_the_last_few_while_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Begun::default();
    let begun = Arc::clone(&disk.0);
    let path = folder.path().join("out.bin");
    let mut file = AtomicFile::create_with(&path, Existing::Keep, Box::new(disk)).unwrap();
    let megabytes = vec![0; (3 << 20) + 1];
    (0..7).for_each(|_| file.write_all(&megabytes).unwrap());
    assert_eq!(*begun.lock().unwrap(), [0..9 << 20, 9 << 20..18 << 20]);
}

#[test]
fn what_is_written_over_the_front_near_a_step_of_the_disk_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Begun::default();
    let begun = Arc::clone(&disk.0);
    let path = folder.path().join("out.bin");
    let mut file = AtomicFile::create_with(&path, Existing::Keep, Box::new(disk)).unwrap();
    file.write_all(&vec![0; (8 << 20) - 10]).unwrap();
    file.rewrite(0, &[0; 100]).unwrap();
    file.write_all(&vec![0; 1 << 20]).unwrap();
    assert_eq!(begun.lock().unwrap().last(), Some(&(0..(9 << 20) - 4096)));
}

#[test]
fn a_dropped_file_leaves_the_old_one_and_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.bin");
    fs::write(&path, b"old").unwrap();
    let mut file = AtomicFile::create(&path, Existing::Replace).unwrap();
    file.write_all(b"new").unwrap();
    drop(file);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["out.bin"]);
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a rename that keeps what is there")]
fn what_is_written_over_the_front_changes_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.bin");
    let mut file = AtomicFile::create(&path, Existing::Keep).unwrap();
    file.write_all(b"0000 data").unwrap();
    file.rewrite(1, b"123").unwrap();
    file.write_all(b" and more").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"0123 data and more");
}

#[test]
#[cfg_attr(miri, ignore = "Miri lacks a rename that keeps what is there")]
fn an_existing_file_is_kept_even_when_it_appears_late() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.bin");
    let file = AtomicFile::create(&path, Existing::Keep).unwrap();
    fs::write(&path, b"old").unwrap();
    let message = format!("{}: the output exists; pass --force to replace it", path.display());
    assert_eq!(file.commit().unwrap_err().to_string(), message);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert!(AtomicFile::create(&path, Existing::Keep).is_err());
    assert_eq!(names(folder.path()), ["out.bin"]);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_a_mode_stays_a_mode() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::write(&path, b"old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real", &link).unwrap();
    let mut file = AtomicFile::create(&link, Existing::Replace).unwrap();
    file.write_all(b"new").unwrap();
    file.commit().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let astray = folder.path().join("astray");
    symlink("nowhere", &astray).unwrap();
    assert!(AtomicFile::create(&astray, Existing::Replace).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[cfg(unix)]
#[test]
fn a_mode_that_forbids_its_owner_holds_only_once_the_file_is_complete() {
    use std::os::unix::fs::PermissionsExt;
    for mode in [0o444, 0o200, 0o000] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let mut file = AtomicFile::create(&path, Existing::Replace).unwrap();
        let during = file.out.get_ref().file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(during, mode | 0o600, "readable by its owner, and by nobody else whom it was hidden from");
        file.write_all(b"new").unwrap();
        file.reopen().unwrap();
        file.commit().unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.permissions().mode() & 0o777, after.len()), (mode, 3), "{mode:o}");
    }
}
