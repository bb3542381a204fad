//! `BRIQ_ISA` with a name that is none, which a library cannot refuse: a process of its own is started with it.

#![allow(clippy::unwrap_used)]

use std::env;
use std::process::Command;

use briq_kernels::{Isa, instruction_set, matrix_instructions};

const VARIABLE: &str = "BRIQ_ISA";
const MISSPELT: &str = "axv2";
/// What a line with the instructions that are used begins with.
const USED: &str = "used: ";

#[test]
fn a_misspelt_instruction_set_changes_nothing() {
    if env::var_os("REPORT").is_some() {
        println!("\n{USED}{} {:?}", instruction_set(), matrix_instructions());
        assert_eq!(Isa::forced().is_err(), env::var_os(VARIABLE).is_some());
        return;
    }
    let used = |misspelt: bool| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.env("REPORT", "1").env_remove(VARIABLE).arg("--nocapture");
        if misspelt {
            command.env(VARIABLE, MISSPELT);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find_map(|line| line.strip_prefix(USED).map(str::to_owned)).unwrap()
    };
    assert_eq!(used(true), used(false));
}
