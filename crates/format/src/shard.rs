//! Models in several files: `model-00001-of-00003.gguf` and its siblings. Spec: container.md, "Shards".

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::metadata::keys;
use crate::read::{Head, Limits, View, open_regular};

/// One file of a model.
#[derive(Debug)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// The open file.
    pub file: File,
    /// Its head.
    pub head: Head,
}

impl Part {
    fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let mut file = open_regular(path)?;
        let head = Head::read(&mut file, limits).map_err(|error| error.in_file(path))?;
        Ok(Self { path: path.to_owned(), file, head })
    }
}

/// Opens the file at `path` and, when it is a shard, all its siblings in order. Nothing is mapped.
///
/// # Errors
/// When a file cannot be read or breaks a rule, or the set is incomplete or contradicts itself.
pub fn open_parts(path: &Path, limits: &Limits) -> Result<Vec<Part>> {
    let part = Part::open(path, limits)?;
    let count = part.head.view().metadata().u64(keys::SPLIT_COUNT).unwrap_or(1);
    if count <= 1 {
        return Ok(vec![part]);
    }
    let bad = |path: &Path, problem: String| Error::Shards(problem).in_file(path);
    if count > limits.shards {
        return Err(bad(
            path,
            format!("{} is {count}, over the limit of {}", keys::SPLIT_COUNT, limits.shards),
        ));
    }
    let Some(name) = ShardName::of(path).filter(|name| name.count == count) else {
        let problem =
            format!("a shard of {count}, so its name must end in -00001-of-{count:05}.gguf or the like");
        return Err(bad(path, problem));
    };
    let parts =
        (0..count).map(|number| Part::open(&name.sibling(number), limits)).collect::<Result<Vec<_>>>()?;
    check_set(&parts, count)?;
    Ok(parts)
}

/// Holds a set of shards against what each says of itself and of the whole.
fn check_set(parts: &[Part], count: u64) -> Result<()> {
    let mut names = HashSet::new();
    for (number, part) in parts.iter().enumerate() {
        let view = part.head.view();
        let wrong = |problem: String| Error::Shards(problem).in_file(&part.path);
        let expect = |key: &str, expected: u64| match view.metadata().u64(key) {
            Some(found) if found == expected => Ok(()),
            Some(found) => {
                Err(wrong(format!("{key} is {found}, where its place in the set asks for {expected}")))
            }
            None => Err(wrong(format!("{key} is missing or no unsigned number"))),
        };
        expect(keys::SPLIT_NO, number as u64)?;
        expect(keys::SPLIT_COUNT, count)?;
        for tensor in view.tensor_infos() {
            if !names.insert(tensor.name) {
                return Err(wrong(format!("tensor \"{}\" is in an earlier shard as well", tensor.name)));
            }
        }
    }
    let declared =
        parts.first().and_then(|first| first.head.view().metadata().u64(keys::SPLIT_TENSORS_COUNT));
    match (declared, parts.first()) {
        (Some(declared), Some(first)) if declared != names.len() as u64 => {
            let problem = format!(
                "{} is {declared}, but the shards hold {} tensors",
                keys::SPLIT_TENSORS_COUNT,
                names.len()
            );
            Err(Error::Shards(problem).in_file(&first.path))
        }
        _ => Ok(()),
    }
}

/// The parts of a name such as `model-00001-of-00003.gguf`.
#[derive(Debug, PartialEq)]
struct ShardName {
    stem: PathBuf,
    count: u64,
}

impl ShardName {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
        let (rest, count) = name.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        let digits = |text: &str| text.parse::<u64>().ok().filter(|_| is_number(text));
        let (number, count) = (digits(number)?, digits(count)?);
        (1..=count).contains(&number).then(|| Self { stem: path.with_file_name(stem), count })
    }

    /// The path of shard `number`, counted from 0; names count from 1.
    fn sibling(&self, number: u64) -> PathBuf {
        let mut name = self.stem.clone().into_os_string();
        name.push(format!("-{:05}-of-{:05}.gguf", number + 1, self.count));
        name.into()
    }
}

/// The view of a part with its data, for [`Gguf`](crate::Gguf).
pub(crate) fn view<'a>(part: &'a Part, data: &'a [u8]) -> View<'a> {
    part.head.view_over(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_names_all_its_siblings() {
        let name = ShardName::of(Path::new("dir/a-b-00002-of-00003.gguf")).unwrap();
        assert_eq!(name, ShardName { stem: "dir/a-b".into(), count: 3 });
        assert_eq!(name.sibling(0), Path::new("dir/a-b-00001-of-00003.gguf"));
    }

    #[test]
    fn other_names_are_no_shards() {
        for name in [
            "a.gguf",
            "a-1-of-3.gguf",
            "a-00001-of-00003.bin",
            "a-0000x-of-00003.gguf",
            "a-+0001-of-00003.gguf",
            "a-00000-of-00003.gguf",
            "a-00004-of-00003.gguf",
            "-of-.gguf",
        ] {
            assert_eq!(ShardName::of(Path::new(name)), None, "{name}");
        }
    }
}
