//! Python's `NaN`, `Infinity` and `-Infinity`, which serde_json does not take: they travel through it as strings that
//! the text has none of.

use super::Json;

/// Python's literals that JSON lacks.
pub(super) const LITERALS: [&str; 2] = ["NaN", "Infinity"];

/// A character of one byte that no string of the text has, not even by its number.
pub(super) fn free_character(text: &str) -> Option<char> {
    let mut is_there = [false; 128];
    text.bytes().filter(u8::is_ascii).for_each(|byte| is_there[usize::from(byte)] = true);
    for escaped in text.match_indices("\\u").filter_map(|(at, _)| text.get(at + 2..at + 6)) {
        if let Ok(number @ ..128) = usize::from_str_radix(escaped, 16) {
            is_there[number] = true;
        }
    }
    // Controls must be escaped in JSON, and so must quotes and backslashes.
    let mut free = (b' '..=0x7f).rev().filter(|byte| !b"\"\\".contains(byte));
    free.find(|byte| !is_there[usize::from(*byte)]).map(char::from)
}

/// Replaces the literals by strings of `mask`, of the same length, so that positions in errors stay true. The sign of
/// `-Infinity` becomes a space. Nothing when all of them are inside of strings.
pub(super) fn mask_non_finite(text: &str, mask: char) -> Option<String> {
    let mut is_masked = false;
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut in_string) = (text, false);
    while let Some(character) = rest.chars().next() {
        let literal = if in_string { None } else { LITERALS.iter().find(|literal| is_value(rest, literal)) };
        let taken = match (literal, character) {
            (Some(literal), _) => {
                is_masked = true;
                if *literal == "Infinity" && masked.ends_with('-') {
                    masked.pop();
                    masked.push(' ');
                }
                masked.push('"');
                masked.extend(std::iter::repeat_n(mask, literal.len() - 2));
                masked.push('"');
                literal.len()
            }
            (None, '\\') if in_string => {
                let pair = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                masked.push_str(&rest[..pair]);
                pair
            }
            (None, character) => {
                in_string ^= character == '"';
                masked.push(character);
                character.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    is_masked.then_some(masked)
}

/// Whether a text begins with a literal that stands for a value. One before a colon stands where a key must be, and is
/// left for serde_json to refuse.
fn is_value(text: &str, literal: &str) -> bool {
    let rest = text.strip_prefix(literal);
    rest.is_some_and(|rest| !rest.trim_start_matches([' ', '\t', '\n', '\r']).starts_with(':'))
}

/// Turns the strings that [`mask_non_finite`] left into [`Json::NotFinite`].
pub(super) fn unmask(json: &mut Json, mask: char) {
    match json {
        Json::String(text) if text.starts_with(mask) => *json = Json::NotFinite,
        Json::Array(items) => items.iter_mut().for_each(|item| unmask(item, mask)),
        Json::Object(members) => members.values_mut().for_each(|value| unmask(value, mask)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: &[&str] = &["NaN", "Infinity", "-", "\"", "\\", "é", "[", "1"];

    proptest! {
        #[test]
        fn masking_keeps_the_length_so_that_columns_stay_true(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..20)
        ) {
            let text = pieces.concat();
            prop_assert!(mask_non_finite(&text, '#').is_none_or(|masked| masked.len() == text.len()));
        }
    }
}
