//! How many weights a model has, and the label that says so: `1.2B`, `8x7B`.
//!
//! The label is llama.cpp's converter's. It counts what is written, embeddings and norms included.

/// How many weights a file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parameters {
    /// All weights.
    pub total: u64,
    /// Weights outside of expert tensors; only read when there are experts.
    pub shared: u64,
    /// Weights of one expert over all layers.
    pub expert: u64,
    /// Experts in a layer, 0 when there are none.
    pub expert_count: u64,
}

impl Parameters {
    /// Counts the tensors of a file, each a name and its dimensions, innermost first. Expert tensors hold all
    /// experts of a layer in one; where layers differ in their number of experts, the mean counts.
    pub fn count<'t>(tensors: impl Iterator<Item = (&'t str, &'t [u64])>) -> Self {
        let mut parameters = Self::default();
        let (mut experts, mut expert_tensors) = (0u64, 0u64);
        for (name, dimensions) in tensors {
            let size = dimensions.iter().fold(1u64, |size, dimension| size.saturating_mul(*dimension));
            parameters.total = parameters.total.saturating_add(size);
            // An expert's biases count as shared, as in the converter.
            match dimensions.get(2) {
                Some(&count) if name.contains("_exps.") && count > 0 => {
                    parameters.expert = parameters.expert.saturating_add(size / count);
                    (experts, expert_tensors) = (experts.saturating_add(count), expert_tensors + 1);
                }
                _ => parameters.shared = parameters.shared.saturating_add(size),
            }
        }
        parameters.expert_count = experts.checked_div(expert_tensors).unwrap_or(0);
        parameters
    }
}

/// The number of weights as a label: `1.2B`, `71B`, `8x7.2B`.
pub fn size_label(parameters: Parameters) -> String {
    match parameters.expert_count {
        0 => rounded(parameters.total),
        count => format!("{count}x{}", rounded(parameters.shared.saturating_add(parameters.expert))),
    }
}

/// At least two digits, one of them after the point when it takes that.
fn rounded(count: u64) -> String {
    let scales = [(1e12, 1e-12, 'T'), (1e9, 1e-9, 'B'), (1e6, 1e-6, 'M')];
    let count = count as f64;
    let scale = scales.iter().find(|(least, ..)| count > *least);
    let (factor, suffix) = scale.map_or((1e-3, 'K'), |(_, factor, suffix)| (*factor, *suffix));
    let scaled = count * factor;
    let whole = scaled.round_ties_even();
    let digits = if whole == 0.0 { 0 } else { format!("{whole}").len() };
    format!("{scaled:.*}{suffix}", 2usize.saturating_sub(digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Json};
    use std::path::Path;

    fn integer(json: &Json) -> u64 {
        let Json::Integer(number) = json else { panic!("{json} is no integer") };
        u64::try_from(*number).unwrap()
    }

    #[test]
    fn size_labels_round_as_the_converter_rounds() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/metadata-cases.json");
        let cases = json::read(&path, 1 << 20).unwrap();
        for case in cases.get("size_label").and_then(Json::as_array).unwrap() {
            let [counts, label] = case.as_array().unwrap() else { panic!("{case}") };
            let counts: Vec<u64> = counts.as_array().unwrap().iter().map(integer).collect();
            let parameters = Parameters {
                total: counts[0],
                shared: counts[1],
                expert: counts[2],
                expert_count: counts[3],
            };
            assert_eq!(size_label(parameters), label.as_str().unwrap());
        }
    }

    #[test]
    fn a_size_past_64_bits_is_the_largest() {
        let most = Parameters { total: u64::MAX, shared: u64::MAX, expert: u64::MAX, expert_count: 2 };
        assert_eq!(size_label(most), "2x18446744T");
    }

    #[test]
    fn experts_are_counted_once_for_each_layer_and_shared_weights_apart() {
        let tensors: [(&str, &[u64]); 4] = [
            ("token_embd.weight", &[8, 10]),
            ("blk.0.ffn_up_exps.weight", &[8, 6, 4]),
            ("blk.0.ffn_up_exps.bias", &[6, 4]),
            ("blk.0.ffn_norm.weight", &[8]),
        ];
        let expected =
            Parameters { total: 80 + 192 + 24 + 8, shared: 80 + 24 + 8, expert: 48, expert_count: 4 };
        assert_eq!(Parameters::count(tensors.into_iter()), expected);
        assert_eq!(size_label(expected), "4x0.16K");
    }
}
