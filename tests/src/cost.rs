//! What it costs to look at a file: peak memory and time of a run of the binary.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a run cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// The exit code; none when a signal ended the program.
    pub code: Option<i32>,
    /// What the processor was busy with it: unlike the time that passes, the same on a machine that does other
    /// things as well.
    pub time: Duration,
    /// The most memory that was resident at a time, in bytes; 0 where the system does not tell.
    pub memory: u64,
}

/// Runs `briq` with these arguments in `folder`.
///
/// The system tells the peak of all children together, so each run has a parent of its own: `measurer`, a program
/// that hands its arguments to [`measure`].
///
/// # Panics
/// When the measurer does not say what the run cost.
pub fn cost(measurer: &Path, folder: &Path, arguments: &[&str]) -> Cost {
    let mut command = Command::new(measurer);
    command.arg("measure").arg(crate::briq()).args(arguments).current_dir(folder);
    let output = command.stderr(Stdio::null()).output().expect("the measurer starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<i64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [code, micros, memory] = numbers[..] else { panic!("the measurer says {text:?}") };
    Cost {
        code: i32::try_from(code).ok().filter(|&code| code >= 0),
        time: Duration::from_micros(micros as u64),
        memory: memory as u64,
    }
}

/// Runs a command and prints its exit code, microseconds of the processor, and bytes of memory.
///
/// # Panics
/// When there is no such command.
#[allow(clippy::print_stdout)]
pub fn measure(command: &[String]) {
    let (program, arguments) = command.split_first().expect("a command is measured");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().expect("the command starts");
    let (micros, bytes) = usage_of_children();
    println!("{} {micros} {bytes}", status.code().unwrap_or(-1));
}

#[cfg(target_os = "linux")]
fn usage_of_children() -> (i64, i64) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system tells what children use");
    let time = usage.user_time() + usage.system_time();
    // In KiB on Linux.
    (time.num_microseconds(), usage.max_rss() * 1024)
}

#[cfg(not(target_os = "linux"))]
fn usage_of_children() -> (i64, i64) {
    (0, 0)
}
