//! Where each target starts: the fixtures, cut to what it takes.

use std::fs;

use briq_format::{FilePlan, MetadataBuf, OwnedValue, Shape, TensorSpec, TensorType, TensorWriter};
use serde_json::Value;

use crate::checkpoint::{self, CONFIG, TOKENIZER_CONFIG, TOKENS};
use crate::scratch::fixtures;

/// The longest seed, in bytes. Mutating a longer one changes little of it.
const MAX_BYTES: usize = 1 << 16;

/// Files of a folder of the fixtures with this ending.
fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(fixtures().join(folder)).expect("the fixtures are there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(ending));
    // The order of a folder differs from machine to machine; that of the seeds does not.
    paths.sort();
    let files = paths.into_iter().map(|path| fs::read(path).expect("a fixture can be read"));
    files.filter(|file| file.len() <= MAX_BYTES).collect()
}

fn one(path: &str) -> Vec<Vec<u8>> {
    vec![fs::read(fixtures().join(path)).expect("a fixture can be read")]
}

pub(crate) fn gguf() -> Vec<Vec<u8>> {
    [files("container", ".gguf"), files("malformed", ".gguf")].concat()
}

/// The files of version 3, little-endian, behind their counts.
fn heads(counts: impl Fn(u8, u8) -> Vec<u8>) -> Vec<Vec<u8>> {
    let is_usual = |file: &Vec<u8>| file.len() > 24 && file[..8] == *b"GGUF\x03\0\0\0";
    let files = gguf().into_iter().filter(is_usual);
    files.map(|file| [counts(file[8], file[16]), file[24..].to_vec()].concat()).collect()
}

/// 4 stands for version 3, little-endian.
pub(crate) fn metadata() -> Vec<Vec<u8>> {
    heads(|_, keys| vec![4, keys])
}

pub(crate) fn tensor_table() -> Vec<Vec<u8>> {
    let heads = heads(|tensors, _| vec![4, tensors, 4]);
    // A table alone: only of files that have no keys.
    let files = gguf().into_iter().zip(heads);
    files.filter(|(file, _)| file.get(16) == Some(&0)).map(|(_, head)| head).collect()
}

pub(crate) fn structured() -> Vec<Vec<u8>> {
    (0..24_u8)
        .map(|seed| (0..200_u8).map(|at| at.wrapping_mul(seed * 2 + 1).wrapping_add(seed)).collect())
        .collect()
}

pub(crate) fn safetensors() -> Vec<Vec<u8>> {
    let whole = [files("container", ".safetensors"), files("malformed", ".safetensors")].concat();
    let headers = whole.iter().filter(|file| file.get(8) == Some(&b'{')).map(|file| file[8..].to_vec());
    headers.chain(whole.clone()).collect()
}

pub(crate) fn index() -> Vec<Vec<u8>> {
    vec![checkpoint::index().into_bytes()]
}

/// The config of the model, and those of the fixtures, which are of other families.
pub(crate) fn config() -> Vec<Vec<u8>> {
    let families = fs::read_dir(fixtures().join("families")).expect("the fixtures are there");
    let mut paths: Vec<_> =
        families.map(|entry| entry.expect("a folder can be listed").path().join("config.json")).collect();
    paths.sort();
    let others = paths.iter().map(|path| fs::read(path).expect("a fixture can be read"));
    [CONFIG.into()].into_iter().chain(others).collect()
}

/// The tokenizer that the model has.
pub(crate) fn first_tokenizer() -> Vec<u8> {
    cut_tokenizer("checkpoints/tiny-llama")
}

/// Tokenizers of every kind, cut to the tokens that the model has.
pub(crate) fn tokenizer() -> Vec<Vec<u8>> {
    let others = [
        "checkpoints/tiny-bert",
        "checkpoints/tiny-mistral",
        "tokenizers/bpe-deepseek",
        "tokenizers/bpe-glm4",
        "tokenizers/sentencepiece-gemma2",
        "tokenizers/unigram-t5",
    ];
    [first_tokenizer()].into_iter().chain(others.map(cut_tokenizer)).collect()
}

/// A `tokenizer.json` of the fixtures without the tokens past those that the model has, and without what names
/// them.
fn cut_tokenizer(folder: &str) -> Vec<u8> {
    let text = fs::read(fixtures().join(folder).join("tokenizer.json")).expect("a fixture can be read");
    let mut json: Value = serde_json::from_slice(&text).expect("a fixture is JSON");
    let is_kept = |id: &Value| id.as_u64().is_some_and(|id| id < TOKENS as u64);
    match &mut json["model"]["vocab"] {
        Value::Object(vocabulary) => vocabulary.retain(|_, id| is_kept(id)),
        Value::Array(vocabulary) => vocabulary.truncate(TOKENS),
        _ => {}
    }
    if let Some(added) = json["added_tokens"].as_array_mut() {
        added.retain(|token| is_kept(&token["id"]));
    }
    let vocabulary = json["model"]["vocab"].clone();
    if let Some(merges) = json["model"]["merges"].as_array_mut() {
        merges.retain(|merge| {
            let pair: Vec<&str> = match merge {
                Value::String(pair) => pair.split(' ').collect(),
                pair => pair.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
            };
            let made = [pair.concat()];
            pair.iter()
                .copied()
                .chain(made.iter().map(String::as_str))
                .all(|text| vocabulary.get(text).is_some())
        });
    }
    json["post_processor"] = Value::Null;
    json["decoder"] = Value::Null;
    json.to_string().into_bytes()
}

pub(crate) fn tokenizer_config() -> Vec<Vec<u8>> {
    let fixtures = ["tiny-llama", "tiny-llama-spm", "tiny-bert"]
        .iter()
        .flat_map(|name| one(&format!("checkpoints/{name}/tokenizer_config.json")));
    [TOKENIZER_CONFIG.into()].into_iter().chain(fixtures).collect()
}

/// A model with the first pieces of the fixture's and all of its other fields.
pub(crate) fn sentencepiece() -> Vec<Vec<u8>> {
    let model = one("checkpoints/tiny-llama-spm/tokenizer.model").concat();
    let (mut rest, mut pieces, mut cut) = (&model[..], 0, Vec::new());
    // Every field at the top is a tag of one byte, a length, and so many bytes; pieces are field 1.
    while let [tag, after @ ..] = rest {
        let digits = after.iter().take_while(|byte| **byte >= 128).count() + 1;
        let length =
            after[..digits].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 127));
        let (field, next) = rest.split_at(1 + digits + length);
        pieces += usize::from(*tag == 10);
        if *tag != 10 || pieces <= TOKENS {
            cut.extend(field);
        }
        rest = next;
    }
    vec![cut]
}

pub(crate) fn model_card() -> Vec<Vec<u8>> {
    one("checkpoints/tiny-bert/README.md")
}

/// Two entries, of which one has a count per expert.
pub(crate) fn imatrix_gguf() -> Vec<Vec<u8>> {
    let mut metadata = MetadataBuf::new();
    let mut set = |key, value: OwnedValue| metadata.set(key, value).expect("a key is set");
    set("general.type", "imatrix".into());
    set("imatrix.datasets", vec!["text".to_owned()].into());
    set("imatrix.chunk_count", 3_u32.into());
    set("imatrix.chunk_size", 8_u32.into());
    let spec = |name: &str, dims: &[u64]| {
        let shape = Shape::new(dims).expect("a shape");
        TensorSpec::new(name, shape, TensorType::F32).expect("a tensor")
    };
    let specs = vec![
        spec("a.in_sum2", &[4]),
        spec("a.counts", &[1]),
        spec("b.in_sum2", &[2, 2]),
        spec("b.counts", &[1, 2]),
    ];
    let plan = FilePlan::new(&metadata, specs).expect("a plan");
    let mut writer = TensorWriter::new(&plan, Vec::new()).expect("a head is written");
    for spec in plan.tensors() {
        writer
            .write(spec.name(), &3_f32.to_le_bytes().repeat(spec.bytes() as usize / 4))
            .expect("it is written");
    }
    vec![writer.finish().expect("it is whole")]
}

/// Two entries, a number of chunks and the name of a dataset.
pub(crate) fn imatrix_legacy() -> Vec<Vec<u8>> {
    let mut file = 2_i32.to_le_bytes().to_vec();
    for name in ["blk.0.attn_q.weight", "w"] {
        file.extend((name.len() as i32).to_le_bytes());
        file.extend(name.bytes());
        file.extend([7_i32, 3].iter().flat_map(|number| number.to_le_bytes()));
        file.extend([0.0_f32, 1.5, 3e9].iter().flat_map(|value| value.to_le_bytes()));
    }
    let without_end = file.clone();
    file.extend([7_i32, 4].iter().flat_map(|number| number.to_le_bytes()));
    file.extend(b"text");
    vec![file, without_end]
}

/// Each type with a few hundred bytes.
pub(crate) fn blocks() -> Vec<Vec<u8>> {
    let of = |ty: usize| {
        (0..1200_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 % 191).fold(
            vec![ty as u8],
            |mut all, byte| {
                all.push(byte);
                all
            },
        )
    };
    (0..TensorType::ALL.len()).map(of).collect()
}

pub(crate) fn recipe_file() -> Vec<Vec<u8>> {
    let text = "base = \"Q4_K_M\"\npure = true\nkeep = [\"norm\"]\noutput = \"Q6_K\"\n\n\
                [[tensor]]\npattern = \"attn_v\"\ntype = \"Q8_0\"\n";
    vec![text.into(), b"base = \"F16\"".to_vec()]
}

pub(crate) fn arguments() -> Vec<Vec<u8>> {
    let lines = [
        "convert model --type Q4_K_M --out out.gguf --force --threads 4 --max-memory 64MiB",
        "convert model --type Q4_K_M --tensor-type attn_v=Q8_0 --keep norm --pure --dry-run --json",
        "convert model --recipe r.toml --imatrix i.gguf --arch llama --pre gpt2 --no-fallback",
        "inspect model.gguf --metadata --json general.architecture",
        "verify model.gguf --source model --arch llama",
        "hash model.gguf --all --no-layer --json",
        "convert model.gguf --type Q8_0 --in-place --no-record",
        "verify model.gguf --against list",
        "snapshot model.gguf --check m.snap",
        "imatrix merge a.gguf b.dat --out c.gguf --chunk-size 512",
        "imatrix info a.dat --json",
        "bench encode --type Q4_K --threads 2 --peer lib",
        "types --json",
        "completions bash",
    ];
    lines.iter().map(|line| line.replace(' ', "\0").into_bytes()).collect()
}
