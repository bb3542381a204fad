//! A file carries a record of what was written into it, and `briq verify` holds it against that: bytes that are not
//! what was written are damage, edits that leave the record behind make it stale, and nothing is taken for the other.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::ops::Range;

use briq_format::metadata::keys;
use briq_format::{FilePlan, Gguf, MetadataBuf, Shape, TensorSpec, TensorType, TensorWriter};
use briq_tests::{Folder, Run, safetensors};

const MODEL: &str = "checkpoints/tiny-llama";
const DAMAGED: i32 = 1;
const STALE: i32 = 5;
const TENSOR: &str = "blk.1.ffn_up.weight";
const RECORD_LINE: &str = "record: 29 keys and 20 tensors are as they were written\n";

fn converted() -> Folder {
    let folder = Folder::with(MODEL, "model");
    folder.succeeds(&["convert", "model", "--type", "Q8_0", "--out", "m.gguf"]);
    folder
}

/// Where `what` lies in the file, when it is there once.
fn find(file: &[u8], what: &[u8]) -> usize {
    let mut places = file.windows(what.len()).enumerate().filter(|(_, window)| *window == what);
    let at = places.next().unwrap().0;
    assert!(places.next().is_none(), "{what:?} is there twice");
    at
}

fn verify(folder: &Folder) -> Run {
    folder.briq(&["verify", "m.gguf"])
}

/// Replaces bytes of the file and verifies it.
fn with_change(folder: &Folder, at: usize, bytes: &[u8]) -> Run {
    let file = folder.read("m.gguf");
    let mut changed = file.clone();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    assert!(changed != file);
    folder.write("m.gguf", changed);
    let run = verify(folder);
    folder.write("m.gguf", file);
    run
}

fn place(folder: &Folder, tensor: &str) -> Range<usize> {
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    let info = model.tensor(tensor).unwrap().info;
    info.offset_in_file as usize..(info.offset_in_file + info.bytes) as usize
}

#[test]
fn every_conversion_carries_a_record_that_holds() {
    for recipe in ["F32", "BF16", "Q4_K_M", "auto"] {
        let folder = Folder::with(MODEL, "model");
        folder.succeeds(&["convert", "model", "--type", recipe, "--out", "m.gguf"]);
        let printed = folder.succeeds(&["verify", "m.gguf"]);
        assert!(printed.ends_with(&format!("{RECORD_LINE}ok: 20 tensors, 656.6 K weights\n")), "{printed}");
    }
}

#[test]
fn without_a_record_the_file_is_the_same_but_for_it() {
    let folder = converted();
    folder.succeeds(&["convert", "model", "--type", "Q8_0", "--no-record", "--out", "plain.gguf"]);
    let (with, plain) =
        (Gguf::open(folder.path("m.gguf")).unwrap(), Gguf::open(folder.path("plain.gguf")).unwrap());
    let mut metadata = MetadataBuf::from(with.metadata());
    metadata.remove_all(keys::INTEGRITY_PREFIX);
    assert_eq!(metadata, MetadataBuf::from(plain.metadata()));
    assert!(with.tensors().map(|t| (t.name(), t.bytes())).eq(plain.tensors().map(|t| (t.name(), t.bytes()))));
    let printed = folder.succeeds(&["verify", "plain.gguf"]);
    assert!(
        printed.starts_with("note: the file carries no record of what was written into it\n"),
        "{printed}"
    );
}

#[test]
fn a_changed_byte_of_a_tensor_is_damage_of_that_tensor_in_its_bytes() {
    let folder = converted();
    let Range { start, end } = place(&folder, TENSOR);
    for at in [start, start + 2, (start + end) / 2, end - 1] {
        let byte = folder.read("m.gguf")[at] ^ 1;
        let run = with_change(&folder, at, &[byte]);
        let expected = format!(
            "FAILED: m.gguf: tensor \"{TENSOR}\" is damaged, in bytes {start} to {}\nfailed: the file is not what it \
             was\n",
            end - 1
        );
        assert_eq!(run, Run { code: Some(DAMAGED), stdout: expected, stderr: String::new() });
    }
}

#[test]
fn whatever_can_be_converted_carries_a_record_that_holds() {
    let entries = fs::read_dir(briq_tests::fixtures::path("container")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut tried = 0;
    for name in names.filter(|name| name.ends_with(".gguf")) {
        let folder = Folder::with(&format!("container/{name}"), "in.gguf");
        let convert = ["convert", "in.gguf", "--type", "auto", "--allow-non-finite", "--out", "m.gguf"];
        if folder.briq(&convert).code == Some(0) {
            let run = verify(&folder);
            assert!(run.stdout.contains(" are as they were written\n"), "{name}: {run:?}");
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried} files");
}

#[test]
fn damage_in_a_large_tensor_is_located_to_the_piece() {
    const PIECE: usize = 4 << 20;
    let folder = Folder::new();
    let elements = 5 * PIECE / 4 + 7;
    let header =
        format!(r#"{{"w":{{"dtype":"F32","shape":[{elements}],"data_offsets":[0,{}]}}}}"#, 4 * elements);
    let data: Vec<u8> = (0..elements as u32).flat_map(|n| (n as f32).to_le_bytes()).collect();
    folder.write("w.safetensors", safetensors(&header, &data));
    folder.succeeds(&["convert", "w.safetensors", "--arch", "x", "--type", "F32", "--out", "m.gguf"]);
    folder.succeeds(&["verify", "m.gguf"]);
    let pieces = Gguf::open(folder.path("m.gguf")).unwrap();
    let pieces = pieces.metadata().get(keys::INTEGRITY_PIECES).unwrap().as_array().unwrap();
    let pieces = pieces.get(0).unwrap().as_str().unwrap().to_owned();
    assert_eq!(pieces.len(), 6 * 64);
    let at = find(&folder.read("m.gguf")[..1 << 16], pieces.as_bytes()) + 100;
    let digit = if folder.read("m.gguf")[at] == b'0' { b'1' } else { b'0' };
    let run = with_change(&folder, at, &[digit]);
    let expected = "FAILED: m.gguf: the record of the pieces of tensor \"w\" is damaged\n";
    assert!(run.code == Some(DAMAGED) && run.stdout.starts_with(expected), "{run:?}");
    let Range { start, end } = place(&folder, "w");
    let mut file = folder.read("m.gguf");
    for at in [start + PIECE, start + 3 * PIECE - 4, end - 4] {
        file[at] ^= 1;
    }
    folder.write("m.gguf", file);
    let ranges = format!(
        "bytes {} to {}, bytes {} to {}",
        start + PIECE,
        start + 3 * PIECE - 1,
        start + 5 * PIECE,
        end - 1
    );
    let run = verify(&folder);
    assert_eq!(run.code, Some(DAMAGED));
    assert!(run.stdout.contains(&format!("tensor \"w\" is damaged, in {ranges}\n")), "{}", run.stdout);
    let json = folder.briq(&["verify", "m.gguf", "--json"]).stdout;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let range = &report["record"]["damage"][0]["ranges"][1];
    assert_eq!((&range["start"], &range["end"]), (&(start + 5 * PIECE).into(), &end.into()));
}

#[test]
fn a_changed_byte_of_padding_is_damage() {
    let folder = Folder::new();
    let entry = |name: &str, dims, begin, end| {
        format!(r#""{name}":{{"dtype":"F32","shape":[{dims}],"data_offsets":[{begin},{end}]}}"#)
    };
    let header = format!("{{{},{},{}}}", entry("a", 3, 0, 12), entry("b", 5, 12, 32), entry("c", 1, 32, 36));
    folder.write("w.safetensors", safetensors(&header, &[0x3F; 36]));
    folder.succeeds(&["convert", "w.safetensors", "--arch", "x", "--type", "F32", "--out", "m.gguf"]);
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    let (_, view) = model.files().next().unwrap();
    let mut ends = vec![(view.head_bytes(), view.data_start())];
    let infos: Vec<_> = view.tensor_infos().collect();
    ends.extend(
        infos.windows(2).map(|pair| (pair[0].offset_in_file + pair[0].bytes, pair[1].offset_in_file)),
    );
    let last = infos.last().unwrap();
    ends.push((last.offset_in_file + last.bytes, view.file_bytes()));
    let mut tried = 0;
    for (start, end) in ends.into_iter().filter(|(start, end)| start < end) {
        let run = with_change(&folder, end as usize - 1, &[1]);
        let place =
            if start + 1 == end { format!("byte {start}") } else { format!("bytes {start} to {}", end - 1) };
        let expected = format!("FAILED: m.gguf: padding is damaged: it is not of zeros, in {place}\n");
        assert!(run.stdout.starts_with(&expected) && run.code == Some(DAMAGED), "{run:?}");
        tried += 1;
    }
    assert!(tried >= 3, "{tried} paddings");
}

#[test]
fn a_changed_digit_of_the_record_is_damage_of_the_record() {
    let folder = converted();
    let file = folder.read("m.gguf");
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    let whole = model.metadata().str(keys::INTEGRITY_WHOLE).unwrap().as_bytes().to_vec();
    let line = |key: &str| {
        let lines = model.metadata().get(key).unwrap().as_array().unwrap();
        lines.get(3).unwrap().as_str().unwrap().as_bytes().to_vec()
    };
    let digit = |place: usize| [if file[place] == b'0' { b'1' } else { b'0' }];
    for text in [whole, line(keys::INTEGRITY_KEYS), line(keys::INTEGRITY_TENSORS)] {
        let at = find(&file, &text) + 5;
        let run = with_change(&folder, at, &digit(at));
        let expected = "m.gguf: the record is damaged: briq.integrity.whole is not the digest over its lines: \
                        one of them was changed, in bytes 0 to ";
        assert!(run.stdout.starts_with(&format!("FAILED: {expected}")), "{run:?}");
        assert_eq!(run.code, Some(DAMAGED));
    }
}

#[test]
fn a_changed_byte_of_the_metadata_makes_the_record_stale_and_the_key_is_named() {
    let folder = converted();
    let file = folder.read("m.gguf");
    let at = find(&file, b"llama.block_count\x04\0\0\0\x02") + 21;
    let run = with_change(&folder, at, &[3]);
    let expected = "stale: key \"llama.block_count\" has another value\nnote: the record is stale: somebody changed \
                    the file and carried it along\nok: 20 tensors, 656.6 K weights\n";
    assert_eq!(run, Run { code: Some(STALE), stdout: expected.to_owned(), stderr: String::new() });
}

#[test]
fn no_changed_byte_of_the_head_goes_unnoticed() {
    let folder = converted();
    let file = folder.read("m.gguf");
    let head = Gguf::open(folder.path("m.gguf")).unwrap().files().next().unwrap().1.data_start() as usize;
    // Every 61st byte: keys, values, tensor table and record all have some of them.
    for at in (0..head).step_by(61) {
        let mut changed = file.clone();
        changed[at] ^= 1;
        folder.write("m.gguf", changed);
        let run = verify(&folder);
        assert!(matches!(run.code, Some(DAMAGED | 3 | STALE)), "byte {at}: {run:?}");
    }
}

/// Writes the file anew with what `edit` makes of its keys and tensors, as another tool would.
fn edited(folder: &Folder, edit: impl Fn(&mut MetadataBuf, &mut Vec<(TensorSpec, Vec<u8>)>)) {
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    let mut metadata = MetadataBuf::from(model.metadata());
    let tensor = |tensor: briq_format::Tensor<'_>| {
        let ty = tensor.info.tensor_type().unwrap();
        (TensorSpec::new(tensor.name(), tensor.shape(), ty).unwrap(), tensor.bytes().to_vec())
    };
    let mut tensors: Vec<_> = model.tensors().map(tensor).collect();
    edit(&mut metadata, &mut tensors);
    let plan = FilePlan::new(&metadata, tensors.iter().map(|(spec, _)| spec.clone()).collect()).unwrap();
    let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
    for (spec, bytes) in &tensors {
        writer.write(spec.name(), bytes).unwrap();
    }
    fs::write(folder.path("m.gguf"), writer.finish().unwrap()).unwrap();
}

#[track_caller]
fn is_stale(folder: &Folder, lines: &[&str]) {
    let run = verify(folder);
    assert_eq!(run.code, Some(STALE), "{run:?}");
    assert!(!run.stdout.contains("FAILED"), "{}", run.stdout);
    let stale: Vec<_> = run.stdout.lines().filter_map(|line| line.strip_prefix("stale: ")).collect();
    assert_eq!(stale, lines);
}

#[test]
fn edits_of_other_tools_make_the_record_stale_and_are_named() {
    let folder = converted();
    let small = |name: &str| TensorSpec::new(name, Shape::new(&[32]).unwrap(), TensorType::Q8_0).unwrap();
    edited(&folder, |metadata, tensors| {
        metadata.set("general.name", "another").unwrap();
        metadata.set("general.added", 1_u32).unwrap();
        metadata.remove("llama.block_count");
        for (spec, bytes) in tensors.iter_mut() {
            match spec.name() {
                "blk.0.attn_k.weight" => *spec = small("renamed"),
                TENSOR => *spec = small(TENSOR),
                _ => continue,
            }
            bytes.truncate(34);
        }
    });
    is_stale(
        &folder,
        &[
            "key \"general.name\" has another value",
            "key \"llama.block_count\" is gone",
            "key \"general.added\" is new",
            "tensor \"blk.0.attn_k.weight\" is gone",
            "tensor \"blk.1.ffn_up.weight\" was Q8_0 256x256 and is Q8_0 32",
            "tensor \"renamed\" is new",
        ],
    );
}

#[test]
fn another_order_of_tensors_is_stale_and_of_keys_is_none() {
    let folder = converted();
    edited(&folder, |metadata, _| {
        let value = metadata.get("general.architecture").unwrap().into();
        let value: briq_format::OwnedValue = value;
        metadata.set_last("general.architecture", value).unwrap();
    });
    assert_eq!(verify(&folder).code, Some(0));
    edited(&folder, |_, tensors| tensors.swap(4, 5));
    is_stale(&folder, &["the tensors are in another order"]);
}

#[test]
fn damage_in_an_edited_file_is_still_damage() {
    let folder = converted();
    edited(&folder, |metadata, tensors| {
        metadata.set("general.name", "another").unwrap();
        tensors[0].1[5] ^= 1;
    });
    let run = verify(&folder);
    assert_eq!(run.code, Some(DAMAGED), "{run:?}");
    assert!(run.stdout.contains("FAILED: m.gguf: tensor \"output_norm.weight\" is damaged, in bytes "));
    assert!(run.stdout.contains("stale: key \"general.name\" has another value\n"));
}

#[test]
fn a_conversion_replaces_the_record_of_its_source() {
    let folder = converted();
    fs::rename(folder.path("m.gguf"), folder.path("first.gguf")).unwrap();
    // That the source is quantized already is said on standard error.
    let convert = ["convert", "first.gguf", "--type", "Q4_0", "--out", "m.gguf"];
    assert_eq!(folder.briq(&convert).code, Some(0));
    assert!(folder.succeeds(&["verify", "m.gguf"]).starts_with(RECORD_LINE));
    assert_eq!(folder.briq(&[&convert[..], &["--no-record", "--force"]].concat()).code, Some(0));
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    assert!(!model.metadata().iter().any(|(key, _)| key.starts_with(keys::INTEGRITY_PREFIX)));
}

#[test]
fn a_record_speaks_of_the_model_however_it_is_split() {
    let folder = converted();
    let model = Gguf::open(folder.path("m.gguf")).unwrap();
    let tensors: Vec<_> = model.tensors().collect();
    for (number, part) in tensors.chunks(tensors.len().div_ceil(2)).enumerate() {
        let mut metadata = if number == 0 { MetadataBuf::from(model.metadata()) } else { MetadataBuf::new() };
        metadata.set("split.no", number as u16).unwrap();
        metadata.set("split.count", 2_u16).unwrap();
        metadata.set("split.tensors.count", tensors.len() as i32).unwrap();
        let spec = |tensor: &briq_format::Tensor<'_>| {
            TensorSpec::new(tensor.name(), tensor.shape(), tensor.info.tensor_type().unwrap()).unwrap()
        };
        let plan = FilePlan::new(&metadata, part.iter().map(spec).collect()).unwrap();
        let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
        part.iter().for_each(|tensor| writer.write(tensor.name(), tensor.bytes()).unwrap());
        folder.write(&format!("s-0000{}-of-00002.gguf", number + 1), writer.finish().unwrap());
    }
    let shard = "s-00002-of-00002.gguf";
    assert!(folder.succeeds(&["verify", shard]).starts_with(RECORD_LINE));
    let mut file = folder.read(shard);
    let shards = Gguf::open(folder.path(shard)).unwrap();
    let last = shards.tensors().last().unwrap().info;
    file[last.offset_in_file as usize] ^= 1;
    folder.write(shard, file);
    let run = folder.briq(&["verify", "s-00001-of-00002.gguf"]);
    assert_eq!(run.code, Some(DAMAGED));
    assert!(
        run.stdout.starts_with(&format!("FAILED: {shard}: tensor \"{}\" is damaged", last.name)),
        "{run:?}"
    );
}

#[test]
fn a_record_that_is_not_what_briq_writes_is_damaged_and_says_why() {
    let folder = converted();
    let original = folder.read("m.gguf");
    let zeros = "0".repeat(64);
    let twice = |metadata: &MetadataBuf, key: &str| -> Vec<String> {
        let lines = metadata.get(key).unwrap().as_array().unwrap();
        let lines = lines.iter().map(|line| line.as_str().unwrap().to_owned());
        lines.clone().chain(lines).collect()
    };
    type Edit<'a> = &'a dyn Fn(&mut MetadataBuf);
    let cases: [(Edit<'_>, &str); 9] = [
        (
            &|m| m.set(keys::INTEGRITY_VERSION, "1").unwrap(),
            "briq.integrity.version is of type string, where a u32 is allowed",
        ),
        (&|m| assert!(m.remove(keys::INTEGRITY_VERSION)), "briq.integrity.version is missing"),
        (
            &|m| m.set(keys::INTEGRITY_ALGORITHM, "md5").unwrap(),
            "briq.integrity.algorithm is \"md5\", where \"blake3\" is allowed",
        ),
        (
            &|m| m.set(keys::INTEGRITY_WHOLE, "abc").unwrap(),
            "briq.integrity.whole: \"abc\" is no digest: 64 digits from 0 to f are",
        ),
        (
            &|m| m.set(keys::INTEGRITY_TENSORS, 7_u32).unwrap(),
            "briq.integrity.tensors is of type u32, where an array of strings is allowed",
        ),
        (
            &|m| m.set(keys::INTEGRITY_TENSORS, vec![1_u8]).unwrap(),
            "briq.integrity.tensors is of type u8, where an array of strings is allowed",
        ),
        (
            &|m| m.set(keys::INTEGRITY_KEYS, vec!["x"]).unwrap(),
            "briq.integrity.keys, line 0: \"x\" is no digest: 64 digits from 0 to f are",
        ),
        (
            &|m| m.set(keys::INTEGRITY_TENSORS, twice(m, keys::INTEGRITY_TENSORS)).unwrap(),
            "briq.integrity.whole is not the digest over its lines: one of them was changed",
        ),
        (
            &|m| m.set(keys::INTEGRITY_PIECES, vec![zeros.as_str()]).unwrap(),
            "briq.integrity.pieces has 1 line, where each of the 20 tensors has one",
        ),
    ];
    for (edit, problem) in cases {
        folder.write("m.gguf", &original);
        edited(&folder, |metadata, _| edit(metadata));
        let run = verify(&folder);
        let expected = format!("FAILED: m.gguf: the record is damaged: {problem}, in bytes 0 to ");
        assert!(run.code == Some(DAMAGED) && run.stdout.starts_with(&expected), "{expected}: {run:?}");
    }
}

#[test]
fn a_record_of_another_version_is_left_alone() {
    let folder = converted();
    edited(&folder, |metadata, _| metadata.set(keys::INTEGRITY_VERSION, 2_u32).unwrap());
    let expected = "note: the record is of version 2, where 1 is known: nothing was held against it\n\
                    ok: 20 tensors, 656.6 K weights\n";
    assert_eq!(
        verify(&folder),
        Run { code: Some(STALE), stdout: expected.to_owned(), stderr: String::new() }
    );
}

#[test]
fn inspect_and_snapshot_show_that_there_is_a_record_and_not_every_digest() {
    let folder = converted();
    let shown = folder.succeeds(&["inspect", "m.gguf", "--metadata"]);
    assert!(shown.contains("briq.integrity.tensors                     array  20 × string\n"), "{shown}");
    let whole = Gguf::open(folder.path("m.gguf")).unwrap();
    let whole = whole.metadata().str(keys::INTEGRITY_WHOLE).unwrap().to_owned();
    let snapshot = folder.succeeds(&["snapshot", "m.gguf"]);
    assert!(snapshot.contains("briq.integrity.whole string\n") && !snapshot.contains(&whole), "{snapshot}");
    let lines = folder.succeeds(&["inspect", "m.gguf", "briq.integrity.tensors"]);
    assert_eq!(lines.lines().count(), 20);
}
