//! Accounts, sign-ins and tokens, as rows of *home*. What changes an account writes the audit in the same transaction.

use std::collections::BTreeSet;

use corridor_migration::store;
use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use serde::Serialize;
use serde_json::json;
use tokio_postgres::{GenericClient, Row, Transaction};

use super::secret::Secret;
use super::{Role, Viewer, password};
use crate::fault::{
    ACCOUNT_TAKEN, BAD_ACCOUNT, BAD_REQUEST, LAST_ADMIN, NO_SUCH_ACCOUNT, NO_SUCH_TOKEN, TOKEN_TAKEN,
    WRONG_PASSWORD,
};

/// Longest name of an account, in characters.
pub const NAME_CHARS_MAX: usize = 63;

/// An account, for those who look after them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// It can sign in with a password; else it comes through a proxy or by token.
    pub has_password: bool,
    /// It may not come in.
    pub is_disabled: bool,
    /// When it was made; RFC 3339, UTC, the server's clock, as all times here.
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// When one of its sign-ins was last used, within a minute.
    pub seen_at: Option<String>,
}

/// A sign-in of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignIn {
    /// It is the one that asks.
    pub is_this: bool,
    /// From where.
    pub address: String,
    /// Since when.
    pub created_at: String,
    /// Last used.
    pub seen_at: String,
    /// Until when.
    pub expires_at: String,
}

/// A token of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// Its name within the account.
    pub name: String,
    /// What it may do, at most what its account may.
    pub role: Role,
    /// Since when.
    pub created_at: String,
    /// Last used.
    pub seen_at: Option<String>,
    /// Until when; `None` is for ever.
    pub expires_at: Option<String>,
    /// It is good for nothing any more.
    pub is_expired: bool,
}

/// Refuses a name that cannot be one.
pub fn check_name(name: &str) -> Result<()> {
    let is_first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_plain = |c: char| is_first(c) || "._@-".contains(c);
    let is_name = name.len() <= NAME_CHARS_MAX && name.starts_with(is_first) && name.chars().all(is_plain);
    if is_name {
        return Ok(());
    }
    Err(Fault::new(&BAD_ACCOUNT, format!("{name:?}")))
}

fn role_of(row: &Row, column: &str) -> Role {
    // A CHECK constraint allows no other; the least would be right for one of a newer version.
    row.get::<_, &str>(column).parse().unwrap_or(Role::Viewer)
}

/// Makes an account. Without a password it comes through a proxy or by token only.
///
/// Errors: `CON-002`, `CON-003`, `CON-004`.
pub async fn add(
    session: &mut Session,
    name: &str,
    role: Role,
    password: Option<&str>,
    by: &str,
) -> Result<()> {
    check_name(name)?;
    let hash = match password {
        Some(password) => Some(password::hash(password).await?),
        None => None,
    };
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let row = tx
        .query_opt(
            include_str!("../../sql/access/add_account.sql"),
            &[&name, &role.as_str(), &hash, &by],
        )
        .await
        .doing(|| format!("making account {name}"))?;
    if row.is_none() {
        return Err(Fault::new(&ACCOUNT_TAKEN, name.to_owned()));
    }
    let detail = json!({ "role": role.as_str(), "has_password": hash.is_some() });
    store::audit(&tx, by, "account_added", &object(name), &detail).await?;
    tx.commit().await.doing(|| format!("making account {name}"))
}

fn object(name: &str) -> String {
    format!("account {name}")
}

/// Whether there is a table of accounts at all.
pub async fn is_there(client: &impl GenericClient) -> Result<bool> {
    let row = client
        .query_one(include_str!("../../sql/access/is_there.sql"), &[])
        .await
        .doing(|| "looking for the accounts")?;
    Ok(row.get("is_there"))
}

/// All accounts by name, at most 1,000.
pub async fn list(client: &impl GenericClient) -> Result<Vec<Account>> {
    let rows = client
        .query(include_str!("../../sql/access/accounts.sql"), &[])
        .await
        .doing(|| "listing the accounts")?;
    Ok(rows
        .iter()
        .map(|row| Account {
            name: row.get("name"),
            role: role_of(row, "role"),
            has_password: row.get("has_password"),
            is_disabled: row.get("is_disabled"),
            created_at: row.get("created_at"),
            created_by: row.get("created_by"),
            seen_at: row.get("seen_at"),
        })
        .collect())
}

/// What is changed of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another role.
    Role(Role),
    /// It may come in, or not.
    Disabled(bool),
    /// Another password; all its sign-ins end.
    Password(String),
    /// All its sign-ins and tokens end.
    Revoked,
    /// It goes, with its sign-ins and tokens.
    Removed,
}

/// Changes an account. `CON-005` when there is none, `CON-006` when no admin would be left.
pub async fn change(session: &mut Session, name: &str, change: &Change, by: &str) -> Result<()> {
    let hash = match change {
        Change::Password(password) => Some(password::hash(password).await?),
        _ => None,
    };
    let doing = || format!("changing account {name}");
    let tx = session.begin(Isolation::ReadCommitted).await?;
    tx.batch_execute(include_str!("../../sql/access/lock_accounts.sql"))
        .await
        .doing(doing)?;
    let (action, detail) = match change {
        Change::Role(role) => ("account_role_set", json!({ "role": role.as_str() })),
        Change::Disabled(true) => ("account_disabled", json!({})),
        Change::Disabled(false) => ("account_enabled", json!({})),
        Change::Password(_) => ("account_password_set", json!({})),
        Change::Revoked => ("account_revoked", json!({})),
        Change::Removed => ("account_removed", json!({})),
    };
    let changed = match change {
        Change::Role(role) => {
            tx.execute(
                include_str!("../../sql/access/set_role.sql"),
                &[&name, &role.as_str()],
            )
            .await
        }
        Change::Disabled(is_disabled) => {
            tx.execute(
                include_str!("../../sql/access/set_disabled.sql"),
                &[&name, is_disabled],
            )
            .await
        }
        Change::Password(_) => {
            tx.execute(include_str!("../../sql/access/set_password.sql"), &[&name, &hash])
                .await
        }
        Change::Revoked => {
            tx.execute(include_str!("../../sql/access/revoke.sql"), &[&name])
                .await
        }
        Change::Removed => {
            tx.execute(include_str!("../../sql/access/remove_account.sql"), &[&name])
                .await
        }
    }
    .doing(doing)?;
    if changed == 0 {
        return Err(Fault::new(&NO_SUCH_ACCOUNT, name.to_owned()));
    }
    keep_an_admin(&tx, change).await?;
    if matches!(
        change,
        Change::Password(_) | Change::Revoked | Change::Disabled(true)
    ) {
        tx.execute(include_str!("../../sql/access/sign_out_name.sql"), &[&name])
            .await
            .doing(doing)?;
    }
    store::audit(&tx, by, action, &object(name), &detail).await?;
    tx.commit().await.doing(doing)
}

async fn keep_an_admin(tx: &Transaction<'_>, change: &Change) -> Result<()> {
    if matches!(
        change,
        Change::Password(_) | Change::Revoked | Change::Disabled(false) | Change::Role(Role::Admin)
    ) {
        return Ok(());
    }
    let admins: i64 = tx
        .query_one(include_str!("../../sql/access/admins.sql"), &[])
        .await
        .doing(|| "counting the admins")?
        .get("admins");
    match admins {
        0 => Err(Fault::new(&LAST_ADMIN, "no admin would be left that may come in")),
        _ => Ok(()),
    }
}

/// Which of these names are accounts.
pub(crate) async fn known(client: &impl GenericClient, names: &[&str]) -> Result<BTreeSet<String>> {
    let rows = client
        .query(include_str!("../../sql/access/known.sql"), &[&names])
        .await
        .doing(|| "looking for accounts")?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}

/// True when anybody can come in by now.
pub async fn is_anybody(client: &impl GenericClient) -> Result<bool> {
    Ok(!list(client).await?.is_empty())
}

/// Signs in: the secret of the cookie. `CON-010` for a wrong name or password.
pub(crate) async fn sign_in(
    client: &impl GenericClient,
    name: &str,
    password: &str,
    hours: i32,
    address: &str,
) -> Result<Secret> {
    let row = client
        .query_opt(include_str!("../../sql/access/account.sql"), &[&name])
        .await
        .doing(|| "looking for the account")?;
    let hash = row
        .as_ref()
        .filter(|row| !row.get::<_, bool>("is_disabled"))
        .and_then(|row| row.get::<_, Option<String>>("password_hash"));
    let is_right = password::is_right(password, hash).await;
    let (Some(row), true) = (row, is_right) else {
        return Err(Fault::new(&WRONG_PASSWORD, "signing in was refused"));
    };
    let (id, secret): (i64, _) = (row.get("id"), Secret::draw()?);
    let digest = secret.digest();
    client
        .execute(
            include_str!("../../sql/access/sign_in.sql"),
            &[&digest, &id, &hours, &address],
        )
        .await
        .doing(|| "signing in")?;
    client
        .execute(include_str!("../../sql/access/trim_sign_ins.sql"), &[&id])
        .await
        .doing(|| "forgetting old sign-ins")?;
    store::audit(
        client,
        name,
        "signed_in",
        &object(name),
        &json!({ "address": address }),
    )
    .await?;
    Ok(secret)
}

/// Whose cookie it is; `None` when it is nobody's any more.
pub(crate) async fn by_cookie(client: &impl GenericClient, secret: &Secret) -> Result<Option<Viewer>> {
    let digest = secret.digest();
    let row = client
        .query_opt(include_str!("../../sql/access/who_signed_in.sql"), &[&digest])
        .await
        .doing(|| "looking who is signed in")?;
    let Some(row) = row else { return Ok(None) };
    if row.get("is_stale") {
        client
            .execute(include_str!("../../sql/access/seen.sql"), &[&digest])
            .await
            .doing(|| "noting that a sign-in was used")?;
    }
    Ok(Some(Viewer {
        id: row.get("id"),
        name: row.get("name"),
        role: role_of(&row, "role"),
        token: None,
        csrf: secret.csrf(),
    }))
}

/// Whose token it is; its role is the lesser of the account's and the token's.
pub(crate) async fn by_token(client: &impl GenericClient, secret: &Secret) -> Result<Option<Viewer>> {
    let row = client
        .query_opt(
            include_str!("../../sql/access/who_has_token.sql"),
            &[&secret.digest()],
        )
        .await
        .doing(|| "looking whose token it is")?;
    let Some(row) = row else { return Ok(None) };
    if row.get("is_stale") {
        let id: i64 = row.get("token_id");
        client
            .execute(include_str!("../../sql/access/token_seen.sql"), &[&id])
            .await
            .doing(|| "noting that a token was used")?;
    }
    Ok(Some(Viewer {
        id: row.get("id"),
        name: row.get("name"),
        role: role_of(&row, "role").min(role_of(&row, "token_role")),
        token: row.get("token"),
        csrf: String::new(),
    }))
}

/// The account that a trusted proxy names; `None` when there is none, or it is disabled.
pub(crate) async fn by_name(client: &impl GenericClient, name: &str) -> Result<Option<Viewer>> {
    let row = client
        .query_opt(include_str!("../../sql/access/account.sql"), &[&name])
        .await
        .doing(|| "looking for the account")?;
    Ok(row
        .filter(|row| !row.get::<_, bool>("is_disabled"))
        .map(|row| Viewer {
            id: row.get("id"),
            name: row.get("name"),
            role: role_of(&row, "role"),
            token: None,
            csrf: String::new(),
        }))
}

/// Ends one sign-in.
pub(crate) async fn sign_out(client: &impl GenericClient, secret: &Secret) -> Result<()> {
    client
        .execute(include_str!("../../sql/access/sign_out.sql"), &[&secret.digest()])
        .await
        .doing(|| "signing out")?;
    Ok(())
}

/// Ends all sign-ins of an account, save the one that asks.
pub(crate) async fn sign_out_others(
    client: &impl GenericClient,
    account_id: i64,
    secret: Option<&Secret>,
) -> Result<u64> {
    let digest = secret.map(Secret::digest).unwrap_or_default();
    client
        .execute(
            include_str!("../../sql/access/sign_out_all.sql"),
            &[&account_id, &digest],
        )
        .await
        .doing(|| "signing out everywhere else")
}

/// The sign-ins of an account that still hold.
pub(crate) async fn sign_ins(
    client: &impl GenericClient,
    account_id: i64,
    secret: Option<&Secret>,
) -> Result<Vec<SignIn>> {
    let digest = secret.map(Secret::digest).unwrap_or_default();
    let rows = client
        .query(
            include_str!("../../sql/access/sign_ins.sql"),
            &[&account_id, &digest],
        )
        .await
        .doing(|| "listing the sign-ins")?;
    Ok(rows
        .iter()
        .map(|row| SignIn {
            is_this: row.get("is_this"),
            address: row.get("address"),
            created_at: row.get("created_at"),
            seen_at: row.get("seen_at"),
            expires_at: row.get("expires_at"),
        })
        .collect())
}

/// Whether it can sign in with a password.
pub(crate) async fn has_password(client: &impl GenericClient, account_id: i64) -> Result<bool> {
    let row = client
        .query_opt(include_str!("../../sql/access/has_password.sql"), &[&account_id])
        .await
        .doing(|| "looking for the account")?;
    Ok(row.is_some_and(|row| row.get("has_password")))
}

/// Whether this is the account's password.
pub(crate) async fn is_password(client: &impl GenericClient, name: &str, password: &str) -> Result<bool> {
    let row = client
        .query_opt(include_str!("../../sql/access/account.sql"), &[&name])
        .await
        .doing(|| "looking for the account")?;
    let hash = row.and_then(|row| row.get::<_, Option<String>>("password_hash"));
    Ok(password::is_right(password, hash).await)
}

/// Makes a token, and returns what its program must send. It is shown this once.
///
/// Errors: `CON-005`, `CON-013`, `CON-014`.
pub async fn add_token(
    session: &mut Session,
    account: &str,
    name: &str,
    role: Role,
    days: Option<i32>,
    by: &str,
) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Fault::new(
            &BAD_REQUEST,
            "the name of a token has 1 to 100 characters",
        ));
    }
    if days.is_some_and(|days| !(1..=3_660).contains(&days)) {
        return Err(Fault::new(
            &BAD_REQUEST,
            "a token lasts 1 to 3660 days, or for ever",
        ));
    }
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let Some(viewer) = by_name(&tx, account).await? else {
        return Err(Fault::new(&NO_SUCH_ACCOUNT, account.to_owned()));
    };
    let role = role.min(viewer.role);
    let secret = Secret::draw()?;
    let row = tx
        .query_opt(
            include_str!("../../sql/access/add_token.sql"),
            &[&viewer.id, &name, &secret.digest(), &role.as_str(), &days],
        )
        .await
        .doing(|| "making a token")?;
    if row.is_none() {
        return Err(Fault::new(&TOKEN_TAKEN, name.to_owned()));
    }
    let detail = json!({ "token": name, "role": role.as_str(), "days": days });
    store::audit(&tx, by, "token_added", &object(account), &detail).await?;
    tx.commit().await.doing(|| "making a token")?;
    Ok(secret.as_str().to_owned())
}

/// The tokens of an account.
pub async fn tokens(client: &impl GenericClient, account_id: i64) -> Result<Vec<Token>> {
    let rows = client
        .query(include_str!("../../sql/access/tokens.sql"), &[&account_id])
        .await
        .doing(|| "listing the tokens")?;
    Ok(rows
        .iter()
        .map(|row| Token {
            id: row.get("id"),
            name: row.get("name"),
            role: role_of(row, "role"),
            created_at: row.get("created_at"),
            seen_at: row.get("seen_at"),
            expires_at: row.get("expires_at"),
            is_expired: row.get("is_expired"),
        })
        .collect())
}

/// Removes a token. `CON-012` when there is none.
pub async fn remove_token(
    session: &mut Session,
    (account_id, account): (i64, &str),
    id: i64,
    by: &str,
) -> Result<()> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let row = tx
        .query_opt(
            include_str!("../../sql/access/remove_token.sql"),
            &[&account_id, &id],
        )
        .await
        .doing(|| "removing a token")?;
    let Some(row) = row else {
        return Err(Fault::new(&NO_SUCH_TOKEN, format!("number {id}")));
    };
    let name: String = row.get("name");
    store::audit(
        &tx,
        by,
        "token_removed",
        &object(account),
        &json!({ "token": name }),
    )
    .await?;
    tx.commit().await.doing(|| "removing a token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_be_typed_and_shown() {
        for name in ["anna", "a.b@example.org", "0-x_y"] {
            check_name(name).unwrap();
        }
        for name in ["", "Anna", ".a", "a b", "a/b", "<b>", "é", &"a".repeat(64)] {
            assert_eq!(check_name(name).unwrap_err().code().id, "CON-002", "{name}");
        }
    }
}
