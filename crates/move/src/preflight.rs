//! The thin rim of planning: reads everything that a plan is made from, and changes nothing.
//!
//! The catalogue is read in one snapshot. Questions to the rows (lowest and highest value, distinct values, nulls) are
//! asked afterwards, each in a transaction of its own with a time limit: a plan must not scan a huge table for hours,
//! and must not hold a snapshot meanwhile.

use corridor_pg::catalog::{Fingerprint, Grant, Table, fingerprint, read_table, resolve};
use corridor_pg::fault::PROTOCOL;
use corridor_pg::{Fault, FaultContext, Ident, Isolation, QualifiedName, Result, Session};
use serde::{Deserialize, Serialize};
use tokio_postgres::GenericClient;

use crate::plan::{MovePlan, PlanInput, check_columns, check_relation, choose_key, plan};
use crate::run::Wish;
use crate::shape::Shape;

mod probe;

/// What the plan must know beside the table itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The role that Corridor works as.
    pub role: Ident,
    /// The server's major version.
    pub server_major: i32,
    /// `max_connections`.
    pub session_limit: i64,
    /// How many relations all transactions together may lock.
    pub lock_slots: i64,
    /// Names of relations and types in the table's schema.
    pub taken_names: Vec<Ident>,
    /// What the server grants by itself on a table of this role in this schema.
    pub default_table_grants: Vec<Grant>,
    /// The same for sequences.
    pub default_sequence_grants: Vec<Grant>,
    /// Tables that the table references, and that the role may not lock by a statement of its own.
    pub unlockable: Vec<QualifiedName>,
    /// Triggers on the table that are Corridor's.
    pub our_triggers: Vec<Ident>,
    /// Statements that somebody else must run first.
    #[serde(default)]
    pub missing_grants: Vec<String>,
}

/// A range partition's boundaries, as texts of the server; none is the end of the type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The lowest value that is in.
    pub lower: Option<String>,
    /// The lowest value that is out again.
    pub upper: Option<String>,
    /// The end of the partition's name: `p2026_11`.
    pub suffix: String,
}

/// How the rows lie in the partition column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spread {
    /// Nothing needs to be known: hash, or no partitions.
    Unasked,
    /// The boundaries of range partitions.
    Range {
        /// In their order.
        bounds: Vec<Bound>,
        /// The lowest value that is there.
        lowest: Option<String>,
        /// The highest value that is there.
        highest: Option<String>,
    },
    /// The values of list partitions.
    List {
        /// In the column's order; one more than the limit when there are too many.
        values: Vec<String>,
    },
    /// It could not be found out within the time limit.
    Unknown {
        /// What took too long.
        why: String,
    },
}

/// Rows that stand in the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offending {
    /// Keys of the first rows with a null in a partition column.
    pub null_keys: Vec<String>,
    /// Keys of the first rows with a value that lies in no range.
    pub unfit_keys: Vec<String>,
}

/// What is asked for, apart from the connection.
#[derive(Debug, Clone)]
pub struct Request {
    /// The table, as typed.
    pub table: String,
    /// The wanted shape.
    pub shape: Shape,
    /// What makes this move's names different from those of every other; see [`crate::names::is_tag`].
    pub tag: String,
    /// `--accept key-widening`
    pub accepts_key_widening: bool,
}

/// Reads what a plan needs, and makes the plan. Changes nothing.
pub async fn examine(session: &mut Session, wish: &Wish) -> Result<MovePlan> {
    const TAG_LETTERS: usize = 6;
    let request = Request {
        table: wish.table.clone(),
        shape: wish.shape.clone(),
        tag: std::iter::repeat_with(fastrand::lowercase)
            .take(TAG_LETTERS)
            .collect(),
        accepts_key_widening: wish.accept_key_widening,
    };
    plan(&read(session, &request).await?)
}

/// Reads what a plan needs. Fails at once when no plan could be made: no such table or column, not a table, no key.
///
/// Locks: `ACCESS SHARE` on the table.
pub async fn read(session: &mut Session, request: &Request) -> Result<PlanInput> {
    let tx = session.begin(Isolation::RepeatableRead).await?;
    let (oid, name) = resolve(&tx, &request.table).await?;
    let doing = || format!("reading {name}");
    let table = read_table(&tx, oid).await?;
    check_relation(&table)?;
    check_columns(&table, &request.shape)?;
    let fingerprint: Fingerprint = fingerprint(&tx, oid).await?;
    let facts = read_facts(&tx, &table)
        .await
        .map_err(|fault| fault.doing(doing()))?;
    tx.rollback().await.doing(doing)?;
    let key: Vec<Ident> = choose_key(&table)?
        .key()
        .filter_map(|c| c.column.clone())
        .collect();
    let spread = probe::spread(session, &table, &request.shape).await?;
    let offending = probe::offending(session, &table, &request.shape, &key).await?;
    Ok(PlanInput {
        table,
        fingerprint,
        shape: request.shape.clone(),
        facts,
        spread,
        offending,
        tag: request.tag.clone(),
        accepts_key_widening: request.accepts_key_widening,
    })
}

async fn read_facts(client: &impl GenericClient, table: &Table) -> Result<Facts> {
    let row = client
        .query_one(include_str!("../sql/preflight/facts.sql"), &[&table.oid.0])
        .await?;
    let text: String = row.try_get(0)?;
    let mut facts: Facts =
        serde_json::from_str(&text).map_err(|e| Fault::new(&PROTOCOL, format!("facts: {e}")).caused_by(e))?;
    let rows = client
        .query(
            include_str!("../sql/preflight/missing_grants.sql"),
            &[&table.oid.0],
        )
        .await?;
    for row in rows {
        facts.missing_grants.push(row.try_get("statement")?);
    }
    Ok(facts)
}
