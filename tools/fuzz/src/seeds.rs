//! Where each target starts: the fixtures, cut to what it takes.

use std::fs;

use briq_format::TensorType;

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
    one("checkpoints/tiny-llama-yarn/model.safetensors.index.json")
}

pub(crate) fn config() -> Vec<Vec<u8>> {
    let checkpoints = ["tiny-llama", "tiny-llama-yarn", "tiny-mistral", "tiny-bert", "tiny-llama-spm"];
    checkpoints.iter().flat_map(|name| one(&format!("checkpoints/{name}/config.json"))).collect()
}

pub(crate) fn tokenizer() -> Vec<Vec<u8>> {
    ["tiny-llama", "tiny-bert"]
        .iter()
        .flat_map(|name| one(&format!("checkpoints/{name}/tokenizer.json")))
        .collect()
}

pub(crate) fn tokenizer_config() -> Vec<Vec<u8>> {
    ["tiny-llama", "tiny-llama-spm", "tiny-bert"]
        .iter()
        .flat_map(|name| one(&format!("checkpoints/{name}/tokenizer_config.json")))
        .collect()
}

pub(crate) fn sentencepiece() -> Vec<Vec<u8>> {
    one("checkpoints/tiny-llama-spm/tokenizer.model")
}

pub(crate) fn model_card() -> Vec<Vec<u8>> {
    one("checkpoints/tiny-bert/README.md")
}

pub(crate) fn imatrix_gguf() -> Vec<Vec<u8>> {
    one("imatrix/tiny-llama.gguf")
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
    let text = "base = \"Q4_K_M\"\npure = true\nkeep = [\"norm\"]\noutput = \"Q6_K\"\n\n[[tensor]]\npattern = \"attn_v\"\ntype = \"Q8_0\"\n";
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
