//! Every operation of every instruction set that this processor has, against its plain definition.

#![allow(clippy::unwrap_used)]

mod floats;
mod integers;
mod matrices;
mod moves;
mod products;

use std::any::type_name;
use std::array::from_fn;

use briq_codec::Isa;
use proptest::array::uniform;
use proptest::prelude::*;
use zerocopy::{Immutable, IntoBytes, transmute};

use super::{Cpu, Simd, Work, run};

/// What operations are tried on: any bytes, and often those at the edges.
#[derive(Debug)]
struct Input {
    a: [u8; 32],
    b: [u8; 32],
    c: [u8; 32],
    bits: u32,
}

impl Input {
    fn words(&self) -> [[i16; 16]; 3] {
        [self.a, self.b, self.c].map(|bytes| transmute!(bytes))
    }

    fn ints(&self) -> [[i32; 8]; 3] {
        [self.a, self.b, self.c].map(|bytes| transmute!(bytes))
    }

    /// The first 16 bytes.
    fn sixteen(&self) -> &[u8; 16] {
        self.a.first_chunk().unwrap()
    }

    /// The first eight bytes.
    fn eight(&self) -> [u8; 8] {
        *self.a.first_chunk().unwrap()
    }
}

fn input() -> impl Strategy<Value = Input> {
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(vec![0, 1, 0x7F, 0x80, 0x81, 0xFF])];
    let edge = prop::sample::select(vec![0, 0x7F, 0x80, 0xFF]);
    // Now and then all bytes are one: only then are sums as large as they can be.
    let bytes = || prop_oneof![4 => uniform(byte()), 1 => edge.clone().prop_map(|byte| [byte; 32])];
    (bytes(), bytes(), bytes(), any::<u32>()).prop_map(|(a, b, c, bits)| Input { a, b, c, bits })
}

macro_rules! with_every_instruction_set {
    ($($test:ident: $check:path;)*) => {
        $(#[test]
        fn $test() {
            struct Operations<'a>(&'a Input);

            impl Work for Operations<'_> {
                type Output = ();

                /// Has no operations.
                fn scalar(self) {}

                #[inline(always)]
                fn vector<S: Simd>(self, simd: S) {
                    $check(simd, self.0);
                }
            }

            proptest!(|(input in input())| {
                for isa in Isa::available() {
                    run(Cpu::new(isa), Operations(&input));
                }
            });
        })*
    };
}
with_every_instruction_set! {
    bytes_go_where_they_belong: moves::check;
    integers_are_those_of_one_at_a_time: integers::check;
    sums_of_products_are_exact: products::check;
    floats_are_those_of_one_at_a_time: floats::check;
}

/// Whether work is done with vectors.
struct Vectors;

impl Work for Vectors {
    type Output = bool;

    fn scalar(self) -> bool {
        false
    }

    #[inline(always)]
    fn vector<S: Simd>(self, _: S) -> bool {
        true
    }
}

#[test]
fn only_what_is_called_scalar_does_without_vectors() {
    for isa in Isa::available() {
        assert_eq!(run(Cpu::new(isa), Vectors), isa.name() != "scalar", "{isa}");
    }
}

/// The bytes of a register.
fn bytes<S: Simd>(simd: S, ints: S::Ints) -> [u8; 32] {
    let mut bytes = [0; 32];
    simd.store(ints, &mut bytes);
    bytes
}

/// Holds a register against the numbers that it should be.
fn same<S: Simd, T: IntoBytes + Immutable, const N: usize>(
    simd: S,
    operation: &str,
    found: S::Ints,
    expected: [T; N],
) {
    assert_eq!(bytes(simd, found), expected.as_bytes(), "{operation} with {}", type_name::<S>());
}

/// A number for each place.
fn each<T, U, V, const N: usize>(a: [T; N], b: [U; N], f: impl Fn(T, U) -> V) -> [V; N]
where
    T: Copy,
    U: Copy,
{
    from_fn(|i| f(a[i], b[i]))
}
