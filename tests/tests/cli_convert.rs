//! `briq convert` does what its help says.

#![allow(clippy::unwrap_used)]

use std::fs;

use briq_format::Gguf;
use briq_tests::Folder;

const MODEL: &str = "checkpoints/tiny-llama";
const WRONG_USAGE: i32 = 2;

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn without_out_the_file_gets_the_name_of_the_convention_in_the_current_directory() {
    let folder = Folder::with(MODEL, "Parrot-Instruct-v2");
    folder.succeeds(&["convert", "Parrot-Instruct-v2", "--type", "Q8_0"]);
    assert!(folder.path("Parrot-657K-Instruct-v2-Q8_0.gguf").exists(), "{:?}", folder.files().keys());
}

#[test]
fn the_plan_shows_every_tensor_with_its_type_and_the_reason() {
    let folder = Folder::with(MODEL, "model");
    insta::assert_snapshot!(folder.succeeds(&["convert", "model", "--type", "Q4_K_M", "--dry-run"]));
}

#[test]
fn a_dry_run_writes_nothing_and_its_sizes_are_those_of_the_file() {
    let folder = Folder::with(MODEL, "model");
    let before = folder.files();
    let convert = ["convert", "model", "--type", "Q4_K_M", "--out", "out.gguf", "--json"];
    let plan = json(&folder.succeeds(&[&convert[..], &["--dry-run"]].concat()));
    assert_eq!(folder.files(), before);
    assert_eq!((&plan["written"], &plan["seconds"]), (&false.into(), &serde_json::Value::Null));

    let report = json(&folder.succeeds(&convert));
    assert_eq!((&report["written"], &report["tensors"]), (&true.into(), &plan["tensors"]));
    assert_eq!(plan["bytes"], fs::metadata(folder.path("out.gguf")).unwrap().len());
    let model = Gguf::open(folder.path("out.gguf")).unwrap();
    let planned = plan["tensors"].as_array().unwrap();
    assert_eq!(planned.len(), model.tensors().count());
    for (planned, tensor) in planned.iter().zip(model.tensors()) {
        let info = tensor.info;
        assert_eq!(planned["name"], info.name);
        assert_eq!(planned["type"], info.type_id.to_string());
        assert_eq!(planned["offset"], info.offset_in_file, "{}", info.name);
        assert_eq!(planned["bytes"], info.bytes, "{}", info.name);
    }
}

#[test]
fn a_dry_run_refuses_the_outputs_that_a_run_refuses() {
    let folder = Folder::with(MODEL, "model");
    let convert = ["convert", "model", "--type", "Q4_0"];
    folder.succeeds(&[&convert[..], &["--out", "Parrot.gguf"]].concat());
    folder.succeeds(&convert);
    let name = folder.names().into_iter().find(|name| !["Parrot.gguf", "model"].contains(&name.as_str()));
    let by_convention = format!("{}: the output exists; pass --force to replace it", name.unwrap());
    for (out, message) in [
        (&[][..], by_convention.as_str()),
        (&["--out", "Parrot.gguf"], "Parrot.gguf: the output exists; pass --force to replace it"),
        (&["--out", "none/x.gguf"], "none/x.gguf: there is no folder none"),
        (&["--out", "model"], "model: the output is there and is no regular file"),
        (&["--out", "x/"], "x/: the output is to be a file, not a folder"),
        (
            &["--out", "model/config.json", "--force"],
            "model/config.json: the output is a file of the source (model/config.json); write to another name",
        ),
    ] {
        for dry in [&[][..], &["--dry-run"], &["--dry-run", "--json"]] {
            folder.refuses(&[&convert[..], out, dry].concat(), WRONG_USAGE, message);
        }
    }
    folder.succeeds(&[&convert[..], &["--dry-run", "--force"]].concat());
    folder.succeeds(&["convert", "Parrot.gguf", "--type", "Q4_0", "--in-place", "--dry-run"]);
}

#[test]
fn a_run_prints_one_line_with_sizes_bits_and_time_and_nothing_on_standard_error() {
    let folder = Folder::with(MODEL, "model");
    let printed = folder.succeeds(&["convert", "model", "--type", "Q4_0", "--out", "out.gguf"]);
    let (facts, time) = printed.rsplit_once(", ").unwrap();
    let bytes = fs::metadata(folder.path("out.gguf")).unwrap().len();
    assert_eq!(facts, format!("out.gguf: {:.1} kB from 1.3 MB, 4.86 bits per weight", bytes as f64 / 1000.0));
    assert!(time.ends_with(" s\n") && time.trim_end_matches(" s\n").parse::<f64>().is_ok(), "{time:?}");
}

#[test]
fn tensor_types_can_be_chosen_by_pattern_and_the_first_match_decides() {
    let folder = Folder::with(MODEL, "model");
    folder.succeeds(&[
        "convert",
        "model",
        "--type",
        "Q4_K_M",
        "--out",
        "out.gguf",
        "--tensor-type",
        r"blk\.0\.ffn_up=Q8_0",
        "--tensor-type",
        "ffn_up=F16",
    ]);
    let model = Gguf::open(folder.path("out.gguf")).unwrap();
    let ty = |name: &str| model.tensor(name).unwrap().info.type_id.to_string();
    assert_eq!(ty("blk.0.ffn_up.weight"), "Q8_0");
    assert_eq!(ty("blk.1.ffn_up.weight"), "F16");
    assert_eq!(ty("blk.1.ffn_gate.weight"), "Q4_K");
}

#[test]
fn patterns_that_match_no_tensor_are_named_and_change_nothing() {
    let folder = Folder::with(MODEL, "model");
    let plain = ["convert", "model", "--type", "Q8_0", "--out", "plain.gguf"];
    folder.succeeds(&plain);
    let slips = ["--tensor-type", "ffn_dwon=F16", "--keep", r"blk\.99\."];
    let convert = [&["convert", "model", "--type", "Q8_0", "--out", "slip.gguf"], &slips[..]].concat();
    let run = folder.briq(&convert);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (
            Some(0),
            "briq: no tensor matches the pattern \"ffn_dwon\"\nbriq: no tensor matches the pattern \"blk\\.99\\.\"\n"
        )
    );
    assert_eq!(folder.read("slip.gguf"), folder.read("plain.gguf"));
    let plan = folder.succeeds(&[&convert[..], &["--force", "--dry-run"]].concat());
    assert!(plan.contains("no tensor matches: ffn_dwon\n"), "{plan}");
}

#[test]
fn types_that_are_named_and_that_no_tensor_gets_are_said() {
    let folder = Folder::with(MODEL, "model");
    let norm = "the Q8_0 that is named for the pattern attn_norm: blk.0.attn_norm.weight is F32 (one dimension: \
                not quantized)";
    let later = "the Q6_K that is named for the pattern 1.ffn_up: blk.1.ffn_up.weight is F16 (F16 is named for the \
                 pattern ffn_up)";
    let embedding = "the Q8_0 that is named for the pattern token: token_embd.weight is Q5_0 (Q5_0 is named for \
                     token_embd)";
    let output = "the Q8_0 that is named for output: token_embd.weight is Q4_0 (recipe default)";
    for (options, said) in [
        (&["--tensor-type", "attn_norm=Q8_0"][..], norm),
        (&["--tensor-type", "ffn_up=F16", "--tensor-type", "1.ffn_up=Q6_K"], later),
        (&["--tensor-type", "token=Q8_0", "--token-embedding-type", "Q5_0"], embedding),
        (&["--output-tensor-type", "Q8_0", "--pure"], output),
        // A tensor got it, by this name or another, or as far as its rows fit.
        (&["--tensor-type", ".*=Q8_0"], ""),
        (&["--tensor-type", "attn_norm=F32"], ""),
        (&["--tensor-type", "ffn_up=F16", "--tensor-type", "ffn=Q6_K"], ""),
        (&["--tensor-type", "attn_output=Q4_K"], ""),
        (&["--output-tensor-type", "Q8_0"], ""),
    ] {
        let convert =
            [&["convert", "model", "--type", "Q4_0", "--out", "out.gguf", "--force"], options].concat();
        let run = folder.briq(&convert);
        let line = if said.is_empty() { String::new() } else { format!("briq: no tensor gets {said}\n") };
        assert_eq!((run.code, run.stderr), (Some(0), line.clone()), "{options:?}");
        let plan = folder.succeeds(&[&convert[..], &["--dry-run"]].concat());
        assert!(plan.contains(line.trim_start_matches("briq: ")), "{plan}");
        let report = json(&folder.succeeds(&[&convert[..], &["--dry-run", "--json"]].concat()));
        assert_eq!(
            report["unheeded"].as_array().unwrap().len(),
            usize::from(!said.is_empty()),
            "{options:?}"
        );
    }
}

#[test]
fn a_gguf_file_converts_again_and_keys_that_nobody_knows_are_kept() {
    let folder = Folder::new();
    folder.copy("container/every-value-type.gguf", "in.gguf");
    folder.succeeds(&["convert", "in.gguf", "--type", "auto", "--no-record", "--out", "out.gguf"]);
    assert!(folder.read("out.gguf").starts_with(&folder.read("in.gguf")));
}

#[test]
fn tensors_that_come_quantized_are_named_before_they_are_quantized_again() {
    let folder = Folder::with(MODEL, "model");
    folder.succeeds(&["convert", "model", "--type", "Q4_K_M", "--out", "in.gguf"]);
    let again = |recipe, out| folder.briq(&["convert", "in.gguf", "--type", recipe, "--out", out]).stderr;
    let said = "briq: 15 tensors are quantized already (Q4_K, Q5_0, Q6_K): what that lost stays lost\n";
    assert_eq!(again("Q8_0", "out.gguf"), said);
    assert_eq!(again("auto", "same.gguf"), "");

    let plan = |more: &[&str]| {
        let convert = ["convert", "in.gguf", "--type", "Q8_0", "--out", "plan.gguf", "--dry-run"];
        folder.succeeds(&[&convert[..], more].concat())
    };
    let line = said.strip_prefix("briq: ").unwrap();
    assert!(plan(&[]).contains(line), "{}", plan(&[]));
    let report = json(&plan(&["--json"]));
    let named: Vec<_> = report["quantized_before"].as_array().unwrap().iter().collect();
    let tensors = report["tensors"].as_array().unwrap().iter();
    let quantized = tensors.filter(|tensor| tensor["source_type"] != "F32").map(|tensor| &tensor["name"]);
    assert_eq!(named, quantized.collect::<Vec<_>>());
}

#[test]
fn matrices_that_stay_floats_in_a_quantized_file_are_counted() {
    let folder = Folder::new();
    let header = r#"{"w":{"dtype":"F32","shape":[2,64],"data_offsets":[0,512]}}"#;
    folder.write("w.safetensors", briq_tests::safetensors(header, &[0; 512]));
    let plan = |recipe| {
        let convert = ["convert", "w.safetensors", "--arch", "parrot", "--type", recipe, "--out", "w.gguf"];
        folder.succeeds(&[&convert[..], &["--dry-run"]].concat())
    };
    let (quantized, float) = (plan("Q8_0"), plan("F16"));
    assert!(quantized.ends_with(" bits per weight, 128 weights of matrices not quantized\n"), "{quantized}");
    assert!(float.ends_with(" bits per weight\n"), "{float}");
}

#[test]
fn tensors_of_a_type_that_nobody_knows_are_carried_unchanged() {
    let folder = Folder::with("container/type-43-unknown.gguf", "in.gguf");
    folder.succeeds(&["convert", "in.gguf", "--type", "Q8_0", "--out", "out.gguf"]);
    let tensor = |file: &str| {
        let model = Gguf::open(folder.path(file)).unwrap();
        let tensor = model.tensor("a").unwrap();
        (tensor.info.type_id, tensor.shape(), tensor.bytes().to_vec())
    };
    assert_eq!(tensor("out.gguf"), tensor("in.gguf"));
}

#[test]
fn a_single_safetensors_file_keeps_its_names_and_needs_an_architecture() {
    let folder = Folder::new();
    folder.write("w.safetensors", briq_tests::two_rows(&[0.5; 64]));
    let convert = ["convert", "w.safetensors", "--type", "Q8_0", "--out", "out.gguf"];
    let message = "w.safetensors: a single safetensors file does not say what architecture it is; name it with --arch \
                   NAME";
    folder.refuses(&convert, WRONG_USAGE, message);
    folder.succeeds(&[&convert[..], &["--arch", "parrot"]].concat());
    let model = Gguf::open(folder.path("out.gguf")).unwrap();
    assert_eq!(model.metadata().architecture(), Some("parrot"));
    assert!(model.tensor("w.weight").is_some());
}

#[test]
fn an_option_that_a_source_has_no_use_for_is_refused() {
    let folder = Folder::with("golden/tiny-llama-f32.gguf", "m.gguf");
    folder.write("w.safetensors", briq_tests::two_rows(&[0.5; 64]));
    let convert = |source, more: &[&'static str]| {
        [&["convert", source, "--type", "Q8_0", "--out", "out.gguf", "--pre", "qwen2"], more].concat()
    };
    let message = "a GGUF file names its pre-tokenizer; --pre cannot change it";
    folder.refuses(&convert("m.gguf", &[]), WRONG_USAGE, message);
    let message = "--pre is for model directories, and a single safetensors file has no tokenizer";
    folder.refuses(&convert("w.safetensors", &["--arch", "x"]), WRONG_USAGE, message);
}

#[test]
fn standard_input_is_no_source_and_a_file_may_have_its_name() {
    let folder = Folder::with("golden/tiny-llama-f32.gguf", "-");
    for arguments in [&["inspect", "-"][..], &["convert", "-", "--type", "Q8_0"]] {
        let said = folder.wrong_usage(arguments);
        assert!(
            said.contains(": standard input is not read; name a file, or write ./- for one of that name"),
            "{said}"
        );
    }
    folder.succeeds(&["inspect", "./-"]);
}

#[test]
fn a_family_that_is_not_known_is_wrong_usage_of_the_option_that_names_it() {
    let folder = Folder::with(MODEL, "model");
    folder.copy("golden/tiny-llama-f32.gguf", "m.gguf");
    for option in ["--arch", "--arch-as"] {
        let message = format!(
            "{option} \"parrot\": no family is called so; `briq convert --list-families` lists those that are known"
        );
        folder.refuses(&["convert", "model", "--type", "Q8_0", option, "parrot"], WRONG_USAGE, &message);
        folder.refuses(&["verify", "m.gguf", "--source", "model", option, "parrot"], WRONG_USAGE, &message);
    }
}

#[test]
fn wrong_usage_ends_with_its_code_and_says_what_is_allowed() {
    let folder = Folder::with(MODEL, "model");
    let cases: [&[&str]; 9] = [
        &[],
        &["--type", "Q9_9"],
        &["--type", "Q8_0", "--threads", "0"],
        &["--type", "Q8_0", "--threads", "all"],
        &["--type", "Q8_0", "--max-memory", "1KiB"],
        &["--type", "Q8_0", "--max-memory", "1.5G"],
        &["--type", "Q8_0", "--tensor-type", "attn_v"],
        &["--type", "Q8_0", "--tensor-type", "(=Q8_0"],
        &["--type", "Q8_0", "--tensor-type", "attn_v=F99"],
    ];
    insta::assert_snapshot!(
        cases.map(|more| folder.wrong_usage(&[&["convert", "model"], more].concat())).concat()
    );
}
