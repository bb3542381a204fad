//! Kernels allocate nothing: a runtime calls them for every token.

#![allow(clippy::unwrap_used)]
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use briq_format::TensorType;
use briq_kernels::{Activations, Matrix, Products, can_dot, dot, matmul_rows, matvec_here, partner};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: the system's allocator does all that is asked for.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_product_allocates_nothing_once_its_activations_are_there() {
    for &ty in TensorType::ALL.iter().filter(|&&ty| can_dot(ty)) {
        let row_bytes = ty.row_bytes(512).unwrap() as usize;
        let bytes = vec![0; 5 * row_bytes];
        let matrix = Matrix::new(ty, &bytes, 512).unwrap();
        // A few vectors, most of a panel, and enough for instructions that multiply matrices; one vector with the byte that has no counterpart of the other sign.
        let mut batch = vec![Activations::encode(partner(ty).unwrap(), &[0.5; 512]).unwrap(); 20];
        let mut blocks = batch[1].blocks();
        blocks[20] = 0x80;
        batch[1] = Activations::from_blocks(partner(ty).unwrap(), &blocks).unwrap();
        let mut out = vec![0.0; 5 * 20];
        // The first product asks which instructions the processor has.
        dot(ty, &bytes[..row_bytes], &batch[0]).unwrap();

        let before = ALLOCATIONS.get();
        batch[0].encode_again(&[0.25; 512]).unwrap();
        dot(ty, &bytes[..row_bytes], &batch[0]).unwrap();
        matvec_here(&matrix, &batch[0], &mut out[..5]).unwrap();
        for count in [3, 12, 20] {
            let out = Products::new(&mut out[..5 * count]);
            matmul_rows(&matrix, 0..matrix.rows(), &batch[..count], out).unwrap();
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{ty}");
    }
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![0_u8]));
    assert_eq!(ALLOCATIONS.get() - before, 1, "the allocator counts");
}
