//! `cargo bench --bench record`: what the record of digests adds to a conversion to Q8_0.
//!
//! The binary converts 285 million weights of bf16 as a user would, with two threads, with the record and with
//! `--no-record` in turn; from a source that the page cache holds, and, on Linux, from one that has to come from the
//! disk. Each output is synced before the time is taken. Nothing is computed for a weight of Q8_0 but a scale and a
//! rounding, so that no other type has a larger share of hashing. Takes 0.9 GB in the build folder while it runs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::{Map, json};

/// Turns of each side.
const ROUNDS: usize = 15;

/// What is done with the source before a conversion.
type Prepare = fn(&File) -> Result<()>;

const STATES: &[(&str, Prepare)] = &[
    ("in page cache", read),
    #[cfg(target_os = "linux")]
    ("on disk", forget),
];

fn main() -> Result<()> {
    // Test runners ask which tests there are: none.
    if std::env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let folder = folder.path();
    let source = folder.join("model.safetensors");
    generate(&source)?;
    let mut out = std::io::stdout();
    writeln!(out, "source         with a record  without    more  (seconds, best of {ROUNDS})")?;
    for (name, prepare) in STATES {
        let mut best = [f64::INFINITY; 2];
        for round in 0..ROUNDS {
            // A B B A, so that neither side always comes after the other.
            for side in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                prepare(&File::open(&source)?)?;
                best[side] = best[side].min(convert(folder, side == 0)?);
            }
        }
        let [with, without] = best;
        writeln!(out, "{name:14} {with:13.3} {without:8.3} {:+6.1} %", 100.0 * (with / without - 1.0))?;
    }
    Ok(())
}

fn read(mut file: &File) -> Result<()> {
    Ok(std::io::copy(&mut file, &mut std::io::sink()).map(drop)?)
}

#[cfg(target_os = "linux")]
fn forget(file: &File) -> Result<()> {
    Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
}

/// Seconds from the start of the process to its end, by when the file is on the disk.
fn convert(folder: &Path, record: bool) -> Result<f64> {
    let out = folder.join("out.gguf");
    let mut briq = Command::new(env!("CARGO_BIN_EXE_briq"));
    briq.current_dir(folder).args(["convert", "model.safetensors", "--arch", "llama", "--type", "Q8_0"]);
    briq.args(["--threads", "2", "--out", "out.gguf"]).args((!record).then_some("--no-record"));
    let begin = Instant::now();
    let status = briq.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let time = begin.elapsed();
    ensure!(status.success(), "briq convert: {status}");
    fs::remove_file(out)?;
    Ok(time.as_secs_f64())
}

/// Writes a safetensors file with the tensors of seventeen blocks of a Llama, and has it on the disk.
fn generate(path: &Path) -> Result<()> {
    const WIDTH: u64 = 2048;
    let mut table = Map::new();
    let mut end = 0;
    for block in 0..17 {
        for name in ["attn_q", "attn_output", "ffn_gate", "ffn_up"] {
            let begin = end;
            end += WIDTH * WIDTH * 2;
            let entry = json!({"dtype": "BF16", "shape": [WIDTH, WIDTH], "data_offsets": [begin, end]});
            table.insert(format!("blk.{block}.{name}.weight"), entry);
        }
    }
    let header = serde_json::to_vec(&table)?;
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    let matrix = matrix_bytes(WIDTH * WIDTH);
    for _ in 0..table.len() {
        out.write_all(&matrix)?;
    }
    Ok(out.into_inner()?.sync_all()?)
}

/// Numbers between -0.03 and 0.03 in bf16; what they are does not matter to the time.
fn matrix_bytes(weights: u64) -> Vec<u8> {
    let spread = |index: u64| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1 << 24) as f32;
    let upper_half = |number: f32| ((number.to_bits() >> 16) as u16).to_le_bytes();
    (0..weights).flat_map(|index| upper_half(0.06 * spread(index) - 0.03)).collect()
}
