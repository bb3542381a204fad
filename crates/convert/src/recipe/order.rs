//! The order in which the quantizer visits, counts and writes tensors.

use std::cmp::Ordering;

/// The positions of `names`, sorted as the quantizer processes them: by the layer number of a name that
/// starts with `blk.N.`, names without one first, then by the bytes of the name.
pub fn quantizer_order<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let names: Vec<&str> = names.into_iter().collect();
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| compare(names[a], names[b]));
    order
}

fn compare(a: &str, b: &str) -> Ordering {
    layer(a).cmp(&layer(b)).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

/// The layer a tensor belongs to, from a name such as `blk.7.attn_q.weight`.
pub(super) fn layer(name: &str) -> Option<u64> {
    name.strip_prefix("blk.")?.split_once('.')?.0.parse().ok()
}
