//! What a tensor does in the model, read from its name.

/// The part a tensor plays; the rules of a mixture speak of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The output projection, or the token embedding that also serves as one.
    Output,
    /// The token embedding, where the model has an output projection of its own.
    Embedding,
    /// The value projection of attention, alone or fused with others.
    Value,
    /// The key projection.
    Key,
    /// The query projection.
    Query,
    /// The projection after attention.
    AttentionOutput,
    /// The feed-forward projection upwards.
    Up,
    /// The gate of the feed-forward network.
    Gate,
    /// The feed-forward projection downwards.
    Down,
    /// Everything else.
    Other,
}

/// How a name is held against a pattern.
enum Test {
    Is(&'static str),
    Contains(&'static str),
}

/// The first line that matches decides.
const ROLES: &[(Test, Role)] = {
    use Test::{Contains, Is};
    &[
        (Is("output.weight"), Role::Output),
        (Is("token_embd.weight"), Role::Embedding),
        (Is("per_layer_token_embd.weight"), Role::Embedding),
        (Contains("attn_qkv.weight"), Role::Value),
        (Contains("attn_kv_b.weight"), Role::Value),
        (Contains("attn_v.weight"), Role::Value),
        (Contains("attn_k.weight"), Role::Key),
        (Contains("attn_q.weight"), Role::Query),
        (Contains("attn_output.weight"), Role::AttentionOutput),
        (Contains("ffn_up"), Role::Up),
        (Contains("ffn_gate"), Role::Gate),
        (Contains("ffn_down"), Role::Down),
    ]
};

impl Role {
    /// The number of roles.
    pub(super) const COUNT: usize = Self::Other as usize + 1;

    /// The role of the tensor called `name`.
    pub fn of(name: &str) -> Self {
        let matches = |test: &Test| match test {
            Test::Is(whole) => name == *whole,
            Test::Contains(part) => name.contains(part),
        };
        ROLES.iter().find(|(test, _)| matches(test)).map_or(Self::Other, |(_, role)| *role)
    }

    /// The role in the words of a plan.
    pub fn words(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Embedding => "token_embd",
            Self::Value => "attn_v",
            Self::Key => "attn_k",
            Self::Query => "attn_q",
            Self::AttentionOutput => "attn_output",
            Self::Up => "ffn_up",
            Self::Gate => "ffn_gate",
            Self::Down => "ffn_down",
            Self::Other => "other",
        }
    }
}
