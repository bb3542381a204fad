//! The families, one table each; relatives share a file.

mod bert;
mod cohere;
mod deepseek;
mod dense;
mod gemma;
mod gpt;
mod gpt_oss;
mod granite;
mod llama;
mod mamba;
mod phi;
mod qwen;
mod rwkv;
mod shared;
mod t5;

use super::Family;

static FAMILIES: &[&Family] = &[
    &llama::LLAMA,
    &llama::MISTRAL,
    &llama::MIXTRAL,
    &qwen::QWEN2,
    &qwen::QWEN2_MOE,
    &qwen::QWEN3,
    &qwen::QWEN3_MOE,
    &gemma::GEMMA,
    &gemma::GEMMA2,
    &gemma::GEMMA3,
    &phi::PHI2,
    &phi::PHI3,
    &gpt::GPT2,
    &gpt::GPT_NEOX,
    &bert::BERT,
    &bert::ROBERTA,
    &bert::XLM_ROBERTA,
    &bert::NOMIC_BERT,
    &gpt::STARCODER2,
    &gpt::FALCON,
    &dense::STABLELM,
    &dense::OLMO,
    &dense::OLMO2,
    &deepseek::DEEPSEEK2,
    &deepseek::DEEPSEEK3,
    &gpt_oss::GPT_OSS,
    &cohere::COHERE,
    &cohere::COHERE2,
    &granite::GRANITE,
    &granite::GRANITE_MOE,
    &granite::GRANITE_HYBRID_DENSE,
    &granite::GRANITE_HYBRID_ATTENTION,
    &granite::GRANITE_HYBRID,
    &granite::GRANITE_HYBRID_PLAIN,
    &dense::SMOLLM3,
    &dense::GLM4,
    &dense::EXAONE4,
    &dense::INTERNLM2,
    &dense::BAICHUAN,
    &dense::MINICPM,
    &dense::BITNET,
    &mamba::MAMBA,
    &mamba::FALCON_MAMBA,
    &mamba::MAMBA2,
    &mamba::JAMBA,
    &mamba::FALCON_H1,
    &dense::LFM2,
    &rwkv::RWKV7,
    &t5::T5,
    &gpt::BLOOM,
    &gpt::MPT,
    &dense::NEMOTRON,
];

/// Every family there is.
pub fn families() -> &'static [&'static Family] {
    FAMILIES
}
