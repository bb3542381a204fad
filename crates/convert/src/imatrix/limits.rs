//! How much an importance matrix may hold. A file may be as long as it says and have nothing in it, so that its length
//! alone holds nothing back. Spec: limits.md.

use super::gguf::{COUNTS, SUMS};

/// Values of an entry, of which a merge has all in memory. The largest of models have some millions.
const MOST_VALUES: u64 = 1 << 26;
/// Matrices of all entries together, whose counts stay in memory. Models have some ten thousands.
const MOST_MATRICES: u64 = 1 << 24;

/// Holds the values of an entry of a legacy file against what is allowed.
pub(super) fn legacy_values(values: i32) -> Result<u64, String> {
    let counted = u64::try_from(values).ok().filter(|values| (1..=MOST_VALUES).contains(values));
    counted.ok_or_else(|| format!("has {values} values; allowed are numbers from 1 to {MOST_VALUES}"))
}

/// Holds the values of an entry, and its matrices with those of the entries before, against what is allowed; gives the
/// matrices so far.
pub(super) fn gguf_entry(values: u64, matrices: u64, before: u64) -> Result<u64, String> {
    if values > MOST_VALUES {
        return Err(format!("{SUMS} has {values} values; at most {MOST_VALUES} are allowed"));
    }
    match before.saturating_add(matrices) {
        all if all > MOST_MATRICES => Err(format!(
            "with the {matrices} elements of {COUNTS} the file has {all} counts; at most {MOST_MATRICES} are allowed"
        )),
        all => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use briq_format::{FilePlan, Shape, TensorSpec, TensorType, TensorWriter};

    use super::super::Imatrix;
    use super::super::tests::{Folder, keys, legacy, legacy_entry, open};

    /// The message with which a GGUF file is refused that has entries of these shapes and nothing in them.
    fn hollow(entries: &[[u64; 2]]) -> String {
        let spec = |name: String, dims: &[u64]| {
            TensorSpec::new(name, Shape::new(dims).unwrap(), TensorType::F32).unwrap()
        };
        let specs = entries.iter().enumerate().flat_map(|(number, dims)| {
            [spec(format!("{number}.in_sum2"), dims), spec(format!("{number}.counts"), &[1, dims[1]])]
        });
        let plan = FilePlan::new(&keys(), specs.collect()).unwrap();
        let folder = Folder::new();
        let path = folder.path("it");
        let file = std::fs::File::create(&path).unwrap();
        TensorWriter::new(&plan, &file).unwrap();
        file.set_len(plan.file_bytes()).unwrap();
        let error = Imatrix::open(&path).unwrap_err().to_string();
        error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    }

    #[test]
    fn a_file_that_only_claims_to_be_long_costs_nothing() {
        assert_eq!(
            hollow(&[[1 << 30, 1]]),
            "entry \"0\": .in_sum2 has 1073741824 values; at most 67108864 are allowed"
        );
        assert_eq!(
            hollow(&[[1, 1], [1, 1 << 24]]),
            "entry \"1\": with the 16777216 elements of .counts the file has 16777217 counts; at most 16777216 are \
             allowed"
        );
    }

    #[test]
    fn an_entry_of_a_legacy_file_has_as_many_values_as_one_of_a_gguf_file() {
        let mut file = legacy(1, &[legacy_entry("w", 1, &[1.0])]);
        file[13..17].copy_from_slice(&i32::MAX.to_le_bytes());
        let error = open(&file).unwrap_err().to_string();
        let problem = "byte 13: entry \"w\" has 2147483647 values; allowed are numbers from 1 to 67108864";
        assert!(error.ends_with(problem), "{error}");
    }
}
