//! What a model's published name says about it: `meta-llama/Llama-2-7b-chat-hf` is organization, basename,
//! size and fine-tune.
//!
//! The heuristics are those of llama.cpp's converter, case by case: files made by either should introduce
//! themselves alike. They read a name and a number of parameters and nothing else.

/// The parts of a model's name that could be made out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Components {
    pub(super) full_name: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) basename: Option<String>,
    pub(super) finetune: Option<String>,
    pub(super) version: Option<String>,
    pub(super) size_label: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Version,
    ElementType,
    Size,
    Finetune,
}

struct Part {
    text: String,
    kind: Kind,
    is_basename: bool,
}

/// Names of more bytes are taken as they are; published ones have less than a hundred.
const LONGEST: usize = 1024;

/// Takes `id`, as in `organization/Name-7B-v1`, apart. `parameters` is the model's number of weights, or 0
/// when it is not known; it tells sizes from context lengths.
pub(super) fn components(id: &str, parameters: u64) -> Components {
    if id.contains(' ') || id.len() > LONGEST {
        return Components { full_name: Some(id.to_owned()), ..Components::default() };
    }
    let (organization, full_name) = match id.split_once('/') {
        Some((organization, name)) => (Some(organization).filter(|name| !name.starts_with('.')), name),
        None => (None, id),
    };
    let mut parts: Vec<Part> = full_name
        .split('-')
        .filter(|part| !part.is_empty())
        .enumerate()
        .map(|(i, part)| annotate(i, part, parameters))
        .collect();
    drop_worded_sizes(&mut parts);
    mark_basename(&mut parts);

    let texts = |keep: &dyn Fn(&Part) -> bool| {
        parts.iter().filter(|part| keep(part)).map(|part| part.text.as_str()).collect::<Vec<_>>()
    };
    let joined = |texts: Vec<&str>| (!texts.is_empty()).then(|| texts.join("-"));
    let mut sizes: Vec<&str> = Vec::new();
    for size in texts(&|part| part.kind == Kind::Size) {
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    let size_label = joined(sizes);
    let finetune = joined(texts(&|part| part.kind == Kind::Finetune));
    let version = joined(texts(&|part| part.kind == Kind::Version && !part.is_basename));
    // A basename alone would be a guess.
    let certain = size_label.is_some() || finetune.is_some() || version.is_some();
    let basename = joined(texts(&|part| part.is_basename)).filter(|_| certain);
    Components {
        full_name: Some(full_name.to_owned()),
        organization: organization.map(str::to_owned),
        basename,
        finetune,
        version,
        size_label,
    }
}

/// What the part at `index` says on its own.
fn annotate(index: usize, part: &str, parameters: u64) -> Part {
    let lower = part.to_ascii_lowercase();
    let (text, kind) = if is_version(&lower) {
        (part.to_owned(), Kind::Version)
    } else if is_element_type(&lower) {
        (part.to_uppercase(), Kind::ElementType)
    } else if index > 0 && is_size(&lower) {
        let label = normal_size(part);
        if is_context_length(&label, parameters) {
            (lower_last(&label), Kind::Finetune)
        } else {
            (label, Kind::Size)
        }
    } else if index > 0 && ["chat", "instruct", "vision", "lora"].contains(&lower.as_str()) {
        (part.to_owned(), Kind::Finetune)
    } else {
        (part.to_owned(), Kind::Unknown)
    };
    Part { text, kind, is_basename: false }
}

/// `mini` says nothing beside `3.8B`; it counts as a fine-tune then.
fn drop_worded_sizes(parts: &mut [Part]) {
    let is_size = |part: &&Part| part.kind == Kind::Size;
    if parts.iter().filter(is_size).any(|part| part.text.contains(|c: char| c.is_ascii_digit())) {
        for part in parts.iter_mut().filter(|part| part.kind == Kind::Size) {
            if part.text.chars().all(char::is_alphabetic) {
                part.kind = Kind::Unknown;
            }
        }
    }
}

/// The basename is the leading words and versions; versions at its end are versions only. Words after it are
/// fine-tunes.
fn mark_basename(parts: &mut [Part]) {
    let mut at_start = true;
    for part in parts.iter_mut() {
        let is_word = part.kind == Kind::Unknown && part.text.starts_with(char::is_alphabetic);
        at_start = at_start && (is_word || part.kind == Kind::Version);
        part.is_basename = at_start;
        if !at_start && part.kind == Kind::Unknown {
            part.kind = Kind::Finetune;
        }
    }
    for part in parts.iter_mut().rev() {
        if !(part.is_basename && part.kind == Kind::Version) {
            break;
        }
        part.is_basename = false;
    }
}

/// The rest of `text` after one or more digits.
fn after_digits(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

/// `v1.5`, `iter3`, `2407`.
fn is_version(lower: &str) -> bool {
    let digits = lower.strip_prefix("iter").or_else(|| lower.strip_prefix('v')).unwrap_or(lower);
    digits.split('.').all(|number| after_digits(number) == Some(""))
}

/// `q4_k_m`, `iq2_xs`, `bf16`, `fp32`, `f16`; of the quantized types, one character after each underscore.
fn is_element_type(lower: &str) -> bool {
    let quantized = lower.strip_prefix('i').unwrap_or(lower).strip_prefix('q').is_some_and(|rest| {
        let mut characters = rest.chars();
        let digit = characters.next().is_some_and(|c| c.is_ascii_digit());
        let rest: Vec<char> = characters.collect();
        let is_pair = |pair: &[char]| matches!(pair, ['_', c] if c.is_alphanumeric() || *c == '_');
        digit && rest.chunks(2).all(is_pair)
    });
    let float = lower
        .strip_prefix('b')
        .unwrap_or(lower)
        .strip_prefix('f')
        .is_some_and(|rest| ["16", "32"].contains(&rest.strip_prefix('p').unwrap_or(rest)));
    quantized || float
}

/// `7b`, `1.6B`, `1_6b`, `7b1`, `8x7b`, `a2.7b`, `mini`.
fn is_size(lower: &str) -> bool {
    if ["small", "mini", "medium", "large", "xl", "xxl"].contains(&lower) {
        return true;
    }
    let number = |text| -> Option<()> {
        let rest = after_digits(text)?;
        let rest = rest.strip_prefix(['.', '_']).map_or(Some(rest), after_digits)?;
        let rest = rest.strip_prefix(['k', 'm', 'b', 't'])?;
        (rest.is_empty() || (rest.len() == 1 && after_digits(rest).is_some())).then_some(())
    };
    let experts = after_digits(lower).and_then(|rest| rest.strip_prefix('x'));
    number(lower).or_else(|| number(lower.strip_prefix('a')?)).or_else(|| number(experts?)).is_some()
}

/// A size as labels write it: `1_6b` is `1.6B`, `7b1` is `7.1B`, words stay.
fn normal_size(part: &str) -> String {
    let mut label: Vec<char> = part.replace('_', ".").chars().collect();
    if let [.., suffix, digit] = label.as_mut_slice()
        && digit.is_ascii_digit()
    {
        (*suffix, *digit) = (*digit, *suffix);
        label.insert(label.len() - 2, '.');
    }
    if let [.., before, suffix] = label.as_mut_slice()
        && before.is_ascii_digit()
        && "kmbt".contains(*suffix)
    {
        suffix.make_ascii_uppercase();
    }
    label.into_iter().collect()
}

/// Whether `label` is too far from the number of parameters to be a size. In `Phi-3-mini-128k` it is the
/// length of the context.
fn is_context_length(label: &str, parameters: u64) -> bool {
    let Some((suffix_at, suffix)) = label.char_indices().last() else { return false };
    // Python's float() does not take `A2.7` or `8x7`, so those are sizes always.
    let Ok(number) = label[..suffix_at].parse::<f64>() else { return false };
    let Some(power) = " KMBT".find(suffix) else { return false };
    let claimed = number * 1000f64.powi(power as i32);
    let far = 7 * u128::from(parameters) / 8;
    parameters != 0 && (claimed - parameters as f64).abs() > far as f64
}

fn lower_last(label: &str) -> String {
    match label.char_indices().last() {
        Some((at, last)) => format!("{}{}", &label[..at], last.to_lowercase()),
        None => String::new(),
    }
}

/// A name as a title: words in lower case get a capital, except versions and what begins with a digit.
pub(super) fn title(name: &str) -> String {
    let words = name.split(|c: char| c == '-' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.map(title_word).collect::<Vec<_>>().join(" ")
}

fn title_word(word: &str) -> String {
    let is_lower = word.chars().any(char::is_lowercase) && !word.chars().any(char::is_uppercase);
    let is_version = word.starts_with('v') && is_version(word);
    if !is_lower || is_version || word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.to_owned();
    }
    let mut after_letter = false;
    let mut titled = String::with_capacity(word.len());
    for character in word.chars() {
        if after_letter {
            titled.push(character);
        } else {
            titled.extend(character.to_uppercase());
        }
        after_letter = character.is_alphabetic();
    }
    titled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Json};
    use std::path::Path;

    fn cases(kind: &str) -> Vec<Json> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/metadata-cases.json");
        let cases = json::read(&path, 1 << 20).unwrap();
        cases.get(kind).and_then(Json::as_array).unwrap().to_vec()
    }

    #[test]
    fn published_names_come_apart_as_the_converter_takes_them() {
        for case in cases("get_model_id_components") {
            let text = |key: &str| case.get(key).and_then(Json::as_str).map(str::to_owned);
            let id = text("id").unwrap();
            let Some(Json::Integer(parameters)) = case.get("total_params") else { panic!("{id}") };
            let expected = Components {
                full_name: text("full_name"),
                organization: text("organization"),
                basename: text("basename"),
                finetune: text("finetune"),
                version: text("version"),
                size_label: text("size_label"),
            };
            assert_eq!(components(&id, u64::try_from(*parameters).unwrap()), expected, "{id}");
            assert_eq!(Some(title(&expected.full_name.unwrap())), text("title"), "{id}");
        }
    }

    #[test]
    fn titles_keep_acronyms_and_versions() {
        for case in cases("id_to_title") {
            let pair: Vec<&str> = case.as_array().unwrap().iter().filter_map(Json::as_str).collect();
            assert_eq!(title(pair[0]), pair[1]);
        }
    }

    #[test]
    fn strange_names_come_apart_without_harm() {
        for name in
            ["", "-", "---", "/", "./x", "é-7b", "x-b1", "x-1", "Ǆ-ß-7B", "x-𝟕b", "v", "iter", "q", "x-q4_"]
        {
            let _ = components(name, 7);
            let _ = title(name);
        }
    }
}
