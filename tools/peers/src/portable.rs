//! ggml's dot products as they are written for every processor, called in its library for plain x86-64.
//!
//! Most are there twice, for the processor and as `_generic`; of the others the library has nothing but the plain loop,
//! because their vectors need more than SSE2. It is built without fused multiply-add. Nothing here judges.
#![expect(unsafe_code, reason = "calls into a C library")]

use std::ffi::{c_int, c_void};
use std::path::Path;

use anyhow::{Result, ensure};
use briq_format::TensorType::{self, *};
use briq_kernels::partner;
use libloading::os::unix::Library;

use crate::ggml::{Ggml, lower_name, open, symbol};

type Initialise = unsafe extern "C" fn();
type VecDot = unsafe extern "C" fn(c_int, *mut f32, usize, *const c_void, usize, *const c_void, usize, c_int);

/// The loaded libraries.
pub(crate) struct Portable {
    library: Library,
    base: Ggml,
}

/// ggml's dot product of one type, for rows of one length.
pub(crate) struct VectorDot<'library> {
    function: VecDot,
    elements: c_int,
    row_bytes: usize,
    activation_bytes: usize,
    _portable: &'library Portable,
}

impl Portable {
    /// Loads ggml's base library and `libggml-cpu-x64.so` from the package's folder of libraries.
    ///
    /// # Errors
    /// A library or one of its functions is missing.
    pub(crate) fn load(libraries: &Path) -> Result<Self> {
        let base = Ggml::load(libraries)?;
        let library = open(&libraries.join("libggml-cpu-x64.so"))?;
        // SAFETY: the declaration of this function in ggml-cpu.h; it fills the library's own tables.
        unsafe { symbol::<Initialise>(&library, "ggml_cpu_init")?() };
        Ok(Self { library, base })
    }

    /// ggml's dot product of rows of `elements` weights of `ty`.
    ///
    /// # Errors
    /// ggml has none, or lays the type or its partner out otherwise, or rows are no whole blocks.
    pub(crate) fn vec_dot(&self, ty: TensorType, elements: usize) -> Result<VectorDot<'_>> {
        let partner = partner(ty)?;
        let name = match ty {
            F32 | F16 | BF16 => format!("ggml_vec_dot_{}", lower_name(ty)),
            _ => format!("ggml_vec_dot_{}_{}", lower_name(ty), lower_name(partner)),
        };
        // SAFETY: all functions of these names are declared alike, in ggml's quants.h and vec.h.
        let portable = unsafe { symbol(&self.library, &format!("{name}_generic")) };
        Ok(VectorDot {
            // SAFETY: as above.
            function: portable.or_else(|_| unsafe { symbol(&self.library, &name) })?,
            elements: c_int::try_from(elements)?,
            row_bytes: self.base.row_bytes(ty, elements)?,
            activation_bytes: self.base.row_bytes(partner, elements)?,
            _portable: self,
        })
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
        let (row, activations) = (row.as_ptr().cast(), activations.as_ptr().cast());
        let mut product = 0.0;
        // SAFETY: the lengths were just checked; on this architecture ggml loads at any alignment.
        unsafe { (self.function)(self.elements, &raw mut product, 0, row, 0, activations, 0, 1) };
        Ok(product)
    }
}
