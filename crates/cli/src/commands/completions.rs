//! `briq completions`: a script that teaches a shell the command line.

use std::io::Write;

use clap::CommandFactory;

use super::stdout;
use crate::args::{Args, Completions};
use crate::exit::Outcome;

pub(crate) fn run(args: &Completions) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "briq", &mut script);
    let mut out = stdout();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Outcome::Done)
}
