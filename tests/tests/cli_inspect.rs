//! `briq inspect` shows what a file holds, and nothing in it can act on a terminal.

use briq_format::{FilePlan, MetadataBuf, TensorWriter};
use briq_tests::Folder;

fn q8_0() -> Folder {
    let folder = Folder::with("checkpoints/tiny-llama", "hf");
    folder.succeeds(&["convert", "hf", "--type", "Q8_0", "--out", "model.gguf"]);
    folder
}

#[test]
fn a_file_is_shown_at_a_glance() {
    insta::assert_snapshot!(q8_0().succeeds(&["inspect", "model.gguf"]));
}

#[test]
fn metadata_and_tensors_can_be_asked_for_alone() {
    let folder = q8_0();
    let whole = folder.succeeds(&["inspect", "model.gguf"]);
    let metadata = folder.succeeds(&["inspect", "model.gguf", "--metadata"]);
    let tensors = folder.succeeds(&["inspect", "model.gguf", "--tensors"]);
    assert!(metadata.starts_with("metadata: ") && tensors.starts_with("tensors: 20\n"));
    assert!(whole.ends_with(&format!("{metadata}{tensors}")));
}

#[test]
fn one_key_is_shown_in_full() {
    let folder = q8_0();
    assert_eq!(folder.succeeds(&["inspect", "model.gguf", "llama.context_length"]), "512\n");
    let tokens = folder.succeeds(&["inspect", "model.gguf", "tokenizer.ggml.tokens"]);
    assert_eq!(tokens.lines().count(), 384);
    let template = folder.succeeds(&["inspect", "model.gguf", "tokenizer.chat_template"]);
    assert!(template.len() > 300, "{template:?}");
    folder.refuses(
        &["inspect", "model.gguf", "general.nothing"],
        2,
        "model.gguf: there is no key \"general.nothing\"",
    );
    folder.refuses(
        &["inspect", "model.gguf", "output_norm.weight"],
        2,
        "model.gguf: there is no key \"output_norm.weight\", but a tensor of that name; --tensors shows it",
    );
}

#[test]
fn json_has_the_same_facts() {
    let folder = q8_0();
    let report: serde_json::Value =
        serde_json::from_str(&folder.succeeds(&["inspect", "model.gguf", "--json"])).unwrap();
    assert_eq!(report["metadata"]["llama.context_length"], 512);
    assert_eq!(report["metadata"]["tokenizer.ggml.tokens"]["length"], 384);
    assert_eq!(report["tensors"].as_array().unwrap().len(), 20);
    assert_eq!(report["files"][0]["version"], 3);
    let tokens: Vec<String> =
        serde_json::from_str(&folder.succeeds(&["inspect", "model.gguf", "tokenizer.ggml.tokens", "--json"]))
            .unwrap();
    assert_eq!(tokens.len(), 384);
}

#[test]
fn no_byte_of_a_file_reaches_a_terminal_as_a_control_character() {
    let folder = Folder::with("container/string-with-escapes.gguf", "file.gguf");
    for arguments in
        [&["inspect", "file.gguf"][..], &["inspect", "file.gguf", "k"], &["snapshot", "file.gguf"]]
    {
        let printed = folder.succeeds(arguments);
        assert!(printed.contains(r"\u{1b}]52;c;YQ==\u{7}"), "{arguments:?}: {printed:?}");
        let acts = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!printed.contains(acts), "{arguments:?}: {printed:?}");
    }
    // A message that quotes a file is no way around it.
    folder.copy("malformed/key-with-escape.gguf", "bad.gguf");
    let run = folder.briq(&["inspect", "bad.gguf"]);
    assert_eq!(run.code, Some(3));
    assert!(!run.stderr.contains('\u{1b}'), "{:?}", run.stderr);
}

#[test]
fn trailing_bytes_and_unknown_types_are_told() {
    let folder = Folder::with("container/trailing-bytes.gguf", "trailing.gguf");
    assert!(
        folder
            .succeeds(&["inspect", "trailing.gguf"])
            .contains("160 bytes behind the last tensor belong to nothing")
    );
    folder.copy("container/type-31-retired.gguf", "retired.gguf");
    assert!(folder.succeeds(&["inspect", "retired.gguf"]).contains("Q4_0_4_4, retired"));
}

#[test]
fn a_vocabulary_of_262144_tokens_is_shortened() {
    let folder = Folder::new();
    let tokens: Vec<String> = (0..262_144).map(|number| format!("token-{number}")).collect();
    let mut metadata = MetadataBuf::new();
    metadata.set("tokenizer.ggml.tokens", tokens).unwrap();
    let plan = FilePlan::new(&metadata, Vec::new()).unwrap();
    folder.write("big.gguf", TensorWriter::new(&plan, Vec::new()).unwrap().finish().unwrap());
    let printed = folder.succeeds(&["inspect", "big.gguf"]);
    assert!(
        printed.contains("262144 × string: [\"token-0\", ") && printed.contains("… 262136 more]"),
        "{printed}"
    );
    assert!(printed.len() < 1000, "{printed}");
}

#[test]
fn one_thing_is_counted_as_one() {
    let folder = Folder::new();
    let header = |keys: u8| [&b"GGUF\x03\0\0\0"[..], &[0; 8], &[keys], &[0; 7]].concat();
    for (keys, need) in [(1, "1 key takes at least 14 bytes"), (2, "2 keys take at least 14 bytes each")] {
        folder.write("m.gguf", header(keys));
        let message = format!("m.gguf: byte 16: {need}, but only 0 are left");
        folder.refuses(&["inspect", "m.gguf"], 3, &message);
    }
}
