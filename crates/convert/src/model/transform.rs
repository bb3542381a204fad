//! What happens to a tensor's rows between source and file, as data.
//!
//! A transformation here moves whole rows and never touches a weight's value, so it can be applied while a
//! tensor streams through in chunks: whoever writes row `r` asks which source row it is. Changes of values
//! and of shapes belong to families that need them.

/// A rearrangement of a tensor's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// Rows stay where they are.
    None,
    /// The two halves of each attention head are interleaved.
    ///
    /// Hugging Face's Llama rotates component `i` of a head together with `i + d/2`; llama.cpp rotates
    /// neighbours `2i` and `2i + 1`. A bias permutes as the rows of its matrix do.
    PermuteHeads {
        /// The number of heads; it divides the number of rows, and each head's part is even.
        heads: u64,
    },
}

impl Transform {
    /// The source row that becomes row `row` of a tensor with `rows` rows.
    pub fn source_row(self, row: u64, rows: u64) -> u64 {
        match self {
            Self::None => row,
            Self::PermuteHeads { heads } => {
                let head_rows = rows / heads.max(1);
                if head_rows < 2 {
                    return row;
                }
                let (head, within) = (row / head_rows, row % head_rows);
                head * head_rows + (within % 2) * (head_rows / 2) + within / 2
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rule as the format's authors state it: view the rows as (heads, 2, d/2), swap the last two axes.
    fn reshaped(heads: u64, head_rows: u64) -> Vec<u64> {
        let half = head_rows / 2;
        let mut order = Vec::new();
        for head in 0..heads {
            for pair in 0..half {
                for side in 0..2 {
                    order.push((head * 2 + side) * half + pair);
                }
            }
        }
        order
    }

    #[test]
    fn rows_without_a_transformation_stay() {
        assert_eq!((0..5).map(|row| Transform::None.source_row(row, 5)).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    proptest! {
        #[test]
        fn permuted_rows_are_those_of_the_reshaped_matrix(heads in 1u64..9, half in 1u64..70) {
            let rows = heads * half * 2;
            let order: Vec<u64> =
                (0..rows).map(|row| Transform::PermuteHeads { heads }.source_row(row, rows)).collect();
            prop_assert_eq!(order, reshaped(heads, half * 2));
        }
    }
}
