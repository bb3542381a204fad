//! gguf-py and candle open every converted file and see what briq sees, the record of its digests included.

use anyhow::{Result, ensure};

use crate::briq::{EMBEDDING_TARGETS, TARGETS, convert};
use crate::claims::Claims;
use crate::place::Place;
use crate::seen::{Seen, by_briq, by_candle, by_python};

/// Compares all three readers on the files of both checkpoints, and on llama.cpp's own file.
pub(super) fn run(place: &Place) -> Result<()> {
    let work = place.work("readers")?;
    let mut files = vec![place.golden()];
    for target in TARGETS {
        files.push(convert(place, &place.tiny_llama(), target.name, &work)?);
    }
    let embeddings = place.work("readers-minilm")?;
    for target in EMBEDDING_TARGETS {
        files.push(convert(place, &place.minilm(), target, &embeddings)?);
    }

    let mut claims = Claims::default();
    let python = by_python(place, &files)?;
    ensure!(python.len() == files.len(), "gguf-py saw {} of {} files", python.len(), files.len());
    let (mut keys, mut tensors) = (0, 0);
    for (path, by_python) in files.iter().zip(&python) {
        let ours = by_briq(path)?;
        for (reader, theirs) in [("gguf-py", by_python), ("candle", &by_candle(path)?)] {
            let context = format!("{} by {reader}", path.display());
            compare(&mut claims, &context, &ours, theirs);
        }
        keys += ours.keys.len();
        tensors += ours.tensors.len();
    }
    println!("{} files, {keys} keys, {tensors} tensors, each read by briq, gguf-py and candle", files.len());
    claims.settle()
}

fn compare(claims: &mut Claims, context: &str, ours: &Seen, theirs: &Seen) {
    for (ours, theirs) in [(&ours.keys, &theirs.keys), (&ours.tensors, &theirs.tensors)] {
        claims.that(
            ours.len() == theirs.len(),
            format_args!("{context}: {} names for {}", theirs.len(), ours.len()),
        );
        for (name, value) in ours {
            let found = theirs.get(name);
            claims.that(
                found == Some(value),
                format_args!("{context}: {name} is {found:?}, briq sees {value}"),
            );
        }
    }
}
