//! An instruction set that a program forces: a choice for the whole process, and hence a test of its own.

#![allow(clippy::unwrap_used)]

use briq_codec::Isa;
use briq_format::TensorType;
use briq_kernels::{Activations, dot, instruction_set, matrix_instructions};

#[test]
fn what_a_program_forces_is_used_alone_and_for_good() {
    let [scalar, .., widest] = Isa::available()[..] else { return };
    scalar.force().unwrap();
    assert_eq!(Isa::forced(), Ok(Some(scalar)));
    assert_eq!((Isa::best(), instruction_set(), matrix_instructions()), (scalar, scalar.name(), None));
    let activations = Activations::encode(TensorType::Q8_0, &[1.0; 32]).unwrap();
    assert_eq!(dot(TensorType::Q4_0, &[0; 18], &activations), Ok(0.0));
    assert_eq!(widest.force(), Err(scalar));
    assert_eq!((scalar.force(), Isa::best()), (Ok(()), scalar));
}
