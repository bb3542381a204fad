//! Base64, as `tokenizer.json` has the table of a `Precompiled` normalizer.

/// The bytes that `text` stands for, in the standard alphabet with padding; `None` when it is not such a text.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - body.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len() / 4 * 3 + 2);
    for group in body.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for &character in group {
            bits = bits << 6 | sextet(character)?;
        }
        let missing = 4 - group.len();
        bits <<= 6 * missing;
        let whole = [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8];
        bytes.extend(&whole[..3 - missing.min(2)]);
    }
    Some(bytes)
}

fn sextet(character: u8) -> Option<u32> {
    let sextet = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(sextet.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vectors_of_rfc_4648() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")]
        {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode("+/A="), Some(vec![0xfb, 0xf0]));
    }

    #[test]
    fn what_is_not_base64_is_none() {
        for text in ["Z", "Zg", "Zg=", "Z===", "====", "Z=g=", "Zm9 ", "Zm-v", "\u{e9}A=="] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
