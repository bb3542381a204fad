//! A model in three shards opens as one from any of them, and a set that does not fit together is refused.

#![allow(clippy::unwrap_used)]

use std::fs;

use briq_format::{FilePlan, Gguf, MetadataBuf, TensorSpec, TensorWriter, parse};
use briq_tests::Folder;

const WHOLE: &str = "golden/tiny-llama-f32.gguf";
const BAD_INPUT: i32 = 3;

fn name(number: usize) -> String {
    format!("model-{:05}-of-00003.gguf", number + 1)
}

/// What a shard says of itself and of the set.
struct Split {
    number: u16,
    count: u16,
    tensors: i32,
}

/// A shard of the whole file: the tensors from the first given one on, as many as given.
fn shard(split: &Split, first: usize, length: usize) -> Vec<u8> {
    let whole = Folder::with(WHOLE, "whole").read("whole");
    let parsed = parse(&whole).unwrap();
    // The first shard carries the model's keys.
    let mut metadata = match split.number {
        0 => MetadataBuf::from(parsed.view().metadata()),
        _ => MetadataBuf::new(),
    };
    metadata.set("split.no", split.number).unwrap();
    metadata.set("split.count", split.count).unwrap();
    metadata.set("split.tensors.count", split.tensors).unwrap();
    let tensors: Vec<_> = parsed.view().tensors().skip(first).take(length).collect();
    let spec = |tensor: &briq_format::Tensor<'_>| {
        TensorSpec::new(tensor.name(), tensor.shape(), tensor.info.tensor_type().unwrap()).unwrap()
    };
    let plan = FilePlan::new(&metadata, tensors.iter().map(spec).collect()).unwrap();
    let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
    tensors.iter().for_each(|tensor| writer.write(tensor.name(), tensor.bytes()).unwrap());
    writer.finish().unwrap()
}

/// Where the three shards begin in the list of 20 tensors, and how many each has.
const PARTS: [(usize, usize); 3] = [(0, 7), (7, 12), (19, 1)];

fn model() -> Folder {
    let folder = Folder::new();
    for (number, (first, length)) in PARTS.into_iter().enumerate() {
        let split = Split { number: number as u16, count: 3, tensors: 20 };
        folder.write(&name(number), shard(&split, first, length));
    }
    folder
}

#[test]
fn a_model_opens_whole_from_any_of_its_shards() {
    let folder = model();
    folder.copy(WHOLE, "whole.gguf");
    let whole = Gguf::open(folder.path("whole.gguf")).unwrap();
    for number in 0..3 {
        let sharded = Gguf::open(folder.path(&name(number))).unwrap();
        assert_eq!(sharded.files().len(), 3);
        assert_eq!(sharded.metadata().architecture(), Some("llama"));
        assert_eq!(sharded.tensors().count(), 20);
        for (sharded, whole) in sharded.tensors().zip(whole.tensors()) {
            assert_eq!((sharded.name(), sharded.shape()), (whole.name(), whole.shape()));
            assert!(sharded.bytes() == whole.bytes(), "{}", whole.name());
        }
        assert!(sharded.tensor("output_norm.weight").is_some());
    }
}

#[test]
fn shards_convert_to_the_file_that_the_whole_converts_to() {
    let folder = model();
    folder.copy(WHOLE, "whole.gguf");
    for recipe in ["Q4_K_M", "auto"] {
        let convert = |name: &str| {
            folder.succeeds(&["convert", name, "--type", recipe, "--out", "out.gguf", "--force"]);
            folder.read("out.gguf")
        };
        let expected = convert("whole.gguf");
        for number in 0..3 {
            assert!(convert(&name(number)) == expected, "{recipe} from shard {number}");
        }
    }
}

#[test]
fn a_missing_shard_is_named_whichever_is_opened() {
    for missing in 0..3 {
        let folder = model();
        fs::remove_file(folder.path(&name(missing))).unwrap();
        let message = format!("{}: cannot open: No such file or directory (os error 2)", name(missing));
        for present in (0..3).filter(|&number| number != missing) {
            folder.refuses(&["inspect", &name(present)], BAD_INPUT, &message);
        }
    }
}

/// Replaces a shard by a false one, and expects the message.
#[track_caller]
fn contradiction(place: usize, split: &Split, first: usize, length: usize, message: &str) {
    let folder = model();
    folder.write(&name(place), shard(split, first, length));
    for number in 0..3 {
        // Where the shard that is named has another count than its name, it is the first to be looked at.
        folder.refuses(&["inspect", &name(number)], BAD_INPUT, message);
    }
}

#[test]
fn shards_that_contradict_each_other_are_named() {
    let second = |number, tensors| Split { number, count: 3, tensors };
    contradiction(
        1,
        &second(2, 20),
        7,
        12,
        "model-00002-of-00003.gguf: split.no is 2, where its place in the set asks for 1",
    );
    contradiction(
        1,
        &second(1, 20),
        6,
        13,
        "model-00002-of-00003.gguf: tensor \"blk.0.attn_k.weight\" is in an earlier shard as well",
    );
    contradiction(
        0,
        &second(0, 21),
        0,
        7,
        "model-00001-of-00003.gguf: split.tensors.count is 21, but the shards hold 20 tensors",
    );
    contradiction(
        2,
        &second(2, 20),
        19,
        0,
        "model-00001-of-00003.gguf: split.tensors.count is 20, but the shards hold 19 tensors",
    );
}

#[test]
fn a_shard_of_a_set_of_another_size_is_refused_when_it_is_opened_and_when_another_is() {
    let folder = model();
    folder.write(&name(1), shard(&Split { number: 1, count: 2, tensors: 20 }, 7, 12));
    folder.refuses(
        &["inspect", &name(1)],
        BAD_INPUT,
        "model-00002-of-00003.gguf: a shard of 2, so its name must end in -00001-of-00002.gguf or the like",
    );
    folder.refuses(
        &["inspect", &name(0)],
        BAD_INPUT,
        "model-00002-of-00003.gguf: split.count is 2, where its place in the set asks for 3",
    );
}

#[test]
fn a_shard_under_another_name_is_refused() {
    let folder = model();
    fs::rename(folder.path(&name(0)), folder.path("first.gguf")).unwrap();
    folder.refuses(
        &["inspect", "first.gguf"],
        BAD_INPUT,
        "first.gguf: a shard of 3, so its name must end in -00001-of-00003.gguf or the like",
    );
}

#[test]
fn a_set_of_the_most_shards_is_refused_at_the_first_that_is_missing() {
    let folder = Folder::new();
    let first = "model-00001-of-65535.gguf";
    folder.write(first, shard(&Split { number: 0, count: 65_535, tensors: 20 }, 0, 7));
    folder.refuses(
        &["inspect", first],
        BAD_INPUT,
        "model-00002-of-65535.gguf: cannot open: No such file or directory (os error 2)",
    );
}
