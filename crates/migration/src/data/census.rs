//! What is here, and whether it is needed: for lists, for the gate, and for whoever starts what is due.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corridor_pg::{Result, Session};
use serde::Serialize;

use super::question::{Answer, ask, ask_within};
use super::shelf::{self, Standing};
use crate::gate::{self, Entry, Required};
use crate::name::Name;
use crate::schema;
use crate::state::State;

/// One migration of a person's own.
#[derive(Serialize)]
pub struct Row {
    /// Where it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// The state for a person.
    pub words: String,
    /// The versions of the application that it was written for.
    pub versions: Option<String>,
    /// What must be done before it.
    pub depends_on: Vec<String>,
    /// Whether it is needed; asked only of what has not been started.
    pub required: Option<Answer>,
}

/// All of them, each asked whether it is needed here. Changes nothing.
pub async fn rows(session: &mut Session) -> Result<Vec<Row>> {
    if !schema::exists(&**session).await? {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for standing in shelf::standings(&**session).await? {
        let required = match standing.state {
            State::Planned => Some(is_required(session, &standing).await?),
            _ => None,
        };
        let definition = standing.plan.as_ref().map(|plan| &plan.definition);
        rows.push(Row {
            words: standing.words(),
            versions: definition.and_then(|definition| definition.versions.clone()),
            depends_on: definition.map_or_else(Vec::new, |definition| definition.depends_on.clone()),
            required,
            standing,
        });
    }
    Ok(rows)
}

/// Whether one that was not started is needed here.
pub async fn is_required(session: &mut Session, standing: &Standing) -> Result<Answer> {
    match query(standing) {
        Ok(None) => Ok(Answer::Yes),
        Ok(Some(query)) => ask(session, &query).await,
        Err(why) => Ok(Answer::Unknown { why }),
    }
}

/// The same of all that were not started and have a query, within a time limit for all of them together, for whoever only shows it:
/// what was not answered by then is not in the map.
pub async fn answers(session: &mut Session, limit: Duration) -> Result<BTreeMap<Name, Answer>> {
    let begun = Instant::now();
    let mut answers = BTreeMap::new();
    let standings = shelf::standings(&**session).await?;
    for standing in standings.iter().filter(|one| one.state == State::Planned) {
        let Ok(Some(query)) = query(standing) else {
            continue;
        };
        let left_ms = limit.saturating_sub(begun.elapsed()).as_millis();
        if left_ms == 0 {
            break;
        }
        let answer = ask_within(session, &query, u64::try_from(left_ms).unwrap_or(u64::MAX)).await?;
        answers.insert(standing.name.clone(), answer);
    }
    Ok(answers)
}

/// The query that says whether it is needed, if it has one; why nobody can tell otherwise.
fn query(standing: &Standing) -> std::result::Result<Option<String>, String> {
    let Some(plan) = &standing.plan else {
        return Err(standing.unreadable.clone().unwrap_or_default());
    };
    // A parameter may stand in the query; its default is what is known.
    let bound = shelf::bind(plan, &BTreeMap::new());
    let definition = bound.as_ref().map_or(&plan.definition, |bound| bound.worked());
    Ok(definition.required_when.clone())
}

/// As the gate wants to know them. A run that was taken back and made room for another one is not asked for.
pub fn entries(rows: &[Row]) -> Vec<Entry> {
    rows.iter().filter_map(entry).collect()
}

fn entry(row: &Row) -> Option<Entry> {
    let standing = &row.standing;
    if standing
        .name_in_file
        .as_ref()
        .is_some_and(|name| name != standing.name.as_str())
    {
        return None;
    }
    let how = match (standing.ended_by.as_deref(), &standing.state) {
        (Some("skipped"), _) => gate::Standing::Skipped,
        (Some("not_required"), _) => gate::Standing::NotRequired,
        // Everything is done; what is left is a person's word on whether it stays.
        (_, State::Finishing) => gate::Standing::Done,
        (_, state) => gate::Standing::from(state.name()),
    };
    let required = match &row.required {
        None | Some(Answer::Yes) => Required::Yes,
        Some(Answer::No) => Required::No,
        Some(Answer::Unknown { why }) => Required::Unknown(why.clone()),
    };
    Some(Entry {
        name: standing.name.to_string(),
        description: standing.description.clone(),
        versions: row.versions.clone(),
        depends_on: row.depends_on.clone(),
        standing: how,
        required,
        unsettled: standing.unsettled.clone(),
        unreadable: standing.unreadable.clone(),
    })
}
