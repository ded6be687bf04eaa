//! An index, built without blocking writers. The catalogue says how far it is, so it can be taken up from any point.

use std::time::Duration;

use corridor_pg::ident::parse_name;
use corridor_pg::{Fault, FaultContext, Ident, QualifiedName, Result, Session};
use serde_json::json;

use super::sql::{Limits, run_alone, wait_for_others};
use super::{Hands, likeness};
use crate::data::deck::Step;
use crate::data::fault::BUSY_INDEX;
use crate::definition::Index;

/// Between two looks whether somebody's build has come to its end.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    Nothing,
    /// Left over by a build that did not come to its end.
    Invalid {
        name: QualifiedName,
        is_of_the_table: bool,
        definition: String,
    },
    /// Somebody builds it now.
    Building,
    Valid {
        is_of_the_table: bool,
        definition: String,
    },
}

pub(super) async fn carry_out(hands: &mut Hands<'_>, index: &Index) -> Step<()> {
    let before = wait_for_others(hands, false).await?;
    match settled(hands, index).await? {
        Found::Valid {
            is_of_the_table,
            definition,
        } => {
            refuse_another(hands, index, is_of_the_table, definition).await?;
            return hands.done().await;
        }
        Found::Invalid {
            name,
            is_of_the_table,
            definition,
        } => {
            refuse_another(hands, index, is_of_the_table, definition).await?;
            hands
                .deck
                .step(format!("{}: dropping what a build left over", index.name));
            drop_it(hands, &name, false).await?;
        }
        Found::Nothing | Found::Building => {}
    }
    if before.is_none() {
        // What was there before is not ours to drop when this is taken back.
        hands.note(json!({ "is_ours": true })).await?;
    }
    hands
        .deck
        .step(format!("{}: building {}", index.name, index.index));
    run_alone(hands, &create(index)?, &limits(), false).await?;
    match look(hands.session().await?, index).await? {
        Found::Valid {
            is_of_the_table: true,
            ..
        } => hands.done().await,
        other => {
            let detail = format!("{}: after its build there is {other:?}", index.index);
            Err(Fault::new(&BUSY_INDEX, detail).into())
        }
    }
}

pub(super) async fn take_back(hands: &mut Hands<'_>, index: &Index) -> Step<()> {
    wait_for_others(hands, true).await?;
    if hands.has_noted("is_ours").await? {
        let session = hands.session().await?;
        let schema = table_schema(session, &index.table).await?;
        if let Some(schema) = schema {
            let name = QualifiedName::new(schema, Ident::new(index.index.as_str())?);
            drop_it(hands, &name, true).await?;
        }
    }
    hands.undone().await
}

/// What there is, once nobody builds it any more.
async fn settled(hands: &mut Hands<'_>, index: &Index) -> Step<Found> {
    let mut has_said = false;
    loop {
        match look(hands.session().await?, index).await? {
            Found::Building => {}
            found => return Ok(found),
        }
        if !has_said {
            has_said = true;
            hands
                .deck
                .step(format!("{}: waiting for a build of {}", index.name, index.index));
        }
        hands.deck.pause(LOOK_INTERVAL).await?;
    }
}

/// What has the name must be what was wanted: on that table, with those columns, unique or not.
async fn refuse_another(
    hands: &mut Hands<'_>,
    index: &Index,
    is_of_the_table: bool,
    definition: String,
) -> Step<()> {
    if is_of_the_table {
        if hands.has_noted("is_ours").await? {
            return Ok(());
        }
        let table = table_name(&index.table)?;
        let session = hands.session().await?;
        let found = likeness::index_tail(&definition);
        let is_wanted = match likeness::of_index(session, &table, index.unique, &index.definition).await? {
            Some(wanted) => wanted == found,
            None => likeness::index_words(index.unique, &index.definition) == likeness::words(&found),
        };
        if is_wanted {
            return Ok(());
        }
    }
    Err(Fault::new(&BUSY_INDEX, definition).into())
}

/// No timeout for locks: a build waits for the transactions before it, and nobody who writes waits behind it.
fn limits() -> Limits {
    Limits {
        lock_timeout: Duration::ZERO,
        ..Limits::of(None, None, None)
    }
}

fn create(index: &Index) -> Result<String> {
    let unique = if index.unique { "unique " } else { "" };
    let name = Ident::new(index.index.as_str())?;
    let table = table_name(&index.table)?;
    Ok(format!(
        "create {unique}index concurrently {name} on {table} {}",
        index.definition.trim().trim_end_matches(';')
    ))
}

/// The table as it was written, each part quoted where it needs to be.
pub(super) fn table_name(text: &str) -> Result<String> {
    let parts = parse_name(text)?;
    Ok(corridor_pg::ident::join(parts, "."))
}

async fn drop_it(hands: &mut Hands<'_>, name: &QualifiedName, is_rollback: bool) -> Step<()> {
    let statement = format!("drop index concurrently if exists {name}");
    run_alone(hands, &statement, &limits(), is_rollback).await
}

async fn table_schema(session: &mut Session, table: &str) -> Result<Option<Ident>> {
    let tx = session.begin(corridor_pg::Isolation::ReadCommitted).await?;
    tx.batch_execute("set local search_path to default")
        .await
        .doing(|| format!("looking for {table}"))?;
    let row = tx
        .query_opt(
            "select n.nspname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass($1)",
            &[&table],
        )
        .await
        .doing(|| format!("looking for {table}"))?;
    row.map(|row| Ident::new(row.get::<_, String>(0))).transpose()
}

async fn look(session: &mut Session, index: &Index) -> Result<Found> {
    let tx = session.begin(corridor_pg::Isolation::ReadCommitted).await?;
    let doing = || format!("looking for the index {}", index.index);
    tx.batch_execute("set local search_path to default")
        .await
        .doing(doing)?;
    let row = tx
        .query_opt(
            include_str!("../../../sql/data/index.sql"),
            &[&index.table, &index.index],
        )
        .await
        .doing(doing)?;
    let Some(row) = row else { return Ok(Found::Nothing) };
    let is_of_the_table = row.get("is_of_the_table");
    let definition = row.get("definition");
    Ok(if row.get::<_, bool>("is_valid") {
        Found::Valid {
            is_of_the_table,
            definition,
        }
    } else if row.get("is_being_built") {
        Found::Building
    } else {
        Found::Invalid {
            name: QualifiedName::new(
                Ident::new(row.get::<_, String>("schema_name"))?,
                Ident::new(index.index.as_str())?,
            ),
            is_of_the_table,
            definition,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_need_to_be() {
        let index = Index {
            table: "public.\"Order\"".to_owned(),
            index: "order by day".to_owned(),
            definition: "(date_trunc('day', at at time zone 'UTC')) where at is not null;".to_owned(),
            unique: true,
            ..Index::default()
        };
        assert_eq!(
            create(&index).unwrap(),
            "create unique index concurrently \"order by day\" on public.\"Order\" \
             (date_trunc('day', at at time zone 'UTC')) where at is not null"
        );
    }
}
