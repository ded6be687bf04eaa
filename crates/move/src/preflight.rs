//! The thin rim of planning: reads everything that a plan is made from, and changes nothing.
//!
//! The catalogue is read in one snapshot. Questions to the rows (lowest and highest value, distinct values, nulls) are
//! asked afterwards, each in a transaction of its own with a time limit: a plan must not scan a huge table for hours,
//! and must not hold a snapshot meanwhile.

use corridor_pg::catalog::{Fingerprint, Grant, Table, fingerprint, read_table, resolve};
use corridor_pg::fault::{BAD_NAME, NO_SUCH_OBJECT, PROTOCOL};
use corridor_pg::ident::parse_name;
use corridor_pg::{Fault, FaultContext, Ident, Isolation, Oid, QualifiedName, Result, Session};
use serde::{Deserialize, Serialize};
use tokio_postgres::GenericClient;

use crate::fault::PARTITIONED_SOURCE;
use crate::plan::wanted::fit;
use crate::plan::{MovePlan, PlanInput, WantedView, check_columns, check_relation, choose_key, plan};
use crate::run::Wish;
use crate::shape::{Shape, Wanted};

mod grants;
mod probe;
pub mod wanted;

pub use grants::{NeededGrant, NeededGrants, grants};
pub use wanted::{Expression, Origin, Reading, Trial, Understood};

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
    /// The role sees every row, whatever row security says: a superuser, or one with `BYPASSRLS`.
    #[serde(default)]
    pub is_bypassing_row_security: bool,
    /// Who gave privileges away, and whose part the role can take (`set role`) to give them again.
    #[serde(default)]
    pub assumable_grantors: Vec<Ident>,
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
    /// `--accept partition-settings`
    pub accepts_partition_settings: bool,
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
        accepts_partition_settings: wish.accept_partition_settings,
    };
    let mut input = read(session, &request).await?;
    if let Some(text) = &wish.fallback_view {
        input.fallback_view = Some(look_for_view(session, text, &mut input).await?);
    }
    plan(&input)
}

/// Whether the fallback view could be made. Fails with `PG-014` when there is no such schema; notes a missing privilege.
async fn look_for_view(session: &Session, text: &str, input: &mut PlanInput) -> Result<WantedView> {
    let mut parts = parse_name(text)?;
    let name = parts
        .pop()
        .ok_or_else(|| Fault::new(&BAD_NAME, text.to_owned()))?;
    let schema = parts.pop().unwrap_or_else(|| input.table.name.schema.clone());
    let name = QualifiedName::new(schema, name);
    let row = session
        .query_one(
            include_str!("../sql/preflight/fallback_view.sql"),
            &[&name.schema.as_str(), &name.name.as_str()],
        )
        .await
        .doing(|| format!("looking for {name}"))?;
    if !row.get::<_, bool>("has_schema") {
        let why = format!("there is no schema {} for the view {name}", name.schema);
        return Err(Fault::new(&NO_SUCH_OBJECT, why));
    }
    if !row.get::<_, bool>("may_create") {
        let grant = format!(
            "grant create, usage on schema {} to {}",
            name.schema, input.facts.role
        );
        input.facts.missing_grants.push(grant);
    }
    Ok(WantedView {
        is_taken: row.get("is_taken"),
        name,
    })
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
    let facts = read_facts(&tx, &table, &request.shape)
        .await
        .map_err(|fault| fault.doing(doing()))?;
    let partition_facts = read_partition_facts(&tx, &table)
        .await
        .map_err(|fault| fault.doing(doing()))?;
    tx.rollback().await.doing(doing)?;
    let key: Vec<Ident> = choose_key(&table)?
        .key()
        .filter_map(|c| c.column.clone())
        .collect();
    let wanted = match request.shape.wanted() {
        Some(wanted) => Some(ask_for_wanted(session, &table, wanted).await?),
        None => None,
    };
    let spread = probe::spread(session, &table, &request.shape).await?;
    let offending = probe::offending(session, &table, &request.shape, &key).await?;
    Ok(PlanInput {
        table,
        fingerprint,
        shape: request.shape.clone(),
        facts,
        partition_facts,
        spread,
        offending,
        tag: request.tag.clone(),
        accepts_key_widening: request.accepts_key_widening,
        accepts_partition_settings: request.accepts_partition_settings,
        fallback_view: None,
        wanted,
    })
}

/// What the server makes of a shape in the user's own words, and what the rows say to it.
async fn ask_for_wanted(session: &mut Session, table: &Table, wanted: &Wanted) -> Result<(Reading, Trial)> {
    if !table.partitions.is_empty() {
        let why = format!(
            "{}: --to takes a plain table; --unpartitioned makes one",
            table.name
        );
        return Err(Fault::new(&PARTITIONED_SOURCE, why));
    }
    let reading = wanted::read(session, table, wanted).await?;
    let fitted = fit(table, &reading, wanted)?;
    // What stands in the way already is put right first; the rows can take a while.
    if !fitted.refusals.is_empty() {
        return Ok((reading, Trial::default()));
    }
    let unique = fitted.new_unique_indexes(table);
    let trial = wanted::try_out(session, table, wanted, &fitted.key, &fitted.columns, &unique).await?;
    Ok((reading, trial))
}

/// What must be known of single partitions: those in other schemas, and those with privileges that others gave away.
async fn read_partition_facts(client: &impl GenericClient, table: &Table) -> Result<Vec<(Oid, Facts)>> {
    let mut others = Vec::new();
    if table.partitions.is_empty() {
        return Ok(others);
    }
    for partition in table.partitions.iter().map(|p| &p.table) {
        let is_elsewhere = partition.name.schema != table.name.schema;
        if is_elsewhere || partition.grants.iter().any(|g| g.grantor != partition.owner) {
            others.push((partition.oid, read_own_facts(client, partition.oid).await?));
        }
    }
    Ok(others)
}

async fn read_own_facts(client: &impl GenericClient, oid: Oid) -> Result<Facts> {
    let row = client
        .query_one(include_str!("../sql/preflight/facts.sql"), &[&oid.0])
        .await?;
    let text: String = row.try_get(0)?;
    serde_json::from_str(&text).map_err(|e| Fault::new(&PROTOCOL, format!("facts: {e}")).caused_by(e))
}

async fn read_facts(client: &impl GenericClient, table: &Table, shape: &Shape) -> Result<Facts> {
    let mut facts = read_own_facts(client, table.oid).await?;
    facts.missing_grants = grants::missing(client, table, shape).await?;
    Ok(facts)
}
