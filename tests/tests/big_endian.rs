//! A big-endian file, and one of version 1 or 2, shows the same values and weights as its usual counterpart.
//!
//! The counterpart is spelled anew here, number by number, from a table of where a block has any.

#![allow(clippy::unwrap_used)]

use briq_format::TensorType::{self, *};
use briq_format::{FilePlan, MetadataBuf, Shape, Tensor, TensorSpec, TensorWriter, Value, parse};
use briq_tests::Folder;

/// How a file spells its numbers.
#[derive(Clone, Copy, Debug)]
struct Spelling {
    version: u32,
    big: bool,
}

const SPELLINGS: [Spelling; 5] = [
    Spelling { version: 1, big: false },
    Spelling { version: 1, big: true },
    Spelling { version: 2, big: false },
    Spelling { version: 2, big: true },
    Spelling { version: 3, big: true },
];

impl Spelling {
    /// A number from its little-endian bytes.
    fn number(self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if self.big {
            bytes.reverse();
        }
        bytes
    }

    /// A length, count or dimension.
    fn length(self, length: u64) -> Vec<u8> {
        match self.version {
            1 => self.number(&u32::try_from(length).unwrap().to_le_bytes()),
            _ => self.number(&length.to_le_bytes()),
        }
    }

    fn string(self, bytes: &[u8]) -> Vec<u8> {
        [self.length(bytes.len() as u64), bytes.to_vec()].concat()
    }

    fn value(self, value: Value<'_>) -> Vec<u8> {
        match value {
            Value::U8(n) => vec![n],
            Value::I8(n) => n.to_le_bytes().to_vec(),
            Value::U16(n) => self.number(&n.to_le_bytes()),
            Value::I16(n) => self.number(&n.to_le_bytes()),
            Value::U32(n) => self.number(&n.to_le_bytes()),
            Value::I32(n) => self.number(&n.to_le_bytes()),
            Value::U64(n) => self.number(&n.to_le_bytes()),
            Value::I64(n) => self.number(&n.to_le_bytes()),
            Value::F32(x) => self.number(&x.to_le_bytes()),
            Value::F64(x) => self.number(&x.to_le_bytes()),
            Value::Bool(b) => vec![b.into()],
            Value::String(text) => self.string(text.as_bytes()),
            Value::Array(array) => {
                let head = [self.number(&array.element_type().id().to_le_bytes()), self.length(array.len())];
                head.into_iter().chain(array.iter().map(|element| self.value(element))).flatten().collect()
            }
        }
    }

    fn blocks(self, ty: TensorType, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if self.big {
            for block in bytes.chunks_exact_mut(ty.block_bytes() as usize) {
                for (offset, width, count) in numbers(ty) {
                    block[*offset..offset + width * count].chunks_exact_mut(*width).for_each(<[u8]>::reverse);
                }
            }
        }
        bytes
    }

    /// A file of version 3, little-endian, spelled this way.
    fn of(self, file: &[u8]) -> Vec<u8> {
        let parsed = parse(file).unwrap();
        let view = parsed.view();
        let (keys, tensors) = (view.metadata(), view.tensors());
        let mut out = b"GGUF".to_vec();
        out.extend(self.number(&self.version.to_le_bytes()));
        out.extend(self.length(tensors.len() as u64));
        out.extend(self.length(keys.len() as u64));
        for (key, value) in keys.iter() {
            out.extend(self.string(key.as_bytes()));
            out.extend(self.number(&value.value_type().id().to_le_bytes()));
            out.extend(self.value(value));
        }
        for Tensor { info, .. } in tensors {
            out.extend(self.string(info.name.as_bytes()));
            out.extend(self.number(&(info.shape.rank() as u32).to_le_bytes()));
            info.shape.dims().iter().for_each(|&dim| out.extend(self.length(dim)));
            out.extend(self.number(&info.type_id.0.to_le_bytes()));
            out.extend(self.number(&info.offset_in_data.to_le_bytes()));
        }
        let alignment = view.alignment() as usize;
        for tensor in view.tensors() {
            out.resize(out.len().next_multiple_of(alignment), 0);
            out.extend(self.blocks(tensor.info.tensor_type().unwrap(), tensor.bytes()));
        }
        out
    }
}

/// Where a block has numbers of more than one byte: offset, width, and how many follow each other.
fn numbers(ty: TensorType) -> &'static [(usize, usize, usize)] {
    match ty {
        I8 | MXFP4 | NVFP4 => &[],
        F16 | BF16 | I16 | Q8_0 | Q4_0 | Q1_0 | Q2_0 | IQ2_S | IQ3_S | IQ4_NL => &[(0, 2, 1)],
        F32 | I32 => &[(0, 4, 1)],
        F64 | I64 => &[(0, 8, 1)],
        Q4_1 | Q8_1 | Q4_K | Q5_K | IQ4_XS => &[(0, 2, 2)],
        // The fifth bits are one number of 32 bits.
        Q5_0 => &[(0, 2, 1), (2, 4, 1)],
        Q5_1 => &[(0, 2, 2), (4, 4, 1)],
        Q2_K => &[(80, 2, 2)],
        Q3_K => &[(108, 2, 1)],
        Q6_K => &[(208, 2, 1)],
        Q8_K => &[(0, 4, 1), (260, 2, 16)],
        TQ1_0 => &[(52, 2, 1)],
        TQ2_0 => &[(64, 2, 1)],
        IQ1_S => &[(0, 2, 1), (34, 2, 8)],
        IQ1_M => &[(48, 2, 4)],
        IQ2_XS => &[(0, 2, 33)],
        IQ3_XXS => &[(0, 2, 1), (66, 4, 8)],
        IQ2_XXS => &[
            (0, 2, 1),
            (6, 4, 1),
            (14, 4, 1),
            (22, 4, 1),
            (30, 4, 1),
            (38, 4, 1),
            (46, 4, 1),
            (54, 4, 1),
            (62, 4, 1),
        ],
    }
}

/// A file with a tensor of each type, two rows of two blocks, and a key of each kind of value.
fn file() -> Vec<u8> {
    let mut metadata = MetadataBuf::new();
    metadata.set("general.architecture", "x").unwrap();
    metadata.set("u8", 200_u8).unwrap();
    metadata.set("i16", -300_i16).unwrap();
    metadata.set("f32", 1.5_f32).unwrap();
    metadata.set("f64", -1e300_f64).unwrap();
    metadata.set("u64", u64::MAX - 1).unwrap();
    metadata.set("bool", true).unwrap();
    metadata.set("strings", vec!["", "a", "日本"]).unwrap();
    metadata.set("numbers", vec![1_i32, -2, 300_000]).unwrap();
    metadata.set("bytes", vec![1_u8, 2, 3]).unwrap();
    let specs = TensorType::ALL.iter().map(|&ty| {
        let shape = Shape::new(&[2 * ty.block_elements(), 2]).unwrap();
        TensorSpec::new(format!("t.{ty}"), shape, ty).unwrap()
    });
    let plan = FilePlan::new(&metadata, specs.collect()).unwrap();
    let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
    for spec in plan.tensors() {
        // No byte above 100: numbers of every width stay finite, and no two neighbours are equal.
        let bytes: Vec<u8> = (0..spec.bytes()).map(|at| (at * 37 % 101) as u8).collect();
        writer.write(spec.name(), &bytes).unwrap();
    }
    writer.finish().unwrap()
}

fn values(file: &[u8]) -> Vec<(String, String)> {
    let parsed = parse(file).unwrap();
    let show = |value: Value<'_>| match value {
        Value::Array(array) => format!("{:?}: {:?}", array.element_type(), array.iter().collect::<Vec<_>>()),
        scalar => format!("{scalar:?}"),
    };
    parsed.view().metadata().iter().map(|(key, value)| (key.to_owned(), show(value))).collect()
}

/// Name, shape and decoded weights of each tensor.
fn weights(file: &[u8]) -> Vec<(String, Shape, Vec<f32>)> {
    let parsed = parse(file).unwrap();
    let decode = |tensor: Tensor<'_>| {
        let mut weights = vec![0.0; tensor.shape().elements() as usize];
        let bytes = tensor.little_endian_bytes().unwrap();
        briq_codec::decode(tensor.info.tensor_type().unwrap(), &bytes, &mut weights).unwrap();
        (tensor.name().to_owned(), tensor.shape(), weights)
    };
    parsed.view().tensors().map(decode).collect()
}

#[test]
fn every_spelling_shows_the_same_values_and_weights() {
    let usual = file();
    assert_eq!(weights(&usual).len(), TensorType::ALL.len());
    for spelling in SPELLINGS {
        let other = spelling.of(&usual);
        let header = parse(&other).unwrap().view().header();
        assert_eq!((header.version, header.endian.name() == "big-endian"), (spelling.version, spelling.big));
        assert_eq!(values(&other), values(&usual), "{spelling:?}");
        assert_eq!(weights(&other), weights(&usual), "{spelling:?}");
    }
}

#[test]
fn every_spelling_converts_to_the_same_file() {
    let folder = Folder::new();
    folder.copy("golden/tiny-llama-f32.gguf", "usual/model.gguf");
    let convert = |name: &str| {
        folder.succeeds(&["convert", name, "--type", "Q4_K_M", "--out", "out.gguf", "--force"]);
        folder.read("out.gguf")
    };
    let expected = convert("usual/model.gguf");
    for spelling in SPELLINGS {
        folder.write("other/model.gguf", spelling.of(&folder.read("usual/model.gguf")));
        assert!(convert("other/model.gguf") == expected, "{spelling:?}");
    }
}
