//! What the protocol keeps under names: prepared statements, portals.

use hashbrown::HashMap;

/// A map by name in which what has no name, which most messages mean, has a place of its own: it is found without a hash and without a
/// comparison. (Comparing empty strings that point nowhere is slow: AVX-512's masked load of an address that is not mapped takes hundreds of
/// cycles. It was a twentieth of a transaction's time.)
#[derive(Clone, Debug)]
pub struct ByName<T> {
    unnamed: Option<T>,
    named: HashMap<String, T>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { unnamed: None, named: HashMap::new() }
    }
}

impl<T> ByName<T> {
    /// What has the name.
    pub fn get(&self, name: &str) -> Option<&T> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) }
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        if name.is_empty() { self.unnamed.as_mut() } else { self.named.get_mut(name) }
    }

    /// Puts something under a name; what was there.
    pub fn insert(&mut self, name: &str, value: T) -> Option<T> {
        if name.is_empty() {
            self.unnamed.replace(value)
        } else {
            self.named.insert(name.to_owned(), value)
        }
    }

    /// Takes what has the name.
    pub fn remove(&mut self, name: &str) -> Option<T> {
        if name.is_empty() { self.unnamed.take() } else { self.named.remove(name) }
    }

    /// Keeps what `keep` holds for.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.unnamed = self.unnamed.take().filter(&mut keep);
        if !self.named.is_empty() {
            self.named.retain(|_, value| keep(value));
        }
    }

    /// Everything, with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let unnamed = self.unnamed.iter().map(|value| ("", value));
        unnamed.chain(self.named.iter().map(|(name, value)| (name.as_str(), value)))
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        self.unnamed = None;
        self.named.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_name_is_a_name_like_others() {
        let mut map = ByName::default();
        for (name, value) in [("", 1), ("a", 2), ("b", 3)] {
            assert_eq!(map.insert(name, value), None);
        }
        assert_eq!([map.get(""), map.get("a"), map.get("c")], [Some(&1), Some(&2), None]);
        assert_eq!([map.insert("", 4), map.insert("a", 5)], [Some(1), Some(2)]);
        *map.get_mut("").unwrap() += 10;
        *map.get_mut("b").unwrap() += 10;
        let mut all: Vec<_> = map.iter().collect();
        all.sort_unstable();
        assert_eq!(all, [("", &14), ("a", &5), ("b", &13)]);
        map.retain(|value| *value != 14 && *value != 5);
        assert_eq!(map.iter().collect::<Vec<_>>(), [("b", &13)]);
        assert_eq!([map.remove("b"), map.remove("b"), map.remove("")], [Some(13), None, None]);
        map.insert("", 1);
        map.insert("a", 1);
        map.clear();
        assert_eq!(map.iter().count(), 0);
    }
}
