//! Llama checkpoints with made-up weights in bf16, as large as is asked for.
//!
//! Configuration and tokenizer are tiny-llama's, widened. The weights repeat one buffer of Gaussian numbers,
//! because nothing that is measured depends on them being new.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::data::Random;
use crate::place::{Place, copy_files};

/// The sizes of a model; 32 heads of them share the hidden size, 8 heads of keys and values.
pub(crate) struct Size {
    hidden: u64,
    feed_forward: u64,
    layers: u64,
    vocabulary: u64,
}

const HEADS: u64 = 32;
const KEY_HEADS: u64 = 8;

impl Size {
    /// 1.46 GB of bf16, 1.07 GB of which are the token embedding, one tensor.
    pub(crate) const LARGE: Self = Self { hidden: 4096, feed_forward: 12288, layers: 1, vocabulary: 131_072 };

    /// 301 million weights.
    pub(crate) const MEDIUM: Self = Self { hidden: 2048, feed_forward: 5632, layers: 5, vocabulary: 36_864 };

    /// 31 million weights.
    pub(crate) const SMALL: Self = Self { hidden: 1024, feed_forward: 2816, layers: 2, vocabulary: 8192 };

    /// Bytes of the largest tensor.
    pub(crate) fn largest_tensor_bytes(&self) -> u64 {
        self.tensors().iter().map(Tensor::bytes).max().unwrap_or(0)
    }

    /// The tensors of a Llama with tied embeddings, in the order and with the names of such checkpoints.
    fn tensors(&self) -> Vec<Tensor> {
        let Self { hidden, feed_forward, layers, vocabulary } = *self;
        let keys = hidden / HEADS * KEY_HEADS;
        let tensor =
            |name: String, shape: &[u64]| Tensor { name: format!("model.{name}"), shape: shape.to_vec() };
        let mut tensors = vec![tensor("embed_tokens.weight".to_owned(), &[vocabulary, hidden])];
        for layer in 0..layers {
            for (name, shape) in [
                ("input_layernorm", &[hidden][..]),
                ("self_attn.q_proj", &[hidden, hidden]),
                ("self_attn.k_proj", &[keys, hidden]),
                ("self_attn.v_proj", &[keys, hidden]),
                ("self_attn.o_proj", &[hidden, hidden]),
                ("post_attention_layernorm", &[hidden]),
                ("mlp.gate_proj", &[feed_forward, hidden]),
                ("mlp.up_proj", &[feed_forward, hidden]),
                ("mlp.down_proj", &[hidden, feed_forward]),
            ] {
                tensors.push(tensor(format!("layers.{layer}.{name}.weight"), shape));
            }
        }
        tensors.push(tensor("norm.weight".to_owned(), &[hidden]));
        tensors
    }
}

/// Bytes of weights that are made and then repeated.
const BUFFER_BYTES: usize = 16 << 20;

struct Tensor {
    name: String,
    shape: Vec<u64>,
}

impl Tensor {
    fn bytes(&self) -> u64 {
        2 * self.shape.iter().product::<u64>()
    }
}

/// Writes the checkpoint into `folder`, its tensors split evenly over `shards` files, and returns their bytes.
///
/// # Errors
/// The disk refuses, or the fixture is not what this module expects.
pub(crate) fn generate(place: &Place, folder: &Path, size: &Size, shards: usize) -> Result<u64> {
    copy_files(&place.tiny_llama(), folder)?;
    fs::remove_file(folder.join("model.safetensors"))?;
    widen(folder, size)?;

    let tensors = size.tensors();
    let total: u64 = tensors.iter().map(Tensor::bytes).sum();
    let buffer = weights();
    let mut index = Map::new();
    let first = |number| number * tensors.len() / shards;
    for number in 0..shards {
        let tensors = &tensors[first(number)..first(number + 1)];
        let name = match shards {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{:05}-of-{shards:05}.safetensors", number + 1),
        };
        write_safetensors(&folder.join(&name), tensors, &buffer)?;
        index.extend(tensors.iter().map(|tensor| (tensor.name.clone(), json!(name))));
    }
    if shards > 1 {
        let index = json!({ "metadata": { "total_size": total }, "weight_map": index });
        fs::write(folder.join("model.safetensors.index.json"), index.to_string())?;
    }
    Ok(total)
}

/// Writes the smallest Llama that llama.cpp loads into `folder`, with this many tokens and weights of zero. Its
/// class is none that exists.
///
/// # Errors
/// The disk refuses.
pub(crate) fn write_tiny(folder: &Path, tokens: u64) -> Result<()> {
    const WIDTH: u64 = 32;
    let config = json!({
        "architectures": ["RenamedForCausalLM"], "vocab_size": tokens, "hidden_size": WIDTH,
        "intermediate_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 1,
        "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "max_position_embeddings": 64,
        "tie_word_embeddings": true,
    });
    fs::write(folder.join("config.json"), config.to_string())?;
    let tensor =
        |name: &str, shape: &[u64]| Tensor { name: format!("model.{name}.weight"), shape: shape.to_vec() };
    let mut tensors = vec![tensor("embed_tokens", &[tokens, WIDTH]), tensor("norm", &[WIDTH])];
    for name in ["input_layernorm", "post_attention_layernorm"] {
        tensors.push(tensor(&format!("layers.0.{name}"), &[WIDTH]));
    }
    for name in ["self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up", "mlp.down"]
    {
        tensors.push(tensor(&format!("layers.0.{name}_proj"), &[WIDTH, WIDTH]));
    }
    write_safetensors(&folder.join("model.safetensors"), &tensors, &[0; 4096])
}

/// Gives tiny-llama's configuration these sizes, and its vocabulary as many tokens.
fn widen(folder: &Path, size: &Size) -> Result<()> {
    edit(&folder.join("config.json"), |config| {
        for (key, value) in [
            ("hidden_size", size.hidden),
            ("intermediate_size", size.feed_forward),
            ("num_attention_heads", HEADS),
            ("num_key_value_heads", KEY_HEADS),
            ("head_dim", size.hidden / HEADS),
            ("num_hidden_layers", size.layers),
            ("vocab_size", size.vocabulary),
        ] {
            config[key] = value.into();
        }
        config["tie_word_embeddings"] = true.into();
        Ok(())
    })?;
    edit(&folder.join("tokenizer.json"), |tokenizer| {
        let special = tokenizer["added_tokens"].as_array().context("added_tokens")?;
        let mut used: Vec<_> = special.iter().filter_map(|token| token["id"].as_u64()).collect();
        let vocabulary = tokenizer["model"]["vocab"].as_object_mut().context("model.vocab")?;
        used.extend(vocabulary.values().filter_map(Value::as_u64));
        for id in used.iter().max().map_or(0, |last| last + 1)..size.vocabulary {
            vocabulary.insert(format!("filler{id}"), id.into());
        }
        Ok(())
    })
}

fn edit(path: &Path, change: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
    let mut json = serde_json::from_slice(&fs::read(path)?)?;
    change(&mut json).with_context(|| path.display().to_string())?;
    Ok(fs::write(path, json.to_string())?)
}

/// Gaussian weights of the usual size, as bf16 by truncation.
fn weights() -> Vec<u8> {
    let mut random = Random::new(2);
    (0..BUFFER_BYTES / 2)
        .flat_map(|_| {
            let [_, _, low, high] = (0.02 * random.gaussian()).to_le_bytes();
            [low, high]
        })
        .collect()
}

/// A length of 8 bytes, a JSON header padded to 8 bytes, and the data.
fn write_safetensors(path: &Path, tensors: &[Tensor], buffer: &[u8]) -> Result<()> {
    let mut header = Map::new();
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + tensor.bytes();
        header.insert(
            tensor.name.clone(),
            json!({ "dtype": "BF16", "shape": tensor.shape, "data_offsets": [offset, end] }),
        );
        offset = end;
    }
    let mut header = Value::from(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));

    let mut file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut left = offset;
    while left > 0 {
        let take = left.min(buffer.len() as u64);
        file.write_all(&buffer[..take as usize])?;
        left -= take;
    }
    // What is measured afterwards should not wait for these pages.
    file.sync_all()?;
    Ok(())
}
