//! Who is told what happened to migrations: failures, stalls, completions. What is told is decided purely.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corridor_migration::State;
use corridor_migration::data::unsettled::may_wait_for_word;
use corridor_migration::store::Summary;
use serde::Serialize;
use serde_json::{Value, json};

/// Pauses before a delivery that failed is tried again.
const PAUSES_S: [u64; 4] = [2, 10, 60, 300];

/// Something worth a word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Happening {
    /// `failed`, `ambiguous`, `stalled`, `moving_again`, `finished`, `rolled_back`, `stopped`.
    pub(super) event: &'static str,
    /// The migration.
    pub(super) migration: String,
    /// What it is for.
    pub(super) description: String,
    /// The operation that is, or was last, at work.
    pub(super) operation: Option<String>,
    /// In words.
    pub(super) words: String,
}

impl Happening {
    pub(super) fn text(&self) -> String {
        let operation = self
            .operation
            .as_ref()
            .map_or(String::new(), |operation| format!(" at {operation}"));
        format!("{}{operation}: {}", self.migration, self.words)
    }

    /// What is posted as JSON.
    pub(super) fn document(&self, cluster: &str) -> Value {
        json!({
            "version": 1,
            "event": self.event,
            "cluster": cluster,
            "migration": self.migration,
            "description": self.description,
            "operation": self.operation,
            "text": self.text(),
        })
    }

    /// What an incoming webhook of a chat takes.
    pub(super) fn slack(&self, cluster: &str) -> Value {
        json!({ "text": format!("[{cluster}] {}", self.text()) })
    }
}

/// What was known at the last look.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    known: Option<BTreeMap<i64, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    state: State,
    movement: Option<String>,
    since: Instant,
    is_stalled: bool,
}

impl Alerts {
    /// What has happened since the last look. The first look tells nothing: whoever starts is not told of the past.
    pub(super) fn look(
        &mut self,
        migrations: &[Summary],
        moving: &BTreeMap<i64, String>,
        stall: Duration,
        now: Instant,
    ) -> Vec<Happening> {
        let mut happenings = Vec::new();
        let before = self.known.take();
        let mut known = BTreeMap::new();
        for one in migrations {
            let movement = moving.get(&one.id).cloned();
            let mut entry = Known {
                state: one.state.clone(),
                movement,
                since: now,
                is_stalled: false,
            };
            match before.as_ref().map(|before| before.get(&one.id)) {
                Some(Some(old)) if old.state != one.state => {
                    happenings.extend(of_state(one));
                }
                Some(Some(old)) if old.movement == entry.movement && entry.movement.is_some() => {
                    entry.since = old.since;
                    entry.is_stalled = old.is_stalled;
                    if !old.is_stalled && now.saturating_duration_since(old.since) >= stall {
                        entry.is_stalled = true;
                        let words = format!("has not moved for {} minutes", stall.as_secs() / 60);
                        happenings.push(happening("stalled", one, words));
                    }
                }
                Some(Some(old)) if old.is_stalled => {
                    happenings.push(happening("moving_again", one, "moves again".to_owned()));
                }
                // Stored and over between two looks.
                Some(None) => happenings.extend(of_state(one)),
                _ => {}
            }
            known.insert(one.id, entry);
        }
        self.known = Some(known);
        happenings
    }
}

fn of_state(one: &Summary) -> Option<Happening> {
    let event = match one.state {
        // Nothing goes on before a person has looked.
        _ if may_wait_for_word(&one.state) => "ambiguous",
        State::Failed { .. } => "failed",
        State::Ambiguous { .. } => "ambiguous",
        State::Finished => "finished",
        State::RolledBack => "rolled_back",
        State::Stopped => "stopped",
        _ => return None,
    };
    Some(happening(event, one, one.words()))
}

fn happening(event: &'static str, one: &Summary, words: String) -> Happening {
    Happening {
        event,
        migration: one.name.to_string(),
        description: one.description.clone(),
        operation: one.current_operation.clone(),
        words,
    }
}

/// Posts it beside everything else.
pub(super) fn post(address: String, document: Value) {
    tokio::spawn(async move {
        for pause in PAUSES_S.into_iter().map(Some).chain([None]) {
            let Err(why) = crate::post::json(address.clone(), document.to_string()).await else {
                return;
            };
            match pause {
                Some(pause) => tokio::time::sleep(Duration::from_secs(pause)).await,
                // Its address is a secret.
                None => tracing::warn!(why, "an alert was not delivered"),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use corridor_migration::{Course, Name};

    use super::*;

    fn one(state: State) -> Summary {
        Summary {
            id: 1,
            name: Name::new("fill").unwrap(),
            kind: "data".to_owned(),
            description: "d".to_owned(),
            state,
            current_operation: Some("copy".to_owned()),
            created_at: String::new(),
            finished_at: None,
            is_worker_alive: true,
            unsettled: Vec::new(),
        }
    }

    fn failed() -> State {
        State::Failed {
            code: "MIG-135".to_owned(),
            detail: "sick".to_owned(),
            course: Course::Forward,
        }
    }

    #[test]
    fn a_failure_is_told_once_and_the_past_is_not() {
        let (mut alerts, now) = (Alerts::default(), Instant::now());
        let stall = Duration::from_secs(60);
        let mut look = |state: State| {
            let told = alerts.look(&[one(state)], &BTreeMap::new(), stall, now);
            told.into_iter().map(|one| one.text()).collect::<Vec<_>>()
        };
        assert!(look(failed()).is_empty(), "it had failed before anybody looked");
        assert!(look(State::Running).is_empty());
        assert_eq!(look(failed()), ["fill at copy: failed with MIG-135: sick"]);
        assert!(look(failed()).is_empty());
        assert_eq!(look(State::Finished), ["fill at copy: finished"]);
    }

    #[test]
    fn what_waits_for_a_word_is_told_as_ambiguous_with_the_command() {
        let (mut alerts, now) = (Alerts::default(), Instant::now());
        let mut look = |one: Summary| alerts.look(&[one], &BTreeMap::new(), Duration::from_secs(60), now);
        look(one(State::Running));
        let lost = State::Failed {
            code: "MIG-136".to_owned(),
            detail: "copy, begun by p".to_owned(),
            course: Course::Forward,
        };
        let told = look(Summary {
            unsettled: vec!["copy".to_owned()],
            ..one(lost)
        });
        assert_eq!(told[0].event, "ambiguous");
        assert_eq!(
            told[0].words,
            "failed with MIG-136: copy, begun by p; look whether it was done, then \
             `corridor migration settle fill copy --done|--again`"
        );
    }

    #[test]
    fn a_stall_is_told_once_and_its_end_too() {
        let (mut alerts, begun) = (Alerts::default(), Instant::now());
        let mut look = |after_s: u64, movement: &str| {
            let moving = BTreeMap::from([(1, movement.to_owned())]);
            let now = begun + Duration::from_secs(after_s);
            let told = alerts.look(&[one(State::Running)], &moving, Duration::from_secs(60), now);
            told.first().map(|one| one.event)
        };
        assert_eq!(look(0, "a"), None);
        assert_eq!(look(59, "a"), None);
        assert_eq!(look(60, "a"), Some("stalled"));
        assert_eq!(look(600, "a"), None);
        assert_eq!(look(601, "b"), Some("moving_again"));
        assert_eq!(look(602, "c"), None);
    }
}
