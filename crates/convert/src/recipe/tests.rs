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
    Options { overrides, ..Options::new(recipe) }
}

/// The choice for one tensor of a model that has an output projection.
fn choice(name: &str, shape: &[u64], options: &Options) -> Choice {
    let output = TensorFacts { name: "output.weight", shape: &[256, 16], current: F16 };
    let tensor = TensorFacts { name, shape, current: F16 };
    assign(&llama(), &[tensor, output], options, false).unwrap().swap_remove(0)
}

#[test]
fn the_first_override_that_matches_anywhere_in_the_name_decides() {
    let options = options(Recipe::Q4_K_M, &[(r"blk\.[01]\.attn_v", Q8_0), ("attn", Q6_K)]);
    let named = choice("blk.1.attn_v.weight", &[256, 4], &options);
    assert_eq!(named.ty, Q8_0);
    assert_eq!(named.reason.to_string(), r"Q8_0 is named for the pattern blk\.[01]\.attn_v");
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
    let error = assign(&llama(), &[tensor], &options, false).unwrap_err().to_string();
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
    let ty = |model: &ModelFacts| assign(model, &[tensor], &options(Recipe::Q8_0, &[]), false).unwrap()[0].ty;
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
    let alone = assign(&llama(), &[embedding], &options(Recipe::Q4_K_S, &[]), false).unwrap();
    assert_eq!(alone[0].ty, Q6_K);
    assert_eq!(choice("token_embd.weight", &[256, 4], &options(Recipe::Q4_K_S, &[])).ty, Q4_K);
}

#[test]
fn auto_keeps_every_type_and_is_numbered_by_its_first_half_precision_matrix() {
    let tensors = [(F32, "a.weight", [8, 8]), (BF16, "b.weight", [8, 8]), (F16, "c.weight", [8, 8])];
    let facts = tensors.each_ref().map(|(ty, name, shape)| TensorFacts { name, shape, current: *ty });
    let choices = assign(&llama(), &facts, &options(Recipe::Auto, &[]), false).unwrap();
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
    assert_eq!("q3_k".parse(), Ok(Recipe::Q3_K_M));
    assert_eq!("q4_k".parse(), Ok(Recipe::Q4_K_M));
    assert_eq!("Q5_K".parse(), Ok(Recipe::Q5_K_M));
    let error = "Q4_K_L".parse::<Recipe>().unwrap_err().to_string();
    assert_eq!(
        error,
        "no recipe is called \"Q4_K_L\"; there are auto, F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, \
         Q2_K_S, Q3_K_S, Q3_K_M, Q3_K_L, Q4_K_S, Q4_K_M, Q5_K_S, Q5_K_M, Q6_K, IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, \
         IQ2_S, IQ2_M, IQ3_XXS, IQ3_XS, IQ3_S, IQ3_M, IQ4_NL, IQ4_XS, TQ1_0, TQ2_0, MXFP4_MOE, Q1_0, Q2_0"
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
    let choices = assign(&model, &tensors.map(down), &options(Recipe::Q4_K_S, &[]), false).unwrap();
    assert_eq!(choices.iter().map(|choice| choice.ty).collect::<Vec<_>>(), [Q5_K, Q5_K, Q4_K]);

    let error = assign(&model, &[down("blk.8.ffn_down_exps.weight")], &options(Recipe::Q4_K_S, &[]), false)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "tensor \"blk.8.ffn_down_exps.weight\": its name gives no layer below 8, as experts need"
    );
}

#[test]
fn what_is_kept_keeps_its_type_whatever_names_it() {
    let options =
        Options { keep: vec![Regex::new("attn_q").unwrap()], ..options(Recipe::Q4_K_M, &[("attn", Q8_0)]) };
    let kept = choice("blk.0.attn_q.weight", &[256, 4], &options);
    assert_eq!((kept.ty, kept.reason.to_string().as_str()), (F16, "kept by the pattern attn_q"));
    assert_eq!(choice("blk.0.attn_k.weight", &[256, 4], &options).ty, Q8_0);
}

#[test]
fn a_kept_tensor_is_not_counted_among_its_peers() {
    let keep = vec![Regex::new(r"blk\.0\.").unwrap()];
    let names: Vec<String> = (0..8).map(|layer| format!("blk.{layer}.attn_v.weight")).collect();
    let tensors: Vec<_> =
        names.iter().map(|name| TensorFacts { name, shape: &[256, 4], current: F16 }).collect();
    let types = |keep| {
        let options = Options { keep, ..options(Recipe::Q4_K_S, &[]) };
        let choices = assign(&llama(), &tensors, &options, false).unwrap();
        choices.iter().map(|choice| choice.ty).collect::<Vec<_>>()
    };
    // The first four that are quantized get more bits.
    assert_eq!(types(Vec::new()), [Q5_K, Q5_K, Q5_K, Q5_K, Q4_K, Q4_K, Q4_K, Q4_K]);
    assert_eq!(types(keep), [F16, Q5_K, Q5_K, Q5_K, Q5_K, Q4_K, Q4_K, Q4_K]);
}

#[test]
fn output_and_token_embedding_are_named_before_patterns() {
    let options = Options {
        output: Some(Q5_K),
        token_embedding: Some(Q8_0),
        ..options(Recipe::Q4_K_M, &[("output|token_embd", Q4_0)])
    };
    let output = choice("output.weight", &[256, 4], &options);
    assert_eq!((output.ty, output.reason.to_string().as_str()), (Q5_K, "Q5_K is named for output"));
    assert_eq!(choice("token_embd.weight", &[256, 4], &options).ty, Q8_0);
    // The one embedding that a pattern can name for itself.
    assert_eq!(choice("per_layer_token_embd.weight", &[256, 4], &options).ty, Q4_0);
}

#[test]
fn the_type_of_the_output_goes_to_an_embedding_that_serves_as_one() {
    let embedding = TensorFacts { name: "token_embd.weight", shape: &[256, 4], current: F16 };
    let ty = |options: &Options| assign(&llama(), &[embedding], options, false).unwrap()[0].ty;
    let named = Options { output: Some(Q8_0), ..options(Recipe::Q4_K_M, &[]) };
    assert_eq!(ty(&named), Q8_0);
    assert_eq!(ty(&Options { token_embedding: Some(Q5_K), ..named.clone() }), Q5_K);
    assert_eq!(ty(&Options { overrides: vec![(Regex::new("embd").unwrap(), Q5_0)], ..named.clone() }), Q5_0);
    assert_eq!(ty(&Options { pure: true, ..named }), Q4_K);
}

#[test]
fn a_pure_recipe_gives_its_own_type_and_obeys_names() {
    let options = Options { pure: true, ..options(Recipe::Q4_K_M, &[("ffn_up", Q8_0)]) };
    for name in ["output.weight", "blk.0.ffn_down.weight", "blk.0.attn_v.weight"] {
        assert_eq!(choice(name, &[256, 4], &options).ty, Q4_K, "{name}");
    }
    assert_eq!(choice("blk.0.ffn_up.weight", &[256, 4], &options).ty, Q8_0);
    assert_eq!(choice("blk.0.attn_norm.weight", &[256], &options).ty, F16);
}

#[test]
fn without_fallback_the_tensors_that_do_not_fit_are_named() {
    let names: Vec<String> = (0..7).map(|layer| format!("blk.{layer}.attn_q.weight")).collect();
    let tensors: Vec<_> =
        names.iter().map(|name| TensorFacts { name, shape: &[128, 4], current: F16 }).collect();
    let options = Options { fallback: false, ..options(Recipe::Q4_K_S, &[]) };
    let error = assign(&llama(), &tensors, &options, false).unwrap_err().to_string();
    assert_eq!(
        error,
        "no fallback is allowed, but rows do not fit their type: \"blk.0.attn_q.weight\" (row of 128, Q4_K), \
         \"blk.1.attn_q.weight\" (row of 128, Q4_K), \"blk.2.attn_q.weight\" (row of 128, Q4_K), \
         \"blk.3.attn_q.weight\" (row of 128, Q4_K), \"blk.4.attn_q.weight\" (row of 128, Q4_K) and 2 more"
    );
    let whole = TensorFacts { name: "blk.0.attn_q.weight", shape: &[256, 4], current: F16 };
    assert_eq!(assign(&llama(), &[whole], &options, false).unwrap()[0].ty, Q4_K);
}

#[test]
fn experts_get_mxfp4_and_everything_else_eight_bits() {
    let mut model = ModelFacts { expert_count: 8, ..llama() };
    let ty = |model: &ModelFacts, name, shape| {
        let tensor = TensorFacts { name, shape, current: F16 };
        assign(model, &[tensor], &options(Recipe::MXFP4_MOE, &[]), false).unwrap()[0].ty
    };
    assert_eq!(ty(&model, "blk.9.ffn_up_exps.weight", &[256, 4, 8]), TensorType::MXFP4);
    assert_eq!(ty(&model, "blk.0.attn_v.weight", &[256, 4]), Q8_0);
    assert_eq!(ty(&model, "blk.0.attn_v.weight", &[256, 4, 8]), TensorType::MXFP4);
    model.architecture = "bailingmoe3".into();
    assert_eq!(ty(&model, "blk.0.attn_v.weight", &[256, 4, 8]), Q8_0);
    assert_eq!(ty(&model, "blk.0.ffn_up_exps.weight", &[256, 4, 8]), TensorType::MXFP4);
}

#[test]
fn types_whose_search_cannot_do_without_importance_need_it_everywhere() {
    use TensorType::{IQ1_S, IQ2_S, Q2_K};
    let tensor = "blk.0.attn_q.weight";
    let cases = [
        (Recipe::IQ2_M, tensor, IQ2_S, true),
        (Recipe::IQ2_M, "output.weight", IQ2_S, false),
        (Recipe::IQ1_S, "output.weight", IQ1_S, true),
        (Recipe::Q2_K, tensor, Q2_K, false),
        (Recipe::Q2_K_S, tensor, Q2_K, true),
        (Recipe::Q2_K_S, "token_embd.weight", Q2_K, false),
    ];
    for (recipe, name, ty, needs) in cases {
        assert_eq!(needs_importance(recipe, name, ty), needs, "{recipe}: {name} as {ty}");
    }
}
