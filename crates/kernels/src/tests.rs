//! Every kernel against the definition, over arbitrary bytes.

mod exact;

use briq_codec::Isa;
use briq_format::TensorType::{self, *};
use briq_format::block::{Block, F32, Q8_0, Q8_1, Q8_K};
use briq_format::for_each_weight_type;
use briq_format::scalar::F16;
use proptest::prelude::*;
use zerocopy::little_endian::I16;
use zerocopy::{FromBytes, IntoBytes};

use crate::dot::{Weights, dot_blocks, product_with};
use crate::matrix::tests::check_batch;
use crate::simd::Cpu;
use crate::{Activations, Error, Matrix, bound, can_dot, dot, matmul_here, partner, reference};

/// Super-blocks of a row.
const BLOCKS: usize = if cfg!(miri) { 1 } else { 5 };

/// Arbitrary bytes of a row, [bounded]: sums of larger numbers overflow, and then no bound is claimed.
fn row(ty: TensorType) -> impl Strategy<Value = Vec<u8>> {
    let bytes = ty.row_bytes(BLOCKS as u64 * 256).unwrap() as usize;
    proptest::collection::vec(any::<u8>(), bytes).prop_map(move |bytes| bounded(ty, bytes))
}

/// Bytes of any value.
fn noise() -> impl Iterator<Item = u8> {
    (0_u32..).map(|i| (i.wrapping_mul(0x9E37_79B9) >> 23) as u8)
}

/// Makes the scales and minimums of bytes finite, and numbers below 2 where there are no scales.
fn bounded(ty: TensorType, mut bytes: Vec<u8>) -> Vec<u8> {
    if !ty.is_quantized() || ty == MXFP4 {
        clear_exponent_bit(&mut bytes);
    }
    made_finite(ty, bytes)
}

/// Makes the scales and minimums of bad blocks finite and keeps the rest of the bytes.
fn made_finite(ty: TensorType, mut bytes: Vec<u8>) -> Vec<u8> {
    let block = ty.block_bytes() as usize;
    while let Some(bad) = briq_codec::check_blocks(ty, &bytes).unwrap() {
        clear_exponent_bit(&mut bytes[bad * block..][..block]);
    }
    bytes
}

/// Whatever float a byte ends, it has an exponent that is not all ones afterwards.
fn clear_exponent_bit(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte &= 0xBF);
}

/// Activations with any quants, the sums they should have, and scales of any finite magnitude below 2^40.
fn activations(ty: TensorType) -> impl Strategy<Value = Activations> {
    let numbers = proptest::collection::vec(-1000.0_f32..1000.0, BLOCKS * 256);
    let quants = prop_oneof![
        proptest::collection::vec(prop_oneof![any::<i8>(), Just(i8::MIN)], BLOCKS * 256),
        proptest::collection::vec(prop_oneof![-127..=127_i8, Just(-127), Just(127)], BLOCKS * 256),
    ];
    let scales = proptest::collection::vec((-1.0_f32..1.0, -160..40_i32), BLOCKS * 8);
    (numbers, quants, scales).prop_map(move |(numbers, quants, scales)| {
        // At most 2^3, so that the sum that Q8_1 states, up to 4096 quants, fits 16 bits.
        let half = |i: usize| F16::from_f32(scales[i].0 * 2f32.powi(scales[i].1 % 16 - 12));
        let sum = |quants: &[i8]| quants.iter().map(|&quant| i32::from(quant)).sum::<i32>();
        let (by_32, by_256) = (quants.as_chunks::<32>().0, quants.as_chunks::<256>().0);
        match ty {
            Q8_0 => from_blocks(by_32.iter().enumerate().map(|(i, &quants)| Q8_0 { scale: half(i), quants })),
            Q8_1 => from_blocks(by_32.iter().enumerate().map(|(i, &quants)| {
                let scaled_sum = F16::from_f32(half(i).to_f32() * sum(&quants) as f32);
                Q8_1 { scale: half(i), scaled_sum, quants }
            })),
            Q8_K => from_blocks(by_256.iter().enumerate().map(|(i, &quants)| {
                let scale = F32::new(scales[i].0 * 2f32.powi(scales[i].1));
                let sums = std::array::from_fn(|g| I16::new(sum(&quants[16 * g..16 * g + 16]) as i16));
                Q8_K { scale, quants, sums }
            })),
            _ => Activations::encode(ty, &numbers).unwrap(),
        }
    })
}

fn from_blocks<B: Block>(blocks: impl Iterator<Item = B>) -> Activations {
    let blocks: Vec<B> = blocks.collect();
    let activations = Activations::from_blocks(B::TYPE, blocks.as_bytes()).unwrap();
    assert_eq!(activations.blocks(), blocks.as_bytes());
    activations
}

fn check(ty: TensorType, row: &[u8], activations: &Activations) {
    let exact = reference::dot_encoded(ty, row, activations).unwrap();
    let bound = bound(ty, row, activations).unwrap();
    assert!(bound.is_finite(), "{ty}: no bound for {exact}");
    for isa in Isa::available() {
        let computed = f64::from(product_with(Cpu::new(isa), ty, row, activations).unwrap());
        let within = (computed - exact).abs() <= bound;
        assert!(within, "{ty} with {isa}: {computed} is not within {bound:e} of {exact}");
    }
}

fn kernels() -> impl Iterator<Item = TensorType> {
    TensorType::ALL.iter().copied().filter(|&ty| can_dot(ty))
}

proptest! {
    #[test]
    fn a_kernel_is_within_its_bound_for_any_bytes(
        (ty, row, activations) in proptest::sample::select(kernels().collect::<Vec<_>>())
            .prop_flat_map(|ty| (Just(ty), row(ty), activations(partner(ty).unwrap())))
    ) {
        check(ty, &row, &activations);
    }

    /// Two vectors in turn, as many as it takes for every way to multiply them, times 17 rows.
    #[test]
    fn a_batch_is_within_its_bound_for_any_bytes(
        (ty, row, vectors) in proptest::sample::select(kernels().collect::<Vec<_>>()).prop_flat_map(|ty| {
            (Just(ty), row(ty), proptest::array::uniform2(activations(partner(ty).unwrap())))
        })
    ) {
        let rows = (0..17_u8).flat_map(|i| bounded(ty, row.iter().map(|byte| byte ^ i).collect()));
        let bytes: Vec<u8> = rows.collect();
        let matrix = Matrix::new(ty, &bytes, BLOCKS * 256).unwrap();
        let batch: Vec<_> = vectors.iter().cycle().take(18).cloned().collect();
        check_batch(&matrix, &batch, &[1, 3, 12, 18]);
    }

    /// The bound is of use: for encoded weights and activations it is a small part of the product's magnitude.
    #[test]
    fn a_bound_is_close_to_the_precision_of_the_arithmetic(seed in any::<u32>()) {
        let place = |i: i32| i as f32 + seed as f32 / 1e6;
        let wave = |step: f32| (0..768).map(|i| (place(i) * step).sin()).collect::<Vec<f32>>();
        let (weights, values) = (wave(0.37), wave(0.59));
        for ty in kernels() {
            let mut row = vec![0; ty.row_bytes(768).unwrap() as usize];
            let importance = briq_codec::needs_importance(ty).then_some(&[1.0; 768][..]);
            briq_codec::encode(ty, &weights, 768, importance, &mut row).unwrap();
            let activations = Activations::encode(partner(ty).unwrap(), &values).unwrap();
            check(ty, &row, &activations);
            let magnitude: f32 = weights.iter().zip(&values).map(|(a, b)| (a * b).abs()).sum();
            // Q8_1 rounds its sums to 11 bits; the rest is about fifty roundings of 24 bits.
            let part = if matches!(ty, Q4_1 | Q5_1) { 2e-3 } else { 5e-5 };
            prop_assert!(bound(ty, &row, &activations).unwrap() < part * f64::from(magnitude), "{ty}");
        }
    }

    #[test]
    fn blocks_give_what_their_bytes_give(
        (ty, row, activations) in proptest::sample::select(kernels().collect::<Vec<_>>())
            .prop_flat_map(|ty| (Just(ty), row(ty), activations(partner(ty).unwrap())))
    ) {
        macro_rules! typed {
            ($($name:ident)*) => {
                match ty {
                    $($name => of_blocks::<briq_format::block::$name>(&row, &activations),)*
                    _ => unreachable!("{ty} has a kernel"),
                }
            };
        }
        prop_assert_eq!(for_each_weight_type!(typed), dot(ty, &row, &activations).map(f32::to_bits));
    }

    #[test]
    fn quantized_activations_stand_for_what_was_given(values in proptest::collection::vec(-1.0_f32..1.0, 256)) {
        let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        for ty in [F32, F16, BF16, Q8_0, Q8_1, Q8_K] {
            let activations = Activations::encode(ty, &values).unwrap();
            prop_assert_eq!((activations.ty(), activations.elements()), (ty, 256));
            for (value, decoded) in values.iter().zip(activations.decode()) {
                // Half a step of 127, and a scale that is off by a 2048th.
                prop_assert!((f64::from(*value) - decoded).abs() <= f64::from(largest) * (0.51 / 127.0 + 1.0 / 2048.0));
            }
        }
    }
}

/// Rows as models have them: of more tiles than are encoded at a time, and more than tables and sums go round.
#[test]
fn long_rows_are_within_their_bounds() {
    for ty in kernels() {
        let whole = |elements: &u64| elements.is_multiple_of(ty.block_elements());
        for elements in [4096 + 32, 4096 + 512, 14336].into_iter().filter(whole) {
            let row_bytes = ty.row_bytes(elements).unwrap() as usize;
            let bytes = bounded(ty, noise().take(3 * row_bytes).collect());
            let elements = elements as usize;
            let wave = |step: f32| (0..elements).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
            let encode = |i: usize| Activations::encode(partner(ty).unwrap(), &wave(0.01 * i as f32));
            let batch: Vec<_> = (1..=16).map(|i| encode(i).unwrap()).collect();
            check(ty, &bytes[..row_bytes], &batch[0]);
            check_batch(&Matrix::new(ty, &bytes, elements).unwrap(), &batch, &[1, 3, 16]);
        }
    }
}

/// What is encoded a few tiles at a time is what each block of its own would be.
#[test]
fn activations_are_those_of_their_blocks() {
    let row: Vec<f32> = (0..4096 + 512).map(|i| (i as f32 * 0.37).sin() * (i % 7) as f32).collect();
    for ty in [F32, F16, BF16, Q8_0, Q8_1, Q8_K] {
        let whole = Activations::encode(ty, &row).unwrap().blocks();
        let each = row.chunks(256).flat_map(|some| Activations::encode(ty, some).unwrap().blocks());
        assert!(each.eq(whole), "{ty}");
    }
}

/// One activation alone: its product is the weight. So every code is read from its place, every zero point and scale of
/// a sub-block is the right one.
#[test]
fn one_activation_gives_its_weight() {
    let mut bytes = noise();
    for ty in kernels() {
        let row = bounded(ty, bytes.by_ref().take(ty.row_bytes(512).unwrap() as usize).collect());
        let mut weights = vec![0.0; 512];
        briq_codec::decode(ty, &row, &mut weights).unwrap();
        for i in 0..512 {
            let mut one = [0.0; 512];
            one[i] = 127.0;
            let activations = Activations::encode(partner(ty).unwrap(), &one).unwrap();
            for isa in Isa::available() {
                let product = product_with(Cpu::new(isa), ty, &row, &activations).unwrap();
                let exact = 127.0 * weights[i];
                match ty {
                    // The difference of two products is rounded elsewhere than in the decoder, and weights of BF16 may
                    // be below what the processor multiplies.
                    BF16 | Q4_1 | Q5_1 | Q2_K | Q3_K | Q4_K | Q5_K | Q6_K | Q2_0 | TQ1_0 | TQ2_0 | IQ1_S
                    | IQ1_M => {
                        let bound = bound(ty, &row, &activations).unwrap();
                        assert!(f64::from((product - exact).abs()) <= bound, "{ty} with {isa}: {i}");
                    }
                    _ => assert_eq!(product, exact, "{ty} with {isa}: {i}"),
                }
            }
        }
    }
}

#[test]
fn the_definition_without_quantized_activations_is_the_plain_sum() {
    let (weights, values) = ([1.5_f32, -2.0, 0.25], [4.0_f32, 0.5, -8.0]);
    let row: Vec<u8> = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
    assert_eq!(reference::dot(F32, &row, &values), Ok(3.0));
    assert_eq!(reference::dot(F32, &row, &values[..2]), Err(Error::Length { weights: 3, activations: 2 }));
}

/// Sums at the edge: every quant -128, every code the largest.
#[test]
fn the_largest_integers_do_not_overflow() {
    let (bytes, quants): (&[u8], &[i8]) = match cfg!(miri) {
        true => (&[0xFF], &[-128]),
        false => (&[0x00, 0xFF, 0x80, 0x7F], &[-128, -127, 127]),
    };
    for ty in kernels().filter(|ty| ty.is_quantized()) {
        for (byte, quant) in bytes.iter().flat_map(|&byte| quants.iter().map(move |&quant| (byte, quant))) {
            let row = made_finite(ty, vec![byte; ty.row_bytes(256 * BLOCKS as u64).unwrap() as usize]);
            let activations = match partner(ty).unwrap() {
                Q8_0 => from_blocks(
                    [Q8_0 { scale: F16::from_f32(1.0), quants: [quant; 32] }; 8 * BLOCKS].into_iter(),
                ),
                Q8_1 => {
                    let block = Q8_1 {
                        scale: F16::from_f32(1.0),
                        scaled_sum: F16::from_f32(32.0 * f32::from(quant)),
                        quants: [quant; 32],
                    };
                    from_blocks([block; 8 * BLOCKS].into_iter())
                }
                _ => {
                    let block = Q8_K {
                        scale: F32::new(1.0),
                        quants: [quant; 256],
                        sums: [I16::new(16 * i16::from(quant)); 16],
                    };
                    from_blocks([block; BLOCKS].into_iter())
                }
            };
            check(ty, &row, &activations);
        }
    }
}

#[test]
fn sums_that_q8_k_states_are_not_looked_at() {
    let mut row = vec![0; 144];
    briq_codec::encode(Q4_K, &(0..256).map(|i| (i as f32).sin()).collect::<Vec<_>>(), 256, None, &mut row)
        .unwrap();
    let mut block = Q8_K::read_from_bytes(&[0x3F; 292]).unwrap();
    let product = |block: &Q8_K| {
        let activations = Activations::from_blocks(Q8_K, block.as_bytes()).unwrap();
        check(Q4_K, &row, &activations);
        dot(Q4_K, &row, &activations).unwrap().to_bits()
    };
    let stated = product(&block);
    block.sums = [I16::new(16 * 0x3F); 16];
    assert_eq!(stated, product(&block));
}

/// A sum of 1, and then twice in each block what is too little to change it.
#[test]
fn what_is_lost_with_minimums_in_a_batch_is_in_the_bound() {
    let little = F16::from_f32(2f32.powi(-14));
    let weights = |block: usize| briq_format::block::Q4_1 {
        scale: if block == 0 { F16::from_f32(2f32.powi(-5)) } else { little },
        minimum: if block == 0 { F16::from_f32(0.0) } else { little },
        quants: [0x11; 16],
    };
    let row: Vec<u8> = (0..64).flat_map(|block| weights(block).as_bytes().to_vec()).collect();
    let activations = from_blocks((0..64).map(|block| {
        let scale = if block == 0 { 1.0 } else { 2f32.powi(-15) * 511.0 / 512.0 };
        Q8_1 { scale: F16::from_f32(scale), scaled_sum: F16::from_f32(32.0 * scale), quants: [1; 32] }
    }));
    let exact = reference::dot_encoded(Q4_1, &row, &activations).unwrap();
    let bound = bound(Q4_1, &row, &activations).unwrap();
    let matrix = Matrix::new(Q4_1, &row, 64 * 32).unwrap();
    let mut out = [0.0; 16];
    matmul_here(&matrix, &vec![activations; 16], &mut out).unwrap();
    for product in out {
        assert!((f64::from(product) - exact).abs() <= bound, "{product} is not {exact}");
    }
}

/// The bits of the product of whole blocks.
fn of_blocks<B: Weights>(row: &[u8], activations: &Activations) -> Result<u32, Error> {
    assert_eq!(partner(B::TYPE), Ok(B::PARTNER));
    dot_blocks(<[B]>::ref_from_bytes(row).unwrap(), activations).map(f32::to_bits)
}

#[test]
fn what_does_not_belong_together_is_named() {
    let activations = Activations::encode(Q8_0, &[1.0; 64]).unwrap();
    let no_partner = Error::Partner { ty: Q4_K, needed: Q8_K, given: Q8_0 };
    assert_eq!(bound(Q4_K, &[0; 144], &activations), Err(no_partner));
    for (result, message) in [
        (
            dot(Q4_K, &[0; 144], &activations),
            "Q4_K is multiplied with activations of Q8_K, but these are Q8_0",
        ),
        (dot(Q4_0, &[0; 18], &activations), "the row has 32 weights, but there are 64 activations"),
        (
            dot_blocks(&[Q8_0 { scale: F16::from_f32(1.0), quants: [1; 32] }; 3], &activations),
            "the row has 96 weights, but there are 64 activations",
        ),
        (dot(Q4_0, &[0; 37], &activations), "37 bytes are no whole number of Q4_0 blocks of 18"),
        (
            dot(I8, &[], &activations),
            "there is no dot product for I8; there is one for F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, \
             Q4_K, Q5_K, Q6_K, IQ2_XXS, IQ2_XS, IQ3_XXS, IQ1_S, IQ4_NL, IQ3_S, IQ2_S, IQ4_XS, IQ1_M, BF16, TQ1_0, \
             TQ2_0, MXFP4, NVFP4, Q1_0, Q2_0",
        ),
    ] {
        assert_eq!(result.unwrap_err().to_string(), message);
    }
    let message = Activations::encode(Q8_K, &[1.0; 255]).unwrap_err().to_string();
    assert_eq!(message, "255 activations are no whole number of Q8_K blocks of 256");
    assert!(Activations::encode(Q4_K, &[]).is_err());
}
