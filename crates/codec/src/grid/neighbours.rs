//! A grid as the searches need it: for any digits the point, or the points near by.

use super::candidates::candidates;
use super::places::Resolution;
use super::points::{base, digit, number};
use super::records::Records;
use super::steps::Cells;
use crate::lanes::prefetch;
use crate::tables::Packed;

/// The points of a grid of `N` digits, and the neighbours of all that are no points.
pub(crate) struct Grid<const N: usize> {
    points: &'static [Packed],
    neighbours: Lists,
    /// Those of them that can be the nearest, apart from the others: so more of them are in the caches.
    candidates: Lists,
    /// These once more, for points of four digits.
    pub(super) records: Records,
    pub(super) cells: Cells,
}

/// What is near digits.
struct Lists {
    /// By the number that the digits spell in `base`, the first digit lowest.
    places: Vec<Place>,
    /// The lists, each filled up to a multiple of [`ALIGNMENT`] with its first entry again.
    entries: Vec<Packed>,
}

/// Where in `entries` the list of digits is.
struct Place {
    first: u32,
    length: u16,
    /// Of the point with these digits, or [`NO_POINT`].
    index: u16,
}

const NO_POINT: u16 = u16::MAX;

/// What is at digits: a point, or no point but some near it, by distance and then by index.
#[derive(Clone, Copy)]
pub(crate) struct Near<'a> {
    pub(crate) is_point: bool,
    /// The point itself, or the neighbours.
    pub(crate) entries: &'a [Packed],
    /// The entries and the first of them again, up to a multiple of all lanes.
    pub(crate) padded: &'a [Packed],
}

/// No point: it would have the digit 3, or more digits than there are.
pub(crate) const NONE: Packed = Packed::MAX;

/// Lists are read this many entries at a time, or fewer.
const ALIGNMENT: usize = 16;

/// Room for the longest list.
pub(crate) const LONGEST: usize = 304;

impl<const N: usize> Grid<N> {
    /// Collects the neighbours: of the distances from digits to points the `nearest` smallest that occur, and all
    /// points at these distances.
    pub(crate) fn new(points: &'static [Packed], nearest: usize) -> Self {
        Self::with(points, nearest, Resolution::Digits)
    }

    /// The same with candidates by the sides of digits that weights are on.
    pub(crate) fn by_side(points: &'static [Packed], nearest: usize) -> Self {
        Self::with(points, nearest, Resolution::Sides)
    }

    fn with(points: &'static [Packed], nearest: usize, resolution: Resolution) -> Self {
        let base = base::<N>();
        let columns: [Vec<u8>; N] =
            std::array::from_fn(|i| points.iter().map(|&point| digit::<N>(point, i) as u8).collect());
        let mut grid = Self {
            points,
            neighbours: Lists::NONE,
            candidates: Lists::NONE,
            records: Records::NONE,
            cells: Cells::NONE,
        };
        for number in 0..base.pow(N as u32) {
            // None is above 4 * 7^2, which fits a byte.
            let mut distances = vec![0_u8; points.len()];
            let (mut rest, mut digits) = (number, Vec::new());
            for column in &columns {
                let here = (rest % base) as u8;
                digits.push(here);
                rest /= base;
                for (distance, there) in distances.iter_mut().zip(column) {
                    *distance += here.abs_diff(*there).pow(2);
                }
            }
            let point = distances.iter().position(|&distance| distance == 0);
            let list = point.map_or_else(|| grid.list(&distances, nearest), |index| vec![points[index]]);
            let index = point.map_or(NO_POINT, |index| index as u16);
            let kept = candidates::<N>(&digits, &list);
            grid.neighbours.keep(&list, index);
            grid.candidates.keep(&kept, index);
        }
        grid.cells = Cells::new::<N>(|number| grid.at(number));
        grid.records = Records::new(&grid, resolution);
        grid
    }

    /// The points at the `nearest` smallest of the distances.
    fn list(&self, distances: &[u8], nearest: usize) -> Vec<Packed> {
        let mut occurs = [false; 256];
        distances.iter().for_each(|&distance| occurs[usize::from(distance)] = true);
        let farthest = (0..=u8::MAX).filter(|&distance| occurs[usize::from(distance)]).take(nearest).last();
        let near = distances.iter().zip(self.points).filter(|&(&distance, _)| Some(distance) <= farthest);
        let mut near: Vec<_> = near.collect();
        near.sort_by_key(|&(distance, _)| distance);
        near.into_iter().map(|(_, &packed)| packed).collect()
    }

    /// What is at the number that digits spell.
    #[inline(always)]
    pub(crate) fn at(&self, number: usize) -> Near<'_> {
        self.neighbours.at(number)
    }

    /// The same without neighbours that [cannot be the nearest](super::candidates).
    #[inline(always)]
    pub(crate) fn candidates_at(&self, number: usize) -> Near<'_> {
        self.candidates.at(number)
    }

    /// The index of a point.
    pub(crate) fn index(&self, point: Packed) -> Option<u16> {
        self.neighbours
            .places
            .get(number::<N>(point))
            .map(|place| place.index)
            .filter(|index| *index != NO_POINT)
    }
}

impl Lists {
    const NONE: Self = Self { places: Vec::new(), entries: Vec::new() };

    /// Appends a list, of the point with this index if there is one.
    fn keep(&mut self, list: &[Packed], index: u16) {
        let (first, length) = (self.entries.len() as u32, list.len());
        self.entries.extend(list);
        let filling = length.next_multiple_of(ALIGNMENT) - length;
        self.entries.extend(std::iter::repeat_n(list[0], filling));
        self.places.push(Place { first, length: length as u16, index });
    }

    #[inline(always)]
    fn at(&self, number: usize) -> Near<'_> {
        let Place { first, length, index } = self.places[number];
        let (list, length) = (&self.entries[first as usize..], usize::from(length));
        let (entries, padded) = (&list[..length], &list[..length.next_multiple_of(ALIGNMENT)]);
        Near { is_point: index != NO_POINT, entries, padded }
    }
}

impl Near<'_> {
    pub(super) const NOTHING: Self = Self { is_point: true, entries: &[], padded: &[] };

    /// Hints that the entries will be needed. Their first cache line has all of most lists.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        prefetch(self.padded.as_ptr().cast());
    }
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
            let digits: [usize; N] = std::array::from_fn(|i| digit::<N>(packed, i));
            let spelled = digits.iter().rev().fold(0, |number, digit| number * base::<N>() + digit);
            if digits.iter().any(|digit| *digit >= base::<N>()) || N == 4 && packed >> 12 != 0 {
                continue;
            }
            assert_eq!(number::<N>(packed), spelled);
            let Near { is_point, entries, padded } = grid.at(spelled);
            assert!(padded.len() % ALIGNMENT == 0 && padded.len() <= LONGEST && padded.starts_with(entries));
            assert!(padded[entries.len()..].iter().all(|entry| *entry == entries[0]));
            assert_eq!(grid.index(packed).map(usize::from), points.binary_search(&packed).ok());
            assert_eq!(is_point, grid.index(packed).is_some());
            if is_point {
                assert_eq!(entries, [packed]);
                continue;
            }
            (total, longest) = (total + entries.len(), longest.max(entries.len()));
            bytes.extend((entries.len() as u16).to_le_bytes());
            bytes.extend(entries.iter().flat_map(|&entry| grid.index(entry).unwrap().to_le_bytes()));
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
