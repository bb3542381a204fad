//! Writing and reading are each other's inverse.

use briq_format::{FilePlan, MetadataBuf, OwnedValue, Shape, TensorSpec, TensorType, TensorWriter, parse};

use crate::bytes::Bytes;

pub(crate) fn run(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let metadata = metadata(&mut bytes);
    let specs = specs(&mut bytes);
    let Ok(plan) = FilePlan::new(&metadata, specs.clone()) else { return };
    if plan.file_bytes() > 1 << 20 {
        return;
    }
    let file = write(&plan);
    let parsed = parse(&file).expect("what is written can be read");
    let view = parsed.view();
    assert_eq!(file.len() as u64, plan.file_bytes());
    assert_eq!(MetadataBuf::from(view.metadata()), metadata);
    assert_eq!(view.tensors().count(), specs.len());
    for (number, (tensor, spec)) in view.tensors().zip(&specs).enumerate() {
        assert_eq!((tensor.name(), tensor.info.type_id), (spec.name(), spec.type_id()));
        assert!(tensor.bytes().iter().all(|&byte| byte == number as u8), "bytes of a neighbour");
    }
}

/// Writes every tensor full of its number, in pieces of two sizes.
fn write(plan: &FilePlan) -> Vec<u8> {
    let mut writer = TensorWriter::new(plan, Vec::new()).unwrap();
    for (number, spec) in plan.tensors().enumerate() {
        let bytes = vec![number as u8; spec.bytes() as usize];
        let (front, back) = bytes.split_at(bytes.len() / 3);
        for part in [front, back].into_iter().filter(|part| !part.is_empty()) {
            writer.write(spec.name(), part).unwrap();
        }
    }
    writer.finish().unwrap()
}

/// Keys of every type; those that are refused are left out.
pub(crate) fn metadata(bytes: &mut Bytes<'_>) -> MetadataBuf {
    let mut metadata = MetadataBuf::new();
    for _ in 0..bytes.below(12) {
        let key = match bytes.below(4) {
            0 => "general.alignment".to_owned(),
            _ => bytes.text(20),
        };
        let _ = metadata.set(&key, value(bytes));
    }
    metadata
}

fn value(bytes: &mut Bytes<'_>) -> OwnedValue {
    match bytes.below(11) {
        0 => bytes.u8().into(),
        1 => (bytes.u64() as u16).into(),
        2 => (bytes.u64() as u32).into(),
        3 => bytes.u64().into(),
        4 => (bytes.u64() as i32).into(),
        5 => f32::from_bits(bytes.u64() as u32).into(),
        6 => (bytes.u8() > 127).into(),
        7 => bytes.text(40).as_str().into(),
        8 => (0..bytes.u8()).map(|_| bytes.u64() as u32).collect::<Vec<u32>>().into(),
        9 => (0..bytes.below(9)).map(|_| bytes.text(9)).collect::<Vec<String>>().into(),
        _ => (1_u32 << bytes.below(22)).into(),
    }
}

fn specs(bytes: &mut Bytes<'_>) -> Vec<TensorSpec> {
    let mut specs = Vec::new();
    for _ in 0..bytes.below(9) {
        let name = bytes.text(70);
        let rank = usize::from(bytes.below(6));
        let dims: Vec<u64> = (0..rank)
            .map(|_| match bytes.below(4) {
                0 => bytes.u64(),
                1 => u64::from(bytes.u8()),
                _ => 32 * u64::from(bytes.below(9)),
            })
            .collect();
        let ty = TensorType::ALL[usize::from(bytes.u8()) % TensorType::ALL.len()];
        specs.extend(Shape::new(&dims).and_then(|shape| TensorSpec::new(name, shape, ty)));
    }
    specs
}
