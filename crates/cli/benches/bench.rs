//! `cargo bench`: `briq bench encode` and `briq bench decode`, beside ggml where `cargo x peers` has installed it.
//! What stands behind `--` is handed on, as in `cargo bench --bench bench -- --type Q4_K`.

use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> std::io::Result<ExitCode> {
    // Test runners ask which tests there are: none.
    if std::env::args().any(|argument| argument == "--list") {
        return Ok(ExitCode::SUCCESS);
    }
    let peer = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/peers/npm/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
    for codec in ["encode", "decode"] {
        let mut briq = Command::new(env!("CARGO_BIN_EXE_briq"));
        briq.args(["bench", codec]);
        if peer.is_dir() {
            briq.arg("--peer").arg(&peer);
        }
        // Cargo adds this one for benchmarks that share a harness with tests.
        briq.args(std::env::args().skip(1).filter(|argument| argument != "--bench"));
        if !briq.status()?.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
