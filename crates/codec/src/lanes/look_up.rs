//! Tables of eight numbers, looked up by digits that lie packed in 16 bits: a code per lane. Tables of sixteen, looked
//! up by codes that are found among bounds.

/// Lanes that look numbers up.
pub(crate) trait LookUp: Sized {
    /// A packed code in every lane.
    type Codes: Copy;

    /// Lane `i` holds `codes[i]`; there are at least as many as lanes.
    fn load_codes(codes: &[u16]) -> Self::Codes;

    /// The same for codes of a byte.
    fn load_byte_codes(codes: &[u8]) -> Self::Codes;

    /// The bits of each lane as a code.
    fn to_codes(self) -> Self::Codes;

    /// Codes without their lowest bits, `shift` of them, as the bits of lanes.
    fn from_codes(codes: Self::Codes, shift: usize) -> Self;

    /// The number of `table` that the three bits from `shift` on choose. Above a digit of two bits a third belongs
    /// to the next one: a table for such digits holds its four numbers twice.
    fn look_up(table: &[f32; 8], codes: Self::Codes, shift: usize) -> Self;

    /// How many of the `bounds`, which ascend, this number is not less than. A NaN is not less than any.
    fn count_reached(self, bounds: &[f32; 15]) -> Self::Codes;

    /// The number of `table` that the low four bits of the code choose.
    fn look_up_16(table: &[f32; 16], codes: Self::Codes) -> Self;

    /// The least of the lanes; no lane is NaN.
    fn least(self) -> f32;
}

impl LookUp for f32 {
    type Codes = u32;

    #[inline(always)]
    fn load_codes(codes: &[u16]) -> u32 {
        codes[0].into()
    }

    #[inline(always)]
    fn load_byte_codes(codes: &[u8]) -> u32 {
        codes[0].into()
    }

    #[inline(always)]
    fn to_codes(self) -> u32 {
        self.to_bits()
    }

    #[inline(always)]
    fn from_codes(codes: u32, shift: usize) -> Self {
        Self::from_bits(codes >> shift)
    }

    #[inline(always)]
    fn look_up(table: &[f32; 8], codes: u32, shift: usize) -> Self {
        table[(codes >> shift & 7) as usize]
    }

    #[inline(always)]
    fn count_reached(self, bounds: &[f32; 15]) -> u32 {
        let mut reached = 0;
        for &bound in bounds {
            // Not `self >= bound`, which a NaN is not.
            let below = self < bound;
            reached += u32::from(!below);
        }
        reached
    }

    #[inline(always)]
    fn look_up_16(table: &[f32; 16], codes: u32) -> Self {
        table[(codes & 15) as usize]
    }

    #[inline(always)]
    fn least(self) -> f32 {
        self
    }
}
