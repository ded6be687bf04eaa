//! Names of migrations: plain enough to be typed at night.

use std::fmt;

use corridor_pg::{Fault, Result};
use serde::Serialize;

use crate::fault::BAD_MIGRATION_NAME;

/// The longest name, in characters (all of them ASCII).
pub const NAME_CHARS_MAX: usize = 41;

/// A checked name: `[a-z0-9][a-z0-9_-]{0,40}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// Checks a name that a person gave.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_good = text.len() <= NAME_CHARS_MAX
            && text.starts_with(is_plain)
            && text.chars().all(|c| is_plain(c) || c == '_' || c == '-');
        if is_good {
            Ok(Name(text))
        } else {
            Err(Fault::new(&BAD_MIGRATION_NAME, format!("{text:?}")))
        }
    }

    /// A name that resembles `table`: lower case, everything else a dash. `move` when nothing is left of it.
    pub fn resembling(table: &str) -> Self {
        let mut text = String::new();
        for c in table.chars().flat_map(char::to_lowercase) {
            let is_plain = c.is_ascii_lowercase() || c.is_ascii_digit();
            if is_plain || (c == '_' && !text.is_empty()) {
                text.push(c);
            } else if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
        }
        text.truncate(NAME_CHARS_MAX);
        let text = text.trim_end_matches(['-', '_']);
        Name(if text.is_empty() {
            "move".to_owned()
        } else {
            text.to_owned()
        })
    }

    /// The `number`th variant: itself for 1, then `persons-2`, `persons-3`…; cut so that it fits.
    pub fn variant(&self, number: u32) -> Self {
        if number <= 1 {
            return self.clone();
        }
        let suffix = format!("-{number}");
        let room = NAME_CHARS_MAX - suffix.len();
        let stem = &self.0[..self.0.len().min(room)];
        Name(format!("{stem}{suffix}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["persons", "7", "a-b_c", &"x".repeat(41)] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a b", "é", "a\n", &"x".repeat(42)] {
            assert_eq!(Name::new(bad).unwrap_err().code().id, "MIG-004", "{bad}");
        }
    }

    #[test]
    fn a_name_resembles_its_table() {
        assert_eq!(Name::resembling("Order Items").as_str(), "order-items");
        assert_eq!(Name::resembling("_persons_").as_str(), "persons");
        assert_eq!(Name::resembling("🐘🐘").as_str(), "move");
        assert_eq!(Name::resembling("persons").variant(2).as_str(), "persons-2");
    }

    proptest! {
        #[test]
        fn whatever_the_table_the_name_is_good(table in ".{0,80}", number in 1u32..100_000) {
            let name = Name::resembling(&table).variant(number);
            prop_assert!(Name::new(name.as_str()).is_ok(), "{name}");
        }
    }
}
