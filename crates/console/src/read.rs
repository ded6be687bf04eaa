//! What is asked of the databases: over a few connections, once for all who ask at the same time.
//!
//! - A [`Reader`] has at most four connections to a cluster ([`pool`]).
//! - A question has a name. Whoever asks it while it is being asked, or within half a second after the answer, gets the same
//!   answer: fifty people who look cost what one costs.
//! - No answer takes longer than three seconds: a cluster that is away says so at once to everybody.
//! - Each file in `read/` is one question; none reads more rows than a constant says.
//!
//! **Trap:** the name of a question must hold everything that its answer depends on.

pub(crate) mod audit;
pub(crate) mod catalogue;
pub(crate) mod grid;
pub(crate) mod journal;
pub(crate) mod ledger;
pub(crate) mod one;
pub(crate) mod pace;
pub(crate) mod pool;
pub(crate) mod setting;

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use corridor_pg::{Fault, Session};
use tokio::sync::watch;

use crate::fault::NO_ANSWER;
use crate::host::Cluster;
use pool::Pools;

/// How long an answer is good. Shorter than a person notices, long enough for everyone who looks at the same time.
pub(crate) const FRESH: Duration = Duration::from_millis(500);
/// How long an answer is waited for.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Above this many kept answers the old ones are thrown away.
const ANSWERS_KEPT_MAX: usize = 256;

/// A fault that several have.
pub(crate) type Trouble = Arc<Fault>;
/// What an asking future gives.
pub(crate) type Asking<'s, T> = Pin<Box<dyn Future<Output = corridor_pg::Result<T>> + Send + 's>>;

type Answer = Result<Arc<dyn Any + Send + Sync>, Trouble>;
type Landed = Option<(Instant, Answer)>;

/// The name of a question: of which cluster, which question, about what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// The cluster's name.
    pub(crate) cluster: String,
    /// Which question.
    pub(crate) what: &'static str,
    /// About what: a migration's name, a page.
    pub(crate) about: String,
}

/// A few connections for each cluster, shared by all who look.
#[derive(Default)]
pub(crate) struct Reader {
    pools: Pools,
    flights: Mutex<HashMap<Question, watch::Receiver<Landed>>>,
}

impl Reader {
    /// The answer to a question, asked now unless somebody else asks it or has just asked it.
    pub(crate) async fn ask<T: Send + Sync + 'static>(
        self: &Arc<Self>,
        cluster: &Cluster,
        what: &'static str,
        about: impl Into<String>,
        asking: impl for<'s> Fn(&'s mut Session) -> Asking<'s, T> + Send + Sync + 'static,
    ) -> Result<Arc<T>, Trouble> {
        self.ask_every(FRESH, cluster, (what, about), asking).await
    }

    /// As [`Reader::ask`], of what costs more and need not be so new: the answer is good for `fresh`.
    pub(crate) async fn ask_every<T: Send + Sync + 'static>(
        self: &Arc<Self>,
        fresh: Duration,
        cluster: &Cluster,
        (what, about): (&'static str, impl Into<String>),
        asking: impl for<'s> Fn(&'s mut Session) -> Asking<'s, T> + Send + Sync + 'static,
    ) -> Result<Arc<T>, Trouble> {
        let question = Question {
            cluster: cluster.name.clone(),
            what,
            about: about.into(),
        };
        let mut landed = self.join(fresh, cluster, question, asking);
        let waited = tokio::time::timeout(ANSWER_MAX, landed.wait_for(Option::is_some)).await;
        let answer = match waited {
            Ok(Ok(landed)) => landed.as_ref().map(|(_, answer)| answer.clone()),
            // The task ended without an answer: it was dropped with its runtime.
            Ok(Err(_)) | Err(_) => None,
        };
        let answer = answer.unwrap_or_else(|| Err(Arc::new(late(cluster, what))));
        answer.and_then(|any| {
            any.downcast::<T>().map_err(|_| {
                Arc::new(Fault::new(
                    &NO_ANSWER,
                    format!("{what}: two questions have this name"),
                ))
            })
        })
    }

    /// Forgets what was answered about a cluster, so that who has just changed something sees it.
    pub(crate) fn forget(&self, cluster: &str) {
        self.lock().retain(|question, _| question.cluster != cluster);
    }

    /// The flight of this question: the one that is under way or has just landed, else a new one.
    fn join<T: Send + Sync + 'static>(
        self: &Arc<Self>,
        fresh: Duration,
        cluster: &Cluster,
        question: Question,
        asking: impl for<'s> Fn(&'s mut Session) -> Asking<'s, T> + Send + Sync + 'static,
    ) -> watch::Receiver<Landed> {
        let mut flights = self.lock();
        if let Some(known) = flights.get(&question)
            && is_fresh(known, fresh)
        {
            return known.clone();
        }
        if flights.len() >= ANSWERS_KEPT_MAX {
            flights.retain(|_, known| is_fresh(known, FRESH));
        }
        let (sender, receiver) = watch::channel(None);
        flights.insert(question, receiver.clone());
        drop(flights);
        let (reader, cluster) = (Arc::clone(self), cluster.clone());
        // A task of its own: who asked first may go away, the others still wait.
        tokio::spawn(async move {
            let asked = reader.pools.with(&cluster, asking);
            let answer = match tokio::time::timeout(ANSWER_MAX, asked).await {
                Ok(Ok(answer)) => Ok(Arc::new(answer) as Arc<dyn Any + Send + Sync>),
                Ok(Err(trouble)) => Err(trouble),
                Err(_) => Err(reader.pools.gave_up(&cluster)),
            };
            sender.send_replace(Some((Instant::now(), answer)));
        });
        receiver
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Question, watch::Receiver<Landed>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under way, or landed not long ago.
fn is_fresh(flight: &watch::Receiver<Landed>, fresh: Duration) -> bool {
    match &*flight.borrow() {
        Some((at, _)) => at.elapsed() < fresh,
        // A sender that is gone will never answer.
        None => flight.has_changed().is_ok(),
    }
}

fn late(cluster: &Cluster, what: &str) -> Fault {
    Fault::new(
        &NO_ANSWER,
        format!(
            "cluster {}: no answer within {} s",
            cluster.name,
            ANSWER_MAX.as_secs()
        ),
    )
    .doing(format!("reading {what}"))
}

/// The text of a `jsonb` column that was selected as text.
pub(crate) fn json(text: Option<&str>) -> serde_json::Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(serde_json::Value::Null)
}

#[cfg(test)]
mod tests;
