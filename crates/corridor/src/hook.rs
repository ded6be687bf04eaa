//! `--hook CMD`: a command of the user's that is told what happens.
//!
//! It runs beside the work and never before it: events go through a queue to one task, which runs the command for one
//! event after the other, each within a time limit. What fails is said, and changes nothing. Only the gate is asked
//! and waited for, and only where `--hook-gate` wants it.
//!
//! There is no setting for it: settings live in the database, and who may write there must not get commands run on the
//! machine of whoever resumes a migration.

mod event;
mod process;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corridor_move::run::{Progress, Watcher};
use corridor_pg::{Fault, Result};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::args::HookArgs;
use crate::fault::HELD_BACK;
use crate::output::Output;
use crate::output::text::{hang, harmless};
use crate::run::{Order, Outcome};

pub(crate) use self::event::Subject;
use self::event::{Event, Teller};
use self::process::Hook;

/// Events that may wait for the command; a move has some twenty, and throttle and locks add to them.
const QUEUE_MAX: usize = 256;
/// How long the end of the work waits for what the command has not been told yet.
const FAREWELL_MAX: Duration = Duration::from_secs(30);

/// The user's command, and what it is told.
pub(crate) struct Hooks {
    ear: Arc<Ear>,
    hook: Arc<Hook>,
    output: Arc<Output>,
    runner: JoinHandle<()>,
}

impl Hooks {
    /// Listens from now on. `None` when no command was given.
    pub(crate) fn start(args: &HookArgs, subject: Subject, output: &Arc<Output>) -> Option<Hooks> {
        let hook = Arc::new(Hook {
            command: args.hook.clone()?,
            limit: Duration::from_secs(args.hook_timeout),
        });
        let (queue, mut waiting) = mpsc::channel::<Event>(QUEUE_MAX);
        let ear = Arc::new(Ear {
            teller: Mutex::new(Teller::new(subject)),
            queue: Mutex::new(Some(queue)),
            dropped: AtomicU64::new(0),
        });
        let (runs, speaks) = (Arc::clone(&hook), Arc::clone(output));
        let runner = tokio::spawn(async move {
            while let Some(event) = waiting.recv().await {
                if let Err(why) = runs.run(&event).await {
                    say(&speaks, event.name, &why);
                }
            }
        });
        Some(Hooks {
            ear,
            hook,
            output: Arc::clone(output),
            runner,
        })
    }

    /// What a worker speaks to: `other`, and the hook.
    pub(crate) fn beside(&self, other: Arc<dyn Watcher>) -> Arc<dyn Watcher> {
        Arc::new(Both {
            other,
            ear: Arc::clone(&self.ear),
        })
    }

    /// The work begins.
    pub(crate) fn begun(&self, order: Order) {
        self.ear.tell(|teller| Some(teller.begun(order)));
    }

    /// Asks whether the cut-over may begin, and waits for the answer. `CLI-007` when it may not.
    pub(crate) async fn may_cut_over(&self) -> Result<()> {
        let event = self.ear.teller().before_cutover();
        match self.hook.run(&event).await {
            Ok(()) => Ok(()),
            Err(why) => Err(Fault::new(&HELD_BACK, why)),
        }
    }

    /// The work has ended: tells it, and waits for the command, but not for ever.
    pub(crate) async fn end(mut self, outcome: &Result<Outcome>, exit: u8) {
        self.ear.tell(|teller| teller.ended(outcome, exit));
        self.ear.close();
        if tokio::time::timeout(FAREWELL_MAX, &mut self.runner)
            .await
            .is_err()
        {
            // Dropping it kills the command that runs.
            self.runner.abort();
            let why = format!("not all events were told within {} s", FAREWELL_MAX.as_secs());
            say(&self.output, "the end", &why);
        }
        let dropped = self.ear.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            let why = format!("{dropped} events were left out, because it was too slow");
            say(&self.output, "the end", &why);
        }
    }
}

/// A failing hook is worth a line even to whoever wants to read only faults.
fn say(output: &Output, event: &str, why: &str) {
    output.say(&hang("", &harmless(&format!("hook at {event}: {why}"))));
}

/// Makes events of what is said, and puts them into the queue.
struct Ear {
    teller: Mutex<Teller>,
    queue: Mutex<Option<mpsc::Sender<Event>>>,
    dropped: AtomicU64,
}

impl Ear {
    fn teller(&self) -> std::sync::MutexGuard<'_, Teller> {
        self.teller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never waits.
    fn tell(&self, event: impl FnOnce(&mut Teller) -> Option<Event>) {
        let Some(event) = event(&mut self.teller()) else {
            return;
        };
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.as_ref().is_some_and(|queue| queue.try_send(event).is_err()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

struct Both {
    other: Arc<dyn Watcher>,
    ear: Arc<Ear>,
}

impl Watcher for Both {
    fn on(&self, progress: &Progress) {
        self.other.on(progress);
        self.ear.tell(|teller| teller.hear(progress));
    }
}
