//! At most four connections to each cluster.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use corridor_pg::{ApplicationName, ConnectOptions, Fault, Retry, Session};
use tokio::sync::Semaphore;

use super::{ANSWER_MAX, Asking, Trouble};
use crate::fault::NO_ANSWER;
use crate::host::Cluster;

/// Connections to one cluster. Four answer some hundred short questions a second.
pub(crate) const SESSIONS_MAX: usize = 4;
/// The longest that one statement runs.
const STATEMENT_MAX_MS: u32 = 2_000;
/// The longest that one statement waits for a lock: who looks waits for nobody.
const LOCK_MAX_MS: u32 = 500;
/// A connection that nobody needs is closed after this time.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// After a failed attempt to connect everybody gets the same answer for this time.
const AWAY: Duration = Duration::from_secs(1);

/// The connections to all clusters.
#[derive(Default)]
pub(super) struct Pools(Mutex<HashMap<String, Arc<Pool>>>);

struct Pool {
    /// Where it leads; when the settings change that, a new pool begins.
    target: ConnectOptions,
    permits: Semaphore,
    idle: Mutex<Vec<(Instant, Session)>>,
    away: Mutex<Option<(Instant, Trouble)>>,
}

impl Pools {
    /// Asks over a connection. One that was idle may have died meanwhile: then it is asked once more over a new one.
    pub(super) async fn with<T>(
        &self,
        cluster: &Cluster,
        asking: impl for<'s> Fn(&'s mut Session) -> Asking<'s, T>,
    ) -> Result<T, Trouble> {
        let pool = self.of(cluster);
        let _permit = pool.permits.acquire().await.map_err(|_| self.gave_up(cluster))?;
        if let Some(trouble) = pool.is_away() {
            return Err(trouble);
        }
        if let Some(mut session) = pool.take_idle() {
            match asking(&mut session).await {
                Ok(answer) => {
                    pool.give_back(session);
                    return Ok(answer);
                }
                // The server's farewell may come before the connection is seen to be closed.
                Err(fault) if !session.is_closed() && fault.code().retry != Retry::AfterReconnect => {
                    pool.give_back(session);
                    return Err(Arc::new(fault));
                }
                Err(_) => {}
            }
        }
        let mut session = pool.connect(cluster).await?;
        let answer = asking(&mut session).await;
        if !session.is_closed() {
            pool.give_back(session);
        }
        answer.map_err(Arc::new)
    }

    /// The fault of a cluster that does not answer; the next ones get it at once, for a second.
    pub(super) fn gave_up(&self, cluster: &Cluster) -> Trouble {
        let detail = format!(
            "cluster {}: no answer within {} s",
            cluster.name,
            ANSWER_MAX.as_secs()
        );
        let trouble = Arc::new(Fault::new(&NO_ANSWER, detail));
        self.of(cluster).note_away(&trouble);
        trouble
    }

    fn of(&self, cluster: &Cluster) -> Arc<Pool> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let target = cluster.connect.clone();
        if let Some(pool) = pools.get(&cluster.name)
            && pool.target == target
        {
            return Arc::clone(pool);
        }
        let pool = Arc::new(Pool {
            target,
            permits: Semaphore::new(SESSIONS_MAX),
            idle: Mutex::default(),
            away: Mutex::default(),
        });
        pools.insert(cluster.name.clone(), Arc::clone(&pool));
        pool
    }
}

impl Pool {
    async fn connect(&self, cluster: &Cluster) -> Result<Session, Trouble> {
        let name = ApplicationName::new("console", "-");
        let connected = async {
            let session = cluster.connect.connect(&name).await?;
            session.set_timeouts(LOCK_MAX_MS, STATEMENT_MAX_MS).await?;
            session.without_jit().await?;
            Ok::<_, Fault>(session)
        };
        connected.await.map_err(|fault| {
            let trouble = Arc::new(fault);
            self.note_away(&trouble);
            trouble
        })
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, session)| since.elapsed() < IDLE_MAX && !session.is_closed());
        idle.pop().map(|(_, session)| session)
    }

    fn give_back(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((Instant::now(), session));
    }

    fn is_away(&self) -> Option<Trouble> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, trouble) = away.as_ref()?;
        (since.elapsed() < AWAY).then(|| Arc::clone(trouble))
    }

    fn note_away(&self, trouble: &Trouble) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        *away = Some((Instant::now(), Arc::clone(trouble)));
    }
}
