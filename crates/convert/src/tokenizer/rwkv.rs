//! RWKV's list of words: a line each, with the id, the bytes as a literal of Python's, and their number.
//!
//! Runtimes read the bytes in another of Python's spellings, that of `repr` without quotes.

use std::path::Path;

use briq_format::counted;

use super::vocabulary::{Entries, Token, TokenType, Vocabulary, hold_tokens};
use crate::json;
use crate::model::Config;
use crate::{Error, Result};

/// The name of the file.
pub(super) const FILE: &str = "rwkv_vocab_v20230424.txt";

/// The vocabulary in the file at `path`. Token 0 stands for the end of a text and is in no line.
///
/// # Errors
///
/// When a line is not of that form, or ids do not go up by one.
pub(super) fn vocabulary(path: &Path, config: &Config) -> Result<Vocabulary> {
    let text = json::read_text(path, json::TOKENIZER_CAP)?;
    hold_tokens(path, text.lines().count())?;
    let mut tokens = vec![Token { text: "<s>".to_owned(), kind: TokenType::Control, score: 0.0 }];
    for (index, line) in text.lines().enumerate() {
        let bad = |problem: &str| Error::bad(path, format!("line {}: {problem}", index + 1));
        let (id, literal, length) = fields(line)
            .ok_or_else(|| bad("allowed is an id, a literal of Python's, and its number of bytes"))?;
        let bytes = literal_bytes(literal).ok_or_else(|| bad("the literal is not one of Python's"))?;
        if bytes.len() != length {
            return Err(bad(&format!(
                "the literal has {}, and {length} are stated",
                counted(bytes.len(), "byte", "bytes")
            )));
        }
        if id != tokens.len() {
            return Err(bad(&format!("the id is {id} where {} was expected", tokens.len())));
        }
        tokens.push(Token { text: repr(&bytes), kind: TokenType::Normal, score: 0.0 });
    }
    let count = Entries::count(config, tokens.len() as u64)?;
    let mut vocabulary = Vocabulary::unused(count, tokens.len(), config)?;
    vocabulary.iter_mut().zip(tokens).for_each(|(place, token)| *place = token);
    Ok(vocabulary)
}

fn fields(line: &str) -> Option<(usize, &str, usize)> {
    let (id, rest) = line.trim_end_matches('\r').split_once(' ')?;
    let (literal, length) = rest.rsplit_once(' ')?;
    Some((id.parse().ok()?, literal, length.trim().parse().ok()?))
}

/// The bytes of a string or bytes literal; a string's are those of its UTF-8.
fn literal_bytes(literal: &str) -> Option<Vec<u8>> {
    let (is_bytes, quoted) = match literal.strip_prefix('b') {
        Some(rest) => (true, rest),
        None => (false, literal),
    };
    let quote = quoted.chars().next().filter(|quote| "'\"".contains(*quote))?;
    let body = quoted[1..].strip_suffix(quote)?;
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body.chars();
    while let Some(character) = rest.next() {
        if character == quote || (is_bytes && !character.is_ascii()) {
            return None;
        }
        if character != '\\' {
            bytes.extend(character.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        let escape = rest.next()?;
        let code = match escape {
            'n' => 10,
            't' => 9,
            'r' => 13,
            '\\' | '\'' | '"' => escape as u32,
            'x' => hexadecimal(&mut rest, 2)?,
            'u' if !is_bytes => hexadecimal(&mut rest, 4)?,
            'U' if !is_bytes => hexadecimal(&mut rest, 8)?,
            _ => return None,
        };
        match is_bytes {
            true => bytes.push(u8::try_from(code).ok()?),
            false => bytes.extend(char::from_u32(code)?.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Some(bytes)
}

fn hexadecimal(characters: &mut std::str::Chars<'_>, digits: usize) -> Option<u32> {
    let mut number = 0_u32;
    for _ in 0..digits {
        number = number.checked_mul(16)? + characters.next()?.to_digit(16)?;
    }
    Some(number)
}

/// Python's spelling of bytes, without `b` and quotes.
fn repr(bytes: &[u8]) -> String {
    // Python takes double quotes where that saves an escape.
    let escapes_quote = bytes.contains(&b'"');
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\'' if escapes_quote => text.push_str("\\'"),
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b' '..=b'~' => text.push(byte.into()),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_become_bytes_and_bytes_the_text_of_runtimes() {
        for (literal, text) in [
            (r"'\x00'", r"\x00"),
            (r"b'\xe3\x81'", r"\xe3\x81"),
            (r"'\n\n'", r"\n\n"),
            ("'\u{e9}'", r"\xc3\xa9"),
            (r"'\u00e9'", r"\xc3\xa9"),
            (r#""it's""#, "it's"),
            (r#"'\'"'"#, r#"\'""#),
            (r"'a\\b '", r"a\\b "),
        ] {
            let bytes = literal_bytes(literal).unwrap_or_else(|| panic!("{literal}"));
            assert_eq!(repr(&bytes), text, "{literal}");
        }
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for literal in [
            "",
            "'",
            "a",
            "'a",
            "b'\u{e9}'",
            r"'\q'",
            r"'\x0'",
            r"'\ud800'",
            r"b'\u0041'",
            "'a'b'",
            "''' + '",
        ] {
            assert_eq!(literal_bytes(literal), None, "{literal}");
        }
    }
}
