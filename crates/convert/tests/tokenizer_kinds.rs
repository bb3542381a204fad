//! Each kind of vocabulary: what it becomes, which file is believed, and how nonsense in it is refused.

#![allow(clippy::panic, clippy::unwrap_used)]

mod support;

use briq_format::MetadataBuf;
use briq_format::metadata::Value;
use serde_json::{Value as Json, json};

use support::{Directory, numbers, texts};

fn text(metadata: &MetadataBuf, key: &str) -> Option<String> {
    metadata.get(key).and_then(|value| value.as_str().map(str::to_owned))
}

fn flag(metadata: &MetadataBuf, key: &str) -> Option<bool> {
    match metadata.get(key)? {
        Value::Bool(flag) => Some(flag),
        other => panic!("{key} is {other:?}"),
    }
}

/// A directory whose `tokenizer.json` holds a Unigram vocabulary of five pieces and an added token.
fn unigram() -> Directory {
    let mut directory = Directory::new();
    directory.tokenizer = json!({
        "added_tokens": [
            {"id": 0, "content": "<pad>", "special": true},
            {"id": 5, "content": "<tool>", "special": false},
        ],
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAECAw=="},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always"},
        ]},
        "model": {"type": "Unigram", "unk_id": 1, "vocab": [
            ["<pad>", 0], ["<unk>", 0.0], ["\u{2581}", -1.5], ["a", -2.0], ["<0x41>", -3.0]]},
    });
    directory
}

/// A SentencePiece model with these pieces, all normal, of the kind 2 (BPE).
fn sentencepiece(pieces: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        let length = piece.len() as u8;
        bytes.extend([0x0a, length + 7, 0x0a, length]);
        bytes.extend(piece.as_bytes());
        bytes.push(0x15);
        bytes.extend((-1.0_f32).to_le_bytes());
    }
    bytes.extend([0x12, 0x02, 0x18, 0x02]);
    bytes
}

#[test]
fn unigram_pieces_get_their_types_and_what_is_done_to_spaces() {
    let metadata = unigram().metadata().unwrap();
    assert_eq!(text(&metadata, "tokenizer.ggml.model").as_deref(), Some("t5"));
    let tokens = ["<pad>", "<unk>", "\u{2581}", "a", "<0x41>", "<tool>", "[PAD6]", "[PAD7]"];
    assert_eq!(texts(&metadata, "tokenizer.ggml.tokens"), tokens);
    assert_eq!(numbers(&metadata, "tokenizer.ggml.token_type"), [3, 2, 1, 1, 6, 4, 5, 5]);
    assert_eq!(flag(&metadata, "tokenizer.ggml.add_space_prefix"), Some(true));
    assert_eq!(flag(&metadata, "tokenizer.ggml.remove_extra_whitespaces"), Some(true));
    let map = metadata.get("tokenizer.ggml.precompiled_charsmap").unwrap();
    let map: Vec<Value<'_>> = map.as_array().unwrap().iter().collect();
    assert_eq!(map, [0, 1, 2, 3].map(Value::U8));
    // Runtimes end a text with the end token unless told otherwise, and no file says that one is added.
    assert_eq!(flag(&metadata, "tokenizer.ggml.add_eos_token"), Some(false));
}

#[test]
fn nonsense_in_a_unigram_vocabulary_is_refused_with_its_place() {
    const PIECE: &str = "allowed is an array of a text and a finite score";
    const STEPS: &str = "runtimes know \"Precompiled\", \"Replace\" of several spaces, \"Strip\", \
                         \"WhitespaceSplit\" and \"Metaspace\". To leave the step out, say --pre default";
    let piece = |piece: &str| format!("piece 3 is {piece}; {PIECE}");
    let step = |step: &str| format!("a Unigram vocabulary with the step {step}; {STEPS}");
    let cases: [(&str, Json, String); 8] = [
        ("/model/vocab", json!({}), "the model's \"vocab\" is not an array".to_owned()),
        ("/model/vocab/3", json!("a"), piece("\"a\"")),
        ("/model/vocab/3", json!(["a"]), piece("an array of 1")),
        ("/model/vocab/3", json!([3, -1.0]), piece("an array of 2")),
        ("/model/vocab/3", json!(["a", 1e300]), piece("an array of 2")),
        (
            "/normalizer/precompiled_charsmap",
            json!("AAECAw="),
            "the normalizer's \"precompiled_charsmap\" is not Base64".to_owned(),
        ),
        ("/normalizer", json!({"type": "Lowercase"}), step("Lowercase")),
        ("/pre_tokenizer", json!({"type": "ByteLevel"}), step("ByteLevel(own expression, space in front)")),
    ];
    for (place, value, message) in cases {
        let mut directory = unigram();
        *directory.tokenizer.pointer_mut(place).unwrap() = value.clone();
        assert_eq!(directory.metadata(), Err(format!("tokenizer.json: {message}")), "{place} = {value}");
    }
    let mut directory = unigram();
    directory.tokenizer["added_tokens"][1]["id"] = json!(4_000_000_000_u32);
    let message = "config.json: \"vocab_size\" is 8, but the tokenizer has a token 4000000000";
    assert_eq!(directory.metadata(), Err(message.to_owned()));
}

#[test]
fn two_tokens_with_one_text_are_refused_with_their_ids() {
    let mut directory = unigram();
    directory.tokenizer["model"]["vocab"][3] = json!(["\u{2581}", -2.0]);
    let message = "model: the tokens 2 and 3 are both \"\u{2581}\", and runtimes refuse that";
    assert_eq!(directory.metadata(), Err(message.to_owned()));
}

/// A `tokenizer.json` whose merges fall back to bytes.
fn merges() -> Directory {
    let mut directory = Directory::new();
    directory.tokenizer["pre_tokenizer"] = Json::Null;
    directory.tokenizer["normalizer"] = json!({"type": "Prepend", "prepend": "\u{2581}"});
    let vocab = json!({"a": 0, "b": 1, "ab": 2, "c": 3});
    directory.tokenizer["model"] =
        json!({"type": "BPE", "byte_fallback": true, "vocab": vocab, "merges": ["a b"]});
    directory
}

#[test]
fn a_sentencepiece_model_gives_the_scores_only_while_both_files_agree() {
    let directory = merges();
    directory.write("tokenizer.model", sentencepiece(&["a", "b", "ab", "c"]));
    let score = |metadata: MetadataBuf| match metadata
        .get("tokenizer.ggml.scores")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .nth(2)
    {
        Some(Value::F32(score)) => score,
        other => panic!("{other:?}"),
    };
    assert_eq!(score(directory.metadata().unwrap()), -1.0);
    // Left behind by an edit, of another format, or of another kind: the merges count.
    let mut unigram = sentencepiece(&["a", "b", "ab", "c"]);
    *unigram.last_mut().unwrap() = 1;
    for model in
        [sentencepiece(&["a", "b", "ab", "d"]), sentencepiece(&["a", "b", "ab"]), unigram, b"IQ== 0".to_vec()]
    {
        directory.write("tokenizer.model", model);
        assert_eq!(score(directory.metadata().unwrap()), 0.0);
    }
}

#[test]
fn a_token_added_to_tokenizer_json_alone_counts_beside_a_model() {
    let directory = merges();
    directory.write("tokenizer.model", sentencepiece(&["a", "b", "ab", "c"]));
    let metadata = directory.metadata().unwrap();
    assert_eq!(texts(&metadata, "tokenizer.ggml.tokens")[4..6], ["<|start|>", "< tool>"]);
    assert_eq!(numbers(&metadata, "tokenizer.ggml.token_type")[..6], [1, 1, 1, 1, 3, 4]);
}

#[test]
fn steps_that_runtimes_do_not_have_are_named_with_the_option_that_leaves_them_out() {
    let refusal = |step: &str| {
        format!(
            "tokenizer.json: a SentencePiece vocabulary with the step {step}; runtimes know \"Prepend\", \"Replace\" \
             and \"Split\" of the space, and \"Metaspace\" that does not split. To leave the step out, say --pre \
             default"
        )
    };
    let mut directory = merges();
    directory.tokenizer["normalizer"] = json!({"type": "Lowercase"});
    assert_eq!(directory.metadata(), Err(refusal("Lowercase")));
    let metadata = directory.with_pre(Some("default")).unwrap();
    assert_eq!(flag(&metadata, "tokenizer.ggml.add_space_prefix"), Some(false));
    // Words that are merged by themselves are the same only while no token goes beyond one.
    directory.tokenizer["normalizer"] = Json::Null;
    directory.tokenizer["pre_tokenizer"] = json!({"type": "Metaspace", "prepend_scheme": "first"});
    assert_eq!(flag(&directory.metadata().unwrap(), "tokenizer.ggml.add_space_prefix"), None);
    directory.tokenizer["model"]["vocab"]["\u{2581}\u{2581}"] = json!(6);
    let step = "{\"prepend_scheme\": \"first\", \"type\": \"Metaspace\"}";
    assert_eq!(directory.metadata(), Err(refusal(step)));
}

/// Every name that a pre-tokenizer of runtimes has.
const NAMES: &str = "a.x-4.0, afmoe, bailingmoe, bailingmoe2, bloom, chameleon, chatglm-bpe, codeshell, cohere2moe, \
     command-r, dbrx, deepseek-coder, deepseek-llm, deepseek-r1-qwen, deepseek-v3, default, exaone, exaone-moe, \
     exaone4, f2llmv2, falcon, falcon-h1, falcon3, gemma4, gigachat, glm4, gpt-2, gpt-4o, gpt3-finnish, granite-embed-\
     multi-311m, granite-embed-multi-97m, grok-2, hunyuan, hunyuan-dense, hy_v4, jais, jais-2, jina-de, jina-es, \
     jina-v1-en, jina-v2-code, jina-v2-de, jina-v2-en, jina-v2-es, jina-v5-nano, joyai-llm, kanana2, kimi-k2, \
     kormo, lfm2, llada-moe, llama-bpe, llama-v3, llama3, llama4, megrez, mellum, mellum2, midm-2.0, minerva-7b, \
     minicpm5, minimax-m2, modern-bert, mpt, olmo, phi-2, pixtral, poro-chat, qwen2, qwen35, refact, roberta-bpe, \
     sarvam-moe, seed-coder, smaug-bpe, smollm, solar-open, stablelm2, starcoder, superbpe, talkie, tekken, \
     tiny_aya, ufakzeka, viking, whitespace, youtu";

/// The message about these steps of a pre-tokenizer, and what is said of the nearest.
fn unknown(steps: &str) -> String {
    format!(
        "tokenizer.json: the pre-tokenizer is none of the known ones: {steps}. If the rule that runtimes have for it \
         is known, force it with --pre NAME; names are {NAMES}"
    )
}

#[test]
fn an_unknown_pre_tokenizer_is_shown_with_the_nearest_and_every_name() {
    let mut directory = Directory::new();
    directory.tokenizer["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": true},
        {"type": "Whitespace"},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    ]});
    let steps = "Digits(each), {\"type\": \"Whitespace\"}, ByteLevel(own expression); the nearest is \"starcoder\", \
                 which has in step 2 ByteLevel(own expression) where this has {\"type\": \"Whitespace\"}";
    assert_eq!(directory.metadata(), Err(unknown(steps)));
    let metadata = directory.with_pre(Some("starcoder")).unwrap();
    assert_eq!(text(&metadata, "tokenizer.ggml.pre").as_deref(), Some("starcoder"));
    let message = "--pre jina-v2-en is a name for WordPiece, and tokenizer.json holds byte-level BPE";
    assert_eq!(directory.with_pre(Some("jina-v2-en")), Err(message.to_owned()));
    for name in ["", "no-such-rule", "llama-bpe\n"] {
        let message = format!("--pre {name:?}: no runtime has such a pre-tokenizer; allowed are {NAMES}");
        assert_eq!(directory.with_pre(Some(name)), Err(message));
    }
    // An expression that would take for ever is a text like any other.
    directory.tokenizer["pre_tokenizer"] =
        json!({"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "(a+)+$"}});
    let steps = "Split(Isolated) /(a+)+$/; the nearest is \"bloom\", which has in step 1 \
                 ...(Isolated) / ?[^(\\\\s|[.,!?…。，、।۔،])]+/ where this has ...(Isolated) /(a+)+$/";
    assert_eq!(directory.metadata(), Err(unknown(steps)));
}

#[test]
fn no_start_token_is_added_where_runtimes_would_and_no_file_says_so() {
    let mut directory = Directory::new();
    directory.tokenizer["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "behavior": "Removed", "invert": true, "pattern": {"Regex":
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"}},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
    ]});
    directory.tokenizer["model"]["ignore_merges"] = json!(true);
    let metadata = directory.metadata().unwrap();
    assert_eq!(text(&metadata, "tokenizer.ggml.pre").as_deref(), Some("llama-bpe"));
    assert_eq!(flag(&metadata, "tokenizer.ggml.add_bos_token"), Some(false));
    directory.write("tokenizer_config.json", json!({"add_bos_token": true}).to_string());
    assert_eq!(flag(&directory.metadata().unwrap(), "tokenizer.ggml.add_bos_token"), Some(true));
}

#[test]
fn vocab_json_and_merges_txt_become_what_their_class_makes_of_them() {
    let directory = Directory::new();
    directory.write("vocab.json", json!({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}).to_string());
    directory.write("merges.txt", "#version: 0.2\na b\n");
    let steps =
        "no step at all; the nearest is \"gpt-2\", which goes on with step 1, ByteLevel(own expression)";
    assert_eq!(directory.as_it_is(), Err(unknown(steps)));
    for (class, name) in [("GPT2Tokenizer", "gpt-2"), ("Qwen2Tokenizer", "qwen2")] {
        directory.write("tokenizer_config.json", json!({"tokenizer_class": class}).to_string());
        let metadata = directory.as_it_is().unwrap();
        assert_eq!(text(&metadata, "tokenizer.ggml.pre").as_deref(), Some(name));
        assert_eq!(texts(&metadata, "tokenizer.ggml.merges"), ["a b"]);
        assert_eq!(metadata.get("tokenizer.ggml.eos_token_id"), Some(Value::U32(3)));
    }
    for (merges, message) in [
        ("ab\n", "line 1: allowed is two parts with one space between"),
        ("#\n\na c\n", "line 3: the vocabulary has no token \"c\""),
    ] {
        directory.write("merges.txt", merges);
        assert_eq!(directory.as_it_is(), Err(format!("merges.txt: {message}")));
    }
}

#[test]
fn a_list_of_words_becomes_a_vocabulary_of_rwkv() {
    let directory = Directory::new();
    let file = "rwkv_vocab_v20230424.txt";
    directory.write(file, "1 '\\x00' 1\n2 b'\\xe3\\x81' 2\n3 ' a' 2\n");
    let metadata = directory.as_it_is().unwrap();
    assert_eq!(text(&metadata, "tokenizer.ggml.model").as_deref(), Some("rwkv"));
    assert_eq!(metadata.get("tokenizer.ggml.pre"), None);
    assert_eq!(
        texts(&metadata, "tokenizer.ggml.tokens")[..5],
        ["<s>", "\\x00", "\\xe3\\x81", " a", "[PAD4]"]
    );
    assert_eq!(metadata.get("tokenizer.ggml.eos_token_id"), Some(Value::U32(0)));
    for (lines, message) in [
        ("1 'a'", "line 1: allowed is an id, a literal of Python's, and its number of bytes"),
        ("1 'a' 2", "line 1: the literal has 1 byte, and 2 are stated"),
        ("1 'a' 1\n3 'b' 1", "line 2: the id is 3 where 2 was expected"),
        ("1 __import__('os') 1", "line 1: the literal is not one of Python's"),
    ] {
        directory.write(file, lines);
        assert_eq!(directory.as_it_is(), Err(format!("{file}: {message}")));
    }
}

#[test]
fn words_that_are_not_split_as_bert_splits_them_are_refused() {
    let mut directory = Directory::new();
    directory.tokenizer["model"] = json!({"type": "WordPiece", "vocab": {"a": 0, "##b": 1}});
    directory.tokenizer["pre_tokenizer"] = json!({"type": "BertPreTokenizer"});
    let metadata = directory.metadata().unwrap();
    let tokens = texts(&metadata, "tokenizer.ggml.tokens");
    assert_eq!(tokens[..2], ["\u{2581}a", "b"]);
    // Added tokens are looked for in the text as it stands.
    assert_eq!(tokens[4..6], ["<|start|>", "< tool>"]);
    directory.tokenizer["pre_tokenizer"] = json!({"type": "CharDelimiterSplit"});
    let message = "tokenizer.json: a WordPiece vocabulary whose words are split otherwise than BERT splits them: \
                   {\"type\": \"CharDelimiterSplit\"}. To split them as BERT does, say --pre jina-v2-en";
    assert_eq!(directory.metadata(), Err(message.to_owned()));
    directory.tokenizer["model"]["continuing_subword_prefix"] = json!("@@");
    let message = "tokenizer.json: what continues a word is marked by \"@@\"; runtimes know \"##\"";
    assert_eq!(directory.metadata(), Err(message.to_owned()));
}
