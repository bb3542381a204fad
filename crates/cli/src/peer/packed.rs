//! Weights in the layout that llama.cpp packs them into.
//!
//! Beside plain memory, ggml's kernels for a processor may know "extra" types of buffers, which lay a matrix out anew
//! for the instructions that multiply it: `AMX`, or `CPU_REPACK`. llama.cpp asks for them in their order when it loads
//! a model, and takes the first that supports the product; the same is done here. A ggml that knows none has plain
//! memory only.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io::{Write, stderr};

use anyhow::Result;
use briq_format::TensorType::{self, F32};

use super::Kernels;
use super::context::{Buffer, Context, Tensor};

type Registry = unsafe extern "C" fn() -> *mut c_void;
type GetDevice = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;
type GetAddress = unsafe extern "C" fn(*mut c_void, *const c_char) -> Option<ExtraTypes>;
type ExtraTypes = unsafe extern "C" fn(*mut c_void) -> *const *mut c_void;
type Supports = unsafe extern "C" fn(*mut c_void, *mut c_void) -> bool;
type Set = unsafe extern "C" fn(*mut c_void, *const c_void, usize, usize);
type Name = unsafe extern "C" fn(*mut c_void) -> *const c_char;
type Log = extern "C" fn(c_int, *const c_char, *mut c_void);
type SetLog = unsafe extern "C" fn(Log, *mut c_void);

/// `GGML_LOG_LEVEL_WARN` and `GGML_LOG_LEVEL_ERROR` of ggml.h.
const WARNINGS_AND_ERRORS: [c_int; 2] = [3, 4];

/// A matrix as it is multiplied, and how large it is.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) ty: TensorType,
    /// Whole rows.
    pub(super) bytes: &'a [u8],
    pub(super) row_elements: usize,
    pub(super) count: usize,
}

/// ggml's processor, and its functions for buffers.
pub(super) struct Layouts<'peer> {
    kernels: &'peer Kernels,
    device: *mut c_void,
    /// Types of buffers, in the order in which they are asked.
    types: Vec<*mut c_void>,
    supports: Supports,
    set: Set,
    name: Name,
}

/// A matrix that was packed.
pub(super) struct Packed<'peer> {
    weights: Tensor,
    layout: String,
    // Given back in this order: what the context names, then the context.
    _buffer: Buffer,
    _context: Context<'peer>,
}

impl<'peer> Layouts<'peer> {
    /// Those of these kernels; `None` where this version of ggml has no such thing.
    pub(super) fn find(kernels: &'peer Kernels) -> Option<Self> {
        let base = &kernels.base;
        // SAFETY: the declaration of this function in ggml-cpu.h.
        let registry = unsafe { kernels.symbol::<Registry>("ggml_backend_cpu_reg") }.ok()?;
        // SAFETY: the declarations of these functions in ggml-backend.h.
        let (get_device, get_address) = unsafe {
            (
                base.symbol::<GetDevice>("ggml_backend_reg_dev_get").ok()?,
                base.symbol::<GetAddress>("ggml_backend_reg_get_proc_address").ok()?,
            )
        };
        // SAFETY: it returns the library's own registry, which has the processor as its first and only device, and
        // what it gives out under this name is declared as `ggml_backend_dev_get_extra_bufts_t` in ggml-backend.h.
        let (device, extra_types) = unsafe {
            let registry = registry();
            let name = c"ggml_backend_dev_get_extra_bufts".as_ptr();
            (get_device(registry, 0), get_address(registry, name)?)
        };
        // SAFETY: the declarations of these functions in ggml-backend.h.
        let (supports, set, name) = unsafe {
            (
                base.symbol::<Supports>("ggml_backend_dev_supports_op").ok()?,
                base.symbol::<Set>("ggml_backend_tensor_set").ok()?,
                base.symbol::<Name>("ggml_backend_buft_name").ok()?,
            )
        };
        // SAFETY: the declaration of this function in ggml.h.
        if let Ok(set_log) = unsafe { base.symbol::<SetLog>("ggml_log_set") } {
            // SAFETY: the function is there for as long as the program.
            unsafe { set_log(log, std::ptr::null_mut()) };
        }
        // SAFETY: it takes this device.
        let mut list = unsafe { extra_types(device) };
        let mut types = Vec::new();
        // SAFETY: the list is missing or ends with null, which is as far as it is read.
        while let Some(&ty) = unsafe { list.as_ref() }.filter(|ty| !ty.is_null()) {
            types.push(ty);
            // SAFETY: an entry that is not null has one behind it.
            list = unsafe { list.add(1) };
        }
        Some(Self { kernels, device, types, supports, set, name })
    }

    /// The matrix in the first layout that it can be multiplied in with as many `vectors`; `None` where there is none.
    ///
    /// # Errors
    /// A function is missing, or memory for shapes.
    pub(super) fn pack(&self, rows: Rows<'_>, vectors: usize) -> Result<Option<Packed<'peer>>> {
        for &ty in &self.types {
            let packed = self.pack_as(ty, rows, vectors)?;
            if packed.is_some() {
                return Ok(packed);
            }
        }
        Ok(None)
    }

    /// The matrix in a buffer of type `ty`; `None` where that is not for this matrix, or memory is short.
    fn pack_as(&self, ty: *mut c_void, rows: Rows<'_>, vectors: usize) -> Result<Option<Packed<'peer>>> {
        let context = Context::of_shapes(&self.kernels.base)?;
        let weights = context.tensor(rows.ty, rows.row_elements, rows.count)?;
        // SAFETY: the type of buffers is the device's, which lasts as long as the library.
        let Some(buffer) = (unsafe { Buffer::with_tensors_of(&context, ty)? }) else {
            return Ok(None);
        };
        let activations = context.tensor(F32, rows.row_elements, vectors)?;
        // SAFETY: both are of this context, and their rows are of the same length.
        let product = unsafe { context.product(weights, activations)? };
        // SAFETY: it looks at shapes and at the buffer of the weights, which are alive.
        if !unsafe { (self.supports)(self.device, product) } {
            return Ok(None);
        }
        // SAFETY: the tensor was made for as many bytes as the rows have, and packs whole matrices of this type and
        // shape, which was just asked: without that, `CPU_REPACK` follows a null pointer.
        unsafe { (self.set)(weights, rows.bytes.as_ptr().cast(), 0, rows.bytes.len()) };
        // SAFETY: the name ends with zero, and lasts as long as the library.
        let layout = unsafe { CStr::from_ptr((self.name)(ty)) }.to_string_lossy().into_owned();
        Ok(Some(Packed { weights, layout, _buffer: buffer, _context: context }))
    }
}

impl Packed<'_> {
    /// The tensor, which is good for as long as `self` is.
    pub(super) fn weights(&self) -> Tensor {
        self.weights
    }

    /// What ggml calls the layout.
    pub(super) fn layout(&self) -> &str {
        &self.layout
    }
}

/// What ggml says: that each of dozens of matrices is packed, which nobody asked, or what went wrong.
extern "C" fn log(level: c_int, text: *const c_char, _: *mut c_void) {
    if WARNINGS_AND_ERRORS.contains(&level) {
        // SAFETY: ggml hands over a text that ends with zero.
        let text = unsafe { CStr::from_ptr(text) };
        // Where this cannot be said there is nobody to say that to.
        let _ = stderr().write_all(text.to_bytes());
    }
}
