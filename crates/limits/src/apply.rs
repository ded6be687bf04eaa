//! Doing what a check advises, where that is one safe statement or a loop of small ones.
//!
//! [`plan`] says what would be done, with its locks and the way back, and changes nothing. [`execute`] does it, and looks
//! afterwards whether it had its effect.

mod jump;
mod throttle;
mod vacuum;

use std::time::Instant;

use corridor_pg::lock_budget::{LockBudget, LockMode, lock_tables};
use corridor_pg::{
    ApplicationName, ConnectOptions, Fault, FaultContext, Ident, Isolation, QualifiedName, Result, Retry,
    Session,
};
use serde::Serialize;

use crate::fault::{NOT_APPLICABLE, WITHOUT_EFFECT};
use crate::finding::{Finding, Remedy};

/// What would be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The finding's code.
    pub code: &'static str,
    /// What it is about.
    pub object: String,
    /// The way.
    pub way: &'static str,
    /// The statements, as they are sent.
    pub statements: Vec<String>,
    /// The strongest lock, and how long it is waited for and held.
    pub lock: &'static str,
    /// What it takes.
    pub takes: String,
    /// How one goes back.
    pub go_back: String,
    #[serde(skip)]
    remedy: Remedy,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// How long it took.
    pub took_ms: u64,
    /// What was seen afterwards that proves it.
    pub proof: String,
}

/// Of every vacuum.
const VACUUM_LOCK: &str = "SHARE UPDATE EXCLUSIVE on the relation, which blocks no reader and no writer; waited for 100 ms at a time";

/// Plans the remedy of `finding`: by `way`, else by the one that its advice recommends. `LIM-901` when that way is none that
/// can be applied.
pub fn plan(finding: &Finding, way: Option<&str>) -> Result<Plan> {
    let advised = finding.advice.as_ref().map(|advice| advice.way);
    let Some(wanted) = way.or(advised) else {
        return Err(refuse(
            finding,
            "there is no way out that is one statement".to_owned(),
        ));
    };
    let Some(remedy) = finding.remedies.iter().find(|remedy| remedy.way() == wanted) else {
        let others: Vec<&str> = finding.remedies.iter().map(Remedy::way).collect();
        let others = match others.is_empty() {
            true => "none of its ways can be".to_owned(),
            false => format!("what can be is {}", others.join(", ")),
        };
        let why = format!("the way {wanted:?} is not one that can be applied; {others}");
        return Err(refuse(finding, why));
    };
    let (statements, lock, takes, go_back) = in_words(remedy)?;
    Ok(Plan {
        code: finding.code.id,
        object: finding.object.clone(),
        way: remedy.way(),
        statements,
        lock,
        takes,
        go_back,
        remedy: remedy.clone(),
    })
}

/// The statements, the lock, what it takes and the way back.
fn in_words(remedy: &Remedy) -> Result<(Vec<String>, &'static str, String, String)> {
    Ok(match remedy {
        Remedy::Inline { schema, table } => {
            let table = qualified(schema, table)?;
            (
                vec![format!("alter table {table} set (toast_tuple_target = 8160)")],
                "SHARE UPDATE EXCLUSIVE on the table, waited for 100 ms at a time, held for milliseconds",
                "milliseconds; no row is written".to_owned(),
                format!("alter table {table} reset (toast_tuple_target)"),
            )
        }
        Remedy::Vacuum { schema, relation } => (
            vec![format!(
                "vacuum (index_cleanup on, truncate off) {}",
                qualified(schema, relation)?
            )],
            VACUUM_LOCK,
            "as long as reading the relation and its index takes, at the pace of vacuum_cost_delay"
                .to_owned(),
            "nothing to go back to".to_owned(),
        ),
        Remedy::Freeze {
            schema,
            relation,
            are_indexes_left,
            ..
        } => {
            let options = match are_indexes_left {
                true => "freeze, index_cleanup off, truncate off",
                false => "freeze, truncate off",
            };
            (
                vec![format!("vacuum ({options}) {}", qualified(schema, relation)?)],
                VACUUM_LOCK,
                "as long as reading what is not frozen yet takes, and writing it, at the pace of vacuum_cost_delay"
                    .to_owned(),
                "nothing to go back to".to_owned(),
            )
        }
        Remedy::Jump { first, ids } => (
            vec![jump::statement()],
            "none; the counter is shared by all sessions of the cluster, and taken for a microsecond at a time",
            format!(
                "about {} for {ids} ids from {first} on, in steps of {} with a pause after each; longer where writes get slower",
                crate::probe::words::seconds(*ids as f64 / 400_000.0),
                throttle::STEP
            ),
            "nothing to go back to: what was passed over is free in the next lap".to_owned(),
        ),
    })
}

fn qualified(schema: &str, name: &str) -> Result<QualifiedName> {
    Ok(QualifiedName::new(Ident::new(schema)?, Ident::new(name)?))
}

fn refuse(finding: &Finding, why: String) -> Fault {
    Fault::new(
        &NOT_APPLICABLE,
        format!("{} {}: {why}", finding.code.id, finding.object),
    )
}

/// Does what the plan says, and proves it. `say` hears what goes on.
///
/// Errors: `PG-009` when the lock was not free in all tries; `LIM-902` when it was done and had no effect; `PG-007` without
/// the right. Nothing is done twice that may not be: each statement may be repeated.
pub async fn execute(connect: &ConnectOptions, plan: &Plan, say: impl Fn(&str)) -> Result<Effect> {
    let begun = Instant::now();
    let name = ApplicationName::new("apply", plan.way);
    let mut session = connect.connect(&name).await?;
    let proof = match &plan.remedy {
        Remedy::Inline { schema, table } => {
            let table = qualified(schema, table)?;
            raise_target(&mut session, &table, &plan.statements[0], &say).await?
        }
        Remedy::Vacuum { schema, relation } => {
            let relation = qualified(schema, relation)?;
            vacuum::dead_rows(&session, &relation, &plan.statements[0], &say).await?
        }
        Remedy::Freeze {
            schema,
            relation,
            ids,
            ..
        } => {
            let relation = qualified(schema, relation)?;
            vacuum::freeze(&session, &relation, *ids, &plan.statements[0], &say).await?
        }
        Remedy::Jump { first, ids } => jump::carry_out(connect, &session, *first, *ids, &say).await?,
    };
    Ok(Effect {
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        proof,
    })
}

async fn raise_target(
    session: &mut Session,
    table: &QualifiedName,
    statement: &str,
    say: &impl Fn(&str),
) -> Result<String> {
    let budget = LockBudget::default();
    let mut pauses = budget.pauses(fastrand::u64(..));
    loop {
        let tried = alter(session, table, statement, budget.wait_ms_max).await;
        match tried {
            Ok(()) => break,
            Err(fault) if fault.code().retry == Retry::AfterPause => match pauses.next() {
                Some(pause) => {
                    say(&format!("{fault}; again in {} ms", pause.as_millis()));
                    tokio::time::sleep(pause).await;
                }
                None => return Err(fault),
            },
            Err(fault) => return Err(fault),
        }
    }
    let row = session
        .query_one(
            include_str!("../sql/apply/tuple_target.sql"),
            &[&table.schema.as_str(), &table.name.as_str()],
        )
        .await
        .doing(|| format!("looking at {table}"))?;
    match row.get::<_, Option<String>>(0).as_deref() {
        Some("8160") => Ok(format!("toast_tuple_target of {table} is 8160")),
        other => Err(Fault::new(
            &WITHOUT_EFFECT,
            format!("toast_tuple_target of {table} is {}", other.unwrap_or("not set")),
        )),
    }
}

async fn alter(session: &mut Session, table: &QualifiedName, statement: &str, wait_ms: u32) -> Result<()> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    lock_tables(&tx, &[(table.clone(), LockMode::ShareUpdateExclusive)], wait_ms).await?;
    tx.batch_execute(statement)
        .await
        .doing(|| format!("altering {table}"))?;
    tx.commit().await.doing(|| format!("altering {table}"))
}
