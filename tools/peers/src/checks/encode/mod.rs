//! briq's encoders against `ggml_quantize_chunk`: the same weights, the same importance, the same bytes, under every
//! instruction set and however the rows are shared among threads.
//!
//! ggml is asked once, in this process; its answers wait in files for the processes that compare. It ends the
//! process on rows that its search cannot place, and briq refuses exactly some of these with an error. So briq goes
//! first, and ggml gets the rows that briq has accepted.

mod answer;
mod compare;

use anyhow::Result;
use briq_format::{Content, TensorType};

use crate::briq::convert;
use crate::checks::encode::answer::answer;
use crate::claims::Claims;
use crate::ggml::Ggml;
use crate::isa::findings;
use crate::parallel;
use crate::place::Place;
use crate::samples::samples;

pub(super) use compare::{PART, run as run_part};

/// The folder of the answers.
const FOLDER: &str = "encode";

/// A type to encode to.
struct Job {
    ty: TensorType,
    weighted: bool,
}

impl Job {
    /// Every type that ggml encodes, without importance where that is allowed, and with.
    fn all() -> Vec<Self> {
        encoded_types()
            .flat_map(|ty| [false, true].map(|weighted| Self { ty, weighted }))
            .filter(|job| job.weighted || !briq_codec::needs_importance(job.ty))
            .collect()
    }

    /// A search over a grid takes ggml seconds for a million weights: two million weights are enough.
    fn is_slow(&self) -> bool {
        briq_codec::has_grid(self.ty)
    }

    /// The files of its answer begin with this.
    fn name(&self) -> String {
        format!("{}-{}-importance", self.ty, if self.weighted { "with" } else { "without" })
    }
}

/// The types that both encode. ggml stores F64 and integers, but has no encoder for them.
fn encoded_types() -> impl Iterator<Item = TensorType> {
    TensorType::ALL.iter().copied().filter(|ty| ty.content() == Content::Weights)
}

/// Compares every type, without importance and with it.
pub(super) fn run(place: &Place) -> Result<()> {
    let ggml = Ggml::load(&place.libraries())?;
    let folder = place.work(FOLDER)?;
    let samples = samples(&convert(place, &place.minilm(), "F32", &folder)?)?;
    let jobs = Job::all();
    let mut claims = Claims::default();
    for ty in encoded_types() {
        let (ours, theirs) = (briq_codec::needs_importance(ty), ggml.requires_importance(ty));
        claims.that(ours == theirs, format_args!("{ty} needs importance: {ours}, of ggml: {theirs}"));
    }

    let answers = parallel::map(&jobs, |job| answer(&ggml, &samples, job)?.store(&folder, job));
    let answers = answers.into_iter().collect::<Result<Vec<_>>>()?;
    let findings = findings(place, PART, jobs.len())?;

    print!("type     importance     weights  refused rows ");
    findings.iter().for_each(|(isa, _)| print!("  {isa:>7}, 1 or 2 threads"));
    println!();
    for (at, (job, answer)) in jobs.iter().zip(&answers).enumerate() {
        let importance = if job.weighted { "with" } else { "without" };
        print!("{:8} {importance:10} {:11} {:13} ", job.ty.name(), answer.weights, answer.refused.len());
        for (isa, findings) in &findings {
            let finding = &findings[at];
            print!("  {:11} {:12}", finding.differing[0], finding.differing[1]);
            let sound = finding.differing.iter().all(|&count| count == 0);
            claims.that(sound, format_args!("{isa}: {}", finding.first.as_deref().unwrap_or_default()));
        }
        println!();
        claims.that(
            answer.refused_without_reason == 0,
            format_args!(
                "{}: {} rows of ordinary weights are refused",
                job.name(),
                answer.refused_without_reason
            ),
        );
    }
    println!("(differing bytes; in refused rows weights, or their squares, are not finite)");
    std::fs::remove_dir_all(&folder)?;
    claims.settle()
}
