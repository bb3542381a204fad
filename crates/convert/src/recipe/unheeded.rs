//! Types that the user named in vain: other rules decide for every tensor that they were named for.
//!
//! llama.cpp's rules give some tensors their types whatever is named, and of two patterns the first decides. Whoever
//! asks for a type should hear that nothing became of it.

use briq_format::TensorType;

use super::{Choice, Options, Reason, Role};

/// A type that no tensor gets, though there are tensors that it was named for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheeded {
    /// The pattern or the role that it was named for, in words.
    pub named_for: String,
    /// The type that was named.
    pub ty: TensorType,
    /// The first tensor that it was named for.
    pub tensor: String,
}

impl Options {
    /// The types that are named in vain for tensors of these names, in the order of `choices`.
    pub(crate) fn unheeded(&self, names: &[&str], choices: &[Choice]) -> Vec<Unheeded> {
        // The tensor that a type was named for first, if none of them got it. One that fell back to another type did,
        // as far as its rows allow.
        let first = |ty, is_named: &dyn Fn(&str) -> bool, decided: &dyn Fn(&Reason) -> bool| {
            let mut named = names.iter().zip(choices).filter(|(name, _)| is_named(name)).peekable();
            let tensor = named.peek().map(|(name, _)| (**name).to_owned())?;
            let in_vain = named.all(|(_, choice)| choice.ty != ty && !decided(choice.reason.cause()));
            in_vain.then_some(tensor)
        };
        let of_pattern = |(regex, ty): &(regex::Regex, TensorType)| {
            let named_for = format!("the pattern {regex}");
            let reason = Reason::Override { pattern: regex.to_string(), ty: *ty };
            let tensor = first(*ty, &|name| regex.is_match(name), &|cause| *cause == reason)?;
            Some(Unheeded { named_for, ty: *ty, tensor })
        };
        let has_output = names.iter().any(|name| Role::of(name) == Role::Output);
        let of_role = |ty: Option<TensorType>, role: Role| {
            // Where there is no output, the embedding serves as one.
            let holder = if role == Role::Output && !has_output { Role::Embedding } else { role };
            let reason = Reason::NamedRole { role, ty: ty? };
            let tensor = first(ty?, &|name| Role::of(name) == holder, &|cause| *cause == reason)?;
            Some(Unheeded { named_for: role.words().to_owned(), ty: ty?, tensor })
        };
        let roles = [(self.output, Role::Output), (self.token_embedding, Role::Embedding)];
        let roles = roles.into_iter().filter_map(|(ty, role)| of_role(ty, role));
        self.overrides.iter().filter_map(of_pattern).chain(roles).collect()
    }
}
