//! A folder to run the binary in, and what a run gave.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::fixtures;

/// An empty folder that is gone when the test ends.
///
/// The binary runs inside it, so that paths in messages are relative and the same on every machine.
#[derive(Debug)]
pub struct Folder(TempDir);

/// How a run ended and what it printed.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    /// The exit code; `None` when a signal ended the program.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Folder {
    /// An empty folder.
    #[expect(clippy::new_without_default, reason = "it makes a folder on the disk")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with a copy of `fixture`, a file or folder under `fixtures/`, called `name`.
    pub fn with(fixture: &str, name: &str) -> Self {
        let folder = Self::new();
        folder.copy(fixture, name);
        folder
    }

    /// The path of `name` in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Copies a file or folder under `fixtures/` to `name`.
    pub fn copy(&self, fixture: &str, name: &str) {
        let target = self.path(name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        copy(&fixtures::path(fixture), &target);
    }

    /// Writes a file, and the folders it lies in.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The bytes of a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Replaces the only place of `old` in a text file.
    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let text = String::from_utf8(self.read(name)).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {name}");
        self.write(name, text.replace(old, new));
    }

    /// Every file below the folder with the hash of its bytes; a link stands for what it leads to.
    pub fn files(&self) -> BTreeMap<PathBuf, String> {
        fn visit(folder: &Path, root: &Path, files: &mut BTreeMap<PathBuf, String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => visit(&path, root, files),
                    false => {
                        let hash =
                            fs::read(&path).map_or_else(|e| e.to_string(), |b| blake3::hash(&b).to_string());
                        files.insert(path.strip_prefix(root).unwrap().to_owned(), hash);
                    }
                }
            }
        }
        let mut files = BTreeMap::new();
        visit(self.0.path(), self.0.path(), &mut files);
        files
    }

    /// The names of what is in the folder, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `briq` with these arguments, to be started in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(crate::briq());
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// Runs `briq` in the folder to its end.
    pub fn briq(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs `briq`, which must succeed and say nothing on standard error; what it printed.
    #[track_caller]
    pub fn succeeds(&self, arguments: &[&str]) -> String {
        let Run { code, stdout, stderr } = self.briq(arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "briq {arguments:?}\n{stdout}");
        stdout
    }

    /// Runs `briq`, which must end with `code`, say `message` and nothing else, and leave every file as it was.
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], code: i32, message: &str) {
        let before = self.files();
        let run = self.briq(arguments);
        let expected = Run { code: Some(code), stdout: String::new(), stderr: format!("briq: {message}\n") };
        assert_eq!(run, expected, "briq {arguments:?}");
        assert_eq!(self.files(), before, "briq {arguments:?} changed files");
    }

    /// Runs `briq`, which must take the arguments for wrong usage, and leave every file as it was; the command line
    /// and what it said.
    #[track_caller]
    pub fn wrong_usage(&self, arguments: &[&str]) -> String {
        let before = self.files();
        let run = self.briq(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "briq {arguments:?}");
        assert_eq!(self.files(), before, "briq {arguments:?} changed files");
        format!("$ briq {}\n{}\n", arguments.join(" "), run.stderr)
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("what the program prints is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        // The bytes alone: a fixture may be read-only in a checkout, its copy is to be changed.
        fs::write(to, fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()))).unwrap();
    }
}
