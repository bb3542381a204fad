//! Padding: bytes of a file that belong to nothing, and are zeros where briq wrote them.

use std::sync::atomic::AtomicBool;

use briq_format::TensorInfo;
use briq_format::shard::Part;

use super::check::{ByteRange, Damage};
use super::data::Place;
use crate::Result;

/// The first padding in a file that is not of zeros.
pub(super) fn padding_damage(part: &Part, stop: &AtomicBool) -> Result<Option<Damage>> {
    let view = part.head.view();
    let mut at = view.head_bytes();
    let mut buffer = Vec::new();
    let range = |info: TensorInfo<'_>| (info.offset_in_file, info.offset_in_file + info.bytes);
    // What the last tensor is padded with ends where another would begin, or with the file.
    let padded = |end: u64| end.next_multiple_of(view.alignment()).min(view.file_bytes());
    let last = view.tensor_infos().last().map(|info| padded(range(info).1)).map(|end| (end, end));
    for (start, end) in view.tensor_infos().map(range).chain(last) {
        let place = Place { path: &part.path, file: &part.file, offset: at, bytes: start.saturating_sub(at) };
        let mut is_zero = true;
        place.read(0, place.bytes, &mut buffer, stop, |bytes| {
            is_zero &= bytes.iter().all(|&byte| byte == 0)
        })?;
        if !is_zero {
            let range = ByteRange { start: at, end: start };
            let problem = "padding is damaged: it is not of zeros".to_owned();
            return Ok(Some(Damage { problem, tensor: None, file: part.path.clone(), ranges: vec![range] }));
        }
        at = end;
    }
    Ok(None)
}
