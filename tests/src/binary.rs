//! Finds the binary under test, and builds it when it is missing or older than its sources.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};

/// The path of the `briq` that belongs to this build.
///
/// Cargo hands a test the binaries of its own package only, so the first call asks cargo for the other one, in
/// the profile and the target directory of the running test. When nothing has changed that takes a moment.
///
/// # Panics
/// When the binary cannot be built.
pub fn briq() -> &'static Path {
    static BRIQ: LazyLock<PathBuf> = LazyLock::new(|| {
        #[cfg(unix)]
        heed_signals();
        build()
    });
    &BRIQ
}

/// Has the programs that are started here begin with all signals heeded. Signals that this process ignores, as under
/// `nohup` or in the background of a shell, they would ignore as well; those that it handles they would not.
#[cfg(unix)]
fn heed_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag::register_conditional_default;

    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let always = Arc::new(AtomicBool::new(true));
        register_conditional_default(signal, always).expect("these can be handled");
    }
}

fn build() -> PathBuf {
    // target/PROFILE/deps/TEST, or target/PROFILE/PROGRAM
    let this = std::env::current_exe().expect("a running program has a path");
    let mut above = this.ancestors().skip(1).skip_while(|folder| folder.ends_with("deps"));
    let (Some(profile_folder), Some(target)) = (above.next(), above.next()) else {
        panic!("{} does not lie where cargo puts programs", this.display());
    };
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "briq", "--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo starts");
    let binary = profile_folder.join(format!("briq{EXE_SUFFIX}"));
    assert!(
        status.success() && binary.is_file(),
        "`cargo build --package briq` made no {}",
        binary.display()
    );
    binary
}
