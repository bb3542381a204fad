//! What state-space models share: the sizes of a mixer, its tensors in a hybrid, and numbers for each layer.

use super::shared::kind_of_layer;
use crate::Result;
use crate::model::arrange::{Tensor, column, negative_exponential_column, without_middle};
use crate::model::dimension::{hidden, one, padded_vocabulary, parted};
use crate::model::keys::{KeyRow, KeyValue, row};
use crate::model::tensor::{TensorRow, both, weight, whole};
use crate::model::{Arranged, Config};

pub(super) const EPSILON: KeyRow =
    row("attention.layer_norm_rms_epsilon", KeyValue::F32(&["layer_norm_epsilon", "rms_norm_eps"]));

pub(super) const MAMBA_ENDS: &[TensorRow] = &[
    weight("backbone.embeddings", "token_embd", &[padded_vocabulary, hidden]),
    weight("backbone.norm_f", "output_norm", &[hidden]),
    weight("lm_head", "output", &[padded_vocabulary, hidden]).optional(),
    weight("backbone.layers.N.norm", "blk.N.attn_norm", &[hidden]),
];

/// What is the same in every mixer of Mamba 2. Names begin as those of a hybrid.
pub(super) const MIXER_PARTS: &[TensorRow] = &[
    both("model.layers.N.mamba.conv1d", "blk.N.ssm_conv1d", &[convolved, one, kernel])
        .by(without_middle)
        .needed_if(is_mamba_layer),
    whole("model.layers.N.mamba.A_log", "blk.N.ssm_a", &[state_heads])
        .by(negative_exponential_column)
        .needed_if(is_mamba_layer),
    whole("model.layers.N.mamba.D", "blk.N.ssm_d", &[state_heads]).by(column).needed_if(is_mamba_layer),
    whole("model.layers.N.mamba.dt_bias", "blk.N.ssm_dt.bias", &[state_heads]).needed_if(is_mamba_layer),
];

/// The projections and the norm of a mixer of Mamba 2.
pub(super) const MIXER2: &[TensorRow] = &[
    weight("model.layers.N.mamba.in_proj", "blk.N.ssm_in", &[mixed, hidden]).needed_if(is_mamba_layer),
    weight("model.layers.N.mamba.norm", "blk.N.ssm_norm", &[inner])
        .by(norm_of_groups)
        .needed_if(is_mamba_layer),
    weight("model.layers.N.mamba.out_proj", "blk.N.ssm_out", &[hidden, inner]).needed_if(is_mamba_layer),
];

/// A norm with a row for each group of heads.
pub(super) fn norm_of_groups(tensor: &Tensor<'_>) -> Result<Arranged> {
    let groups = groups(tensor.config)?;
    let shape = vec![groups, tensor.rows() / groups];
    tensor.check(Arranged::new(shape, tensor.view()), &format!("cannot be parted into {groups} groups"))
}

/// The width of the state-space part.
pub(super) fn inner(config: &Config) -> Result<u64> {
    const WIDTHS: &[&str] = &["mamba_d_ssm", "intermediate_size", "d_inner"];
    let is_hybrid = config.get("mamba_expand").is_some();
    match WIDTHS.iter().find(|name| config.get(name).is_some()) {
        Some(&"mamba_d_ssm") => config.size("mamba_d_ssm"),
        Some(name) if !is_hybrid => config.size(name),
        _ => {
            let factor =
                config.first(&["mamba_expand", "expand"]).map(|(name, _)| config.size(name)).transpose()?;
            Ok(factor.unwrap_or(2).saturating_mul(hidden(config)?))
        }
    }
}

pub(super) fn twice_inner(config: &Config) -> Result<u64> {
    Ok(inner(config)?.saturating_mul(2))
}

pub(super) fn kernel(config: &Config) -> Result<u64> {
    config.first_size(&["mamba_d_conv", "conv_kernel", "d_conv"])
}

pub(super) fn state(config: &Config) -> Result<u64> {
    config.first_size(&["mamba_d_state", "state_size", "d_state"])
}

pub(super) fn groups(config: &Config) -> Result<u64> {
    match ["mamba_n_groups", "n_groups"].iter().find(|name| config.get(name).is_some()) {
        Some(name) => config.size(name),
        None => Ok(1),
    }
}

/// The rank of the projection of time steps; where the config has none, a sixteenth of the width, rounded up.
pub(super) fn time_step_rank(config: &Config) -> Result<u64> {
    let named = ["mamba_dt_rank", "time_step_rank", "dt_rank"];
    let stated =
        named.iter().find(|name| config.get(name).is_some_and(|value| value.as_str() != Some("auto")));
    match stated {
        Some(name) => config.size(name),
        None => Ok(hidden(config)?.div_ceil(16)),
    }
}

pub(super) fn step_and_state(config: &Config) -> Result<u64> {
    Ok(time_step_rank(config)? + 2 * state(config)?)
}

/// Heads of a state space.
pub(super) fn state_heads(config: &Config) -> Result<u64> {
    if config.get("mamba_n_heads").is_some() {
        return config.size("mamba_n_heads");
    }
    let size = ["mamba_d_head", "head_dim"].iter().find(|name| config.get(name).is_some());
    let size = size.map_or(Ok(64), |name| config.size(name))?;
    parted(config, inner(config)?, size, "values a head")
}

/// What the convolution runs over: values and both state projections.
pub(super) fn convolved(config: &Config) -> Result<u64> {
    let states = groups(config)?.saturating_mul(state(config)?);
    Ok(inner(config)?.saturating_add(states.saturating_mul(2)))
}

/// Rows of a mixer's input: a gate, what is convolved, and time steps.
pub(super) fn mixed(config: &Config) -> Result<u64> {
    Ok(inner(config)?.saturating_add(convolved(config)?).saturating_add(state_heads(config)?))
}

/// Whether a layer is a state space: all are, unless the config lists kinds.
pub(super) fn is_mamba_layer(config: &Config, layer: u64) -> Result<bool> {
    let kind = kind_of_layer(config, &["layer_types", "layers_block_type"], &["mamba", "attention"], layer)?;
    Ok(kind.is_none_or(|kind| kind == "mamba"))
}
