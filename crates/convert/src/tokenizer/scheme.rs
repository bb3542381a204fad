//! What families add to the keys that a tokenizer's files call for.
//!
//! Which vocabulary a directory holds is read from its files ([`super::kind`]), whatever the family. What is
//! left for the family are keys that no file states, as llama.cpp's converter writes them for its class.

/// The keys that a family's tokenizers have beside those of their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// None.
    Plain,
    /// Llama and its kin: whether a space is put in front is taken from the settings, and two vocabulary
    /// sizes stand for models of their own.
    Llama,
    /// BERT and its kin: the number of token types is written.
    Bert,
    /// The first Gemma: no space in front, and a turn ends with token 107.
    Gemma,
    /// Later Gemmas: no space in front.
    GemmaLater,
    /// Phi 3: an added token is special only where the files say so.
    Phi3,
    /// InternLM 2: as Phi 3, unused pieces go by their names, and `<|im_end|>` ends a text.
    InternLm2,
    /// GLM 4: tokens known by their texts stand in for ids that the files leave out.
    Glm4,
    /// GLM 4.5 and later mixtures of experts: as GLM 4, with other tokens.
    Glm4Moe,
    /// ERNIE 4.5: whether a space is put in front is taken from the settings, behind all other keys.
    Ernie,
    /// Hunyuan: what ends a text is taken from the config, and what ends a turn from how it is sampled from.
    Hunyuan,
    /// Nemotron: padding is token 0 and the unknown token is 1, whatever the files say.
    Nemotron,
}

/// A scheme, spelled out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// `add_prefix_space` of the settings is written before all else, and the sizes of vocabularies that
    /// stand for CodeLlama and Granite's code models add their keys.
    pub(super) is_llama: bool,
    /// `token_type_count` is written.
    pub(super) counts_token_types: bool,
    /// `add_space_prefix` is false.
    pub(super) no_space_in_front: bool,
    /// Added tokens that look special without being marked so are special.
    pub(super) looks_decide: bool,
    /// `add_prefix_space` of the settings is written after all else.
    pub(super) space_comes_last: bool,
    /// The config's `eod_token_id` ends a text, and the first of several in `generation_config.json` a turn.
    pub(super) ends_by_config: bool,
    /// Pieces called `[UNUSED` are unused, the piece of a single NUL is shown, and the model's own word on
    /// the space in front is written.
    pub(super) is_internlm: bool,
    /// Special tokens by name and text, for names that have no id yet.
    pub(super) stand_ins: &'static [(&'static str, &'static str)],
    /// Special tokens by name and text that replace what the files say.
    pub(super) overrides: &'static [(&'static str, &'static str)],
    /// Special tokens by name and id that replace what the files say.
    pub(super) ids: &'static [(&'static str, u32)],
    /// Ids that are written last, whatever the files say.
    pub(super) fixed: &'static [(&'static str, u32)],
}

const PLAIN: Rules = Rules {
    is_llama: false,
    counts_token_types: false,
    no_space_in_front: false,
    looks_decide: true,
    space_comes_last: false,
    ends_by_config: false,
    is_internlm: false,
    stand_ins: &[],
    overrides: &[],
    ids: &[],
    fixed: &[],
};

impl Scheme {
    pub(super) fn rules(self) -> Rules {
        match self {
            Self::Plain => PLAIN,
            Self::Llama => Rules { is_llama: true, ..PLAIN },
            Self::Bert => Rules { counts_token_types: true, ..PLAIN },
            Self::Gemma => Rules { no_space_in_front: true, fixed: &[("eot", 107)], ..PLAIN },
            Self::GemmaLater => Rules { no_space_in_front: true, ..PLAIN },
            Self::Phi3 => Rules { looks_decide: false, ..PLAIN },
            Self::InternLm2 => {
                Rules { looks_decide: false, is_internlm: true, overrides: &[("eos", "<|im_end|>")], ..PLAIN }
            }
            Self::Glm4 => Rules {
                stand_ins: &[
                    ("eos", "<|endoftext|>"),
                    ("eot", "<|user|>"),
                    ("unk", "<|endoftext|>"),
                    ("bos", "<|endoftext|>"),
                ],
                ..PLAIN
            },
            Self::Glm4Moe => Rules {
                stand_ins: &[
                    ("bos", "[gMASK]"),
                    ("eot", "<|user|>"),
                    ("unk", "<|endoftext|>"),
                    ("eom", "<|observation|>"),
                ],
                ..PLAIN
            },
            Self::Ernie => Rules { space_comes_last: true, ..PLAIN },
            Self::Hunyuan => Rules { ends_by_config: true, ..PLAIN },
            Self::Nemotron => Rules { fixed: &[("pad", 0), ("unk", 1)], ..PLAIN },
        }
    }
}
