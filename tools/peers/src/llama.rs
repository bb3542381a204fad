//! llama.cpp itself: it quantizes files, loads them, and evaluates tokens and texts.
//!
//! The structures below are those of llama.h in version 0.5.0 of llama.cpp, which the pinned npm package
//! ships. They hold for that version only: whoever raises the pin compares them with the new header first.
//! Keys and values are kept in F32, so that a difference comes from the file and not from the cache.
#![expect(unsafe_code, reason = "calls into a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::Mutex;

use anyhow::{Context, Result, bail, ensure};
use libloading::os::unix::Library;

use crate::ggml::{open, symbol};

/// What llama.cpp reported as errors since the last failure, to be told with the next.
static REPORTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// `GGML_LOG_LEVEL_ERROR`.
const LOG_LEVEL_ERROR: c_int = 4;

/// `LLAMA_POOLING_TYPE_MEAN`.
const POOLING_TYPE_MEAN: c_int = 1;

/// Threads for evaluation and quantization.
pub(crate) const THREADS: i32 = 2;

/// `llama_model_quantize_params`.
#[repr(C)]
struct QuantizeParameters {
    threads: i32,
    file_type: c_int,
    output_type: c_int,
    embedding_type: c_int,
    allow_requantize: bool,
    quantize_output: bool,
    only_copy: bool,
    pure: bool,
    keep_split: bool,
    dry_run: bool,
    importance: *const c_void,
    key_overrides: *const c_void,
    type_overrides: *const c_void,
    prune_layers: *const c_void,
    max_buffer: usize,
}

/// `llama_model_params`.
#[repr(C)]
struct ModelParameters {
    devices: *const c_void,
    buffer_overrides: *const c_void,
    gpu_layers: i32,
    split_mode: c_int,
    load_mode: c_int,
    lazy_mode: c_int,
    main_gpu: i32,
    tensor_split: *const c_void,
    progress: *const c_void,
    progress_data: *const c_void,
    key_overrides: *const c_void,
    vocabulary_only: bool,
    check_tensors: bool,
    extra_buffers: bool,
    no_host: bool,
    no_alloc: bool,
    load_mtp: bool,
}

/// `llama_context_params`.
#[repr(C)]
struct ContextParameters {
    context_tokens: u32,
    batch_tokens: u32,
    micro_batch_tokens: u32,
    sequences: u32,
    recurrent_sequences: u32,
    outputs: u32,
    outputs_per_sequence: u32,
    threads: i32,
    batch_threads: i32,
    context_type: c_int,
    rope_scaling: c_int,
    pooling: c_int,
    attention: c_int,
    flash_attention: c_int,
    rope: [f32; 6],
    yarn_original_context: u32,
    defragmentation: f32,
    callback: *const c_void,
    callback_data: *const c_void,
    key_type: c_int,
    value_type: c_int,
    abort: *const c_void,
    abort_data: *const c_void,
    embeddings: bool,
    offload_keys: bool,
    no_timing: bool,
    offload_operations: bool,
    full_window: bool,
    unified_keys: bool,
    samplers: *const c_void,
    sampler_count: usize,
    other: *const c_void,
}

/// `llama_batch`.
#[repr(C)]
struct Batch {
    token_count: i32,
    tokens: *mut i32,
    embeddings: *mut f32,
    positions: *mut i32,
    sequence_counts: *mut i32,
    sequences: *mut *mut i32,
    outputs: *mut i8,
}

type Handle = NonNull<c_void>;

/// Declares the functions that are used, once: their fields and how they are found.
macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        struct Functions { $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)* }

        impl Functions {
            fn load(library: &Library) -> Result<Self> {
                Ok(Self {
                    // SAFETY: the list repeats the declarations of llama.h.
                    $($name: unsafe { symbol(library, stringify!($name))? },)*
                })
            }
        }
    };
}

functions! {
    llama_log_set: fn(LogCallback, *mut c_void);
    llama_backend_init: fn();
    llama_model_quantize_default_params: fn() -> QuantizeParameters;
    llama_model_quantize: fn(*const c_char, *const c_char, *const QuantizeParameters) -> u32;
    llama_model_default_params: fn() -> ModelParameters;
    llama_model_load_from_file: fn(*const c_char, ModelParameters) -> Option<Handle>;
    llama_model_free: fn(Handle);
    llama_model_get_vocab: fn(Handle) -> Handle;
    llama_model_n_embd: fn(Handle) -> i32;
    llama_vocab_n_tokens: fn(Handle) -> i32;
    llama_tokenize: fn(Handle, *const c_char, i32, *mut i32, i32, bool, bool) -> i32;
    llama_context_default_params: fn() -> ContextParameters;
    llama_init_from_model: fn(Handle, ContextParameters) -> Option<Handle>;
    llama_free: fn(Handle);
    llama_batch_get_one: fn(*mut i32, i32) -> Batch;
    llama_encode: fn(Handle, Batch) -> i32;
    llama_decode: fn(Handle, Batch) -> i32;
    llama_get_logits_ith: fn(Handle, i32) -> *const f32;
    llama_get_embeddings_seq: fn(Handle, i32) -> *const f32;
}

type LogCallback = unsafe extern "C" fn(c_int, *const c_char, *mut c_void);

/// The loaded llama.cpp, ready to work.
pub(crate) struct Llama {
    functions: Functions,
    _libraries: [Library; 3],
}

/// A model that llama.cpp has loaded; freed when dropped.
pub(crate) struct Model<'llama> {
    llama: &'llama Llama,
    handle: Handle,
    path: PathBuf,
}

impl Llama {
    /// Loads the libraries from the package's folder and registers the processor's backend.
    ///
    /// # Errors
    /// A library or a function of it is missing.
    pub(crate) fn load(libraries: &Path) -> Result<Self> {
        let base = open(&libraries.join("libggml-base.so"))?;
        let ggml = open(&libraries.join("libggml.v0.5.0.so"))?;
        let llama = open(&libraries.join("libllama.v0.5.0.so"))?;
        let functions = Functions::load(&llama)?;
        // SAFETY: the type is the declaration of this function in ggml-backend.h.
        let load_backends: unsafe extern "C" fn(*const c_char) =
            unsafe { symbol(&ggml, "ggml_backend_load_all_from_path")? };
        let folder = c_path(libraries)?;
        // SAFETY: the callback lives as long as the program and takes any message.
        unsafe { (functions.llama_log_set)(keep_errors, ptr::null_mut()) };
        // SAFETY: a closed string; the folder holds the package's own backends.
        unsafe { load_backends(folder.as_ptr()) };
        // SAFETY: called once per load, before anything else of the library.
        unsafe { (functions.llama_backend_init)() };
        Ok(Self { functions, _libraries: [base, ggml, llama] })
    }

    /// Writes `target` as llama.cpp quantizes `source` to a `llama_ftype`.
    ///
    /// # Errors
    /// llama.cpp refuses.
    pub(crate) fn quantize_file(&self, source: &Path, target: &Path, file_type: u32) -> Result<()> {
        let (source_path, target_path) = (c_path(source)?, c_path(target)?);
        // SAFETY: no arguments; the result is a plain structure.
        let mut parameters = unsafe { (self.functions.llama_model_quantize_default_params)() };
        parameters.threads = THREADS;
        parameters.file_type = file_type.cast_signed();
        // SAFETY: closed strings and a structure of the library's own making, all alive during the call.
        let code = unsafe {
            (self.functions.llama_model_quantize)(source_path.as_ptr(), target_path.as_ptr(), &parameters)
        };
        ensure!(code == 0, "llama.cpp does not quantize {}: {}", source.display(), reported());
        Ok(())
    }

    /// Loads a file as a model that can be evaluated.
    ///
    /// # Errors
    /// llama.cpp refuses the file.
    pub(crate) fn model(&self, path: &Path) -> Result<Model<'_>> {
        let name = c_path(path)?;
        // SAFETY: no arguments; the result is a plain structure.
        let mut parameters = unsafe { (self.functions.llama_model_default_params)() };
        parameters.check_tensors = true;
        // Layouts that only some processors have round activations otherwise, and where an expert is chosen by them,
        // all that follows is another. What is judged here is the same on every machine.
        parameters.extra_buffers = false;
        // SAFETY: a closed string and a structure of the library's own making.
        let handle = unsafe { (self.functions.llama_model_load_from_file)(name.as_ptr(), parameters) };
        let handle =
            handle.with_context(|| format!("llama.cpp does not load {}: {}", path.display(), reported()))?;
        Ok(Model { llama: self, handle, path: path.to_owned() })
    }
}

impl Model<'_> {
    /// The logits after the last token, one per token of the vocabulary.
    ///
    /// # Errors
    /// llama.cpp does not evaluate the tokens.
    pub(crate) fn logits(&self, tokens: &[i32]) -> Result<Vec<f32>> {
        let evaluation = self.evaluation(tokens.len(), Output::Logits)?;
        evaluation.decode(tokens)?;
        self.last_logits(&evaluation)
    }

    /// The logits after the last of the decoder's `tokens`, where the encoder was given the `source`.
    ///
    /// # Errors
    /// llama.cpp does not evaluate the tokens.
    pub(crate) fn logits_after(&self, source: &[i32], tokens: &[i32]) -> Result<Vec<f32>> {
        let evaluation = self.evaluation(source.len().max(tokens.len()), Output::Logits)?;
        evaluation.encode(source)?;
        evaluation.decode(tokens)?;
        self.last_logits(&evaluation)
    }

    fn last_logits(&self, evaluation: &Evaluation<'_>) -> Result<Vec<f32>> {
        let functions = &self.llama.functions;
        // SAFETY: the vocabulary belongs to the model, which is alive.
        let count =
            unsafe { (functions.llama_vocab_n_tokens)((functions.llama_model_get_vocab)(self.handle)) };
        // SAFETY: tokens have just been decoded; -1 is the last output.
        let values = unsafe { (functions.llama_get_logits_ith)(evaluation.handle, -1) };
        self.copied(values, count)
    }

    /// The embedding of a text, pooled as the file's pooling key asks.
    ///
    /// # Errors
    /// llama.cpp does not evaluate the text.
    pub(crate) fn embedding(&self, text: &str) -> Result<Vec<f32>> {
        self.pooled(&self.tokenize(text)?, Output::Embedding)
    }

    /// The mean of the tokens' embeddings, whatever the file's pooling key asks.
    ///
    /// # Errors
    /// llama.cpp does not evaluate the tokens.
    pub(crate) fn mean_embedding(&self, tokens: &[i32]) -> Result<Vec<f32>> {
        self.pooled(tokens, Output::MeanEmbedding)
    }

    fn pooled(&self, tokens: &[i32], output: Output) -> Result<Vec<f32>> {
        let functions = &self.llama.functions;
        let evaluation = self.evaluation(tokens.len(), output)?;
        evaluation.decode(tokens)?;
        // SAFETY: the model is alive.
        let width = unsafe { (functions.llama_model_n_embd)(self.handle) };
        // SAFETY: tokens have just been decoded, as one sequence.
        let values = unsafe { (functions.llama_get_embeddings_seq)(evaluation.handle, 0) };
        self.copied(values, width)
    }

    /// The ids of a text's tokens, special ones added as the file says.
    ///
    /// # Errors
    /// The text has more tokens than bytes.
    pub(crate) fn tokenize(&self, text: &str) -> Result<Vec<i32>> {
        let functions = &self.llama.functions;
        let mut tokens = vec![0i32; text.len() + 16];
        let (bytes, room) = (i32::try_from(text.len())?, i32::try_from(tokens.len())?);
        // SAFETY: both lengths go with their pointers, and the vocabulary belongs to the living model.
        let count = unsafe {
            let vocabulary = (functions.llama_model_get_vocab)(self.handle);
            let text = text.as_ptr().cast();
            (functions.llama_tokenize)(vocabulary, text, bytes, tokens.as_mut_ptr(), room, true, true)
        };
        tokens.truncate(usize::try_from(count).context("more tokens than bytes")?);
        Ok(tokens)
    }

    /// Room for this many tokens.
    fn evaluation(&self, tokens: usize, output: Output) -> Result<Evaluation<'_>> {
        let functions = &self.llama.functions;
        // SAFETY: no arguments; the result is a plain structure.
        let mut parameters = unsafe { (functions.llama_context_default_params)() };
        let room = u32::try_from(tokens.max(56) + 8)?;
        parameters.context_tokens = room;
        parameters.batch_tokens = room;
        parameters.micro_batch_tokens = room;
        parameters.threads = THREADS;
        parameters.batch_threads = THREADS;
        parameters.embeddings = output != Output::Logits;
        if output == Output::MeanEmbedding {
            parameters.pooling = POOLING_TYPE_MEAN;
        }
        // Flash attention rounds to halves on the way.
        parameters.flash_attention = 0;
        // 0 is the id of F32.
        parameters.key_type = 0;
        parameters.value_type = 0;
        // SAFETY: the model is alive and outlives the context by the returned lifetime.
        let handle = unsafe { (functions.llama_init_from_model)(self.handle, parameters) };
        let Some(handle) = handle else {
            bail!("llama.cpp makes no context for {}: {}", self.path.display(), reported());
        };
        Ok(Evaluation { model: self, handle })
    }

    fn copied(&self, values: *const f32, count: i32) -> Result<Vec<f32>> {
        ensure!(!values.is_null(), "llama.cpp has no result for {}", self.path.display());
        // SAFETY: the library keeps this many results at the pointer until the context goes, which the
        // caller still holds.
        Ok(unsafe { std::slice::from_raw_parts(values, usize::try_from(count)?) }.to_vec())
    }
}

impl Drop for Model<'_> {
    fn drop(&mut self) {
        // SAFETY: made by this library, freed once, and no context of it is left.
        unsafe { (self.llama.functions.llama_model_free)(self.handle) };
    }
}

/// What an evaluation is to give.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Logits,
    /// Pooled as the file asks.
    Embedding,
    MeanEmbedding,
}

/// A context of llama.cpp, with the results of the tokens it was given last.
struct Evaluation<'model> {
    model: &'model Model<'model>,
    handle: Handle,
}

impl Evaluation<'_> {
    fn encode(&self, tokens: &[i32]) -> Result<()> {
        self.hand(self.model.llama.functions.llama_encode, tokens)
    }

    fn decode(&self, tokens: &[i32]) -> Result<()> {
        self.hand(self.model.llama.functions.llama_decode, tokens)
    }

    fn hand(&self, take: unsafe extern "C" fn(Handle, Batch) -> i32, tokens: &[i32]) -> Result<()> {
        let mut tokens = tokens.to_vec();
        let count = i32::try_from(tokens.len())?;
        // SAFETY: the result is a plain structure that points at `tokens`.
        let batch = unsafe { (self.model.llama.functions.llama_batch_get_one)(tokens.as_mut_ptr(), count) };
        // SAFETY: the batch points at `tokens`, which is alive and as long as it says.
        let code = unsafe { take(self.handle, batch) };
        ensure!(code == 0, "llama.cpp does not evaluate {}: {}", self.model.path.display(), reported());
        Ok(())
    }
}

impl Drop for Evaluation<'_> {
    fn drop(&mut self) {
        // SAFETY: made by this library and freed once.
        unsafe { (self.model.llama.functions.llama_free)(self.handle) };
    }
}

/// Keeps the text of errors and drops the rest of llama.cpp's chatter.
unsafe extern "C" fn keep_errors(level: c_int, text: *const c_char, _: *mut c_void) {
    if level == LOG_LEVEL_ERROR && !text.is_null() {
        // SAFETY: llama.cpp passes a closed string that lives during the call.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        if let Ok(mut reported) = REPORTED.lock() {
            reported.push(text.trim().to_owned());
        }
    }
}

fn reported() -> String {
    REPORTED.lock().map(|mut reported| reported.drain(..).collect::<Vec<_>>().join("; ")).unwrap_or_default()
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_encoded_bytes()).context("a path with a zero byte")
}
