//! Numbers that go to memory past the caches.
#![cfg_attr(target_arch = "x86_64", allow(unsafe_code))]

use super::{Isa, Kernel, LINE, Lanes, Lines, before_lines, dispatch};

/// Numbers in a page.
const PAGE: usize = 1024;

/// Numbers that are made at a time: a page, so that all parts lie alike in theirs.
const PART: usize = PAGE;

/// Lets `make` make `numbers` in parts, in order, in a buffer that the first cache holds, and writes them from there
/// by lines. Every part but the last has `PART` numbers.
///
/// A processor reads a line of memory before it changes some of it, except where it is told to write past the caches.
/// Whoever reads the numbers next waits for memory, so this is for more of them than caches hold.
pub(crate) fn make_past_caches(isa: Isa, numbers: &mut [f32], mut make: impl FnMut(&mut [f32])) {
    let mut buffer = Lines([0.0; LINE + PART + PAGE]);
    let buffer = half_a_page_from(numbers.as_ptr(), &mut buffer.0);
    let stores = Stores;
    let mut rest = numbers;
    // A line that is not full waits for the next part, right before its place.
    let mut waiting = 0;
    while rest.len() > waiting {
        let end = LINE + PART.min(rest.len() - waiting);
        make(&mut buffer[LINE..end]);
        let begin = LINE - waiting;
        let is_last = rest.len() == end - begin;
        waiting = if is_last { 0 } else { (end - begin - before_lines(rest)) % LINE };
        let (now, later) = rest.split_at_mut(end - begin - waiting);
        stores.write(isa, &buffer[begin..end - waiting], now);
        buffer.copy_within(end - waiting..end, LINE - waiting);
        rest = later;
    }
}

/// The part of `buffer` whose numbers lie half a page from where they go, but for some of a line. A load waits for a
/// store before it whose address ends with the same twelve bits. Measured on Zen 4, a third of the speed is lost where
/// the buffer happens to lie so.
fn half_a_page_from(numbers: *const f32, buffer: &mut [f32]) -> &mut [f32] {
    let ahead = numbers.addr().wrapping_sub(buffer.as_ptr().addr()) / size_of::<f32>();
    let first = (ahead + PAGE / 2 - LINE) % PAGE;
    &mut buffer[first - first % LINE..]
}

/// Stores past the caches, which others see in order once this is dropped.
struct Stores;

impl Stores {
    /// Copies as many numbers as both have, full lines of `to` past the caches.
    fn write(&self, isa: Isa, from: &[f32], to: &mut [f32]) {
        let first = before_lines(to);
        let (first_to, to) = to.split_at_mut(first);
        let (first_from, from) = from.split_at(first);
        let ((to, last_to), (from, last_from)) = (to.as_chunks_mut(), from.as_chunks());
        first_to.copy_from_slice(first_from);
        dispatch(isa, WriteLines { from, to });
        last_to.copy_from_slice(last_from);
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        // The interpreter knows neither this nor the stores.
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: every x86-64 processor has the instruction.
        unsafe {
            std::arch::x86_64::_mm_sfence()
        }
    }
}

/// Copies lines to where lines begin.
struct WriteLines<'a> {
    from: &'a [[f32; LINE]],
    to: &'a mut [[f32; LINE]],
}

impl Kernel for WriteLines<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (from, to) in self.from.iter().zip(self.to) {
            for (from, to) in from.chunks_exact(L::WIDTH).zip(to.chunks_exact_mut(L::WIDTH)) {
                L::load(from).store_past_caches(to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_arrive_in_order_wherever_they_lie_and_nothing_beside_them_changes() {
        for isa in Isa::available() {
            for before in [0, 4, 21] {
                for count in [0, 3, LINE, PART - 1, PART + LINE, 2 * PART + 5] {
                    let mut numbers = vec![-1.0; before + count + 3];
                    let mut made = 0;
                    make_past_caches(isa, &mut numbers[before..before + count], |part| {
                        assert!(part.len() == PART || made + part.len() == count, "{}", part.len());
                        part.iter_mut().zip(made..).for_each(|(number, index)| *number = index as f32);
                        made += part.len();
                    });
                    let expected = (0..count).map(|index| index as f32);
                    let beside = |count| std::iter::repeat_n(-1.0, count);
                    assert!(
                        numbers.into_iter().eq(beside(before).chain(expected).chain(beside(3))),
                        "{isa} {before} {count}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_number_and_its_place_in_the_buffer_are_half_a_page_apart() {
        let mut buffer = Lines([0.0; LINE + PART + PAGE]);
        let numbers = vec![0.0; 2 * PAGE];
        for number in &numbers {
            let buffer = half_a_page_from(number, &mut buffer.0);
            assert!(buffer.len() >= LINE + PART);
            let apart = (&raw const *number).addr().wrapping_sub((&raw const buffer[LINE]).addr()) % 4096;
            assert!((2048..2048 + 64).contains(&apart), "{apart}");
        }
    }
}
