//! Products of ggml's: a graph of one node, multiplied as often as one likes.
//!
//! The weights lie as llama.cpp would have them, which is not always as a file has them.

use std::ffi::{c_int, c_void};

use anyhow::{Context as _, Result, ensure};
use briq_format::TensorType::{self, F32};

use super::Kernels;
use super::context::{Buffer, Context, Tensor};
use super::packed::{Layouts, Packed, Rows};

type GetData = unsafe extern "C" fn(*const c_void) -> *mut c_void;
type BufferType = unsafe extern "C" fn() -> *mut c_void;
type NewGraph = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type Expand = unsafe extern "C" fn(*mut c_void, *mut c_void);
type Compute = unsafe extern "C" fn(*mut c_void, *mut c_void, c_int) -> c_int;

/// A matrix of ggml's and a batch of vectors that it is multiplied with.
pub(crate) struct Graph<'peer> {
    kernels: &'peer Kernels,
    /// The weights, where they do not lie in the context plainly.
    packed: Option<Packed<'peer>>,
    /// Holds the elements of the other tensors.
    _buffer: Buffer,
    /// Holds the graph and the shapes of its tensors.
    _context: Context<'peer>,
    /// What computing takes its memory from, each time anew.
    work: Context<'peer>,
    graph: *mut c_void,
    product: Tensor,
    products: usize,
    threads: c_int,
}

impl<'peer> Graph<'peer> {
    /// A graph that multiplies rows of `row_elements` with `batch`, whole vectors of as many.
    ///
    /// # Errors
    /// A function is missing, memory is, or the lengths do not belong together.
    pub(super) fn new(
        kernels: &'peer Kernels,
        ty: TensorType,
        rows: &[u8],
        row_elements: usize,
        batch: &[f32],
        threads: usize,
    ) -> Result<Self> {
        let base = &kernels.base;
        let row_bytes = base.layout(ty)?.bytes(row_elements)?;
        ensure!(rows.len().is_multiple_of(row_bytes), "no whole rows");
        ensure!(batch.len().is_multiple_of(row_elements), "no whole vectors");
        let (count, vectors) = (rows.len() / row_bytes, batch.len() / row_elements);
        let products = count * vectors;
        // SAFETY: the declarations of these functions in ggml.h.
        let (data, new_graph, expand) = unsafe {
            (
                base.symbol::<GetData>("ggml_get_data")?,
                base.symbol::<NewGraph>("ggml_new_graph")?,
                base.symbol::<Expand>("ggml_build_forward_expand")?,
            )
        };
        let matrix = Rows { ty, bytes: rows, row_elements, count };
        let packed =
            Layouts::find(kernels).map(|layouts| layouts.pack(matrix, vectors)).transpose()?.flatten();
        let context = Context::of_shapes(base)?;
        // Activations are converted to no more bits than they have.
        let work = Context::new(base, size_of_val(batch))?;
        let weights = match &packed {
            Some(packed) => packed.weights(),
            None => context.tensor(ty, row_elements, count)?,
        };
        let activations = context.tensor(F32, row_elements, vectors)?;
        // SAFETY: both are alive, and their rows of `row_elements`.
        let product = unsafe { context.product(weights, activations)? };
        // SAFETY: the context is alive, and so are the tensors that the product names.
        let graph = unsafe {
            let graph = new_graph(context.address());
            expand(graph, product);
            graph
        };
        // llama.cpp's tensors lie in buffers too. In a context they would begin at odd multiples of 16 bytes, which
        // takes a third off the speed of AMX (Q8_0 times 64 vectors on two threads of Granite Rapids).
        // SAFETY: the declaration of this function in ggml-backend.h.
        let buffer_type = unsafe { base.symbol::<BufferType>("ggml_backend_cpu_buffer_type")? };
        // SAFETY: it returns the type of plain memory.
        let buffer = unsafe { Buffer::with_tensors_of(&context, buffer_type())? };
        let buffer = buffer.context("the peer has no memory")?;
        if packed.is_none() {
            // SAFETY: the tensor was made for as many bytes.
            unsafe { data(weights).cast::<u8>().copy_from_nonoverlapping(rows.as_ptr(), rows.len()) };
        }
        // SAFETY: the tensor was made for as many floats.
        unsafe { data(activations).cast::<f32>().copy_from_nonoverlapping(batch.as_ptr(), batch.len()) };
        let threads = c_int::try_from(threads)?;
        Ok(Self {
            kernels,
            packed,
            _buffer: buffer,
            _context: context,
            work,
            graph,
            product,
            products,
            threads,
        })
    }

    /// Multiplies.
    ///
    /// # Errors
    /// ggml says that it failed.
    pub(crate) fn compute(&self) -> Result<()> {
        // SAFETY: the declaration of this function in ggml-cpu.h.
        let compute = unsafe { self.kernels.symbol::<Compute>("ggml_graph_compute_with_ctx")? };
        // SAFETY: nothing but the last computation's memory is in this context.
        unsafe { self.work.reset() };
        // SAFETY: the tensors of the graph live as long as it does, and this context has room for what computing needs.
        let status = unsafe { compute(self.work.address(), self.graph, self.threads) };
        ensure!(status == 0, "the peer failed to multiply: {status}");
        Ok(())
    }

    /// What ggml calls the layout of the weights; `None` where they lie plainly.
    pub(crate) fn layout(&self) -> Option<&str> {
        self.packed.as_ref().map(Packed::layout)
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
