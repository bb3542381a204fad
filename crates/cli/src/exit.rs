//! How a run ends: exit codes, and the one line on standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use briq_format::Printable;

use crate::interrupt;
use crate::output::stdout;
use crate::patient::Patient;

/// A check failed; the report says where.
const CHECK_FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
const BAD_INPUT: u8 = 3;
pub(crate) const SYSTEM_FAILED: u8 = 4;
/// Nothing is known to be wrong, but the record that a file carries is not of what the file holds.
const STALE: u8 = 5;

/// What a command has to say when it did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Stale,
    CheckFailed,
}

/// The end of work whose result is a file: where it was interrupted, that is not there.
pub(crate) fn of_a_file(done: Result<(), briq_convert::Error>) -> anyhow::Result<()> {
    let is_interrupted = matches!(done, Err(briq_convert::Error::Interrupted));
    let done = done.map_err(anyhow::Error::from);
    if is_interrupted { done.context("interrupted; no file was written") } else { done }
}

/// The end of a command line that is wrong, or asks for help or the version.
pub(crate) fn without_a_command(said: &clap::Error) -> ExitCode {
    // clap knows the colours of terminals; whether its help could be printed it does not tell.
    if said.use_stderr() || io::stdout().is_terminal() {
        said.exit();
    }
    let print = || {
        let mut out = stdout();
        write!(out, "{}", said.render())?;
        out.flush()
    };
    report(print().map(|()| Outcome::Done).map_err(anyhow::Error::from))
}

/// Turns the end of a command into an exit code, and prints the error if there is one.
pub(crate) fn report(done: anyhow::Result<Outcome>) -> ExitCode {
    let error = match done {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::Stale) => return STALE.into(),
        Ok(Outcome::CheckFailed) => return CHECK_FAILED.into(),
        Err(error) => error,
    };
    let message = match error.downcast_ref::<io::Error>() {
        // Whoever reads the other end of a pipe may leave early; that is no failure.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        // Every other file is named in an error of its own.
        Some(error) => format!("cannot write to standard output: {error}"),
        None => error.to_string(),
    };
    // A message may quote a file; what it quotes must not act on the terminal.
    // Where standard error cannot be written either, the exit code has to do.
    let _ = writeln!(Patient(io::stderr()), "briq: {}", Printable(&message));
    code_of(&error).into()
}

/// Says why the program ends, where standard error takes it at once: its reader may be the one that does not read.
#[cfg(unix)]
pub(crate) fn say_without_waiting(error: &briq_convert::Error) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut stderr = io::stderr();
    let has_room = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&Timespec::default()));
    if has_room.is_ok_and(|ready| ready > 0) {
        let _ = writeln!(stderr, "briq: {error}");
    }
}

fn code_of(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref::<briq_convert::Error>() {
        return match error {
            briq_convert::Error::Bad { .. } | briq_convert::Error::Unsupported(_) => BAD_INPUT,
            briq_convert::Error::Usage(_) => WRONG_USAGE,
            briq_convert::Error::Io { error, .. } => code_of_io(error),
            briq_convert::Error::Interrupted => interrupt::exit_code(),
            briq_convert::Error::Format(error) => code_of_format(error),
            _ => SYSTEM_FAILED,
        };
    }
    match error.downcast_ref::<briq_format::Error>() {
        Some(error) => code_of_format(error),
        None => SYSTEM_FAILED,
    }
}

fn code_of_format(error: &briq_format::Error) -> u8 {
    match error.root() {
        briq_format::Error::Io { error, .. } => code_of_io(error),
        briq_format::Error::Output { .. } => SYSTEM_FAILED,
        briq_format::Error::Invalid(_) => WRONG_USAGE,
        _ => BAD_INPUT,
    }
}

/// A path that leads nowhere, or to something that is no file, is bad input; everything else is the system.
fn code_of_io(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::Other => BAD_INPUT,
        _ => SYSTEM_FAILED,
    }
}
