//! Text from a file, made safe to print.
//!
//! A string in a model file can clear a screen, write a clipboard or reorder a line. Whatever prints one
//! goes through [`Escaped`], and a whole message that quotes some through [`Printable`].

use std::fmt::{self, Write};

/// Prints bytes as text on one line: control, direction and invisible characters become escapes, bytes that
/// are no UTF-8 become `\xNN`.
///
/// ```
/// # use briq_format::Escaped;
/// assert_eq!(Escaped(b"a\x1b[2Jb\xff").to_string(), r"a\u{1b}[2Jb\xff");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    character => write_printable(f, character)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Prints a message on one line, as [`Escaped`] does, but leaves backslashes alone: what the message quotes is
/// perhaps escaped already, and is not to be escaped twice.
///
/// ```
/// # use briq_format::Printable;
/// assert_eq!(Printable("no key \"a\\n\" in \x1b.gguf").to_string(), r#"no key "a\n" in \u{1b}.gguf"#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| write_printable(f, character))
    }
}

fn write_printable(f: &mut fmt::Formatter<'_>, character: char) -> fmt::Result {
    match character {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c if is_unprintable(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
        c => f.write_char(c),
    }
}

/// Characters that act on a terminal or cannot be seen: C0, C1 and delete, line and paragraph separators,
/// direction marks, zero-width characters, tags.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_comes_through() {
        let every_low_character: String = (0u32..0x300).filter_map(char::from_u32).collect();
        let printed = Escaped(every_low_character.as_bytes()).to_string();
        assert!(printed.chars().all(|c| !c.is_control()));
        assert_eq!(Escaped("a\u{202e}b".as_bytes()).to_string(), "a\\u{202e}b");
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        assert_eq!(Escaped("▁naïve 日本 🦀".as_bytes()).to_string(), "▁naïve 日本 🦀");
    }
}
