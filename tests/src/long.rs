//! A conversion that takes seconds, so that something can happen in its middle.

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Folder, safetensors};

/// The conversion of what [`source`] gives.
pub const CONVERT: [&str; 10] =
    ["convert", "w.safetensors", "--arch", "x", "--type", "Q4_K_M", "--threads", "1", "--out", "out.gguf"];

/// A folder with half a gigabyte of weights.
pub fn source() -> Folder {
    let folder = Folder::new();
    let rows = 1 << 20;
    let bytes = rows * 256 * 2;
    let header =
        format!(r#"{{"w.weight":{{"dtype":"F16","shape":[{rows},256],"data_offsets":[0,{bytes}]}}}}"#);
    let mut file = File::create(folder.path("w.safetensors")).unwrap();
    file.write_all(&safetensors(&header, &[])).unwrap();
    // A hole stands for zeros and takes no room on the disk.
    file.set_len(8 + header.len() as u64 + bytes).unwrap();
    folder
}

/// Starts to convert that source, and returns when the output is begun.
pub fn start_converting(folder: &Folder) -> Child {
    start(&mut folder.command(&CONVERT), folder)
}

/// Starts a command that converts it, and returns when the output is begun.
pub fn start(command: &mut Command, folder: &Folder) -> Child {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the conversion begins", || folder.names().iter().any(|name| name.ends_with(".tmp")));
    child
}

/// Waits until something is so; a minute at most.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "never: {what}");
        sleep(Duration::from_millis(1));
    }
}
