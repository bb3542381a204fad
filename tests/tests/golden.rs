//! Conversions of the small checkpoints give the files that llama.cpp's converter wrote for them.

#![allow(clippy::unwrap_used)]

use briq_format::Gguf;
use briq_tests::Folder;

/// Converts a checkpoint in a folder called `hf`, as the one of the converter was: the name ends up in the file. The
/// converter writes no record.
fn convert(checkpoint: &str, recipe: &str) -> (Folder, Vec<u8>) {
    let folder = Folder::with(&format!("checkpoints/{checkpoint}"), "hf");
    folder.succeeds(&["convert", "hf", "--type", recipe, "--no-record", "--out", "out.gguf"]);
    let file = folder.read("out.gguf");
    (folder, file)
}

#[test]
fn tiny_llama_in_f32_is_the_file_of_the_converter() {
    let (_, file) = convert("tiny-llama", "F32");
    let expected = Folder::with("golden/tiny-llama-f32.gguf", "golden").read("golden");
    assert!(file == expected, "the files differ; `briq snapshot` of both shows where");
}

/// Checkpoint, type, and the BLAKE3 hash of the file that llama.cpp's converter 0.5.0-dev (with transformers
/// 4.57.6) wrote: the whole file, keys, order and padding included.
const FILES_OF_THE_CONVERTER: [(&str, &str, &str); 8] = [
    ("tiny-llama", "F32", "b149568ca6f06e8a6a2691ca82ed4e63844d0fb51415a0bf91e62de62efd0a05"),
    ("tiny-llama-spm", "F32", "7ff88db160720d4963d7030e712090e6429f2f6243664216081683340568720e"),
    ("tiny-llama-spm", "F16", "a6edf33b118b3c3599e5ae4f802f4856cfce64222857a18fea4dc4d3ccd41607"),
    ("tiny-llama-spm", "BF16", "9418bb4e7aac52138062400ded40c6337d91f7a11a61928bfe53c7a140c2f3f6"),
    ("tiny-llama-yarn", "F32", "a3ab629d80b6ce8d1206720ad38e2a8f309aef45374a4cd7599427226516d591"),
    ("tiny-mistral", "F32", "407bf056b6361b984c2f538bd991fbad424b5d942dcac47c5db750e31785fa38"),
    ("tiny-bert", "F32", "e183ca1805d484e5ade0dd5f57f9cba7984be2786c7b0690c8b516697e7463bf"),
    ("tiny-bert", "F16", "419e10ded4a49328d26e96a6c2df2d606691936b655062876611d350ff62aeb7"),
];

#[test]
fn every_checkpoint_converts_to_the_file_of_the_converter() {
    for (checkpoint, recipe, expected) in FILES_OF_THE_CONVERTER {
        let (_, file) = convert(checkpoint, recipe);
        assert_eq!(blake3::hash(&file).to_string(), expected, "{checkpoint} as {recipe}");
    }
}

#[test]
fn tiny_llama_in_q4_k_m_is_the_file_of_the_last_release() {
    let (folder, _) = convert("tiny-llama", "Q4_K_M");
    let model = Gguf::open(folder.path("out.gguf")).unwrap();
    insta::assert_snapshot!(model.snapshot());
}

/// A directory of a family, and the BLAKE3 hash of the F32 file that llama.cpp's converter wrote for it.
const FAMILIES: [(&str, &str); 11] = [
    ("gpt_oss-mxfp4", "333729a76a5eba1c42964f820798aab7f63302cdf20b5744a816873f308715e1"),
    ("granitemoe", "a8512e2771806da607ff51449e140ce0859f6cadda78fe3699bda4037bdc2f08"),
    ("mixtral", "559422ced4978aa133f263ab08d89f5aef5034163e02777268c67bbcc24f37ee"),
    ("falcon_h1", "1b6311c9df43f0b06b6471232206cf33ea260fc7c081b975b5e789f2712ae434"),
    ("bitnet", "2a40cee954834ff8f5966ba9c3508fd166ce07e32a9542be28e3fe1285a4d384"),
    ("roberta", "45c17e1e7193a0ebac9777660a8bf64d5d281042391e2f31e70e68cccc683b1d"),
    ("lfm2", "95c9cd0e7c36b717a3beacce69f0471da69d95d9e4db443cc14fea2665028f40"),
    ("phi3-longrope", "64f0f11078f00ce7650c9915dcf1089e2940b686b861ca8daa424febef4bc589"),
    ("mamba", "1f7d006afd5a2d378548b1d7b8d7e8b0255092cc6072a090d9122c789133f4cb"),
    ("gemma2", "a043bc8f5285fd9b7ffe6cde6437136aea8363ea31af9b98e355a69dbe55450f"),
    ("deepseek_v2-lite", "8f90ae10b04ac92c4f7d3880f583b5a8ffab63d65b729357a4dd989957ce2b59"),
];

#[test]
fn every_kind_of_tensor_change_gives_the_file_of_the_converter() {
    for (family, expected) in FAMILIES {
        let folder = Folder::with(&format!("families/{family}"), "hf");
        folder.succeeds(&["convert", "hf", "--type", "F32", "--no-record", "--out", "out.gguf"]);
        assert_eq!(blake3::hash(&folder.read("out.gguf")).to_string(), expected, "{family}");
        // A small budget cuts tensors into many pieces; not a byte may depend on it.
        folder.succeeds(&[
            "convert",
            "hf",
            "--type",
            "F32",
            "--max-memory",
            "1MiB",
            "--threads",
            "2",
            "--no-record",
            "--out",
            "small.gguf",
        ]);
        assert!(folder.read("out.gguf") == folder.read("small.gguf"), "{family}");
    }
}
