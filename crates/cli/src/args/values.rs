//! Values of options: read once, and refused with what is allowed.

use std::path::{Path, PathBuf};

use briq_convert::recipe;
use briq_format::TensorType;
use clap::builder::{PathBufValueParser, TypedValueParser};
use regex::Regex;

/// A pattern and the type that it gives.
pub(super) fn parse_override(text: &str) -> Result<(Regex, TensorType), String> {
    // The type has no `=`, a pattern may.
    let (pattern, ty) = text.rsplit_once('=').ok_or("expected REGEX=TYPE, as in attn_v=Q8_0")?;
    Ok((recipe::pattern(pattern)?, recipe::weight_type(ty)?))
}

/// A file or folder that is read. Whoever pipes a file in would be told that there is none called `-`.
pub(super) fn input() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path == Path::new("-") {
        true => Err("standard input is not read; name a file, or write ./- for one of that name"),
        false => Ok(path),
    })
}

pub(super) fn parse_threads(text: &str) -> Result<u16, String> {
    let allowed = 1..=1024;
    let threads = text.parse().ok().filter(|threads| allowed.contains(threads));
    threads.ok_or_else(|| format!("a number from {} to {} is allowed", allowed.start(), allowed.end()))
}

/// The smallest memory that still holds a chunk of every type.
const MIN_MEMORY: u64 = 1 << 20;

pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let allowed = "a size is a whole number and perhaps K, M, G, KiB, MiB, GiB, KB, MB or GB";
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| allowed)?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(allowed.to_owned()),
    };
    match number.checked_mul(unit) {
        Some(size) if size >= MIN_MEMORY => Ok(size),
        _ => Err(format!("must be from 1 MiB to 2^64 - 1 bytes; {allowed}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("2 G"), Ok(2 << 30));
        assert_eq!(parse_size("5000000"), Ok(5_000_000));
        for bad in ["", "MiB", "-1", "1.5G", "64XB", "1023KiB", "99999999999999999999", "99999999999G"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_override_splits_at_the_last_equals_sign() {
        let (regex, ty) = parse_override("a=b.*=q8_0").unwrap();
        assert_eq!((regex.as_str(), ty), ("a=b.*", TensorType::Q8_0));
        for bad in ["attn_v", "attn_v=Q9", "(=Q8_0", "attn_v=Q8_K"] {
            assert!(parse_override(bad).is_err(), "{bad}");
        }
    }
}
