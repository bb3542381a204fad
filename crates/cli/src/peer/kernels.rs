//! ggml's kernels, called in the library that it has for this processor.
//!
//! A release of llama.cpp has such a library per kind of processor; the one that gives itself the highest score is
//! taken, as ggml does it. Dot products are called by their names; matrices are multiplied by a graph of one node.

use std::ffi::{c_int, c_void};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use briq_convert::Error;
use briq_format::TensorType::{self, *};
use libloading::Library;

use super::{Peer, id, open};

type Score = unsafe extern "C" fn() -> c_int;
type Initialise = unsafe extern "C" fn();
type VecDot = unsafe extern "C" fn(c_int, *mut f32, usize, *const c_void, usize, *const c_void, usize, c_int);
type Init = unsafe extern "C" fn(InitParams) -> *mut c_void;
type Reset = unsafe extern "C" fn(*mut c_void);
type Free = unsafe extern "C" fn(*mut c_void);
type NewTensor = unsafe extern "C" fn(*mut c_void, c_int, i64, i64) -> *mut c_void;
type MulMat = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void) -> *mut c_void;
type GetData = unsafe extern "C" fn(*const c_void) -> *mut c_void;
type NewGraph = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type Expand = unsafe extern "C" fn(*mut c_void, *mut c_void);
type Compute = unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int;

/// `ggml_init_params` of ggml.h.
#[repr(C)]
struct InitParams {
    mem_size: usize,
    mem_buffer: *mut c_void,
    no_alloc: bool,
}

/// Memory for what a graph needs besides its tensors, and computing besides the converted activations: the graph
/// takes about 80 KiB, and every thread some lines of cache.
const OVERHEAD: usize = 1 << 20;

/// The loaded libraries.
pub(crate) struct Kernels {
    base: Peer,
    library: Library,
    path: PathBuf,
}

/// ggml's dot product of one type.
pub(crate) struct VectorDot<'peer> {
    function: VecDot,
    /// Keeps the code of the function in memory.
    _kernels: &'peer Kernels,
}

/// A matrix of ggml's and a batch of vectors that it is multiplied with.
pub(crate) struct Graph<'peer> {
    kernels: &'peer Kernels,
    context: *mut c_void,
    /// The context that computing takes its memory from, each time anew.
    work: *mut c_void,
    reset: Reset,
    free: Free,
    graph: *mut c_void,
    product: *mut c_void,
    products: usize,
    threads: c_int,
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

    /// ggml's dot product of `ty`; `None` where it has none of that name.
    pub(crate) fn vec_dot(&self, ty: TensorType) -> Option<VectorDot<'_>> {
        let lower = |ty: TensorType| ty.name().to_lowercase().replace("_k", "_K");
        let name = match ty {
            F32 | F16 | BF16 => format!("ggml_vec_dot_{}", lower(ty)),
            _ => format!("ggml_vec_dot_{}_{}", lower(ty), lower(briq_kernels::partner(ty).ok()?)),
        };
        // SAFETY: all functions of these names are declared alike, in ggml's quants.h and vec.h.
        let function = unsafe { self.symbol(&name) }.ok()?;
        Some(VectorDot { function, _kernels: self })
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
        let row_bytes = self.base.layout(ty)?.bytes(row_elements)?;
        ensure!(rows.len().is_multiple_of(row_bytes), "no whole rows");
        ensure!(batch.len().is_multiple_of(row_elements), "no whole vectors");
        let (count, vectors) = (rows.len() / row_bytes, batch.len() / row_elements);
        let bytes = rows.len() + size_of_val(batch) + 4 * count * vectors + OVERHEAD;
        // Activations are converted to no more bits than they have.
        let work_bytes = size_of_val(batch) + OVERHEAD;
        // SAFETY: the declarations of these functions in ggml.h.
        let (init, reset, free, new_tensor, mul_mat, data, new_graph, expand) = unsafe {
            (
                self.base.symbol::<Init>("ggml_init")?,
                self.base.symbol::<Reset>("ggml_reset")?,
                self.base.symbol::<Free>("ggml_free")?,
                self.base.symbol::<NewTensor>("ggml_new_tensor_2d")?,
                self.base.symbol::<MulMat>("ggml_mul_mat")?,
                self.base.symbol::<GetData>("ggml_get_data")?,
                self.base.symbol::<NewGraph>("ggml_new_graph")?,
                self.base.symbol::<Expand>("ggml_build_forward_expand")?,
            )
        };
        // SAFETY: it allocates the memory itself.
        let context = |mem_size| unsafe {
            init(InitParams { mem_size, mem_buffer: std::ptr::null_mut(), no_alloc: false })
        };
        let (context, work) = (context(bytes), context(work_bytes));
        ensure!(!context.is_null() && !work.is_null(), "the peer has no memory");
        let (elements, count, vectors) =
            (i64::try_from(row_elements)?, i64::try_from(count)?, i64::try_from(vectors)?);
        // SAFETY: the context has room for the three tensors, whose types and shapes ggml knows, and for the graph.
        let (weights, activations, product, graph) = unsafe {
            let weights = new_tensor(context, id(ty), elements, count);
            let activations = new_tensor(context, id(F32), elements, vectors);
            let product = mul_mat(context, weights, activations);
            let graph = new_graph(context);
            expand(graph, product);
            (weights, activations, product, graph)
        };
        // SAFETY: the tensors were made with as many bytes.
        unsafe {
            data(weights).cast::<u8>().copy_from_nonoverlapping(rows.as_ptr(), rows.len());
            data(activations).cast::<f32>().copy_from_nonoverlapping(batch.as_ptr(), batch.len());
        }
        let products = usize::try_from(count * vectors)?;
        let threads = c_int::try_from(threads)?;
        Ok(Graph { kernels: self, context, work, reset, free, graph, product, products, threads })
    }

    /// A copy of a function's address, which must not outlive `self`.
    ///
    /// # Safety
    /// `T` is the function's type.
    unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T> {
        // SAFETY: the caller vouches for the type.
        let found = unsafe { self.library.get::<T>(name.as_bytes()) };
        Ok(*found.map_err(|_| Error::bad(&self.path, format!("has no function {name}")))?)
    }
}

impl VectorDot<'_> {
    /// The product of a row with encoded activations of as many `elements`.
    pub(crate) fn dot(&self, elements: usize, row: &[u8], activations: &[u8]) -> Result<f32> {
        let mut product = 0.0;
        let elements = c_int::try_from(elements)?;
        let (row, activations) = (row.as_ptr().cast(), activations.as_ptr().cast());
        // SAFETY: the caller's slices hold the blocks of `elements`; one float is written.
        unsafe { (self.function)(elements, &raw mut product, 0, row, 0, activations, 0, 1) };
        Ok(product)
    }
}

impl Graph<'_> {
    /// Multiplies.
    ///
    /// # Errors
    /// ggml says that it failed.
    pub(crate) fn compute(&self) -> Result<()> {
        // SAFETY: the declaration of this function in ggml-cpu.h.
        let compute = unsafe { self.kernels.symbol::<Compute>("ggml_graph_compute_with_ctx")? };
        // SAFETY: nothing but the last computation's memory is in this context.
        unsafe { (self.reset)(self.work) };
        // SAFETY: the tensors of the graph live in its own context, and this one has room for what computing needs.
        let status = unsafe { compute(self.work, self.graph, self.threads) };
        ensure!(status == 0, "the peer failed to multiply: {status}");
        Ok(())
    }

    /// What it computed last, vector by vector.
    ///
    /// # Errors
    /// A function is missing.
    pub(crate) fn products(&self) -> Result<Vec<f32>> {
        // SAFETY: the declaration of this function in ggml.h.
        let data = unsafe { self.kernels.base.symbol::<GetData>("ggml_get_data")? };
        // SAFETY: the product is a tensor of so many floats.
        Ok(unsafe { std::slice::from_raw_parts(data(self.product).cast(), self.products) }.to_vec())
    }
}

impl Drop for Graph<'_> {
    fn drop(&mut self) {
        for context in [self.context, self.work] {
            // SAFETY: the contexts are this graph's own, and not used again.
            unsafe { (self.free)(context) };
        }
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
