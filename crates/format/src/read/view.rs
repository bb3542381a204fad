//! What a caller sees of one parsed file.

use super::Layout;
use super::layout::TensorRecord;
use crate::header::Header;
use crate::metadata::Metadata;
use crate::tensor::{Tensor, TensorInfo};

/// A file parsed in place, borrowed from the caller's bytes.
#[derive(Debug)]
pub struct Parsed<'a> {
    bytes: &'a [u8],
    layout: Layout,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(bytes: &'a [u8], layout: Layout) -> Self {
        Self { bytes, layout }
    }

    /// Header, metadata and tensors.
    pub fn view(&self) -> View<'_> {
        View { layout: &self.layout, head: self.bytes, data: self.bytes }
    }
}

/// One file, borrowed: header, metadata and tensors.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) layout: &'a Layout,
    /// The front of the file, in memory that nobody else can change.
    pub(crate) head: &'a [u8],
    /// The whole file.
    pub(crate) data: &'a [u8],
}

impl<'a> View<'a> {
    /// Version, byte order and counts.
    pub fn header(&self) -> Header {
        self.layout.header
    }

    /// Keys and values.
    pub fn metadata(&self) -> Metadata<'a> {
        let Layout { keys, by_key, wire, .. } = self.layout;
        Metadata { head: self.head, records: keys, by_key, wire: *wire }
    }

    /// The tensor table in its order.
    pub fn tensor_infos(&self) -> impl ExactSizeIterator<Item = TensorInfo<'a>> + use<'a> {
        let this = *self;
        this.layout.tensors.iter().map(move |record| this.info(record))
    }

    /// The tensors in the order of the table.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = Tensor<'a>> + use<'a> {
        let this = *self;
        this.layout.tensors.iter().map(move |record| this.whole(record))
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'a>> {
        let Layout { by_name, tensors, .. } = self.layout;
        let bytes =
            |&index: &u32| tensors.get(index as usize).map_or(&[][..], |record| record.name.of(self.head));
        let found = by_name.binary_search_by(|index| bytes(index).cmp(name.as_bytes())).ok()?;
        tensors.get(*by_name.get(found)? as usize).map(|record| self.whole(record))
    }

    /// The alignment of tensor data, in bytes.
    pub fn alignment(&self) -> u64 {
        self.layout.alignment
    }

    /// Where header, metadata and tensor table end, in bytes from the beginning of the file.
    pub fn head_bytes(&self) -> u64 {
        self.layout.head_bytes
    }

    /// Where the tensor data begins, in bytes from the beginning of the file.
    pub fn data_start(&self) -> u64 {
        self.layout.data_start
    }

    /// The size of the file, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.layout.file_bytes
    }

    /// Bytes behind the last tensor and its padding, which belong to nobody.
    pub fn trailing_bytes(&self) -> u64 {
        let padded = self.layout.data_end.next_multiple_of(self.layout.alignment);
        self.layout.file_bytes.saturating_sub(padded)
    }

    fn info(&self, record: &TensorRecord) -> TensorInfo<'a> {
        TensorInfo {
            // Opening proved that names are UTF-8.
            name: std::str::from_utf8(record.name.of(self.head)).unwrap_or_default(),
            shape: record.shape,
            type_id: record.type_id,
            offset_in_data: record.offset,
            offset_in_file: self.layout.data_start + record.offset,
            bytes: record.bytes,
            endian: self.layout.wire.endian,
        }
    }

    fn whole(&self, record: &TensorRecord) -> Tensor<'a> {
        let info = self.info(record);
        // Opening proved that the range lies inside the file, so it fits the address space once mapped.
        let start = info.offset_in_file as usize;
        let bytes =
            self.data.get(start..).and_then(|rest| rest.get(..info.bytes as usize)).unwrap_or_default();
        Tensor { info, bytes }
    }
}
