//! Every instruction set does what one lane does.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::bytes::transposed;
use super::{Blocks, Isa, Kernel, Lanes, MAX_WIDTH, Pair, dispatch};

/// Numbers for as many lanes as two registers have.
const COUNT: usize = 2 * MAX_WIDTH;

/// What operations are tried on.
#[derive(Debug)]
struct Input {
    /// Any numbers.
    a: [f32; COUNT],
    b: [f32; COUNT],
    /// Of magnitude below 2^22.
    ordinary: [f32; COUNT],
    codes: [u8; COUNT],
    packed: [u16; COUNT],
    table: [f32; 16],
}

/// The names of operations, and what they give in each lane.
type Results = Vec<(&'static str, Vec<u32>)>;

struct Operations<'a> {
    input: &'a Input,
    results: &'a mut Results,
}

impl Kernel for Operations<'_> {
    fn run<L: Lanes>(self) {
        let mut results = Results::new();
        for first in (0..COUNT).step_by(L::WIDTH) {
            append(&mut results, operations::<L>(self.input, first));
        }
        let mut paired = Results::new();
        for first in (0..COUNT).step_by(2 * L::WIDTH) {
            append(&mut paired, operations::<Pair<L>>(self.input, first));
        }
        // What a pair gives is what its parts give.
        assert_eq!(results, paired);
        *self.results = results;
    }
}

/// What every operation gives for the lanes from `first` on.
fn operations<L: Lanes>(input: &Input, first: usize) -> Results {
    let (a, b) = (L::load(&input.a[first..]), L::load(&input.b[first..]));
    let ordinary = L::load(&input.ordinary[first..]);
    let codes = L::load(&input.codes.map(f32::from)[first..]);
    let packed = L::load_codes(&input.packed[first..first + L::WIDTH]);
    let bounds = {
        let mut bounds = input.table;
        bounds.sort_by(f32::total_cmp);
        *bounds.first_chunk::<15>().unwrap()
    };
    let table = input.table.first_chunk::<8>().unwrap();
    let flags = |mask| numbers(L::select(mask, L::splat(1.0), L::zero()));
    let mut results: Results = vec![
        ("add", numbers(a + b)),
        ("sub", numbers(a - b)),
        ("mul", numbers(a * b)),
        ("div", numbers(a / b)),
        ("neg", numbers(-a)),
        ("abs", numbers(a.abs())),
        ("copy_sign", numbers(a.copy_sign(b))),
        ("sqrt", numbers(a.sqrt())),
        ("lt", flags(a.lt(b))),
        ("eq", flags(a.eq(b))),
        ("gt", flags(a.gt(b))),
        ("not", flags(!a.lt(b))),
        ("and", flags(a.lt(b) & b.lt(L::zero()))),
        ("or", flags(a.lt(b) | b.lt(L::zero()))),
        ("if_greater", numbers(a.if_greater(b))),
        ("if_less", numbers(a.if_less(b))),
        ("round_even_within", numbers(a.round_even_within(-31.0, 17.0))),
        ("round_ordinary", numbers(ordinary.round_ordinary() + L::zero())),
        ("at_most", numbers(ordinary.at_most(L::splat(3.0)))),
        ("at_least", numbers(ordinary.at_least(L::splat(-3.0)) + L::zero())),
        ("at_least zero", numbers(ordinary.at_least(L::zero()) + L::zero())),
        ("round_even_to_byte", numbers(a.round_even_to_byte())),
        ("look_up", numbers(L::look_up(table, packed, 5))),
        ("from_codes", numbers(L::from_codes(a.to_codes(), 7))),
        ("count_reached", numbers(L::look_up_16(&input.table, a.count_reached(&bounds)))),
        ("count_reached by ordinary", numbers(L::look_up_16(&input.table, ordinary.count_reached(&bounds)))),
        ("load_halves", numbers(L::load_halves(&input.packed[first..]))),
    ];
    let mut bytes = [0; COUNT];
    codes.store_codes(&mut bytes);
    results.push(("store_codes", bytes[..L::WIDTH].iter().map(|&byte| byte.into()).collect()));
    a.store_truncated(&mut bytes);
    results.push(("store_truncated", bytes[..L::WIDTH].iter().map(|&byte| byte.into()).collect()));
    let mut halves = [0; COUNT];
    a.store_halves(&mut halves);
    results.push(("store_halves", halves[..L::WIDTH].iter().map(|&half| half.into()).collect()));
    let less = L::bits(a.lt(b));
    results.push(("bits", (0..L::WIDTH).map(|lane| less >> lane & 1).collect()));

    // Over all lanes there is one answer, and it is that of the lanes one by one.
    let one_by_one = &input.ordinary[first..first + L::WIDTH];
    assert_eq!(ordinary.least(), one_by_one.iter().copied().fold(f32::INFINITY, f32::min));
    assert_eq!(L::any(ordinary.lt(L::zero())), one_by_one.iter().any(|&number| number < 0.0));
    results
}

/// The bits of the lanes. A NaN is one like any other.
fn numbers<L: Lanes>(lanes: L) -> Vec<u32> {
    let mut numbers = [0.0; COUNT];
    lanes.store(&mut numbers);
    let bits = |number: &f32| if number.is_nan() { u32::MAX } else { number.to_bits() };
    numbers[..L::WIDTH].iter().map(bits).collect()
}

fn append(results: &mut Results, more: Results) {
    if results.is_empty() {
        *results = more;
    } else {
        results.iter_mut().zip(more).for_each(|(results, more)| results.1.extend(more.1));
    }
}

/// Any bits, and often what lies at the edges of an operation.
fn number() -> impl Strategy<Value = f32> {
    let edges = [
        0.0,
        -0.0,
        f32::INFINITY,
        -f32::INFINITY,
        f32::NAN,
        1e-45,
        -1e-45,
        2_147_483_648.0,
        -2_147_483_648.0,
        2_147_483_520.0,
        4_194_303.5,
        4_194_304.0,
        -4_194_304.0,
        65_504.0,
        65_520.0,
        5.960_464_5e-8,
    ];
    prop_oneof![
        any::<u32>().prop_map(f32::from_bits),
        (-600..600_i16).prop_map(|halves| f32::from(halves) / 2.0),
        -300.0_f32..300.0,
        prop::sample::select(edges.to_vec()),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let numbers = || proptest::collection::vec(number(), COUNT);
    let ordinary =
        prop_oneof![(-600..600_i16).prop_map(|halves| f32::from(halves) / 2.0), -4.19e6_f32..4.19e6];
    let table = proptest::array::uniform16(prop_oneof![-300.0_f32..300.0, (-9..9_i8).prop_map(f32::from)]);
    let codes = proptest::collection::vec(any::<u8>(), COUNT);
    let packed = proptest::collection::vec(any::<u16>(), COUNT);
    (numbers(), numbers(), proptest::collection::vec(ordinary, COUNT), codes, packed, table).prop_map(
        |(a, b, ordinary, codes, packed, table)| Input {
            a: a.try_into().unwrap(),
            b: b.try_into().unwrap(),
            ordinary: ordinary.try_into().unwrap(),
            codes: codes.try_into().unwrap(),
            packed: packed.try_into().unwrap(),
            table,
        },
    )
}

proptest! {
    #[test]
    fn an_operation_gives_in_every_lane_what_it_gives_in_one(input in input()) {
        let mut expected = Results::new();
        Operations { input: &input, results: &mut expected }.run::<f32>();
        for isa in Isa::available() {
            let mut found = Results::new();
            dispatch(isa, Operations { input: &input, results: &mut found });
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!(found, expected, "{}", isa);
            }
        }
    }
}

struct Gathered;

impl Kernel for Gathered {
    fn run<L: Lanes>(self) {
        let elements: Vec<f32> = (0..128_u8).map(f32::from).collect();
        let blocks = Blocks::<8>::new(&elements, (0..L::WIDTH).map(|block| block * 8));
        for (i, four) in blocks.four::<L>(4).into_iter().enumerate() {
            let mut lanes = [0.0; MAX_WIDTH];
            four.store(&mut lanes);
            let expected: Vec<f32> = (0..L::WIDTH).map(|lane| elements[8 * lane + 4 + i]).collect();
            assert_eq!(lanes[..L::WIDTH], expected);
        }
    }
}

#[test]
fn a_lane_gathers_the_elements_of_its_block() {
    Isa::available().into_iter().for_each(|isa| dispatch(isa, Gathered));
}

#[test]
fn transposing_makes_columns_of_rows() {
    let rows: [[u8; 16]; 16] = std::array::from_fn(|i| std::array::from_fn(|j| (16 * i + j) as u8));
    assert_eq!(transposed(&rows), std::array::from_fn(|i| std::array::from_fn(|j| (16 * j + i) as u8)));
}

#[test]
fn an_instruction_set_is_found_by_its_name() {
    let available = Isa::available();
    for isa in &available {
        assert_eq!(isa.name().parse(), Ok(*isa));
    }
    let neon = cfg!(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"));
    assert_eq!(available.iter().any(|isa| isa.name() == "neon"), neon);
}
