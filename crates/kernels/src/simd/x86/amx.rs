//! AMX: registers of sixteen rows of up to 64 bytes, and one instruction for the product of two of them.
//!
//! In a product of `rows x bytes` with `bytes x vectors`, the rows of the first factor lie as they are; of the second,
//! every four bytes of each of sixteen vectors lie side by side. All sums are exact: 256 products of bytes are less
//! than 2^24.

use std::arch::asm;
use std::arch::x86_64::*;
use std::cell::Cell;
use std::marker::PhantomData;

use crate::simd::matrices::{Bf16s, Bytes, Floats, Ints, ROWS};

/// Proof that the processor has AMX with INT8 and BF16, and that the system lets this process use them.
#[derive(Clone, Copy)]
pub(crate) struct Amx(());

/// The registers, set up on this thread as long as this is there, for factors of so many bytes a row.
pub(crate) struct Registers<const BYTES: usize> {
    /// They belong to the thread.
    thread: PhantomData<*const ()>,
}

impl Amx {
    /// Asks the processor, and the system, which reserves memory for the registers only in processes that say that they
    /// use them.
    pub(crate) fn detect() -> Option<Self> {
        (has_instructions() && is_permitted()).then_some(Self(()))
    }

    /// Asks for what is soon to be read.
    #[inline(always)]
    pub(crate) fn fetch<T>(self, numbers: &[T]) {
        let first = numbers.as_ptr().cast::<i8>();
        for line in (0..size_of_val(numbers)).step_by(64) {
            // SAFETY: changes nothing, and reads nothing that the program would notice, at any address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(line)) };
        }
    }

    /// Sets up the registers. Set up twice at a time, they would have the lengths of the second.
    #[inline(always)]
    pub(crate) fn registers<const BYTES: usize>(self) -> Registers<BYTES> {
        assert!(!IN_USE.replace(true), "registers are set up once at a time");
        let configuration = const { &Configuration::new(BYTES) };
        // SAFETY: an `Amx` is there, so the processor has the instruction; it reads the 64 bytes of a configuration,
        // and the compiler itself never uses these registers.
        unsafe { asm!("ldtilecfg [{}]", in(reg) configuration, options(readonly, nostack, preserves_flags)) };
        Registers { thread: PhantomData }
    }

    /// The products of 256 codes with the scales of each 16, as low bytes without sign and high ones with it. Four
    /// bytes that follow each other stay so, at the place that [`place`](crate::simd::matrices::place) gives.
    #[inline(always)]
    pub(crate) fn spread(
        self,
        codes: &[[i8; 32]; 8],
        scales: &[i16; 16],
        low: &mut [u8; 256],
        high: &mut [i8; 256],
    ) {
        // SAFETY: `detect` has asked for AVX-512 with BW, which F comes with.
        unsafe { spread(codes, scales, low, high) }
    }
}

/// Products of words, taken apart into bytes, two runs of 32 at a time.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn spread(runs: &[[i8; 32]; 8], scales: &[i16; 16], low: &mut [u8; 256], high: &mut [i8; 256]) {
    // SAFETY: 32 readable bytes.
    let scales = _mm512_castsi256_si512(unsafe { _mm256_loadu_si256(scales.as_ptr().cast()) });
    let (low, high) = (low.as_chunks_mut::<64>().0, high.as_chunks_mut::<64>().0);
    for pair in 0..4 {
        let product = |run: usize| {
            // SAFETY: 32 readable bytes.
            let codes = _mm512_cvtepi8_epi16(unsafe { _mm256_loadu_si256(runs[run].as_ptr().cast()) });
            // SAFETY: 64 readable bytes.
            let places = unsafe { _mm512_loadu_si512(SIXTEEN_TIMES[run].as_ptr().cast()) };
            _mm512_mullo_epi16(codes, _mm512_permutexvar_epi16(places, scales))
        };
        let (a, b) = (product(2 * pair), product(2 * pair + 1));
        let mask = _mm512_set1_epi16(0xFF);
        let lows = _mm512_packus_epi16(_mm512_and_si512(a, mask), _mm512_and_si512(b, mask));
        let highs = _mm512_packs_epi16(_mm512_srai_epi16::<8>(a), _mm512_srai_epi16::<8>(b));
        // SAFETY: 64 writable bytes.
        unsafe { _mm512_storeu_si512(low[pair].as_mut_ptr().cast(), lows) };
        // SAFETY: 64 writable bytes.
        unsafe { _mm512_storeu_si512(high[pair].as_mut_ptr().cast(), highs) };
    }
}

/// The scale of each 16 codes of a run of 32, sixteen times.
static SIXTEEN_TIMES: [[i16; 32]; 8] = {
    let mut places = [[0; 32]; 8];
    let mut i = 0;
    while i < 8 * 32 {
        places[i / 32][i % 32] = (i / 16) as i16;
        i += 1;
    }
    places
};

/// The bits of CPUID leaf 7 for AMX_BF16, AMX_TILE and AMX_INT8 (Intel's Software Developer's Manual, volume 2A).
fn has_instructions() -> bool {
    const NEEDED: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    #[allow(unused_unsafe, reason = "the oldest compiler that will do calls it unsafe")]
    // SAFETY: every x86-64 has CPUID, and one with AVX-512 has leaf 7.
    let found = || unsafe { __cpuid_count(7, 0).edx };
    is_x86_feature_detected!("avx512bw") && found() & NEEDED == NEEDED
}

/// Asks Linux for the registers (`ARCH_REQ_XCOMP_PERM` with the number of `XTILEDATA`, arch_prctl(2)).
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const REQUEST: libc::c_ulong = 0x1023;
    const REGISTERS: libc::c_ulong = 18;
    // SAFETY: a system call that takes two numbers and changes no memory of the program.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, REGISTERS) == 0 }
}

/// Nothing is known of other systems.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// What is loaded to set up the registers: products in 0 to 3, rows in 4 and 5, vectors in 6 and 7.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}
const _: () = assert!(size_of::<Configuration>() == 64);

impl Configuration {
    const fn new(bytes: usize) -> Self {
        assert!(bytes == 32 || bytes == 64);
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        let mut register = 0;
        while register < 8 {
            let vectors = register >= 6;
            row_bytes[register] = if register >= 4 && !vectors { bytes as u16 } else { 64 };
            rows[register] = if vectors { (bytes / 4) as u8 } else { ROWS as u8 };
            register += 1;
        }
        Self { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
    }
}

thread_local! {
    static IN_USE: Cell<bool> = const { Cell::new(false) };
}

impl<const BYTES: usize> Drop for Registers<BYTES> {
    fn drop(&mut self) {
        // SAFETY: gives back what was set up.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
        IN_USE.set(false);
    }
}

/// Instructions that use all registers.
macro_rules! with_registers {
    ($($part:tt)*) => {
        asm!(
            $($part)*
            out("tmm0") _,
            out("tmm1") _,
            out("tmm2") _,
            out("tmm3") _,
            out("tmm4") _,
            out("tmm5") _,
            out("tmm6") _,
            out("tmm7") _,
            options(nostack, preserves_flags)
        )
    };
}

/// An instruction for each of the four steps over 64 bytes.
macro_rules! steps {
    ($($quarter:literal)*) => {
        concat!($(
            "tileloadd tmm6, [{first} + {line} + 1024*", $quarter, "]\n",
            "tileloadd tmm7, [{second} + {line} + 1024*", $quarter, "]\n",
            "tileloadd tmm4, [{low} + {row} + 64*", $quarter, "]\n",
            "tileloadd tmm5, [{high} + {row} + 64*", $quarter, "]\n",
            "tdpbusd tmm0, tmm4, tmm6\n",
            "tdpbssd tmm1, tmm5, tmm6\n",
            "tdpbusd tmm2, tmm4, tmm7\n",
            "tdpbssd tmm3, tmm5, tmm7\n",
        )*)
    };
}

/// The instructions for two runs of 32 bytes.
macro_rules! runs {
    ($($pair:literal)*) => {
        concat!($(
            "tileloadd tmm4, [{codes} + {row} + 64*", $pair, "]\n",
            "tileloadd tmm0, [{first_start} + {none} + 128*", $pair, "]\n",
            "tileloadd tmm1, [{second_start} + {none} + 128*", $pair, "]\n",
            "tileloadd tmm6, [{first} + {line} + 1024*", $pair, "]\n",
            "tileloadd tmm7, [{second} + {line} + 1024*", $pair, "]\n",
            "tdpbusd tmm0, tmm4, tmm6\n",
            "tdpbusd tmm1, tmm4, tmm7\n",
            "tilestored [{first_sums} + {line} + 2048*", $pair, "], tmm0\n",
            "tilestored [{second_sums} + {line} + 2048*", $pair, "], tmm1\n",
            "tileloadd tmm5, [{codes} + {row} + 64*", $pair, " + 32]\n",
            "tileloadd tmm2, [{first_start} + {none} + 128*", $pair, " + 64]\n",
            "tileloadd tmm3, [{second_start} + {none} + 128*", $pair, " + 64]\n",
            "tileloadd tmm6, [{first} + {line} + 1024*", $pair, " + 512]\n",
            "tileloadd tmm7, [{second} + {line} + 1024*", $pair, " + 512]\n",
            "tdpbusd tmm2, tmm5, tmm6\n",
            "tdpbusd tmm3, tmm5, tmm7\n",
            "tilestored [{first_sums} + {line} + 2048*", $pair, " + 1024], tmm2\n",
            "tilestored [{second_sums} + {line} + 2048*", $pair, " + 1024], tmm3\n",
        )*)
    };
}

impl Registers<64> {
    /// The products of sixteen rows of 256 low bytes and of as many high bytes with two groups of sixteen vectors.
    #[inline(always)]
    pub(crate) fn of_low_and_high(
        &self,
        low: &[[u8; 256]; ROWS],
        high: &[[i8; 256]; ROWS],
        [first, second]: [&Bytes; 2],
        [[first_low, first_high], [second_low, second_high]]: [&mut [Ints; 2]; 2],
    ) {
        // SAFETY: reads and writes sixteen lines of what the references cover, at the distances that the lengths of
        // their rows are; the registers are set up, and the compiler does not use them.
        unsafe {
            with_registers!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                steps!(0 1 2 3),
                "tilestored [{first_low} + {line}], tmm0",
                "tilestored [{first_high} + {line}], tmm1",
                "tilestored [{second_low} + {line}], tmm2",
                "tilestored [{second_high} + {line}], tmm3",
                first = in(reg) first,
                second = in(reg) second,
                low = in(reg) low,
                high = in(reg) high,
                first_low = in(reg) first_low,
                first_high = in(reg) first_high,
                second_low = in(reg) second_low,
                second_high = in(reg) second_high,
                line = in(reg) 64_usize,
                row = in(reg) 256_usize,
            );
        }
    }

    /// The products of sixteen rows of 32 bfloat16 numbers with two groups of sixteen vectors.
    #[inline(always)]
    pub(crate) fn of_bf16(
        &self,
        rows: &Bf16s,
        [first, second]: [&Bf16s; 2],
        [first_sums, second_sums]: [&mut Floats; 2],
    ) {
        // SAFETY: as in [`of_low_and_high`](Self::of_low_and_high).
        unsafe {
            with_registers!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tileloadd tmm4, [{rows} + {line}]",
                "tileloadd tmm6, [{first} + {line}]",
                "tileloadd tmm7, [{second} + {line}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tilestored [{first_sums} + {line}], tmm0",
                "tilestored [{second_sums} + {line}], tmm1",
                rows = in(reg) rows,
                first = in(reg) first,
                second = in(reg) second,
                first_sums = in(reg) first_sums,
                second_sums = in(reg) second_sums,
                line = in(reg) 64_usize,
            );
        }
    }
}

impl Registers<32> {
    /// The products of each 32 of 256 codes of sixteen rows with two groups of sixteen vectors, added to what each
    /// vector starts with.
    #[inline(always)]
    pub(crate) fn of_runs(
        &self,
        codes: &[[u8; 256]; ROWS],
        [first, second]: [&Bytes; 2],
        [first_start, second_start]: [&[[i32; 16]; 8]; 2],
        products: &mut [[Ints; 8]; 2],
    ) {
        let [first_sums, second_sums] = products;
        // SAFETY: as in [`of_low_and_high`](Registers::of_low_and_high); what is started with is loaded into every row.
        unsafe {
            with_registers!(
                runs!(0 1 2 3),
                first = in(reg) first,
                second = in(reg) second,
                codes = in(reg) codes,
                first_start = in(reg) first_start,
                second_start = in(reg) second_start,
                first_sums = in(reg) first_sums,
                second_sums = in(reg) second_sums,
                none = in(reg) 0_usize,
                line = in(reg) 64_usize,
                row = in(reg) 256_usize,
            );
        }
    }
}
