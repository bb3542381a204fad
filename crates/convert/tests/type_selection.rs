//! The types chosen for real model shapes are those that llama.cpp chose for them.
//!
//! Each file of `fixtures/type-selection` holds the tensors of a model, all F16 but for the F32 vectors, and
//! what llama.cpp made of them: per recipe a type, and the tensors that differ from it.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use briq_convert::recipe::{ModelFacts, Options, Recipe, TensorFacts, assign};
use briq_format::TensorType;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    model: String,
    architecture: String,
    block_count: u64,
    attention_head_count: u64,
    attention_head_count_kv: u64,
    expert_count: u64,
    tensors: Vec<(String, Vec<u64>)>,
    types: BTreeMap<String, Types>,
    /// Only the recipes that an importance matrix changes.
    types_with_importance: BTreeMap<String, Types>,
}

/// The common type of the tensors with two dimensions or more, and those of another type.
type Types = (String, BTreeMap<String, String>);

impl Fixture {
    fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/type-selection");
        let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let fixtures: Vec<_> = files.map(|text| serde_json::from_slice(&text).unwrap()).collect();
        assert!(!fixtures.is_empty());
        fixtures
    }

    fn facts(&self) -> ModelFacts {
        ModelFacts::from_metadata(&self.architecture, |key| match key.split_once('.')?.1 {
            "block_count" => Some(self.block_count),
            "attention.head_count" => Some(self.attention_head_count),
            "attention.head_count_kv" => Some(self.attention_head_count_kv),
            "expert_count" => Some(self.expert_count),
            _ => None,
        })
    }

    fn tensors(&self) -> impl DoubleEndedIterator<Item = TensorFacts<'_>> {
        self.tensors.iter().map(|(name, shape)| TensorFacts {
            name,
            shape,
            current: if shape.len() > 1 { TensorType::F16 } else { TensorType::F32 },
        })
    }
}

#[test]
fn every_tensor_gets_the_type_that_llama_cpp_gives_it() {
    for fixture in Fixture::all() {
        for (recipe, plain) in &fixture.types {
            let weighted = fixture.types_with_importance.get(recipe).unwrap_or(plain);
            check(&fixture, recipe, false, plain);
            check(&fixture, recipe, true, weighted);
        }
    }
}

fn check(fixture: &Fixture, recipe: &str, importance: bool, (common, others): &Types) {
    let options = Options { recipe: recipe.parse().unwrap(), overrides: Vec::new(), importance };
    // Backwards, because the order in which the tensors come must not matter.
    let tensors: Vec<_> = fixture.tensors().rev().collect();
    for (tensor, choice) in tensors.iter().zip(assign(&fixture.facts(), &tensors, &options).unwrap()) {
        let vector = "f32".to_owned();
        let expected =
            if tensor.shape.len() < 2 { &vector } else { others.get(tensor.name).unwrap_or(common) };
        assert!(
            choice.ty.to_string().eq_ignore_ascii_case(expected),
            "{} to {recipe} (importance: {importance}): {} is {expected}, not {} ({})",
            fixture.model,
            tensor.name,
            choice.ty,
            choice.reason,
        );
    }
}

#[test]
fn the_fixtures_speak_of_every_recipe_with_a_type_of_its_own() {
    let named: BTreeSet<_> =
        Recipe::ALL.iter().filter(|recipe| recipe.base().is_some()).map(|r| r.name()).collect();
    for fixture in Fixture::all() {
        assert_eq!(
            fixture.types.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            named,
            "{}",
            fixture.model
        );
    }
}
