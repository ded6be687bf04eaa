//! Who may do what: accounts with roles, sign-ins, tokens.
//!
//! - [`account`]: accounts, sign-ins and tokens as rows of *home*.
//! - `password`: Argon2id, a bounded number of hashings at a time.
//! - `secret`: what a cookie or a token holds; the database has only its digest.
//! - `attempts`: how often somebody may try to sign in; `failures`: what the audit tells of tries that failed.
//! - `identity`: who a request comes from.
//!
//! There is no account, and so no password, until somebody makes one: `corridor user add NAME --role admin`.

pub mod account;
mod attempts;
pub(crate) mod failures;
pub(crate) mod identity;

mod password;
mod role;
mod secret;

pub(crate) use attempts::Attempts;
pub(crate) use failures::Failures;
pub use identity::Access;
pub use role::Role;
pub(crate) use secret::Secret;

/// A password that nobody has thought of, for an account that lasts as long as a show.
pub fn drawn_password() -> corridor_pg::Result<String> {
    // 80 random bits are short enough to be typed.
    Ok(Secret::draw()?.as_str().chars().take(20).collect())
}

/// Who a request comes from. Handlers find it in the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The account's id.
    pub id: i64,
    /// The account's name.
    pub name: String,
    /// What it may do, narrowed by the token where there is one.
    pub role: Role,
    /// The name of the token that it came with, where there was one.
    pub token: Option<String>,
    /// What every form must bring back, in the field `csrf`; empty where no cookie is used.
    pub csrf: String,
}

impl Viewer {
    /// As the journal names whoever acts through the console.
    pub fn actor(&self) -> String {
        match &self.token {
            Some(token) => format!("{} (token {token})", self.name),
            None => format!("{} (console)", self.name),
        }
    }

    /// As the audit of the console names whoever acts: the account, and the token that a program came with.
    pub(crate) fn signature(&self) -> String {
        match &self.token {
            Some(_) => self.actor(),
            None => self.name.clone(),
        }
    }
}
