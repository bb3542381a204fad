//! Blocks and weights: any bytes decode, and no result depends on how many blocks are done at once.

use briq_format::TensorType;

/// A type, and bytes that stand for its blocks.
pub(crate) fn decode(bytes: &[u8]) {
    let Some((ty, bytes)) = ty(bytes) else { return };
    let (block_bytes, block_elements) = sizes(ty);
    let bytes = &bytes[..bytes.len() / block_bytes * block_bytes];
    let blocks = bytes.len() / block_bytes;
    let mut weights = vec![0.0; blocks * block_elements];
    briq_codec::decode(ty, bytes, &mut weights).unwrap();
    let mut alone = vec![0.0; block_elements];
    for (block, weights) in bytes.chunks_exact(block_bytes).zip(weights.chunks_exact(block_elements)) {
        briq_codec::decode(ty, block, &mut alone).unwrap();
        assert!(same(&alone, weights), "{ty}: a block alone decodes otherwise than among others");
    }
    if let Ok(bad) = briq_codec::check_blocks(ty, bytes) {
        let not_finite = briq_codec::first_non_finite(&weights);
        assert!(bad.is_some() || not_finite.is_none(), "{ty}: weight {not_finite:?} of checked blocks");
    }
}

/// Blocks that are encoded together: two rounds of the widest lanes and a part of a third. The searches are slow, and
/// slower where a fuzzer looks on.
const MOST_BLOCKS: usize = 40;

/// A type, how much columns matter, and bytes that stand for weights.
pub(crate) fn encode(bytes: &[u8]) {
    let Some((ty, bytes)) = ty(bytes) else { return };
    let Some((&seed, bytes)) = bytes.split_first() else { return };
    if !briq_codec::can_encode(ty) {
        return;
    }
    let (block_bytes, block_elements) = sizes(ty);
    let (numbers, _) = bytes.as_chunks::<4>();
    let most = numbers.len().min(MOST_BLOCKS * block_elements);
    let mut weights: Vec<f32> = numbers[..most].iter().map(|number| f32::from_le_bytes(*number)).collect();
    // What is not finite is refused before it is encoded, unless the user wants it otherwise: then it does not
    // panic, but the sign of a scale that is no number is left to the processor.
    let is_finite = briq_codec::first_non_finite(&weights).is_none();
    weights.truncate(weights.len() / block_elements * block_elements);
    let importance: Vec<f32> = (0..block_elements).map(|column| importance(seed, column)).collect();
    let is_given = seed > 0 || briq_codec::needs_importance(ty);
    let importance = is_given.then_some(&importance[..]);
    let mut blocks = vec![0; weights.len() / block_elements * block_bytes];
    let whole = briq_codec::encode(ty, &weights, block_elements, importance, &mut blocks);
    let mut alone = vec![0; block_bytes];
    for (weights, block) in weights.chunks_exact(block_elements).zip(blocks.chunks_exact(block_bytes)) {
        let result = briq_codec::encode(ty, weights, block_elements, importance, &mut alone);
        if whole.is_ok() && is_finite {
            result.unwrap_or_else(|error| panic!("{ty}: a block alone is refused: {error}"));
            assert!(alone == block, "{ty}: a block alone is encoded otherwise than among others");
        }
    }
}

/// How much a column matters: all alike for 0, from none to some for the others.
fn importance(seed: u8, column: usize) -> f32 {
    match seed {
        0 => 1.0,
        seed => (column * usize::from(seed) % 13) as f32,
    }
}

fn ty(bytes: &[u8]) -> Option<(TensorType, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    Some((TensorType::ALL[usize::from(*first) % TensorType::ALL.len()], rest))
}

fn sizes(ty: TensorType) -> (usize, usize) {
    (ty.block_bytes() as usize, ty.block_elements() as usize)
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}
