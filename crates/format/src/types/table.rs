//! THE TABLE, and the two macros that hand out its names.

/// The table: `id, Name, elements_per_block, Content, "description";` per type, by id.
///
/// A layout struct of the same name exists in [`block`](crate::block); it gives the bytes per block. The macro that is
/// named gets the arguments and then the rows.
#[doc(hidden)]
#[macro_export]
macro_rules! type_table {
    ([$($callback:tt)+] $($argument:tt)*) => {
        $($callback)+! {
            $($argument)*
            0, F32, 1, Weights, "32-bit float";
            1, F16, 1, Weights, "16-bit float";
            2, Q4_0, 32, Weights, "32 weights, 4 bits each; one scale";
            3, Q4_1, 32, Weights, "32 weights, 4 bits each; a scale and a minimum";
            6, Q5_0, 32, Weights, "32 weights, 5 bits each; one scale";
            7, Q5_1, 32, Weights, "32 weights, 5 bits each; a scale and a minimum";
            8, Q8_0, 32, Weights, "32 weights, 8 bits each; one scale";
            9, Q8_1, 32, Activations, "32 activations, 8 bits each; a scale and the scaled sum";
            10, Q2_K, 256, Weights, "256 weights, 2 bits each; a 4-bit scale and minimum per 16";
            11, Q3_K, 256, Weights, "256 weights, 3 bits each; a 6-bit scale per 16";
            12, Q4_K, 256, Weights, "256 weights, 4 bits each; a 6-bit scale and minimum per 32";
            13, Q5_K, 256, Weights, "256 weights, 5 bits each; a 6-bit scale and minimum per 32";
            14, Q6_K, 256, Weights, "256 weights, 6 bits each; an 8-bit scale per 16";
            15, Q8_K, 256, Activations, "256 activations, 8 bits each; a 32-bit scale and a sum per 16";
            16, IQ2_XXS, 256, Weights, "256 weights, points of a 256-point grid per 8; a 4-bit scale per 32";
            17, IQ2_XS, 256, Weights, "256 weights, points of a 512-point grid per 8; a 4-bit scale per 16";
            18, IQ3_XXS, 256, Weights, "256 weights, points of a 256-point grid per 4; a 4-bit scale per 32";
            19, IQ1_S, 256, Weights, "256 weights, points of a 2048-point ternary grid per 8; a 3-bit scale per 32";
            20, IQ4_NL, 32, Weights, "32 weights, 4 bits each into a table of 16 levels; one scale";
            21, IQ3_S, 256, Weights, "256 weights, points of a 512-point grid per 4; a 4-bit scale per 32";
            22, IQ2_S, 256, Weights, "256 weights, points of a 1024-point grid per 8; a 4-bit scale per 16";
            23, IQ4_XS, 256, Weights, "256 weights, 4 bits each into a table of 16 levels; a 6-bit scale per 32";
            24, I8, 1, Integers, "8-bit integer";
            25, I16, 1, Integers, "16-bit integer";
            26, I32, 1, Integers, "32-bit integer";
            27, I64, 1, Integers, "64-bit integer";
            28, F64, 1, Doubles, "64-bit float";
            29, IQ1_M, 256, Weights, "256 weights, points of a 2048-point ternary grid per 8; a 3-bit scale per 16";
            30, BF16, 1, Weights, "16-bit float with the exponent range of F32";
            34, TQ1_0, 256, Weights, "256 ternary weights, five to a byte; one scale";
            35, TQ2_0, 256, Weights, "256 ternary weights, 2 bits each; one scale";
            39, MXFP4, 32, Weights, "32 weights, 4-bit floats; a power of two as scale";
            40, NVFP4, 64, Weights, "64 weights, 4-bit floats; an 8-bit float as scale per 16";
            41, Q1_0, 128, Weights, "128 weights, a sign bit each; one scale";
            42, Q2_0, 64, Weights, "64 weights, 2 bits each; one scale";
        }
    };
}

/// Calls a macro with the names of all types, by id: for whatever is done by the type of a block.
///
/// ```
/// use briq_format::{TensorType, block, for_each_type};
///
/// fn alignment(ty: TensorType) -> usize {
///     macro_rules! dispatch {
///         ($($name:ident)*) => { match ty { $(TensorType::$name => align_of::<block::$name>(),)* } };
///     }
///     for_each_type!(dispatch)
/// }
/// assert_eq!(alignment(TensorType::Q4_K), 1);
/// ```
#[macro_export]
macro_rules! for_each_type {
    (@names $callback:ident
        $($id:literal, $name:ident, $elements:literal, $content:ident, $description:literal;)*
    ) => {
        $callback! { $($name)* }
    };
    ($callback:ident) => {
        $crate::type_table! { [$crate::for_each_type] @names $callback }
    };
}

/// As [`for_each_type!`], with the types that weights are kept in; names that are given with the macro go before them.
///
/// ```
/// macro_rules! names {
///     ($($name:ident)*) => { [$(stringify!($name)),*] };
/// }
/// assert_eq!(briq_format::for_each_weight_type!(names)[..3], ["F32", "F16", "Q4_0"]);
/// assert_eq!(briq_format::for_each_weight_type!(names F64)[..3], ["F64", "F32", "F16"]);
/// ```
#[macro_export]
macro_rules! for_each_weight_type {
    (@names $callback:ident [$($found:ident)*]) => {
        $callback! { $($found)* }
    };
    (@names $callback:ident [$($found:ident)*]
        $id:literal, $name:ident, $elements:literal, Weights, $description:literal; $($rest:tt)*
    ) => {
        $crate::for_each_weight_type! { @names $callback [$($found)* $name] $($rest)* }
    };
    (@names $callback:ident $found:tt
        $id:literal, $name:ident, $elements:literal, $content:ident, $description:literal; $($rest:tt)*
    ) => {
        $crate::for_each_weight_type! { @names $callback $found $($rest)* }
    };
    ($callback:ident $($more:ident)*) => {
        $crate::type_table! { [$crate::for_each_weight_type] @names $callback [$($more)*] }
    };
}
