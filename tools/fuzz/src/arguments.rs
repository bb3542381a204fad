//! What a user types: arguments, with the patterns and types in them, and recipe files.

use briq_convert::recipe::Options;
use clap::Parser;

use crate::scratch;

/// The command line of the binary, which is not to be had from a library.
#[path = "../../../crates/cli/src/args.rs"]
#[allow(dead_code, unreachable_pub)]
mod args;

/// Arguments, a NUL between each two.
pub(crate) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let arguments = std::iter::once("briq").chain(text.split('\0'));
    match args::Args::try_parse_from(arguments) {
        Ok(args) => drop(format!("{args:?}")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn recipe_file(bytes: &[u8]) {
    let _ = Options::read(&scratch::file("recipe.toml", bytes));
}
