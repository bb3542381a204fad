//! Whatever goes wrong while a file is written, at whatever point: the old output is intact or the new one is
//! complete, the source is untouched, and the next run leaves nothing but its output.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use briq_tests::fire::{self, Scene, Tally, Work};
use briq_tests::{Folder, safetensors};

/// The program that is killed.
const VICTIM: &str = env!("CARGO_BIN_EXE_reliability");

#[track_caller]
fn nothing_is_lost(tally: &Tally) {
    assert!(tally.points > 0, "nothing was tried");
    assert_eq!(tally.lost, [""; 0]);
}

#[test]
fn every_operation_that_fails_leaves_the_old_output_or_the_new_one() {
    for with_old in [false, true] {
        nothing_is_lost(&fire::faults(&Scene::new(Work::Imatrix, with_old)));
    }
}

#[test]
fn a_process_that_is_killed_leaves_the_old_output_or_the_new_one_and_the_next_run_clears_up() {
    nothing_is_lost(&fire::kills(&Scene::new(Work::Imatrix, true), Path::new(VICTIM), 1));
    nothing_is_lost(&fire::kills(&Scene::new(Work::Requantize, false), Path::new(VICTIM), 23));
}

#[test]
fn a_source_that_is_cut_while_it_is_read_is_an_error_and_leaves_the_old_output() {
    nothing_is_lost(&fire::truncations(&Scene::new(Work::Requantize, true), 23));
}

#[test]
fn a_disk_that_is_full_at_any_size_leaves_the_old_output_or_the_new_one() {
    nothing_is_lost(&fire::full_disks(&Scene::new(Work::Convert, true), 5));
}

#[test]
fn of_two_writers_of_one_output_each_succeeds_and_the_file_is_that_of_one() {
    nothing_is_lost(&fire::two_writers(&Scene::new(Work::Convert, false), 3));
}

#[test]
fn a_second_interrupt_ends_the_process_at_once_and_the_next_run_clears_up() {
    let folder = Folder::new();
    let (rows, columns) = (1 << 20, 256);
    let bytes = rows * columns * 2;
    let header =
        format!(r#"{{"w.weight":{{"dtype":"F16","shape":[{rows},{columns}],"data_offsets":[0,{bytes}]}}}}"#);
    folder.write("w.safetensors", safetensors(&header, &[]));
    // A hole stands for half a gigabyte of zeros.
    let file = fs::File::options().write(true).open(folder.path("w.safetensors")).unwrap();
    file.set_len(8 + header.len() as u64 + bytes).unwrap();
    let convert = [
        "convert",
        "w.safetensors",
        "--arch",
        "x",
        "--type",
        "Q4_K_M",
        "--threads",
        "1",
        "--out",
        "out.gguf",
    ];
    let mut child = folder.command(&convert).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_temporary(&folder, &mut child);
    // Stopped, it sees both when it goes on, before it can act on the first.
    for signal in ["STOP", "INT", "TERM", "CONT"] {
        let kill = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }
    let code = child.wait().unwrap().code();
    assert!([Some(130), Some(143)].contains(&code), "{code:?}");
    folder.write("w.safetensors", briq_tests::two_rows(&[1.0; 512]));
    folder.succeeds(&convert);
    let names: Vec<_> = folder.files().into_keys().collect();
    assert_eq!(names, [Path::new("out.gguf"), Path::new("w.safetensors")]);
}

fn wait_for_temporary(folder: &Folder, child: &mut Child) {
    let begin = Instant::now();
    let is_there = || fs::read_dir(folder.path("")).unwrap().count() > 1;
    while !is_there() {
        assert!(child.try_wait().unwrap().is_none(), "the conversion ended early");
        assert!(begin.elapsed() < Duration::from_secs(60), "the conversion never began");
        sleep(Duration::from_millis(1));
    }
}
