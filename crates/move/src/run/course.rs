//! From state to state: what a worker does until nothing is left to do, a person is needed, or it has to leave.

use std::sync::Arc;
use std::time::Duration;

use corridor_migration::fault::EVENT_OUT_OF_PLACE;
use corridor_migration::step::{Action, duties};
use corridor_migration::{Event, OperationState, Side, State, Verb, Wait, store};
use corridor_mirror::fault::TRUNCATED;
use corridor_mirror::{Identity, Mirror};
use corridor_pg::fault::FENCED;
use corridor_pg::{Fault, FaultContext, Isolation, Result};
use serde_json::json;
use tokio::sync::watch;
use tokio_postgres::GenericClient;

use crate::run::apply;
use crate::run::crew::{self, Task};
use crate::run::deck::Deck;
use crate::run::fault::{CUTOVER_BLOCKED, NAME_TAKEN_OVER, NOT_PROVEN};
use crate::run::owner::look_up;
use crate::run::prepare::{analyze, freshen, index, prepare, target_oid};
use crate::run::proof::{record_verdict, verdict_of, verify, verify_the_way_back};
use crate::run::report::Progress;
use crate::run::retire::{clean_up, retire, settle, side_of};
use crate::run::seat::Seat;
use crate::run::stop::{Step, Stop};
use crate::run::swap::{Direction, swap};

/// Between two looks of a worker that only keeps the tables in step.
const STAND_BY_INTERVAL: Duration = Duration::from_millis(500);
/// Looks after which it says again what it waits for.
const SAID_AGAIN_EVERY: u64 = 10;

/// How a worker's turn ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// In this state: final, paused, or waiting for a person.
    In(State),
    /// Interrupted, or the lease is lost.
    Left,
}

/// Works until there is nothing left to do without a person. `is_attending`: stay while it waits, and keep in step.
pub(crate) async fn run(deck: &Arc<Deck>, is_attending: bool) -> Result<Ending> {
    let mut seat = Seat::new("control");
    loop {
        deck.wind_up();
        if deck.must_leave() {
            return Ok(Ending::Left);
        }
        let mut begun = None;
        let outcome = turn(deck, &mut seat, is_attending, &mut begun).await;
        let failure = deck.take_failure().map(Stop::Fault);
        match (outcome, failure) {
            (Ok(Some(state)), None) => return Ok(Ending::In(state)),
            (Ok(_), None) | (Err(Stop::Turn), None) => {}
            // The course's own connection was lost between two transactions: the state says how to go on.
            (Err(Stop::Fault(fault)), None) if is_passing(&fault) => {
                if let Err(Stop::Fault(fault)) = seat.recover(deck, fault).await {
                    return Err(fault);
                }
            }
            (Err(Stop::Fault(fault)), _) | (_, Some(Stop::Fault(fault))) => {
                if was_overtaken(deck, &mut seat, &fault, begun.as_ref()).await {
                    continue;
                }
                // Somebody stands in the way of the swap: who stays to keep the tables in step, stays.
                let goes_on = (is_attending && fault.code().id == CUTOVER_BLOCKED.id)
                    || go_back_to_the_copy(deck, &mut seat, &fault).await;
                if goes_on && fault.code().id != CUTOVER_BLOCKED.id {
                    continue;
                }
                let recorded = record_failure(deck, &mut seat, fault).await;
                if !goes_on {
                    return recorded;
                }
            }
            (_, Some(Stop::Turn)) => {}
        }
    }
}

/// A lost connection, after which nothing is unclear. One that could not be made again was waited for long enough.
fn is_passing(fault: &Fault) -> bool {
    fault.code().id == corridor_pg::fault::CONNECTION_LOST.id && !fault.is_ownership_ambiguous()
}

/// True when what was to be recorded does not fit because a person's order came first: between the checkpoint and the
/// transaction the state has moved on. That transaction is rolled back whole, and the new state says how to go on.
async fn was_overtaken(deck: &Arc<Deck>, seat: &mut Seat, fault: &Fault, begun: Option<&State>) -> bool {
    if fault.code().id != EVENT_OUT_OF_PLACE.id {
        return false;
    }
    let Ok(session) = seat.session(deck).await else {
        return false;
    };
    let now = store::read_state(&**session, deck.fence.migration_id).await;
    now.is_ok_and(|now| Some(&now) != begun)
}

/// Does what the state asks for; `begun` becomes that state.
async fn turn(
    deck: &Arc<Deck>,
    seat: &mut Seat,
    is_attending: bool,
    begun: &mut Option<State>,
) -> Step<Option<State>> {
    let state = store::read_state(&**seat.session(deck).await?, deck.fence.migration_id).await?;
    *begun = Some(state.clone());
    identify(deck, seat).await?;
    match duties(&state).first() {
        Some(Action::Work) => forward(deck, seat).await?,
        Some(Action::CatchUp) if deck.settings().is_cutover_auto || deck.take_wanted_cutover() => {
            let verb = Event::asked(Verb::Cutover, "corridor");
            record(deck, seat, &[verb]).await?;
        }
        Some(Action::CatchUp) if is_attending => stand_by(deck, seat, Wait::Cutover).await?,
        Some(Action::Swap) => cut_over(deck, seat).await?,
        Some(Action::MirrorBack) => {
            after_cut_over(deck, seat).await?;
            if deck.take_verify_back() {
                verify_the_way_back(deck).await?;
            }
            if !is_attending {
                return Ok(Some(state));
            }
            stand_by(deck, seat, Wait::Finish).await?;
        }
        Some(Action::SwapBack) => swap_back(deck, seat).await?,
        Some(Action::CleanUp) => clean_up(deck).await?,
        Some(Action::Retire) => retire(deck).await?,
        Some(Action::LookUpOwner) => resolve(deck, seat).await?,
        _ => return Ok(Some(state)),
    }
    Ok(None)
}

/// Tells the mirrors which tables are meant, once the target exists.
async fn identify(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    if let Some(target) = target_oid(&**seat.session(deck).await?, deck).await? {
        let (old, new) = (deck.plan.source.oid, corridor_pg::Oid(target));
        deck.forward.identify(Identity {
            source: old,
            target: new,
        });
        deck.reverse.identify(Identity {
            source: new,
            target: old,
        });
    }
    Ok(())
}

/// Applies events, each in the order given, in one transaction.
pub(crate) async fn record(deck: &Arc<Deck>, seat: &mut Seat, events: &[Event]) -> Step<()> {
    record_verdict(deck, seat, events, None).await
}

/// A cut-over whose proof is gone (a truncate came after it) is not given up: the copy and the verification are done
/// again, and then the swap that was asked for. True when that is the way to go.
async fn go_back_to_the_copy(deck: &Arc<Deck>, seat: &mut Seat, fault: &Fault) -> bool {
    if ![TRUNCATED.id, NOT_PROVEN.id].contains(&fault.code().id) {
        return false;
    }
    deck.wind_up();
    let events = [
        Event::CutoverGivenUp {
            why: fault.to_string(),
        },
        Event::asked(Verb::Verify, "corridor"),
    ];
    let is_recorded = record(deck, seat, &events).await.is_ok();
    if is_recorded {
        deck.want_cutover();
    }
    is_recorded
}

async fn record_failure(deck: &Arc<Deck>, seat: &mut Seat, fault: Fault) -> Result<Ending> {
    let is_unrecordable = fault.code().id == FENCED.id
        || matches!(fault.code().retry, corridor_pg::Retry::AfterReconnect)
        || fault.is_ownership_ambiguous();
    if is_unrecordable {
        return Err(fault);
    }
    let event = if fault.code().id == CUTOVER_BLOCKED.id {
        Event::CutoverGivenUp {
            why: fault.to_string(),
        }
    } else {
        // The state shows the code by itself.
        let words = fault.to_string();
        let detail = words
            .strip_prefix(&format!("{}: ", fault.code().id))
            .unwrap_or(&words)
            .to_owned();
        Event::WorkFailed {
            code: fault.code().id.to_owned(),
            detail,
        }
    };
    deck.wind_up();
    let verdict = verdict_of(deck, seat, &fault).await;
    match record_verdict(deck, seat, &[event], verdict.as_ref()).await {
        // Whoever has taken over has dropped, or changed, what this one stumbled over: that is no failure of the migration.
        Err(Stop::Turn) if !deck.is_lease_ours() => {
            Err(Fault::new(&FENCED, format!("migration {}", deck.name)))
        }
        Err(Stop::Fault(second)) if second.code().id == FENCED.id => Err(second),
        Ok(()) | Err(Stop::Turn) => Err(fault),
        Err(Stop::Fault(second)) => {
            tracing::warn!(%second, "the failure could not be recorded");
            Err(fault)
        }
    }
}

/// Begins an operation. False when it is done already.
pub(crate) async fn begin(deck: &Arc<Deck>, seat: &mut Seat, name: &str) -> Step<bool> {
    let operations = store::operations(&**seat.session(deck).await?, deck.fence.migration_id).await?;
    let state = operations.iter().find(|o| o.name == name).map(|o| o.state);
    if state == Some(OperationState::Done) {
        return Ok(false);
    }
    record(
        deck,
        seat,
        &[Event::OperationStarted {
            operation: name.to_owned(),
        }],
    )
    .await?;
    // Only now: whoever hears it may look at once.
    deck.say(&Progress::Operation {
        name: name.to_owned(),
        is_done: false,
    });
    Ok(true)
}

async fn end(deck: &Arc<Deck>, seat: &mut Seat, name: &str) -> Step<()> {
    record(
        deck,
        seat,
        &[Event::OperationFinished {
            operation: name.to_owned(),
        }],
    )
    .await?;
    deck.say(&Progress::Operation {
        name: name.to_owned(),
        is_done: true,
    });
    Ok(())
}

/// `prepare, copy, index, constrain, verify`, with the applier at work from the moment there is something to apply.
async fn forward(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    if begin(deck, seat, "prepare").await? {
        prepare(deck).await?;
        identify(deck, seat).await?;
        end(deck, seat, "prepare").await?;
    }
    with_applier(deck, &deck.forward, async || {
        copy(deck, seat).await?;
        if begin(deck, seat, "index").await? {
            index(deck).await?;
            end(deck, seat, "index").await?;
        }
        if begin(deck, seat, "constrain").await? {
            analyze(deck).await?;
            end(deck, seat, "constrain").await?;
        }
        verify(deck, seat).await?;
        record(deck, seat, &[Event::ReadyForCutover]).await
    })
    .await
}

/// Runs `work` while the applier keeps `mirror` in step; ends the applier at a checkpoint of its own.
pub(crate) async fn with_applier<T>(
    deck: &Arc<Deck>,
    mirror: &Arc<Mirror>,
    work: impl AsyncFnOnce() -> Step<T>,
) -> Step<T> {
    let (end, ended) = watch::channel(false);
    let applier = tokio::spawn(apply::apply(deck.clone(), mirror.clone(), ended));
    let outcome = work().await;
    end.send_replace(true);
    if let Err(error) = applier.await {
        return Err(Stop::Fault(deck.bug(&error.to_string())));
    }
    outcome
}

async fn copy(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    let mut is_begun = begin(deck, seat, "copy").await?;
    loop {
        let session = seat.session(deck).await?;
        let lanes = deck.forward.lanes(&**session).await?;
        if !lanes.is_empty() && lanes.iter().all(|lane| lane.is_done) {
            break;
        }
        if !is_begun {
            // A truncate was replayed after the copy: it begins again.
            repeat(deck, seat, "copy").await?;
            is_begun = true;
        }
        let rows_before = lanes.iter().map(|lane| lane.rows.unsigned_abs()).sum();
        let unfinished = lanes.into_iter().filter(|lane| !lane.is_done).collect();
        seat.succeeded(deck);
        crew::work(deck, &deck.forward, Task::Copy, unfinished, rows_before).await?;
    }
    if is_begun {
        end(deck, seat, "copy").await?;
    }
    Ok(())
}

pub(crate) async fn repeat(deck: &Arc<Deck>, seat: &mut Seat, operation: &str) -> Step<()> {
    let session = seat.session(deck).await?;
    let tx = session.begin(Isolation::ReadCommitted).await?;
    store::repeat_operation(&tx, &deck.lease, operation).await?;
    corridor_pg::failpoint::step("again", tx.commit())
        .await
        .doing(|| "beginning an operation again")?;
    Ok(())
}

async fn cut_over(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    begin(deck, seat, "cutover").await?;
    if !deck.plan.is_one_way {
        make_reverse(deck, seat).await?;
    }
    with_applier(deck, &deck.forward, async || {
        freshen(deck, &deck.plan.before_swap).await?;
        swap(deck, &Direction::forward(deck)).await
    })
    .await
}

/// The reverse mirror's tables and functions, before the swap needs them. Its target is the old table itself: equal
/// to the new one at the instant of the swap, so it counts as copied.
async fn make_reverse(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    let session = seat.session(deck).await?;
    let spec = deck.reverse.spec();
    let is_there: bool = session
        .query_one(
            "select to_regclass($1) is not null",
            &[&spec.table("change").to_string()],
        )
        .await
        .doing(|| "looking for the reverse mirror")?
        .get(0);
    if !is_there {
        let tx = session.begin(Isolation::ReadCommitted).await?;
        deck.reverse
            .run_fenced(&tx, &deck.fence, &spec.create_statements())
            .await?;
        corridor_pg::failpoint::step("reverse", tx.commit())
            .await
            .doing(|| "making the reverse mirror")?;
    }
    deck.reverse.plan_copied(session, &deck.fence).await?;
    Ok(())
}

/// What follows the swap at once: the constraints are validated, and the definition is noted for the way back.
async fn after_cut_over(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    let operations = store::operations(&**seat.session(deck).await?, deck.fence.migration_id).await?;
    let state = |name: &str| operations.iter().find(|o| o.name == name).map(|o| o.state);
    if state("cutover") == Some(OperationState::Running) {
        end(deck, seat, "cutover").await?;
    }
    if state("hold") != Some(OperationState::Running) {
        begin(deck, seat, "hold").await?;
    }
    let is_settled = operations
        .iter()
        .any(|o| o.name == "hold" && o.progress.get("fingerprint").is_some());
    if is_settled {
        return Ok(());
    }
    settle(deck, "hold", &deck.plan.settle, seat).await?;
    let session = seat.session(deck).await?;
    let Some(oid) = crate::run::prepare::target_oid(&**session, deck).await? else {
        return Ok(());
    };
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let fingerprint = corridor_pg::catalog::fingerprint(&tx, corridor_pg::Oid(oid)).await?;
    let progress = json!({
        "steps_done": deck.plan.settle.len(),
        "fingerprint": serde_json::to_string(&fingerprint).unwrap_or_default(),
        "capture": deck.reverse.capture_digest(&tx).await?,
    });
    store::write_operation_progress(&tx, &deck.lease, "hold", &progress).await?;
    corridor_pg::failpoint::step("hold", tx.commit())
        .await
        .doing(|| "noting the new definition")?;
    Ok(())
}

/// Keeps `mirror` in step until something else is to be done. A truncate that is replayed meanwhile empties the
/// target; it is copied again.
async fn stand_by(deck: &Arc<Deck>, seat: &mut Seat, waits_for: Wait) -> Step<()> {
    let mirror = match waits_for {
        Wait::Cutover => &deck.forward,
        Wait::Finish if deck.plan.is_one_way => {
            deck.say(&Progress::InStep {
                waits_for,
                pending_changes: 0,
            });
            loop {
                deck.pause(STAND_BY_INTERVAL).await?;
            }
        }
        Wait::Finish => &deck.reverse,
    };
    let mut unfit = Vec::new();
    with_applier(deck, mirror, async || {
        for look in 0u64.. {
            copy_what_is_left(deck, seat, mirror).await?;
            if waits_for == Wait::Finish {
                say_unfit(deck, seat, &mut unfit).await?;
            }
            if look.is_multiple_of(SAID_AGAIN_EVERY) {
                deck.say(&Progress::InStep {
                    waits_for,
                    pending_changes: deck.pending_changes(),
                });
            }
            deck.pause(STAND_BY_INTERVAL).await?;
        }
        Ok(())
    })
    .await
}

/// Says which rows the old table cannot take, when they are others than those that were said.
async fn say_unfit(deck: &Arc<Deck>, seat: &mut Seat, said: &mut Vec<String>) -> Step<()> {
    const ROWS: usize = 10;
    let session = seat.session(deck).await?;
    let rows: Vec<String> = match deck.reverse.unfit(&**session, ROWS).await {
        Ok(rows) => rows.iter().map(ToString::to_string).collect(),
        // The next look, on a new connection if need be, says it.
        Err(fault) => return seat.recover(deck, fault).await,
    };
    if rows == *said {
        return Ok(());
    }
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let detail = json!({ "rows": rows });
    store::note(&tx, &deck.lease, "rows_do_not_fit_back", None, &detail).await?;
    tx.commit().await.doing(|| "writing the journal")?;
    deck.say(&Progress::Unfit { rows: rows.clone() });
    *said = rows;
    Ok(())
}

async fn swap_back(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    with_applier(deck, &deck.reverse, async || {
        freshen(deck, &deck.plan.before_swap_back).await?;
        loop {
            copy_what_is_left(deck, seat, &deck.reverse).await?;
            match swap(deck, &Direction::back(deck)).await {
                // The applier replays it; then what came after it is copied.
                Err(Stop::Fault(fault)) if fault.code().id == TRUNCATED.id => {
                    deck.pause(Duration::from_millis(200)).await?;
                }
                other => return other,
            }
        }
    })
    .await
}

/// Copies the lanes that are not done: all of them after a truncate was replayed.
pub(crate) async fn copy_what_is_left(deck: &Arc<Deck>, seat: &mut Seat, mirror: &Arc<Mirror>) -> Step<()> {
    loop {
        let lanes = mirror.lanes(&**seat.session(deck).await?).await?;
        let unfinished: Vec<_> = lanes.into_iter().filter(|lane| !lane.is_done).collect();
        if unfinished.is_empty() {
            return Ok(());
        }
        seat.succeeded(deck);
        crew::work(deck, mirror, Task::Copy, unfinished, 0).await?;
    }
}

/// An ambiguous swap: the catalogue and the record, which commit together, say what happened.
async fn resolve(deck: &Arc<Deck>, seat: &mut Seat) -> Step<()> {
    let session = seat.session(deck).await?;
    let owner = look_up(&**session, &deck.plan, deck.fence.migration_id).await?;
    match side_of(&owner) {
        Some(side) => record(deck, seat, &[Event::OwnershipResolved { side }]).await,
        None => Err(Stop::Fault(
            Fault::new(&NAME_TAKEN_OVER, owner.to_string()).with_ambiguous_ownership(),
        )),
    }
}

/// True when the application uses the new table, as the record says.
pub(crate) async fn is_after(client: &impl GenericClient, deck: &Deck) -> Result<bool> {
    let state = store::read_state(client, deck.fence.migration_id).await?;
    Ok(state.side() == Some(Side::AfterCutover))
}
