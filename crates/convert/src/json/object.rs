//! The members of a JSON object, kept small.
//!
//! A map's nodes have room for a dozen members; of an object with one, as hostile files have by the hundred
//! thousand, that is ninety times its text. Members that lie in order in one allocation take as much as they are.

use std::collections::BTreeMap;

use super::Json;

/// A JSON object: keys are unique and sorted by bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object(Vec<(String, Json)>);

impl Object {
    /// No members.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.place(key).ok().map(|place| &self.0[place].1)
    }

    /// Whether there is a member `key`.
    pub fn contains_key(&self, key: &(impl AsRef<str> + ?Sized)) -> bool {
        self.place(key.as_ref()).is_ok()
    }

    /// Sets `key` to `value`; what it was before.
    pub fn insert(&mut self, key: String, value: Json) -> Option<Json> {
        match self.place(&key) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (key, value));
                None
            }
        }
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members in the order of their keys.
    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &String> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Json> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Json> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(key))
    }
}

/// The members of an [`Object`] in the order of their keys.
pub type Iter<'a> =
    std::iter::Map<std::slice::Iter<'a, (String, Json)>, fn(&'a (String, Json)) -> (&'a String, &'a Json)>;

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a String, &'a Json);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = std::vec::IntoIter<(String, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<BTreeMap<String, Json>> for Object {
    fn from(members: BTreeMap<String, Json>) -> Self {
        let mut sorted = Vec::with_capacity(members.len());
        sorted.extend(members);
        Self(sorted)
    }
}

/// Of two members with one key the last stays.
impl FromIterator<(String, Json)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        let mut members: Vec<(String, Json)> = members.into_iter().collect();
        // Stable, so that the last of equal keys stays behind the others.
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        members.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                std::mem::swap(later, kept);
            }
            is_same
        });
        members.shrink_to_fit();
        Self(members)
    }
}

impl<const N: usize> From<[(String, Json); N]> for Object {
    fn from(members: [(String, Json); N]) -> Self {
        members.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_object_does_what_a_map_does(
            members in prop::collection::vec(("[a-c]{0,2}", 0_i128..9), 0..12), key in "[a-c]{0,2}",
        ) {
            let (mut object, mut map) = (Object::new(), BTreeMap::new());
            for (key, number) in &members {
                let before = object.insert(key.clone(), Json::Integer(*number));
                prop_assert_eq!(before, map.insert(key.clone(), Json::Integer(*number)));
            }
            prop_assert_eq!(object.get(&key), map.get(&key));
            prop_assert_eq!(object.contains_key(&key), map.contains_key(&key));
            prop_assert!(object.iter().eq(map.iter()));
            prop_assert!(object.keys().eq(map.keys()) && object.values().eq(map.values()));
            prop_assert_eq!(&object, &Object::from(map));
            prop_assert_eq!(object, members.into_iter().map(|(key, number)| (key, Json::Integer(number))).collect());
        }
    }
}
