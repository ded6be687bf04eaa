//! The guard: listens for requests and settings, and measures for the throttle, each on a connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_migration::throttle::{Hysteresis, Leave, Sampler};
use corridor_migration::{Course, Event, Heart, OperationState, Side, Verb, Vitals, store};
use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::run::deck::Deck;
use crate::run::fault::ONE_WAY;
use crate::run::gauge::PENDING_SHOWN_MAX;
use crate::run::report::Progress;
use crate::run::seat::Seat;
use crate::run::stop::{Step, Stop};

/// How soon a request is noticed.
const LISTEN_EVERY: Duration = Duration::from_millis(300);

/// Takes requests and settings until `end`. A request that is granted turns the worker to the new state.
pub(crate) async fn listen(deck: Arc<Deck>, heart: Arc<Heart>, mut end: watch::Receiver<bool>) {
    let mut seat = Seat::new("control");
    loop {
        match listen_once(&deck, &mut seat, &heart).await {
            Ok(()) | Err(Stop::Turn) => {}
            Err(Stop::Fault(fault)) => deck.fail(fault),
        }
        tokio::select! {
            () = tokio::time::sleep(LISTEN_EVERY) => {}
            _ = end.wait_for(|e| *e) => return,
        }
    }
}

async fn listen_once(deck: &Deck, seat: &mut Seat, heart: &Heart) -> Step<()> {
    let session = seat.session(deck).await?;
    match attend(deck, session, heart).await {
        Ok(is_turn) => {
            seat.succeeded(deck);
            if is_turn {
                deck.wind_down();
            }
            Ok(())
        }
        Err(fault) => seat.recover(deck, fault).await,
    }
}

async fn attend(deck: &Deck, session: &mut Session, heart: &Heart) -> Result<bool> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let mut is_turn = false;
    for request in store::take_requests(&tx, &deck.lease).await? {
        let outcome = match grant(deck, &tx, request.verb, &request.argument, &request.asked_by).await {
            Ok(()) => {
                is_turn = true;
                json!({ "granted": true, "verifications": verdicts(&tx, deck).await? })
            }
            // A refusal is an answer; anything else ends the transaction, and the request stays.
            Err(fault) if store::is_refusal(&fault) => store::refusal(&fault),
            Err(fault) => return Err(fault),
        };
        store::answer(&tx, &deck.lease, request.id, &outcome).await?;
    }
    let settings = store::read_settings(&tx, deck.fence.migration_id).await?;
    deck.settings.send_if_modified(|now| {
        let is_new = *now != settings;
        *now = settings;
        is_new
    });
    corridor_pg::failpoint::step("request", tx.commit())
        .await
        .doing(|| "answering requests")?;
    let is_after = crate::run::course::is_after(&**session, deck).await?;
    let mirror = if is_after { &deck.reverse } else { &deck.forward };
    if is_after && deck.plan.is_one_way {
        deck.note_pending(0);
    } else if let Ok(pending) = mirror.pending(&**session, PENDING_SHOWN_MAX).await {
        deck.note_pending(pending);
    }
    let ours = format!("corridor:%:{}", deck.name.replace('_', "\\_"));
    let backend_pids = session
        .query(include_str!("../../sql/run/backends.sql"), &[&ours])
        .await
        .doing(|| "looking at our own sessions")?
        .iter()
        .map(|row| row.get("pid"))
        .collect();
    heart.report(Vitals {
        backend_pids,
        progress: deck.last_words(),
    });
    Ok(is_turn)
}

/// The number of the newest verdict. Whoever asked for a verification waits for one with a greater number.
pub(crate) async fn verdicts(tx: &tokio_postgres::Transaction<'_>, deck: &Deck) -> Result<i32> {
    let newest = store::verifications(tx, deck.fence.migration_id, 0, 1).await?;
    Ok(newest.first().map_or(0, |one| one.number))
}

/// Applies a verb that somebody asked for, with what belongs to it, in the caller's transaction.
pub(crate) async fn grant(
    deck: &Deck,
    tx: &tokio_postgres::Transaction<'_>,
    verb: Verb,
    argument: &Value,
    by: &str,
) -> Result<()> {
    let state = store::read_state(tx, deck.fence.migration_id).await?;
    let is_about_the_way_back = matches!(verb, Verb::Rollback | Verb::Verify);
    if deck.plan.is_one_way && is_about_the_way_back && state.side() == Some(Side::AfterCutover) {
        return Err(Fault::new(
            &ONE_WAY,
            format!("`{verb}` of {}", deck.plan.source.name),
        ));
    }
    // A way back that is closed is refused here, and the migration goes on waiting: `finish` stays possible.
    if verb == Verb::Rollback && state.course() == Some(Course::Hold) {
        deck.check_new_definition(tx).await?;
        deck.check_capture(tx, true).await?;
        deck.reverse.check_all_fit(tx, false).await?;
    }
    let why = argument
        .get("why")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let applied = store::apply(
        tx,
        &deck.lease,
        &Event::Asked {
            verb,
            by: by.to_owned(),
            why,
        },
    )
    .await?;
    match verb {
        Verb::Verify if applied.state.name() == corridor_migration::StateName::Running => {
            store::repeat_operation(tx, &deck.lease, "verify").await?;
        }
        Verb::Verify => deck.ask_verify_back(),
        Verb::Finish => begin_finish(deck, tx, argument).await?,
        _ => {}
    }
    Ok(())
}

/// Whatever ran before is over with `finish`; it keeps what is to become of the old table.
async fn begin_finish(deck: &Deck, tx: &tokio_postgres::Transaction<'_>, argument: &Value) -> Result<()> {
    for operation in store::operations(tx, deck.fence.migration_id).await? {
        if operation.state == OperationState::Running && operation.name != "finish" {
            let event = Event::OperationFinished {
                operation: operation.name,
            };
            store::apply(tx, &deck.lease, &event).await?;
        }
    }
    store::apply(
        tx,
        &deck.lease,
        &Event::OperationStarted {
            operation: "finish".to_owned(),
        },
    )
    .await?;
    let is_drop = argument.get("drop").and_then(Value::as_bool).unwrap_or(false);
    store::write_operation_progress(tx, &deck.lease, "finish", &json!({ "drop": is_drop })).await
}

/// Measures until `end`, and publishes whether the copy may go on.
pub(crate) async fn measure(deck: Arc<Deck>, mut end: watch::Receiver<bool>) {
    let mut seat = Seat::new("throttle");
    let mut sampler = Sampler::new();
    let mut hysteresis = Hysteresis::default();
    let begun = Instant::now();
    loop {
        let settings = deck.settings();
        let interval = Duration::from_millis(settings.throttle_interval_ms);
        let taken = Instant::now();
        let leave = match seat.session(&deck).await {
            Ok(session) => {
                let readings = sampler.sample(session, &settings).await;
                // A second beyond the interval: the sample itself may take that long.
                let age_max = interval + Duration::from_secs(1);
                Some(hysteresis.decide(
                    &readings,
                    &settings.limits,
                    taken.elapsed(),
                    age_max,
                    begun.elapsed(),
                ))
            }
            Err(Stop::Turn) => None,
            Err(Stop::Fault(fault)) => {
                deck.fail(fault);
                None
            }
        };
        if let Some(leave) = leave
            && publish(&deck, leave.clone())
            && let Ok(session) = seat.session(&deck).await
            && let Err(fault) = store::note_throttle(session, &deck.lease, &leave).await
        {
            tracing::debug!(%fault, "the throttle's word was not written into the journal");
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            _ = end.wait_for(|e| *e) => return,
        }
    }
}

/// True when the answer changed: then it is worth a line in the journal.
fn publish(deck: &Deck, leave: Leave) -> bool {
    let is_new = deck.leave.borrow().0.is_go() != leave.is_go();
    if deck.take_throttle_silence() || is_new || !leave.is_go() {
        let reasons = match &leave {
            Leave::Go => Vec::new(),
            Leave::Hold { reasons } => reasons.clone(),
        };
        deck.say(&Progress::Throttle { reasons });
    }
    deck.leave.send_replace((leave, Instant::now()));
    is_new
}
