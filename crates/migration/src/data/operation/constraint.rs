//! A constraint: added without looking at the rows, then validated without blocking writers.

use corridor_pg::{Fault, FaultContext, Ident, Result, Session};
use serde_json::json;

use super::index::table_name;
use super::sql::{Limits, transact};
use super::{Hands, likeness};
use crate::data::deck::Step;
use crate::data::fault::BUSY_CONSTRAINT;
use crate::definition::{Constraint, not_null};

pub(super) async fn carry_out(hands: &mut Hands<'_>, constraint: &Constraint) -> Step<()> {
    if let Some(column) = not_null::column(&constraint.definition) {
        return super::not_null::carry_out(hands, constraint, &column?).await;
    }
    let found = look(hands.session().await?, constraint).await?;
    if let Some((_, definition)) = &found
        && !hands.has_noted("is_ours").await?
    {
        refuse_another(hands, constraint, definition).await?;
    }
    let is_valid = found.map(|(is_valid, _)| is_valid);
    let (table, name) = (table_name(&constraint.table)?, name(constraint)?);
    let limits = Limits::of(None, None, constraint.lock_budget.as_deref());
    let validate = format!("alter table {table} validate constraint {name}");
    match is_valid {
        Some(true) => hands.done().await,
        Some(false) => {
            hands.deck.step(format!("{}: validating", constraint.name));
            transact(hands, &validate, &limits, false).await
        }
        None => {
            hands.note(json!({ "is_ours": true })).await?;
            hands
                .deck
                .step(format!("{}: adding, not valid yet", constraint.name));
            let definition = constraint.definition.trim().trim_end_matches(';');
            let add = format!("alter table {table} add constraint {name} {definition} not valid");
            super::sql::transact_apart(hands, &add, &limits).await?;
            hands.deck.step(format!("{}: validating", constraint.name));
            transact(hands, &validate, &limits, false).await
        }
    }
}

pub(super) async fn take_back(hands: &mut Hands<'_>, constraint: &Constraint) -> Step<()> {
    if let Some(column) = not_null::column(&constraint.definition) {
        return super::not_null::take_back(hands, constraint, &column?).await;
    }
    if !hands.has_noted("is_ours").await? {
        return hands.undone().await;
    }
    let drop_it = format!(
        "alter table if exists {} drop constraint if exists {}",
        table_name(&constraint.table)?,
        name(constraint)?
    );
    let limits = Limits::of(None, None, constraint.lock_budget.as_deref());
    transact(hands, &drop_it, &limits, true).await
}

fn name(constraint: &Constraint) -> Result<Ident> {
    Ident::new(constraint.constraint.as_str())
}

/// What has the name must be what was wanted.
async fn refuse_another(hands: &mut Hands<'_>, constraint: &Constraint, definition: &str) -> Step<()> {
    let table = table_name(&constraint.table)?;
    let session = hands.session().await?;
    let written = likeness::of_constraint(session, &table, &constraint.definition).await?;
    let wanted = written.unwrap_or_else(|| likeness::words(&constraint.definition));
    if wanted == likeness::words(definition) {
        return Ok(());
    }
    let detail = format!("{}: {definition}", constraint.constraint);
    Err(Fault::new(&BUSY_CONSTRAINT, detail).into())
}

/// Whether it is valid, and how the server writes it; `None` when there is none.
async fn look(session: &mut Session, constraint: &Constraint) -> Result<Option<(bool, String)>> {
    let tx = session.begin(corridor_pg::Isolation::ReadCommitted).await?;
    let doing = || format!("looking for the constraint {}", constraint.constraint);
    tx.batch_execute("set local search_path to default")
        .await
        .doing(doing)?;
    let row = tx
        .query_opt(
            "select convalidated, pg_get_constraintdef(oid) from pg_constraint where conrelid = to_regclass($1) and conname = $2",
            &[&constraint.table, &constraint.constraint],
        )
        .await
        .doing(doing)?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}
