//! Privileges: what a move needs, and what of it a role has.

use corridor_pg::catalog::{Table, read_table, resolve};
use corridor_pg::fault::NO_SUCH_OBJECT;
use corridor_pg::near::{did_you_mean, near};
use corridor_pg::{Fault, FaultContext, Isolation, Oid, Result, Session};
use serde::Serialize;
use tokio_postgres::{GenericClient, Statement};

use crate::shape::Shape;

/// One privilege that a move needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeededGrant {
    /// What gives it, without a semicolon.
    pub statement: String,
    /// What it is needed for, in a few words.
    pub why: String,
    /// The role has it already, by this grant or by another way.
    pub is_there: bool,
    /// Needed with `--to` only.
    pub is_for_wanted: bool,
}

/// What a role needs, and has, for a move.
#[derive(Debug, Clone, Serialize)]
pub struct NeededGrants {
    /// The role.
    pub role: String,
    /// Superusers need nothing.
    pub is_superuser: bool,
    /// The database.
    pub database: String,
    /// The table, quoted as SQL wants it; none: what a move of any table needs.
    pub table: Option<String>,
    /// In the order in which they are to be given.
    pub grants: Vec<NeededGrant>,
}

/// Reads what `role` (default: the session's own) needs for a move of `table`. Whoever asks needs no rights of `role`.
///
/// Locks: none on the table. Fails with `PG-014` when there is no such table or role.
pub async fn grants(session: &mut Session, table: Option<&str>, role: Option<&str>) -> Result<NeededGrants> {
    let tx = session.begin(Isolation::RepeatableRead).await?;
    let (role, is_superuser) = look_up(&tx, role).await?;
    let row = tx
        .query_one("select current_database()::text", &[])
        .await
        .doing(|| "asking for the database")?;
    let mut answer = NeededGrants {
        role,
        is_superuser,
        database: row.get(0),
        table: None,
        grants: Vec::new(),
    };
    let mut tables = vec![None];
    if let Some(table) = table {
        let (oid, name) = resolve(&tx, table).await?;
        let partitions = read_table(&tx, oid).await?.partitions;
        tables = vec![Some(oid)];
        tables.extend(partitions.iter().map(|one| Some(one.table.oid)));
        answer.table = Some(name.to_string());
    }
    let prepared = prepare(&tx).await?;
    for oid in tables {
        for grant in needed(&tx, &prepared, oid, Some(&answer.role)).await? {
            if !answer.grants.contains(&grant) {
                answer.grants.push(grant);
            }
        }
    }
    tx.rollback().await.doing(|| "reading privileges")?;
    Ok(answer)
}

/// The role as it is written, and whether it is a superuser.
async fn look_up(client: &impl GenericClient, role: Option<&str>) -> Result<(String, bool)> {
    let row = client
        .query_opt(include_str!("../../sql/preflight/role.sql"), &[&role])
        .await
        .doing(|| "looking the role up")?;
    if let Some(row) = row {
        return Ok((row.try_get("role")?, row.try_get("is_superuser")?));
    }
    let rows = client
        .query(include_str!("../../sql/preflight/role_names.sql"), &[])
        .await
        .doing(|| "looking for roles")?;
    let names: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("role"))
        .collect::<Result<_, _>>()?;
    let wanted = role.unwrap_or_default();
    let close = near(wanted, names.iter().map(String::as_str));
    let hint = did_you_mean(&close);
    Err(Fault::new(
        &NO_SUCH_OBJECT,
        format!("there is no role {wanted}{hint}; `create role … login` makes one"),
    ))
}

async fn prepare(client: &impl GenericClient) -> Result<Statement> {
    client
        .prepare(include_str!("../../sql/preflight/needed_grants.sql"))
        .await
        .doing(|| "reading privileges")
}

/// What `role` needs for one table, in the order in which it is to be given.
async fn needed(
    client: &impl GenericClient,
    prepared: &Statement,
    table: Option<Oid>,
    role: Option<&str>,
) -> Result<Vec<NeededGrant>> {
    let rows = client
        .query(prepared, &[&table.map(|oid| oid.0), &role])
        .await
        .doing(|| "reading privileges")?;
    rows.iter()
        .map(|row| {
            Ok(NeededGrant {
                statement: row.try_get("statement")?,
                why: row.try_get("why")?,
                is_there: row.try_get("is_there")?,
                is_for_wanted: row.try_get("is_for_wanted")?,
            })
        })
        .collect()
}

/// The statements that the session's own role lacks for a move of a table and its partitions into `shape`, each once.
pub(super) async fn missing(
    client: &impl GenericClient,
    table: &Table,
    shape: &Shape,
) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let prepared = prepare(client).await?;
    let partitions = table.partitions.iter().map(|one| one.table.oid);
    for oid in std::iter::once(table.oid).chain(partitions) {
        // Into another shape nothing new is made in a partition's place.
        let is_made = oid == table.oid || *shape == Shape::Same;
        for grant in needed(client, &prepared, Some(oid), None).await? {
            let is_needed = (shape.wanted().is_some() || !grant.is_for_wanted)
                && (is_made || !grant.statement.starts_with("grant create on "));
            if is_needed && !grant.is_there && !missing.contains(&grant.statement) {
                missing.push(grant.statement);
            }
        }
    }
    Ok(missing)
}
