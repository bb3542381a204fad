//! The types chosen for real model shapes are those that llama.cpp chose for them.
//!
//! Each file of `fixtures/type-selection` holds the tensors of a model, all F16 but for the F32 vectors, and
//! what llama.cpp made of them: per recipe a type, and the tensors that differ from it. A name such as
//! `blk.{0-3,7}.attn_q.weight` stands for one tensor in each of these layers.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use briq_convert::recipe::{Choice, ModelFacts, Options, Recipe, TensorFacts, assign, needs_importance};
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
    /// None where llama.cpp refuses.
    types: BTreeMap<String, Option<Types>>,
    /// Only the recipes that an importance matrix changes.
    types_with_importance: BTreeMap<String, Option<Types>>,
    /// The recipes that are refused without an importance matrix.
    needs_importance: BTreeSet<String>,
}

/// The common type of the tensors with two dimensions or more, and those of another type.
type Types = (String, BTreeMap<String, Vec<String>>);

impl Fixture {
    fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/type-selection");
        let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let fixtures: Vec<Self> = files.map(|text| serde_json::from_slice(&text).unwrap()).collect();
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

    /// Names and shapes. Backwards, because the order in which tensors come must not matter.
    fn tensors(&self) -> Vec<(String, &[u64])> {
        let tensors = self.tensors.iter().rev();
        tensors
            .flat_map(|(name, shape)| names(name).into_iter().rev().map(|name| (name, &shape[..])))
            .collect()
    }

    /// What briq chooses, tensor by tensor, with the number of dimensions.
    fn assign(
        &self,
        recipe: Recipe,
        importance: bool,
    ) -> Result<Vec<(String, usize, Choice)>, briq_convert::Error> {
        let tensors = self.tensors();
        let current = |shape: &[u64]| if shape.len() > 1 { TensorType::F16 } else { TensorType::F32 };
        let facts = tensors.iter().map(|(name, shape)| TensorFacts { name, shape, current: current(shape) });
        let choices = assign(&self.facts(), &facts.collect::<Vec<_>>(), &Options::new(recipe), importance)?;
        Ok(tensors
            .into_iter()
            .zip(choices)
            .map(|((name, shape), choice)| (name, shape.len(), choice))
            .collect())
    }
}

/// The names that `pattern` stands for: itself, or one per layer between braces.
fn names(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_owned()];
    };
    let (layers, after) = rest.split_once('}').unwrap();
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<u64>().unwrap()..=last.parse().unwrap()
    };
    layers.split(',').flat_map(range).map(|layer| format!("{before}{layer}{after}")).collect()
}

#[test]
fn every_tensor_gets_the_type_that_llama_cpp_gives_it() {
    for fixture in Fixture::all() {
        for (recipe, plain) in &fixture.types {
            let weighted = fixture.types_with_importance.get(recipe).unwrap_or(plain);
            check(&fixture, recipe, false, plain.as_ref());
            check(&fixture, recipe, true, weighted.as_ref());
        }
    }
}

fn check(fixture: &Fixture, recipe: &str, importance: bool, types: Option<&Types>) {
    let chosen = fixture.assign(recipe.parse().unwrap(), importance);
    let Some((common, others)) = types else {
        assert!(chosen.is_err(), "{} to {recipe} is refused", fixture.model);
        return;
    };
    let others: BTreeMap<String, &String> = others
        .iter()
        .flat_map(|(ty, listed)| listed.iter().flat_map(|name| names(name)).map(move |name| (name, ty)))
        .collect();
    for (name, dimensions, choice) in chosen.unwrap() {
        let vector = "f32".to_owned();
        let expected = if dimensions < 2 { &vector } else { others.get(&name).copied().unwrap_or(common) };
        assert!(
            choice.ty.to_string().eq_ignore_ascii_case(expected),
            "{} to {recipe} (importance: {importance}): {name} is {expected}, not {} ({})",
            fixture.model,
            choice.ty,
            choice.reason,
        );
    }
}

#[test]
fn the_recipes_that_llama_cpp_refuses_without_importance_are_refused() {
    for fixture in Fixture::all() {
        for recipe in fixture.types.iter().filter(|(_, types)| types.is_some()).map(|(recipe, _)| recipe) {
            let parsed: Recipe = recipe.parse().unwrap();
            let chosen = fixture.assign(parsed, false).unwrap();
            let needs = chosen.iter().any(|(name, _, choice)| needs_importance(parsed, name, choice.ty));
            assert_eq!(needs, fixture.needs_importance.contains(recipe), "{} to {recipe}", fixture.model);
        }
    }
}

#[test]
fn the_fixtures_speak_of_every_recipe_with_a_type_of_its_own() {
    let named: BTreeSet<_> =
        Recipe::ALL.iter().filter(|recipe| recipe.base().is_some()).map(|r| r.name()).collect();
    for fixture in Fixture::all() {
        let spoken_of: BTreeSet<_> = fixture.types.keys().map(String::as_str).collect();
        assert_eq!(spoken_of, named, "{}", fixture.model);
    }
}
