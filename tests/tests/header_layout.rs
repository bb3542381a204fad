//! The bytes of a written file, laid out for reading: a change of the format shows here as a difference.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use briq_format::{FilePlan, MetadataBuf, Shape, TensorSpec, TensorType, TensorWriter};

/// A line per field: where it begins, its bytes, and what it says.
struct Layout<'a> {
    bytes: &'a [u8],
    at: usize,
    text: String,
}

impl Layout<'_> {
    fn field(&mut self, length: usize, meaning: &str) {
        let bytes = &self.bytes[self.at..self.at + length];
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.text, "{:4}  {:24}  {meaning}", self.at, hex.join(" ")).unwrap();
        self.at += length;
    }

    /// A string, its bytes shown as text.
    fn string(&mut self, meaning: &str) {
        let length = u64::from_le_bytes(self.bytes[self.at..self.at + 8].try_into().unwrap()) as usize;
        self.field(8, &format!("length of {meaning}"));
        let text = std::str::from_utf8(&self.bytes[self.at..self.at + length]).unwrap();
        writeln!(self.text, "{:4}  {text:24}  {meaning}", self.at).unwrap();
        self.at += length;
    }
}

#[test]
fn a_written_file_has_this_layout() {
    let mut metadata = MetadataBuf::new();
    metadata.set("general.architecture", "x").unwrap();
    metadata.set("general.alignment", 64_u32).unwrap();
    metadata.set("x.list", vec![1_u16, 2]).unwrap();
    let shape = |dims: &[u64]| Shape::new(dims).unwrap();
    let specs = vec![
        TensorSpec::new("a", shape(&[2, 3]), TensorType::I8).unwrap(),
        TensorSpec::new("b", shape(&[]), TensorType::F32).unwrap(),
    ];
    let plan = FilePlan::new(&metadata, specs).unwrap();
    let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
    writer.write("a", &[1, 2, 3, 4, 5, 6]).unwrap();
    writer.write("b", &1_f32.to_le_bytes()).unwrap();
    let file = writer.finish().unwrap();

    let mut layout = Layout { bytes: &file, at: 0, text: String::new() };
    layout.field(4, "magic");
    layout.field(4, "version");
    layout.field(8, "tensors");
    layout.field(8, "keys");
    layout.string("key 0");
    layout.field(4, "type: string");
    layout.string("value");
    layout.string("key 1");
    layout.field(4, "type: u32");
    layout.field(4, "value");
    layout.string("key 2");
    layout.field(4, "type: array");
    layout.field(4, "type of the elements: u16");
    layout.field(8, "length");
    layout.field(2, "element 0");
    layout.field(2, "element 1");
    layout.string("name of tensor 0");
    layout.field(4, "rank");
    layout.field(8, "row length");
    layout.field(8, "rows");
    layout.field(4, "type: I8");
    layout.field(8, "offset in the data");
    layout.string("name of tensor 1");
    layout.field(4, "rank: a single number is a row of one");
    layout.field(8, "row length");
    layout.field(4, "type: F32");
    layout.field(8, "offset in the data");
    assert!(file[layout.at..plan.head().len()].iter().all(|&byte| byte == 0), "padding is zeros");
    layout.at = plan.head().len();
    layout.field(6, "tensor 0");
    assert!(file[layout.at..layout.at + 58].iter().all(|&byte| byte == 0), "padding is zeros");
    layout.at += 58;
    layout.field(4, "tensor 1");
    assert!(file[layout.at..].iter().all(|&byte| byte == 0), "padding is zeros");
    writeln!(layout.text, "{:4}  end", file.len()).unwrap();
    insta::assert_snapshot!(layout.text);
}
