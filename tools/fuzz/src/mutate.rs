//! Random changes to an input, the same on every machine for the same number.
//!
//! No feedback steers them, so they find less than libFuzzer does in the same time; they need nothing but a
//! compiler.

/// A generator of random numbers (xorshift64*), good enough to pick bytes with.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose numbers follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        // The high bits are the better ones.
        ((self.next() >> 32) as usize).checked_rem(end).unwrap_or(0)
    }
}

/// Numbers at the edges of what fields hold.
const EDGES: [u64; 14] = [
    0,
    1,
    2,
    31,
    0x7f,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    1 << 62,
    1 << 63,
    u64::MAX,
];

/// What texts trip over.
const WORDS: [&str; 16] = [
    "null",
    "true",
    "-1",
    "1e400",
    "0.5",
    "18446744073709551616",
    "NaN",
    "[]",
    "{}",
    "\"\"",
    "\\u0000",
    "\\ud800",
    "[[[[",
    "\"\",",
    "\u{0}",
    "\u{202e}",
];

/// Changes `input` in one to four places; `others` lend parts of theirs.
pub fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    for _ in 0..=random.below(4) {
        change(input, others, random);
    }
    input.truncate(1 << 20);
}

fn change(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len());
    let few = 1 + random.below(16);
    let end = (at + few).min(input.len());
    match random.below(10) {
        0 | 1 => change_byte(input, at, |byte| byte ^ (1 << random.below(8))),
        2 => change_byte(input, at, |_| random.below(256) as u8),
        3 => drop(input.drain(at..end)),
        4 => {
            let copy = input[at..end].to_vec();
            let place = random.below(input.len() + 1);
            input.splice(place..place, copy);
        }
        5 => {
            let width = [1, 2, 4, 8][random.below(4)];
            let edge = EDGES[random.below(EDGES.len())].wrapping_add(random.below(3) as u64).wrapping_sub(1);
            let end = (at + width).min(input.len());
            input.splice(at..end, edge.to_le_bytes()[..width].iter().copied());
        }
        6 => {
            let word = WORDS[random.below(WORDS.len())];
            let end = if random.below(2) == 0 { at } else { end };
            input.splice(at..end, word.bytes());
        }
        7 => {
            let Some(other) = others.get(random.below(others.len())) else { return };
            let from = random.below(other.len());
            let part = &other[from..(from + 4 * few).min(other.len())];
            input.splice(at..end, part.iter().copied());
        }
        8 => input.truncate(at),
        _ => {
            // A digit in a text is part of a number: another digit keeps the text whole.
            let digit = input.iter().skip(at).position(u8::is_ascii_digit);
            if let Some(distance) = digit {
                input[at + distance] = b'0' + random.below(10) as u8;
            }
        }
    }
}

fn change_byte(input: &mut [u8], at: usize, to: impl FnOnce(u8) -> u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = to(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_gives_the_same_changes_and_another_gives_others() {
        let changed = |seed| {
            let (mut input, mut random) = (b"some bytes to change".to_vec(), Random::new(seed));
            (0..50).for_each(|_| mutate(&mut input, &[b"others".to_vec()], &mut random));
            input
        };
        assert_eq!(changed(1), changed(1));
        assert_ne!(changed(1), changed(2));
    }

    #[test]
    fn an_empty_input_can_be_changed() {
        let mut random = Random::new(3);
        for _ in 0..1000 {
            mutate(&mut Vec::new(), &[], &mut random);
        }
    }
}
