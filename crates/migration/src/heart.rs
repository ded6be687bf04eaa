//! The heart: a task that says, on a connection of its own, that the worker lives, and tells the worker when it no
//! longer may.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use corridor_pg::{ApplicationName, ConnectOptions, Result, Session};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::lease::Lease;

/// Makes a new session each time it is asked; see [`connector`].
pub type Connector = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Session>> + Send>> + Send + Sync>;

/// A [`Connector`] with these options, whose sessions are named `corridor:<role>:<migration>`.
pub fn connector(options: ConnectOptions, role: &str, migration: &str) -> Connector {
    let name = ApplicationName::new(role, migration);
    let options = Arc::new(options);
    Arc::new(move || {
        let (options, name) = (Arc::clone(&options), name.clone());
        Box::pin(async move { options.connect(&name).await })
    })
}

/// What a beat carries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vitals {
    /// The server processes that work for this worker, at most 1,000.
    pub backend_pids: Vec<i32>,
    /// What the worker says about its progress; a JSON object, for people.
    pub progress: Value,
}

impl Vitals {
    pub(crate) fn progress_text(&self) -> String {
        match &self.progress {
            Value::Object(_) => self.progress.to_string(),
            _ => "{}".to_owned(),
        }
    }
}

/// What the worker may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// Go on.
    Alive,
    /// No beat came through for the whole ttl: begin no transaction that writes. Another worker may take over at any
    /// moment; the fence holds in any case. May become [`Pulse::Alive`] again.
    Stale,
    /// Another worker has taken over: leave. Final.
    Lost,
}

/// The beating task. Dropping it ends the task.
#[derive(Debug)]
pub struct Heart {
    pulse: watch::Receiver<Pulse>,
    vitals: watch::Sender<Vitals>,
    task: JoinHandle<()>,
}

impl Heart {
    /// Starts beating every `interval`, on a connection of its own that it makes again when it breaks.
    ///
    /// Call it at once after the lease was taken: the ttl counts from this call.
    pub fn start(connector: Connector, lease: Lease, interval: Duration) -> Heart {
        let (pulse_sender, pulse) = watch::channel(Pulse::Alive);
        let (vitals, vitals_receiver) = watch::channel(Vitals::default());
        let beating = Beating {
            connector,
            lease,
            interval,
            vitals: vitals_receiver,
            pulse: pulse_sender,
        };
        Heart {
            pulse,
            vitals,
            task: tokio::spawn(beating.run()),
        }
    }

    /// As [`Heart::start`], four beats to the ttl.
    pub fn start_for(connector: Connector, lease: Lease) -> Heart {
        let interval = lease.ttl() / 4;
        Heart::start(connector, lease, interval)
    }

    /// Follows the pulse; `changed()` wakes with each change.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.clone()
    }

    /// The pulse now.
    pub fn pulse_now(&self) -> Pulse {
        *self.pulse.borrow()
    }

    /// Where the next beats' vitals come from, for a task that reports by itself.
    pub fn vitals(&self) -> watch::Sender<Vitals> {
        self.vitals.clone()
    }

    /// What the next beats carry.
    pub fn report(&self, vitals: Vitals) {
        self.vitals.send_replace(vitals);
    }

    /// Changes what the next beats carry.
    pub fn report_with(&self, change: impl FnOnce(&mut Vitals)) {
        self.vitals.send_modify(change);
    }

    /// Ends the task and waits until it has ended: no beat comes after. Then release the lease.
    pub async fn stop(mut self) {
        self.task.abort();
        // It was aborted: what it says of itself does not matter.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Beating {
    connector: Connector,
    lease: Lease,
    interval: Duration,
    vitals: watch::Receiver<Vitals>,
    pulse: watch::Sender<Pulse>,
}

/// What one beat came to.
enum Beat {
    Came,
    Lost,
    Missed,
}

impl Beating {
    async fn run(mut self) {
        // Counted from before a beat is sent: the server's clock starts later, so we are stale before anybody else
        // may think so.
        let (came, last_beat) = watch::channel(Instant::now());
        let (pulse, ttl) = (self.pulse.clone(), self.lease.ttl());
        // Apart from the beats: a beat that hangs must not keep the worker from hearing that it is stale.
        tokio::select! {
            () = self.beats(&came) => {}
            () = watch_over(last_beat, ttl, &pulse) => {}
        }
    }

    /// Beats until the lease is lost.
    async fn beats(&mut self, came: &watch::Sender<Instant>) {
        let mut session = None;
        loop {
            let begun = Instant::now();
            match self.beat(&mut session).await {
                Beat::Came => {
                    came.send_replace(begun);
                    tell(&self.pulse, Pulse::Alive);
                }
                Beat::Lost => return tell(&self.pulse, Pulse::Lost),
                Beat::Missed => session = None,
            }
            tokio::time::sleep_until(begun + self.interval).await;
        }
    }

    async fn beat(&mut self, session: &mut Option<Session>) -> Beat {
        // Connecting may take its time (look-up, TLS); longer than the ttl is hopeless.
        let open = match session {
            Some(open) => open,
            None => match timeout(self.lease.ttl(), (self.connector)()).await {
                Ok(Ok(new)) => session.insert(new),
                Ok(Err(fault)) => {
                    tracing::debug!(%fault, "the heart cannot connect");
                    return Beat::Missed;
                }
                Err(_) => {
                    tracing::debug!("the heart could not connect in time");
                    return Beat::Missed;
                }
            },
        };
        let vitals = self.vitals.borrow_and_update().clone();
        // A beat is one row by its key. When it hangs, a new connection is the better bet.
        let limit = self.interval.max(self.lease.ttl() / 4);
        match timeout(limit, self.lease.beat(open, &vitals)).await {
            Ok(Ok(true)) => Beat::Came,
            Ok(Ok(false)) => Beat::Lost,
            Ok(Err(fault)) => {
                tracing::debug!(%fault, "a beat did not come through");
                Beat::Missed
            }
            Err(_) => {
                tracing::debug!("a beat did not come through in time");
                Beat::Missed
            }
        }
    }
}

/// Says that the worker is stale as soon as no beat has come for `ttl`.
async fn watch_over(mut last_beat: watch::Receiver<Instant>, ttl: Duration, pulse: &watch::Sender<Pulse>) {
    loop {
        let stale_at = *last_beat.borrow_and_update() + ttl;
        tokio::select! {
            changed = last_beat.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep_until(stale_at) => {
                tell(pulse, Pulse::Stale);
                if last_beat.changed().await.is_err() {
                    return;
                }
            }
        }
    }
}

fn tell(sender: &watch::Sender<Pulse>, pulse: Pulse) {
    sender.send_if_modified(|now| {
        let is_new = *now != pulse;
        *now = pulse;
        is_new
    });
}
