//! From a checkpoint's tensor names to a GGUF file's: rows of a table, and the search in it.
//!
//! A name is the source's stem, with `N` for the layer, and its `.weight` or `.bias`, which stay as they
//! are. Each row says the shape the config implies, so that a checkpoint whose tensors contradict its config
//! is refused before anything is written.

use super::{Config, Transform};
use crate::{Error, Result};

/// One or two tensors of a family: a weight and perhaps its bias.
#[derive(Debug, Clone, Copy)]
pub struct TensorRow {
    /// The source's name without `.weight` or `.bias`; `N` stands for the layer.
    pub source: &'static str,
    /// The name in the file, likewise.
    pub target: &'static str,
    /// The weight's shape, outermost dimension first, as safetensors has it. A bias has the first of them.
    pub shape: &'static [Dimension],
    /// What happens to the rows.
    pub change: Change,
    /// Which of the two must be there.
    pub need: Need,
}

/// A dimension as a function of the config.
pub type Dimension = fn(&Config) -> Result<u64>;

/// A [`Transform`] before its numbers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Rows stay.
    None,
    /// Rows of the queries are permuted within each head.
    PermuteQueries,
    /// Rows of the keys are permuted within each key-value head.
    PermuteKeys,
}

/// Which tensors of a row a checkpoint must have.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// Neither.
    Nothing,
    /// The weight.
    Weight,
    /// The weight and the bias.
    WeightAndBias,
    /// The weight, when the config says so.
    WeightIf(fn(&Config) -> Result<bool>),
}

/// What becomes of a source tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    /// It is written.
    To {
        /// Its name in the file.
        name: String,
        /// What happens to its rows.
        transform: Transform,
        /// The shape the config implies, outermost dimension first.
        shape: Vec<u64>,
    },
    /// It is left out, for this reason.
    Dropped(&'static str),
}

const WEIGHT: &str = ".weight";
const BIAS: &str = ".bias";

impl TensorRow {
    /// Finds `name` in `rows`. `None` means that no row knows it, or that its layer is not one of the
    /// config's.
    ///
    /// # Errors
    ///
    /// When the config lacks what the shape or the transformation is computed from.
    pub(super) fn map(rows: &[Self], name: &str, config: &Config) -> Result<Option<Mapped>> {
        let suffixes = [WEIGHT, BIAS];
        let Some((stem, suffix)) =
            suffixes.iter().find_map(|suffix| Some((name.strip_suffix(suffix)?, *suffix)))
        else {
            return Ok(None);
        };
        let (pattern, layer) = match split_layer(stem) {
            Some((before, layer, after)) => (format!("{before}.N.{after}"), Some(layer)),
            None => (stem.to_owned(), None),
        };
        let Some(row) = rows.iter().find(|row| row.source == pattern) else {
            return Ok(None);
        };
        let Some(target) = row.target(layer, config)? else {
            return Ok(None);
        };
        let dimensions = if suffix == BIAS { &row.shape[..1] } else { row.shape };
        let shape = dimensions.iter().map(|dimension| dimension(config)).collect::<Result<Vec<_>>>()?;
        let transform = row.change.resolve(config, name, &shape)?;
        Ok(Some(Mapped::To { name: target + suffix, transform, shape }))
    }

    /// The first name of the file that `rows` require and for which `is_written` says no.
    ///
    /// # Errors
    ///
    /// When the config lacks what a requirement is computed from.
    pub(super) fn missing(
        rows: &[Self],
        config: &Config,
        is_written: impl Fn(&str) -> bool,
    ) -> Result<Option<String>> {
        for row in rows {
            let suffixes: &[&str] = match row.need {
                Need::Nothing => &[],
                Need::Weight => &[WEIGHT],
                Need::WeightAndBias => &[WEIGHT, BIAS],
                Need::WeightIf(condition) => {
                    if condition(config)? {
                        &[WEIGHT]
                    } else {
                        &[]
                    }
                }
            };
            if suffixes.is_empty() {
                continue;
            }
            // The loop ends at the first layer the checkpoint lacks, so a config that claims too many
            // layers costs no more than the tensors there are.
            let layers = if row.target.contains(".N.") { layer_count(config)? } else { 1 };
            for layer in 0..layers {
                let target = row.target.replacen(".N.", &format!(".{layer}."), 1);
                for suffix in suffixes {
                    let name = format!("{target}{suffix}");
                    if !is_written(&name) {
                        return Ok(Some(name));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The name in the file without its suffix, or `None` when the layer is none of the config's.
    fn target(&self, layer: Option<u64>, config: &Config) -> Result<Option<String>> {
        Ok(match layer {
            None => Some(self.target.to_owned()).filter(|target| !target.contains(".N.")),
            Some(layer) if layer < layer_count(config)? => {
                Some(self.target.replacen(".N.", &format!(".{layer}."), 1))
            }
            Some(_) => None,
        })
    }
}

impl Change {
    fn resolve(self, config: &Config, name: &str, shape: &[u64]) -> Result<Transform> {
        let heads = match self {
            Self::None => return Ok(Transform::None),
            Self::PermuteQueries => config.size("num_attention_heads")?,
            Self::PermuteKeys => config.size("num_key_value_heads")?,
        };
        match shape.first() {
            Some(rows) if rows % (2 * heads) == 0 => Ok(Transform::PermuteHeads { heads }),
            _ => Err(Error::unsupported(format!(
                "tensor {name:?}: {heads} heads of an odd or fractional size; each needs an even number of rows"
            ))),
        }
    }
}

/// The number of layers.
fn layer_count(config: &Config) -> Result<u64> {
    config.size("num_hidden_layers")
}

/// Splits `stem` around its first part that is a plain decimal number.
fn split_layer(stem: &str) -> Option<(&str, u64, &str)> {
    let mut start = 0;
    for part in stem.split('.') {
        let plain = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
        if plain && !part.is_empty() && start > 0 {
            let after = stem.get(start + part.len() + 1..)?;
            return Some((&stem[..start - 1], part.parse().ok()?, after));
        }
        start += part.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &[TensorRow] = &[
        TensorRow {
            source: "layers.N.q",
            target: "blk.N.attn_q",
            shape: &[|config| config.size("rows"), |config| config.size("columns")],
            change: Change::PermuteQueries,
            need: Need::Weight,
        },
        TensorRow {
            source: "norm",
            target: "output_norm",
            shape: &[|config| config.size("rows")],
            change: Change::None,
            need: Need::WeightAndBias,
        },
    ];

    fn config(heads: u64) -> Config {
        Config::from_text(&format!(
            "{{\"num_hidden_layers\": 3, \"num_attention_heads\": {heads}, \"rows\": 12, \"columns\": 5}}"
        ))
    }

    #[test]
    fn a_weight_and_its_bias_share_a_row_and_keep_their_suffix() {
        let map = |name| TensorRow::map(ROWS, name, &config(2)).unwrap();
        let to = |name: &str, transform, shape: &[u64]| {
            Some(Mapped::To { name: name.into(), transform, shape: shape.into() })
        };
        let permute = Transform::PermuteHeads { heads: 2 };
        assert_eq!(map("layers.2.q.weight"), to("blk.2.attn_q.weight", permute, &[12, 5]));
        assert_eq!(map("layers.0.q.bias"), to("blk.0.attn_q.bias", permute, &[12]));
        assert_eq!(map("norm.weight"), to("output_norm.weight", Transform::None, &[12]));
    }

    #[test]
    fn names_that_no_row_has_are_unmapped() {
        for name in [
            "layers.3.q.weight",
            "layers.02.q.weight",
            "layers.q.weight",
            "layers.N.q.weight",
            "layers.0.q",
            "layers.0.q.scales",
            "0.q.weight",
            "layers.99999999999999999999.q.weight",
            "",
            ".weight",
            "layers.1.weight",
        ] {
            assert_eq!(TensorRow::map(ROWS, name, &config(2)).unwrap(), None, "{name}");
        }
    }

    #[test]
    fn heads_that_cannot_be_halved_are_refused() {
        let message = TensorRow::map(ROWS, "layers.0.q.weight", &config(4)).unwrap_err().to_string();
        assert!(message.contains("\"layers.0.q.weight\": 4 heads"), "{message}");
    }

    #[test]
    fn the_first_missing_tensor_is_named_and_an_absurd_layer_count_costs_nothing() {
        let written =
            ["blk.0.attn_q.weight", "blk.1.attn_q.weight", "blk.2.attn_q.weight", "output_norm.weight"];
        let missing = |config: &Config, written: &[&str]| {
            TensorRow::missing(ROWS, config, |name| written.contains(&name)).unwrap()
        };
        assert_eq!(missing(&config(2), &written), Some("output_norm.bias".into()));
        assert_eq!(missing(&config(2), &written[..1]), Some("blk.1.attn_q.weight".into()));
        let absurd = Config::from_text("{\"num_hidden_layers\": 4294967295}");
        assert_eq!(missing(&absurd, &written), Some("blk.3.attn_q.weight".into()));
    }
}
