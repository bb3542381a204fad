//! The families, one file each.

mod bert;
mod llama;

use super::Family;

static FAMILIES: [&Family; 3] = [&llama::LLAMA, &llama::MISTRAL, &bert::BERT];

/// Every family there is.
pub fn families() -> &'static [&'static Family] {
    &FAMILIES
}
