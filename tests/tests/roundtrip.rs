//! What is written reads back equal, and what was read is written again with the same bytes.

#![allow(clippy::unwrap_used)]

use briq_format::metadata::OwnedValue;
use briq_format::{
    FilePlan, MetadataBuf, Parsed, Shape, TensorSpec, TensorType, TensorWriter, TypeId, Value, ValueType,
    parse,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// A value of any type, as a tree; the writer has no say in it.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    /// A scalar or string: its type and its bytes in the file.
    Leaf(ValueType, Vec<u8>),
    /// An array: the type of its elements, and these.
    Array(ValueType, Vec<Tree>),
}

impl Tree {
    fn value_type(&self) -> ValueType {
        match self {
            Self::Leaf(ty, _) => *ty,
            Self::Array(..) => ValueType::Array,
        }
    }

    /// The bytes of the value in a file of version 3.
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Leaf(_, bytes) => bytes.clone(),
            Self::Array(ty, elements) => {
                let head = [ty.id().to_le_bytes().to_vec(), (elements.len() as u64).to_le_bytes().to_vec()];
                head.into_iter().chain(elements.iter().map(Self::bytes)).flatten().collect()
            }
        }
    }

    /// The tree that a reader shows.
    fn of(value: Value<'_>) -> Self {
        let bytes = match value {
            Value::U8(n) => vec![n],
            Value::I8(n) => n.to_le_bytes().to_vec(),
            Value::U16(n) => n.to_le_bytes().to_vec(),
            Value::I16(n) => n.to_le_bytes().to_vec(),
            Value::U32(n) => n.to_le_bytes().to_vec(),
            Value::I32(n) => n.to_le_bytes().to_vec(),
            Value::U64(n) => n.to_le_bytes().to_vec(),
            Value::I64(n) => n.to_le_bytes().to_vec(),
            Value::F32(x) => x.to_bits().to_le_bytes().to_vec(),
            Value::F64(x) => x.to_bits().to_le_bytes().to_vec(),
            Value::Bool(b) => vec![b.into()],
            Value::String(text) => string(text.as_bytes()),
            Value::Array(array) => {
                return Self::Array(array.element_type(), array.iter().map(Self::of).collect());
            }
        };
        Self::Leaf(value.value_type(), bytes)
    }
}

/// A string as it lies in a file.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
}

/// A scalar or string of type `ty`.
fn leaf(ty: ValueType) -> BoxedStrategy<Tree> {
    let bytes = match ty {
        ValueType::Bool => (0_u8..2).prop_map(|byte| vec![byte]).boxed(),
        ValueType::String => vec(any::<u8>(), 0..40).prop_map(|text| string(&text)).boxed(),
        _ => vec(any::<u8>(), ty.fixed_bytes().unwrap_or(0)).boxed(),
    };
    bytes.prop_map(move |bytes| Tree::Leaf(ty, bytes)).boxed()
}

/// A value of any type that holds arrays up to `depth` deep.
fn tree(depth: u32) -> BoxedStrategy<Tree> {
    let scalars: Vec<_> = ValueType::ALL.into_iter().filter(|&ty| ty != ValueType::Array).collect();
    let leaves = proptest::sample::select(scalars.clone()).prop_flat_map(leaf);
    if depth == 0 {
        return leaves.boxed();
    }
    let flat = proptest::sample::select(scalars)
        .prop_flat_map(|ty| vec(leaf(ty), 0..6).prop_map(move |elements| Tree::Array(ty, elements)));
    let inner = tree(depth - 1).prop_filter("an array", |tree| tree.value_type() == ValueType::Array);
    let nested = match depth {
        1 => flat.clone().boxed(),
        _ => vec(inner, 0..4).prop_map(|elements| Tree::Array(ValueType::Array, elements)).boxed(),
    };
    prop_oneof![4 => leaves, 2 => flat, 1 => nested].boxed()
}

/// A tensor: dimensions, type id, and bytes.
type TensorParts = (Vec<u64>, u32, Vec<u8>);

/// A tensor of a known type.
fn known_tensor() -> impl Strategy<Value = TensorParts> {
    let dims = (0_u64..4, vec(0_u64..4, 0..4));
    (proptest::sample::select(TensorType::ALL), dims, any::<u8>()).prop_map(|(ty, (blocks, rows), fill)| {
        let dims: Vec<u64> =
            [blocks * ty.block_elements()].into_iter().chain(rows.into_iter().take(3)).collect();
        let bytes = blocks * ty.block_bytes() * dims[1..].iter().product::<u64>();
        (dims, ty.id().0, (0..bytes).map(|at| fill.wrapping_add(at as u8)).collect())
    })
}

/// A tensor of an unknown type that fills its place: nothing else tells where it ends.
fn opaque_tensor(alignment: u64) -> impl Strategy<Value = TensorParts> {
    (vec(1_u64..100, 1..5), 1000_u32.., 0_u64..3)
        .prop_map(move |(dims, id, units)| (dims, id, vec![7; (units * alignment) as usize]))
}

#[derive(Clone, Debug)]
struct File {
    alignment: Option<u32>,
    keys: Vec<(String, Tree)>,
    tensors: Vec<(String, TensorParts)>,
}

fn file() -> impl Strategy<Value = File> {
    let name = "[ -~ß日]{1,20}";
    let alignment = proptest::option::of((3_u32..13).prop_map(|power| 1 << power));
    alignment.prop_flat_map(move |alignment| {
        let tensor =
            prop_oneof![3 => known_tensor().boxed(), 1 => opaque_tensor(alignment.unwrap_or(32).into()).boxed()];
        let keys = btree_map(name, tree(4), 0..8).prop_map(|keys| keys.into_iter().collect());
        let tensors = btree_map(name, tensor, 0..6).prop_map(|tensors| tensors.into_iter().collect::<Vec<_>>());
        (keys, tensors.prop_shuffle()).prop_map(move |(keys, tensors)| File { alignment, keys, tensors })
    })
}

/// Keys and values spelled out by hand and read: the only way to a value that holds arrays of arrays.
fn metadata(keys: &[(String, Tree)]) -> MetadataBuf {
    let mut file = [b"GGUF".to_vec(), 3_u32.to_le_bytes().to_vec(), 0_u64.to_le_bytes().to_vec()].concat();
    file.extend((keys.len() as u64).to_le_bytes());
    for (key, value) in keys {
        file.extend(string(key.as_bytes()));
        file.extend(value.value_type().id().to_le_bytes());
        file.extend(value.bytes());
    }
    MetadataBuf::from(parse(&file).unwrap().view().metadata())
}

fn write(metadata: &MetadataBuf, tensors: &[(&str, Shape, TypeId, &[u8])]) -> Vec<u8> {
    let specs = tensors
        .iter()
        .map(|&(name, shape, id, bytes)| TensorSpec::opaque(name, shape, id, bytes.len() as u64));
    let plan = FilePlan::new(metadata, specs.collect::<Result<_, _>>().unwrap()).unwrap();
    let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
    for (name, .., bytes) in tensors {
        // In two pieces, as a conversion writes in chunks.
        let (front, back) = bytes.split_at(bytes.len() / 2);
        for piece in [front, back].into_iter().filter(|piece| !piece.is_empty()) {
            writer.write(name, piece).unwrap();
        }
    }
    let file = writer.finish().unwrap();
    assert_eq!(file.len() as u64, plan.file_bytes());
    file
}

fn write_again(parsed: &Parsed<'_>) -> Vec<u8> {
    let view = parsed.view();
    let tensors: Vec<_> = view
        .tensors()
        .map(|tensor| (tensor.name(), tensor.shape(), tensor.info.type_id, tensor.bytes()))
        .collect();
    write(&MetadataBuf::from(view.metadata()), &tensors)
}

proptest! {
    #[test]
    fn what_is_written_reads_back_equal_and_is_written_again_with_the_same_bytes(file in file()) {
        let mut keys = metadata(&file.keys);
        if let Some(alignment) = file.alignment {
            keys.set("general.alignment", OwnedValue::from(alignment)).unwrap();
        }
        let tensors: Vec<_> = file
            .tensors
            .iter()
            .map(|(name, (dims, id, bytes))| (name.as_str(), Shape::new(dims).unwrap(), TypeId(*id), bytes.as_slice()))
            .collect();
        let bytes = write(&keys, &tensors);
        let parsed = parse(&bytes).unwrap();
        let view = parsed.view();

        prop_assert_eq!(view.alignment(), u64::from(file.alignment.unwrap_or(32)));
        let read: Vec<_> = view.metadata().iter().map(|(key, value)| (key.to_owned(), Tree::of(value))).collect();
        prop_assert_eq!(&read[..file.keys.len()], &file.keys[..]);
        prop_assert_eq!(view.tensors().len(), tensors.len());
        for (tensor, (name, shape, id, bytes)) in view.tensors().zip(&tensors) {
            let info = tensor.info;
            prop_assert_eq!((info.name, info.shape, info.type_id), (*name, *shape, *id));
            prop_assert_eq!(tensor.bytes(), *bytes);
            prop_assert_eq!(info.offset_in_file % view.alignment(), 0);
            prop_assert_eq!(view.tensor(name).unwrap().bytes(), *bytes);
        }
        prop_assert_eq!(write_again(&parsed), bytes);
    }

    #[test]
    fn bytes_with_one_place_changed_are_refused_or_stay_inside_the_file_and_write_back_what_they_show(
        file in file(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let tensors: Vec<_> = file
            .tensors
            .iter()
            .map(|(name, (dims, id, bytes))| (name.as_str(), Shape::new(dims).unwrap(), TypeId(*id), bytes.as_slice()))
            .collect();
        let mut bytes = write(&metadata(&file.keys), &tensors);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(parsed) = parse(&bytes) {
            let view = parsed.view();
            let read: Vec<_> = view.metadata().iter().map(|(key, value)| (key.to_owned(), Tree::of(value))).collect();
            let again = metadata(&read);
            let shown: Vec<_> = again.iter().map(|(key, value)| (key.to_owned(), Tree::of(value))).collect();
            prop_assert_eq!(shown, read);
            for tensor in view.tensors() {
                prop_assert!(tensor.info.offset_in_file + tensor.info.bytes <= bytes.len() as u64);
            }
        }
    }
}
