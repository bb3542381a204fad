//! Structure out of arbitrary bytes: each question takes a few of them; when none are left, the answer is 0.

/// Bytes that are still to be used.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn u8(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.u8()))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u8) -> u8 {
        self.u8() % end
    }

    /// At most `most` bytes.
    pub(crate) fn take(&mut self, most: u8) -> &'a [u8] {
        let length = usize::from(self.u8().min(most)).min(self.0.len());
        self.0.split_off(..length).unwrap_or_default()
    }

    pub(crate) fn text(&mut self, most: u8) -> String {
        String::from_utf8_lossy(self.take(most)).into_owned()
    }
}
