//! What is measured, and how: the first line of a table, and the front of a report as JSON.

use briq_codec::{Isa, uses_importance};
use briq_convert::Error;
use briq_format::{TensorType, counted};
use briq_kernels::{instruction_set, matrix_instructions_for};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::{Serialize, Serializer};

use super::{data, memory};
use crate::args::bench::{Bench, Work};

#[derive(Serialize)]
pub(super) struct Setup {
    #[serde(serialize_with = "as_spelled")]
    work: Work,
    /// The instruction set that does the work.
    isa: &'static str,
    /// The instructions beside it that some of the types are multiplied with.
    matrices: Option<&'static str>,
    pub(super) threads: u16,
    /// Weights of a row.
    row_elements: usize,
    /// Vectors that each row is multiplied with.
    pub(super) batch: Option<u16>,
    /// The least bytes of weights that come from memory, where some are chosen to: matrices are whole.
    pub(super) memory_bytes: Option<usize>,
    /// The file name of the other side's library, once it is loaded.
    pub(super) peer: Option<String>,
}

/// Vectors that `matmul` multiplies with where the command line names no number.
const BATCH: u16 = 64;

impl Setup {
    /// What the command line says, and what of the processor these types make use of.
    ///
    /// # Errors
    /// It says something that would change nothing.
    pub(super) fn new(work: Work, types: &[TensorType], args: &Bench) -> Result<Self, Error> {
        refuse_idle_options(work, args)?;
        let batch = match work {
            Work::Encode | Work::Decode => None,
            Work::Dot | Work::Matvec => Some(1),
            Work::Matmul => Some(args.batch.unwrap_or(BATCH)),
        };
        let vectors = batch.map_or(0, usize::from);
        Ok(Self {
            work,
            isa: match work {
                Work::Encode | Work::Decode => Isa::best().name(),
                Work::Dot | Work::Matvec | Work::Matmul => instruction_set(),
            },
            matrices: types.iter().find_map(|&ty| matrix_instructions_for(ty, vectors)),
            threads: args.threads.unwrap_or(1),
            row_elements: data::ROW,
            batch,
            memory_bytes: match work {
                Work::Dot | Work::Matvec if args.weights.is_none() => Some(memory::bytes()),
                _ => None,
            },
            peer: None,
        })
    }

    pub(super) fn work(&self) -> Work {
        self.work
    }

    /// The line above the table.
    pub(super) fn heading(&self) -> String {
        let Self { isa, threads, .. } = self;
        let matrices = self.matrices.map(|name| format!(" with {name}")).unwrap_or_default();
        let threads = counted(*threads, "thread", "threads");
        let against = self.peer.as_ref().map(|peer| format!(", against {peer}")).unwrap_or_default();
        let from_memory =
            self.memory_bytes.map(|bytes| format!(", at least {} MiB from memory", bytes >> 20));
        let from_memory = from_memory.unwrap_or_default();
        format!("{isa}{matrices}, {threads}{against}{from_memory}, best of the rounds")
    }
}

/// The work as the command line spells it.
fn as_spelled<S: Serializer>(work: &Work, serializer: S) -> Result<S::Ok, S::Error> {
    work.to_possible_value().as_ref().map(PossibleValue::get_name).serialize(serializer)
}

/// Refuses options that would change nothing.
fn refuse_idle_options(work: Work, args: &Bench) -> Result<(), Error> {
    let refused = match work {
        Work::Decode if args.imatrix => "--imatrix: decoders make no use of importance",
        Work::Encode if args.imatrix && names_no_use_of_importance(args) => {
            "--imatrix: none of these types makes use of importance"
        }
        Work::Dot | Work::Matvec | Work::Matmul if args.imatrix => {
            "--imatrix: products make no use of importance"
        }
        Work::Dot if args.threads.is_some() => {
            "--threads: `dot` multiplies on one thread; `matvec` takes more"
        }
        Work::Matmul => return Ok(()),
        _ if args.batch.is_some() => "--batch: `matmul` alone multiplies with a batch",
        Work::Encode | Work::Decode if args.peer_cpu.is_some() => {
            "--peer-cpu: encoders and decoders are the same for every processor"
        }
        _ => return Ok(()),
    };
    Err(Error::usage(refused))
}

/// Whether types are named, and importance is nothing to any of them.
fn names_no_use_of_importance(args: &Bench) -> bool {
    !args.types.is_empty() && !args.types.iter().copied().any(uses_importance)
}
