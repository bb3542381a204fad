//! What the rules need to know of the model as a whole.

/// The facts of a model that shift the rules of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFacts {
    /// The value of `general.architecture`, such as `llama`.
    pub architecture: String,
    /// Layers, next-token-prediction layers included.
    pub block_count: u64,
    /// Next-token-prediction layers, which stand after the others.
    pub prediction_layers: u64,
    /// Attention heads of layer 0.
    pub heads: u64,
    /// Heads for keys and values of layer 0; as many as `heads` where the model does not say.
    pub key_value_heads: u64,
    /// Experts per layer; 0 in a model without.
    pub expert_count: u64,
}

impl ModelFacts {
    /// Reads the facts from metadata.
    ///
    /// `get` returns the number under a full key such as `llama.block_count`; for an array, which gives a
    /// number per layer, its first. What is absent counts as 0.
    pub fn from_metadata(architecture: &str, get: impl Fn(&str) -> Option<u64>) -> Self {
        let number = |key: &str| get(&format!("{architecture}.{key}"));
        let heads = number("attention.head_count").unwrap_or(0);
        Self {
            architecture: architecture.to_owned(),
            block_count: number("block_count").unwrap_or(0),
            prediction_layers: number("nextn_predict_layers").unwrap_or(0),
            heads,
            key_value_heads: number("attention.head_count_kv").unwrap_or(heads),
            expert_count: number("expert_count").unwrap_or(0),
        }
    }

    /// Query heads that share a value head; 0 in a model without.
    pub(super) fn heads_per_value(&self) -> u64 {
        self.heads.checked_div(self.key_value_heads).unwrap_or(0)
    }

    /// Whether this is a model of about 70 billion weights, whose value projections are so small a part that
    /// one bit more for each costs next to nothing.
    pub(super) fn is_large(&self) -> bool {
        let layers = self.block_count.saturating_sub(self.prediction_layers);
        match self.architecture.as_str() {
            "llama" | "llama-embed" => {
                layers == 80 && self.heads != self.key_value_heads && self.expert_count != 8
            }
            "qwen2" | "deci" | "olmo" => layers == 80,
            "jais2" => layers == 68,
            _ => false,
        }
    }
}
