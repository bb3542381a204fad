//! What `bench` is told.

use std::path::PathBuf;

use briq_codec::Isa;
use briq_format::TensorType;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  briq bench encode
  briq bench encode --type Q4_K --type IQ4_XS --imatrix --peer llama.cpp/build/bin
  briq bench decode --isa avx2 --json
  briq bench dot --type Q4_K --peer llama.cpp/build/bin
  briq bench matvec --threads 2
  briq bench matmul --batch 512 --threads 2
  briq bench --list-isa

A type takes a second or a few.")]
pub(crate) struct Bench {
    /// What to measure
    #[arg(required_unless_present = "list_isa")]
    pub(crate) work: Option<Work>,
    /// Take turns with the ggml in this folder, whose code is run, and compare what both make
    #[arg(long, value_name = "DIR")]
    pub(crate) peer: Option<PathBuf>,
    /// Multiply with its kernels for another processor, such as haswell [default: the best for this one]
    #[arg(long, value_name = "NAME", requires = "peer")]
    pub(crate) peer_cpu: Option<String>,
    /// Vectors that `matmul` multiplies with [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) batch: Option<u16>,
    /// Measure this type; may be repeated [default: all]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<TensorType>,
    /// Encode with importance where a type uses it; those that cannot do without have it anyway
    #[arg(long)]
    pub(crate) imatrix: bool,
    /// Threads that share the rows, on both sides; `dot` has one [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Weights of each type, up to 2^30, made whole rows [default: to encode and decode at most 2^24, fewer for slow
    /// types; to multiply, the sizes of caches and of layers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub(crate) weights: Option<u32>,
    /// Use this instruction set and no other, of scalar, avx2, avx512 and neon one that --list-isa names [default: what
    /// BRIQ_ISA names, or else the best]
    #[arg(long, value_name = "NAME")]
    pub(crate) isa: Option<Isa>,
    /// List the instruction sets of this processor, and which one is used
    #[arg(long, conflicts_with_all = ["work", "peer", "batch", "types", "imatrix", "threads", "weights"])]
    pub(crate) list_isa: bool,
    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `bench` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    /// Weights to blocks
    Encode,
    /// Blocks to weights
    Decode,
    /// A row times activations, for weights that fit each cache and none
    Dot,
    /// A matrix times a vector, beside the speed of reading it
    Matvec,
    /// A matrix times a batch of vectors
    Matmul,
}
