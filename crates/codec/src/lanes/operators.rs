//! The arithmetic operators of lane types.

/// Implements binary operators, each by an intrinsic, and the negation by `flip_sign`.
macro_rules! operators {
    ($lanes:ident: $($trait:ident $method:ident $intrinsic:ident;)*) => {
        $(impl $trait for $lanes {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: the type is private to `lanes`; all other code meets it below `dispatch` alone, which has
                // found the instruction set. This is the proof of every call that needs nothing else, of those that
                // make the first value too.
                unsafe { Self($intrinsic(self.0, other.0)) }
            }
        })*

        impl Neg for $lanes {
            type Output = Self;

            #[inline(always)]
            fn neg(self) -> Self {
                self.flip_sign()
            }
        }
    };
}

pub(super) use operators;
