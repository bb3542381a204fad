//! A grid as the searches need it: for any digits the point, or the points near by.

use super::points::bits_per_digit;
use crate::tables::Packed;

/// The points of a grid of `N` digits, and the neighbours of all that are no points.
pub(crate) struct Grid<const N: usize> {
    /// What a digit counts up to, plus 1.
    base: usize,
    points: &'static [Packed],
    /// By the number that the digits spell in `base`, the first digit lowest.
    places: Vec<Place>,
    /// The neighbour lists, each filled up to a multiple of [`ALIGNMENT`] with its first entry again.
    neighbours: Vec<Packed>,
}

/// Where digits are found.
enum Place {
    Point(Packed),
    Between { first: u32, padded: u16 },
}

/// What digits spell: a point, or no point but these near it, by distance and then by index.
pub(crate) enum Spelled<'a> {
    Point(Packed),
    /// The list repeats its first entry at the end, to fill up vectors.
    Between(&'a [Packed]),
}

/// Lists are read this many entries at a time, or fewer.
const ALIGNMENT: usize = 16;

impl<const N: usize> Grid<N> {
    /// Collects the neighbours: of the distances from digits to points the `nearest` smallest that occur, and all
    /// points at these distances.
    pub(crate) fn new(points: &'static [Packed], nearest: usize) -> Self {
        let base: usize = if N == 8 { 3 } else { 8 };
        let digits: Vec<[i32; N]> = points.iter().map(|&packed| unpack(packed)).collect();
        let mut grid = Self { base, points, places: Vec::new(), neighbours: Vec::new() };
        let mut distances = vec![0; points.len()];
        for number in 0..base.pow(N as u32) {
            let place: [i32; N] = std::array::from_fn(|i| (number / base.pow(i as u32) % base) as i32);
            for (distance, point) in distances.iter_mut().zip(&digits) {
                *distance = place.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum::<i32>();
            }
            let found = match distances.iter().position(|&distance| distance == 0) {
                Some(index) => Place::Point(points[index]),
                None => grid.add_list(&distances, nearest),
            };
            grid.places.push(found);
        }
        grid
    }

    fn add_list(&mut self, distances: &[i32], nearest: usize) -> Place {
        let first = self.neighbours.len();
        let mut reached = 0;
        for _ in 0..nearest {
            let farther = distances.iter().filter(|&&distance| distance > reached);
            let Some(&next) = farther.min() else { break };
            let list = self.points.iter().zip(distances).filter(|&(_, &distance)| distance == next);
            self.neighbours.extend(list.map(|(&packed, _)| packed));
            reached = next;
        }
        let padded = (self.neighbours.len() - first).next_multiple_of(ALIGNMENT);
        self.neighbours.resize(first + padded, self.neighbours[first]);
        Place::Between { first: first as u32, padded: padded as u16 }
    }

    /// What is at the number that digits spell.
    #[inline(always)]
    pub(crate) fn at(&self, number: usize) -> Spelled<'_> {
        match self.places[number] {
            Place::Point(packed) => Spelled::Point(packed),
            Place::Between { first, padded } => {
                Spelled::Between(&self.neighbours[first as usize..][..usize::from(padded)])
            }
        }
    }

    /// The index of a point.
    pub(crate) fn index(&self, point: Packed) -> Option<u16> {
        self.points.binary_search(&point).ok().map(|index| index as u16)
    }

    /// What a digit counts up to, plus 1.
    #[inline(always)]
    pub(crate) fn base(&self) -> usize {
        self.base
    }
}

/// The digits of a point.
fn unpack<const N: usize>(packed: Packed) -> [i32; N] {
    let bits = bits_per_digit::<N>();
    std::array::from_fn(|i| i32::from(packed) >> (i * bits) & ((1 << bits) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables;

    /// CRC-32 as in zip files, bit by bit.
    fn checksum(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ ((crc & 1) * 0xEDB8_8320))
        })
    }

    /// The number of neighbours of all lists, the longest list, and the checksum of lengths and indices in ascending
    /// order of packed digits.
    fn facts<const N: usize>(points: &'static [Packed], nearest: usize) -> (usize, usize, u32) {
        let grid = Grid::<N>::new(points, nearest);
        let (mut total, mut longest, mut bytes) = (0, 0, Vec::new());
        for packed in 0..=u16::MAX {
            let digits = unpack::<N>(packed);
            let number = digits.iter().rev().fold(0, |number, &digit| number * grid.base + digit as usize);
            if digits.iter().any(|&digit| digit as usize >= grid.base) || N == 4 && packed >> 12 != 0 {
                continue;
            }
            match grid.at(number) {
                Spelled::Point(point) => assert_eq!(point, packed),
                Spelled::Between(list) => {
                    // A list never holds an entry twice, so its end is where the first comes again.
                    let length = 1 + list[1..].iter().take_while(|&&entry| entry != list[0]).count();
                    (total, longest) = (total + length, longest.max(length));
                    bytes.extend((length as u16).to_le_bytes());
                    bytes.extend(list[..length].iter().flat_map(|&entry| grid.index(entry).unwrap().to_le_bytes()));
                }
            }
        }
        (total, longest, checksum(&bytes))
    }

    #[test]
    fn neighbours_are_those_of_the_reference() {
        assert_eq!(facts::<8>(&tables::IQ2_XXS, 2), (113_157, 150, 0xAB1B_EBA1));
        assert_eq!(facts::<8>(&tables::IQ2_XS, 2), (181_721, 292, 0xEE4E_63EA));
        assert_eq!(facts::<8>(&tables::IQ2_S, 1), (44_716, 70, 0x9F60_8CD2));
        assert_eq!(facts::<8>(&tables::IQ1, 3), (327_721, 205, 0xAF9A_5737));
        assert_eq!(facts::<4>(&tables::IQ3_XXS, 2), (18_985, 36, 0x8A60_387C));
        assert_eq!(facts::<4>(&tables::IQ3_S, 3), (24_733, 38, 0xEF5B_F632));
    }
}
