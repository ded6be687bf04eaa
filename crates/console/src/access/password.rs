//! Passwords: Argon2id with the crate's recommended cost (19 MiB, two passes), a few at a time.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use corridor_pg::{Fault, Result};
use tokio::sync::Semaphore;

use crate::fault::{BAD_PASSWORD, NO_RANDOMNESS};

/// Shorter ones are guessed.
const CHARS_MIN: usize = 12;
/// Longer ones only cost time.
const BYTES_MAX: usize = 1_000;
/// Hashings at a time: each takes 19 MiB and a core for some 20 ms. Whoever floods the sign-in waits for himself.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A hash of a password that nobody has: whoever is unknown is answered as slowly as whoever is known.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    let nobody = Argon2::default().hash_password(b"nobody has this password");
    nobody.map(|hash| hash.to_string()).unwrap_or_default()
});

/// Refuses what is too short, or too long to be meant.
pub(super) fn check(password: &str) -> Result<()> {
    let chars = password.chars().count();
    if chars < CHARS_MIN {
        return Err(Fault::new(
            &BAD_PASSWORD,
            format!("{chars} characters; at least {CHARS_MIN}"),
        ));
    }
    if password.len() > BYTES_MAX {
        return Err(Fault::new(
            &BAD_PASSWORD,
            format!("{} bytes; at most {BYTES_MAX}", password.len()),
        ));
    }
    Ok(())
}

/// The hash in the PHC form.
pub(super) async fn hash(password: &str) -> Result<String> {
    check(password)?;
    let password = password.to_owned();
    let hashed = work(move || Argon2::default().hash_password(password.as_bytes())).await;
    match hashed {
        Some(Ok(hash)) => Ok(hash.to_string()),
        Some(Err(error)) => Err(Fault::new(&NO_RANDOMNESS, error.to_string())),
        None => Err(Fault::new(
            &NO_RANDOMNESS,
            "hashing a password did not come to its end",
        )),
    }
}

/// Whether `password` is the one of `hash`; without a hash never, and as slowly.
pub(super) async fn is_right(password: &str, hash: Option<String>) -> bool {
    if password.len() > BYTES_MAX {
        return false;
    }
    let (password, is_known) = (password.to_owned(), hash.is_some());
    let verified = work(move || {
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let verified: argon2::password_hash::Result<()> =
            Argon2::default().verify_password(password.as_bytes(), hash.as_str());
        verified.is_ok()
    })
    .await;
    is_known && verified == Some(true)
}

/// Off the runtime's threads, when it is our turn.
async fn work<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let _turn = TURNS.acquire().await.ok()?;
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let hash = hash("correct horse battery").await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(is_right("correct horse battery", Some(hash.clone())).await);
        assert!(!is_right("correct horse batterz", Some(hash.clone())).await);
        assert!(!is_right(&"x".repeat(2_000), Some(hash)).await);
        assert!(!is_right("nobody has this password", None).await);
    }

    #[test]
    fn a_short_password_is_none() {
        assert_eq!(check("elevenchars").unwrap_err().code().id, "CON-003");
        check("zwölf zeiche").unwrap();
        assert!(check(&"x".repeat(1_001)).is_err());
    }
}
