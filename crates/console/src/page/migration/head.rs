//! What stands above every tab of a migration, and the lines of its operations.

use corridor_migration::data::DataPlan;
use corridor_migration::store::Asked;
use corridor_migration::words::number::{grouped, took};
use corridor_migration::words::{self, of_value};
use corridor_migration::{OperationState, State, StateName};
use serde_json::Value;

use crate::page::fleet::pending;
use crate::page::moment::Moment;
use crate::page::progress::{Known, Progress, progress};
use crate::page::tone::{label, tone, wants_worker};
use crate::read::one::One;

/// Above every tab.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) cluster: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) kind: String,
    pub(crate) versions: String,
    pub(crate) label: &'static str,
    pub(crate) class: &'static str,
    pub(crate) words: String,
    pub(crate) progress: Progress,
    pub(crate) worker: String,
    /// Work that nobody does.
    pub(crate) is_unworked: bool,
    /// What was asked for and waits.
    pub(crate) asked: Option<String>,
    /// Why it holds.
    pub(crate) held: Vec<String>,
    pub(crate) pending: String,
    pub(crate) query: String,
    pub(crate) created: Moment,
    pub(crate) created_by: String,
    pub(crate) started: Option<Moment>,
    pub(crate) finished: Option<Moment>,
    /// How long the whole took.
    pub(crate) took: Option<String>,
    /// What the operation that failed said, whole.
    pub(crate) errors: Vec<(String, String)>,
    /// Operations whose end nobody knows.
    pub(crate) unsettled: Vec<String>,
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct OperationLine {
    pub(crate) position: i32,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) state: &'static str,
    pub(crate) class: &'static str,
    pub(crate) is_current: bool,
    pub(crate) words: String,
    pub(crate) started: Option<Moment>,
    pub(crate) finished: Option<Moment>,
    pub(crate) took: String,
    pub(crate) error: String,
}

/// The state as the store has it: the status keeps its name and its data apart.
pub(crate) fn state_of(one: &One) -> Option<State> {
    let mut both = serde_json::Map::from_iter([("state".to_owned(), Value::from(one.status.state.as_str()))]);
    if one
        .status
        .state_detail
        .as_object()
        .is_some_and(|detail| !detail.is_empty())
    {
        both.insert("detail".to_owned(), one.status.state_detail.clone());
    }
    serde_json::from_value(Value::Object(both)).ok()
}

impl Head {
    pub(crate) fn of(cluster: &str, one: &One) -> Head {
        let status = &one.status;
        let state = state_of(one).unwrap_or(State::Planned);
        let is_alive = status.worker.is_alive;
        let plan = DataPlan::read(&status.plan).ok().filter(|_| one.is_data());
        let unworked = wants_worker(&status.kind, &state) && !is_alive;
        let open = one.attempts.iter().find(|attempt| attempt.ended_at.is_none());
        Head {
            cluster: cluster.to_owned(),
            name: status.name.to_string(),
            description: status.description.clone(),
            kind: status.kind.clone(),
            versions: plan.and_then(|plan| plan.definition.versions).unwrap_or_default(),
            label: label(&status.kind, &state),
            class: tone(&status.kind, &state, is_alive).class(),
            words: status.words.clone(),
            progress: progress(&known(one, &state)),
            worker: worker(one, unworked),
            is_unworked: unworked,
            asked: status.asked.as_ref().map(Asked::words),
            held: words::throttle(status),
            pending: match &one.gauge {
                Some(gauge) => match (&gauge.pending_changes, &gauge.unread) {
                    (Some(changes), _) => pending(*changes),
                    (None, Some(why)) => format!("unknown: {why}"),
                    (None, None) => String::new(),
                },
                None => String::new(),
            },
            query: match open {
                Some(attempt) => {
                    let parts = [
                        attempt.query_id.map(|id| format!("query {id}")),
                        attempt.backend_pid.map(|pid| format!("backend {pid}")),
                        Some(attempt.tag.clone()).filter(|tag| !tag.is_empty()),
                    ];
                    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
                }
                None => match &status.worker.backend_pids[..] {
                    _ if !is_alive => String::new(),
                    [] => match (&status.current_operation, one.is_data()) {
                        // Batches of a backfill have no try of their own.
                        (Some(operation), true) => format!("marked `corridor {operation}`"),
                        _ => String::new(),
                    },
                    pids => format!(
                        "backends {}",
                        pids.iter()
                            .map(ToString::to_string)
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                },
            },
            created: Moment::new(&status.created_at),
            created_by: status.created_by.clone(),
            started: Moment::of(status.started_at.as_ref()),
            finished: Moment::of(status.finished_at.as_ref()),
            took: status.took_ms.map(|ms| took(ms, status.paused_ms)),
            errors: errors(one),
            unsettled: one
                .unsettled()
                .iter()
                .map(|attempt| attempt.operation.clone())
                .collect(),
        }
    }
}

fn known<'a>(one: &'a One, state: &'a State) -> Known<'a> {
    static NOTHING: Value = Value::Null;
    let status = &one.status;
    let current = status.current_operation.as_deref().and_then(|name| {
        let operation = status
            .operations
            .iter()
            .find(|operation| operation.name == name)?;
        Some((operation.position, name))
    });
    let done = status
        .operations
        .iter()
        .filter(|operation| operation.state == OperationState::Done);
    Known {
        state,
        operations: status.operations.len() as i64,
        done: done.count() as i64,
        current,
        said: status
            .worker
            .progress
            .get("rows")
            .filter(|_| status.worker.is_alive)
            .unwrap_or(&NOTHING),
        rows: one
            .gauge
            .as_ref()
            .and_then(|gauge| gauge.rows_copied)
            .or_else(|| one.pace.last().map(|point| point.rows)),
        noted: current
            .and_then(|(_, name)| status.operations.iter().find(|operation| operation.name == name))
            .map_or(&NOTHING, |operation| &operation.progress),
    }
}

/// Who works on it. Without ages: a line that changes every second says nothing new.
fn worker(one: &One, is_unworked: bool) -> String {
    let worker = &one.status.worker;
    match (&worker.holder, worker.is_alive) {
        (Some(holder), true) => holder.clone(),
        (Some(holder), false) if is_unworked => {
            format!(
                "none: {holder} has been silent for longer than its lease ({})",
                words::number::millis(worker.ttl_ms as f64)
            )
        }
        (None, _) if is_unworked => "none, and there is work to do".to_owned(),
        _ => "none".to_owned(),
    }
}

fn errors(one: &One) -> Vec<(String, String)> {
    let mut errors: Vec<(String, String)> = one
        .status
        .operations
        .iter()
        .filter_map(|operation| Some((operation.name.clone(), operation.error.clone()?)))
        .collect();
    let is_any = !errors.is_empty();
    // What the state says already is not said twice.
    errors.retain(|(_, error)| !one.status.words.contains(error.as_str()));
    let text = |key: &str| one.status.state_detail.get(key).and_then(Value::as_str);
    if one.status.state == StateName::Failed && !is_any {
        let (code, detail) = (text("code").unwrap_or(""), text("detail").unwrap_or(""));
        errors.push((code.to_owned(), detail.to_owned()));
    }
    errors
}

/// The operations in their order.
pub(crate) fn operations(one: &One) -> Vec<OperationLine> {
    let plan = DataPlan::read(&one.status.plan).ok().filter(|_| one.is_data());
    one.status
        .operations
        .iter()
        .map(|operation| {
            let kind = plan.as_ref().and_then(|plan| {
                let found = plan
                    .worked()
                    .operations
                    .iter()
                    .find(|wanted| wanted.name() == operation.name);
                found.map(corridor_migration::definition::Operation::kind)
            });
            let mut said = said(&operation.progress);
            if operation.attempts > 1 {
                said.push(format!("begun {} times", operation.attempts));
            }
            OperationLine {
                position: operation.position,
                name: operation.name.clone(),
                kind: kind.unwrap_or(""),
                state: match operation.state {
                    OperationState::Undone => "taken back",
                    state => state.as_str(),
                },
                class: match operation.state {
                    OperationState::Pending | OperationState::Undone => "dim",
                    OperationState::Running => "work",
                    OperationState::Done => "good",
                    OperationState::Failed => "bad",
                },
                is_current: one.status.current_operation.as_deref() == Some(operation.name.as_str()),
                words: said.join("; "),
                started: Moment::of(operation.started_at.as_ref()),
                finished: Moment::of(operation.finished_at.as_ref()),
                // One that runs would change with every second: its beginning stands beside it.
                took: match operation.state {
                    OperationState::Pending | OperationState::Running => String::new(),
                    _ => operation
                        .took_ms
                        .map(|ms| took(ms, operation.paused_ms.unwrap_or(0.0)))
                        .unwrap_or_default(),
                },
                error: operation.error.clone().unwrap_or_default(),
            }
        })
        .collect()
}

/// What an operation keeps about its progress, as far as it is for people.
fn said(progress: &Value) -> Vec<String> {
    let Some(members) = progress.as_object() else {
        return Vec::new();
    };
    members
        .iter()
        .filter(|(key, _)| {
            matches!(
                key.as_str(),
                "steps_done" | "last_step" | "run" | "drop" | "rows" | "items_done" | "bad"
            )
        })
        .filter_map(|(key, value)| {
            let value = match value.as_u64() {
                Some(number) => grouped(number),
                None => of_value(value)?,
            };
            Some(format!("{} {value}", key.replace('_', " ")))
        })
        .collect()
}
