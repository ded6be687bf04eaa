//! *Home*: the database of the first cluster, where accounts, tokens, settings and the audit are.
//!
//! Who a request comes from is asked for each request, so one connection is shared by all of them (the driver sends questions
//! one behind the other without waiting). For requests that only read an answer is good for two seconds: a disabled account
//! reads for so long. What changes something is asked about each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use corridor_migration::schema;
use corridor_pg::{ApplicationName, Fault, Result, Session};

use crate::access::{Secret, Viewer, account};
use crate::fault::NO_ANSWER;
use crate::host::{Cluster, Host};

/// How long a question to home may take.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// And a connection; shorter, so that it is found to be away by whoever tries, and not by those who wait behind.
const OPEN_MAX: Duration = Duration::from_millis(2_500);
/// For how long it is not tried again.
const AWAY: Duration = Duration::from_secs(2);
/// How long an answer is good for whoever only reads.
const GOOD_FOR: Duration = Duration::from_secs(2);
/// Answers that are remembered.
const KNOWN_MAX: usize = 4_000;

/// How somebody shows who he is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Proof {
    Cookie,
    Token,
}

/// What an answer is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A moment old is good enough.
    Read,
    /// Whoever was shut out a moment ago changes nothing any more.
    Change,
}

struct Known {
    viewer: Option<Viewer>,
    at: Instant,
}

/// Connections to home, and who was known a moment ago.
#[derive(Default)]
pub(crate) struct Home {
    shared: tokio::sync::Mutex<Option<(String, Arc<Session>)>>,
    /// When it was last found to be away, and how: nobody waits for the same again at once.
    away: Mutex<Option<(Instant, String)>>,
    known: Mutex<HashMap<(Proof, Vec<u8>), Known>>,
}

impl Home {
    /// The shared connection: for single statements.
    pub(crate) async fn session(&self, host: &dyn Host) -> Result<Arc<Session>> {
        let cluster = first(host)?;
        // Whoever waits behind a connection that does not come gives up in time as well.
        within(async {
            let mut shared = self.shared.lock().await;
            if let Some((name, session)) = &*shared
                && *name == cluster.name
                && !session.is_closed()
            {
                return Ok(Arc::clone(session));
            }
            self.refuse_away()?;
            match open(&cluster).await {
                Ok(session) => {
                    let session = Arc::new(session);
                    *shared = Some((cluster.name, Arc::clone(&session)));
                    Ok(session)
                }
                Err(fault) => {
                    let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
                    *away = Some((Instant::now(), fault.to_string()));
                    Err(fault)
                }
            }
        })
        .await
    }

    fn refuse_away(&self) -> Result<()> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        match &*away {
            Some((since, why)) if since.elapsed() < AWAY => {
                Err(Fault::new(&NO_ANSWER, format!("home is away: {why}")))
            }
            _ => Ok(()),
        }
    }

    /// A connection of one's own: for transactions.
    pub(crate) async fn own(&self, host: &dyn Host) -> Result<Session> {
        open(&first(host)?).await
    }

    /// Whose cookie or token it is.
    pub(crate) async fn who(
        &self,
        host: &dyn Host,
        (proof, secret): (Proof, &Secret),
        purpose: Purpose,
    ) -> Result<Option<Viewer>> {
        let key = (proof, secret.digest());
        if purpose == Purpose::Read {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.get(&key)
                && known.at.elapsed() < GOOD_FOR
            {
                return Ok(known.viewer.clone());
            }
        }
        let session = self.session(host).await?;
        let viewer = within(async {
            match proof {
                Proof::Cookie => account::by_cookie(&**session, secret).await,
                Proof::Token => account::by_token(&**session, secret).await,
            }
        })
        .await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, known| known.at.elapsed() < GOOD_FOR);
        }
        if known.len() < KNOWN_MAX || known.contains_key(&key) {
            let known_now = Known {
                viewer: viewer.clone(),
                at: Instant::now(),
            };
            known.insert(key, known_now);
        }
        Ok(viewer)
    }

    /// Whatever was known is asked again: somebody has signed out, or an account was changed.
    pub(crate) fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }
}

fn first(host: &dyn Host) -> Result<Cluster> {
    let first = host.clusters().into_iter().next();
    first.ok_or_else(|| Fault::new(&NO_ANSWER, "the service has no cluster"))
}

async fn open(cluster: &Cluster) -> Result<Session> {
    limited(OPEN_MAX, async {
        let mut session = cluster
            .connect
            .connect(&ApplicationName::new("console", "-"))
            .await?;
        schema::ensure(&mut session).await?;
        Ok(session)
    })
    .await
}

/// With a limit on how long it may take.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    limited(ANSWER_MAX, work).await
}

async fn limited<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    // On the heap: connecting is a large future, and would lie in that of every handler.
    match tokio::time::timeout(limit, Box::pin(work)).await {
        Ok(done) => done,
        Err(_) => Err(Fault::new(
            &NO_ANSWER,
            format!("no answer within {:.1} s", limit.as_secs_f64()),
        )),
    }
}
