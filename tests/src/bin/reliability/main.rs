//! Measures reliability: the verdict on every file of the corpus, what it costs to get it, and what is lost when
//! writing goes wrong at every point. `cargo x reliability` runs it.
//!
//! Without arguments it runs every section; with the names of some, those: corpus, costs, fire. `--all` prints the
//! cost of every run, and not of the worst alone.

#![allow(clippy::print_stdout, clippy::expect_used)]

mod corpus;
mod worst;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use briq_tests::cost;
use briq_tests::costly::COSTLY;
use briq_tests::fire::{self, Scene, Tally, Work};

use worst::Worst;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "victim" => fire::be_victim(rest),
        Some((first, rest)) if first == "measure" => briq_tests::measure(rest),
        _ => return report(&arguments),
    }
    ExitCode::SUCCESS
}

fn report(arguments: &[String]) -> ExitCode {
    let sections: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| *name != "--all").collect();
    let wants = |name: &str| sections.is_empty() || sections.contains(&name);
    let mut report = Report {
        this: std::env::current_exe().expect("a running program has a path"),
        worst: Worst { shows_all: arguments.iter().any(|argument| argument == "--all"), ..Worst::default() },
        failures: Vec::new(),
    };
    if wants("corpus") {
        report.corpus();
    }
    if wants("costs") {
        report.costs();
    }
    if wants("corpus") || wants("costs") {
        report.worst();
    }
    if wants("fire") {
        report.fire();
    }
    report.failures.iter().for_each(|failure| println!("FAILED: {failure}"));
    if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The table as it is made, and what is wrong so far.
struct Report {
    this: PathBuf,
    worst: Worst,
    failures: Vec<String>,
}

impl Report {
    fn corpus(&mut self) {
        let corpus = corpus::judge(&self.this, &mut self.worst);
        row(
            "corpus",
            &format!("{} files, {} verdicts; {} wrong", corpus.files, corpus.verdicts, corpus.wrong.len()),
        );
        self.failures.extend(corpus.wrong);
    }

    fn costs(&mut self) {
        for costly in COSTLY {
            let folder = costly.folder();
            for command in costly.commands() {
                let what = format!("{}: {}", costly.name, command[..2].join(" "));
                self.worst.see(&what, cost(&self.this, &folder.path(""), &command));
            }
        }
        row("costly files", &format!("{} of a megabyte", COSTLY.len()));
    }

    fn worst(&mut self) {
        row("memory", &self.worst.most_memory());
        row("time", &self.worst.most_time());
        self.failures.append(&mut self.worst.failures);
    }

    fn fire(&mut self) {
        let [mut faults, mut kills, mut power, mut truncations] = std::array::from_fn(|_| Tally::default());
        for work in Work::ALL {
            for scene in work.scenes() {
                faults.add(fire::faults(&scene));
                kills.add(fire::kills(&scene, Path::new(&self.this), 1));
                power.add(fire::power_cuts(&scene));
                if work.reads_as_it_writes() {
                    truncations.add(fire::truncations(&scene, 1));
                }
            }
        }
        self.tally("faults", "operations failed", faults);
        self.tally("kills", "points", kills);
        self.tally("power cuts", "states of the disk", power);
        self.tally("truncated sources", "points", truncations);
        self.tally("full disks", "sizes", fire::full_disks(&Scene::new(Work::Convert, true), 40));
        self.tally("two writers", "rounds", fire::two_writers(&Scene::new(Work::Convert, false), 20));
    }

    fn tally(&mut self, name: &str, what: &str, tally: Tally) {
        row(name, &format!("{} {what}; {} files lost or left", tally.points, tally.lost.len()));
        self.failures.extend(tally.lost);
    }
}

fn row(name: &str, figure: &str) {
    println!("{name:22} {figure}");
}
