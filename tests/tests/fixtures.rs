//! The manifest and the folder of fixtures tell the same: no file without an entry, no entry without its file.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use briq_tests::fixtures::{self, Manifest};

/// Every file below `folder`, as a path from `root` with forward slashes.
fn files_below(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, root, found);
        } else {
            let parts: Vec<_> =
                path.strip_prefix(root).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
            found.insert(parts.join("/"));
        }
    }
}

#[test]
fn every_fixture_has_an_entry_and_every_entry_a_fixture() {
    let mut found = BTreeSet::new();
    files_below(&fixtures::path(""), &fixtures::path(""), &mut found);
    assert!(found.remove("MANIFEST.toml"));
    let listed: BTreeSet<String> = Manifest::read().file.into_keys().collect();
    assert_eq!(found.difference(&listed).collect::<Vec<_>>(), [""; 0], "files without an entry");
    assert_eq!(listed.difference(&found).collect::<Vec<_>>(), [""; 0], "entries without a file");
}

#[test]
fn every_fixture_is_as_it_was_released() {
    let manifest = Manifest::read();
    let hash = |path: &str| blake3::hash(&fs::read(fixtures::path(path)).unwrap()).to_string();
    let changed = manifest.file.iter().map(|(path, file)| (path, hash(path), &file.blake3));
    let changed: Vec<_> = changed.filter(|(_, found, listed)| found != *listed).collect();
    assert!(changed.is_empty(), "path, hash of the file, hash in the manifest: {changed:#?}");
}

#[test]
fn every_container_says_why_it_is_there_and_names_a_rule_that_the_spec_has() {
    let manifest = Manifest::read();
    for folder in ["container", "malformed"] {
        for (name, file) in manifest.folder(folder) {
            assert!(
                file.why.as_ref().is_some_and(|why| !why.is_empty()),
                "{name} does not say why it is there"
            );
            let cited = file.spec.as_deref().unwrap_or_else(|| panic!("{name} stands for no rule"));
            let (page, rule) =
                cited.split_once(' ').unwrap_or_else(|| panic!("{name}: {cited:?} has no rule"));
            let text = fs::read_to_string(fixtures::path("../spec").join(page).with_extension("md"))
                .unwrap_or_else(|error| panic!("{name}: {cited}: {error}"));
            let stated = text.lines().any(|line| line.starts_with(&format!("- **{rule}** ")));
            assert!(stated, "{name}: spec/{page}.md has no rule {rule}");
        }
    }
}

/// Rules are cited by their numbers.
#[test]
fn no_two_rules_of_a_page_of_the_spec_have_one_number() {
    let (spec, mut pages) = (fixtures::path("../spec"), BTreeSet::new());
    files_below(&spec, &spec, &mut pages);
    for page in pages {
        let text = fs::read_to_string(spec.join(&page)).unwrap();
        let mut seen = BTreeSet::new();
        for rule in text.lines().filter_map(|line| line.strip_prefix("- **")?.split_once("** ")) {
            assert!(seen.insert(rule.0), "spec/{page} states {} twice", rule.0);
        }
    }
}

#[test]
fn every_fixture_has_an_origin_and_every_origin_a_licence() {
    let manifest = Manifest::read();
    for (path, file) in &manifest.file {
        assert!(manifest.origin.contains_key(&file.origin), "{path} is of unknown origin {}", file.origin);
    }
    for (name, origin) in &manifest.origin {
        assert!(manifest.file.values().any(|file| file.origin == *name), "nothing comes from {name}");
        assert!(
            ["MIT", "MIT OR Apache-2.0", "CC-BY-4.0"].contains(&origin.licence.as_str()),
            "{name}: {}",
            origin.licence
        );
        assert!(!origin.made.is_empty(), "{name}");
    }
}
