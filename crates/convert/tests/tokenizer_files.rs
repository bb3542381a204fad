//! What a tokenizer's files may say, and how each way of saying nonsense is refused.

#![allow(clippy::panic, clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use briq_convert::model::{MetadataRequest, Model, Parameters};
use briq_format::metadata::Value;
use serde_json::{Value as Json, json};

use support::{Directory, numbers, texts};

#[test]
fn gaps_are_filled_and_added_tokens_get_their_types() {
    let metadata = Directory::new().metadata().unwrap();
    let tokens = ["a", "b", "ab", "Ġ", "<|start|>", "< tool>", "[PAD6]", "[PAD7]"];
    assert_eq!(texts(&metadata, "tokenizer.ggml.tokens"), tokens);
    assert_eq!(numbers(&metadata, "tokenizer.ggml.token_type"), [1, 1, 1, 1, 3, 4, 5, 5]);
    assert_eq!(texts(&metadata, "tokenizer.ggml.merges"), ["a b"]);
    assert_eq!(metadata.get("tokenizer.ggml.pre").and_then(|pre| pre.as_str()), Some("gpt-2"));
}

#[test]
fn settings_add_tokens_and_make_named_ones_special() {
    let directory = Directory::new();
    let settings = json!({
        "bos_token": "ab",
        "eos_token": {"content": "<|start|>"},
        "added_tokens_decoder": {
            "3": {"content": "left behind", "special": true},
            "5": {"content": "<\u{2581}tool>", "special": true},
            "7": {"content": "<pad>"},
        },
    });
    directory.write("tokenizer_config.json", settings.to_string());
    let metadata = directory.metadata().unwrap();
    assert_eq!(texts(&metadata, "tokenizer.ggml.tokens")[7], "<pad>");
    // `ab` is named, `<pad>` looks special, and the file of the tokenizer decides what `tool` is.
    assert_eq!(numbers(&metadata, "tokenizer.ggml.token_type"), [1, 1, 3, 1, 3, 4, 5, 3]);
    assert_eq!(metadata.get("tokenizer.ggml.eos_token_id"), Some(Value::U32(4)));
}

#[test]
fn both_forms_of_merges_are_read_and_a_space_in_a_part_is_spelled() {
    let mut directory = Directory::new();
    directory.tokenizer["model"]["vocab"] = json!({"a": 0, "b": 1, "ab": 2, " ": 3, " a": 6});
    directory.tokenizer["model"]["merges"] = json!([["a", "b"], [" ", "a"]]);
    assert_eq!(texts(&directory.metadata().unwrap(), "tokenizer.ggml.merges"), ["a b", "Ġ a"]);
}

#[test]
fn ids_that_no_token_has_are_left_out() {
    let directory = Directory::new();
    directory.write(
        "config.json",
        json!({"architectures": ["LlamaForCausalLM"], "vocab_size": 8, "pad_token_id": -1,
               "eos_token_id": [4, 5], "bos_token_id": 7, "sep_token_id": 8})
        .to_string(),
    );
    let metadata = directory.metadata().unwrap();
    assert_eq!(metadata.get("tokenizer.ggml.bos_token_id"), Some(Value::U32(7)));
    for name in ["padding", "eos", "seperator"] {
        assert_eq!(metadata.get(&format!("tokenizer.ggml.{name}_token_id")), None, "{name}");
    }
}

#[test]
fn tokens_of_a_sentencepiece_tokenizer_json_are_scored_by_the_places_of_their_merges() {
    let mut directory = Directory::new();
    directory.tokenizer["normalizer"] =
        json!({"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"});
    directory.tokenizer["pre_tokenizer"] = Json::Null;
    directory.tokenizer["model"]["byte_fallback"] = json!(true);
    directory.tokenizer["model"]["vocab"] =
        json!({"<unk>": 0, "<0x0A>": 1, "a": 2, "\u{2581}": 3, "\u{2581}a": 6, "aa": 7});
    directory.tokenizer["model"]["merges"] = json!(["a a", "\u{2581} a", ["a", "a"]]);
    directory.write("tokenizer_config.json", json!({"unk_token": "<unk>"}).to_string());
    let metadata = directory.metadata().unwrap();
    assert_eq!(metadata.get("tokenizer.ggml.model").and_then(|model| model.as_str()), Some("llama"));
    assert_eq!(numbers(&metadata, "tokenizer.ggml.token_type"), [3, 6, 1, 1, 3, 4, 1, 1]);
    let scores = metadata.get("tokenizer.ggml.scores").and_then(|value| value.as_array()).unwrap();
    let scores: Vec<Value<'_>> = scores.iter().collect();
    let expected = [-1000.0, 0.0, -3.0, -3.0, -1000.0, -1000.0, -1.0, 0.0];
    assert_eq!(scores, expected.map(Value::F32));
    assert_eq!(metadata.get("tokenizer.ggml.merges"), None);
    // Nothing is put in front of a text, and runtimes would do so by themselves.
    assert_eq!(metadata.get("tokenizer.ggml.add_space_prefix"), Some(Value::Bool(false)));
}

#[test]
fn nonsense_in_tokenizer_json_is_refused_with_its_place() {
    const ID: &str = "allowed is an integer from 0 to 4294967295";
    const PARTS: &str = "allowed is two parts, as an array or with one space between";
    let id = |id: &str| format!("token \"b\" has the id {id}; {ID}");
    let merge = |merge: &str| format!("merge 0 is {merge}; {PARTS}");
    let said = str::to_owned;
    let cases: [(&str, Json, String); 21] = [
        ("/model/vocab/b", json!(-1), id("-1")),
        ("/model/vocab/b", json!(1.5), id("1.5")),
        ("/model/vocab/b", json!(9_007_199_254_740_992_u64), id("9007199254740992")),
        ("/model/vocab/b", json!(0), said("the tokens \"a\" and \"b\" both have the id 0")),
        ("/model/vocab/b", json!(4), said("the tokens \"b\" and \"<|start|>\" both have the id 4")),
        ("/model/vocab", json!([]), said("the model's \"vocab\" is not an object")),
        ("/model/type", json!("Unigram"), said("the model's \"vocab\" is not an array")),
        (
            "/model/type",
            json!("WordLevel"),
            said(
                "the model's \"type\" is \"WordLevel\"; runtimes have \"BPE\", \"Unigram\" and \"WordPiece\"",
            ),
        ),
        (
            "/model",
            json!(null),
            said("the model's \"type\" is null; runtimes have \"BPE\", \"Unigram\" and \"WordPiece\""),
        ),
        ("/model/merges", json!({}), said("the model's \"merges\" is not an array")),
        ("/model/merges/0", json!("ab"), merge("\"ab\"")),
        ("/model/merges/0", json!("a  b"), merge("\"a  b\"")),
        ("/model/merges/0", json!(" b"), merge("\" b\"")),
        ("/model/merges/0", json!(["a"]), merge("an array of 1")),
        ("/model/merges/0", json!(["a", 7]), merge("an array of 2")),
        ("/model/merges/0", json!("a c"), said("merge 0: the vocabulary has no token \"c\"")),
        ("/model/merges/0", json!("b a"), said("merge 0: the vocabulary has no token \"ba\"")),
        ("/added_tokens", json!({"a": 1}), said("\"added_tokens\" is an object of 1 members, not an array")),
        (
            "/added_tokens/1/id",
            json!(4),
            said("the tokens \"<|start|>\" and \"<\u{2581}tool>\" both have the id 4"),
        ),
        (
            "/added_tokens/0/id",
            json!("4"),
            said("added token 0 lacks a \"content\" or an \"id\" from 0 to 4294967295"),
        ),
        ("/added_tokens/0/content", json!("ab"), said("token \"ab\" has the id 2 and, where added, 4")),
    ];
    for (place, value, message) in cases {
        let mut directory = Directory::new();
        *directory.tokenizer.pointer_mut(place).unwrap() = value.clone();
        let expected = Err(format!("tokenizer.json: {message}"));
        assert_eq!(directory.metadata(), expected, "{place} = {value}");
    }
}

#[test]
fn a_token_beyond_the_vocabulary_is_refused_before_anything_is_sized_by_it() {
    for place in ["/model/vocab/b", "/added_tokens/1/id"] {
        let mut directory = Directory::new();
        *directory.tokenizer.pointer_mut(place).unwrap() = json!(4_000_000_000_u32);
        let message = "config.json: \"vocab_size\" is 8, but the tokenizer has a token 4000000000";
        assert_eq!(directory.metadata(), Err(message.to_owned()), "{place}");
    }
}

#[test]
fn tokens_of_any_text_and_length_are_carried_whole() {
    let long = "x".repeat(2 << 20);
    let texts_given = ["nul\0in it", "\u{1b}]0;x\u{7}", &long];
    let mut directory = Directory::new();
    for (id, text) in (6..).zip(&texts_given[..2]) {
        directory.tokenizer["model"]["vocab"][text] = json!(id);
    }
    directory.tokenizer["added_tokens"][0]["content"] = json!(long);
    let tokens = texts(&directory.metadata().unwrap(), "tokenizer.ggml.tokens");
    assert_eq!((tokens[6].as_str(), tokens[7].as_str()), (texts_given[0], texts_given[1]));
    assert!(tokens[4] == long);
    // Half a pair of surrogates is no text.
    directory.write("tokenizer.json", r#"{"model": {"vocab": {"\ud83d": 0}}}"#);
    let message = "tokenizer.json: unexpected end of hex escape at line 1 column 29";
    assert_eq!(directory.as_it_is().unwrap_err(), message);
}

#[test]
fn a_vocabulary_size_out_of_proportion_is_refused_before_it_is_allocated() {
    let directory = Directory::new();
    directory.write(
        "config.json",
        json!({"architectures": ["LlamaForCausalLM"], "vocab_size": 4_294_967_295_u32}).to_string(),
    );
    let message = "config.json: \"vocab_size\" is 4294967295, but the tokenizer has 6 tokens; at most 65536 more are \
                   allowed";
    assert_eq!(directory.metadata(), Err(message.to_owned()));
}

#[test]
fn files_that_are_no_tokenizer_are_refused() {
    let directory = Directory::new();
    let nothing = "model: there is no tokenizer: none of tokenizer.json, tokenizer.model, spiece.model, \
                   sentencepiece.bpe.model, rwkv_vocab_v20230424.txt, vocab.txt, and vocab.json with merges.txt";
    assert_eq!(directory.as_it_is().unwrap_err(), nothing);
    for (content, message) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("<!DOCTYPE html>", "expected value at line 1 column 1"),
        ("[]", "an array of 0 where an object was expected"),
        ("{\"model\": {}, \"model\": {}}", "the key \"model\" is given twice at line 1 column 21"),
    ] {
        directory.write("tokenizer.json", content);
        assert_eq!(directory.as_it_is().unwrap_err(), format!("tokenizer.json: {message}"), "{content:?}");
    }
}

#[test]
fn steps_within_steps_end_in_an_error_and_not_in_the_stack() {
    let mut directory = Directory::new();
    let deep = |levels: usize| {
        let (open, close) = (r#"{"type":"Sequence","pretokenizers":["#, "]}");
        format!(r#"{{"pre_tokenizer": {}null{}}}"#, open.repeat(levels), close.repeat(levels))
    };
    for text in ["{\"pre_tokenizer\": ".to_owned() + &"[".repeat(100_000), deep(10_000)] {
        directory.write("tokenizer.json", &text);
        let message = directory.as_it_is().unwrap_err();
        let column = if text.len() > 200_000 { 2287 } else { 145 };
        assert_eq!(message, format!("tokenizer.json: recursion limit exceeded at line 1 column {column}"));
    }
    // As deep as JSON is read, each level of steps being two of them, it is the step inside that counts.
    let mut step = json!({"type": "ByteLevel", "add_prefix_space": false});
    for _ in 0..60 {
        step = json!({"type": "Sequence", "pretokenizers": [step]});
    }
    directory.tokenizer["pre_tokenizer"] = step;
    let metadata = directory.metadata().unwrap();
    assert_eq!(metadata.get("tokenizer.ggml.pre").and_then(|pre| pre.as_str()), Some("gpt-2"));
}

#[test]
fn a_sentencepiece_model_that_is_none_is_refused() {
    let directory = Directory::new();
    let eleven_byte_varint = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let piece_of_2_to_the_63 = [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    let nested_groups = [0x1b; 10_000];
    let not_utf8 = [0x0a, 0x03, 0x0a, 0x01, 0xff];
    let decode = |problem: &str| format!("failed to decode Protobuf message: {problem}");
    let files: [(&[u8], String); 7] = [
        (b"", "it has no pieces".to_owned()),
        (b"version 1", decode("invalid wire type value: 6")),
        (&eleven_byte_varint, decode("ModelProto.pieces: invalid varint")),
        (&piece_of_2_to_the_63, decode("ModelProto.pieces: buffer underflow")),
        (
            &nested_groups,
            decode("ModelProto.normalizer: invalid wire type: StartGroup (expected LengthDelimited)"),
        ),
        (b"{}", decode("buffer underflow")),
        (&not_utf8, decode("Piece.text: ModelProto.pieces: invalid string value: data is not UTF-8 encoded")),
    ];
    for (content, problem) in files {
        directory.write("tokenizer.model", content);
        let message = format!("tokenizer.model: not a SentencePiece model: {problem}");
        assert_eq!(directory.as_it_is().unwrap_err(), message);
    }
    // One piece, `a`, with score 2 and no type.
    directory.write("tokenizer.model", [0x0a, 0x08, 0x0a, 0x01, b'a', 0x15, 0, 0, 0, 0x40]);
    let metadata = directory.as_it_is().unwrap();
    assert_eq!(texts(&metadata, "tokenizer.ggml.tokens")[0], "a");
    assert_eq!(numbers(&metadata, "tokenizer.ggml.token_type"), [1, 5, 5, 5, 5, 5, 5, 5]);
}

#[test]
fn more_tokens_than_any_vocabulary_has_are_refused() {
    const ONE_MORE: usize = (1 << 21) + 1;
    let files = [
        ("tokenizer.model", b"\x0a\0".repeat(ONE_MORE), "not a SentencePiece model: it has 2097153 pieces"),
        ("vocab.txt", b"\n".repeat(ONE_MORE), "it has 2097153 tokens"),
        ("rwkv_vocab_v20230424.txt", b"\n".repeat(ONE_MORE), "it has 2097153 tokens"),
    ];
    for (name, content, problem) in files {
        let directory = Directory::new();
        directory.write(name, content);
        let message = format!("{name}: {problem}, where at most 2097152 are allowed");
        assert_eq!(directory.as_it_is().unwrap_err(), message);
    }
}

#[test]
fn templates_are_copied_whole_and_lists_become_named_keys() {
    let directory = Directory::new();
    let attack = format!("{{{{ ''.__class__ }}}}\u{1b}]{}", "x".repeat(3 << 20));
    let list = json!([
        {"name": "default", "template": attack},
        {"name": "tool use", "template": "t"},
        {"name": "rag", "template": "r"},
    ]);
    directory.write("tokenizer_config.json", json!({"chat_template": list}).to_string());
    let metadata = directory.metadata().unwrap();
    let text = |key: &str| metadata.get(key).and_then(|value| value.as_str().map(str::to_owned));
    assert_eq!(text("tokenizer.chat_template"), Some(attack));
    assert_eq!(text("tokenizer.chat_template.tool_use").as_deref(), Some("t"));
    assert_eq!(texts(&metadata, "tokenizer.chat_templates"), ["tool_use", "rag"]);
}

#[test]
fn the_settings_decide_about_a_template_even_with_null() {
    let directory = Directory::new();
    directory.write("chat_template.jinja", "from jinja");
    fs::create_dir(directory.path().join("additional_chat_templates")).unwrap();
    directory.write("additional_chat_templates/tool-use.jinja", "t");
    let metadata = directory.metadata().unwrap();
    assert_eq!(metadata.get("tokenizer.chat_template").and_then(|value| value.as_str()), Some("from jinja"));
    assert_eq!(texts(&metadata, "tokenizer.chat_templates"), ["tool_use"]);
    directory.write("tokenizer_config.json", "{\"chat_template\": null}");
    assert_eq!(directory.metadata().unwrap().get("tokenizer.chat_template"), None);
    for (bad, message) in [
        ("{\"chat_template\": 3}", "\"chat_template\": 3; allowed is a text, or a list of texts with names"),
        (
            "{\"chat_template\": [{\"name\": \"x\"}]}",
            "\"chat_template\": an object of 1 members where a \"name\" and a \"template\" were expected",
        ),
        ("[]", "an array of 0 where an object was expected"),
        ("{\"added_tokens_decoder\": 1}", "\"added_tokens_decoder\": 1 where an object was expected"),
        (
            "{\"added_tokens_decoder\": {\"4294967296\": {\"content\": \"x\"}}}",
            "\"added_tokens_decoder\": \"4294967296\" is not an id from 0 to 4294967295",
        ),
        ("{\"added_tokens_decoder\": {\"7\": {}}}", "\"added_tokens_decoder\": token 7 has no \"content\""),
    ] {
        directory.write("tokenizer_config.json", bad);
        assert_eq!(directory.metadata(), Err(format!("tokenizer_config.json: {message}")));
    }
}

/// A BERT directory from the fixtures, without `tokenizer.json`.
#[test]
fn a_bert_with_vocab_txt_alone_gets_the_keys_of_its_tokenizer_json() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/checkpoints/tiny-bert");
    let directory = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer_config.json", "vocab.txt"] {
        fs::copy(fixture.join(name), directory.path().join(name)).unwrap();
    }
    let keys = |path: &Path| {
        let request = MetadataRequest {
            directory_name: "x",
            file_type: 0,
            parameters: Parameters::default(),
            pre: None,
        };
        let metadata = Model::open(path, None).unwrap().metadata(&request).unwrap();
        let tokenizer = metadata.iter().filter(|(key, _)| key.starts_with("tokenizer."));
        tokenizer.map(|(key, value)| (key.to_owned(), format!("{value:?}"))).collect::<Vec<_>>()
    };
    assert_eq!(keys(directory.path()), keys(&fixture));
    fs::remove_file(directory.path().join("tokenizer_config.json")).unwrap();
    assert_eq!(keys(directory.path()), keys(&fixture));
}
