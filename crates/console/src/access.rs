//! Who may do what: accounts with roles, sign-ins, tokens.

mod role;

pub use role::Role;

/// Who a request comes from. Handlers find it in the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The account's name.
    pub name: String,
    /// What it may do, narrowed by the token where there is one.
    pub role: Role,
    /// What every form must bring back, in the field `csrf`; empty where no cookie is used.
    pub csrf: String,
}
