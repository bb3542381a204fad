//! Writing under fire: every operation on the output fails once, or the process ends there.
//!
//! A [`Scene`] is a folder with a source, and perhaps an old output. After every attempt the output must be the old
//! file or the complete new one, the source untouched, and after the next attempt no temporary file left.

mod deeds;
mod power;
mod scene;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use briq_format::{AtomicFile, Existing, FileSystem};

pub use deeds::{Deed, Fire, Full};
pub use power::power_cuts;
pub use scene::{OUTPUT, Scene, Work};

/// What attempts came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Attempts at different points.
    pub points: u64,
    /// What was lost or left, in words; empty where all is well.
    pub lost: Vec<String>,
}

impl Tally {
    /// Adds other attempts to these.
    pub fn add(&mut self, more: Self) {
        self.points += more.points;
        self.lost.extend(more.lost);
    }

    fn count(&mut self, what: &str, point: u64, result: Result<(), String>) {
        self.points += 1;
        self.lost.extend(result.err().map(|problem| format!("{what} at operation {point}: {problem}")));
    }
}

/// Fails every operation in turn, with every error that it knows.
pub fn faults(scene: &Scene) -> Tally {
    let mut tally = Tally::default();
    for point in 0..scene.operations() {
        for (errno, what) in [(libc_errno::NO_SPACE, "a full disk"), (libc_errno::IO, "a broken disk")] {
            tally.count(what, point, fault(scene, point, errno));
        }
        tally.count("an interrupted call", point, interrupted(scene, point));
    }
    tally
}

/// The numbers of errors on Linux and the BSDs.
mod libc_errno {
    pub(super) const INTERRUPTED: i32 = 4;
    pub(super) const IO: i32 = 5;
    pub(super) const NO_SPACE: i32 = 28;
}

fn fault(scene: &Scene, point: u64, errno: i32) -> Result<(), String> {
    scene.reset();
    let (fire, hit) = Fire::new(point, Deed::Fail(errno));
    let result = scene.attempt(Box::new(fire));
    let operation = hit.operation().ok_or("no operation was hit")?;
    match (operation, result) {
        // What is left over is not worth an error; the rename has happened, or the error is another.
        ("remove", _) => {}
        (_, Ok(())) => return Err(format!("{operation} failed, and nobody said so")),
        (_, Err(message)) => {
            match operation {
                "sync_folder" => scene.holds_new()?,
                _ => scene.holds_old()?,
            }
            let problem = io::Error::from_raw_os_error(errno);
            if message != format!("{OUTPUT}: cannot {}: {problem}", described(operation)) {
                return Err(format!("{operation}: the message is {message:?}"));
            }
        }
    }
    if operation != "remove" {
        scene.holds_no_temporary()?;
    }
    scene.source_is_untouched()?;
    next_run(scene)
}

/// What an error calls an operation.
fn described(operation: &str) -> &str {
    match operation {
        "create" => "create a temporary file beside it",
        "rename" => "rename into place",
        "sync_folder" => "sync the folder; the file is complete, but a power cut may still undo it",
        other => other,
    }
}

/// A call that a signal interrupts is made again.
fn interrupted(scene: &Scene, point: u64) -> Result<(), String> {
    scene.reset();
    let (fire, hit) = Fire::new(point, Deed::Fail(libc_errno::INTERRUPTED));
    let result = scene.attempt(Box::new(fire));
    match (hit.operation(), result) {
        (Some("write"), Err(error)) => Err(format!("the write was not made again: {error}")),
        (Some("write"), Ok(())) => scene.holds_new(),
        _ => scene.holds_either(),
    }
}

/// Ends the process at every `stride`-th operation, and in the middle of every such write.
///
/// `victim` is a program that hands its arguments to [`be_victim`].
pub fn kills(scene: &Scene, victim: &Path, stride: usize) -> Tally {
    let mut tally = Tally::default();
    for point in (0..scene.operations()).step_by(stride) {
        scene.reset();
        let status = Command::new(victim)
            .arg("victim")
            .args(scene.words())
            .arg(point.to_string())
            .current_dir(scene.folder().path(""))
            .stderr(Stdio::null())
            .status();
        let result = match status {
            Ok(status) if status.code().is_none() => {
                scene.holds_either().and_then(|()| scene.source_is_untouched()).and_then(|()| next_run(scene))
            }
            other => Err(format!("the process was not killed: {other:?}")),
        };
        tally.count("SIGKILL", point, result);
    }
    tally
}

/// Carries out a scene's work and kills this process at an operation; the other side of [`kills`].
pub fn be_victim(arguments: &[String]) {
    let [work, existing, point] = arguments else { panic!("a victim is told work, output and point") };
    let (work, existing) = (Work::named(work), existing_named(existing));
    let (fire, _) = Fire::new(point.parse().expect("a point is a number"), Deed::Kill);
    let _ = work.carry_out(Path::new("."), existing, Box::new(fire));
}

fn existing_named(name: &str) -> Existing {
    match name {
        "replace" => Existing::Replace,
        _ => Existing::Keep,
    }
}

/// Cuts the source short at every `stride`-th operation on the output.
pub fn truncations(scene: &Scene, stride: usize) -> Tally {
    meddling(scene, stride, "a truncated source", Deed::Truncate)
}

/// Writes to the source at every `stride`-th operation on the output.
pub fn rewrites(scene: &Scene, stride: usize) -> Tally {
    meddling(scene, stride, "a rewritten source", Deed::Rewrite)
}

/// How errors say that a source is no longer what it was.
const NOTICED: [&str; 3] = [
    "the file changed while it was read",
    "the file changed while it was converted",
    "the file became shorter while it was read",
];

fn meddling(scene: &Scene, stride: usize, what: &str, deed: fn(PathBuf) -> Deed) -> Tally {
    let mut tally = Tally::default();
    let mut noticed = 0;
    for point in (0..scene.operations()).step_by(stride) {
        scene.reset();
        let (fire, _) = Fire::new(point, deed(scene.source_file()));
        let result = match scene.attempt(Box::new(fire)) {
            // Too late to matter: every byte was read, and the check of the source was before.
            Ok(()) => scene.holds_new(),
            Err(error) if NOTICED.iter().any(|problem| error.ends_with(problem)) => {
                noticed += 1;
                scene.holds_old().and_then(|()| scene.holds_no_temporary())
            }
            Err(error) => Err(format!("the message is {error:?}")),
        };
        scene.restore_source();
        tally.count(what, point, result);
    }
    if noticed == 0 {
        tally.lost.push("a source was never changed before it had been read".to_owned());
    }
    tally
}

/// Writes to a disk that says beforehand that the file does not fit, and to one that fails only when it is written to.
pub fn full_from_the_start(scene: &Scene) -> Tally {
    let mut tally = Tally::default();
    let bytes = scene.output_bytes();
    let early = |room| format!("the file takes {bytes} bytes, and the disk has room for {room}");
    let late = "No space left on device (os error 28)".to_owned();
    for (room, problem) in [(0, early(0)), (bytes - 1, early(bytes - 1)), (bytes, late)] {
        scene.reset();
        let expected = format!("{OUTPUT}: cannot write: {problem}");
        let result = match scene.attempt(Box::new(Full { room })) {
            Err(message) if message == expected => scene
                .holds_old()
                .and_then(|()| scene.holds_no_temporary())
                .and_then(|()| scene.source_is_untouched()),
            other => Err(format!("it ends with {other:?}")),
        };
        tally.count("a disk that is full", room, result);
    }
    tally
}

/// Runs the binary twice at the same time on one output, with different results.
pub fn two_writers(scene: &Scene, rounds: u64) -> Tally {
    let mut tally = Tally::default();
    for round in 0..rounds {
        scene.reset();
        tally.count("two writers", round, two_writers_once(scene));
    }
    tally
}

/// Runs the binary under limits on the size of a file, from none of it to more than it takes: the write past the
/// limit fails, as on a disk that is full.
pub fn full_disks(scene: &Scene, rounds: u64) -> Tally {
    let mut tally = Tally::default();
    // What a shell counts in is 512 or 1024 bytes; either way the last round is past the whole file.
    let blocks = scene.output_bytes() / 512 + 1;
    for round in 0..=rounds {
        scene.reset();
        tally.count("a full disk", round, full_disk(scene, blocks * round / rounds));
    }
    tally
}

fn full_disk(scene: &Scene, blocks: u64) -> Result<(), String> {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -f {blocks}; exec \"$@\""), "sh"]).arg(crate::briq());
    shell.args(["convert", "source", "--type", "Q8_0", "--force", "--out", OUTPUT]);
    let output = shell.current_dir(scene.folder().path("")).output().map_err(|error| error.to_string())?;
    let message = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => scene.holds_new()?,
        Some(4) if message == "briq: out.gguf: cannot write: File too large (os error 27)\n" => {
            scene.holds_old()?
        }
        code => return Err(format!("the exit code is {code:?}, the message {message:?}")),
    }
    scene.holds_no_temporary()?;
    scene.source_is_untouched()
}

fn two_writers_once(scene: &Scene) -> Result<(), String> {
    let convert = |ty: &str, output: &str| {
        let arguments = ["convert", "source", "--type", ty, "--force", "--out", output];
        scene
            .folder()
            .command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("briq starts")
    };
    let types = ["Q8_0", "Q4_0"];
    let children = types.map(|ty| convert(ty, OUTPUT));
    for child in children {
        let status = child.wait_with_output().expect("briq ends").status;
        if !status.success() {
            return Err(format!("a writer ended with {status}"));
        }
    }
    let found = fs::read(scene.folder().path(OUTPUT)).map_err(|error| error.to_string())?;
    let mut alone = types.iter().map(|ty| {
        assert!(convert(ty, "alone.gguf").wait().expect("briq ends").success());
        scene.folder().read("alone.gguf")
    });
    if !alone.any(|alone| alone == found) {
        return Err("the output is the file of neither writer".to_owned());
    }
    fs::remove_file(scene.folder().path("alone.gguf")).map_err(|error| error.to_string())?;
    scene.holds_no_temporary()
}

/// The next run succeeds and leaves nothing but its output.
fn next_run(scene: &Scene) -> Result<(), String> {
    scene.reset();
    scene.attempt(Box::new(briq_format::System)).map_err(|error| format!("the next run failed: {error}"))?;
    scene.holds_new()?;
    scene.holds_no_temporary()
}

/// Begins the output of a scene's work.
fn begin(output: &Path, existing: Existing, system: Box<dyn FileSystem>) -> Result<AtomicFile, String> {
    AtomicFile::create_with(output, existing, system).map_err(|error| error.to_string())
}

/// The error that a system call gives.
fn error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

/// How many operations an attempt takes when nothing goes wrong.
fn count_operations(scene: &Scene) -> u64 {
    scene.reset();
    let (fire, hit) = Fire::new(u64::MAX, Deed::Kill);
    scene.attempt(Box::new(fire)).expect("nothing is in the way");
    hit.operations.load(Ordering::Relaxed)
}
