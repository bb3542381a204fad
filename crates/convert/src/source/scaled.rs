//! Tensors of bytes that stand for floats: FP8, alone or with scales in a tensor beside them.
//!
//! Such a tensor is read as the F32 numbers that it stands for, so that nothing behind the source need know of it.
//! A number is its byte's value times the scale of its block, in F32.

use std::sync::Arc;

use briq_format::{Shape, TensorType};

use super::{Element, Source, SourceTensor};
use crate::model::{Config, Scales};
use crate::{Error, Result};

/// Bytes that stand for floats.
#[derive(Clone, Debug)]
pub(super) struct Scaled {
    bytes: SourceTensor,
    code: Code,
    scales: Option<Grid>,
}

/// What a byte stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// A sign, 4 bits of exponent, 3 of fraction; no infinity.
    E4M3,
    /// A sign, 5 bits of exponent, 2 of fraction: the upper half of an F16.
    E5M2,
    /// An integer.
    Integer,
}

/// Scales over the blocks of matrices.
#[derive(Clone, Debug)]
struct Grid {
    tensor: SourceTensor,
    /// Rows of a matrix, and of the scales that belong to it; 0 where all matrices have the same.
    matrix_rows: u64,
    matrix_scale_rows: u64,
    /// Rows and columns that share a scale.
    block: [u64; 2],
    /// Scales side by side.
    columns: u64,
}

impl SourceTensor {
    /// What its elements are stored as, in words.
    pub fn stored_as(&self) -> String {
        match self.scaled.as_deref() {
            None => self.element.to_string(),
            Some(Scaled { bytes, scales: None, .. }) => bytes.element.to_string(),
            Some(Scaled { bytes, scales: Some(grid), .. }) => {
                format!("{} with scales in {}", bytes.element, grid.tensor.element)
            }
        }
    }
}

/// Gives every tensor of FP8 the scales that go with it by its name, as `config.json` says they do, and makes
/// it one of F32. The tensors of scales are no longer tensors of their own.
pub(super) fn join(config: impl FnOnce() -> Result<Config>, mut source: Source) -> Result<Source> {
    let is_coded = |tensor: &SourceTensor| code_of(tensor.element).is_some();
    if !source.tensors.iter().any(is_coded) {
        return Ok(source);
    }
    let Some(rule) = Scales::of(&config()?)? else { return Ok(plain(source)) };
    let (scales, mut tensors): (Vec<_>, Vec<_>) =
        std::mem::take(&mut source.tensors).into_iter().partition(|tensor| rule.are_in(&tensor.name));
    let mut scales: std::collections::BTreeMap<String, SourceTensor> =
        scales.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    for tensor in &mut tensors {
        let Some(code) = code_of(tensor.element) else { continue };
        let name = rule.name_for(&tensor.name);
        let bad = |problem: String| {
            Error::bad(
                source.files[tensor.file].path.clone(),
                format!("tensor \"{}\" {problem}", tensor.name),
            )
        };
        let Some(scale) = scales.remove(&name) else {
            return Err(bad(format!("is stored as {} and has no scales \"{name}\"", tensor.element)));
        };
        let (shown, element) = (scale.shape, scale.element);
        let grid = Grid::new(tensor.shape, scale, rule.block).ok_or_else(|| {
            let blocks = rule.block.map_or(String::new(), |[rows, columns]| format!(" by blocks of {rows}x{columns}"));
            bad(format!(
                "of shape {} has scales of shape {shown} in {element}; allowed is a number for all, for each row, or \
                 for each block{blocks}, in F32, F16 or BF16",
                tensor.shape
            ))
        })?;
        replace(tensor, code, Some(grid));
    }
    // Scales of nothing stay, so that they are found to have no place.
    tensors.extend(scales.into_values());
    source.tensors = tensors;
    Ok(source)
}

/// Makes tensors of FP8 such of F32, as their bytes have it.
pub(super) fn plain(mut source: Source) -> Source {
    for tensor in &mut source.tensors {
        if let Some(code @ (Code::E4M3 | Code::E5M2)) = code_of(tensor.element) {
            replace(tensor, code, None);
        }
    }
    source
}

fn replace(tensor: &mut SourceTensor, code: Code, scales: Option<Grid>) {
    let bytes = tensor.clone();
    // No overflow: a file has fewer than 2^62 bytes.
    tensor.bytes = bytes.bytes.saturating_mul(4);
    tensor.element = Element::Known(TensorType::F32);
    tensor.scaled = Some(Arc::new(Scaled { bytes, code, scales }));
}

fn code_of(element: Element) -> Option<Code> {
    match element {
        Element::Foreign("F8_E4M3") => Some(Code::E4M3),
        Element::Foreign("F8_E5M2") => Some(Code::E5M2),
        Element::Known(TensorType::I8) => Some(Code::Integer),
        _ => None,
    }
}

impl Code {
    fn value(self, byte: u8) -> f32 {
        match self {
            Self::E4M3 => e4m3(byte),
            Self::E5M2 => half::f16::from_bits(u16::from(byte) << 8).to_f32(),
            Self::Integer => byte.cast_signed().into(),
        }
    }
}

/// 2^(e - 7) (1 + f / 8), or 2^-6 f / 8 where e is 0. All ones are no number.
fn e4m3(byte: u8) -> f32 {
    let (exponent, fraction) = (u32::from(byte >> 3 & 0xf), u32::from(byte & 7));
    let magnitude = match byte & 0x7f {
        0x7f => f32::NAN,
        0..8 => fraction as f32 / 512.0,
        // The fraction on top of 23 bits, the exponent off 127 instead of 7.
        _ => f32::from_bits((exponent + 120) << 23 | fraction << 20),
    };
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

impl Grid {
    /// Scales that are one for all, one for each row, or one for each block of the last two dimensions; for each
    /// of the matrices where there are many.
    fn new(shape: Shape, tensor: SourceTensor, block: Option<[u64; 2]>) -> Option<Self> {
        let readable = [TensorType::F32, TensorType::F16, TensorType::BF16];
        if !matches!(tensor.element, Element::Known(ty) if readable.contains(&ty)) {
            return None;
        }
        // Outermost dimension first; the last are of length 1 where they are left out.
        let lengths: Vec<u64> = shape.dims().iter().rev().copied().collect();
        let mut counts: Vec<u64> = tensor.shape.dims().iter().rev().copied().collect();
        if counts.iter().product::<u64>() == 1 {
            counts = vec![1; lengths.len()];
        }
        counts.resize(lengths.len().max(counts.len()), 1);
        let ([matrices @ .., rows, columns], [grids @ .., scale_rows, scale_columns]) =
            (&lengths[..], &counts[..])
        else {
            return None;
        };
        let side = |length: u64, count: u64, size: Option<u64>| match size {
            Some(size) if count == length.div_ceil(size) => Some(size),
            _ if count == 1 => Some(length.max(1)),
            None if count == length => Some(1),
            _ => None,
        };
        let is_shared = grids.iter().all(|&count| count == 1);
        (is_shared || matrices == grids).then_some(())?;
        Some(Self {
            matrix_rows: *rows,
            matrix_scale_rows: if is_shared { 0 } else { *scale_rows },
            block: [
                side(*rows, *scale_rows, block.map(|block| block[0]))?,
                side(*columns, *scale_columns, block.map(|block| block[1]))?,
            ],
            columns: *scale_columns,
            tensor,
        })
    }

    /// Which row of scales is that of a row, counted through all matrices.
    fn row_of(&self, row: u64) -> u64 {
        row / self.matrix_rows * self.matrix_scale_rows + row % self.matrix_rows / self.block[0]
    }
}

impl Source {
    /// Reads numbers of a tensor of bytes as F32, from its byte `at` on, as many as `buffer` takes.
    pub(super) fn read_scaled(&self, scaled: &Scaled, at: u64, buffer: &mut [u8]) -> Result<()> {
        // Whoever reads F32 reads whole numbers of it.
        let (first, count) = (at / 4, buffer.len() / 4);
        let mut bytes = vec![0; count];
        self.read(&scaled.bytes, first, &mut bytes)?;
        let mut values = bytes.iter().map(|&byte| scaled.code.value(byte));
        let (mut slots, _) = buffer.as_chunks_mut::<4>();
        let Some(grid) = &scaled.scales else {
            slots.iter_mut().zip(values).for_each(|(slot, value)| *slot = value.to_le_bytes());
            return Ok(());
        };
        let width = scaled.bytes.shape.row_elements().max(1);
        let (mut at, mut row) = (first, None);
        let mut scales = Vec::new();
        while !slots.is_empty() {
            let scale_row = grid.row_of(at / width);
            if row != Some(scale_row) {
                scales = self.scales(grid, scale_row)?;
                row = Some(scale_row);
            }
            let column = at % width;
            let left = (width - column).min(grid.block[1] - column % grid.block[1]);
            // No more than what is in the buffer.
            let (now, later) = slots.split_at_mut(left.min(slots.len() as u64) as usize);
            let scale = scales.get((column / grid.block[1]) as usize).copied().unwrap_or(f32::NAN);
            at += now.len() as u64;
            now.iter_mut().zip(&mut values).for_each(|(slot, value)| *slot = (value * scale).to_le_bytes());
            slots = later;
        }
        Ok(())
    }

    /// A row of scales.
    fn scales(&self, grid: &Grid, row: u64) -> Result<Vec<f32>> {
        let tensor = &grid.tensor;
        let stored = tensor.element.known().unwrap_or(TensorType::F32);
        let size = stored.block_bytes();
        // As long as a row of the scales' own tensor.
        let mut bytes = vec![0; (grid.columns * size) as usize];
        self.read(tensor, row * grid.columns * size, &mut bytes)?;
        let mut scales = vec![0.0; grid.columns as usize];
        briq_codec::decode(stored, &bytes, &mut scales)
            .map_err(|error| Error::unsupported(format!("tensor \"{}\": {error}", tensor.name)))?;
        Ok(scales)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value of a format by its definition: the finite ones in the order of their bytes are evenly spaced within
    /// each power of two.
    fn defined(byte: u8, exponent_bits: u32, bias: i32) -> f64 {
        let fraction_bits = 7 - exponent_bits;
        let magnitude = u32::from(byte & 0x7f);
        let (exponent, fraction) =
            ((magnitude >> fraction_bits) as i32, magnitude & ((1 << fraction_bits) - 1));
        let fraction = f64::from(fraction) / f64::from(1 << fraction_bits);
        let value = match exponent {
            0 => fraction * f64::from(1 - bias).exp2(),
            _ => (1.0 + fraction) * f64::from(exponent - bias).exp2(),
        };
        if byte < 0x80 { value } else { -value }
    }

    #[test]
    fn every_byte_is_the_number_that_its_format_defines() {
        for byte in 0..=255_u8 {
            let (found, expected) = (Code::E4M3.value(byte), defined(byte, 4, 7));
            match byte & 0x7f {
                0x7f => assert!(found.is_nan(), "{byte:#x}"),
                _ => assert_eq!(f64::from(found), expected, "{byte:#x}"),
            }
            let found = Code::E5M2.value(byte);
            match byte & 0x7f {
                0x7c => assert_eq!(found.abs(), f32::INFINITY),
                0x7d.. => assert!(found.is_nan(), "{byte:#x}"),
                _ => assert_eq!(f64::from(found), defined(byte, 5, 15), "{byte:#x}"),
            }
            assert_eq!(found.is_sign_negative() && !found.is_nan(), byte >= 0x80 && !found.is_nan());
        }
        assert_eq!((Code::E4M3.value(0x7e), Code::E4M3.value(1)), (448.0, 1.0 / 512.0));
        assert_eq!(Code::Integer.value(0x80), -128.0);
    }

    const WIDTH: usize = 6;
    const ROWS: usize = 5;

    /// A directory with a tensor `a.weight` of 5 rows of 6 bytes, and scales beside it.
    fn opened(
        settings: &str,
        ending: &str,
        scales: &[f32],
        shape: &[usize],
    ) -> (tempfile::TempDir, Result<Source>) {
        use safetensors::tensor::{Dtype, TensorView, serialize};
        let directory = tempfile::tempdir().unwrap();
        let config = format!("{{\"quantization_config\": {settings}}}");
        std::fs::write(directory.path().join("config.json"), config).unwrap();
        let bytes: Vec<u8> = (0..(WIDTH * ROWS) as u8).map(|byte| byte * 3).collect();
        let scale_bytes: Vec<u8> = scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
        let weight = TensorView::new(Dtype::F8_E4M3, vec![ROWS, WIDTH], &bytes).unwrap();
        let scale = TensorView::new(Dtype::F32, shape.to_vec(), &scale_bytes).unwrap();
        let tensors = [("a.weight".to_owned(), weight), (format!("a.weight{ending}"), scale)];
        let file = serialize(tensors, None).unwrap();
        std::fs::write(directory.path().join("model.safetensors"), file).unwrap();
        let source = Source::open(directory.path());
        (directory, source)
    }

    const BLOCKS: &str = "{\"quant_method\": \"fp8\", \"weight_block_size\": [2, 4]}";
    const ROW_BY_ROW: &str = "{\"quant_method\": \"fbgemm_fp8\"}";

    #[test]
    fn any_part_is_each_byte_times_the_scale_of_its_block() {
        let scales: Vec<f32> = (1..=6).map(|number| number as f32 * 0.3).collect();
        type ScaleOf = fn(usize, usize) -> usize;
        let cases: [(&str, &str, &[usize], ScaleOf); 4] = [
            (BLOCKS, "_scale_inv", &[3, 2], |row, column| row / 2 * 2 + column / 4),
            (ROW_BY_ROW, "_scale", &[5, 1], |row, _| row),
            (ROW_BY_ROW, "_scale", &[5], |row, _| row),
            (ROW_BY_ROW, "_scale", &[], |_, _| 0),
        ];
        for (settings, ending, shape, scale_of) in cases {
            let count = shape.iter().product();
            let (_directory, source) = opened(settings, ending, &scales[..count], shape);
            let source = source.unwrap();
            let [tensor] = &source.tensors[..] else { panic!("scales are no tensor of their own") };
            assert_eq!((tensor.element, tensor.bytes), (Element::Known(TensorType::F32), 120));
            for (start, end) in [(0, 30), (1, 2), (4, 11), (5, 30), (29, 30), (7, 7)] {
                let mut found = vec![0; (end - start) * 4];
                source.read(tensor, start as u64 * 4, &mut found).unwrap();
                for (index, bytes) in (start..end).zip(found.as_chunks::<4>().0) {
                    let scale = scales[scale_of(index / WIDTH, index % WIDTH)];
                    let expected = defined(index as u8 * 3, 4, 7) as f32 * scale;
                    assert_eq!(f32::from_le_bytes(*bytes), expected, "{settings} {shape:?} {index}");
                }
            }
        }
    }

    #[test]
    fn scales_that_are_missing_or_do_not_fit_are_named() {
        let told = |directory: &tempfile::TempDir, problem: &str| {
            format!("{}: tensor \"a.weight\" {problem}", directory.path().join("model.safetensors").display())
        };
        let (directory, source) = opened(BLOCKS, "_scale", &[1.0], &[1]);
        let message = source.unwrap_err().to_string();
        let problem = "is stored as F8_E4M3 and has no scales \"a.weight_scale_inv\"";
        assert_eq!(message, told(&directory, problem));
        let (directory, source) = opened(BLOCKS, "_scale_inv", &[1.0; 4], &[2, 2]);
        let message = source.unwrap_err().to_string();
        let allowed =
            "a number for all, for each row, or for each block by blocks of 2x4, in F32, F16 or BF16";
        let problem = format!("of shape [6, 5] has scales of shape [2, 2] in F32; allowed is {allowed}");
        assert_eq!(message, told(&directory, &problem));
    }
}
