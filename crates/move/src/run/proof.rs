//! Proof: verification runs and their verdicts, before the cut-over and, when somebody asks for it, after it.

use std::sync::Arc;
use std::time::Duration;

use corridor_migration::{Event, OperationState, Side, store};
use corridor_mirror::Mirror;
use corridor_mirror::fault::{TRUNCATED, UNEXPLAINED_DIFFERENCE};
use corridor_mirror::left_out::LEFT_OUT_MAX;
use corridor_mirror::verify::{REPAIRS_MAX, Report};
use corridor_pg::{Fault, FaultContext, Isolation, Result};
use serde_json::json;

use crate::run::answer::Unanswered;
use crate::run::course::{begin, copy_what_is_left, is_after, repeat, with_applier};
use crate::run::crew::{self, Task};
use crate::run::deck::Deck;
use crate::run::report::Progress;
use crate::run::seat::Seat;
use crate::run::stop::{Step, Stop};

/// What a verification came to.
pub(crate) struct Verdict {
    side: Side,
    report: Report,
}

/// The operation `verify`: compares every row, and goes on where a worker before this one was.
pub(crate) async fn verify(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    let operations = store::operations(&**seat.session(deck).await?, deck.fence.migration_id).await?;
    let known = operations.iter().find(|o| o.name == "verify");
    let is_resumed =
        known.is_some_and(|o| o.state == OperationState::Running && o.progress.get("run").is_some());
    if !begin(deck, seat, "verify").await? {
        // Done, and asked for anew only by `verify`; but a truncate may have emptied what was proven.
        if deck.check_proof(&**seat.session(deck).await?).await.is_ok() {
            return Ok(());
        }
        repeat(deck, seat, "verify").await?;
    }
    let session = seat.session(deck).await?;
    let last = deck.forward.last_run(&**session).await?;
    let is_open = last > 0 && !has_verdict(deck, seat, Side::BeforeCutover, last).await?;
    let run = if is_resumed && is_open { last } else { last + 1 };
    note_run(deck, seat, run).await?;
    let report = compare(deck, seat, &deck.forward, run).await?;
    let verdict = Verdict {
        side: Side::BeforeCutover,
        report,
    };
    let done = Event::OperationFinished {
        operation: "verify".to_owned(),
    };
    record_verdict(deck, seat, &[done], Some(&verdict)).await?;
    let Verdict { report, .. } = verdict;
    deck.say(&Progress::Verified { report });
    deck.say(&Progress::Operation {
        name: "verify".to_owned(),
        is_done: true,
    });
    Ok(())
}

/// A run that has failed is not gone on with: what stood in its way may be gone, and only a new one would see that.
async fn has_verdict(deck: &Arc<Deck>, seat: &mut Seat, side: Side, run: i32) -> Step<bool> {
    let session = seat.session(deck).await?;
    let newest = store::verifications(&**session, deck.fence.migration_id, 0, 1).await?;
    Ok(newest
        .first()
        .is_some_and(|one| one.side == side && one.report.get("run") == Some(&json!(run))))
}

async fn note_run(deck: &Arc<Deck>, seat: &mut Seat, run: i32) -> Step<()> {
    let session = seat.session(deck).await?;
    let tx = session.begin(Isolation::ReadCommitted).await?;
    store::write_operation_progress(&tx, &deck.lease, "verify", &json!({ "run": run })).await?;
    corridor_pg::failpoint::step("proof", tx.commit())
        .await
        .doing(|| "noting the verification")?;
    Ok(())
}

async fn compare(deck: &Arc<Deck>, seat: &mut Seat, mirror: &Arc<Mirror>, run: i32) -> Step<Report> {
    let lanes = mirror.lanes(&**seat.session(deck).await?).await?;
    seat.succeeded(deck);
    crew::work(deck, mirror, Task::Verify { run }, lanes, 0).await?;
    compare_left_out(deck, seat, mirror, run).await?;
    Ok(mirror.verify_report(&**seat.session(deck).await?, run).await?)
}

/// Compares what was left out because it was being written, as soon as it is not. What is written all the time is never
/// caught at rest; once there are few of such keys, they are for the swap to compare under its locks.
async fn compare_left_out(deck: &Arc<Deck>, seat: &mut Seat, mirror: &Arc<Mirror>, run: i32) -> Step<()> {
    /// Between two looks.
    const PAUSE: Duration = Duration::from_millis(100);
    /// Looks without anything at rest before the rest is left to the swap.
    const LOOKS: u32 = 20;
    let (mut looks, mut repairs) = (0, 0);
    loop {
        let session = seat.session(deck).await?;
        let left = match mirror.compare_left_out(session, &deck.fence, run).await {
            Ok(left) => left,
            // The applier replays it, and everything is copied and compared anew.
            Err(fault) if fault.code().id == TRUNCATED.id => return Ok(()),
            Err(fault) => {
                seat.recover(deck, fault).await?;
                continue;
            }
        };
        seat.succeeded(deck);
        if left.differing_keys > 0 {
            repairs += 1;
            if repairs > REPAIRS_MAX {
                let session = seat.session(deck).await?;
                return Err(Stop::Fault(mirror.unexplained(session, run).await));
            }
        }
        if left.remaining == 0 {
            return Ok(());
        }
        if left.compared > left.differing_keys {
            looks = 0;
            continue;
        }
        looks += 1;
        if looks >= LOOKS && left.remaining <= LEFT_OUT_MAX as u64 && left.differing_keys == 0 {
            return Ok(());
        }
        if looks % LOOKS == 0 {
            deck.say(&Progress::Step {
                what: format!(
                    "{} keys are written all the time, and still to be compared",
                    left.remaining
                ),
            });
        }
        deck.pause(PAUSE).await?;
    }
}

/// After the cut-over: compares the old table with the new one, which changes no state.
pub(crate) async fn verify_the_way_back(deck: &Arc<Deck>) -> Step<()> {
    let outcome = compare_the_way_back(deck).await;
    if matches!(outcome, Err(Stop::Turn)) {
        // Somebody asked for something, or a truncate came in between: it is still owed to whoever waits for it.
        deck.ask_verify_back();
    }
    outcome
}

async fn compare_the_way_back(deck: &Arc<Deck>) -> Step<()> {
    let mut seat = Seat::new("control");
    with_applier(deck, &deck.reverse, async || {
        copy_what_is_left(deck, &mut seat, &deck.reverse).await?;
        let run = deck.reverse.last_run(&**seat.session(deck).await?).await? + 1;
        let verdict = Verdict {
            side: Side::AfterCutover,
            report: compare(deck, &mut seat, &deck.reverse, run).await?,
        };
        record_verdict(deck, &mut seat, &[], Some(&verdict)).await?;
        let Verdict { report, .. } = verdict;
        deck.say(&Progress::Verified { report });
        Ok(())
    })
    .await
}

/// The verdict that `fault` is, when it is one: source and target differ, and repairing did not help.
pub(crate) async fn verdict_of(deck: &Arc<Deck>, seat: &mut Seat, fault: &Fault) -> Option<Verdict> {
    if fault.code().id != UNEXPLAINED_DIFFERENCE.id {
        return None;
    }
    match read_verdict(deck, seat).await {
        Ok(verdict) => Some(verdict),
        Err(Stop::Turn) => None,
        Err(Stop::Fault(second)) => {
            tracing::warn!(%second, "the report of the verification could not be read");
            None
        }
    }
}

async fn read_verdict(deck: &Arc<Deck>, seat: &mut Seat) -> Step<Verdict> {
    let session = seat.session(deck).await?;
    let (side, mirror) = match is_after(&**session, deck).await? {
        true => (Side::AfterCutover, &deck.reverse),
        false => (Side::BeforeCutover, &deck.forward),
    };
    let run = mirror.last_run(&**session).await?;
    let report = mirror.verify_report(&**session, run).await?;
    Ok(Verdict { side, report })
}

/// Applies events, each in the order given, and keeps the report of a verification beside them: in one transaction.
pub(crate) async fn record_verdict(
    deck: &Arc<Deck>,
    seat: &mut Seat,
    events: &[Event],
    verdict: Option<&Verdict>,
) -> Step<()> {
    let mut unanswered = Unanswered::default();
    loop {
        let session = seat.session(deck).await?;
        let outcome: Result<bool> = async {
            if unanswered.was_committed(&**session).await? {
                return Ok(true);
            }
            let tx = session.begin(Isolation::ReadCommitted).await?;
            for event in events {
                store::apply(&tx, &deck.lease, event).await?;
            }
            if let Some(Verdict { side, report }) = verdict {
                let report = serde_json::to_value(report).unwrap_or_default();
                store::record_verification(&tx, &deck.lease, *side, &report).await?;
                // Asked for again since this one began. Whoever asked waits for the next verdict after their word, and
                // the row that is locked now puts the two in order.
                if *side == Side::AfterCutover && deck.is_verify_back_asked() {
                    return Ok(false);
                }
            }
            unanswered.commit("event", tx, "recording what happened").await?;
            Ok(true)
        }
        .await;
        match outcome {
            Ok(true) => {
                seat.succeeded(deck);
                return Ok(());
            }
            Ok(false) => return Err(Stop::Turn),
            Err(fault) => seat.recover(deck, fault).await?,
        }
    }
}
