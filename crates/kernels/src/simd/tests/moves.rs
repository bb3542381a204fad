//! Loading, spreading and joining.

use std::array::from_fn;

use zerocopy::transmute;

use super::{Input, same};
use crate::simd::Simd;

pub(super) fn check<S: Simd>(simd: S, input: &Input) {
    let Input { a, b, bits, .. } = *input;
    let ([words, ..], [ints, ..]) = (input.words(), input.ints());
    let (sixteen, eight) = (input.sixteen(), input.eight());

    same(simd, "load", simd.load(&a), a);
    same(simd, "load_signed", simd.load_signed(&a.map(u8::cast_signed)), a);
    same(simd, "load_words", simd.load_words(&words), words);
    same(simd, "load_ints", simd.load_ints(&ints), ints);
    same(simd, "load_twice", simd.load_twice(sixteen), from_fn::<_, 32, _>(|i| sixteen[i % 16]));
    same(simd, "join_four", simd.join_four(transmute!(a)), a);
    same(simd, "join_eight", simd.join_eight(transmute!(a)), a);
    same(simd, "gather", simd.gather(transmute!(a)), a);
    same(
        simd,
        "halves",
        simd.halves(simd.load(&a), simd.load(&b)),
        from_fn::<_, 32, _>(|i| [a, b][i / 16][i]),
    );

    let register = simd.load(&a);
    let (mut signed, mut stored_words, mut stored_ints) = ([0; 32], [0; 16], [0; 8]);
    simd.store_signed(register, &mut signed);
    simd.store_words(register, &mut stored_words);
    simd.store_ints(register, &mut stored_ints);
    assert_eq!((signed, stored_words, stored_ints), (a.map(u8::cast_signed), words, ints));

    let rows: [_; 8] = from_fn(|i| ints.map(|int| int.rotate_left(i as u32)));
    for (i, column) in simd.transpose(rows.map(|row| simd.load_ints(&row))).into_iter().enumerate() {
        same(simd, "transpose", column, rows.map(|row| row[i]));
    }
    let alternate = from_fn::<_, 16, _>(|i| input.words()[i % 2][i / 2 * 2]);
    same(simd, "alternate_words", simd.alternate_words(register, simd.load(&b)), alternate);

    let nibble = |byte: u8, upper| byte >> (4 * usize::from(upper)) & 15;
    let nibbles = from_fn::<_, 32, _>(|i| nibble(sixteen[i % 16], i >= 16));
    same(simd, "load_nibbles", simd.load_nibbles(sixteen), nibbles);
    let by_eight = from_fn::<_, 32, _>(|i| nibble(sixteen[i / 16 * 8 + i % 8], i / 8 % 2 == 1));
    same(simd, "load_nibbles_by_eight", simd.load_nibbles_by_eight(sixteen), by_eight);

    same(
        simd,
        "words",
        simd.words(&sixteen.map(u8::cast_signed)),
        sixteen.map(|byte| i16::from(byte.cast_signed())),
    );
    same(simd, "byte_words", simd.byte_words(transmute!(*sixteen)), sixteen.map(i16::from));
    let of_bytes = from_fn::<_, 16, _>(|i| i16::from(nibble(eight[i / 2], i % 2 == 1)));
    same(simd, "nibble_words", simd.nibble_words(eight), of_bytes);
    let fields: [u16; 4] = transmute!(eight);
    let triples = from_fn::<_, 16, _>(|i| fields[i / 4] >> (3 * (i % 4)) & 7);
    same(simd, "triple_words", simd.triple_words(fields), triples);
    same(simd, "ints", simd.ints(eight), eight.map(i32::from));

    same(simd, "zero", simd.zero(), [0_u8; 32]);
    same(simd, "splat", simd.splat(a[0]), [a[0]; 32]);
    same(simd, "splat_word", simd.splat_word(words[0]), [words[0]; 16]);
    same(simd, "splat_int", simd.splat_int(ints[0]), [ints[0]; 8]);
    same(simd, "first", simd.first(ints[0]), [ints[0], 0, 0, 0, 0, 0, 0, 0]);

    let set = |i: usize| bits >> i & 1 == 1;
    assert_eq!(simd.opaque(bits.into()), bits.into());
    let [four @ .., _, _, _, _] = eight;
    assert_eq!(simd.four_indices(&four), four.map(usize::from));
    let tens = from_fn(|i| usize::from(four[i]) + 256 * usize::from(a[31] >> (2 * i) & 3));
    assert_eq!(simd.four_tens(&four, a[31]), tens);
    let places = words.map(|word| usize::from(word.cast_unsigned()));
    assert_eq!(simd.four_words(eight), places[..4]);
    let eights = from_fn::<_, 256, _>(|i| (i as u64).wrapping_mul(0x0101_0203_0507_0B0D).to_le_bytes());
    let four = from_fn(|i| places[i]);
    let at_four: [u8; 32] = transmute!(four.map(|place| eights[place % 256]));
    same(simd, "eights_at", simd.eights_at(&eights, four), at_four);
    let fours = from_fn::<_, 512, _>(|i| (i as u32).wrapping_mul(0x0101_0305).to_le_bytes());
    let eight_places = from_fn(|i| places[i]);
    let at_eight: [u8; 32] = transmute!(eight_places.map(|place| fours[place % 512]));
    same(simd, "fours_at", simd.fours_at(&fours, eight_places), at_eight);

    let lower = from_fn::<_, 32, _>(|i| eight[i / 8 * 2]);
    same(simd, "eight_times", simd.eight_times(u64::from_le_bytes(eight)), lower);
    same(simd, "words_twice", simd.words_twice(sixteen), from_fn::<_, 16, _>(|i| words[i / 2]));
    let odd = from_fn::<_, 8, _>(|i| input.ints()[i / 4][i % 4 * 2 + 1]);
    same(simd, "odd_ints", simd.odd_ints(register, simd.load(&b)), odd);
    let sevens = from_fn::<_, 32, _>(|i| ([a, b][i / 16][i % 16 * 2 + 1]) >> 1);
    same(simd, "upper_sevens", simd.upper_sevens(register, simd.load(&b)), sevens);
    let seven = a.map(|byte| byte & 0x7F);
    let even = seven.map(|byte| byte | (byte.count_ones() as u8 & 1) << 7);
    same(simd, "made_even", simd.made_even(simd.load(&seven)), even);
    let four = from_fn::<_, 4, _>(|i| simd.load(&a.map(|byte| byte.wrapping_add(i as u8))));
    let one_of_each = from_fn::<_, 32, _>(|i| a[i].wrapping_add((i / 4 % 4) as u8));
    same(simd, "one_of_each", simd.one_of_each(four), one_of_each);

    let bytes_where = from_fn::<_, 32, _>(|i| if set(i) { a[0] } else { 0 });
    same(simd, "bytes_where", simd.bytes_where(bits, a[0]), bytes_where);
    same(simd, "ones_where", simd.ones_where(bits), from_fn::<_, 32, _>(|i| u8::from(set(i))));
    let indices = b.map(|byte| byte % 16);
    let found = simd.look_up(simd.table(&sixteen.map(u8::cast_signed)), simd.load(&indices));
    same(simd, "look_up", found, indices.map(|index| sixteen[usize::from(index)]));
    let ordinary = a.map(|byte| if byte == 0x80 { 1 } else { byte.cast_signed() });
    let negative = |i: usize| a[12 + i / 8] >> (i % 8) & 1 == 1;
    let negated = from_fn::<_, 32, _>(|i| if negative(i) { -ordinary[i] } else { ordinary[i] });
    same(simd, "negate_where", simd.negate_where(simd.load_signed(&ordinary), &a, 3), negated);
}
