//! `briq hash` prints hashes in the forms of other tools, and `briq verify --against` holds a file against any of them.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use briq_format::Gguf;
use briq_tests::{Folder, safetensors};

const DAMAGED: i32 = 1;
const BAD_INPUT: i32 = 3;

/// A file of the tensors "a", whose bytes are four zeros, four ones and so on up to 63, and "b:1", "abc" and a zero.
fn two_tensors() -> Folder {
    let folder = Folder::new();
    let header = concat!(
        r#"{"a":{"dtype":"F32","shape":[64],"data_offsets":[0,256]},"#,
        r#""b:1":{"dtype":"F32","shape":[1],"data_offsets":[256,260]}}"#
    );
    let data: Vec<u8> = (0..=255).map(|byte| byte / 4).chain(*b"abc\0").collect();
    folder.write("w.safetensors", safetensors(header, &data));
    let convert = ["convert", "w.safetensors", "--arch", "x", "--type", "F32", "--out", "m.gguf"];
    folder.succeeds(&convert);
    folder
}

/// What Python's hashlib and its xxhash, blake3 and uuid packages say of the same bytes.
const HASHES: &str = "\
xxh64     5c6c4aa0b2a83627  m.gguf:a
sha1      16a68b785e8f34d71070c5d7f8f601b80df72b58  m.gguf:a
sha256    13dee16eae256ce008e94a40640bbbd013ddb5e17233f3a3e38b6c61566246da  m.gguf:a
blake3    382742a2fc9d52924bd653f1968cb064c2c67c08eace2ce74177127365640ad4  m.gguf:a
xxh64     fa5741489fa85bff  m.gguf:b:1
sha1      686483805ac47ca14e03514f7481a7973b401762  m.gguf:b:1
sha256    dc1114cd074914bd872cc1f9a23ec910ea2203bc79779ab2e17da25782a624fc  m.gguf:b:1
blake3    960c08df92e4b6652918bbc41593191cc313c212ffa49cd9acad649af3c2e45b  m.gguf:b:1
xxh64     9bb7c7a544dade53  m.gguf
sha1      789b8c0cd996e0854a2c82f97494586d8cf8066a  m.gguf
sha256    959570e5cb7f39e9c0c07d4f68e1a47707fb1e86563a6c933f4bd2d86238c8a9  m.gguf
blake3    b1dbed9b4daad382070b39357658f54d8ab262b6bbd8c800d15d3ff8ac639acb  m.gguf
uuid      0d39f654-6b6f-5d1b-9258-643b9cf15e8b  m.gguf
";

#[test]
fn tensors_are_hashed_as_the_tool_of_llama_cpp_hashes_them() {
    let folder = two_tensors();
    let algorithms = ["--xxh64", "--sha1", "--sha256", "--blake3", "--uuid"];
    assert_eq!(folder.succeeds(&[&["hash", "m.gguf"], &algorithms[..]].concat()), HASHES);
    let whole: String =
        HASHES.lines().filter(|line| line.ends_with(".gguf")).map(|line| format!("{line}\n")).collect();
    assert_eq!(folder.succeeds(&[&["hash", "m.gguf", "--no-layer"], &algorithms[..]].concat()), whole);
    let all: String = HASHES
        .lines()
        .filter(|line| ["xxh64", "sha1", "sha256"].contains(&line.split(' ').next().unwrap()))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(folder.succeeds(&["hash", "m.gguf", "--all"]), all);
}

#[test]
fn without_an_option_the_file_is_hashed_as_sha256sum_does() {
    let folder = two_tensors();
    let printed = folder.succeeds(&["hash", "m.gguf"]);
    let Ok(sum) = Command::new("sha256sum").arg("m.gguf").current_dir(folder.path("")).output() else {
        eprintln!("not tested: there is no sha256sum here");
        return;
    };
    assert_eq!(printed.as_bytes(), sum.stdout);
}

/// Names that end a line, look like an escape, or are no text.
#[cfg(target_os = "linux")]
fn odd_names() -> impl Iterator<Item = &'static std::ffi::OsStr> {
    use std::os::unix::ffi::OsStrExt;
    let names: [&[u8]; 6] =
        [b"a\\b.gguf", b"a\\nb.gguf", b"a\nb.gguf", b"\\m.gguf", b"\xff\x1b.gguf", b"m\xffn\n\\.gguf"];
    names.into_iter().map(std::ffi::OsStr::from_bytes)
}

#[cfg(target_os = "linux")]
#[test]
fn odd_names_are_written_as_sha256sum_writes_and_checks_them() {
    let folder = two_tensors();
    for name in odd_names() {
        std::fs::copy(folder.path("m.gguf"), folder.path("").join(name)).unwrap();
        let printed = folder.command(&["hash"]).arg(name).output().unwrap();
        let mut sha256sum = Command::new("sha256sum");
        sha256sum.current_dir(folder.path(""));
        let Ok(sum) = sha256sum.arg(name).output() else {
            eprintln!("not tested: there is no sha256sum here");
            return;
        };
        assert_eq!(printed.stdout, sum.stdout, "{name:?}");
        folder.write("list", &printed.stdout);
        let checked = Command::new("sha256sum").args(["-c", "list"]).current_dir(folder.path("")).output();
        assert!(checked.unwrap().status.success(), "{name:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn lists_of_odd_names_are_read_in_every_form() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = two_tensors();
    for name in odd_names().chain([OsStr::from_bytes(b"a\rb.gguf"), OsStr::from_bytes(b"\r\r")]) {
        std::fs::rename(folder.path("m.gguf"), folder.path("").join(name)).unwrap();
        // A list without a line for the file would be refused.
        for (form, tensors) in [(&[][..], 0), (&["--all", "--uuid"], 6)] {
            let printed = folder.command(&["hash"]).arg(name).args(form).output().unwrap();
            folder.write("list", [&printed.stdout[..], b"sha1      12  other.gguf\n"].concat());
            let mut verify = folder.command(&["verify", "--against", "list", "--json"]);
            let verified: briq_tests::Run = verify.arg(name).output().unwrap().into();
            assert_eq!(verified.code, Some(0), "{name:?} {form:?}: {verified:?}");
            let report: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
            assert_eq!(report["list"]["tensors"], tensors, "{name:?} {form:?}: {report}");
        }
        std::fs::rename(folder.path("").join(name), folder.path("m.gguf")).unwrap();
    }
}

#[test]
fn what_hash_prints_verify_accepts_for_the_same_file_alone() {
    let folder = two_tensors();
    let forms: [&[&str]; 5] =
        [&[], &["--all", "--uuid", "--blake3"], &["--no-layer"], &["--sha256"], &["--manifest"]];
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    let at = model.tensor("b:1").unwrap().info.offset_in_file;
    let file = folder.read("m.gguf");
    let mut changed = file.clone();
    changed[at as usize] ^= 1;
    for form in forms {
        folder.write("m.gguf", &file);
        folder.write("list", folder.succeeds(&[&["hash", "m.gguf"], form].concat()));
        let printed = folder.succeeds(&["verify", "m.gguf", "--against", "list"]);
        assert!(printed.contains("list: everything that it lists is so\n"), "{form:?}: {printed}");
        folder.write("m.gguf", &changed);
        let run = folder.briq(&["verify", "m.gguf", "--against", "list"]);
        assert_eq!(run.code, Some(DAMAGED), "{form:?}");
        let failed: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("FAILED: ")).collect();
        // What a manifest finds the record has found in the same words.
        assert_eq!(failed.len() == 1, form == ["--manifest"], "{form:?}: {}", run.stdout);
    }
}

#[test]
fn a_hash_that_is_another_is_shown_beside_the_listed_one() {
    let folder = two_tensors();
    let fails = |list: String, line: String| {
        folder.write("list", list);
        let run = folder.briq(&["verify", "m.gguf", "--against", "list"]);
        assert_eq!(run.code, Some(DAMAGED));
        assert!(run.stdout.lines().any(|printed| printed == line), "{line:?} is not in\n{}", run.stdout);
    };
    let (sum, listed) = (&folder.succeeds(&["hash", "m.gguf"])[..64], "ab".repeat(32));
    fails(
        format!("{listed}  m.gguf"),
        format!("FAILED: m.gguf: the SHA-256 is {sum}, but the list says {listed}"),
    );
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    let start = model.tensor("a").unwrap().info.offset_in_file;
    fails(
        "xxh64     12  m.gguf:a".to_owned(),
        format!(
            "FAILED: m.gguf: tensor \"a\": the xxh64 is 5c6c4aa0b2a83627, but the list says 12, in bytes {start} to {}",
            start + 255
        ),
    );
}

#[test]
fn a_manifest_names_the_tensor_and_its_bytes_and_what_was_edited() {
    let folder = two_tensors();
    folder.write("list", folder.succeeds(&["hash", "m.gguf", "--manifest"]));
    let range = |name: &str| {
        let model = Gguf::open(folder.path("m.gguf")).unwrap();
        let info = model.tensor(name).unwrap().info;
        (info.offset_in_file, info.offset_in_file + info.bytes)
    };
    let (start, end) = range("a");
    folder.succeeds(&["convert", "m.gguf", "--type", "auto", "--no-record", "--out", "plain.gguf"]);
    folder.succeeds(&["verify", "plain.gguf", "--against", "list"]);
    let mut file = folder.read("m.gguf");
    file[start as usize + 9] ^= 1;
    folder.write("m.gguf", file);
    let run = folder.briq(&["verify", "m.gguf", "--against", "list"]);
    let line = format!("FAILED: m.gguf: tensor \"a\" is damaged, in bytes {start} to {}", end - 1);
    assert_eq!(run.stdout.lines().filter(|printed| *printed == line).count(), 1, "{}", run.stdout);
    folder.succeeds(&["convert", "plain.gguf", "--type", "F16", "--out", "half.gguf"]);
    let run = folder.briq(&["verify", "half.gguf", "--against", "list"]);
    assert_eq!(run.code, Some(DAMAGED));
    assert!(run.stdout.contains("FAILED: key \"general.file_type\" "), "{}", run.stdout);
}

#[test]
fn a_manifest_is_reproducible_and_its_whole_is_that_of_the_record() {
    let folder = two_tensors();
    let manifest = folder.succeeds(&["hash", "m.gguf", "--manifest"]);
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    let whole = model.metadata().str("briq.integrity.whole").unwrap();
    assert_eq!(manifest.lines().last(), Some(format!("whole {whole}").as_str()));
    let lines = model.metadata().get("briq.integrity.tensors").unwrap().as_array().unwrap();
    let lines = lines.iter().map(|line| format!("tensor {}", line.as_str().unwrap()));
    assert!(lines.eq(manifest.lines().filter(|line| line.starts_with("tensor ")).map(str::to_owned)));
}

#[test]
fn a_list_that_does_not_speak_of_the_file_is_refused() {
    let folder = two_tensors();
    let manifest = folder.succeeds(&["hash", "m.gguf", "--manifest"]);
    let half = &manifest[..manifest.len() / 2];
    let cut = half.rsplit(' ').next().unwrap();
    let no_digest = format!("list: line 5: \"{cut}\" is no digest: 64 digits from 0 to f are");
    let cases = [
        ("", "list: it has no line for a file called m.gguf"),
        ("sha1      12  other.gguf\n", "list: it has no line for a file called m.gguf"),
        (
            "hello world\n",
            "list: line 1: expected a line of `briq hash`, of sha256sum, or of llama.cpp's hash tool",
        ),
        (half, &no_digest),
        (&manifest.replace("tensor ", "tensors "), "list: line 7: expected whole, key or tensor"),
    ];
    for (text, message) in cases {
        folder.write("list", text);
        let run = folder.briq(&["verify", "m.gguf", "--against", "list"]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(BAD_INPUT), ""), "{text}");
        assert_eq!(run.stderr, format!("briq: {message}\n"), "{text}");
    }
    // The digests of lines are held against the last line, so that none can be left out.
    let cut: Vec<&str> = manifest.lines().filter(|line| !line.ends_with(" b:1")).collect();
    folder.write("list", cut.join("\n"));
    let message = "list: the digest over the whole is not that of its lines";
    folder.refuses(&["verify", "m.gguf", "--against", "list"], BAD_INPUT, message);
}

#[test]
fn json_holds_the_same_hashes() {
    let folder = two_tensors();
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&folder.succeeds(&[&["hash", "m.gguf", "--json"], arguments].concat())).unwrap()
    };
    assert_eq!(json(&[])["sha256"], folder.succeeds(&["hash", "m.gguf"])[..64]);
    let hashes = json(&["--sha1"]);
    assert_eq!(hashes["hashes"].as_array().unwrap().len(), 3);
    assert_eq!(hashes["hashes"][1]["tensor"], "b:1");
    assert_eq!(json(&["--manifest"])["tensors"][0]["shape"], serde_json::json!([64]));
    if cfg!(unix) {
        // The path is escaped once, by JSON.
        std::fs::rename(folder.path("m.gguf"), folder.path("a\\b.gguf")).unwrap();
        for form in [&[][..], &["--sha1"]] {
            let printed = folder.succeeds(&[&["hash", "a\\b.gguf", "--json"], form].concat());
            let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
            assert_eq!(report["file"], "a\\b.gguf");
        }
    }
}
