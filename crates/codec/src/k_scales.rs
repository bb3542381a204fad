//! The eight 6-bit scales and eight 6-bit minimums of Q4_K and Q5_K, in 12 bytes.

/// Unpacked, one per sub-block of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalesAndMinimums {
    /// Units of the block's scale, 0 to 63.
    pub scales: [u8; 8],
    /// Units of the block's minimum, 0 to 63.
    pub minimums: [u8; 8],
}

/// Takes apart the field `scales_and_minimums`.
#[inline(always)]
pub fn unpack(bytes: &[u8; 12]) -> ScalesAndMinimums {
    // Four at a time, a byte each of a word.
    let words = bytes.as_chunks().0;
    let [scale, minimum, low] = [words[0], words[1], words[2]].map(u32::from_le_bytes);
    let low_six = |word: u32| u64::from(word & 0x3F3F_3F3F);
    let joined = |low: u32, high: u32| u64::from(low & 0x0F0F_0F0F | high >> 2 & 0x3030_3030);
    ScalesAndMinimums {
        scales: (low_six(scale) | joined(low, scale) << 32).to_le_bytes(),
        minimums: (low_six(minimum) | joined(low >> 4, minimum) << 32).to_le_bytes(),
    }
}

/// Inverse of [`unpack`]. Of values above 63 the higher bits spill into others, as in the reference.
pub(crate) fn pack(unpacked: &ScalesAndMinimums) -> [u8; 12] {
    let ScalesAndMinimums { scales, minimums } = unpacked;
    let mut bytes = [0; 12];
    for i in 0..4 {
        bytes[i] = scales[i] | scales[i + 4] >> 4 << 6;
        bytes[i + 4] = minimums[i] | minimums[i + 4] >> 4 << 6;
        bytes[i + 8] = scales[i + 4] & 15 | minimums[i + 4] << 4;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_twelve_bytes_come_back(bytes in any::<[u8; 12]>()) {
            let unpacked = unpack(&bytes);
            prop_assert!(unpacked.scales.iter().chain(&unpacked.minimums).all(|&code| code < 64));
            prop_assert_eq!(pack(&unpacked), bytes);
        }
    }

    #[test]
    fn a_scale_lies_where_the_layout_says() {
        let mut bytes = [0; 12];
        bytes[9] = 0x0A;
        bytes[1] = 0x80;
        assert_eq!(unpack(&bytes).scales, [0, 0, 0, 0, 0, 0x2A, 0, 0]);
        bytes = [0; 12];
        bytes[11] = 0xC0;
        bytes[7] = 0x45;
        assert_eq!(unpack(&bytes).minimums, [0, 0, 0, 5, 0, 0, 0, 0x1C]);
    }
}
