//! Privileges.

use serde::{Deserialize, Serialize};

use crate::ident::Ident;

/// One privilege of one role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// The column; none for the whole relation.
    pub column: Option<Ident>,
    /// Who has it; none is everybody (`public`).
    pub grantee: Option<Ident>,
    /// Who gave it.
    pub grantor: Ident,
    /// `SELECT`, `INSERT`…
    pub privilege: String,
    /// The role may pass it on.
    pub is_grantable: bool,
}
