//! Activations in the types that weights are multiplied with, laid out for kernels.

mod lines;
mod tile;

use std::fmt;

use briq_codec::{Encode, Rows};
use briq_format::TensorType;
use briq_format::block::{BF16, Block, F16, F32, Q8_0, Q8_1, Q8_K};
use briq_format::scalar::F16 as Half;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use crate::error::Error;
use lines::Lines;
pub(crate) use tile::{Tile, Tiled};

/// Tiles that are encoded at a time: enough for all lanes of the encoders, and still in the first cache.
const TILES: usize = 16;

/// One row of activations, encoded.
///
/// What is kept is not the blocks but what kernels read: scales and sums apart from the quants.
/// [`Activations::blocks`] gives the blocks, whose bytes are those that ggml's reference functions make, except that
/// the sums of an all-zero Q8_K block are zero where the reference leaves memory as it was. Of blocks that something
/// else has encoded it gives the sums of Q8_K anew, and half-precision numbers without the payload of NaNs.
#[derive(Clone)]
pub struct Activations {
    ty: TensorType,
    elements: usize,
    /// Where the type is quantized.
    tiles: Vec<Tile>,
    /// Where it is not: numbers of the type, and F16 widened to single precision.
    floats: Lines,
    /// Where a quant is -128, whose sign cannot be turned in a byte: two rows without that add up to this one. Empty
    /// where none is. Encoders make -128 of no row of finite numbers: a scale is the largest magnitude over 127, so that
    /// an activation over it is at most 127 and a few roundings, or no number at all, whose quant is zero.
    apart: [Vec<Tile>; 2],
}

impl Activations {
    /// Encodes a row to `ty`, which is what [`partner`](crate::partner) gives for the type of the weights.
    ///
    /// Numbers that are not finite are looked for by nobody. F32, F16 and BF16 keep them, and F16 makes infinity of 65520
    /// and more. The others do as ggml's reference functions do: a NaN may hide the numbers before it from the scale of
    /// its block and become zero itself, so that a product is finite and wrong.
    ///
    /// # Errors
    /// When `ty` is not a type of activations, or the row is not whole blocks of it.
    pub fn encode(ty: TensorType, row: &[f32]) -> Result<Self, Error> {
        let mut activations = Self::empty(ty)?;
        activations.encode_again(row)?;
        Ok(activations)
    }

    /// Encodes another row into the same memory, which grows where the row is longer than any before.
    ///
    /// # Errors
    /// When the row is not whole blocks.
    pub fn encode_again(&mut self, row: &[f32]) -> Result<(), Error> {
        let block = self.ty.block_elements() as usize;
        if !row.len().is_multiple_of(block) {
            return Err(partial(self.ty, row.len(), "activations", block));
        }
        match self.ty {
            TensorType::Q8_0 => self.encode_tiles::<Q8_0, { 8 * TILES }>(row),
            TensorType::Q8_1 => self.encode_tiles::<Q8_1, { 8 * TILES }>(row),
            TensorType::Q8_K => self.encode_tiles::<Q8_K, TILES>(row),
            TensorType::F16 => self.set_floats(row.iter().map(|&float| widened(F16::from_f32(float)))),
            TensorType::BF16 => self.set_floats(row.iter().map(|&float| BF16::from_f32(float))),
            _ => self.set_floats(row.iter().map(|&float| F32::new(float))),
        }
        Ok(())
    }

    /// Takes over blocks of `ty` that something else has encoded. Sums that Q8_K states are not looked at: the kernels
    /// take those of the quants.
    ///
    /// # Errors
    /// When `ty` is not a type of activations, or the bytes are not whole blocks of it.
    pub fn from_blocks(ty: TensorType, bytes: &[u8]) -> Result<Self, Error> {
        let mut activations = Self::empty(ty)?;
        match ty {
            TensorType::Q8_0 => activations.set_tiles::<Q8_0>(whole(bytes)?),
            TensorType::Q8_1 => activations.set_tiles::<Q8_1>(whole(bytes)?),
            TensorType::Q8_K => activations.set_tiles::<Q8_K>(whole(bytes)?),
            TensorType::F16 => activations.set_floats(whole::<F16>(bytes)?.iter().map(|&half| widened(half))),
            TensorType::BF16 => activations.set_floats(whole::<BF16>(bytes)?.iter().copied()),
            _ => activations.set_floats(whole::<F32>(bytes)?.iter().copied()),
        }
        Ok(activations)
    }

    /// The blocks, as other programs know them.
    pub fn blocks(&self) -> Vec<u8> {
        let each_32 = || {
            let tiles = self.tiles.iter().flat_map(|tile| {
                let scales = tile.scales.iter().zip(&tile.stated_sums);
                tile.quants_32().iter().zip(scales)
            });
            tiles.take(self.elements / 32)
        };
        match self.ty {
            TensorType::Q8_0 => each_32()
                .flat_map(|(&quants, (&scale, _))| {
                    Q8_0 { scale: Half::from_f32(scale), quants }.as_bytes().to_vec()
                })
                .collect(),
            TensorType::Q8_1 => each_32()
                .flat_map(|(&quants, (&scale, &sum))| {
                    let (scale, scaled_sum) = (Half::from_f32(scale), Half::from_f32(sum));
                    Q8_1 { scale, scaled_sum, quants }.as_bytes().to_vec()
                })
                .collect(),
            TensorType::Q8_K => {
                let blocks = self.tiles.iter().map(|tile| Q8_K {
                    scale: tile.scales[0].into(),
                    quants: tile.quants,
                    sums: tile.negative_sums_16.map(|sum| (-sum).into()),
                });
                blocks.flat_map(|block| block.as_bytes().to_vec()).collect()
            }
            TensorType::F16 => {
                // What was widened is narrowed without rounding.
                let halves = self.floats::<F32>().iter().map(|float| F16::from_f32(float.get()));
                halves.flat_map(|half| half.as_bytes().to_vec()).collect()
            }
            TensorType::BF16 => self.floats::<BF16>().as_bytes().to_vec(),
            _ => self.floats::<F32>().as_bytes().to_vec(),
        }
    }

    /// The type they are encoded in.
    pub fn ty(&self) -> TensorType {
        self.ty
    }

    /// How many there are.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Their values: quant times scale, exact in double precision.
    pub fn decode(&self) -> Vec<f64> {
        match self.ty {
            TensorType::F32 | TensorType::F16 => {
                return self.floats::<F32>().iter().map(|float| float.get().into()).collect();
            }
            TensorType::BF16 => {
                return self.floats::<BF16>().iter().map(|float| float.to_f32().into()).collect();
            }
            _ => {}
        }
        let groups = self.tiles.iter().flat_map(|tile| tile.quants_32().iter().zip(&tile.scales));
        let values = groups.flat_map(|(quants, &scale)| {
            quants.iter().map(move |&quant| f64::from(scale) * f64::from(quant))
        });
        values.take(self.elements).collect()
    }

    /// What kernels of quantized weights read.
    pub(crate) fn tiles(&self) -> &[Tile] {
        &self.tiles
    }

    /// What kernels of floats read.
    #[inline(always)]
    pub(crate) fn floats<T: FromBytes + Immutable>(&self) -> &[T] {
        self.floats.first(self.elements)
    }

    /// Two rows of tiles without a quant of -128 that add up to this one, where one is in it.
    pub(crate) fn apart(&self) -> Option<[&[Tile]; 2]> {
        let [most, rest] = &self.apart;
        (!most.is_empty()).then_some([most, rest])
    }

    /// What the blocks state as the sum of each 32 activations, in the type whose kernels take it.
    pub(crate) fn stated_sums(&self) -> Option<Vec<f64>> {
        let sums = || self.tiles.iter().flat_map(|tile| tile.stated_sums);
        (self.ty == TensorType::Q8_1).then(|| sums().map(f64::from).take(self.elements / 32).collect())
    }

    fn empty(ty: TensorType) -> Result<Self, Error> {
        use TensorType::{BF16, F16, F32, Q8_0, Q8_1, Q8_K};
        match ty {
            F32 | F16 | BF16 | Q8_0 | Q8_1 | Q8_K => Ok(Self {
                ty,
                elements: 0,
                tiles: Vec::new(),
                floats: Lines::default(),
                apart: [Vec::new(), Vec::new()],
            }),
            _ => Err(Error::NoActivations { ty }),
        }
    }

    /// Encodes a few tiles at a time, which `BLOCKS` blocks fill.
    fn encode_tiles<B: Encode + Tiled + FromZeros, const BLOCKS: usize>(&mut self, row: &[f32]) {
        self.elements = row.len();
        self.tiles.resize(row.len().div_ceil(256), Tile::ZERO);
        let mut lowest = false;
        let mut blocks = [B::new_zeroed(); BLOCKS];
        for (tiles, row) in self.tiles.chunks_mut(TILES).zip(row.chunks(256 * TILES)) {
            let blocks = &mut blocks[..row.len() / B::ELEMENTS];
            B::encode_rows(&Rows::one(row), blocks);
            lowest |= tile::fill(blocks, tiles);
        }
        self.set_apart(lowest);
    }

    fn set_tiles<B: Tiled>(&mut self, blocks: &[B]) {
        self.elements = blocks.len() * B::ELEMENTS;
        self.tiles.resize(self.elements.div_ceil(256), Tile::ZERO);
        let lowest = tile::fill(blocks, &mut self.tiles);
        self.set_apart(lowest);
    }

    fn set_apart(&mut self, lowest: bool) {
        let apart = if lowest { self.tiles.as_slice() } else { &[] };
        for (side, tiles) in self.apart.iter_mut().enumerate() {
            tiles.clear();
            tiles.extend(apart.iter().map(|tile| tile.apart()[side]));
        }
    }

    fn set_floats<T: FromBytes + IntoBytes>(&mut self, floats: impl ExactSizeIterator<Item = T>) {
        self.elements = floats.len();
        self.floats.set(floats);
    }
}

impl fmt::Debug for Activations {
    /// Their type and number, and not what they are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut activations = f.debug_struct("Activations");
        activations.field("ty", &self.ty).field("elements", &self.elements).finish_non_exhaustive()
    }
}

fn widened(half: F16) -> F32 {
    F32::new(half.to_f32())
}

fn whole<B: Block>(bytes: &[u8]) -> Result<&[B], Error> {
    <[B]>::ref_from_bytes(bytes).map_err(|_| partial(B::TYPE, bytes.len(), "bytes", size_of::<B>()))
}

/// Why so many are not whole blocks.
pub(crate) fn partial(ty: TensorType, length: usize, unit: &'static str, block: usize) -> Error {
    briq_codec::Error::PartialBlock { length, unit, ty, block }.into()
}
