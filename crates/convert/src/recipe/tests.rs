//! What the fixtures of real models do not reach: overrides, fallbacks, names, and the words of the plan.

use regex::Regex;

use super::*;
use TensorType::{BF16, F16, F32, Q4_0, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};

fn llama() -> ModelFacts {
    ModelFacts {
        architecture: "llama".into(),
        block_count: 8,
        heads: 8,
        key_value_heads: 8,
        ..Default::default()
    }
}

fn options(recipe: Recipe, overrides: &[(&str, TensorType)]) -> Options {
    let overrides = overrides.iter().map(|(pattern, ty)| (Regex::new(pattern).unwrap(), *ty)).collect();
    Options { recipe, overrides, importance: false }
}

/// The choice for one tensor of a model that has an output projection.
fn choice(name: &str, shape: &[u64], options: &Options) -> Choice {
    let output = TensorFacts { name: "output.weight", shape: &[256, 16], current: F16 };
    let tensor = TensorFacts { name, shape, current: F16 };
    assign(&llama(), &[tensor, output], options).unwrap().swap_remove(0)
}

#[test]
fn the_first_override_that_matches_anywhere_in_the_name_decides() {
    let options = options(Recipe::Q4_K_M, &[(r"blk\.[01]\.attn_v", Q8_0), ("attn", Q6_K)]);
    let named = choice("blk.1.attn_v.weight", &[256, 4], &options);
    assert_eq!(named.ty, Q8_0);
    assert_eq!(named.reason.to_string(), r"named by --tensor-type blk\.[01]\.attn_v=Q8_0");
    assert_eq!(choice("blk.2.attn_v.weight", &[256, 4], &options).ty, Q6_K);
    assert_eq!(choice("blk.2.ffn_up.weight", &[256, 4], &options).ty, Q4_K);
}

#[test]
fn an_override_counts_under_every_recipe_but_never_for_what_must_stay() {
    for recipe in Recipe::ALL {
        let options = options(*recipe, &[("", Q8_0)]);
        assert_eq!(choice("blk.0.attn_q.weight", &[256, 4], &options).ty, Q8_0, "{recipe}");
        assert_eq!(choice("blk.0.attn_q_norm.weight", &[256, 4], &options).ty, F16, "{recipe}");
    }
}

#[test]
fn a_row_that_does_not_fit_falls_back_step_by_step() {
    let cases = [
        (Q4_K, 256, Q4_K),
        (Q4_K, 128, Q5_0),
        (Q5_K, 96, Q5_1),
        (Q6_K, 32, Q8_0),
        (Q6_K, 48, F16),
        (Q4_0, 31, F16),
        (TensorType::Q2_K, 320, Q4_0),
        (TensorType::IQ4_XS, 320, TensorType::IQ4_NL),
        (F32, 7, F32),
    ];
    for (wanted, row, fitting) in cases {
        let options = options(Recipe::Q8_0, &[("attn_q", wanted)]);
        assert_eq!(choice("blk.0.attn_q.weight", &[row, 4], &options).ty, fitting, "{wanted} of {row}");
    }
    let plain = choice("blk.0.attn_q.weight", &[128, 4], &options(Recipe::Q4_K_M, &[]));
    assert_eq!(plain.reason.to_string(), "row of 128 is no multiple of 256: Q4_K falls back to Q5_0");
}

#[test]
fn a_type_that_nothing_stands_in_for_is_an_error_that_names_the_tensor() {
    let tensor = TensorFacts { name: "blk.0.attn_q.weight", shape: &[96, 4], current: F16 };
    let options = options(Recipe::Q8_0, &[("attn_q", TensorType::Q1_0)]);
    let error = assign(&llama(), &[tensor], &options).unwrap_err().to_string();
    assert_eq!(
        error,
        "tensor \"blk.0.attn_q.weight\": a row of 96 is no multiple of 128, and no type stands in for Q1_0"
    );
}

#[test]
fn what_must_not_be_quantized_keeps_its_type() {
    let cases: &[(&str, &[u64], &str)] = &[
        ("blk.0.attn_norm.weight", &[256], "one dimension: not quantized"),
        ("blk.0.attn_q.weight", &[256, 1, 1], "one dimension: not quantized"),
        ("blk.0.attn_q.bias", &[256, 2], "its name does not end in weight: not quantized"),
        ("blk.0.attn_q_norm.weight", &[256, 2], "a norm: not quantized"),
        ("blk.0.ffn_gate_inp.weight", &[256, 8], "ffn_gate_inp.weight is sensitive: not quantized"),
        ("position_embd.weight", &[256, 8], "position_embd.weight is sensitive: not quantized"),
    ];
    for (name, shape, words) in cases {
        let kept = choice(name, shape, &options(Recipe::F32, &[]));
        assert_eq!((kept.ty, kept.reason.to_string().as_str()), (F16, *words), "{name}");
    }
    // A name that only holds one of the whole names is not one of them.
    assert_eq!(choice("my_position_embd.weight", &[256, 8], &options(Recipe::F32, &[])).ty, F32);
}

#[test]
fn the_architecture_decides_what_is_sensitive_in_it() {
    let tensor = TensorFacts { name: "blk.0.ssm_beta.weight", shape: &[256, 8], current: F16 };
    let mut model = llama();
    let ty = |model: &ModelFacts| assign(model, &[tensor], &options(Recipe::Q8_0, &[])).unwrap()[0].ty;
    assert_eq!(ty(&model), Q8_0);
    model.architecture = "glm5-next".into();
    assert_eq!(ty(&model), F16);
}

#[test]
fn the_reasons_of_a_mixture_read_as_sentences() {
    let options = options(Recipe::Q4_K_M, &[]);
    let down = choice("blk.0.ffn_down.weight", &[256, 4], &options);
    assert_eq!(down.ty, Q6_K);
    assert_eq!(
        down.reason.to_string(),
        "more bits for ffn_down: first eighth, last eighth, every third between"
    );
    let up = choice("blk.0.ffn_up.weight", &[256, 4], &options);
    assert_eq!((up.ty, up.reason.to_string().as_str()), (Q4_K, "recipe default"));
    assert_eq!(choice("output.weight", &[256, 4], &options).reason.to_string(), "more bits for output");
}

#[test]
fn the_token_embedding_counts_as_output_only_where_there_is_none() {
    let embedding = TensorFacts { name: "token_embd.weight", shape: &[256, 4], current: F16 };
    let alone = assign(&llama(), &[embedding], &options(Recipe::Q4_K_S, &[])).unwrap();
    assert_eq!(alone[0].ty, Q6_K);
    assert_eq!(choice("token_embd.weight", &[256, 4], &options(Recipe::Q4_K_S, &[])).ty, Q4_K);
}

#[test]
fn auto_keeps_every_type_and_is_numbered_by_its_first_half_precision_matrix() {
    let tensors = [(F32, "a.weight", [8, 8]), (BF16, "b.weight", [8, 8]), (F16, "c.weight", [8, 8])];
    let facts = tensors.each_ref().map(|(ty, name, shape)| TensorFacts { name, shape, current: *ty });
    let choices = assign(&llama(), &facts, &options(Recipe::Auto, &[])).unwrap();
    assert_eq!(choices.iter().map(|choice| choice.ty).collect::<Vec<_>>(), [F32, BF16, F16]);

    let file_type = |list: &[(TensorType, &[u64])]| Recipe::Auto.file_type(list.iter().copied());
    assert_eq!(file_type(&[(F32, &[8, 8]), (F16, &[8, 1]), (BF16, &[8, 8]), (F16, &[8, 8])]), 32);
    assert_eq!(file_type(&[(F16, &[8, 8]), (BF16, &[8, 8])]), 1);
    assert_eq!(file_type(&[(F32, &[8, 8]), (F16, &[8])]), 0);
    assert_eq!(Recipe::Q5_K_M.file_type([(F16, &[8_u64, 8][..])]), 17);
}

#[test]
fn recipes_are_read_in_any_case_and_an_unknown_one_lists_the_known() {
    for recipe in Recipe::ALL {
        assert_eq!(recipe.name().to_lowercase().parse(), Ok(*recipe));
        assert_eq!(recipe.name().to_uppercase().parse(), Ok(*recipe));
    }
    assert_eq!("q4_k".parse(), Ok(Recipe::Q4_K_M));
    assert_eq!("Q5_K".parse(), Ok(Recipe::Q5_K_M));
    let error = "Q4_K_L".parse::<Recipe>().unwrap_err().to_string();
    assert_eq!(
        error,
        "no recipe is called \"Q4_K_L\"; there are auto, F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, \
         Q4_K_S, Q4_K_M, Q5_K_S, Q5_K_M, Q6_K"
    );
}

#[test]
fn the_order_is_by_layer_number_and_then_by_bytes() {
    let names = ["output.weight", "blk.10.a", "blk.2.b", "blk.2.a", "blk.x.a", "Z", "blk.2"];
    let ordered: Vec<_> = quantizer_order(names).into_iter().map(|index| names[index]).collect();
    assert_eq!(ordered, ["Z", "blk.2", "blk.x.a", "output.weight", "blk.2.a", "blk.2.b", "blk.10.a"]);
}

#[test]
fn with_experts_the_layer_in_the_name_is_the_place() {
    let model = ModelFacts { expert_count: 4, ..llama() };
    let down = |name| TensorFacts { name, shape: &[256, 4, 4], current: F16 };
    // Two in layer 0, so a counter would stand at 1 and 2 where the layers are 0 and 1.
    let tensors = ["blk.0.ffn_down_exps.weight", "blk.0.ffn_down_shexp.weight", "blk.1.ffn_down_exps.weight"];
    let choices = assign(&model, &tensors.map(down), &options(Recipe::Q4_K_S, &[])).unwrap();
    assert_eq!(choices.iter().map(|choice| choice.ty).collect::<Vec<_>>(), [Q5_K, Q5_K, Q4_K]);

    let error =
        assign(&model, &[down("blk.8.ffn_down_exps.weight")], &options(Recipe::Q4_K_S, &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tensor \"blk.8.ffn_down_exps.weight\": its name gives no layer below 8, as experts need"
    );
}
