//! A GGUF file as a source: any version, byte order and architecture, all shards as one.

use std::path::Path;

use briq_format::metadata::keys;
use briq_format::shard::{Part, open_parts};
use briq_format::{Limits, MetadataBuf, TensorType};

use super::{Element, Source, SourceFile, SourceKind, SourceTensor};
use crate::Result;

pub(super) fn open(path: &Path) -> Result<Source> {
    let parts = open_parts(path, &Limits::default())?;
    let mut metadata =
        parts.first().map(|part| MetadataBuf::from(part.head.view().metadata())).unwrap_or_default();
    // The result is one file: what told shards apart goes.
    for key in [keys::SPLIT_NO, keys::SPLIT_COUNT, keys::SPLIT_TENSORS_COUNT] {
        metadata.remove(key);
    }
    // A record speaks of the file that carries it; the result gets its own.
    metadata.remove_all(keys::INTEGRITY_PREFIX);
    let mut tensors = Vec::new();
    let mut files = Vec::new();
    for Part { path, file, head } in parts {
        for info in head.view().tensor_infos() {
            tensors.push(SourceTensor {
                name: info.name.to_owned(),
                shape: info.shape,
                element: TensorType::try_from(info.type_id)
                    .map_or(Element::Unknown(info.type_id), Element::Known),
                bytes: info.bytes,
                file: files.len(),
                offset: info.offset_in_file,
                endian: info.endian,
            });
        }
        files.push(SourceFile::new(path, file)?);
    }
    Ok(Source { kind: SourceKind::Gguf(metadata), path: path.to_owned(), tensors, files })
}
