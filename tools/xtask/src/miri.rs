//! `cargo x miri`: the reader, the writer, the scalar encoders and the scalar kernels under an interpreter that knows
//! every rule of the language.
//!
//! Left out is what Miri cannot do: map files, run vector instructions, and take hours in minutes. So the reader is
//! followed over the fixtures of at most 4 KiB, and the codec in its plain form, block by block.

use std::process::Command;

use anyhow::Result;

use crate::root::{root, run as run_command};

/// The tests of the codec that end within minutes, by the beginnings of their names.
const CODEC: &[&str] = &[
    "check::tests::the_bytes",
    "fp4::",
    "k_scales::",
    "lanes::peaks",
    "lanes::stream",
    "lanes::tests::a_lane",
    "mxfp4::",
    "nvfp4::",
    "placement::",
    "primitives::",
    "q1_0::",
    "q8_0::",
    "q8_k::",
    "tq1_0::",
];

/// The tests of the kernels that do the same. None has a thread pool, to whose library Miri objects.
const KERNELS: &[&str] = &[
    "activations::",
    "matrix::tests::places",
    "matrix::tests::what",
    "tests::a_kernel",
    "tests::blocks_give",
    "tests::exact",
    "tests::quantized_activations",
    "tests::sums_that",
    "tests::the_definition",
    "tests::the_largest",
    "tests::what_does",
];

/// Runs the tests of the format, of the codec and of the kernels that Miri can follow.
///
/// # Errors
/// Miri is missing (`rustup +nightly component add miri rust-src`), or a test breaks a rule.
pub(crate) fn run() -> Result<()> {
    run_command(miri()?.args(["--package", "briq-format", "--lib", "--test", "corpus"]))?;
    run_command(miri()?.args(["--package", "briq-codec", "--lib", "--"]).args(CODEC))?;
    run_command(miri()?.args(["--package", "briq-kernels", "--lib", "--"]).args(KERNELS))
}

fn miri() -> Result<Command> {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "miri", "test", "--locked", "--target-dir"]).arg(root()?.join("target/miri"));
    command.current_dir(root()?);
    // cargo of another toolchain, and not the one that runs this program.
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    // Tests read fixtures, and powers of two are to be exact in them, which Rust leaves to the platform.
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-deterministic-floats");
    command.env("PROPTEST_CASES", "2").env("PROPTEST_FAILURE_PERSISTENCE", "off");
    Ok(command)
}
