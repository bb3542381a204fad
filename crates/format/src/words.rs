//! Numbers in sentences.

use std::fmt::Display;

/// A number with the word for one thing or for several.
///
/// ```
/// # use briq_format::counted;
/// assert_eq!([0_u64, 1, 2].map(|n| counted(n, "entry", "entries")), ["0 entries", "1 entry", "2 entries"]);
/// ```
pub fn counted<N: Display + PartialEq + From<u8>>(number: N, one: &str, several: &str) -> String {
    format!("{number} {}", if number == N::from(1) { one } else { several })
}
