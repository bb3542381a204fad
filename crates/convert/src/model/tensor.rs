//! From a checkpoint's tensor names to a GGUF file's: the rows of a family's table.
//!
//! A row says for one tensor of the file which source tensors it is made of, which shape the config implies for
//! them, and how they are arranged. A source tensor that is split has several rows; several source tensors that
//! are stacked have one.

use super::Config;
use super::arrange::{Arrange, same};
use super::dimension::{self, Dimension};
use crate::Result;

/// One tensor of the file, or a weight with its bias.
#[derive(Debug, Clone, Copy)]
pub struct TensorRow {
    /// The source's name, where `N` stands for the layer and, in a stack by number, `E` for the number.
    pub source: &'static str,
    /// The name in the file, with `N` for the layer.
    pub target: &'static str,
    /// The source's shape, outermost dimension first, as safetensors has it. A bias has the first of them,
    /// or the last.
    pub shape: &'static [Dimension],
    /// How it is laid out in the file.
    pub arrange: Arrange,
    /// Whether a bias has the last of the lengths: a matrix that is stored the other way round.
    pub has_bias_of_columns: bool,
    /// Where it must be there.
    pub need: Need,
    /// Whether its bias must be there wherever it must.
    pub needs_bias: bool,
    /// Whether the names lack a `.weight` or `.bias`, which otherwise both of them have and keep.
    pub is_whole_name: bool,
    /// How several source tensors become one.
    pub stack: Stack,
    /// How many layers there are.
    pub layers: Dimension,
    /// The only layer the row speaks of.
    pub only_layer: Option<u64>,
    /// Whether the source may have more rows than the first length, none of which is used.
    pub has_spare_rows: bool,
}

/// In which layers a file must have the tensor of a row.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// In none.
    Nothing,
    /// In all.
    Always,
    /// Where the config says so.
    If(Condition),
    /// Where the config does not say so.
    Unless(Condition),
}

/// What a config says of a layer.
pub type Condition = fn(&Config, u64) -> Result<bool>;

/// How several source tensors become one.
#[derive(Debug, Clone, Copy)]
pub enum Stack {
    /// The row has one source.
    None,
    /// One after the other by their number, of which there are so many, as a new outermost dimension.
    Numbers(Dimension),
    /// One after the other in this order, as a new outermost dimension; each stands for the `{}` in the source.
    Names(&'static [&'static str]),
    /// Blocks and scales of MXFP4, which stand for the `{}` in the source, of which the rows from the first number
    /// on are taken, in steps of the second. The shape is that of the numbers.
    Mxfp4(u64, u64),
}

/// What stands for the `{}` of a row of MXFP4.
const MXFP4_PARTS: [&str; 2] = ["blocks", "scales"];
const WEIGHT: &str = ".weight";
const BIAS: &str = ".bias";

/// A row that must be there as a weight; a bias may.
pub(super) const fn weight(
    source: &'static str,
    target: &'static str,
    shape: &'static [Dimension],
) -> TensorRow {
    TensorRow {
        source,
        target,
        shape,
        arrange: same,
        has_bias_of_columns: false,
        need: Need::Always,
        needs_bias: false,
        is_whole_name: false,
        stack: Stack::None,
        layers: dimension::layers,
        only_layer: None,
        has_spare_rows: false,
    }
}

/// A row that must be there as a weight and a bias.
pub(super) const fn both(
    source: &'static str,
    target: &'static str,
    shape: &'static [Dimension],
) -> TensorRow {
    TensorRow { needs_bias: true, ..weight(source, target, shape) }
}

/// A row of tensors whose names lack the usual endings.
pub(super) const fn whole(
    source: &'static str,
    target: &'static str,
    shape: &'static [Dimension],
) -> TensorRow {
    TensorRow { is_whole_name: true, ..weight(source, target, shape) }
}

/// A row of experts, each with a name of its own, to be stacked.
pub(super) const fn stacked(
    source: &'static str,
    target: &'static str,
    shape: &'static [Dimension],
) -> TensorRow {
    TensorRow { stack: Stack::Numbers(dimension::experts), ..weight(source, target, shape) }
}

impl TensorRow {
    /// The same row, laid out in another way.
    pub(super) const fn by(mut self, arrange: Arrange) -> Self {
        self.arrange = arrange;
        self
    }

    /// The same row of embeddings, of which there may be more than tokens.
    pub(super) const fn with_spare_rows(mut self) -> Self {
        self.arrange = super::arrange::vocabulary_rows;
        self.has_spare_rows = true;
        self
    }

    /// The same row, stored the other way round, as a convolution of one step.
    pub(super) const fn transposed(mut self) -> Self {
        self.arrange = super::arrange::transpose;
        self.has_bias_of_columns = true;
        self
    }

    /// The same row, which need not be there.
    pub(super) const fn optional(mut self) -> Self {
        self.need = Need::Nothing;
        self
    }

    /// The same row, which must be there in layers of which `condition` is true.
    pub(super) const fn needed_if(mut self, condition: Condition) -> Self {
        self.need = Need::If(condition);
        self
    }

    /// The same row, which must be there in layers of which `condition` is false.
    pub(super) const fn needed_unless(mut self, condition: Condition) -> Self {
        self.need = Need::Unless(condition);
        self
    }

    /// The same row, stacked in another way.
    pub(super) const fn stack(mut self, stack: Stack) -> Self {
        self.stack = stack;
        self
    }

    /// The same row, of other layers.
    pub(super) const fn in_layers(mut self, layers: Dimension) -> Self {
        self.layers = layers;
        self
    }

    /// The names of the file that the row requires in this layer.
    pub(super) fn required(&self, config: &Config, layer: u64) -> Result<Vec<String>> {
        let is_needed = match self.need {
            Need::Nothing => false,
            Need::Always => true,
            Need::If(condition) => condition(config, layer)?,
            Need::Unless(condition) => !condition(config, layer)?,
        };
        if !is_needed {
            return Ok(Vec::new());
        }
        let target = self.target_in(layer);
        Ok(match (self.is_whole_name, self.needs_bias) {
            (true, _) => vec![target],
            (false, false) => vec![target + WEIGHT],
            (false, true) => vec![format!("{target}{WEIGHT}"), target + BIAS],
        })
    }

    /// Whether there is a tensor of the row in every layer.
    pub(super) fn is_per_layer(&self) -> bool {
        self.target.split('.').any(|part| part == "N")
    }

    fn target_in(&self, layer: u64) -> String {
        let parts =
            self.target.split('.').map(|part| if part == "N" { layer.to_string() } else { part.to_owned() });
        parts.collect::<Vec<_>>().join(".")
    }

    /// Holds `name` against the row. The layer is not held against the number of layers.
    pub(super) fn find(&self, name: &str) -> Option<Found> {
        let whole = |stem: &str, suffix: &'static str| match self.stack {
            Stack::None => self.find_stem(self.source, stem, suffix, None),
            Stack::Numbers(_) => {
                self.find_stem(self.source, stem, suffix, None).filter(|found| found.member.is_some())
            }
            Stack::Names(names) => self.find_named(names, stem, suffix),
            Stack::Mxfp4(..) => self.find_named(&MXFP4_PARTS, stem, suffix),
        };
        if self.is_whole_name {
            return whole(name, "");
        }
        [WEIGHT, BIAS].into_iter().find_map(|suffix| whole(name.strip_suffix(suffix)?, suffix))
    }

    fn find_named(&self, names: &[&str], stem: &str, suffix: &'static str) -> Option<Found> {
        names.iter().zip(0..).find_map(|(part, number)| {
            self.find_stem(&self.source.replace("{}", part), stem, suffix, Some(number))
        })
    }

    fn find_stem(
        &self,
        pattern: &str,
        stem: &str,
        suffix: &'static str,
        member: Option<u64>,
    ) -> Option<Found> {
        let (mut layer, mut member) = (None, member);
        let (mut pattern, mut parts) = (pattern.split('.'), stem.split('.'));
        loop {
            match (pattern.next(), parts.next()) {
                (None, None) => break,
                (Some("N"), Some(part)) => layer = Some(number(part)?),
                (Some("E"), Some(part)) => member = Some(number(part)?),
                (Some(expected), Some(part)) if expected == part => {}
                _ => return None,
            }
        }
        if self.only_layer.is_some_and(|only| layer != Some(only)) {
            return None;
        }
        let target = self.target_in(layer.unwrap_or(0)) + suffix;
        Some(Found { target, layer, member, is_bias: suffix == BIAS })
    }
}

/// A name that a row knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The name in the file.
    pub(super) target: String,
    /// The layer, where the row has one.
    pub(super) layer: Option<u64>,
    /// Which tensor of a stack it is.
    pub(super) member: Option<u64>,
    /// Whether it is a bias.
    pub(super) is_bias: bool,
}

/// A plain decimal number.
fn number(part: &str) -> Option<u64> {
    let plain = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    if plain { part.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::dimension::hidden;
    use super::*;

    const PLAIN: TensorRow = weight("layers.N.q", "blk.N.attn_q", &[hidden]);
    const EXPERT: TensorRow = stacked("layers.N.experts.E.up", "blk.N.ffn_up_exps", &[hidden]);
    const MIX: TensorRow =
        whole("layers.N.x_{}", "blk.N.mix.weight", &[hidden]).stack(Stack::Names(&["r", "w"]));

    #[test]
    fn a_weight_and_its_bias_share_a_row_and_keep_their_suffix() {
        let found = |target: &str, is_bias| {
            Some(Found { target: target.into(), layer: Some(2), member: None, is_bias })
        };
        assert_eq!(PLAIN.find("layers.2.q.weight"), found("blk.2.attn_q.weight", false));
        assert_eq!(PLAIN.find("layers.2.q.bias"), found("blk.2.attn_q.bias", true));
    }

    #[test]
    fn members_of_a_stack_are_known_by_number_or_by_name() {
        let expert = EXPERT.find("layers.1.experts.13.up.weight").unwrap();
        assert_eq!((expert.target.as_str(), expert.member), ("blk.1.ffn_up_exps.weight", Some(13)));
        let mix = MIX.find("layers.0.x_w").unwrap();
        assert_eq!((mix.target.as_str(), mix.member), ("blk.0.mix.weight", Some(1)));
        assert_eq!(MIX.find("layers.0.x_v"), None);
    }

    #[test]
    fn names_that_the_row_does_not_have_are_not_found() {
        for name in [
            "layers.02.q.weight",
            "layers.q.weight",
            "layers.N.q.weight",
            "layers.0.q",
            "layers.0.q.scales",
            "layers..q.weight",
            "0.q.weight",
            "layers.99999999999999999999.q.weight",
            "",
            ".weight",
            "layers.1.weight",
        ] {
            assert_eq!(PLAIN.find(name), None, "{name}");
        }
        assert_eq!(EXPERT.find("layers.0.experts.x.up.weight"), None);
        let first = TensorRow { only_layer: Some(0), ..PLAIN };
        assert!(first.find("layers.0.q.weight").is_some() && first.find("layers.1.q.weight").is_none());
    }

    #[test]
    fn what_is_required_follows_the_need() {
        let config = Config::from_text("{}");
        let names = |row: &TensorRow| row.required(&config, 3).unwrap();
        assert_eq!(names(&PLAIN), ["blk.3.attn_q.weight"]);
        assert_eq!(names(&both("b", "output_norm", &[hidden])), ["output_norm.weight", "output_norm.bias"]);
        assert_eq!(names(&MIX), ["blk.3.mix.weight"]);
        assert!(names(&PLAIN.optional()).is_empty());
        let odd = PLAIN.needed_if(|_, layer| Ok(layer % 2 == 1));
        assert_eq!(names(&odd), ["blk.3.attn_q.weight"]);
        assert!(odd.required(&config, 2).unwrap().is_empty());
        let even = both("layers.N.q", "blk.N.attn_q", &[hidden]).needed_unless(|_, layer| Ok(layer % 2 == 1));
        assert_eq!(names(&even).len(), 0);
        assert_eq!(even.required(&config, 2).unwrap(), ["blk.2.attn_q.weight", "blk.2.attn_q.bias"]);
    }
}
