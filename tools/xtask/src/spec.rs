//! `cargo x spec`: the page of the specification that is made from the type table.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use briq_format::TensorType;

use crate::root::root;

/// Writes spec/types.md, or compares it with what would be written.
///
/// # Errors
/// The page cannot be read or written, or differs.
pub(crate) fn run(check: bool) -> Result<()> {
    let path = root()?.join("spec/types.md");
    let page = types_page()?;
    if check {
        let found = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(found == page, "spec/types.md is not what the type table says: run `cargo x spec`");
        return Ok(());
    }
    let folder = path.parent().context("a page lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
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
