//! Which instruction set kernels use, decided at run time.
#![allow(unsafe_code)]

use std::sync::OnceLock;

use briq_codec::Isa;

use super::{Amx, Simd};

/// An instruction set that this processor has, with all that the kernels need of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cpu(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

static BEST: OnceLock<Cpu> = OnceLock::new();
#[cfg(target_arch = "x86_64")]
static MATRICES: OnceLock<Option<Amx>> = OnceLock::new();

impl Cpu {
    /// What kernels use under `isa`. AVX2 comes with FMA, F16C and the instructions on bits, AVX-512 also with VNNI,
    /// VBMI and GFNI; a processor without these takes the next narrower instruction set. All that [`run`] enables is
    /// asked for here, whatever `isa` has proved, so that its proof is in one place.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn new(isa: Isa) -> Self {
        let narrow = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("popcnt");
        let wide = narrow
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("gfni");
        Self(match isa.name() {
            "avx512" if wide => Kind::Avx512,
            "avx512" | "avx2" if narrow => Kind::Avx2,
            _ => Kind::Scalar,
        })
    }

    /// What kernels use under `isa`. NEON is in every processor that programs with an operating system run on; words
    /// and ints are taken from bytes from the lowest on.
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn new(isa: Isa) -> Self {
        let neon = cfg!(target_endian = "little") && std::arch::is_aarch64_feature_detected!("neon");
        Self(match isa.name() {
            "neon" if neon => Kind::Neon,
            _ => Kind::Scalar,
        })
    }

    /// What kernels use under any instruction set: none.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub(crate) fn new(_: Isa) -> Self {
        Self(Kind::Scalar)
    }

    /// The one that is used: see [`Isa::best`].
    pub(crate) fn best() -> Self {
        *BEST.get_or_init(|| Self::new(Isa::best()))
    }

    /// The same, if it has been asked for before: no more than a look, for what is done for every row.
    #[inline]
    pub(crate) fn known() -> Option<Self> {
        BEST.get().copied()
    }

    /// Instructions that multiply small matrices, where the processor has them beside these; none where an instruction
    /// set is [forced](Isa::forced). They come with AVX-512 alone, by whose [`bias`](Simd::bias) codes are bytes
    /// without a sign, as these instructions take them.
    pub(crate) fn matrices(self) -> Option<Amx> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => {
                *MATRICES.get_or_init(|| (!matches!(Isa::forced(), Ok(Some(_)))).then(Amx::detect).flatten())
            }
            _ => None,
        }
    }

    /// The name, as [`Isa::name`] has it.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
        }
    }
}

/// The name of the instruction set that products are computed with: that of [`Isa::best`], or a narrower one where the
/// processor lacks what kernels need beside it, such as FMA beside AVX2, or VNNI, VBMI and GFNI beside AVX-512.
pub fn instruction_set() -> &'static str {
    Cpu::best().name()
}

/// The name of the instructions that batches of sixteen vectors and more are multiplied with beside
/// [`instruction_set`], if the processor has such: `amx`. They are not used where an instruction set is
/// [forced](Isa::forced), and not by F32, F16, BF16, TQ1_0, NVFP4, Q1_0 and Q2_0.
///
/// Linux is asked for them once, here or at the first such batch, for the whole process. It refuses where a thread has
/// an alternate signal stack (`sigaltstack`) too small for their registers, as 8 KiB are, and they stay unused; once it
/// has agreed, it refuses such stacks. A process that needs these forces an instruction set.
pub fn matrix_instructions() -> Option<&'static str> {
    Cpu::best().matrices().map(|_| "amx")
}

/// Work that is written for one number at a time, and once more for any instruction set.
pub(crate) trait Work {
    /// What comes of it.
    type Output;

    /// Does the work without vectors.
    fn scalar(self) -> Self::Output;

    /// Does the work with vectors. Mark it, and all it calls, `#[inline(always)]`: only what is inlined into the
    /// function that enables an instruction set uses it.
    fn vector<S: Simd>(self, simd: S) -> Self::Output;
}

/// Does the work with the instruction set of `cpu`.
#[inline]
pub(crate) fn run<W: Work>(cpu: Cpu, work: W) -> W::Output {
    match cpu.0 {
        Kind::Scalar => work.scalar(),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Cpu` exists only for what was detected.
        Kind::Avx2 => unsafe { super::x86::run_avx2(work) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Cpu` exists only for what was detected.
        Kind::Avx512 => unsafe { super::x86::run_avx512(work) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: a `Cpu` exists only for what was detected.
        Kind::Neon => unsafe { super::aarch64::run_neon(work) },
    }
}
