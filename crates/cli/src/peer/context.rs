//! Memory of ggml's for tensors, given back when it goes out of use.

use std::ffi::{c_int, c_void};

use anyhow::{Result, ensure};
use briq_format::TensorType;

use super::{Peer, id};

type Init = unsafe extern "C" fn(InitParams) -> *mut c_void;
type Reset = unsafe extern "C" fn(*mut c_void);
type Free = unsafe extern "C" fn(*mut c_void);
type NewTensor = unsafe extern "C" fn(*mut c_void, c_int, i64, i64) -> *mut c_void;
type Allocate = unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void;
type MulMat = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void) -> *mut c_void;

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

/// Where a tensor of ggml's lies: its shape, and the address of its elements.
pub(super) type Tensor = *mut c_void;

/// `ggml_context` of ggml.h.
pub(super) struct Context<'peer> {
    base: &'peer Peer,
    address: *mut c_void,
    reset: Reset,
    free: Free,
}

/// `ggml_backend_buffer` of ggml-backend.h: what is in tensors whose context holds shapes.
pub(super) struct Buffer {
    address: *mut c_void,
    free: Free,
}

impl<'peer> Context<'peer> {
    /// Room for tensors that hold `bytes`, and for a graph.
    ///
    /// # Errors
    /// A function is missing, or memory is.
    pub(super) fn new(base: &'peer Peer, bytes: usize) -> Result<Self> {
        Self::of_kind(base, bytes + OVERHEAD, false)
    }

    /// Room for tensors whose elements lie elsewhere.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub(super) fn of_shapes(base: &'peer Peer) -> Result<Self> {
        Self::of_kind(base, OVERHEAD, true)
    }

    fn of_kind(base: &'peer Peer, mem_size: usize, no_alloc: bool) -> Result<Self> {
        // SAFETY: the declaration of this function in ggml.h.
        let init = unsafe { base.symbol::<Init>("ggml_init")? };
        // SAFETY: the declaration of this function in ggml.h.
        let reset = unsafe { base.symbol::<Reset>("ggml_reset")? };
        // SAFETY: the declaration of this function in ggml.h.
        let free = unsafe { base.symbol::<Free>("ggml_free")? };
        // SAFETY: it allocates the memory itself.
        let address = unsafe { init(InitParams { mem_size, mem_buffer: std::ptr::null_mut(), no_alloc }) };
        ensure!(!address.is_null(), "the peer has no memory");
        Ok(Self { base, address, reset, free })
    }

    /// Its address, which is good for as long as `self` is.
    pub(super) fn address(&self) -> *mut c_void {
        self.address
    }

    /// A tensor of `rows` rows of `row_elements`. ggml ends the process where there is no room.
    ///
    /// # Errors
    /// A function is missing.
    pub(super) fn tensor(&self, ty: TensorType, row_elements: usize, rows: usize) -> Result<Tensor> {
        let (row_elements, rows) = (i64::try_from(row_elements)?, i64::try_from(rows)?);
        // SAFETY: the declaration of this function in ggml.h.
        let new_tensor = unsafe { self.base.symbol::<NewTensor>("ggml_new_tensor_2d")? };
        // SAFETY: the context is alive; of room it makes sure itself.
        Ok(unsafe { new_tensor(self.address, id(ty), row_elements, rows) })
    }

    /// The tensor that takes the products of all rows of `weights` with all of `activations`.
    ///
    /// # Errors
    /// A function is missing.
    ///
    /// # Safety
    /// Both tensors' contexts are alive, and their rows have the same number of elements.
    pub(super) unsafe fn product(&self, weights: Tensor, activations: Tensor) -> Result<Tensor> {
        // SAFETY: the declaration of this function in ggml.h.
        let mul_mat = unsafe { self.base.symbol::<MulMat>("ggml_mul_mat")? };
        // SAFETY: the context is alive, and the caller vouches for the tensors.
        Ok(unsafe { mul_mat(self.address, weights, activations) })
    }

    /// Empties it.
    ///
    /// # Safety
    /// Nothing of what is in it is used again.
    pub(super) unsafe fn reset(&self) {
        // SAFETY: the context is alive, and the caller vouches for what is in it.
        unsafe { (self.reset)(self.address) };
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: the context is its own, and not used again.
        unsafe { (self.free)(self.address) };
    }
}

impl Buffer {
    /// Memory of type `buffer_type` for those tensors of a context that have none; `None` where it is short.
    ///
    /// # Errors
    /// A function is missing.
    ///
    /// # Safety
    /// The type is one of this ggml's.
    pub(super) unsafe fn with_tensors_of(
        context: &Context<'_>,
        buffer_type: *mut c_void,
    ) -> Result<Option<Self>> {
        // SAFETY: the declaration of this function in ggml-alloc.h.
        let allocate =
            unsafe { context.base.symbol::<Allocate>("ggml_backend_alloc_ctx_tensors_from_buft")? };
        // SAFETY: the declaration of this function in ggml-backend.h.
        let free = unsafe { context.base.symbol::<Free>("ggml_backend_buffer_free")? };
        // SAFETY: the context is alive, and the caller vouches for the type.
        let address = unsafe { allocate(context.address, buffer_type) };
        Ok((!address.is_null()).then_some(Self { address, free }))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: the buffer is its own, and not used again.
        unsafe { (self.free)(self.address) };
    }
}
