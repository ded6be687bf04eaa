//! A lock that was not free: who holds it, said to the watcher and written into the journal.

use corridor_migration::store;
use corridor_pg::lock_budget::holders;
use corridor_pg::{FaultContext, QualifiedName, Result, Session};
use serde_json::{Value, json};
use tokio_postgres::Transaction;

use crate::run::deck::Deck;
use crate::run::report::Progress;

/// Holders that are named.
const HOLDERS_MAX: usize = 10;

/// For every transaction that locks a table of the application's: whatever takes longer than this is rolled back, and a
/// worker that is stopped amid it (a paused process, a cut network) lets go.
pub(crate) async fn be_brief(tx: &Transaction<'_>) -> Result<()> {
    tx.batch_execute(
        "set local statement_timeout = 3000; set local idle_in_transaction_session_timeout = 2000; set local lock_timeout = 1000",
    )
    .await
    .doing(|| "preparing a short transaction")
}

/// Names who holds `relations`, our own sessions left out. `attempt`: number and limit.
pub(crate) async fn say(
    deck: &Deck,
    observer: &mut Session,
    relations: &[QualifiedName],
    our_pid: i32,
    what: &str,
    attempt: (u32, u32),
) {
    let ours = format!(":{}", deck.name);
    let is_ours = |name: &Option<String>| {
        name.as_deref()
            .is_some_and(|n| n.starts_with("corridor:") && n.ends_with(&ours))
    };
    let (lines, sessions) = match holders(observer, relations, &[our_pid, observer.backend_pid()]).await {
        Ok(mut found) => {
            found.retain(|h| !is_ours(&h.application_name));
            found.truncate(HOLDERS_MAX);
            (found.iter().map(ToString::to_string).collect(), found)
        }
        Err(error) => (vec![format!("(cannot see who: {error})")], Vec::new()),
    };
    let detail = json!({
        "what": what, "holders": lines, "sessions": sessions, "attempt": attempt.0, "attempts_max": attempt.1,
    });
    if let Err(fault) = note(deck, observer, &detail).await {
        tracing::debug!(%fault, "a busy lock was not written into the journal");
    }
    deck.say(&Progress::LockBusy {
        what: what.to_owned(),
        holders: lines,
        sessions,
        attempt: attempt.0,
        attempts_max: attempt.1,
    });
}

async fn note(deck: &Deck, session: &mut Session, detail: &Value) -> Result<()> {
    let tx = session.begin(corridor_pg::Isolation::ReadCommitted).await?;
    store::note(&tx, &deck.lease, "lock_busy", None, detail).await?;
    tx.commit().await.doing(|| "writing the journal")
}
