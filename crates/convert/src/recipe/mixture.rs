//! Where a recipe departs from its own type: one table, the first line that applies decides.
//!
//! Layers are not equally sensitive. The first and the last ones, and the value and down projections in all
//! of them, lose most when they are rounded, so the mixtures give them more bits.

use briq_format::TensorType;

use super::condition::Condition;
use super::{ModelFacts, Reason, Recipe, Role, TensorFacts, order};
use crate::{Error, Result};

/// Recipes, roles, conditions that must all hold, and the type they give.
type Line = (&'static [Recipe], &'static [Role], &'static [Condition], TensorType);

/// Any recipe of a quantized type.
const ANY: &[Recipe] = &[];

/// Any role.
const EVERY: &[Role] = &[];

/// Two bits and less. They count down projections where the others go by the layer.
const LOW: &[Recipe] = {
    use Recipe::*;
    &[IQ2_XXS, IQ2_XS, IQ2_S, IQ2_M, IQ1_S, IQ1_M]
};

// By role, and within a role from special to general; MXFP4_MOE and the low recipes first, since the lines for
// any recipe further down are not meant for them.
#[rustfmt::skip]
const TABLE: &[Line] = {
    use Condition::*;
    use Recipe::*;
    use Role::*;
    use TensorType as T;
    &[
        (ANY,                               &[Other],           &[LowRankGlm],                  T::Q8_0),

        (&[MXFP4_MOE],                      &[Output],          &[],                            T::Q8_0),
        (ANY,                               &[Output],          &[Falcon],                      T::Q8_0),
        (ANY,                               &[Output],          &[PartialBlocks],               T::Q8_0),
        (LOW,                               &[Output],          &[],                            T::Q5_K),
        (&[IQ3_XXS],                        &[Output],          &[],                            T::Q5_K),
        (&[Q8_0],                           &[Output],          &[],                            T::Q8_0),
        (ANY,                               &[Output],          &[],                            T::Q6_K),

        (&[MXFP4_MOE],                      EVERY,              &[OneMatrix],                   T::Q8_0),
        (&[MXFP4_MOE],                      EVERY,              &[BailingMoe3, NotFeedForward], T::Q8_0),
        (&[MXFP4_MOE],                      EVERY,              &[],                            T::MXFP4),

        (&[IQ2_XXS, IQ2_XS, IQ1_S, IQ1_M],  &[Embedding],       &[],                            T::Q2_K),
        (&[IQ2_S, IQ2_M, IQ3_XXS],          &[Embedding],       &[],                            T::IQ3_S),
        (&[TQ1_0, TQ2_0, Q2_0],             &[Embedding],       &[],                            T::Q4_K),

        (LOW,                               &[Value],           &[SharedByFour],                T::Q4_K),
        (LOW,                               &[Value],           &[FourExperts],                 T::Q4_K),
        (&[IQ2_S, IQ2_M],                   &[Value],           &[],                            T::IQ3_S),
        (LOW,                               &[Value],           &[],                            T::Q2_K),
        (LOW,                               &[Key],             &[EightExperts],                T::Q4_K),
        (&[IQ2_S, IQ2_M],                   &[Down],            &[FirstEighth],                 T::IQ3_S),
        (LOW,                               &[Down],            &[FirstEighth],                 T::Q2_K),
        (LOW,                               &[AttentionOutput], &[EightExperts],                T::Q5_K),
        (&[IQ2_S, IQ2_M],                   &[AttentionOutput], &[],                            T::IQ3_S),
        (&[IQ1_S, IQ1_M],                   &[AttentionOutput], &[],                            T::IQ2_XXS),

        (ANY,                               &[Value, Key],      &[EightExperts],                T::Q8_0),
        (&[Q4_K_M, Q5_K_M],                 &[Value],           &[Spread],                      T::Q6_K),
        (&[Q2_K, Q3_K_S, Q3_K_M, IQ3_M],    &[Value],           &[Large],                       T::Q5_K),
        (&[Q4_K_S, Q4_K_M],                 &[Value],           &[Large],                       T::Q5_K),
        (&[Q2_K_S, IQ3_XXS, IQ3_XS, IQ3_S], &[Value],           &[Large, SharedByFour],         T::Q5_K),
        (&[Q2_K, Q2_K_S],                   &[Value],           &[SharedByFour],                T::Q4_K),
        (&[IQ3_XXS, IQ3_XS, IQ3_S],         &[Value],           &[SharedByFour],                T::Q4_K),
        (&[IQ4_NL, IQ4_XS],                 &[Value],           &[SharedByFour],                T::Q5_K),
        (&[Q2_K],                           &[Value],           &[],                            T::Q3_K),
        (&[IQ3_XXS],                        &[Value],           &[NoImportance],                T::IQ3_S),
        (&[IQ3_M],                          &[Value],           &[],                            T::Q4_K),
        (&[Q3_K_M],                         &[Value],           &[First(2)],                    T::Q5_K),
        (&[Q3_K_M],                         &[Value],           &[],                            T::Q4_K),
        (&[Q3_K_L],                         &[Value],           &[],                            T::Q5_K),
        (&[Q4_K_S],                         &[Value],           &[First(4)],                    T::Q5_K),

        (&[IQ3_XS],                         &[Key, Query],      &[],                            T::IQ3_XXS),
        (&[IQ3_XXS],                        &[Key, Query],      &[],                            T::IQ2_S),

        (&[Q2_K],                           &[Down],            &[],                            T::Q3_K),
        (&[Q2_K_S],                         &[Down],            &[FirstEighth],                 T::Q4_K),
        (&[IQ3_XXS],                        &[Down],            &[NoImportance, FirstEighth],   T::Q4_K),
        (&[IQ3_XXS],                        &[Down],            &[NoImportance],                T::Q3_K),
        (&[IQ3_M],                          &[Down],            &[FirstEighth],                 T::Q4_K),
        (&[IQ3_M],                          &[Down],            &[EightExperts, Spread],        T::Q4_K),
        (&[Q3_K_M],                         &[Down],            &[FirstSixteenth],              T::Q5_K),
        (&[Q3_K_M],                         &[Down],            &[NotFalcon],                   T::Q4_K),
        (&[Q3_K_M],                         &[Down],            &[Falcon, Spread],              T::Q4_K),
        (&[Q3_K_L],                         &[Down],            &[Falcon],                      T::Q4_K),
        (&[Q3_K_L],                         &[Down],            &[],                            T::Q5_K),
        (&[Q4_0],                           &[Down],            &[Importance, FirstEighth],     T::Q4_1),
        (&[Q4_K_S],                         &[Down],            &[NotFalcon, FirstEighth],      T::Q5_K),
        (&[Q4_K_M],                         &[Down],            &[Falcon, FirstSixteenth],      T::Q6_K),
        (&[Q4_K_M],                         &[Down],            &[Falcon, Spread],              T::Q5_K),
        (&[Q4_K_M],                         &[Down],            &[NotFalcon, Spread],           T::Q6_K),
        (&[IQ4_NL, IQ4_XS],                 &[Down],            &[NoImportance, FirstEighth],   T::Q5_K),
        (&[Q5_0],                           &[Down],            &[Importance, FirstEighth],     T::Q5_1),
        (&[Q5_K_M],                         &[Down],            &[Spread],                      T::Q6_K),

        (&[Q3_K_L],                         &[AttentionOutput], &[Falcon],                      T::Q4_K),
        (&[Q2_K, Q3_K_S, Q3_K_M],           &[AttentionOutput], &[NotFalcon, EightExperts],     T::Q5_K),
        (&[IQ3_XXS, IQ3_XS, IQ3_S, IQ3_M],  &[AttentionOutput], &[NotFalcon, EightExperts],     T::Q5_K),
        (&[Q4_K_S, Q4_K_M, IQ4_NL, IQ4_XS], &[AttentionOutput], &[NotFalcon, EightExperts],     T::Q5_K),
        (&[Q2_K],                           &[AttentionOutput], &[NotFalcon],                   T::Q3_K),
        (&[IQ3_XXS],                        &[AttentionOutput], &[NotFalcon],                   T::IQ3_S),
        (&[Q3_K_M, IQ3_M],                  &[AttentionOutput], &[NotFalcon],                   T::Q4_K),
        (&[Q3_K_L],                         &[AttentionOutput], &[NotFalcon, NotEightExperts],  T::Q5_K),

        (&[IQ3_XS],                         &[Gate, Up],        &[Middle],                      T::IQ3_XXS),
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
    pub(super) fn new(
        model: &'a ModelFacts,
        tensors: &[TensorFacts<'_>],
        recipe: Recipe,
        importance: bool,
    ) -> Self {
        let has = |role| tensors.iter().filter(move |tensor| Role::of(tensor.name) == role).count();
        Self {
            model,
            recipe,
            importance,
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
        let role = self.role(tensor);
        let place = self.pass(role, tensor.name)?;
        let line = TABLE.iter().find(|(recipes, roles, conditions, _)| {
            (recipes.is_empty() || recipes.contains(&self.recipe))
                && (roles.is_empty() || roles.contains(&role))
                && conditions.iter().all(|condition| self.holds(*condition, tensor, base, place))
        });
        Ok(match line {
            Some((_, _, conditions, ty)) if *ty != base => {
                let fewer = ty.bits_per_weight() < base.bits_per_weight();
                (*ty, Reason::Mixture { role, conditions, fewer })
            }
            _ => (base, Reason::Default),
        })
    }

    /// The role of `tensor`; a tied embedding is an output.
    pub(super) fn role(&self, tensor: &TensorFacts<'_>) -> Role {
        match Role::of(tensor.name) {
            Role::Embedding if self.tied => Role::Output,
            role => role,
        }
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
            Role::Up | Role::Gate | Role::Down if self.goes_by_layer() => {
                let layer = order::layer(name).filter(|layer| *layer < layers);
                let problem =
                    || format!("tensor {name:?}: its name gives no layer below {layers}, as experts need");
                Ok(Place { index: layer.ok_or_else(|| Error::unsupported(problem()))?, count: layers })
            }
            _ => Ok(Place { index, count: layers }),
        }
    }

    fn goes_by_layer(&self) -> bool {
        self.model.expert_count > 1 && self.recipe != Recipe::MXFP4_MOE && !LOW.contains(&self.recipe)
    }

    fn holds(&self, condition: Condition, tensor: &TensorFacts<'_>, base: TensorType, place: Place) -> bool {
        let falcon = self.model.architecture == "falcon";
        match condition {
            Condition::First(count) => place.index < count,
            Condition::FirstSixteenth => place.index < place.count / 16,
            Condition::FirstEighth => place.index < place.count / 8,
            Condition::Middle => place.is_middle(),
            Condition::Spread => place.is_spread(),
            Condition::PartialBlocks => !tensor.row_length().is_multiple_of(base.block_elements()),
            Condition::OneMatrix => tensor.shape.get(2).is_none_or(|&matrices| matrices <= 1),
            Condition::NotFeedForward => !matches!(Role::of(tensor.name), Role::Up | Role::Gate | Role::Down),
            Condition::Falcon => falcon,
            Condition::NotFalcon => !falcon,
            Condition::BailingMoe3 => self.model.architecture == "bailingmoe3",
            Condition::SharedByFour => self.model.heads_per_value() >= 4,
            Condition::FourExperts => self.model.expert_count >= 4,
            Condition::EightExperts => self.model.expert_count == 8,
            Condition::NotEightExperts => self.model.expert_count != 8,
            Condition::Large => self.model.is_large(),
            Condition::Importance => self.importance,
            Condition::NoImportance => !self.importance,
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
    fn is_middle(self) -> bool {
        let Self { index, count } = self;
        index >= count / 8 && index < count.saturating_mul(7) / 8
    }

    fn is_spread(self) -> bool {
        !self.is_middle() || (self.index - self.count / 8) % 3 == 2
    }
}
