//! `cargo x spec`: what is made from tables: the page of types, and the list of families in the README.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use briq_convert::model::families;
use briq_format::TensorType;

use crate::root::root;

/// Writes what is made from tables, or compares it with what would be written.
///
/// # Errors
/// A page cannot be read or written, or differs.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = root()?;
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).with_context(|| format!("cannot read {}", readme.display()))?;
    let pages = [
        (root.join("spec/types.md"), types_page()?, "type table"),
        (readme, with_families(&text)?, "families of briq-convert"),
    ];
    for (path, page, table) in pages {
        if check {
            let found =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            ensure!(found == page, "{} is not what the {table} says: run `cargo x spec`", path.display());
            continue;
        }
        let folder = path.parent().context("a page lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// What stands around the table of families.
const BEGIN: &str = "<!-- Made by `cargo x spec` from the families of briq-convert. -->\n";
const END: &str = "<!-- The families end here. -->\n";

/// The text with the table of families as it is now.
fn with_families(text: &str) -> Result<String> {
    let (before, rest) = text.split_once(BEGIN).context("README.md has no place for the families")?;
    let (_, after) = rest.split_once(END).context("the families in README.md have no end")?;
    let mut table = String::from("| family | classes | architecture of the file |\n|---|---|---|\n");
    for family in families() {
        let classes: Vec<String> = family.architectures.iter().map(|class| format!("`{class}`")).collect();
        writeln!(table, "| {} | {} | `{}` |", family.name, classes.join(", "), family.arch)?;
    }
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

fn types_page() -> Result<String> {
    let mut page = String::from(
        "# Tensor types\n\n\
         Made by `cargo x spec` from the type table of briq-format; change the table, not this page.\n\n\
         A tensor is stored row by row, and a row is a whole number of blocks. The id is the number in the \
         tensor table\nof a file. An id that is not listed here is carried as opaque bytes: container.md.\n\n\
         | id | name | elements per block | bytes per block | bits per weight | a block holds |\n\
         |---:|---|---:|---:|---:|---|\n",
    );
    for ty in TensorType::ALL {
        writeln!(
            page,
            "| {} | {ty} | {} | {} | {} | {} |",
            ty.id().0,
            ty.block_elements(),
            ty.block_bytes(),
            ty.bits_per_weight(),
            ty.description()
        )?;
    }
    Ok(page)
}
