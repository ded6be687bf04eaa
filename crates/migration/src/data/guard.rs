//! The guard: listens for requests and settings, asks after the application's health, and measures for the throttle; each on a
//! connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_pg::{Fault, FaultContext, Isolation, Result};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::deck::Deck;
use super::fault::{IRREVERSIBLE, NOT_FOR_THIS_KIND};
use super::operation::{irreversible, not_passed};
use super::question::{Answer, ask};
use super::seat::Seat;
use super::{DataPlan, News};
use crate::definition::Definition;
use crate::fault::VERB_REFUSED;
use crate::operation::OperationState;
use crate::setting::Settings;
use crate::state::{Course, State};
use crate::step::{Event, Verb};
use crate::store;
use crate::throttle::{Hysteresis, Leave, Readings, Sampler, decide};

/// How soon a request is noticed.
const LISTEN_EVERY: Duration = Duration::from_millis(300);
/// Samples that may be missing until the throttle counts as silent.
const STALE_INTERVALS: u32 = 5;
/// Answers in a row that nobody understands, until they count as sick.
const UNKNOWN_MAX: u32 = 3;

/// Takes requests and settings until `end`.
pub(super) async fn listen(deck: Arc<Deck>, mut end: watch::Receiver<bool>) {
    let mut seat = Seat::new(&deck, "control", "control");
    loop {
        match attend(&deck, &mut seat).await {
            Ok(is_turn) if is_turn => {
                deck.turn.send_replace(true);
            }
            Ok(_) => {}
            Err(fault) => tracing::debug!(%fault, "listening for requests"),
        }
        deck.roster.rest("control");
        tokio::select! {
            () = tokio::time::sleep(LISTEN_EVERY) => {}
            _ = end.wait_for(|is_over| *is_over) => return,
        }
    }
}

async fn attend(deck: &Deck, seat: &mut Seat) -> Result<bool> {
    let session = seat.session(&|_, _| ()).await?;
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let mut is_turn = false;
    for request in store::take_requests(&tx, &deck.lease).await? {
        let granted = grant(deck, &tx, request.verb, &request.argument, &request.asked_by).await;
        let outcome = match granted {
            Ok(()) => {
                is_turn = true;
                json!({ "granted": true })
            }
            // A refusal is an answer; anything else ends the transaction, and the request stays.
            Err(fault) if store::is_refusal(&fault) => store::refusal(&fault),
            Err(fault) => return Err(fault),
        };
        store::answer(&tx, &deck.lease, request.id, &outcome).await?;
    }
    let settings = store::read_settings(&tx, deck.id()).await?;
    deck.settings.send_if_modified(|now| {
        let is_new = *now != settings;
        *now = settings;
        is_new
    });
    corridor_pg::failpoint::step("request", tx.commit())
        .await
        .doing(|| "answering requests")?;
    Ok(is_turn)
}

/// Applies what somebody asked for, in the caller's transaction.
pub(super) async fn grant(
    deck: &Deck,
    tx: &tokio_postgres::Transaction<'_>,
    verb: Verb,
    argument: &Value,
    by: &str,
) -> Result<()> {
    let state = store::read_state(tx, deck.id()).await?;
    match verb {
        Verb::Cutover | Verb::Verify => {
            return Err(Fault::new(
                &NOT_FOR_THIS_KIND,
                format!("`{verb}` of {}", deck.name),
            ));
        }
        Verb::Stop if state.course() == Some(Course::Hold) => {
            let why = "everything is done; `finish` keeps it, `rollback` takes it back";
            return Err(Fault::new(&VERB_REFUSED, why));
        }
        Verb::Rollback => {
            let operations = store::operations(tx, deck.id()).await?;
            refuse_irreversible(deck.plan.worked(), &operations, &state)?;
        }
        _ => {}
    }
    let event = Event::Asked {
        verb,
        by: by.to_owned(),
        why: why(argument).to_owned(),
    };
    store::apply(tx, &deck.lease, &event).await.map(drop)
}

/// Why something is asked for, in a person's words.
pub(super) fn why(argument: &Value) -> &str {
    argument.get("why").and_then(Value::as_str).unwrap_or_default()
}

/// What may be asked of one of a person's own: it has nothing to swap or to compare; it goes back only when all of it can; one that
/// was taken back or stopped may be begun anew, as long as it has its name.
pub(crate) fn asked_for(migration: &store::Migration, by_state: Vec<Verb>) -> Vec<Verb> {
    // Whatever is asked for is refused: nobody here knows what it would do.
    let Ok(plan) = DataPlan::read(&migration.plan) else {
        return Vec::new();
    };
    let can_go_back = refuse_irreversible(plan.worked(), &migration.operations, &migration.state).is_ok();
    let is_done = migration.state.course() == Some(Course::Hold);
    let mut asked: Vec<Verb> = by_state
        .into_iter()
        .filter(|verb| match verb {
            Verb::Cutover | Verb::Verify => false,
            Verb::Rollback => can_go_back,
            Verb::Stop => !is_done,
            // `start` asks what is to be asked, and freezes the plan.
            Verb::Resume => migration.state != State::Planned,
            _ => true,
        })
        .collect();
    let is_over = matches!(migration.state, State::RolledBack | State::Stopped);
    if is_over && plan.definition.name == migration.name.as_str() {
        asked.push(Verb::Start);
    }
    asked
}

/// Nothing is undone when not everything can be.
fn refuse_irreversible(
    definition: &Definition,
    operations: &[store::Operation],
    state: &State,
) -> Result<()> {
    if *state == State::Planned {
        return Ok(());
    }
    for operation in &definition.operations {
        let was_begun = operations.iter().any(|row| {
            row.name == operation.name()
                && matches!(
                    row.state,
                    OperationState::Running | OperationState::Done | OperationState::Failed
                )
        });
        if let (true, Some(why)) = (was_begun, irreversible(operation)) {
            return Err(Fault::new(&IRREVERSIBLE, format!("{}: {why}", operation.name())));
        }
    }
    Ok(())
}

/// Asks after the health until `end`, or until it is bad.
pub(super) async fn watch_health(deck: Arc<Deck>, mut end: watch::Receiver<bool>) {
    let definition = deck.plan.worked();
    if definition.health_checks.is_empty() {
        return;
    }
    let every = crate::definition::duration(&definition.health_every).unwrap_or(Duration::from_secs(30));
    let mut seat = Seat::new(&deck, "health", "health");
    let mut unknown = 0;
    loop {
        match illness(&mut seat, definition).await {
            Ok(None) => unknown = 0,
            Ok(Some((is_certain, words))) => {
                unknown += 1;
                if is_certain || unknown >= UNKNOWN_MAX {
                    deck.illness.send_replace(Some(words));
                    return;
                }
                deck.retrying(words, every);
            }
            Err(fault) => tracing::debug!(%fault, "asking after the health"),
        }
        deck.roster.rest("health");
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = end.wait_for(|is_over| *is_over) => return,
        }
    }
}

/// The first health check that is not true, and whether that is certain.
async fn illness(seat: &mut Seat, definition: &Definition) -> Result<Option<(bool, String)>> {
    let session = seat.session(&|_, _| ()).await?;
    for check in &definition.health_checks {
        let answer = ask(session, &check.query).await?;
        if answer != Answer::Yes {
            let words = not_passed(&check.name, &check.message, &answer);
            return Ok(Some((answer == Answer::No, words)));
        }
    }
    Ok(None)
}

/// Measures until `end`, and publishes whether the work may go on. While no sample comes, it may not.
pub(super) async fn measure(deck: Arc<Deck>, mut end: watch::Receiver<bool>) {
    let mut seat = Seat::new(&deck, "throttle", "throttle");
    let mut sampler = Sampler::new();
    let mut hysteresis = Hysteresis::default();
    let begun = Instant::now();
    loop {
        let settings = deck.settings.borrow().clone();
        let interval = Duration::from_millis(settings.throttle_interval_ms);
        // A second beyond the interval: the sample itself may take that long.
        let age_max = interval + Duration::from_secs(1);
        let taken = Instant::now();
        let readings = {
            let sampling = sample(&mut seat, &mut sampler, &settings);
            tokio::pin!(sampling);
            let silent_after = interval * STALE_INTERVALS + Duration::from_secs(1);
            tokio::select! {
                readings = &mut sampling => readings,
                () = tokio::time::sleep(silent_after) => {
                    let age = taken.elapsed().max(age_max + Duration::from_millis(1));
                    publish(&deck, decide(&Readings::default(), &settings.limits, age, age_max));
                    tokio::select! {
                        readings = sampling => readings,
                        _ = end.wait_for(|is_over| *is_over) => return,
                    }
                }
            }
        };
        if let Ok(readings) = readings {
            let leave = hysteresis.decide(
                &readings,
                &settings.limits,
                taken.elapsed(),
                age_max,
                begun.elapsed(),
            );
            if publish(&deck, leave.clone())
                && let Ok(session) = seat.session(&|_, _| ()).await
                && let Err(fault) = store::note_throttle(session, &deck.lease, &leave).await
            {
                tracing::debug!(%fault, "the throttle's word was not written into the journal");
            }
        }
        deck.roster.rest("throttle");
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            _ = end.wait_for(|is_over| *is_over) => return,
        }
    }
}

async fn sample(seat: &mut Seat, sampler: &mut Sampler, settings: &Settings) -> Result<Readings> {
    let session = seat.session(&|_, _| ()).await?;
    Ok(sampler.sample(session, settings).await)
}

/// True when the answer changed: then it is worth a line in the journal.
fn publish(deck: &Deck, leave: Leave) -> bool {
    let is_new = deck.leave.borrow().is_go() != leave.is_go();
    if is_new || !leave.is_go() {
        let reasons = match &leave {
            Leave::Go => Vec::new(),
            Leave::Hold { reasons } => reasons.clone(),
        };
        // For whoever looks from elsewhere: `status`, and the notes of a service.
        deck.vitals.send_modify(|vitals| {
            vitals.progress = json!({ "throttle": { "reasons": &reasons } });
        });
        deck.say(&News::Throttle { reasons });
    }
    deck.leave.send_replace(leave);
    is_new
}
