//! Weights that are not finite, or would not be as what they are to become: refused, unless the user wants them.

use briq_format::TensorType;
use briq_tests::{Folder, legacy_imatrix, two_rows};

const BAD_INPUT: i32 = 3;

#[test]
fn a_weight_that_is_not_finite_is_named_by_tensor_and_index() {
    for (weight, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut weights = [1.0; 64];
        weights[41] = weight;
        let folder = Folder::new();
        folder.write("w.safetensors", two_rows(&weights));
        let message = format!(
            "w.safetensors: tensor \"w.weight\": weight 41 is {word}; --allow-non-finite takes it as it is"
        );
        let convert = ["convert", "w.safetensors", "--arch", "x", "--type", "Q4_0", "--out", "out.gguf"];
        folder.refuses(&convert, BAD_INPUT, &message);
    }
}

#[test]
fn no_encoder_is_given_a_weight_that_is_not_finite() {
    let folder = Folder::new();
    // Some types are refused without importance before their weights are looked at.
    folder.write("m.dat", legacy_imatrix(&[("w.weight", 1, &[1.0; 256])]));
    let convert = |ty: TensorType| {
        let convert = ["convert", "w.safetensors", "--arch", "x", "--imatrix", "m.dat", "--out", "out.gguf"];
        let ty = format!("w={ty}");
        folder.briq(&[&convert[..], &["--force", "--type", "F16", "--tensor-type", &ty]].concat())
    };
    for &ty in TensorType::ALL.iter().filter(|&&ty| briq_codec::can_encode(ty)) {
        let mut weights = [1.0; 512];
        folder.write("w.safetensors", two_rows(&weights));
        assert_eq!(convert(ty).code, Some(0), "{ty}");
        for (weight, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
            weights[300] = weight;
            folder.write("w.safetensors", two_rows(&weights));
            let run = convert(ty);
            assert_eq!(run.code, Some(BAD_INPUT), "{ty}, {word}: {run:?}");
            // Weights that stay as they are were never decoded to anything that could be shown.
            let word = if ty == TensorType::F32 { "not finite as F32" } else { word };
            let message = format!("briq: w.safetensors: tensor \"w.weight\": weight 300 is {word}; ");
            assert!(run.stderr.starts_with(&message), "{ty}: {run:?}");
        }
    }
}

#[test]
fn a_weight_too_large_for_the_type_is_named_and_taken_only_when_allowed() {
    let folder = Folder::new();
    let mut weights = [1.0; 64];
    weights[41] = 1e6;
    folder.write("w.safetensors", two_rows(&weights));
    let convert = |ty, more: &[&'static str]| {
        [&["convert", "w.safetensors", "--arch", "x", "--type", ty, "--out", "out.gguf"], more].concat()
    };
    for (ty, what) in [
        ("F16", "weight 41 is not finite as F16"),
        ("Q4_0", "the Q4_0 block of weights 32 to 63 stands for a number that is not finite"),
    ] {
        let way_out = "--allow-non-finite takes it as it is";
        let message = format!("w.safetensors: tensor \"w.weight\": {what}; {way_out}");
        folder.refuses(&convert(ty, &[]), BAD_INPUT, &message);
    }
    folder.succeeds(&convert("F16", &["--allow-non-finite"]));
}

#[test]
fn weights_that_are_not_finite_are_encoded_when_that_is_allowed() {
    let folder = Folder::new();
    let mut weights = [1.0; 64];
    weights[41] = f32::INFINITY;
    folder.write("w.safetensors", two_rows(&weights));
    folder.succeeds(&[
        "convert",
        "w.safetensors",
        "--arch",
        "x",
        "--type",
        "F32",
        "--out",
        "out.gguf",
        "--allow-non-finite",
    ]);
    assert!(folder.read("out.gguf").windows(4).any(|bytes| bytes == f32::INFINITY.to_le_bytes()));
}
