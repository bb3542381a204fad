//! The families, one table each; close relatives share a file.

mod baichuan;
mod bert;
mod bitnet;
mod bloom;
mod cohere;
mod deepseek;
mod ernie4_5;
mod exaone4;
mod falcon;
mod falcon_h1;
mod gemma;
mod glm4;
mod gpt2;
mod gpt_neox;
mod gpt_oss;
mod granite;
mod hunyuan;
mod internlm2;
mod jamba;
mod lfm2;
mod llama;
mod mamba;
mod minicpm;
mod mpt;
mod nemotron;
mod olmo;
mod phi;
mod qwen;
mod qwen_vl;
mod rwkv;
mod seed_oss;
mod shared;
mod smollm3;
mod stablelm;
mod starcoder2;
mod state_space;
mod t5;

use super::Family;

static FAMILIES: &[&Family] = &[
    &llama::LLAMA,
    &llama::MISTRAL,
    &llama::MISTRAL3,
    &llama::MIXTRAL,
    &llama::ARCEE,
    &qwen::QWEN2,
    &qwen::QWEN2_MOE,
    &qwen::QWEN3,
    &qwen::QWEN3_MOE,
    &qwen_vl::QWEN2_VL,
    &qwen_vl::QWEN3_VL,
    &qwen_vl::QWEN3_VL_MOE,
    &gemma::GEMMA,
    &gemma::GEMMA2,
    &gemma::GEMMA3,
    &phi::PHI2,
    &phi::PHI3,
    &phi::PHI_MOE,
    &gpt2::GPT2,
    &gpt_neox::GPT_NEOX,
    &bert::BERT,
    &bert::ROBERTA,
    &bert::XLM_ROBERTA,
    &bert::NOMIC_BERT,
    &starcoder2::STARCODER2,
    &falcon::FALCON,
    &stablelm::STABLELM,
    &olmo::OLMO,
    &olmo::OLMO2,
    &olmo::OLMOE,
    &deepseek::DEEPSEEK2,
    &deepseek::DEEPSEEK3,
    &gpt_oss::GPT_OSS,
    &cohere::COHERE,
    &cohere::COHERE2,
    &granite::GRANITE,
    &granite::GRANITE_MOE,
    &granite::GRANITE_HYBRID_DENSE,
    &granite::GRANITE_HYBRID_ATTENTION,
    &granite::GRANITE_HYBRID,
    &granite::GRANITE_HYBRID_PLAIN,
    &smollm3::SMOLLM3,
    &glm4::GLM4,
    &exaone4::EXAONE4,
    &ernie4_5::ERNIE4_5,
    &seed_oss::SEED_OSS,
    &hunyuan::HUNYUAN,
    &internlm2::INTERNLM2,
    &baichuan::BAICHUAN,
    &minicpm::MINICPM,
    &bitnet::BITNET,
    &mamba::MAMBA,
    &mamba::FALCON_MAMBA,
    &mamba::MAMBA2,
    &jamba::JAMBA,
    &falcon_h1::FALCON_H1,
    &lfm2::LFM2,
    &rwkv::RWKV7,
    &t5::T5,
    &t5::T5_ENCODER,
    &bloom::BLOOM,
    &mpt::MPT,
    &nemotron::NEMOTRON,
];

/// Every family there is.
pub fn families() -> &'static [&'static Family] {
    FAMILIES
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::{Config, Given, MetadataRequest, Model, Need, Parameters, Stack};
    use super::*;
    use crate::json::Json;

    /// What the config of a small model of any family says; what a class defaults to is left to the class only where
    /// it does not matter here.
    const SMALL: &str = r#"{
        "hidden_size": 64, "n_embd": 64, "d_model": 64, "intermediate_size": 96, "d_ff": 96, "n_inner": 96,
        "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4, "num_key_value_heads": 2,
        "num_hidden_layers": 3, "n_layer": 3, "n_layers": 3, "num_layers": 3, "num_decoder_layers": 2, "d_kv": 16,
        "vocab_size": 10, "max_position_embeddings": 40, "n_positions": 40, "type_vocab_size": 2,
        "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "moe_intermediate_size": 32,
        "shared_expert_intermediate_size": 32, "shared_intermediate_size": 32, "n_shared_experts": 1,
        "first_k_dense_replace": 1, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_nope_head_dim": 16,
        "qk_rope_head_dim": 8, "v_head_dim": 16, "mamba_d_conv": 4, "conv_kernel": 4, "mamba_d_state": 16,
        "state_size": 16, "mamba_n_groups": 1, "mamba_n_heads": 8, "mamba_dt_rank": 4, "time_step_rank": 4,
        "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "expert_layer_offset": 1,
        "relative_attention_num_buckets": 32, "feed_forward_proj": "gated-gelu", "conv_L_cache": 3,
        "block_auto_adjust_ff_dim": false, "embedding_multiplier": 2.0, "lm_head_multiplier": 2.0,
        "attention_in_multiplier": 2.0, "attention_out_multiplier": 2.0, "key_multiplier": 2.0,
        "mlp_multipliers": [2.0, 2.0], "ssm_in_multiplier": 2.0, "ssm_out_multiplier": 2.0,
        "ssm_multipliers": [2.0, 2.0, 2.0, 2.0, 2.0], "rms_norm_eps": 1e-5, "norm_eps": 1e-5,
        "layer_norm_eps": 1e-5, "layer_norm_epsilon": 1e-5, "norm_epsilon": 1e-5, "max_seq_len": 40,
        "seq_length": 40, "position_embedding_type": "rope"
    }"#;

    fn small(family: &'static Family) -> Model {
        let mut config = Config::from_text(SMALL);
        let class = Json::String(family.architectures[0].to_owned());
        config.set("architectures", Json::Array(vec![class]));
        let kinds = match family.name {
            "lfm2" => ["conv", "full_attention", "conv"],
            "exaone4" => ["sliding_attention", "full_attention", "sliding_attention"],
            _ => ["mamba", "attention", "mamba"],
        };
        config.set("layer_types", Json::Array(kinds.map(|kind| Json::String(kind.to_owned())).to_vec()));
        config.fill_all(family.defaults);
        (family.fill)(&mut config).unwrap();
        Model { directory: "model".into(), config, family }
    }

    /// Names and shapes of the tensors that a checkpoint of the family must have.
    fn tensors(model: &Model) -> Vec<(String, Vec<u64>)> {
        let (family, config) = (model.family, &model.config);
        let mut tensors: Vec<(String, Vec<u64>)> = Vec::new();
        for row in family.rows() {
            if matches!(row.need, Need::Nothing) || row.only_layer.is_some_and(|_| row.is_whole_name) {
                continue;
            }
            let layers = if row.is_per_layer() || row.only_layer.is_some() {
                (row.layers)(config).unwrap()
            } else {
                1
            };
            for layer in 0..layers {
                let needed = row.required(config, layer).unwrap();
                if needed.is_empty() || row.only_layer.is_some_and(|only| only != layer) {
                    continue;
                }
                let source = row.source.replace(".N.", &format!(".{layer}."));
                let shape: Vec<u64> = row.shape.iter().map(|length| length(config).unwrap()).collect();
                let members: Vec<(String, Vec<u64>)> = match row.stack {
                    Stack::None => vec![(source, shape)],
                    Stack::Numbers(count) => (0..count(config).unwrap())
                        .map(|number| {
                            let end = format!(".{number}");
                            let name = source.replace(".E.", &format!("{end}."));
                            (
                                name.strip_suffix(".E").map_or(name.clone(), |stem| stem.to_owned() + &end),
                                shape.clone(),
                            )
                        })
                        .collect(),
                    Stack::Names(names) => {
                        names.iter().map(|name| (source.replace("{}", name), shape.clone())).collect()
                    }
                    Stack::Mxfp4(..) => continue,
                };
                for (name, shape) in members {
                    if row.is_whole_name {
                        tensors.push((name, shape));
                        continue;
                    }
                    let bias = if row.has_bias_of_columns { shape.last() } else { shape.first() };
                    let bias = vec![*bias.unwrap()];
                    if needed.iter().any(|name| name.ends_with(".bias")) {
                        tensors.push((format!("{name}.bias"), bias));
                    }
                    tensors.push((format!("{name}.weight"), shape));
                }
            }
        }
        tensors.sort();
        tensors.dedup();
        tensors
    }

    fn assembled(model: &Model, tensors: &[(String, Vec<u64>)]) -> crate::Result<super::super::Assembly> {
        let given: Vec<Given<'_>> =
            tensors.iter().map(|(name, shape)| Given { name, shape, file: Path::new("w") }).collect();
        model.assemble(&given)
    }

    /// Families that have several spellings of one tensor: which of the rows' sources a checkpoint has.
    fn is_of_one_spelling(family: &Family, name: &str) -> bool {
        match family.name {
            "mixtral" => !name.contains(".mlp."),
            "ernie4_5" => !name.contains("qkv_proj") && !name.contains("up_gate_proj"),
            "gpt_oss" | "granitemoe" | "qwen3_vl_moe" => {
                !name.contains(".experts.0.")
                    && !name.contains(".experts.1.")
                    && !name.contains(".experts.2.")
                    && !name.contains(".experts.3.")
            }
            _ if name.ends_with("experts.gate_up_proj") || name.ends_with("experts.down_proj") => false,
            "falcon" => !name.contains(".ln_mlp."),
            "rwkv7" => !name.contains("layers.0.attn.v_lora."),
            _ => true,
        }
    }

    #[test]
    fn a_checkpoint_of_each_family_has_a_place_for_every_tensor_and_a_tensor_for_every_place() {
        for family in families() {
            let model = small(family);
            let mut tensors = tensors(&model);
            tensors.retain(|(name, _)| is_of_one_spelling(family, name));
            assert!(tensors.len() > 8, "{}", family.name);
            let assembly =
                assembled(&model, &tensors).unwrap_or_else(|error| panic!("{}: {error}", family.name));
            assert!(assembly.dropped.is_empty(), "{}: {:?}", family.name, assembly.dropped);
            let mut names: Vec<&str> = assembly.written.iter().map(|tensor| tensor.name.as_str()).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", family.name);
        }
    }

    #[test]
    fn scales_may_come_before_their_blocks() {
        let family = families().iter().find(|family| family.name == "gpt_oss").unwrap();
        let model = small(family);
        let mut tensors = tensors(&model);
        // Without the experts of floats, which have the same place.
        tensors.retain(|(name, _)| is_of_one_spelling(family, name) && !name.ends_with("_proj"));
        for layer in 0..3 {
            for (name, scales) in [("down_proj", [4, 64, 3]), ("gate_up_proj", [4, 192, 2])] {
                let name = format!("model.layers.{layer}.mlp.experts.{name}");
                tensors.push((format!("{name}_blocks"), [&scales[..], &[16]].concat()));
                tensors.push((format!("{name}_scales"), scales.to_vec()));
            }
        }
        let [before, behind] = [(); 2].map(|()| {
            tensors.reverse();
            let written = assembled(&model, &tensors).unwrap().written.into_iter();
            written.map(|tensor| (tensor.name, tensor.shape)).collect::<BTreeMap<_, _>>()
        });
        assert_eq!(before, behind);
    }

    #[test]
    fn no_family_does_without_a_tensor_or_takes_one_of_a_stranger() {
        for family in families() {
            let model = small(family);
            let mut all = tensors(&model);
            all.retain(|(name, _)| is_of_one_spelling(family, name));
            for index in 0..all.len() {
                let mut fewer = all.clone();
                let (name, _) = fewer.remove(index);
                assert!(assembled(&model, &fewer).is_err(), "{} without {name}", family.name);
            }
            let mut more = all;
            more.push(("model.layers.0.parrot.weight".to_owned(), vec![64]));
            let message = assembled(&model, &more).unwrap_err().to_string();
            assert!(message.contains("parrot"), "{}: {message}", family.name);
        }
    }

    #[test]
    fn no_family_does_without_the_epsilon_of_its_norms() {
        const NAMES: [&str; 4] = ["rms_norm_eps", "norm_eps", "layer_norm_eps", "layer_norm_epsilon"];
        // The classes of these have a number of their own.
        let fixed = ["olmo", "olmoe", "mpt"];
        for family in families().iter().filter(|family| !fixed.contains(&family.name)) {
            let mut model = small(family);
            for name in NAMES.iter().chain(&["norm_epsilon"]) {
                model.config.set(name, Json::Null);
            }
            let request = MetadataRequest {
                directory_name: "x",
                file_type: 0,
                parameters: Parameters::default(),
                pre: None,
            };
            let message = model.metadata(&request).unwrap_err().to_string();
            assert!(message.contains("epsilon"), "{}: {message}", family.name);
        }
    }

    #[test]
    fn no_family_takes_more_heads_than_the_tensors_have() {
        // These have no attention.
        let headless = ["mamba", "falcon_mamba", "mamba2", "rwkv7"];
        for family in families().iter().filter(|family| !headless.contains(&family.name)) {
            let mut model = small(family);
            let mut all = tensors(&model);
            all.retain(|(name, _)| is_of_one_spelling(family, name));
            for key in ["num_attention_heads", "n_head", "n_heads", "num_heads"] {
                model.config.set(key, Json::Integer(100_003));
            }
            let message = assembled(&model, &all).unwrap_err().to_string();
            assert!(message.contains("100003") || message.contains("shape"), "{}: {message}", family.name);
        }
    }

    #[test]
    fn a_config_that_claims_too_many_layers_costs_nothing() {
        for family in families() {
            let mut model = small(family);
            let tensors = tensors(&model);
            for key in ["num_hidden_layers", "n_layer", "n_layers", "num_layers"] {
                model.config.set(key, Json::Integer(4_294_967_295));
            }
            let message = assembled(&model, &tensors).unwrap_err().to_string();
            assert!(!message.is_empty(), "{}", family.name);
        }
    }
}
