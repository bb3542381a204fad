//! Where a recipe departs from its own type: one table, the first line that applies decides.
//!
//! Layers are not equally sensitive. The first and the last ones, and the value and down projections in all
//! of them, lose most when they are rounded, so the mixtures give them more bits.

use std::fmt;

use briq_format::TensorType;

use super::{ModelFacts, Options, Reason, Recipe, Role, TensorFacts, order};
use crate::{Error, Result};

/// What must hold for a line of the mixture table to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// One of the first tensors of its role, as many as stated.
    First(u64),
    /// In the first sixteenth of its role's tensors.
    FirstSixteenth,
    /// In the first eighth of its role's tensors.
    FirstEighth,
    /// In the first or the last eighth of its role's tensors, or every third one between them.
    Spread,
    /// The row is no whole number of blocks of the recipe's own type.
    PartialBlocks,
    /// The model is a Falcon.
    Falcon,
    /// The model is not a Falcon.
    NotFalcon,
    /// The model has eight experts per layer, as Mixtral has.
    EightExperts,
    /// The model has about 70 billion weights.
    Large,
    /// An importance matrix is given.
    Importance,
    /// One of the low-rank projections of the architecture `glm5-next`.
    LowRankGlm,
}

/// Recipes, roles, conditions that must all hold, and the type they give.
type Line = (&'static [Recipe], &'static [Role], &'static [Condition], TensorType);

/// Any recipe of a quantized type.
const ANY: &[Recipe] = &[];

#[rustfmt::skip]
const TABLE: &[Line] = {
    use Condition::*;
    use Recipe::*;
    use Role::*;
    use TensorType as T;
    &[
        (ANY,                &[Other],           &[LowRankGlm],                 T::Q8_0),

        (ANY,                &[Output],          &[Falcon],                     T::Q8_0),
        (ANY,                &[Output],          &[PartialBlocks],              T::Q8_0),
        (&[Q8_0],            &[Output],          &[],                           T::Q8_0),
        (ANY,                &[Output],          &[],                           T::Q6_K),

        (ANY,                &[Value, Key],      &[EightExperts],               T::Q8_0),
        (&[Q4_K_M, Q5_K_M],  &[Value],           &[Spread],                     T::Q6_K),
        (&[Q4_K_S],          &[Value],           &[First(4)],                   T::Q5_K),
        (&[Q4_K_S, Q4_K_M],  &[Value],           &[Large],                      T::Q5_K),

        (&[Q4_K_M],          &[Down],            &[Falcon, FirstSixteenth],     T::Q6_K),
        (&[Q4_K_M],          &[Down],            &[Falcon, Spread],             T::Q5_K),
        (&[Q4_K_M],          &[Down],            &[NotFalcon, Spread],          T::Q6_K),
        (&[Q4_K_S],          &[Down],            &[NotFalcon, FirstEighth],     T::Q5_K),
        (&[Q5_K_M],          &[Down],            &[Spread],                     T::Q6_K),
        (&[Q4_0],            &[Down],            &[Importance, FirstEighth],    T::Q4_1),
        (&[Q5_0],            &[Down],            &[Importance, FirstEighth],    T::Q5_1),

        (&[Q4_K_S, Q4_K_M],  &[AttentionOutput], &[NotFalcon, EightExperts],    T::Q5_K),
    ]
};

/// A recipe at work on one model: the table, and how many tensors of each role have passed.
pub(super) struct Mixture<'a> {
    model: &'a ModelFacts,
    recipe: Recipe,
    importance: bool,
    /// No tensor is called `output.weight`, so the token embedding serves as the output projection.
    tied: bool,
    value_tensors: u64,
    passed: [u64; Role::COUNT],
}

impl<'a> Mixture<'a> {
    pub(super) fn new(model: &'a ModelFacts, tensors: &[TensorFacts<'_>], options: &Options) -> Self {
        let has = |role| tensors.iter().filter(move |tensor| Role::of(tensor.name) == role).count();
        Self {
            model,
            recipe: options.recipe,
            importance: options.importance,
            tied: has(Role::Output) == 0,
            value_tensors: has(Role::Value) as u64,
            passed: [0; Role::COUNT],
        }
    }

    /// The type of `tensor` by the table, or `base` where no line applies. Call it once for each tensor, in
    /// the quantizer's order: it counts.
    pub(super) fn choose(
        &mut self,
        tensor: &TensorFacts<'_>,
        base: TensorType,
    ) -> Result<(TensorType, Reason)> {
        let role = match Role::of(tensor.name) {
            Role::Embedding if self.tied => Role::Output,
            role => role,
        };
        let place = self.pass(role, tensor.name)?;
        let line = TABLE.iter().find(|(recipes, roles, conditions, _)| {
            (recipes.is_empty() || recipes.contains(&self.recipe))
                && roles.contains(&role)
                && conditions.iter().all(|condition| self.holds(*condition, tensor, base, place))
        });
        Ok(match line {
            Some((_, _, conditions, ty)) if *ty != base => (*ty, Reason::Mixture { role, conditions }),
            _ => (base, Reason::Default),
        })
    }

    /// The place of the next tensor of `role` among its peers. In a model with experts several
    /// feed-forward tensors share a layer, so there the layer in the name is the place.
    fn pass(&mut self, role: Role, name: &str) -> Result<Place> {
        let passed = &mut self.passed[role as usize];
        let index = *passed;
        *passed += 1;
        let layers = self.model.block_count;
        match role {
            Role::Value => Ok(Place { index, count: self.value_tensors }),
            Role::Up | Role::Gate | Role::Down if self.model.expert_count > 1 => {
                let layer = order::layer(name).filter(|layer| *layer < layers);
                let problem =
                    || format!("tensor {name:?}: its name gives no layer below {layers}, as experts need");
                Ok(Place { index: layer.ok_or_else(|| Error::unsupported(problem()))?, count: layers })
            }
            _ => Ok(Place { index, count: layers }),
        }
    }

    fn holds(&self, condition: Condition, tensor: &TensorFacts<'_>, base: TensorType, place: Place) -> bool {
        let falcon = self.model.architecture == "falcon";
        match condition {
            Condition::First(count) => place.index < count,
            Condition::FirstSixteenth => place.index < place.count / 16,
            Condition::FirstEighth => place.index < place.count / 8,
            Condition::Spread => place.is_spread(),
            Condition::PartialBlocks => !tensor.row_length().is_multiple_of(base.block_elements()),
            Condition::Falcon => falcon,
            Condition::NotFalcon => !falcon,
            Condition::EightExperts => self.model.expert_count == 8,
            Condition::Large => self.model.is_large(),
            Condition::Importance => self.importance,
            Condition::LowRankGlm => {
                let low_rank = |part: &&str| tensor.name.contains(*part);
                self.model.architecture == "glm5-next"
                    && ["attn_q_a", "attn_q_b", "nextn.eh_proj"].iter().any(low_rank)
            }
        }
    }
}

/// Where a tensor stands among those of its role.
#[derive(Clone, Copy)]
struct Place {
    index: u64,
    count: u64,
}

impl Place {
    fn is_spread(self) -> bool {
        let Self { index, count } = self;
        let eighth = count / 8;
        index < eighth || index >= count.saturating_mul(7) / 8 || (index - eighth) % 3 == 2
    }
}

impl Condition {
    /// Whether a reader of the plan learns something from it; that most models are no Falcon is none.
    pub(super) fn is_news(self) -> bool {
        self != Self::NotFalcon
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(count) => write!(f, "the first {count}"),
            Self::FirstSixteenth => f.write_str("the first sixteenth"),
            Self::FirstEighth => f.write_str("the first eighth"),
            Self::Spread => f.write_str("first eighth, last eighth, every third between"),
            Self::PartialBlocks => f.write_str("its row is no whole number of blocks"),
            Self::Falcon => f.write_str("falcon"),
            Self::NotFalcon => f.write_str("not falcon"),
            Self::EightExperts => f.write_str("eight experts"),
            Self::Large => f.write_str("a model of 70 billion weights"),
            Self::Importance => f.write_str("with an importance matrix"),
            Self::LowRankGlm => f.write_str("a low-rank projection"),
        }
    }
}
