//! ggml's encoders and decoders, called in its base library.
//!
//! briq promises the bytes of these functions, so this is where a measurement finds the other side. Signatures are
//! those of ggml.h and ggml-quants.h. ggml ends the process where it is handed what it does not expect; everything
//! it expects is therefore checked before it is called. Nothing here judges or measures.
#![expect(unsafe_code, reason = "calls into a C library")]

mod context;
mod graph;
mod kernels;
mod packed;

use std::error::Error as _;
use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use briq_convert::Error;
use briq_format::Content;
use briq_format::TensorType::{self, *};
use libloading::Library;

pub(crate) use graph::Graph;
pub(crate) use kernels::Kernels;

type Init = unsafe extern "C" fn(c_int);
type RequiresImportance = unsafe extern "C" fn(c_int) -> bool;
type RowSize = unsafe extern "C" fn(c_int, i64) -> usize;
type QuantizeChunk = unsafe extern "C" fn(c_int, *const f32, *mut c_void, i64, i64, i64, *const f32) -> usize;
type Dequantize = unsafe extern "C" fn(*const c_void, *mut f32, i64);

/// Where blocks may begin: the widest field of a block has four bytes, and C may count on its place.
const ALIGNMENT: usize = 4;

/// The loaded library.
pub(crate) struct Peer {
    library: Library,
    path: PathBuf,
}

/// ggml's encoder of one type.
pub(crate) struct Encoder<'peer> {
    layout: Layout<'peer>,
    quantize_chunk: QuantizeChunk,
    requires_importance: bool,
}

/// ggml's decoder of one type.
pub(crate) struct Decoder<'peer> {
    layout: Layout<'peer>,
    dequantize: Dequantize,
}

/// A type whose rows have the same number of bytes on both sides.
struct Layout<'peer> {
    ty: TensorType,
    row_size: RowSize,
    /// Keeps the code of the functions in memory.
    _peer: &'peer Peer,
}

impl Peer {
    /// The file name of the library.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Loads ggml's base library from `folder`, which runs its initialisers.
    ///
    /// # Errors
    /// It is not there, was built for another system, or is no ggml: what briq would then be measured beside is
    /// nothing.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(libloading::library_filename("ggml-base"));
        let (path, library) = open(&path)?;
        let peer = Self { library, path };
        // SAFETY: the declaration of this function in ggml.h.
        let row_size = unsafe { peer.symbol::<RowSize>("ggml_row_size") };
        row_size.map(|_| peer)
    }

    /// ggml's encoder of `ty`; `None` where it has none.
    ///
    /// # Errors
    /// The library is no ggml, or lays the type out otherwise.
    pub(crate) fn encoder(&self, ty: TensorType) -> Result<Option<Encoder<'_>>> {
        // What is not weights is known to ggml, but not to its encoder. F32 has no decoder to be found by.
        if ty.content() != Content::Weights || (ty != F32 && !self.decodes(ty)) {
            return Ok(None);
        }
        let layout = self.layout(ty)?;
        // SAFETY: the declaration of this function in ggml.h.
        let init: Init = unsafe { self.symbol("ggml_quantize_init")? };
        // SAFETY: it takes any type, and builds the tables that the encoder of this one needs.
        unsafe { init(id(ty)) };
        // SAFETY: the declaration of this function in ggml.h.
        let requires: RequiresImportance = unsafe { self.symbol("ggml_quantize_requires_imatrix")? };
        // SAFETY: a pure function of any type.
        let requires_importance = unsafe { requires(id(ty)) };
        // SAFETY: the declaration of this function in ggml.h.
        let quantize_chunk = unsafe { self.symbol("ggml_quantize_chunk")? };
        Ok(Some(Encoder { layout, quantize_chunk, requires_importance }))
    }

    /// ggml's decoder of `ty`; `None` where it has none.
    ///
    /// # Errors
    /// The library is no ggml, or lays the type out otherwise.
    pub(crate) fn decoder(&self, ty: TensorType) -> Result<Option<Decoder<'_>>> {
        if !self.decodes(ty) {
            return Ok(None);
        }
        // SAFETY: all of these are declared with the blocks, the output and the number of weights.
        let dequantize = unsafe { self.symbol(&decoder_name(ty))? };
        Ok(Some(Decoder { layout: self.layout(ty)?, dequantize }))
    }

    /// Whether this version of ggml knows the type, which a decoder of its name tells.
    fn decodes(&self, ty: TensorType) -> bool {
        // SAFETY: the address is not used.
        unsafe { self.library.get::<Dequantize>(decoder_name(ty).as_bytes()) }.is_ok()
    }

    fn layout(&self, ty: TensorType) -> Result<Layout<'_>> {
        // SAFETY: the declaration of this function in ggml.h.
        let layout = Layout { ty, row_size: unsafe { self.symbol("ggml_row_size")? }, _peer: self };
        layout.bytes(ty.block_elements() as usize)?;
        Ok(layout)
    }

    /// A copy of a function's address, which must not outlive `self`.
    ///
    /// # Safety
    /// `T` is the function's type.
    unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T> {
        // SAFETY: the caller vouches for the type.
        let found = unsafe { self.library.get::<T>(name.as_bytes()) };
        let missing = |_| Error::bad(&self.path, format!("has no function {name}; ggml's base library does"));
        Ok(*found.map_err(missing)?)
    }
}

impl Layout<'_> {
    /// Bytes of `weights`, on which both sides must agree.
    fn bytes(&self, weights: usize) -> Result<usize> {
        let Self { ty, row_size, .. } = self;
        let ours = ty.row_bytes(weights as u64);
        let ours = ours.with_context(|| format!("{weights} weights are no whole number of {ty} blocks"))?;
        // SAFETY: a pure function of a type that this library knows and a whole number of its blocks.
        let theirs = unsafe { row_size(id(*ty), i64::try_from(weights)?) };
        ensure!(
            ours == theirs as u64,
            "{weights} weights of {ty} are {ours} bytes, but {theirs} for the peer"
        );
        Ok(theirs)
    }
}

impl Encoder<'_> {
    /// Encodes whole rows of `row_elements` weights into `blocks`.
    ///
    /// # Errors
    /// The lengths do not belong together, or the type needs importance and there is none.
    pub(crate) fn encode(
        &self,
        weights: &[f32],
        row_elements: usize,
        importance: Option<&[f32]>,
        blocks: &mut [u8],
    ) -> Result<()> {
        let ty = self.layout.ty;
        let rows = weights.len().checked_div(row_elements).context("rows have at least one weight")?;
        ensure!(rows * row_elements == weights.len(), "{} weights are no whole rows", weights.len());
        ensure!(blocks.len() == rows * self.layout.bytes(row_elements)?, "blocks of the wrong length");
        ensure!(blocks.as_ptr().addr().is_multiple_of(ALIGNMENT), "blocks at an odd address");
        ensure!(
            importance.is_none_or(|values| values.len() == row_elements),
            "importance of the wrong length"
        );
        ensure!(
            importance.is_some() || !self.requires_importance,
            "the peer encodes {ty} only with importance"
        );
        let importance = importance.map_or(std::ptr::null(), <[f32]>::as_ptr);
        let (rows, row_elements) = (i64::try_from(rows)?, i64::try_from(row_elements)?);
        let (source, target) = (weights.as_ptr(), blocks.as_mut_ptr().cast());
        // SAFETY: `rows` rows are read, as many importances as a row is long, and the bytes of the rows written;
        // the lengths were checked above.
        let written =
            unsafe { (self.quantize_chunk)(id(ty), source, target, 0, rows, row_elements, importance) };
        ensure!(written == blocks.len(), "the peer wrote {written} bytes of {}", blocks.len());
        Ok(())
    }
}

impl Decoder<'_> {
    /// Decodes `blocks` into `weights`.
    ///
    /// # Errors
    /// The lengths do not belong together.
    pub(crate) fn decode(&self, blocks: &[u8], weights: &mut [f32]) -> Result<()> {
        ensure!(blocks.len() == self.layout.bytes(weights.len())?, "blocks of the wrong length");
        ensure!(blocks.as_ptr().addr().is_multiple_of(ALIGNMENT), "blocks at an odd address");
        let count = i64::try_from(weights.len())?;
        // SAFETY: `count` weights are written and their blocks read, whatever these hold; the lengths were checked
        // above.
        unsafe { (self.dequantize)(blocks.as_ptr().cast(), weights.as_mut_ptr(), count) };
        Ok(())
    }
}

/// Loads a library, and says why where that fails.
fn open(path: &Path) -> Result<(PathBuf, Library)> {
    let path = path.canonicalize().map_err(|error| Error::io(path, "load", error))?;
    // SAFETY: the user named this library as ggml's, whose initialisers only fill its own tables.
    let library = unsafe { Library::new(&path) }.map_err(|error| {
        // What the system says of it is behind the name of the call.
        let said = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Error::bad(&path, format!("cannot be loaded: {said}"))
    })?;
    Ok((path, library))
}

fn id(ty: TensorType) -> c_int {
    ty.id().0.cast_signed()
}

/// Names are in lower case, except for the K of `q4_K` and its kin.
fn decoder_name(ty: TensorType) -> String {
    match ty {
        F16 => "ggml_fp16_to_fp32_row".to_owned(),
        BF16 => "ggml_bf16_to_fp32_row".to_owned(),
        _ => format!("dequantize_row_{}", ty.name().to_lowercase().replace("_k", "_K")),
    }
}
