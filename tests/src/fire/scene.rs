//! A source, a folder for the output, and what must be there afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use briq_convert::imatrix::{Format, Imatrix, MergeOptions, merge};
use briq_convert::plan::{Plan, PlanOptions};
use briq_convert::recipe::Recipe;
use briq_convert::run::{RunOptions, run_into};
use briq_format::{Existing, FileSystem, System};

use super::begin;
use crate::Folder;

/// The name of the output in the folder of a scene.
pub const OUTPUT: &str = "out.gguf";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A model directory becomes a GGUF file.
    Convert,
    /// A GGUF file becomes one of other types.
    Requantize,
    /// A GGUF file is replaced by one of other types, which is read back before.
    InPlace,
    /// An importance matrix is written anew.
    Imatrix,
}

impl Work {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Convert, Self::Requantize, Self::InPlace, Self::Imatrix];

    /// Whether a file of its own is read while the output is written, so that it can be cut in between.
    pub fn reads_as_it_writes(self) -> bool {
        matches!(self, Self::Convert | Self::Requantize)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Convert => "convert",
            Self::Requantize => "requantize",
            Self::InPlace => "in place",
            Self::Imatrix => "imatrix",
        }
    }

    pub(super) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|work| work.name() == name).expect("a victim is told its work")
    }

    fn fixture(self) -> &'static str {
        match self {
            Self::Convert => "checkpoints/tiny-llama",
            Self::Requantize | Self::InPlace => "golden/tiny-llama-f32.gguf",
            Self::Imatrix => "imatrix/tiny-llama.gguf",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Convert => "source",
            Self::Requantize | Self::Imatrix => "source.gguf",
            Self::InPlace => OUTPUT,
        }
    }

    /// The scenes to try it in: without an old output and over one, where it can do without.
    pub fn scenes(self) -> impl Iterator<Item = Scene> {
        let without_old = (self != Self::InPlace).then_some(false);
        without_old.into_iter().chain([true]).map(move |with_old| Scene::new(self, with_old))
    }

    /// Does the work in `folder`, with these operations in place of the system's.
    pub(super) fn carry_out(
        self,
        folder: &Path,
        existing: Existing,
        system: Box<dyn FileSystem>,
    ) -> Result<(), String> {
        let (source, output) = (folder.join(self.source()), folder.join(OUTPUT));
        // Messages begin with the name of the file, not with that of a folder that differs from run to run.
        let without_folder = |error: String| error.replace(&folder.join("").display().to_string(), "");
        let words = |error: briq_convert::Error| without_folder(error.to_string());
        let begin = || begin(&output, existing, system).map_err(without_folder);
        if self == Self::Imatrix {
            let inputs = [Imatrix::open(&source).map_err(words)?];
            let merged = merge(&inputs, MergeOptions { chunk_size: None }).map_err(words)?;
            return merged.write_into(begin()?, Format::Gguf).map_err(words);
        }
        let plan = Plan::new(&source, &PlanOptions::new(Recipe::Q8_0)).map_err(words)?;
        let read_back = self == Self::InPlace;
        let options = RunOptions { threads: 1, existing, read_back, ..RunOptions::default() };
        run_into(&plan, begin()?, &options, &(), &AtomicBool::new(false)).map_err(words)
    }
}

/// A folder with a source.
#[derive(Debug)]
pub struct Scene {
    folder: Folder,
    work: Work,
    /// What the output was before, if anything.
    old: Option<Vec<u8>>,
    new: Vec<u8>,
    source: BTreeMap<PathBuf, String>,
    operations: OnceLock<u64>,
}

impl Scene {
    /// A folder in which `work` is to be done, over an old output or without one.
    pub fn new(work: Work, with_old: bool) -> Self {
        let folder = Folder::with(work.fixture(), work.source());
        let mut source = folder.files();
        // Where a file is replaced, it is the old output.
        source.remove(Path::new(OUTPUT));
        let old = with_old.then(|| match work {
            Work::InPlace => folder.read(OUTPUT),
            _ => b"what was there before".to_vec(),
        });
        let scene = Self { folder, work, old, new: Vec::new(), source, operations: OnceLock::new() };
        scene.reset();
        scene.attempt(Box::new(System)).expect("nothing is in the way");
        let new = scene.folder.read(OUTPUT);
        Self { new, ..scene }
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// How many operations an attempt takes.
    pub(super) fn operations(&self) -> u64 {
        *self.operations.get_or_init(|| super::count_operations(self))
    }

    /// What the output was before, if anything, and what it is to be.
    pub(super) fn old_and_new(&self) -> (Option<&[u8]>, &[u8]) {
        (self.old.as_deref(), &self.new)
    }

    /// The size of the complete output.
    pub(super) fn output_bytes(&self) -> u64 {
        self.new.len() as u64
    }

    /// What a victim is told.
    pub(super) fn words(&self) -> [&'static str; 2] {
        [self.work.name(), if self.old.is_some() { "replace" } else { "keep" }]
    }

    fn existing(&self) -> Existing {
        if self.old.is_some() { Existing::Replace } else { Existing::Keep }
    }

    /// Puts the old output back, or takes the output away.
    pub(super) fn reset(&self) {
        match &self.old {
            Some(old) => self.folder.write(OUTPUT, old),
            None => drop(fs::remove_file(self.folder.path(OUTPUT))),
        }
    }

    pub(super) fn attempt(&self, system: Box<dyn FileSystem>) -> Result<(), String> {
        self.work.carry_out(self.folder.path("").as_path(), self.existing(), system)
    }

    /// The file of the source that holds weights.
    pub(super) fn source_file(&self) -> PathBuf {
        match self.work {
            Work::Convert => self.folder.path("source/model.safetensors"),
            _ => self.folder.path(self.work.source()),
        }
    }

    pub(super) fn restore_source(&self) {
        self.folder.copy(self.work.fixture(), self.work.source());
    }

    fn output(&self) -> Option<Vec<u8>> {
        fs::read(self.folder.path(OUTPUT)).ok()
    }

    pub(super) fn holds_old(&self) -> Result<(), String> {
        match self.output() == self.old {
            true => Ok(()),
            false => Err("the output is not what it was".to_owned()),
        }
    }

    pub(super) fn holds_new(&self) -> Result<(), String> {
        match self.output().as_deref() == Some(&self.new) {
            true => Ok(()),
            false => Err("the output is not the complete new file".to_owned()),
        }
    }

    pub(super) fn holds_either(&self) -> Result<(), String> {
        self.holds_old().or_else(|_| self.holds_new())
    }

    pub(super) fn holds_no_temporary(&self) -> Result<(), String> {
        let files = self.folder.files();
        let left = files.keys().find(|path| *path != Path::new(OUTPUT) && !self.source.contains_key(*path));
        left.map_or(Ok(()), |left| Err(format!("{} is left", left.display())))
    }

    pub(super) fn source_is_untouched(&self) -> Result<(), String> {
        let files = self.folder.files();
        match self.source.iter().all(|(path, hash)| files.get(path) == Some(hash)) {
            true => Ok(()),
            false => Err("the source is not what it was".to_owned()),
        }
    }
}
