//! The last steps of a run: the record is filled in, and what was written is read back.

use std::io;
use std::sync::atomic::AtomicBool;

use briq_format::{AtomicFile, FilePlan, Head, Limits};

use crate::Result;
use crate::integrity::{Place, TensorHash, hold_tensors};
use crate::plan::Plan;
use crate::run::RunOptions;

/// Completes a file whose tensors are written and have these hashes.
pub(crate) fn complete(
    plan: &Plan,
    file: &mut AtomicFile,
    hashes: Option<Vec<TensorHash>>,
    options: &RunOptions,
    stop: &AtomicBool,
) -> Result<()> {
    let output = file.path().to_owned();
    let recorded = match &hashes {
        Some(hashes) if plan.record => Some(plan.with_record(hashes.clone())?),
        _ => None,
    };
    let layout = recorded.as_ref().unwrap_or(&plan.file);
    fill_in(plan.file.head(), layout.head(), file)
        .and_then(|()| check_head(layout, file))
        .map_err(|error| error.in_file(&output))?;
    let Some(hashes) = hashes.filter(|_| options.read_back) else { return Ok(()) };
    let back = file.reopen().map_err(|error| error.in_file(&output))?;
    let tensors = layout.infos().map(|info| {
        let place = Place { path: &output, file: &back, offset: info.offset_in_file, bytes: info.bytes };
        (info.name, place)
    });
    hold_tensors(&tensors.collect::<Vec<_>>(), &hashes, stop)
}

/// Writes a head over another that is as long, from the first byte that differs to the last.
fn fill_in(old: &[u8], new: &[u8], file: &mut AtomicFile) -> briq_format::Result<()> {
    let differs = |(old, new): (&u8, &u8)| old != new;
    let Some(start) = old.iter().zip(new).position(differs) else { return Ok(()) };
    let same_behind = old.iter().rev().zip(new.iter().rev()).position(differs).unwrap_or(0);
    file.rewrite(start as u64, &new[start..new.len() - same_behind])
}

/// Reads the head of the file back and holds it against the plan.
fn check_head(plan: &FilePlan, file: &mut AtomicFile) -> briq_format::Result<()> {
    let head = Head::read(&mut file.reopen()?, &Limits::default())?;
    match head.view().file_bytes() == plan.file_bytes() && plan.head().starts_with(head.bytes()) {
        true => Ok(()),
        false => Err(briq_format::Error::Output {
            action: "read back what was written",
            error: io::Error::new(io::ErrorKind::InvalidData, "it is not what was planned"),
        }),
    }
}
