//! Where floats have nothing to round, every instruction set gives the definition to the bit: integer parts are exact.

use super::*;
use crate::matrix::tests::by_all_instructions;

/// A few quants of any size among small ones, so that no sum leaves the 24 bits that a float has.
fn quants() -> impl Strategy<Value = Vec<i8>> {
    let large = prop_oneof![any::<i8>(), Just(i8::MIN), Just(i8::MAX)];
    let run = (proptest::collection::vec(-1..=1_i8, 64), 0..64_usize, large);
    proptest::collection::vec(run, 4 * BLOCKS).prop_map(|runs| {
        let placed = runs.into_iter().map(|(mut run, place, large)| {
            run[place] = large;
            run
        });
        placed.flatten().collect()
    })
}

/// Gives every scale and minimum of a row the value 1, and leaves codes and scales of sub-blocks as they are.
fn with_scales_of_one(ty: TensorType, mut row: Vec<u8>) -> Vec<u8> {
    for block in row.chunks_exact_mut(ty.block_bytes() as usize) {
        let floats: &[usize] = match ty {
            Q4_1 | Q5_1 | Q4_K | Q5_K => &[0, 2],
            Q2_K => &[80, 82],
            Q3_K => &[108],
            Q6_K => &[208],
            TQ1_0 => &[52],
            TQ2_0 => &[64],
            IQ1_M | MXFP4 | NVFP4 => &[],
            _ => &[0],
        };
        for &at in floats {
            block[at..at + 2].copy_from_slice(&F16::from_f32(1.0).to_bits().to_le_bytes());
        }
        match ty {
            // Four bits of the scale end each of the last four pairs of bytes.
            IQ1_M => {
                for (pair, four_bits) in [0, 0, 0xC, 0x3].into_iter().enumerate() {
                    let byte = &mut block[48 + 2 * pair + 1];
                    *byte = *byte & 0x0F | four_bits << 4;
                }
            }
            MXFP4 => block[0] = 127,
            NVFP4 => block[..4].fill(0x38),
            _ => {}
        }
    }
    row
}

fn encoded(ty: TensorType, quants: &[i8]) -> Activations {
    let sum = |quants: &[i8]| quants.iter().map(|&quant| i16::from(quant)).sum::<i16>();
    let (by_32, by_256) = (quants.as_chunks::<32>().0, quants.as_chunks::<256>().0);
    let scale = F16::from_f32(1.0);
    match ty {
        Q8_0 => from_blocks(by_32.iter().map(|&quants| Q8_0 { scale, quants })),
        Q8_1 => from_blocks(by_32.iter().map(|&quants| {
            let scaled_sum = F16::from_f32(f32::from(sum(&quants)));
            Q8_1 { scale, scaled_sum, quants }
        })),
        _ => from_blocks(by_256.iter().map(|&quants| {
            let sums = std::array::from_fn(|g| I16::new(sum(&quants[16 * g..16 * g + 16])));
            Q8_K { scale: F32::new(1.0), quants, sums }
        })),
    }
}

proptest! {
    #[test]
    fn every_instruction_set_gives_the_same_exact_integers(
        (ty, row) in proptest::sample::select(kernels().filter(|ty| ty.is_quantized()).collect::<Vec<_>>())
            .prop_flat_map(|ty| {
                let bytes = ty.row_bytes(BLOCKS as u64 * 256).unwrap() as usize;
                (Just(ty), proptest::collection::vec(any::<u8>(), bytes))
            }),
        quants in quants(),
    ) {
        let row = with_scales_of_one(ty, row);
        let mut weights = vec![0.0; quants.len()];
        briq_codec::decode(ty, &row, &mut weights).unwrap();
        let terms = weights.iter().zip(&quants).map(|(&w, &x)| f64::from(w) * f64::from(x));
        // Whole numbers or eighths, and sums of less than 2^24 of them: nothing is rounded in whatever order.
        let magnitude: f64 = terms.clone().map(|term| term.abs()).sum();
        let unit = if weights.iter().all(|weight| weight.fract() == 0.0) { 1.0 } else { 8.0 };
        prop_assert!(weights.iter().all(|weight| (weight * unit).fract() == 0.0), "{ty}: the scales are not 1");
        prop_assert!(magnitude * f64::from(unit) < f64::from(1 << 24), "{ty}: {magnitude}");
        let exact = terms.sum::<f64>() as f32;
        let activations = encoded(partner(ty).unwrap(), &quants);
        for isa in Isa::available() {
            let product = product_with(Cpu::new(isa), ty, &row, &activations).unwrap();
            prop_assert_eq!(product, exact, "{} with {}", ty, isa);
        }
        let matrix = Matrix::new(ty, &row, quants.len()).unwrap();
        for count in [1, 3, 12, 18] {
            for (name, products) in by_all_instructions(&matrix, &vec![activations.clone(); count]) {
                prop_assert_eq!(products, vec![exact; count], "{} with {}", ty, name);
            }
        }
    }
}
