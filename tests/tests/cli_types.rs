//! `briq types`, the help and the completions tell what there is.

use std::process::Stdio;

use briq_convert::recipe::Recipe;
use briq_format::TensorType;
use briq_tests::{Folder, fixtures};

#[test]
fn every_type_is_listed_with_its_size_and_what_can_be_done_with_it() {
    let folder = Folder::new();
    let text = folder.succeeds(&["types"]);
    let report: serde_json::Value = serde_json::from_str(&folder.succeeds(&["types", "--json"])).unwrap();
    let listed = report["types"].as_array().unwrap();
    assert_eq!(listed.len(), TensorType::ALL.len());
    for (listed, &ty) in listed.iter().zip(TensorType::ALL) {
        assert_eq!(listed["name"], ty.name());
        assert_eq!(listed["id"], ty.id().0);
        assert_eq!(listed["block_bytes"], ty.block_bytes());
        assert_eq!(listed["encode"], briq_codec::can_encode(ty));
        assert_eq!(listed["decode"], true);
        assert_eq!(listed["multiply"], briq_kernels::can_dot(ty));
        let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(ty.name())).unwrap();
        assert_eq!(line.contains("multiply"), briq_kernels::can_dot(ty), "{line}");
        assert_eq!(line.contains("encode"), briq_codec::can_encode(ty), "{line}");
        assert!(line.contains(&ty.block_elements().to_string()) && line.contains(ty.description()), "{line}");
    }
}

#[test]
fn what_stands_beside_a_name_begins_below_its_heading() {
    let text = Folder::new().succeeds(&["types"]);
    let place =
        |line: &str, what: &str| line.find(what).unwrap_or_else(|| panic!("{what:?} is not in {line:?}"));
    let (types, recipes) = text.split_once("\n\n").unwrap();
    let (heading, rows) = types.split_once('\n').unwrap();
    for (row, ty) in rows.lines().zip(TensorType::ALL) {
        assert_eq!(place(row, ty.description()), place(heading, "block"), "{row}");
    }
    let (heading, rows) = recipes.split_once('\n').unwrap();
    for (row, recipe) in rows.lines().zip(Recipe::ALL) {
        assert_eq!(place(row, recipe.about()), place(heading, "recipe"), "{row}");
    }
}

#[test]
fn every_listed_recipe_converts_or_says_in_one_line_why_not() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    let report: serde_json::Value = serde_json::from_str(&folder.succeeds(&["types", "--json"])).unwrap();
    let mut converting = Vec::new();
    for recipe in report["recipes"].as_array().unwrap() {
        let name = recipe["name"].as_str().unwrap();
        let run = folder.briq(&["convert", "model", "--dry-run", "--type", name]);
        match run.code {
            Some(0) => converting.push(name),
            // Some types cannot be encoded without an importance matrix, or not yet.
            code => {
                assert!(matches!(code, Some(2 | 3)) && run.stdout.is_empty(), "{name}: {run:?}");
                assert!(run.stderr.lines().count() == 1 && run.stderr.contains("cannot"), "{name}: {run:?}");
            }
        }
    }
    for name in ["auto", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K"] {
        assert!(converting.contains(&name), "{name}");
    }
}

#[test]
fn every_type_of_blocks_has_a_page_in_the_spec_and_a_row_among_them() {
    let read = |page: &str| std::fs::read_to_string(fixtures::path(&format!("../spec/blocks/{page}.md")));
    let pages = read("README").unwrap();
    for ty in TensorType::ALL.iter().filter(|ty| ty.is_quantized()) {
        let name = ty.name().to_lowercase();
        let row = pages.lines().find(|row| row.starts_with(&format!("| [{name}.md]({name}.md)"))).unwrap();
        let sizes = format!("| {} | {} |", ty.block_elements(), ty.block_bytes());
        assert!(row.contains(&sizes), "{row}");
        assert!(read(&name).unwrap().contains(ty.name()), "{name}");
    }
}

const COMMANDS: [&str; 9] =
    ["convert", "inspect", "verify", "hash", "snapshot", "imatrix", "bench", "types", "completions"];

#[test]
fn what_stands_below_the_options_is_broken_where_the_line_ends_and_nowhere_else() {
    let folder = Folder::new();
    for arguments in COMMANDS.map(|command| vec![command, "--help"]).into_iter().chain([vec!["--help"]]) {
        let output = folder.command(&arguments).env("COLUMNS", "80").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let (_, below) = help.split_once("\nExamples:\n").unwrap();
        let lines: Vec<_> = below.lines().collect();
        for pair in lines.windows(2).filter(|pair| !pair[0].is_empty() && !pair[0].starts_with(' ')) {
            let next = pair[1].split(' ').next().unwrap();
            assert!(pair[0].chars().count() <= 80, "{help}");
            assert!(next.is_empty() || pair[0].chars().count() + 1 + next.len() > 80, "{pair:?} in\n{help}");
        }
    }
}

#[test]
fn every_command_has_help_and_those_with_options_have_examples() {
    let folder = Folder::new();
    let help = folder.succeeds(&["--help"]);
    assert!(
        help.contains(
            "Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 bad input, 4 the system failed"
        )
    );
    assert!(help.contains("Examples:\n  briq convert"), "{help}");
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in\n{help}");
        let help = folder.succeeds(&[command, "--help"]);
        assert!(help.contains(&format!("Examples:\n  briq {command}")), "{help}");
    }
    assert_eq!(folder.succeeds(&["--version"]), format!("briq {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_printed_for_every_shell() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(folder.succeeds(&["completions", shell]).contains("briq"), "{shell}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let folder = Folder::new();
    let mut child = folder.command(&["types"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn every_family_is_listed_and_a_renamed_architecture_converts_as_its_family() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    let text = folder.succeeds(&["convert", "--list-families"]);
    let report = folder.succeeds(&["convert", "--list-families", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let listed = report["families"].as_array().unwrap();
    assert!(listed.len() >= 50);
    for family in listed {
        let (name, arch) = (family["name"].as_str().unwrap(), family["architecture"].as_str().unwrap());
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        assert!(line.contains(arch) && line.contains(family["classes"][0].as_str().unwrap()), "{line}");
    }

    folder.succeeds(&["convert", "model", "--type", "Q8_0", "--out", "own.gguf"]);
    folder.edit("model/config.json", "LlamaForCausalLM", "ParrotForCausalLM");
    assert_eq!(folder.briq(&["convert", "model", "--type", "Q8_0"]).code, Some(3));
    folder.succeeds(&["convert", "model", "--type", "Q8_0", "--arch-as", "llama", "--out", "renamed.gguf"]);
    assert_eq!(folder.read("own.gguf"), folder.read("renamed.gguf"));
    assert_eq!(folder.briq(&["verify", "own.gguf", "--source", "model"]).code, Some(3));
    folder.succeeds(&["verify", "own.gguf", "--source", "model", "--arch-as", "llama"]);
}
