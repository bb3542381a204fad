//! Reading the elements of a strided walk, as few and as long reads as its strides allow.

use std::ops::Range;

use crate::Result;
use crate::model::{Axis, View};

/// The most bytes that are read at once to pick some of them.
const WINDOW: u64 = 1 << 16;

/// Reads the elements of `view` in `range`, of `size` bytes each, into `out`. `read` fills a buffer from a byte of
/// the tensor on.
pub(crate) fn gather(
    view: &View,
    range: Range<u64>,
    size: u64,
    read: impl Fn(u64, &mut [u8]) -> Result<()>,
    out: &mut [u8],
) -> Result<()> {
    let Some((inner, outer)) = view.axes.split_last() else { return Ok(()) };
    // The walk stays inside its tensor, which is in a file: its elements, and their bytes, are counted in 64 bits.
    let span: u64 = view.axes.iter().map(|axis| axis.length.saturating_sub(1) * axis.stride).sum::<u64>() + 1;
    if span * size <= WINDOW {
        let mut window = vec![0; (span * size) as usize];
        read(view.start * size, &mut window)?;
        for (index, slot) in (range.start..).zip(out.chunks_exact_mut(size as usize)) {
            let from = ((offset(&view.axes, index)) * size) as usize;
            slot.copy_from_slice(&window[from..from + size as usize]);
        }
        return Ok(());
    }
    match outer.split_last() {
        // Neighbours along the last axis but one lie closer: rows of a transposed matrix.
        Some((middle, rest))
            if middle.stride < inner.stride
                && range.start.is_multiple_of(inner.length)
                && range.end.is_multiple_of(inner.length) =>
        {
            Strips { start: view.start, rest, middle: *middle, inner: *inner, size, read }.gather(range, out)
        }
        _ => Runs { start: view.start, outer, inner: *inner, size, read }.gather(range, out),
    }
}

/// The place of step `index` behind the first element.
fn offset(axes: &[Axis], index: u64) -> u64 {
    let mut rest = index;
    let mut at = 0;
    for axis in axes.iter().rev() {
        at += rest % axis.length * axis.stride;
        rest /= axis.length;
    }
    at
}

/// A walk that is read along its last axis.
struct Runs<'a, R> {
    start: u64,
    outer: &'a [Axis],
    inner: Axis,
    size: u64,
    read: R,
}

impl<R: Fn(u64, &mut [u8]) -> Result<()>> Runs<'_, R> {
    fn gather(&self, range: Range<u64>, out: &mut [u8]) -> Result<()> {
        let (mut at, mut rest) = (range.start, out);
        while at < range.end {
            let from = at % self.inner.length;
            let count = (self.inner.length - from).min(range.end - at);
            // A part of what is in `out`.
            let (now, later) = rest.split_at_mut((count * self.size) as usize);
            let first = self.start + offset(self.outer, at / self.inner.length) + from * self.inner.stride;
            self.run(first, now)?;
            (at, rest) = (at + count, later);
        }
        Ok(())
    }

    /// Reads elements that lie one stride apart.
    fn run(&self, first: u64, out: &mut [u8]) -> Result<()> {
        if self.inner.stride == 1 {
            return (self.read)(first * self.size, out);
        }
        let stride = self.inner.stride * self.size;
        // As many as a window holds, at least one.
        let at_once = (WINDOW / stride).max(1);
        let mut at = first * self.size;
        let mut window = Vec::new();
        for part in out.chunks_mut((at_once * self.size) as usize) {
            let count = part.len() as u64 / self.size;
            window.resize(((count - 1) * stride + self.size) as usize, 0);
            (self.read)(at, &mut window)?;
            for (slot, found) in part.chunks_exact_mut(self.size as usize).zip(window.chunks(stride as usize))
            {
                slot.copy_from_slice(&found[..self.size as usize]);
            }
            at += count * stride;
        }
        Ok(())
    }
}

/// A walk whose last axis has longer strides than the one before: it is read along the latter, for whole rows.
struct Strips<'a, R> {
    start: u64,
    rest: &'a [Axis],
    middle: Axis,
    inner: Axis,
    size: u64,
    read: R,
}

impl<R: Fn(u64, &mut [u8]) -> Result<()>> Strips<'_, R> {
    /// `range` begins and ends with a row.
    fn gather(&self, range: Range<u64>, out: &mut [u8]) -> Result<()> {
        let columns = self.inner.length;
        let (mut row, mut rest) = (range.start / columns, out);
        let end = range.end / columns;
        let mut strip = Vec::new();
        while row < end {
            let from = row % self.middle.length;
            let count = (self.middle.length - from).min(end - row);
            // A part of what is in `out`.
            let (now, later) = rest.split_at_mut((count * columns * self.size) as usize);
            let first = self.start + offset(self.rest, row / self.middle.length) + from * self.middle.stride;
            strip.resize((((count - 1) * self.middle.stride + 1) * self.size) as usize, 0);
            for column in 0..columns {
                (self.read)((first + column * self.inner.stride) * self.size, &mut strip)?;
                let found = strip.chunks((self.middle.stride * self.size) as usize);
                let slots = now.chunks_exact_mut((columns * self.size) as usize);
                for (slots, found) in slots.zip(found) {
                    let place = (column * self.size) as usize;
                    slots[place..place + self.size as usize].copy_from_slice(&found[..self.size as usize]);
                }
            }
            (row, rest) = (row + count, later);
        }
        Ok(())
    }
}

/// Puts codes and scales together as a file has them: the scale, then 16 bytes, of which the low halves are the
/// first 16 codes and the high halves the last. The source has neighbours in a byte.
pub(crate) fn mxfp4_blocks(codes: &[u8], scales: &[u8], out: &mut [u8]) {
    for ((codes, scale), block) in codes.chunks_exact(16).zip(scales).zip(out.chunks_exact_mut(17)) {
        let code = |index: usize| codes[index / 2] >> (index % 2 * 4) & 0xf;
        block[0] = *scale;
        for (index, byte) in block[1..].iter_mut().enumerate() {
            *byte = code(index) | code(index + 16) << 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bytes of a tensor of numbered elements of two bytes.
    fn numbered(elements: u64) -> Vec<u8> {
        (0..elements).flat_map(|index| (index as u16).to_le_bytes()).collect()
    }

    fn check(view: &View, elements: u64, rows_of: u64) {
        let bytes = numbered(elements);
        let read = |at: u64, buffer: &mut [u8]| {
            let at = at as usize;
            buffer.copy_from_slice(&bytes[at..at + buffer.len()]);
            Ok(())
        };
        let total = view.elements();
        for step in [rows_of, 3 * rows_of, total] {
            let mut found = Vec::new();
            let mut start = 0;
            while start < total {
                let end = (start + step).min(total);
                let mut out = vec![0; ((end - start) * 2) as usize];
                gather(view, start..end, 2, read, &mut out).unwrap();
                found.extend(out);
                start = end;
            }
            let expected: Vec<u8> =
                (0..total).flat_map(|index| (view.element(index) as u16).to_le_bytes()).collect();
            assert!(found == expected, "{view:?} by {step}");
        }
    }

    proptest! {
        #[test]
        fn any_range_of_a_walk_is_what_the_walk_says(a in 1_u64..5, b in 1_u64..5, c in 1_u64..5, d in 1_u64..60) {
            let d = 2 * d;
            let shape = [2 * a, 2 * b, c, d];
            let whole = View::of(&shape);
            let elements = whole.elements();
            check(&whole.clone().simplified(), elements, d);
            check(&whole.clone().swap(0, 1).unwrap().simplified(), elements, d);
            check(&whole.clone().swap(2, 3).unwrap(), elements, c);
            check(&whole.clone().every_second(1, 1).unwrap().simplified(), elements, d);
            check(&whole.clone().swap(1, 3).unwrap().every_second(1, 0).unwrap(), elements, 2 * b);
            check(&whole.narrow(0, a, a).unwrap().simplified(), elements, d);
        }
    }

    #[test]
    fn walks_too_wide_for_a_window_are_read_in_strips_and_runs() {
        let matrix = View::of(&[300, 200]);
        check(&matrix.clone().swap(0, 1).unwrap(), 60_000, 300);
        let fused = View::of(&[2, 150, 200]).swap(1, 2).unwrap().every_second(1, 1).unwrap();
        check(&fused.clone(), 60_000, 150);
        check(&fused.simplified(), 60_000, 150);
        check(&matrix.clone().every_second(1, 1).unwrap().simplified(), 60_000, 100);
        check(&matrix.narrow(0, 0, 200).unwrap().every_second(1, 0).unwrap().simplified(), 60_000, 100);
    }

    #[test]
    fn neighbours_in_a_byte_become_halves_of_a_block() {
        let codes: Vec<u8> =
            (0..16_u8).map(|byte| ((2 * byte) & 0xf) | ((2 * byte + 1) & 0xf) << 4).collect();
        let mut block = [0; 17];
        mxfp4_blocks(&codes, &[0x7f], &mut block);
        assert_eq!(block[0], 0x7f);
        for (index, byte) in block[1..].iter().enumerate() {
            let expected = (index as u8 & 0xf) | (index as u8 & 0xf) << 4;
            assert_eq!(*byte, expected, "{index}");
        }
    }
}
