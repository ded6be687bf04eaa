//! Operations that may have been done: a person looks, and says whether they were.

use std::collections::BTreeMap;

use corridor_pg::{FaultContext, Result};
use tokio_postgres::GenericClient;

use super::fault::OUTCOME_UNKNOWN;
use crate::state::State;

/// True for a failure behind which nothing goes on before somebody has said whether an operation was done.
pub fn may_wait_for_word(state: &State) -> bool {
    matches!(state, State::Failed { code, .. } if code == OUTCOME_UNKNOWN.id)
}

/// What a person types to say it.
pub fn command(name: &str, operation: &str) -> String {
    format!("corridor migration settle {name} {operation} --done|--again")
}

/// The words of a state, and what is to be said when something waits for it.
pub fn with_command(words: String, name: &str, operations: &[String]) -> String {
    if operations.is_empty() {
        return words;
    }
    let commands: Vec<String> = operations
        .iter()
        .map(|operation| format!("`{}`", command(name, operation)))
        .collect();
    format!("{words}; look whether it was done, then {}", commands.join(", "))
}

/// What waits for a word in each migration, of those whose state says that something may.
pub(crate) async fn of_all<'a>(
    client: &impl GenericClient,
    states: impl Iterator<Item = (i64, &'a State)>,
) -> Result<BTreeMap<i64, Vec<String>>> {
    let ids: Vec<i64> = states
        .filter(|(_, state)| may_wait_for_word(state))
        .map(|(id, _)| id)
        .collect();
    let mut found: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let rows = client
        .query(include_str!("../../sql/data/unsettled.sql"), &[&ids])
        .await
        .doing(|| "looking what waits for a word")?;
    for row in rows {
        found
            .entry(row.get("migration_id"))
            .or_default()
            .push(row.get("operation"));
    }
    Ok(found)
}
