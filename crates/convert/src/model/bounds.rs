//! Values of keys that no runtime can use, whatever the family.
//!
//! A config can say anything. What contradicts the tensors is found out by their shapes; this is about the numbers
//! that no shape depends on.

use briq_format::metadata::MetadataBuf;

/// Holds the keys under `arch` against each other.
///
/// # Errors
///
/// A sentence on the first that is out of its bounds: a context of no tokens, more experts at work than there are,
/// more of a head rotated than there is, a norm that adds less than nothing to a square.
pub(super) fn check(arch: &str, metadata: &MetadataBuf) -> Result<(), String> {
    let whole = |key: &str| metadata.get(&format!("{arch}.{key}"))?.as_u64();
    let out_of = |key: &str, number: u64, most: u64| {
        Err(format!("{arch}.{key} would be {number}; allowed is 1 to {most}"))
    };
    if let Some(length @ 0) = whole("context_length") {
        return out_of("context_length", length, u32::MAX.into());
    }
    if let (Some(used), Some(count)) = (whole("expert_used_count"), whole("expert_count"))
        && count > 0
        && !(1..=count).contains(&used)
    {
        return out_of("expert_used_count", used, count);
    }
    let head_size = whole("attention.key_length")
        .or_else(|| whole("embedding_length")?.checked_div(whole("attention.head_count")?));
    if let (Some(rotated), Some(size)) = (whole("rope.dimension_count"), head_size)
        && rotated > size
    {
        return out_of("rope.dimension_count", rotated, size);
    }
    for key in ["attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"] {
        let epsilon = metadata.get(&format!("{arch}.{key}")).and_then(|value| value.as_f64());
        if let Some(epsilon) = epsilon.filter(|epsilon| *epsilon < 0.0) {
            return Err(format!("{arch}.{key} would be {epsilon}; allowed is 0 or more"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use briq_format::metadata::OwnedValue;

    use super::*;

    fn checked(key: &str, value: OwnedValue) -> Result<(), String> {
        let mut metadata = MetadataBuf::new();
        let sound: [(&str, OwnedValue); 6] = [
            ("x.context_length", 1_u32.into()),
            ("x.embedding_length", 64_u32.into()),
            ("x.attention.head_count", 4_u32.into()),
            ("x.expert_count", 4_u32.into()),
            ("x.expert_used_count", 4_u32.into()),
            ("x.rope.dimension_count", 16_u32.into()),
        ];
        sound.into_iter().for_each(|(key, value)| metadata.set(key, value).unwrap());
        metadata.set(&format!("x.{key}"), value).unwrap();
        check("x", &metadata)
    }

    #[test]
    fn a_number_no_runtime_can_use_is_refused_with_its_key() {
        let cases: [(&str, OwnedValue, &str); 7] = [
            ("context_length", 0_u32.into(), "x.context_length would be 0; allowed is 1 to 4294967295"),
            ("expert_used_count", 5_u32.into(), "x.expert_used_count would be 5; allowed is 1 to 4"),
            ("expert_used_count", 0_u32.into(), "x.expert_used_count would be 0; allowed is 1 to 4"),
            ("rope.dimension_count", 17_u32.into(), "x.rope.dimension_count would be 17; allowed is 1 to 16"),
            ("attention.key_length", 15_u32.into(), "x.rope.dimension_count would be 16; allowed is 1 to 15"),
            (
                "attention.layer_norm_rms_epsilon",
                (-1e-5_f32).into(),
                "x.attention.layer_norm_rms_epsilon would be -0.000009999999747378752; allowed is 0 or more",
            ),
            (
                "attention.layer_norm_epsilon",
                (-1.0_f32).into(),
                "x.attention.layer_norm_epsilon would be -1; allowed is 0 or more",
            ),
        ];
        let found = cases.clone().map(|(key, value, _)| checked(key, value).unwrap_err());
        assert_eq!(found, cases.map(|(_, _, problem)| problem.to_owned()));
        for (key, value) in [("expert_count", 0_u32), ("expert_used_count", 1), ("attention.key_length", 16)]
        {
            assert_eq!(checked(key, value.into()), Ok(()), "{key}");
        }
        assert_eq!(checked("attention.layer_norm_epsilon", 0.0_f32.into()), Ok(()));
    }
}
