//! `prepare` and `index`: what is made on and beside the table before and after the copy.

use std::sync::Arc;

use corridor_migration::store;
use corridor_pg::lock_budget::{LockMode, lock_tables};
use corridor_pg::{Fault, FaultContext, Isolation, QualifiedName, Result, Session};
use serde_json::json;
use tokio_postgres::GenericClient;

use crate::run::deck::Deck;
use crate::run::report::Progress;
use crate::run::seat::Seat;
use crate::run::stop::Step;

/// How the lock for the capture triggers is asked for; it lets readers through.
const CAPTURE_LOCK_MS: u32 = 100;

/// Makes the target, the mirror's tables, the capture triggers and the lanes. Each part is skipped when it is there.
pub(crate) async fn prepare(deck: &Arc<Deck>) -> Step<()> {
    let mut seat = Seat::new("prepare");
    loop {
        let session = seat.session(deck).await?;
        match prepare_once(deck, session).await {
            Ok(()) => return Ok(()),
            Err(fault) => {
                say_busy(deck, &mut seat, &fault).await?;
                seat.recover(deck, fault).await?;
            }
        }
    }
}

async fn prepare_once(deck: &Deck, session: &mut Session) -> Result<()> {
    if target_oid(&**session, deck).await?.is_none() {
        create(deck, session).await?;
    }
    capture(deck, session).await?;
    note_capture(deck, session).await?;
    deck.forward
        .plan_lanes(session, &deck.fence, deck.settings().lanes)
        .await?;
    crate::run::fallback::create(deck, session).await
}

/// Notes the capture triggers as they were made, beside the target's id.
async fn note_capture(deck: &Deck, session: &mut Session) -> Result<()> {
    let Some(oid) = target_oid(&**session, deck).await? else {
        return Ok(());
    };
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let progress = json!({ "target_oid": oid, "capture": deck.forward.capture_digest(&tx).await? });
    store::write_operation_progress(&tx, &deck.lease, "prepare", &progress).await?;
    corridor_pg::failpoint::step("capture-noted", tx.commit())
        .await
        .doing(|| "noting the capture triggers")
}

pub(crate) async fn target_oid(client: &impl GenericClient, deck: &Deck) -> Result<Option<u32>> {
    let row = client
        .query_one(
            include_str!("../../sql/run/target_oid.sql"),
            &[&deck.fence.migration_id],
        )
        .await
        .doing(|| "asking for the target")?;
    Ok(row.get("target_oid"))
}

async fn create(deck: &Deck, session: &mut Session) -> Result<()> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    deck.fence.hold(&tx).await?;
    deck.check_definition(&tx).await?;
    for step in &deck.plan.create {
        deck.say(&Progress::Step {
            what: step.what.clone(),
        });
        tx.batch_execute(&step.sql)
            .await
            .doing(|| format!("{}: running `{}`", step.what, step.sql))?;
    }
    for sql in deck.forward.spec().create_statements() {
        tx.batch_execute(&sql)
            .await
            .doing(|| format!("running `{sql}`"))?;
    }
    let oid: u32 = tx
        .query_one(
            include_str!("../../sql/run/oid_of.sql"),
            &[&deck.plan.target.to_string()],
        )
        .await
        .doing(|| "asking for the target")?
        .get("oid");
    store::write_operation_progress(&tx, &deck.lease, "prepare", &json!({ "target_oid": oid })).await?;
    corridor_pg::failpoint::step("target", tx.commit())
        .await
        .doing(|| format!("creating {}", deck.plan.target))
}

async fn capture(deck: &Deck, session: &mut Session) -> Result<()> {
    let spec = deck.forward.spec();
    let trigger = spec.capture_name("new");
    let is_there: bool = session
        .query_one(
            include_str!("../../sql/run/has_trigger.sql"),
            &[&deck.plan.source.oid.0, &trigger.as_str()],
        )
        .await
        .doing(|| "looking for the capture triggers")?
        .get("is_there");
    if is_there {
        return Ok(());
    }
    deck.say(&Progress::Step {
        what: format!("capture triggers on {}", spec.source),
    });
    let tx = session.begin(Isolation::ReadCommitted).await?;
    crate::run::busy::be_brief(&tx).await?;
    let lock = [(spec.source.clone(), LockMode::ShareRowExclusive)];
    lock_tables(&tx, &lock, CAPTURE_LOCK_MS).await?;
    deck.check_definition(&tx).await?;
    deck.forward
        .run_fenced(
            &tx,
            &deck.fence,
            &spec.trigger_statements(&deck.plan.old_leaves()),
        )
        .await?;
    corridor_pg::failpoint::step("capture", tx.commit())
        .await
        .doing(|| "creating the capture triggers")
}

/// Says who holds the table when a lock was not free.
pub(crate) async fn say_busy(deck: &Deck, seat: &mut Seat, fault: &Fault) -> Step<()> {
    if fault.code().id != corridor_pg::fault::LOCK_TIMEOUT.id {
        return Ok(());
    }
    let relations: Vec<QualifiedName> = vec![deck.plan.source.name.clone()];
    let attempt = seat.attempt();
    let session = seat.session(deck).await?;
    crate::run::busy::say(deck, session, &relations, 0, &fault.to_string(), attempt).await;
    Ok(())
}

/// Builds what the plan has left for after the copy; rounds and copiers wait meanwhile, so that the target stands
/// still at one snapshot of the source and unique indexes find no passing conflict.
pub(crate) async fn index(deck: &Arc<Deck>) -> Step<()> {
    let mut seat = Seat::new("index");
    loop {
        let session = seat.session(deck).await?;
        let done = steps_done(&**session, deck, "index").await?;
        let Some(step) = deck.plan.index.get(done) else {
            return Ok(());
        };
        deck.say(&Progress::Step {
            what: step.what.clone(),
        });
        let guard = cancel_on_halt(deck, session);
        let built = deck
            .forward
            .while_still(session, &deck.fence, async |session| {
                run_step(deck, session, "index", done, &step.sql, &step.what, 0).await
            })
            .await;
        guard.abort();
        match built {
            Ok(()) => seat.succeeded(deck),
            Err(fault) => seat.recover(deck, fault).await?,
        }
    }
}

/// No operation has this name: what is done again as a whole leaves no note.
const NO_OPERATION: &str = "";

/// Runs what must be as fresh as can be right before a swap, one after the other; done again as a whole when asked again.
pub(crate) async fn freshen(deck: &Arc<Deck>, steps: &[crate::plan::Step]) -> Step<()> {
    let mut seat = Seat::new("fresh");
    for (number, step) in steps.iter().enumerate() {
        loop {
            let session = seat.session(deck).await?;
            deck.say(&Progress::Step {
                what: step.what.clone(),
            });
            let guard = cancel_on_halt(deck, session);
            let done = run_step(deck, session, NO_OPERATION, number, &step.sql, &step.what, 0).await;
            guard.abort();
            match done {
                Ok(()) => break seat.succeeded(deck),
                Err(fault) => seat.recover(deck, fault).await?,
            }
        }
    }
    Ok(())
}

/// Cancels what `session` is running when the deck is halted.
pub(crate) fn cancel_on_halt(deck: &Arc<Deck>, session: &Session) -> tokio::task::JoinHandle<()> {
    let canceller = session.cancel_token();
    let mut halted = deck.halted();
    let mut interrupt = deck.interrupt.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = halted.wait_for(|h| *h) => {}
            _ = interrupt.wait_for(|i| *i) => {}
        }
        if let Err(fault) = canceller.cancel().await {
            tracing::debug!(%fault, "cancelling a statement");
        }
    })
}

/// How many steps of `operation` are done.
pub(crate) async fn steps_done(client: &impl GenericClient, deck: &Deck, operation: &str) -> Result<usize> {
    let row = client
        .query_one(
            include_str!("../../sql/run/steps_done.sql"),
            &[&deck.fence.migration_id, &operation],
        )
        .await
        .doing(|| format!("reading the progress of {operation}"))?;
    Ok(usize::try_from(row.get::<_, i64>("steps_done")).unwrap_or(0))
}

/// Runs one step in a transaction of its own, together with the note that it is done.
pub(crate) async fn run_step(
    deck: &Deck,
    session: &mut Session,
    operation: &str,
    number: usize,
    sql: &str,
    what: &str,
    lock_ms: u64,
) -> Result<()> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    deck.fence.hold(&tx).await?;
    let lock_ms = if lock_ms == 0 { 10_000 } else { lock_ms };
    // A build or a validation takes as long as the table is large.
    tx.batch_execute(&format!(
        "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 2000; set local lock_timeout = {lock_ms}"
    ))
    .await
    .doing(|| what.to_owned())?;
    tx.batch_execute(sql)
        .await
        .doing(|| format!("{what}: running `{sql}`"))?;
    store::note_operation_progress(
        &tx,
        &deck.lease,
        operation,
        &json!({ "steps_done": number + 1, "last_step": what }),
    )
    .await?;
    corridor_pg::failpoint::step("step", tx.commit())
        .await
        .doing(|| what.to_owned())
}

/// Fresh statistics, so that the first statement after the cut-over is planned as the last one before it.
pub(crate) async fn analyze(deck: &Arc<Deck>) -> Step<()> {
    let mut seat = Seat::new("index");
    loop {
        let session = seat.session(deck).await?;
        deck.say(&Progress::Step {
            what: format!("analyze {}", deck.plan.target),
        });
        let guard = cancel_on_halt(deck, session);
        let sql = format!("set statement_timeout = 0; analyze {}", deck.plan.target);
        // One message would be one transaction; analyze of a partitioned table wants its own.
        let mut outcome = Ok(());
        for part in sql.split("; ") {
            outcome = session.batch_execute(part).await.doing(|| "analyzing the target");
            if outcome.is_err() {
                break;
            }
        }
        guard.abort();
        match outcome {
            Ok(()) => return Ok(()),
            Err(fault) => seat.recover(deck, fault).await?,
        }
    }
}
