//! Files of a megabyte that ask for as much work as their formats allow: many small things, since each of them
//! takes more in memory than in the file.

use std::fmt::{self, Write as _};

use crate::{Folder, safetensors};

/// The size of each file, in bytes.
pub const BYTES: usize = 1 << 20;

/// A file, and what is done with it.
pub struct Costly {
    /// What it holds many of.
    pub name: &'static str,
    /// The file, or the model directory that it is in.
    pub subject: &'static str,
    make: fn(&Folder),
}

impl Costly {
    /// A folder with the file in it.
    pub fn folder(&self) -> Folder {
        let folder = Folder::new();
        (self.make)(&folder);
        folder
    }

    /// The commands that read such a file.
    pub fn commands(&self) -> Vec<Vec<&'static str>> {
        let convert = vec!["convert", self.subject, "--type", "Q8_0", "--arch", "llama", "--out", "out.gguf"];
        let plain = vec!["convert", self.subject, "--type", "Q8_0", "--out", "out.gguf"];
        match self.subject {
            "model" => vec![plain],
            "recipe.toml" => vec![vec!["convert", "model", "--recipe", "recipe.toml", "--out", "out.gguf"]],
            "i.gguf" | "i.dat" => vec![
                vec!["imatrix", "info", self.subject],
                vec!["imatrix", "info", self.subject, "--json"],
                vec!["imatrix", "convert", self.subject, "--out", "out.gguf"],
                vec!["imatrix", "convert", self.subject, "--out", "out.dat"],
            ],
            "w.safetensors" => vec![convert],
            file => vec![
                vec!["inspect", file],
                vec!["inspect", file, "--json"],
                vec!["verify", file],
                vec!["snapshot", file],
                plain,
            ],
        }
    }
}

/// All of them.
pub const COSTLY: &[Costly] = &[
    Costly { name: "objects of one member", subject: "model", make: |f| config(f, "{\"\":1},") },
    Costly { name: "arrays of one number", subject: "model", make: |f| config(f, "[1],") },
    Costly { name: "arrays of three", subject: "model", make: |f| config(f, "[1,2,3],") },
    Costly {
        name: "arrays in arrays",
        subject: "model",
        make: |f| config(f, &format!("{}1{},", "[".repeat(60), "]".repeat(60))),
    },
    Costly { name: "numbers of one digit", subject: "model", make: |f| config(f, "1,") },
    Costly { name: "literals that are not finite", subject: "model", make: |f| config(f, "NaN,") },
    Costly { name: "members of an object", subject: "model", make: members },
    Costly { name: "tokens in tokenizer.json", subject: "model", make: tokens },
    Costly { name: "added tokens", subject: "model", make: added_tokens },
    Costly { name: "merges", subject: "model", make: merges },
    Costly { name: "pieces of SentencePiece", subject: "model", make: pieces },
    Costly { name: "lines of vocab.txt", subject: "model", make: lines },
    Costly { name: "tensors in an index", subject: "model", make: index },
    Costly { name: "lines of a model card", subject: "model", make: card },
    Costly { name: "patterns in a recipe", subject: "recipe.toml", make: patterns },
    Costly { name: "the most patterns that are allowed", subject: "recipe.toml", make: most_patterns },
    Costly { name: "tensors of safetensors", subject: "w.safetensors", make: empty_tensors },
    Costly { name: "tensors without data", subject: "f.gguf", make: gguf_tensors },
    Costly { name: "keys", subject: "f.gguf", make: gguf_keys },
    Costly { name: "empty strings of an array", subject: "f.gguf", make: |f| gguf_array(f, 8, &[0; 8]) },
    Costly { name: "bytes of an array", subject: "f.gguf", make: |f| gguf_array(f, 0, &[7]) },
    Costly { name: "arrays in an array", subject: "f.gguf", make: |f| gguf_array(f, 9, &[0; 12]) },
    Costly { name: "entries of a legacy imatrix", subject: "i.dat", make: legacy_entries },
    Costly { name: "data sets of an imatrix", subject: "i.gguf", make: datasets },
];

/// As often as it fits.
fn repeat(unit: &str) -> String {
    unit.repeat((BYTES - 200) / unit.len())
}

fn config(folder: &Folder, unit: &str) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write(
        "model/config.json",
        format!("{{\"architectures\":[\"LlamaForCausalLM\"],\"a\":[{}0]}}", repeat(unit)),
    );
}

fn members(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama", "model");
    let mut text = String::from("{\"architectures\":[\"LlamaForCausalLM\"]");
    numbered(&mut text, |text, number| write!(text, ",\"{number:x}\":1"));
    folder.write("model/config.json", text + "}");
}

/// Appends to `text` until it is long enough.
fn numbered(text: &mut String, mut append: impl FnMut(&mut String, usize) -> fmt::Result) {
    for number in 0.. {
        if text.len() > BYTES - 200 {
            break;
        }
        // A string takes whatever is written to it.
        let _ = append(text, number);
    }
}

fn model_with_tokenizer(folder: &Folder, tokenizer: impl AsRef<[u8]>) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write("model/tokenizer.json", tokenizer);
}

fn tokens(folder: &Folder) {
    let mut text = String::from("{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"\":0");
    numbered(&mut text, |text, number| write!(text, ",\"{number:x}\":{}", number + 1));
    model_with_tokenizer(folder, text + "}}}");
}

fn added_tokens(folder: &Folder) {
    let mut text = String::from(
        "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"\":0}},\"added_tokens\":[{\"id\":1,\"content\":\"_\"}",
    );
    numbered(&mut text, |text, number| write!(text, ",{{\"id\":{},\"content\":\"{number:x}\"}}", number + 2));
    model_with_tokenizer(folder, text + "]}");
}

fn merges(folder: &Folder) {
    let head = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1},\"merges\":[";
    model_with_tokenizer(folder, format!("{head}{}\"a a\"]}}}}", repeat("\"a a\",")));
}

/// A piece without text, score and kind is two bytes.
fn pieces(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama-spm", "model");
    folder.write("model/tokenizer.model", [10, 0].repeat(BYTES / 2));
    let config = String::from_utf8(folder.read("model/config.json")).expect("a fixture is UTF-8");
    let at =
        config.find("\"vocab_size\": ").expect("the fixture has a vocabulary") + "\"vocab_size\": ".len();
    let end = at + config[at..].find(|c: char| !c.is_ascii_digit()).expect("an object ends");
    folder.write("model/config.json", format!("{}{}{}", &config[..at], BYTES / 2, &config[end..]));
}

fn lines(folder: &Folder) {
    folder.copy("checkpoints/tiny-bert", "model");
    let _ = std::fs::remove_file(folder.path("model/tokenizer.json"));
    let mut text = String::new();
    numbered(&mut text, |text, number| writeln!(text, "{number:x}"));
    folder.write("model/vocab.txt", text);
}

fn index(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama-yarn", "model");
    let mut text = String::from("{\"weight_map\":{\"\":\"a\"");
    numbered(&mut text, |text, number| write!(text, ",\"{number:x}\":\"a\""));
    folder.write("model/model.safetensors.index.json", text + "}}");
    folder.write("model/a", "");
}

fn card(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write("model/README.md", format!("---\nbase_model:\n{}\n---\n", repeat("- a/b\n")));
}

fn patterns(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write("recipe.toml", format!("base = \"Q8_0\"\nkeep = [{}\"a\"]\n", repeat("\"\\\\w\",")));
}

/// Few bytes, but no larger pattern is allowed, and no more of them.
fn most_patterns(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write("recipe.toml", format!("base = \"Q8_0\"\nkeep = [{}]\n", "\"\\\\w.\\\\w\",".repeat(200)));
}

fn empty_tensors(folder: &Folder) {
    let mut header = String::from("{\"_\":{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}");
    numbered(&mut header, |header, number| {
        write!(header, ",\"{number:x}\":{{\"dtype\":\"I8\",\"shape\":[0],\"data_offsets\":[0,0]}}")
    });
    folder.write("w.safetensors", safetensors(&(header + "}"), &[]));
}

/// The head of a file of version 3.
fn gguf(tensors: usize, keys: usize, rest: &[u8]) -> Vec<u8> {
    let mut file = b"GGUF\x03\0\0\0".to_vec();
    file.extend((tensors as u64).to_le_bytes());
    file.extend((keys as u64).to_le_bytes());
    file.extend(rest);
    file
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A name that is as short as it can be.
fn short_name(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'!' + (number % 90) as u8));
        number /= 90;
        if number == 0 {
            break name;
        }
    }
}

fn gguf_tensors(folder: &Folder) {
    let mut table = Vec::new();
    let mut count = 0;
    while table.len() < BYTES - 200 {
        table.extend(string(&short_name(count)));
        // One dimension of 0 elements, type I8, offset 0.
        table.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        count += 1;
    }
    table.extend([0; 64]);
    folder.write("f.gguf", gguf(count, 0, &table));
}

fn gguf_keys(folder: &Folder) {
    let mut keys = Vec::new();
    let mut count = 0;
    while keys.len() < BYTES - 200 {
        keys.extend(string(&short_name(count)));
        // A value of the type u8.
        keys.extend([0, 0, 0, 0, 7]);
        count += 1;
    }
    folder.write("f.gguf", gguf(0, count, &keys));
}

fn gguf_array(folder: &Folder, element_type: u32, element: &[u8]) {
    let count = (BYTES - 200) / element.len();
    let head = [&string("a")[..], &[9, 0, 0, 0], &element_type.to_le_bytes(), &(count as u64).to_le_bytes()]
        .concat();
    folder.write("f.gguf", gguf(0, 1, &[head, element.repeat(count)].concat()));
}

fn legacy_entries(folder: &Folder) {
    let mut entries = Vec::new();
    let mut count = 0_i32;
    while entries.len() < BYTES - 200 {
        let name = short_name(count as usize);
        entries.extend((name.len() as i32).to_le_bytes());
        entries.extend(name.bytes());
        entries.extend([1_i32, 1].iter().flat_map(|number| number.to_le_bytes()));
        entries.extend(1_f32.to_le_bytes());
        count += 1;
    }
    folder.write("i.dat", [&count.to_le_bytes()[..], &entries].concat());
}

fn datasets(folder: &Folder) {
    let mut names = Vec::new();
    let mut count = 0_u64;
    while names.len() < BYTES - 1000 {
        names.extend(string(&short_name(count as usize)));
        count += 1;
    }
    let key = |name: &str, ty: u8| [&string(name)[..], &[ty, 0, 0, 0]].concat();
    let tensor = |name: &str, offset: u8| {
        [&string(name)[..], &[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, offset, 0, 0, 0, 0, 0, 0, 0]]
            .concat()
    };
    let mut rest = [
        key("general.type", 8),
        string("imatrix"),
        key("imatrix.datasets", 9),
        vec![8, 0, 0, 0],
        count.to_le_bytes().to_vec(),
        names,
        key("imatrix.chunk_count", 4),
        vec![1, 0, 0, 0],
        key("imatrix.chunk_size", 4),
        vec![1, 0, 0, 0],
        tensor("w.in_sum2", 0),
        tensor("w.counts", 32),
    ]
    .concat();
    let head = 24 + rest.len();
    rest.extend(vec![0; head.next_multiple_of(32) - head]);
    let one = [&1_f32.to_le_bytes()[..], &[0; 28]].concat();
    rest.extend([one.clone(), one].concat());
    folder.write("i.gguf", gguf(2, 4, &rest));
}
