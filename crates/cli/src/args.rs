//! What can be said on the command line.

// The fuzz targets take this file by its path as well, and there the names alone lead elsewhere.
#[path = "args/bench.rs"]
pub(crate) mod bench;
#[path = "args/values.rs"]
mod values;

use std::path::PathBuf;

use briq_convert::recipe::{self, Recipe};
use briq_format::TensorType;
use clap::{Parser, Subcommand};
use regex::Regex;

use bench::Bench;
use values::{input, parse_override, parse_size, parse_threads};

/// Turn checkpoints into compact GGUF files; check, compare and snapshot them.
#[derive(Debug, Parser)]
#[command(
    name = "briq",
    version,
    arg_required_else_help = true,
    after_help = "Examples:
  briq convert Llama-3.2-1B --type Q4_K_M
  briq inspect model.gguf
  briq verify model.gguf
  briq hash model.gguf > model.gguf.sha256
  briq types

`briq COMMAND --help` has more.

Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 bad input, 4 the system failed (disk, permission), \
5 the record of a file is stale, 130 interrupted."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a GGUF file from a model directory, a safetensors file or another GGUF file
    Convert(Convert),
    /// Show what a GGUF file holds
    Inspect(Inspect),
    /// Check a GGUF file, and with --source every weight in it
    Verify(Verify),
    /// Hash a GGUF file or its tensors, in the forms of other tools or as a manifest
    Hash(Hash),
    /// Print a stable text of a GGUF file, or compare it with one
    Snapshot(Snapshot),
    /// Look at importance matrices, merge them, or change their format
    #[command(
        subcommand,
        after_help = "Examples:
  briq imatrix info imatrix.gguf
  briq imatrix merge english.gguf code.gguf --out both.gguf
  briq imatrix convert imatrix.dat --out imatrix.gguf"
    )]
    Imatrix(Imatrix),
    /// Measure how fast weights are encoded, decoded and multiplied, here and by ggml
    Bench(Bench),
    /// List the tensor types and recipes
    Types(Types),
    /// Print a completion script for a shell
    Completions(Completions),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq convert Llama-3.2-1B --type Q4_K_M
  briq convert Llama-3.2-1B --type Q4_K_M --tensor-type 'attn_v=Q8_0' --out small.gguf
  briq convert Llama-3.2-1B --type IQ3_XXS --imatrix imatrix.gguf
  briq convert Llama-3.2-1B --recipe mixture.toml
  briq convert model-f16.gguf --type Q5_K_S --dry-run
  briq convert model.gguf --type Q4_K_M --in-place
  briq convert Llama-3.2-1B --type Q8_0 --out - | zstd > model.gguf.zst
  briq convert weights.safetensors --arch mymodel --type F16
  briq convert MyLlama --arch-as llama --type Q8_0
  briq convert --list-families

A file appears complete under its name, or not at all. A pipe or a device, and standard output, take the model from \
front to back: without a record of digests, and not to be taken for a model where the exit code is not 0.")]
pub(crate) struct Convert {
    /// A Hugging Face model directory, a .safetensors file or a .gguf file
    #[arg(value_name = "SRC", required_unless_present = "list_families", value_parser = input())]
    pub(crate) source: Option<PathBuf>,
    /// The recipe, such as Q4_K_M, Q8_0, BF16, or auto for the precision of the source; `briq types` lists all
    #[arg(long = "type", value_name = "TYPE", required_unless_present_any = ["recipe_file", "list_families"])]
    pub(crate) recipe: Option<Recipe>,
    /// A recipe of your own, instead of --type; the options below go before what it says
    #[arg(long = "recipe", value_name = "FILE.toml", conflicts_with = "recipe", value_parser = input())]
    pub(crate) recipe_file: Option<PathBuf>,
    /// Where to write, `-` for standard output; without it a name is made from the model's, in the current directory
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Put the result in the place of SRC, a single GGUF file, once it is complete, on the disk and read back
    #[arg(long, conflicts_with = "out")]
    pub(crate) in_place: bool,
    /// Write no record of digests, which `briq verify` holds the file against; llama.cpp writes none either
    #[arg(long)]
    pub(crate) no_record: bool,
    /// Give the tensors whose name matches a type of their own; may be repeated, the first match decides
    #[arg(long, value_name = "REGEX=TYPE", value_parser = parse_override)]
    pub(crate) tensor_type: Vec<(Regex, TensorType)>,
    /// The type of the output projection, or of the token embedding where that serves as one
    #[arg(long, value_name = "TYPE", value_parser = recipe::weight_type)]
    pub(crate) output_tensor_type: Option<TensorType>,
    /// The type of the token embedding
    #[arg(long, value_name = "TYPE", value_parser = recipe::weight_type)]
    pub(crate) token_embedding_type: Option<TensorType>,
    /// Leave the tensors whose name matches in the type of their source; may be repeated
    #[arg(long, value_name = "TENSOR-REGEX", value_parser = recipe::pattern)]
    pub(crate) keep: Vec<Regex>,
    /// Give every tensor that is quantized the recipe's own type, sensitive or not
    #[arg(long)]
    pub(crate) pure: bool,
    /// Fail where a row does not fit its type, instead of taking another
    #[arg(long)]
    pub(crate) no_fallback: bool,
    /// How much each column matters, measured by llama.cpp: a GGUF importance matrix or a legacy .dat file
    #[arg(long, value_name = "FILE", value_parser = input())]
    pub(crate) imatrix: Option<PathBuf>,
    /// The architecture: instead of the one config.json names, or of a single safetensors file, whose tensors keep
    /// their names and which gets no further keys: llama.cpp does not load such a file
    #[arg(long, value_name = "NAME")]
    pub(crate) arch: Option<String>,
    /// The family whose tensors a directory has, where config.json names a class that is not known
    #[arg(long, value_name = "FAMILY", conflicts_with = "arch")]
    pub(crate) arch_as: Option<String>,
    /// List the families of model directories that are known, and convert nothing
    #[arg(long, conflicts_with_all = ["source", "recipe", "recipe_file"])]
    pub(crate) list_families: bool,
    /// The pre-tokenizer, where the structure of tokenizer.json is not a known one
    #[arg(long, value_name = "NAME")]
    pub(crate) pre: Option<String>,
    /// Threads that encode [default: one per core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Option<u16>,
    /// What buffers may take together, as in 64MiB or 1G; at least 1 MiB
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size)]
    pub(crate) max_memory: u64,
    /// Print the plan with exact sizes and write nothing; an output that exists, is an input or has no folder is
    /// refused
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Replace the output if it exists
    #[arg(long, short)]
    pub(crate) force: bool,
    /// Take NaN, infinite and overflowing weights as they are
    #[arg(long)]
    pub(crate) allow_non_finite: bool,
    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq inspect model.gguf
  briq inspect model.gguf --tensors
  briq inspect model.gguf tokenizer.chat_template
  briq inspect model.gguf --json | jq .metadata")]
pub(crate) struct Inspect {
    /// A GGUF file; any shard shows the whole model
    #[arg(value_parser = input())]
    pub(crate) file: PathBuf,
    /// Show one key in full
    #[arg(conflicts_with = "tensors")]
    pub(crate) key: Option<String>,
    /// Show only the metadata
    #[arg(long, conflicts_with = "tensors")]
    pub(crate) metadata: bool,
    /// Show only the tensors
    #[arg(long)]
    pub(crate) tensors: bool,
    /// Report as JSON; arrays of more than 8 elements are shortened, except under KEY
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq verify model.gguf
  briq verify model.gguf --against model.gguf.sha256
  briq verify model-Q4_K_M.gguf --source Llama-3.2-1B
  briq verify model-Q4_K_M.gguf --source model-F16.gguf --json

A file that `briq convert` wrote carries a record: a digest of every key and every tensor. Tensors that are not what \
was written are damaged: exit code 1. Where another tool changed keys or types and carried the record along, the \
record is stale: what it still describes was checked, the rest cannot be, and the exit code is 5.")]
pub(crate) struct Verify {
    /// A GGUF file; any shard checks the whole model
    #[arg(value_parser = input())]
    pub(crate) file: PathBuf,
    /// What the file was made from: a model directory, a .safetensors file or a .gguf file
    #[arg(long, value_name = "SRC", value_parser = input())]
    pub(crate) source: Option<PathBuf>,
    /// Hashes to hold the file against: a manifest of `briq hash`, or what sha256sum or llama-gguf-hash printed
    #[arg(long, value_name = "LIST", value_parser = input())]
    pub(crate) against: Option<PathBuf>,
    /// The architecture of the source, as for convert
    #[arg(long, value_name = "NAME", requires = "source")]
    pub(crate) arch: Option<String>,
    /// The family whose tensors the source has, as for convert
    #[arg(long, value_name = "FAMILY", requires = "source", conflicts_with = "arch")]
    pub(crate) arch_as: Option<String>,
    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq hash model.gguf > model.gguf.sha256
  briq hash model.gguf --manifest > model.gguf.manifest
  briq hash model.gguf --all > model.gguf.hashes
  briq hash model.gguf --sha1 --uuid --no-layer
  briq verify model.gguf --against model.gguf.manifest

Without an option: the SHA-256 of the file, as sha256sum prints it. With algorithms: a line for each tensor and one \
for the data of all tensors, as llama.cpp's llama-gguf-hash prints them.")]
pub(crate) struct Hash {
    /// A GGUF file; a shard is hashed by itself, except for --manifest, where any shard stands for the model
    #[arg(value_parser = input())]
    pub(crate) file: PathBuf,
    /// Hash tensors with XXH64
    #[arg(long)]
    pub(crate) xxh64: bool,
    /// Hash tensors with SHA-1
    #[arg(long)]
    pub(crate) sha1: bool,
    /// Hash tensors with SHA-256
    #[arg(long)]
    pub(crate) sha256: bool,
    /// Hash tensors with BLAKE3
    #[arg(long)]
    pub(crate) blake3: bool,
    /// Hash tensors with XXH64, SHA-1 and SHA-256
    #[arg(long)]
    pub(crate) all: bool,
    /// Make an identifier of the data of all tensors: a UUID of version 5
    #[arg(long)]
    pub(crate) uuid: bool,
    /// Leave out the lines of single tensors
    #[arg(long)]
    pub(crate) no_layer: bool,
    /// Print a manifest: a BLAKE3 digest of every key, every tensor, and the whole
    #[arg(long, conflicts_with_all = ["xxh64", "sha1", "sha256", "blake3", "all", "uuid", "no_layer"])]
    pub(crate) manifest: bool,
    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq snapshot model.gguf > model.snap
  briq snapshot model.gguf --check model.snap")]
pub(crate) struct Snapshot {
    /// A GGUF file; any shard gives the whole model
    #[arg(value_parser = input())]
    pub(crate) file: PathBuf,
    /// Compare with this text instead of printing; exit 1 and show the difference when it is another
    #[arg(long, value_name = "EXPECTED", value_parser = input())]
    pub(crate) check: Option<PathBuf>,
    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Imatrix {
    /// Show which tensors a matrix speaks of
    Info(ImatrixInfo),
    /// Bring matrices together, as if their texts had been measured in one go
    Merge(ImatrixMerge),
    /// Change the format: what --out ends in decides
    Convert(ImatrixConvert),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq imatrix info imatrix.gguf
  briq imatrix info imatrix.dat --json")]
pub(crate) struct ImatrixInfo {
    /// An importance matrix, GGUF or legacy
    #[arg(value_parser = input())]
    pub(crate) file: PathBuf,
    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq imatrix merge english.gguf code.gguf --out both.gguf")]
pub(crate) struct ImatrixMerge {
    /// Importance matrices, GGUF or legacy
    #[arg(value_name = "FILE", required = true, num_args = 2.., value_parser = input())]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: ImatrixOutput,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq imatrix convert imatrix.dat --out imatrix.gguf
  briq imatrix convert imatrix.gguf --out imatrix.dat")]
pub(crate) struct ImatrixConvert {
    /// An importance matrix, GGUF or legacy
    #[arg(value_parser = input())]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: ImatrixOutput,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImatrixOutput {
    /// Where to write: FILE.gguf for the GGUF format, FILE.dat for the legacy one
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Tokens in a chunk of the result, and of a legacy file, which does not say [default: as a GGUF file here says,
    /// or else 512]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) chunk_size: Option<u32>,
    /// Replace the output if it exists
    #[arg(long, short)]
    pub(crate) force: bool,
    /// Print what was written as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq types
  briq types --json | jq '.types[] | select(.encode)'")]
pub(crate) struct Types {
    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq completions bash > ~/.local/share/bash-completion/completions/briq
  briq completions zsh > ~/.zfunc/_briq")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
