//! The rearrangements that families share, each a named function: from a source tensor to its place in the file.
//!
//! One that only a single family needs is in that family's file.

use super::dimension::{heads, key_value_heads, vocabulary};
use super::view::{Arranged, Value, View};
use super::{Config, Dimension};
use crate::{Error, Result};

/// A source tensor whose shape is what the config asks for.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Its shape, outermost dimension first.
    pub shape: &'a [u64],
    /// The model's config.
    pub config: &'a Config,
}

/// How a source tensor is laid out in the file.
pub type Arrange = fn(&Tensor<'_>) -> Result<Arranged>;

impl Tensor<'_> {
    /// The walk over the tensor as it is.
    pub fn view(&self) -> View {
        View::of(self.shape)
    }

    /// The length of the outermost dimension.
    pub fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// The shape with another outermost dimension.
    pub fn with_rows(&self, rows: u64) -> Vec<u64> {
        let mut shape = self.shape.to_vec();
        if let Some(first) = shape.first_mut() {
            *first = rows;
        }
        shape
    }

    /// What was arranged, or the error that the tensor's shape does not allow it.
    pub fn check(&self, arranged: Option<Arranged>, problem: &str) -> Result<Arranged> {
        arranged.ok_or_else(|| {
            Error::unsupported(format!("tensor {:?} of shape {:?}: {problem}", self.name, self.shape))
        })
    }
}

/// As it is.
pub(super) fn same(tensor: &Tensor<'_>) -> Result<Arranged> {
    tensor.check(Arranged::new(tensor.shape.to_vec(), tensor.view()), "no tensor can have this shape")
}

/// Each head's two halves interleaved, for queries. Hugging Face's Llama rotates component `i` of a head together
/// with `i + d/2`; llama.cpp rotates neighbours `2i` and `2i + 1`. A bias goes as the rows of its matrix do.
pub(super) fn permute_queries(tensor: &Tensor<'_>) -> Result<Arranged> {
    permute_heads(tensor, heads)
}

/// As [`permute_queries`], by the heads of the keys.
pub(super) fn permute_keys(tensor: &Tensor<'_>) -> Result<Arranged> {
    permute_heads(tensor, key_value_heads)
}

fn permute_heads(tensor: &Tensor<'_>, heads: Dimension) -> Result<Arranged> {
    let heads = heads(tensor.config)?;
    let view = interleave(tensor.view(), 0, heads);
    let arranged = view.and_then(|view| Arranged::new(tensor.shape.to_vec(), view));
    tensor.check(
        arranged,
        &format!("{heads} heads of an odd or fractional size; each needs an even number of rows"),
    )
}

/// The halves of each of `heads` parts of an axis, interleaved.
pub(super) fn interleave(view: View, axis: usize, heads: u64) -> Option<View> {
    let half = view.axes.get(axis)?.length / heads.max(1) / 2;
    view.split(axis, &[heads, 2, half])?.swap(axis + 1, axis + 2)
}

/// The last two dimensions exchanged; a vector stays.
pub(super) fn transpose(tensor: &Tensor<'_>) -> Result<Arranged> {
    let rank = tensor.shape.len();
    if rank < 2 {
        return same(tensor);
    }
    let mut shape = tensor.shape.to_vec();
    shape.swap(rank - 2, rank - 1);
    let view = tensor.view().swap(rank - 2, rank - 1);
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), "cannot be transposed")
}

/// Rows that lie head by head as query, key and value, brought to all queries, all keys, all values.
pub(super) fn group_by_projection(tensor: &Tensor<'_>) -> Result<Arranged> {
    let heads = heads(tensor.config)?;
    let view = tensor.view().split(0, &[heads, 3, tensor.rows() / heads.max(1) / 3]);
    let view = view.and_then(|view| view.swap(0, 1));
    let arranged = view.and_then(|view| Arranged::new(tensor.shape.to_vec(), view));
    tensor.check(arranged, &format!("its rows are no query, key and value for each of {heads} heads"))
}

/// The first half of the rows of each matrix: the gates of a fused pair.
pub(super) fn first_half(tensor: &Tensor<'_>) -> Result<Arranged> {
    half(tensor, 0)
}

/// The second half of the rows of each matrix.
pub(super) fn second_half(tensor: &Tensor<'_>) -> Result<Arranged> {
    half(tensor, 1)
}

fn half(tensor: &Tensor<'_>, which: u64) -> Result<Arranged> {
    let axis = tensor.shape.len().saturating_sub(2);
    let mut shape = tensor.shape.to_vec();
    let half = shape.get(axis).copied().unwrap_or(0) / 2;
    let view = tensor.view().split(axis, &[2, half]).and_then(|view| view.narrow(axis, which, 1));
    shape.iter_mut().skip(axis).take(1).for_each(|length| *length = half);
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), "its rows are no two halves")
}

/// Dimensions of length 1 left out, except where one is all there is.
pub(super) fn squeeze(tensor: &Tensor<'_>) -> Result<Arranged> {
    let mut shape: Vec<u64> = tensor.shape.iter().copied().filter(|&length| length != 1).collect();
    if shape.is_empty() {
        shape.push(1);
    }
    tensor.check(Arranged::new(shape, tensor.view()), "no tensor can have this shape")
}

/// The middle one of three dimensions, which is 1, left out: a convolution of each channel by itself.
pub(super) fn without_middle(tensor: &Tensor<'_>) -> Result<Arranged> {
    let shape = match *tensor.shape {
        [channels, 1, kernel] => vec![channels, kernel],
        ref other => other.to_vec(),
    };
    tensor.check(Arranged::new(shape, tensor.view()), "its middle dimension is not 1")
}

/// A vector as a matrix of one column.
pub(super) fn column(tensor: &Tensor<'_>) -> Result<Arranged> {
    let shape = vec![tensor.rows(), 1];
    tensor.check(Arranged::new(shape, tensor.view()), "is no vector")
}

/// `x + 1` throughout.
pub(super) fn plus_one(tensor: &Tensor<'_>) -> Result<Arranged> {
    Ok(same(tensor)?.with(Value::PlusOne))
}

/// `-exp(x)` throughout.
pub(super) fn negative_exponential(tensor: &Tensor<'_>) -> Result<Arranged> {
    Ok(same(tensor)?.with(Value::NegativeExponential))
}

/// `-exp(x)` throughout, of a vector as a matrix of one column.
pub(super) fn negative_exponential_column(tensor: &Tensor<'_>) -> Result<Arranged> {
    Ok(column(tensor)?.with(Value::NegativeExponential))
}

/// The rows of the config's vocabulary: some embeddings have more, which no token uses.
pub(super) fn vocabulary_rows(tensor: &Tensor<'_>) -> Result<Arranged> {
    let count = vocabulary(tensor.config)?;
    let view = tensor.view().narrow(0, 0, count);
    let arranged = view.and_then(|view| Arranged::new(tensor.with_rows(count), view));
    tensor.check(arranged, &format!("fewer rows than the vocabulary's {count}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source elements in the order of the file, for a tensor of this shape.
    fn order(arrange: Arrange, config: &str, shape: &[u64]) -> Result<(Vec<u64>, Vec<u64>)> {
        let config = Config::from_text(config);
        let arranged = arrange(&Tensor { name: "w", shape, config: &config })?;
        let walk = |view: &View| (0..view.elements()).map(|index| view.element(index)).collect::<Vec<_>>();
        Ok((arranged.shape, arranged.slices.iter().flat_map(|slice| walk(&slice.view)).collect()))
    }

    const HEADS: &str = "{\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"vocab_size\": 3}";

    #[test]
    fn heads_are_interleaved_by_their_own_count_and_a_bias_as_its_matrix() {
        assert_eq!(order(permute_queries, HEADS, &[8]).unwrap().1, [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(order(permute_keys, HEADS, &[8]).unwrap().1, [0, 4, 1, 5, 2, 6, 3, 7]);
        let (shape, matrix) = order(permute_queries, HEADS, &[8, 2]).unwrap();
        assert_eq!((shape, &matrix[..6]), (vec![8, 2], &[0, 1, 4, 5, 2, 3][..]));
        let message = order(permute_queries, HEADS, &[6, 2]).unwrap_err().to_string();
        let problem = "2 heads of an odd or fractional size; each needs an even number of rows";
        assert_eq!(message, format!("tensor \"w\" of shape [6, 2]: {problem}"));
    }

    #[test]
    fn each_named_rearrangement_is_what_it_says() {
        type Case = (Arrange, &'static [u64], &'static [u64], &'static [u64]);
        let cases: [Case; 10] = [
            (same, &[2, 2], &[2, 2], &[0, 1, 2, 3]),
            (transpose, &[2, 3], &[3, 2], &[0, 3, 1, 4, 2, 5]),
            (transpose, &[2, 2, 2], &[2, 2, 2], &[0, 2, 1, 3, 4, 6, 5, 7]),
            (transpose, &[3], &[3], &[0, 1, 2]),
            (group_by_projection, &[6], &[6], &[0, 3, 1, 4, 2, 5]),
            (first_half, &[2, 2, 2], &[2, 1, 2], &[0, 1, 4, 5]),
            (second_half, &[2, 2, 2], &[2, 1, 2], &[2, 3, 6, 7]),
            (squeeze, &[1, 2, 1], &[2], &[0, 1]),
            (without_middle, &[2, 1, 2], &[2, 2], &[0, 1, 2, 3]),
            (vocabulary_rows, &[4, 2], &[3, 2], &[0, 1, 2, 3, 4, 5]),
        ];
        for (arrange, shape, expected_shape, expected) in cases {
            let (found_shape, found) = order(arrange, HEADS, shape).unwrap();
            assert_eq!((found_shape.as_slice(), found.as_slice()), (expected_shape, expected), "{shape:?}");
        }
        assert_eq!(order(column, HEADS, &[3]).unwrap().0, [3, 1]);
        assert_eq!(order(negative_exponential_column, HEADS, &[3]).unwrap().0, [3, 1]);
    }

    #[test]
    fn shapes_that_do_not_allow_it_are_refused() {
        let cases: [(Arrange, &[u64]); 4] = [
            (group_by_projection, &[8]),
            (first_half, &[3, 2]),
            (vocabulary_rows, &[2, 2]),
            (column, &[2, 2]),
        ];
        for (arrange, shape) in cases {
            assert!(order(arrange, HEADS, shape).is_err(), "{shape:?}");
        }
    }
}
