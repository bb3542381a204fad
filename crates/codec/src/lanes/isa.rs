//! Which instruction set runs a kernel, decided at run time.
#![allow(unsafe_code)]

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use super::Lanes;

/// The environment variable that forces an instruction set, for tests and measurements: `scalar`, `avx2`, `avx512` or
/// `neon`. Empty, it counts as not set; so does one that the processor lacks, or another word, but [`Isa::forced`]
/// says so.
const VARIABLE: &str = "BRIQ_ISA";

/// The one that is used, and whether it was forced.
static USED: OnceLock<(Isa, bool)> = OnceLock::new();

/// An instruction set that this processor has. No byte that is encoded or decoded depends on it; products may differ in
/// their last bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isa(Kind);

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

impl Isa {
    /// What this processor has, the widest last.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Self(Kind::Scalar)];
        #[cfg(target_arch = "x86_64")]
        {
            let small = is_x86_feature_detected!("f16c")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2");
            if small && is_x86_feature_detected!("avx2") {
                found.push(Self(Kind::Avx2));
            }
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if small && wide {
                found.push(Self(Kind::Avx512));
            }
        }
        // Look-ups take the bytes of a number from its lowest on.
        #[cfg(target_arch = "aarch64")]
        if cfg!(target_endian = "little") && std::arch::is_aarch64_feature_detected!("neon") {
            found.push(Self(Kind::Neon));
        }
        found
    }

    /// Makes this the one that encoders, decoders and kernels use, and no other: batches do without AMX. To be called
    /// before any of them has run, for the first chooses for all.
    ///
    /// # Errors
    /// With the one that is used, where that is another or was not forced.
    pub fn force(self) -> Result<(), Self> {
        match *USED.get_or_init(|| (self, true)) {
            (used, true) if used == self => Ok(()),
            (used, _) => Err(used),
        }
    }

    /// The one that was [forced](Self::force), or else that the environment variable `BRIQ_ISA` names, if it is set and
    /// not empty.
    ///
    /// # Errors
    /// When it names none of those that this processor has; the text lists them.
    pub fn forced() -> Result<Option<Self>, String> {
        if let Some(&(used, true)) = USED.get() {
            return Ok(Some(used));
        }
        let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else { return Ok(None) };
        let isa = name.to_string_lossy().parse();
        isa.map(Some).map_err(|problem| format!("{VARIABLE}: {problem}"))
    }

    /// The one that encoders, decoders and kernels use: the widest, or the one that is [forced](Self::forced).
    pub fn best() -> Self {
        let choose = || {
            let forced = Self::forced().ok().flatten();
            let widest = || Self::available().pop().unwrap_or(Self(Kind::Scalar));
            (forced.unwrap_or_else(widest), forced.is_some())
        };
        USED.get_or_init(choose).0
    }

    /// The name, as `BRIQ_ISA` takes it.
    pub fn name(self) -> &'static str {
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

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = String;

    /// Reads the name of an instruction set that this processor has.
    fn from_str(name: &str) -> Result<Self, String> {
        let available = Self::available();
        available.iter().copied().find(|isa| isa.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            format!("{name:?} is no instruction set of this processor; it has {}", names.join(", "))
        })
    }
}

/// Work that is written once for any number of lanes.
pub(crate) trait Kernel {
    /// Does the work. Mark it, and all it calls, `#[inline(always)]`: only what is inlined into the function that
    /// enables an instruction set uses it.
    fn run<L: Lanes>(self);
}

/// Runs `kernel` with the lanes of `isa`.
pub(crate) fn dispatch(isa: Isa, kernel: impl Kernel) {
    match isa.0 {
        Kind::Scalar => kernel.run::<f32>(),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` exists only for what was detected.
        Kind::Avx2 => unsafe { super::x86::run_avx2(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` exists only for what was detected.
        Kind::Avx512 => unsafe { super::x86::run_avx512(kernel) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: an `Isa` exists only for what was detected.
        Kind::Neon => unsafe { super::aarch64::run_neon(kernel) },
    }
}
