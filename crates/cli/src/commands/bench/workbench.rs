//! What is measured: briq's encoders and decoders, and beside them ggml's, on data that all types share.

use anyhow::Result;
use briq_codec::{can_encode, needs_importance, uses_importance};
use briq_format::TensorType;

use super::data::{self, PERIOD, ROW, row_bytes};
use super::figures::Figures;
use super::rounds::{Contest, Side};
use super::setup::Setup;
use crate::args::bench::Bench;
use crate::peer::Peer;

/// Weights of a type where the command line names no number: more than caches hold.
const WEIGHTS: usize = 1 << 24;

/// What all types are measured with.
pub(super) struct Workbench {
    peer: Option<Peer>,
    threads: usize,
    weights: Vec<f32>,
    importance: Vec<f32>,
    min_rows: usize,
}

impl Workbench {
    pub(super) fn new(setup: &Setup, args: &Bench) -> Result<Self> {
        let rows = args.weights.map_or(WEIGHTS, |weights| weights as usize).div_ceil(ROW);
        Ok(Self {
            peer: args.peer.as_deref().map(Peer::load).transpose()?,
            threads: setup.threads.into(),
            weights: data::weights(rows),
            importance: data::importance(),
            // A number from the command line is meant.
            min_rows: if args.weights.is_some() { rows } else { PERIOD },
        })
    }

    /// The file name of the other side's library.
    pub(super) fn peer_name(&self) -> Option<String> {
        self.peer.as_ref().map(Peer::name)
    }

    /// Measures the encoder of a type, with importance if that is needed, or used and asked for.
    ///
    /// # Errors
    /// A side fails.
    pub(super) fn encode(&self, ty: TensorType, imatrix: bool) -> Result<Figures> {
        let importance = self.importance(ty, imatrix);
        let encoder = self.peer.as_ref().map(|peer| peer.encoder(ty)).transpose()?.flatten();
        let ours = |weights: &[f32], blocks: &mut [u8]| {
            Ok(briq_codec::encode(ty, weights, ROW, importance, blocks)?)
        };
        let theirs = encoder.map(|encoder| {
            move |weights: &[f32], blocks: &mut [u8]| encoder.encode(weights, ROW, importance, blocks)
        });
        let theirs = theirs.as_ref().map(|side| side as _);
        let outcome = self.contest(&self.weights, ROW, row_bytes(ty), &ours, theirs).run()?;
        Ok(Figures::new(ty, importance.is_some(), &outcome, self.weights.len()))
    }

    /// Measures the decoder of a type.
    ///
    /// # Errors
    /// A side fails.
    pub(super) fn decode(&self, ty: TensorType) -> Result<Figures> {
        let blocks = self.blocks(ty)?;
        let decoder = self.peer.as_ref().map(|peer| peer.decoder(ty)).transpose()?.flatten();
        let ours = |blocks: &[u8], weights: &mut [f32]| Ok(briq_codec::decode(ty, blocks, weights)?);
        let theirs =
            decoder.map(|decoder| move |blocks: &[u8], weights: &mut [f32]| decoder.decode(blocks, weights));
        let theirs = theirs.as_ref().map(|side| side as _);
        let outcome = self.contest(&blocks, row_bytes(ty), ROW, &ours, theirs).run()?;
        Ok(Figures::new(ty, false, &outcome, self.weights.len()))
    }

    fn contest<'a, I, O>(
        &'a self,
        input: &'a [I],
        input_row: usize,
        output_row: usize,
        ours: &'a Side<'a, I, O>,
        theirs: Option<&'a Side<'a, I, O>>,
    ) -> Contest<'a, I, O> {
        let Self { threads, min_rows, weights, .. } = self;
        let (threads, min_rows) = (*threads, *min_rows);
        Contest { input, input_row, output_row, min_rows, threads, copied: weights, ours, theirs }
    }

    /// As many rows of blocks as there are of weights.
    fn blocks(&self, ty: TensorType) -> Result<Vec<u8>> {
        let rows = self.weights.len() / ROW;
        if !can_encode(ty) {
            return Ok(data::blocks(ty, rows, None));
        }
        let period = rows.min(PERIOD);
        let mut encoded = vec![0; period * row_bytes(ty)];
        let weights = &self.weights[..period * ROW];
        briq_codec::encode(ty, weights, ROW, self.importance(ty, false), &mut encoded)?;
        Ok(data::blocks(ty, rows, Some(&encoded)))
    }

    /// What the encoder of a type is given: importance where it must have it, or on request where it makes use of it.
    fn importance(&self, ty: TensorType, requested: bool) -> Option<&[f32]> {
        let given = needs_importance(ty) || (requested && uses_importance(ty));
        given.then_some(&self.importance)
    }
}
