//! Lines of lists of hashes: a hash and a name, which is any bytes.

use std::borrow::Cow;

/// `front`, two spaces, `name`, and the end of the line. Where the name holds one of the `special` bytes, the line is
/// marked and the name escaped, as `sha256sum` does it.
pub(super) fn write(front: &str, name: &[u8], special: &[u8]) -> Vec<u8> {
    let is_marked = name.iter().any(|byte| special.contains(byte));
    let mut line = if is_marked { vec![b'\\'] } else { Vec::new() };
    line.extend_from_slice(front.as_bytes());
    line.extend_from_slice(b"  ");
    for &byte in name {
        match byte {
            b'\\' if is_marked => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            byte => line.push(byte),
        }
    }
    line.push(b'\n');
    line
}

/// A line without its end, mark and escapes; `None` where a mark is followed by an escape that nobody writes.
pub(super) fn read(line: &[u8]) -> Option<Cow<'_, [u8]>> {
    // Lists that were made on Windows.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(marked) = line.strip_prefix(b"\\") else { return Some(line.into()) };
    let mut bytes = marked.iter();
    let mut plain = Vec::with_capacity(marked.len());
    while let Some(&byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(plain.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_line_and_comes_back() {
        for special in [&b"\\\n\r"[..], b"\n\r"] {
            for name in [&b"plain"[..], b"a\\b", b"a\nb", b"\r", b"\\\\n\n", b"\xff\x1b \xe2\x80\xae", b""] {
                let line = write("hash", name, special);
                let (end, line) = line.split_last().unwrap();
                assert!(*end == b'\n' && !line.contains(&b'\n') && !line.contains(&b'\r'), "{name:?}");
                assert_eq!(read(line).unwrap(), [b"hash  ", name].concat(), "{name:?}");
            }
        }
    }

    #[test]
    fn an_escape_that_nobody_writes_is_none() {
        assert_eq!(read(b"\\hash  a\\tb"), None);
        assert_eq!(read(b"\\hash  a\\"), None);
        assert_eq!(read(b"hash  a\\tb\r").unwrap(), &b"hash  a\\tb"[..]);
    }
}
