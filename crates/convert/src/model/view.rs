//! Which numbers of a source tensor become a tensor of the file, in which order, and how they change.
//!
//! Whatever a family does to a tensor (permute heads, transpose, cut out a part, stack experts) is said as a list
//! of slices, one behind the other. A slice is a strided walk over one source tensor, so that any range of the
//! result can be read by itself and no tensor need ever be whole in memory.

/// One axis of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// Steps.
    pub length: u64,
    /// Elements of the source from one step to the next.
    pub stride: u64,
}

/// A walk over a tensor: from element `start`, with the last axis running fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The first element.
    pub start: u64,
    /// The axes, outermost first.
    pub axes: Vec<Axis>,
}

impl View {
    /// The walk over a tensor of this shape, outermost dimension first, in its own order.
    pub fn of(shape: &[u64]) -> Self {
        let mut stride = 1_u64;
        let mut axes: Vec<Axis> = Vec::with_capacity(shape.len());
        for &length in shape.iter().rev() {
            axes.push(Axis { length, stride });
            // The tensor is in a file, so that its elements are counted in 64 bits.
            stride = stride.saturating_mul(length);
        }
        axes.reverse();
        Self { start: 0, axes }
    }

    /// Takes an axis apart, outermost part first; `None` unless the parts make up the axis.
    pub fn split(mut self, axis: usize, lengths: &[u64]) -> Option<Self> {
        let whole = *self.axes.get(axis)?;
        let product = lengths.iter().try_fold(1_u64, |product, length| product.checked_mul(*length))?;
        if product != whole.length || product == 0 {
            return None;
        }
        // The parts make up the axis, so that none steps further than the axis does.
        let parts = Self::of(lengths).axes.into_iter();
        let parts = parts.map(|part| Axis { stride: part.stride * whole.stride, ..part });
        self.axes.splice(axis..=axis, parts);
        Some(self)
    }

    /// Exchanges two axes; `None` when there is no such axis.
    pub fn swap(mut self, one: usize, other: usize) -> Option<Self> {
        if one.max(other) >= self.axes.len() {
            return None;
        }
        self.axes.swap(one, other);
        Some(self)
    }

    /// Keeps `count` steps of an axis, from step `from` on; `None` when it has fewer.
    pub fn narrow(mut self, axis: usize, from: u64, count: u64) -> Option<Self> {
        let whole = self.axes.get_mut(axis)?;
        if from.checked_add(count)? > whole.length {
            return None;
        }
        whole.length = count;
        // An element of the tensor, or where there are none the one behind the last.
        self.start += from * whole.stride;
        Some(self)
    }

    /// Keeps one step of two of an axis, from step `from` on; `None` unless its length is even.
    pub fn every_second(self, axis: usize, from: u64) -> Option<Self> {
        let half = self.axes.get(axis)?.length / 2;
        // Pairs as an axis of their own, one step of which is kept.
        self.split(axis, &[half, 2])?.narrow(axis + 1, from, 1)
    }

    /// How many elements are walked over.
    pub fn elements(&self) -> u64 {
        self.axes.iter().map(|axis| axis.length).product()
    }

    /// The same walk with as few axes as can be; at least one.
    pub fn simplified(self) -> Self {
        let mut axes: Vec<Axis> = Vec::with_capacity(self.axes.len());
        for axis in self.axes.into_iter().filter(|axis| axis.length != 1) {
            match axes.last_mut() {
                Some(outer) if outer.stride == axis.length * axis.stride => {
                    *outer = Axis { length: outer.length * axis.length, stride: axis.stride };
                }
                _ => axes.push(axis),
            }
        }
        if axes.is_empty() {
            axes.push(Axis { length: 1, stride: 1 });
        }
        Self { start: self.start, axes }
    }

    /// The source element of step `index`.
    #[cfg(test)]
    pub(crate) fn element(&self, index: u64) -> u64 {
        let mut rest = index;
        let mut at = self.start;
        for axis in self.axes.iter().rev() {
            at += rest % axis.length * axis.stride;
            rest /= axis.length;
        }
        at
    }
}

/// What becomes of each number. Numbers that a checkpoint stores as F16 stay F16 at every step, as they do in
/// the converter; all others are F32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Nothing.
    Same,
    /// `x + 1`: norms that are stored as the difference from one.
    PlusOne,
    /// `-exp(x)`: the decay of a state space, stored as a logarithm.
    NegativeExponential,
    /// `x * a * b`, one after the other.
    Times([f32; 2]),
    /// The nearest of `-s`, 0 and `s`, where `s` is the mean of all `|x|` of the source tensor.
    Ternary,
}

/// A part of a tensor of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// Which numbers, in which order.
    pub view: View,
    /// What becomes of them.
    pub value: Value,
}

/// How a source tensor lies in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Arranged {
    /// The shape in the file, outermost dimension first.
    pub shape: Vec<u64>,
    /// Its parts, one behind the other.
    pub slices: Vec<Slice>,
}

impl Arranged {
    /// One walk; `None` unless it has as many elements as the shape.
    pub fn new(shape: Vec<u64>, view: View) -> Option<Self> {
        Self::joined(shape, vec![view])
    }

    /// Walks one behind the other; `None` unless they have together as many elements as the shape.
    pub fn joined(shape: Vec<u64>, views: Vec<View>) -> Option<Self> {
        let elements = views.iter().try_fold(0_u64, |sum, view| sum.checked_add(view.elements()))?;
        let wanted = shape.iter().try_fold(1_u64, |product, length| product.checked_mul(*length))?;
        let slices = views.into_iter().map(|view| Slice { view: view.simplified(), value: Value::Same });
        (wanted == elements).then(|| Self { shape, slices: slices.collect() })
    }

    /// The same with every number changed.
    pub fn with(mut self, value: Value) -> Self {
        self.slices.iter_mut().for_each(|slice| slice.value = value);
        self
    }

    /// Whether the numbers are those of the source in its order.
    pub fn is_unchanged(&self) -> bool {
        let whole = |slice: &Slice| {
            slice.view.start == 0
                && slice.value == Value::Same
                && matches!(slice.view.axes[..], [Axis { stride: 1, .. }])
        };
        matches!(&self.slices[..], [slice] if whole(slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(view: &View) -> Vec<u64> {
        (0..view.elements()).map(|index| view.element(index)).collect()
    }

    #[test]
    fn walks_are_those_of_the_reshaped_and_sliced_array() {
        let matrix = View::of(&[4, 3]);
        assert_eq!(walked(&matrix), (0..12).collect::<Vec<_>>());
        assert_eq!(walked(&matrix.clone().swap(0, 1).unwrap()), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
        assert_eq!(walked(&matrix.clone().narrow(0, 1, 2).unwrap()), (3..9).collect::<Vec<_>>());
        assert_eq!(walked(&matrix.clone().every_second(0, 1).unwrap()), [3, 4, 5, 9, 10, 11]);
        let halves = matrix.split(0, &[2, 2]).unwrap().swap(0, 1).unwrap();
        assert_eq!(walked(&halves), [0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10, 11]);
    }

    #[test]
    fn a_simplified_walk_is_the_same_walk() {
        let views = [
            View::of(&[4, 1, 6]),
            View::of(&[1, 1]),
            View::of(&[4, 6]).swap(0, 1).unwrap(),
            View::of(&[4, 6]).split(0, &[2, 2]).unwrap(),
            View::of(&[8, 3]).split(0, &[2, 2, 2]).unwrap().swap(1, 2).unwrap(),
            View::of(&[8, 6]).narrow(0, 2, 4).unwrap(),
        ];
        for view in views {
            let simplified = view.clone().simplified();
            assert_eq!(walked(&simplified), walked(&view));
            assert!(simplified.axes.len() <= view.axes.len().max(1));
        }
        assert_eq!(View::of(&[4, 1, 6]).simplified().axes, [Axis { length: 24, stride: 1 }]);
    }

    #[test]
    fn what_does_not_fit_is_no_walk() {
        let view = || View::of(&[6, 2]);
        assert_eq!(view().split(0, &[4, 2]), None);
        assert_eq!(view().split(0, &[0, 6]), None);
        assert_eq!(view().split(0, &[u64::MAX, 2]), None);
        assert_eq!(view().split(2, &[1]), None);
        assert_eq!(view().narrow(0, 5, 2), None);
        assert_eq!(view().narrow(0, u64::MAX, 2), None);
        assert_eq!(view().swap(0, 2), None);
        assert_eq!(View::of(&[3]).every_second(0, 0), None);
        assert_eq!(Arranged::new(vec![5], view()), None);
        assert_eq!(Arranged::new(vec![1 << 32, 1 << 32], View::of(&[0])), None);
    }
}
