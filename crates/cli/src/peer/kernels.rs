//! ggml's kernels, called in the library that it has for this processor.
//!
//! A release of llama.cpp has such a library per kind of processor; the one that gives itself the highest score is
//! taken, as ggml does it. Dot products are called by their names; matrices are multiplied in a graph.

use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use briq_convert::Error;
use briq_format::TensorType::{self, *};
use libloading::Library;

use super::graph::Graph;
use super::{ALIGNMENT, Peer, open};

type Score = unsafe extern "C" fn() -> c_int;
type Initialise = unsafe extern "C" fn();
type VecDot = unsafe extern "C" fn(c_int, *mut f32, usize, *const c_void, usize, *const c_void, usize, c_int);

/// The loaded libraries.
pub(crate) struct Kernels {
    pub(super) base: Peer,
    library: Library,
    path: PathBuf,
}

/// ggml's dot product of one type, for rows of one length.
pub(crate) struct VectorDot<'peer> {
    function: VecDot,
    elements: c_int,
    row_bytes: usize,
    activation_bytes: usize,
    /// Keeps the code of the function in memory.
    _kernels: &'peer Kernels,
}

impl Kernels {
    /// Loads ggml's base library from `folder`, and of its libraries of kernels the one for `processor`, or else the
    /// best for this one.
    ///
    /// # Errors
    /// There is none, or none that runs here.
    pub(crate) fn load(folder: &Path, processor: Option<&str>) -> Result<Self> {
        let base = Peer::load(folder)?;
        let (path, library) = match processor {
            Some(name) => open(&folder.join(libloading::library_filename(format!("ggml-cpu-{name}"))))?,
            None => best(folder)?,
        };
        let kernels = Self { base, library, path };
        // SAFETY: the declaration of this function in ggml-cpu.h; it fills the library's own tables.
        unsafe { kernels.symbol::<Initialise>("ggml_cpu_init")?() };
        Ok(kernels)
    }

    /// The file name of the library of kernels.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// ggml's dot product of rows of `elements` weights of `ty`; `None` where it has none of that name.
    ///
    /// # Errors
    /// The library lays the type or its partner out otherwise, or rows are no whole blocks.
    pub(crate) fn vec_dot(&self, ty: TensorType, elements: usize) -> Result<Option<VectorDot<'_>>> {
        let partner = briq_kernels::partner(ty)?;
        let lower = |ty: TensorType| ty.name().to_lowercase().replace("_k", "_K");
        let name = match ty {
            F32 | F16 | BF16 => format!("ggml_vec_dot_{}", lower(ty)),
            _ => format!("ggml_vec_dot_{}_{}", lower(ty), lower(partner)),
        };
        // SAFETY: all functions of these names are declared alike, in ggml's quants.h and vec.h.
        let Ok(function) = (unsafe { self.symbol(&name) }) else {
            return Ok(None);
        };
        Ok(Some(VectorDot {
            function,
            elements: c_int::try_from(elements)?,
            row_bytes: self.base.layout(ty)?.bytes(elements)?,
            activation_bytes: self.base.layout(partner)?.bytes(elements)?,
            _kernels: self,
        }))
    }

    /// A graph that multiplies rows of `row_elements` with `batch`, whole vectors of as many.
    ///
    /// # Errors
    /// A function is missing, memory is, or the lengths do not belong together.
    pub(crate) fn graph(
        &self,
        ty: TensorType,
        rows: &[u8],
        row_elements: usize,
        batch: &[f32],
        threads: usize,
    ) -> Result<Graph<'_>> {
        Graph::new(self, ty, rows, row_elements, batch, threads)
    }

    /// A copy of a function's address, which must not outlive `self`.
    ///
    /// # Safety
    /// `T` is the function's type.
    pub(super) unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T> {
        // SAFETY: the caller vouches for the type.
        let found = unsafe { self.library.get::<T>(name.as_bytes()) };
        Ok(*found.map_err(|_| Error::bad(&self.path, format!("has no function {name}")))?)
    }
}

impl VectorDot<'_> {
    /// The product of a row with encoded activations.
    ///
    /// # Errors
    /// The lengths are not those of the rows that this was made for.
    pub(crate) fn dot(&self, row: &[u8], activations: &[u8]) -> Result<f32> {
        ensure!(row.len() == self.row_bytes, "a row of the wrong length");
        ensure!(activations.len() == self.activation_bytes, "activations of the wrong length");
        let (row, activations) = (row.as_ptr(), activations.as_ptr());
        let addresses = row.addr() | activations.addr();
        ensure!(addresses.is_multiple_of(ALIGNMENT), "blocks at an odd address");
        let mut product = 0.0;
        // SAFETY: the blocks of `elements` on both sides are read, and one float is written; the lengths were checked
        // above.
        unsafe {
            (self.function)(self.elements, &raw mut product, 0, row.cast(), 0, activations.cast(), 0, 1);
        }
        Ok(product)
    }
}

/// The library of kernels that gives itself the highest score on this processor.
fn best(folder: &Path) -> Result<(PathBuf, Library)> {
    let mut best: Option<(c_int, PathBuf, Library)> = None;
    let entries = folder.read_dir().map_err(|error| Error::io(folder, "list", error))?;
    for entry in entries {
        let path = entry.map_err(|error| Error::io(folder, "list", error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.contains("ggml-cpu") || !name.ends_with(std::env::consts::DLL_SUFFIX) {
            continue;
        }
        let (path, library) = open(&path)?;
        // SAFETY: the declaration of this function in ggml-backend-impl.h.
        let score = unsafe { library.get::<Score>(b"ggml_backend_score") };
        // A library without a score is the only one.
        // SAFETY: it only looks at the processor.
        let score = score.map_or(1, |score| unsafe { score() });
        if score > best.as_ref().map_or(0, |(best, ..)| *best) {
            best = Some((score, path, library));
        }
    }
    let Some((_, path, library)) = best else {
        bail!(Error::bad(folder, "holds no ggml-cpu library that runs on this processor"));
    };
    Ok((path, library))
}
