//! A column that is never null, without a long lock: a check that no row is looked at for, its validation beside the writers, then
//! `set not null`, which takes the check as its proof and reads no row; and the check goes in the same transaction.
//!
//! Each step is told from the catalogue, so it goes on from wherever it was left.

use corridor_pg::{Fault, FaultContext, Ident, Isolation, Result, Session};
use serde_json::json;

use super::Hands;
use super::index::table_name;
use super::sql::{Limits, transact, transact_apart};
use crate::data::deck::Step;
use crate::data::fault::BUSY_CONSTRAINT;
use crate::definition::Constraint;

/// What the catalogue says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    is_not_null: bool,
    /// A not-null constraint of somebody's that is not validated.
    not_validated: Option<String>,
    /// Whether the check that stands in for it is validated; `None` when there is none.
    check: Option<bool>,
}

pub(super) async fn carry_out(hands: &mut Hands<'_>, constraint: &Constraint, column: &Ident) -> Step<()> {
    let (table, check) = (
        table_name(&constraint.table)?,
        Ident::new(constraint.constraint.as_str())?,
    );
    let limits = Limits::of(None, None, constraint.lock_budget.as_deref());
    let validate = |name: &Ident| format!("alter table {table} validate constraint {name}");
    let say = |hands: &Hands<'_>, what: &str| hands.deck.step(format!("{}: {what}", constraint.name));
    loop {
        let found = look(hands.session().await?, constraint, column).await?;
        match found {
            Found {
                not_validated: Some(name),
                ..
            } => {
                say(hands, "validating the not-null constraint that is there");
                transact_apart(hands, &validate(&Ident::new(name)?), &limits).await?;
            }
            Found {
                is_not_null: true, ..
            } => {
                if found.check.is_none() || !hands.has_noted("check_is_ours").await? {
                    return hands.done().await;
                }
                // Somebody else said it meanwhile: it is theirs, and our check is not needed any more.
                hands.note(json!({ "is_ours": false })).await?;
                return transact(hands, &drop_check(&table, &check), &limits, false).await;
            }
            Found { check: None, .. } => {
                hands
                    .note(json!({ "is_ours": true, "check_is_ours": true }))
                    .await?;
                say(hands, "adding a check, not valid yet");
                let add = format!(
                    "alter table {table} add constraint {check} check ({column} is not null) not valid"
                );
                transact_apart(hands, &add, &limits).await?;
            }
            Found {
                check: Some(false), ..
            } => {
                say(hands, "validating");
                transact_apart(hands, &validate(&check), &limits).await?;
            }
            Found {
                check: Some(true), ..
            } => {
                say(hands, "setting not null");
                let mut statement = format!("alter table {table} alter column {column} set not null");
                if hands.has_noted("check_is_ours").await? {
                    statement = format!("{statement};\n{}", drop_check(&table, &check));
                } else {
                    hands.note(json!({ "is_ours": true })).await?;
                }
                return transact(hands, &statement, &limits, false).await;
            }
        }
    }
}

pub(super) async fn take_back(hands: &mut Hands<'_>, constraint: &Constraint, column: &Ident) -> Step<()> {
    let (table, check) = (
        table_name(&constraint.table)?,
        Ident::new(constraint.constraint.as_str())?,
    );
    let mut statements = Vec::new();
    if hands.has_noted("is_ours").await? {
        statements.push(format!(
            "alter table if exists {table} alter column {column} drop not null"
        ));
    }
    if hands.has_noted("check_is_ours").await? {
        statements.push(drop_check(&table, &check));
    }
    if statements.is_empty() {
        return hands.undone().await;
    }
    let limits = Limits::of(None, None, constraint.lock_budget.as_deref());
    transact(hands, &statements.join(";\n"), &limits, true).await
}

fn drop_check(table: &str, check: &Ident) -> String {
    format!("alter table if exists {table} drop constraint if exists {check}")
}

async fn look(session: &mut Session, constraint: &Constraint, column: &Ident) -> Result<Found> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let doing = || format!("looking for {column} of {}", constraint.table);
    tx.batch_execute("set local search_path to default")
        .await
        .doing(doing)?;
    let row = tx
        .query_opt(
            include_str!("../../../sql/data/not_null.sql"),
            &[&constraint.table, &column.as_str(), &constraint.constraint],
        )
        .await
        .doing(doing)?;
    let row = row.filter(|row| row.get("has_column")).ok_or_else(|| {
        Fault::new(
            &corridor_pg::fault::NO_SUCH_OBJECT,
            format!("{column} of {}", constraint.table),
        )
    })?;
    let is_not_null: bool = row.get("is_not_null");
    let has_constraint: bool = row.get("has_constraint");
    let is_the_check: bool = row.get("is_the_check");
    // Where the column is not null already, a constraint of that name is nobody's business here.
    if has_constraint && !is_the_check && !is_not_null {
        let definition: String = row.get("definition");
        return Err(Fault::new(
            &BUSY_CONSTRAINT,
            format!("{} of {}: {definition}", constraint.constraint, constraint.table),
        ));
    }
    Ok(Found {
        is_not_null,
        not_validated: row.get("not_validated"),
        check: is_the_check.then(|| row.get("is_validated")),
    })
}
