//! ggml's own encoders and decoders, called in its base library.
//!
//! The base library is built for any x86-64: its arithmetic is the one that briq promises to reproduce.
//! Signatures are those of ggml.h in the version that package.json pins. Nothing here judges; the checks do.
#![expect(unsafe_code, reason = "calls into a C library")]

use std::ffi::{c_int, c_void};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use briq_format::TensorType;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

type QuantizeChunk = unsafe extern "C" fn(c_int, *const f32, *mut c_void, i64, i64, i64, *const f32) -> usize;
type Initialise = unsafe extern "C" fn(c_int);
type RequiresImportance = unsafe extern "C" fn(c_int) -> bool;
type RowSize = unsafe extern "C" fn(c_int, i64) -> usize;
type ValidateRowData = unsafe extern "C" fn(c_int, *const c_void, usize) -> bool;
type QuantizeRow = unsafe extern "C" fn(*const f32, *mut c_void, i64);
type Dequantize = unsafe extern "C" fn(*const c_void, *mut f32, i64);

/// The loaded base library.
pub(crate) struct Ggml {
    quantize_chunk: QuantizeChunk,
    row_size: RowSize,
    initialise: Initialise,
    requires_importance: RequiresImportance,
    validate_row_data: ValidateRowData,
    library: Library,
}

/// ggml's decoder of one type.
#[derive(Clone, Copy)]
pub(crate) struct Decoder<'library> {
    ggml: &'library Ggml,
    ty: TensorType,
    decode: Dequantize,
}

/// ggml's encoder of one type of activations.
#[derive(Clone, Copy)]
pub(crate) struct ActivationEncoder<'library> {
    ggml: &'library Ggml,
    ty: TensorType,
    encode: QuantizeRow,
}

impl Ggml {
    /// Loads `libggml-base.so` from the package's folder of libraries.
    ///
    /// # Errors
    /// The library or one of its functions is missing.
    pub(crate) fn load(libraries: &Path) -> Result<Self> {
        let library = open(&libraries.join("libggml-base.so"))?;
        Ok(Self {
            // SAFETY: the type is the declaration of this function in ggml.h.
            quantize_chunk: unsafe { symbol(&library, "ggml_quantize_chunk")? },
            // SAFETY: the type is the declaration of this function in ggml.h.
            row_size: unsafe { symbol(&library, "ggml_row_size")? },
            // SAFETY: the type is the declaration of this function in ggml.h.
            initialise: unsafe { symbol(&library, "ggml_quantize_init")? },
            // SAFETY: the type is the declaration of this function in ggml.h.
            requires_importance: unsafe { symbol(&library, "ggml_quantize_requires_imatrix")? },
            // SAFETY: the type is the declaration of this function in ggml.h.
            validate_row_data: unsafe { symbol(&library, "ggml_validate_row_data")? },
            library,
        })
    }

    /// Bytes of a row of `row_elements` weights, on which ggml and briq's type table have to agree.
    ///
    /// # Errors
    /// The row is no whole number of blocks, or the two differ.
    pub(crate) fn row_bytes(&self, ty: TensorType, row_elements: usize) -> Result<usize> {
        // ggml ends the process when a block is broken, so briq's table is asked first.
        let ours = ty.row_bytes(row_elements as u64);
        let ours = ours.with_context(|| format!("{row_elements} weights are no whole {ty} blocks"))?;
        // SAFETY: a pure function of an id it knows and of whole blocks.
        let theirs = unsafe { (self.row_size)(id(ty), i64::try_from(row_elements)?) };
        ensure!(ours == theirs as u64, "{row_elements} weights of {ty}: {ours} bytes, ggml says {theirs}");
        Ok(theirs)
    }

    /// Whether ggml refuses to encode the type without importance.
    pub(crate) fn requires_importance(&self, ty: TensorType) -> bool {
        // SAFETY: a pure function of any id.
        unsafe { (self.requires_importance)(id(ty)) }
    }

    /// Encodes rows of `row_elements` weights into `out`, which is exactly as long as they need.
    ///
    /// # Errors
    /// A length does not fit the others.
    pub(crate) fn encode(
        &self,
        ty: TensorType,
        weights: &[f32],
        row_elements: usize,
        importance: Option<&[f32]>,
        out: &mut [u8],
    ) -> Result<()> {
        let rows = weights.len() / row_elements;
        ensure!(rows * row_elements == weights.len(), "{} weights are no whole rows", weights.len());
        ensure!(importance.is_some() || !self.requires_importance(ty), "{ty} needs importance");
        // SAFETY: takes any id, and a lock of its own; the second call for a type does nothing.
        unsafe { (self.initialise)(id(ty)) };
        ensure!(importance.is_none_or(|v| v.len() == row_elements), "one importance per weight of a row");
        ensure!(out.len() == rows * self.row_bytes(ty, row_elements)?, "output of the wrong length");
        let importance = importance.map_or(std::ptr::null(), <[f32]>::as_ptr);
        // SAFETY: the three lengths were just checked against each other, and ggml reads and writes no more
        // than they say.
        let written = unsafe {
            (self.quantize_chunk)(
                id(ty),
                weights.as_ptr(),
                out.as_mut_ptr().cast(),
                0,
                i64::try_from(rows)?,
                i64::try_from(row_elements)?,
                importance,
            )
        };
        ensure!(written == out.len(), "ggml wrote {written} bytes of {}", out.len());
        Ok(())
    }

    /// Whether ggml finds no value in the blocks that is infinite or NaN; it says on standard error which is.
    ///
    /// # Errors
    /// The bytes are no whole blocks.
    pub(crate) fn is_valid(&self, ty: TensorType, bytes: &[u8]) -> Result<bool> {
        let block_bytes = ty.block_bytes() as usize;
        ensure!(bytes.len().is_multiple_of(block_bytes), "{} bytes are no whole {ty} blocks", bytes.len());
        // SAFETY: the length goes with the pointer, and the bytes are whole blocks of a type that ggml knows.
        Ok(unsafe { (self.validate_row_data)(id(ty), bytes.as_ptr().cast(), bytes.len()) })
    }

    /// ggml's decoder of a type.
    ///
    /// # Errors
    /// ggml exports none.
    pub(crate) fn decoder(&self, ty: TensorType) -> Result<Decoder<'_>> {
        let name = match ty.name() {
            "F16" => "ggml_fp16_to_fp32_row".to_owned(),
            "BF16" => "ggml_bf16_to_fp32_row".to_owned(),
            _ => format!("dequantize_row_{}", lower_name(ty)),
        };
        // SAFETY: all of these are declared with the source, the output and the number of weights.
        Ok(Decoder { ggml: self, ty, decode: unsafe { symbol(&self.library, &name)? } })
    }

    /// ggml's encoder of activations of a type.
    ///
    /// # Errors
    /// ggml exports none.
    pub(crate) fn activation_encoder(&self, ty: TensorType) -> Result<ActivationEncoder<'_>> {
        let name = format!("quantize_row_{}_ref", lower_name(ty));
        // SAFETY: all of these are declared with the values, the blocks and the number of values.
        Ok(ActivationEncoder { ggml: self, ty, encode: unsafe { symbol(&self.library, &name)? } })
    }
}

impl ActivationEncoder<'_> {
    /// Encodes `values` into `bytes`.
    ///
    /// # Errors
    /// The two lengths do not fit.
    pub(crate) fn encode(self, values: &[f32], bytes: &mut [u8]) -> Result<()> {
        ensure!(bytes.len() == self.ggml.row_bytes(self.ty, values.len())?, "bytes of the wrong length");
        // SAFETY: the lengths were just checked; on this architecture ggml stores at any alignment.
        unsafe {
            (self.encode)(values.as_ptr(), bytes.as_mut_ptr().cast(), i64::try_from(values.len())?);
        }
        Ok(())
    }
}

impl Decoder<'_> {
    /// Decodes `bytes` into `weights`.
    ///
    /// # Errors
    /// The two lengths do not fit.
    pub(crate) fn decode(self, bytes: &[u8], weights: &mut [f32]) -> Result<()> {
        ensure!(bytes.len() == self.ggml.row_bytes(self.ty, weights.len())?, "bytes of the wrong length");
        // SAFETY: the lengths were just checked; ggml's decoders accept any bytes and any alignment.
        unsafe {
            (self.decode)(bytes.as_ptr().cast(), weights.as_mut_ptr(), i64::try_from(weights.len())?);
        }
        Ok(())
    }
}

/// Upstream spells q4_0 and iq4_xs in lower case, and q4_K with one capital.
pub(crate) fn lower_name(ty: TensorType) -> String {
    ty.name().to_lowercase().replace("_k", "_K")
}

fn id(ty: TensorType) -> c_int {
    ty.id().0.cast_signed()
}

/// Opens a library so that later ones find its symbols.
///
/// # Errors
/// It is missing or was built for another system.
pub(crate) fn open(path: &Path) -> Result<Library> {
    // SAFETY: the package that package.json pins by hash; its initialisers only register backends.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }
        .with_context(|| format!("cannot load {}", path.display()))
}

/// A function of a library, which must outlive the copy.
///
/// # Safety
/// `T` is the function's type as its header declares it.
///
/// # Errors
/// The library does not export it.
pub(crate) unsafe fn symbol<T: Copy>(library: &Library, name: &str) -> Result<T> {
    // SAFETY: the caller vouches for the type.
    let found = unsafe { library.get::<T>(name.as_bytes()) };
    found.map(|symbol| *symbol).with_context(|| format!("the pinned library has no {name}"))
}
