//! Whatever goes wrong while a file is written, at whatever point: the old output is intact or the new one is
//! complete, the source is untouched, and the next run leaves nothing but its output.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::path::Path;

use briq_tests::fire::{self, Scene, Tally, Work};

/// The program that is killed.
const VICTIM: &str = env!("CARGO_BIN_EXE_reliability");

#[track_caller]
fn nothing_is_lost(tally: &Tally) {
    assert!(tally.points > 0, "nothing was tried");
    assert_eq!(tally.lost, [""; 0]);
}

#[test]
fn every_operation_that_fails_leaves_the_old_output_or_the_new_one() {
    for scene in Work::Imatrix.scenes() {
        nothing_is_lost(&fire::faults(&scene));
    }
}

#[test]
fn a_process_that_is_killed_leaves_the_old_output_or_the_new_one_and_the_next_run_clears_up() {
    nothing_is_lost(&fire::kills(&Scene::new(Work::Imatrix, true), Path::new(VICTIM), 1));
    nothing_is_lost(&fire::kills(&Scene::new(Work::Requantize, false), Path::new(VICTIM), 23));
    nothing_is_lost(&fire::kills(&Scene::new(Work::InPlace, true), Path::new(VICTIM), 23));
}

#[test]
fn power_that_goes_at_any_point_leaves_the_old_output_or_the_new_one() {
    for work in Work::ALL {
        for scene in work.scenes() {
            nothing_is_lost(&fire::power_cuts(&scene));
        }
    }
}

#[test]
fn a_source_that_is_cut_or_written_to_while_it_is_read_is_an_error_and_leaves_the_old_output() {
    for work in [Work::Convert, Work::Requantize] {
        nothing_is_lost(&fire::truncations(&Scene::new(work, true), 23));
        nothing_is_lost(&fire::rewrites(&Scene::new(work, true), 23));
    }
}

#[test]
fn a_disk_that_is_full_at_any_size_leaves_the_old_output_or_the_new_one() {
    nothing_is_lost(&fire::full_disks(&Scene::new(Work::Convert, true), 5));
}

#[test]
fn a_file_that_is_larger_than_its_disk_is_refused_before_it_is_written() {
    for work in [Work::Convert, Work::Requantize, Work::InPlace] {
        for scene in work.scenes() {
            nothing_is_lost(&fire::full_from_the_start(&scene));
        }
    }
}

#[test]
fn of_two_writers_of_one_output_each_succeeds_and_the_file_is_that_of_one() {
    nothing_is_lost(&fire::two_writers(&Scene::new(Work::Convert, false), 3));
}
