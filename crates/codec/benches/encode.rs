//! Weights per second of every encoder and decoder, one thread, a row of 64 Ki weights that are normally
//! distributed as far as a sum of uniform numbers is.

use briq_format::TensorType;
use divan::Bencher;
use divan::counter::ItemsCount;

const ROW: usize = 65536;

fn main() {
    divan::main();
}

fn types() -> impl Iterator<Item = TensorType> {
    TensorType::ALL.iter().copied().filter(|&ty| briq_codec::can_encode(ty))
}

fn weights() -> Vec<f32> {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 16_777_216.0 - 0.5
    };
    (0..ROW).map(|_| 0.02 * (0..6).map(|_| uniform()).sum::<f32>()).collect()
}

fn blocks(ty: TensorType) -> Vec<u8> {
    vec![0; ROW / ty.block_elements() as usize * ty.block_bytes() as usize]
}

#[divan::bench(args = types(), counters = [ItemsCount::new(ROW)])]
fn encode(bencher: Bencher<'_, '_>, ty: TensorType) {
    let (weights, mut blocks) = (weights(), blocks(ty));
    bencher.bench_local(|| briq_codec::encode(ty, &weights, ROW, None, &mut blocks));
}

#[divan::bench(args = types(), counters = [ItemsCount::new(ROW)])]
fn encode_with_importance(bencher: Bencher<'_, '_>, ty: TensorType) {
    let (weights, mut blocks) = (weights(), blocks(ty));
    let importance: Vec<f32> = (0..ROW).map(|i| 0.1 + (i % 17) as f32).collect();
    bencher.bench_local(|| briq_codec::encode(ty, &weights, ROW, Some(&importance), &mut blocks));
}

#[divan::bench(args = types(), counters = [ItemsCount::new(ROW)])]
fn decode(bencher: Bencher<'_, '_>, ty: TensorType) {
    let (mut weights, mut blocks) = (weights(), blocks(ty));
    let encoded = briq_codec::encode(ty, &weights, ROW, None, &mut blocks);
    bencher.bench_local(|| encoded.clone().and_then(|()| briq_codec::decode(ty, &blocks, &mut weights)));
}

#[divan::bench(counters = [ItemsCount::new(ROW)])]
fn first_non_finite(bencher: Bencher<'_, '_>) {
    let weights = weights();
    bencher.bench_local(|| briq_codec::first_non_finite(&weights));
}
