//! Files of a megabyte that ask for as much work as their formats allow: many small things, since each of them
//! takes more in memory than in the file.

mod container;
mod directory;

use std::fmt;

use crate::Folder;

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
        let plain = vec!["convert", self.subject, "--type", "Q8_0", "--force", "--out", "out.gguf"];
        match self.subject {
            "model" => vec![plain],
            "recipe.toml" => vec![vec!["convert", "model", "--recipe", "recipe.toml", "--dry-run"]],
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
                vec!["hash", file, "--all"],
                vec!["hash", file, "--all", "--json"],
                vec!["hash", file, "--manifest"],
                vec!["hash", file, "--manifest", "--json"],
                [&plain[..], &["--no-record"]].concat(),
                [&plain[..], &["--dry-run"]].concat(),
                [&plain[..], &["--dry-run", "--json"]].concat(),
                plain,
            ],
        }
    }
}

/// All of them.
pub const COSTLY: &[Costly] = &[
    Costly { name: "objects of one member", subject: "model", make: |f| directory::config(f, "{\"\":1},") },
    Costly { name: "arrays of one number", subject: "model", make: |f| directory::config(f, "[1],") },
    Costly { name: "arrays of three", subject: "model", make: |f| directory::config(f, "[1,2,3],") },
    Costly {
        name: "arrays in arrays",
        subject: "model",
        make: |f| directory::config(f, &format!("{}1{},", "[".repeat(60), "]".repeat(60))),
    },
    Costly { name: "numbers of one digit", subject: "model", make: |f| directory::config(f, "1,") },
    Costly { name: "literals that are not finite", subject: "model", make: |f| directory::config(f, "NaN,") },
    Costly { name: "members of an object", subject: "model", make: directory::members },
    Costly {
        name: "arrays of one in a text_config",
        subject: "model",
        make: |f| directory::text_config(f, "\"a\":[[1]", ",[1]", "]"),
    },
    Costly { name: "tokens in tokenizer.json", subject: "model", make: directory::tokens },
    Costly { name: "added tokens", subject: "model", make: directory::added_tokens },
    Costly { name: "merges", subject: "model", make: directory::merges },
    Costly { name: "pieces of SentencePiece", subject: "model", make: directory::pieces },
    Costly { name: "lines of vocab.txt", subject: "model", make: directory::lines },
    Costly { name: "tensors in an index", subject: "model", make: directory::index },
    Costly { name: "lines of a model card", subject: "model", make: directory::card },
    Costly { name: "patterns in a recipe", subject: "recipe.toml", make: directory::patterns },
    Costly {
        name: "the most patterns that are allowed",
        subject: "recipe.toml",
        make: directory::most_patterns,
    },
    Costly {
        name: "tables in tables of a recipe",
        subject: "recipe.toml",
        make: |f| directory::tables(f, "a."),
    },
    Costly { name: "arrays of a recipe", subject: "recipe.toml", make: |f| directory::recipe(f, "[],") },
    Costly { name: "tensors of safetensors", subject: "w.safetensors", make: container::empty_tensors },
    Costly { name: "tensors without data", subject: "f.gguf", make: |f| container::gguf_table(f, 24) },
    Costly { name: "tensors of no known type", subject: "f.gguf", make: |f| container::gguf_table(f, 36) },
    Costly { name: "keys", subject: "f.gguf", make: container::gguf_keys },
    Costly {
        name: "empty strings of an array",
        subject: "f.gguf",
        make: |f| container::gguf_array(f, 8, &[0; 8]),
    },
    Costly { name: "bytes of an array", subject: "f.gguf", make: |f| container::gguf_array(f, 0, &[7]) },
    Costly { name: "arrays in an array", subject: "f.gguf", make: |f| container::gguf_array(f, 9, &[0; 12]) },
    Costly { name: "entries of a legacy imatrix", subject: "i.dat", make: container::legacy_entries },
    Costly { name: "entries of an imatrix", subject: "i.gguf", make: container::imatrix_entries },
    Costly { name: "data sets of an imatrix", subject: "i.gguf", make: container::datasets },
];

/// As often as it fits.
fn repeat(unit: &str) -> String {
    unit.repeat((BYTES - 200) / unit.len())
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
