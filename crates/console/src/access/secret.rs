//! What proves who somebody is: 32 random bytes, in hex. Tables hold SHA-256 of it, which needs no salt: nobody guesses 256
//! random bits.

use std::fmt::Write as _;

use corridor_pg::{Fault, Result};
use sha2::{Digest, Sha256};

use crate::fault::NO_RANDOMNESS;

/// Bytes of a secret.
const BYTES: usize = 32;

/// A secret in hex. It has no `Debug`: it belongs in no log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// A new one, from the operating system's generator.
    pub(crate) fn draw() -> Result<Secret> {
        let mut bytes = [0u8; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| Fault::new(&NO_RANDOMNESS, error.to_string()))?;
        Ok(Secret(hex(&bytes)))
    }

    /// As somebody has sent it; `None` when it cannot be one.
    pub(crate) fn read(text: &str) -> Option<Secret> {
        let is_hex = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        (text.len() == 2 * BYTES && is_hex).then(|| Secret(text.to_owned()))
    }

    /// As it is sent.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What a table holds.
    pub(crate) fn digest(&self) -> Vec<u8> {
        Sha256::digest(self.0.as_bytes()).to_vec()
    }

    /// What a form must bring back. It tells nothing of the secret, and another site cannot know it.
    pub(crate) fn csrf(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"csrf ");
        hasher.update(self.0.as_bytes());
        hex(&hasher.finalize())
    }

    /// Whether `token` is [`Secret::csrf`]; how long that takes tells nothing.
    pub(crate) fn is_csrf(&self, token: &str) -> bool {
        let wanted = self.csrf();
        wanted.len() == token.len()
            && wanted
                .bytes()
                .zip(token.bytes())
                .fold(0, |differs, (a, b)| differs | (a ^ b))
                == 0
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a text cannot fail.
            write!(text, "{byte:02x}").ok();
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_and_nothing_else_is_one() {
        let secret = Secret::draw().unwrap();
        assert!(Secret::read(secret.as_str()).is_some_and(|again| again == secret));
        assert!(Secret::draw().unwrap() != secret);
        for text in ["", "abc", &"g".repeat(64), &"A".repeat(64), &"a".repeat(65)] {
            assert!(Secret::read(text).is_none(), "{text}");
        }
        assert_eq!(secret.digest().len(), 32);
    }

    #[test]
    fn a_form_must_bring_back_what_belongs_to_its_cookie() {
        let (one, other) = (Secret::draw().unwrap(), Secret::draw().unwrap());
        assert!(one.is_csrf(&one.csrf()));
        assert!(!one.is_csrf(&other.csrf()) && !one.is_csrf("") && !one.is_csrf(one.as_str()));
    }
}
