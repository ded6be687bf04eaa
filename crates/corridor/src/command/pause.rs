//! `corridor pause`: checkpoint, and let nothing be written until `resume`.
//!
//! Not by the runner's door: that one takes no reason, and the reason is what whoever finds it paused wants to read.

use std::time::Duration;

use corridor_migration::fault::LEASE_HELD;
use corridor_migration::lease::{Tenure, take, this_process};
use corridor_migration::store::{self, Outcome as Answer};
use corridor_migration::{Event, Name, State, Verb, step};
use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use serde_json::{Value, json};

use super::{Context, DONE};
use crate::args;
use crate::interrupt::Interrupt;
use crate::output::outcome;
use crate::run::Outcome;

/// Time between two looks at what the worker answered. It looks for requests three times a second itself.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Hands it to the worker that is alive and waits until it has left, or writes it down.
pub(crate) async fn run(context: &Context, args: &args::Pause) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    let mut session = context.session_for(&name).await?;
    let pause = Pause {
        migration_id: store::load(&*session, &name).await?.id,
        by: this_process(context.connect_options()?.user()),
        why: args.why.clone(),
    };
    let Some(state) = pause.carry_out(&mut session, &context.interrupt).await? else {
        return Ok(context.interrupt.code());
    };
    let exit = match state {
        State::Paused { by, why, .. } => {
            outcome::show(&context.output, &name, &Outcome::Paused { by, why }, DONE, false)?;
            DONE
        }
        other => {
            let exit = corridor_pg::Exit::BadResult.code();
            outcome::show(&context.output, &name, &Outcome::Ended(other), exit, false)?;
            exit
        }
    };
    Ok(exit)
}

struct Pause {
    migration_id: i64,
    by: String,
    why: String,
}

impl Pause {
    /// The state that it came to; `None` when somebody asked us to leave first.
    async fn carry_out(&self, session: &mut Session, interrupt: &Interrupt) -> Result<Option<State>> {
        while !interrupt.is_asked() {
            let state = store::read_state(&**session, self.migration_id).await?;
            // What cannot be asked for is refused before anybody is disturbed.
            step(&state, &self.event())?;
            if !Tenure::look(&**session, self.migration_id).await?.is_alive {
                match self.write_down(session).await {
                    // Somebody took it up between our two looks: leave it with them.
                    Err(held) if held.code().id == LEASE_HELD.id => continue,
                    written => return written.map(Some),
                }
            }
            if let Some(state) = self.hand_over(session, interrupt).await? {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    fn event(&self) -> Event {
        Event::Asked {
            verb: Verb::Pause,
            by: self.by.clone(),
            why: self.why.clone(),
        }
    }

    async fn write_down(&self, session: &mut Session) -> Result<State> {
        let settings = store::read_settings(&**session, self.migration_id).await?;
        let ttl = Duration::from_millis(settings.lease_ttl_ms);
        let lease = take(session, self.migration_id, &self.by, ttl).await?;
        let applied = async {
            let tx = session.begin(Isolation::ReadCommitted).await?;
            let applied = store::apply(&tx, &lease, &self.event()).await?;
            tx.commit().await.doing(|| "pausing")?;
            Ok(applied.state)
        }
        .await;
        lease.release(session).await?;
        applied
    }

    /// `None` when the worker died before it took the request, or we are to leave: then the request is taken back.
    async fn hand_over(&self, session: &Session, interrupt: &Interrupt) -> Result<Option<State>> {
        let argument = json!({ "why": self.why });
        let request = store::ask(&**session, self.migration_id, Verb::Pause, &argument, &self.by).await?;
        loop {
            match store::outcome(&**session, request).await? {
                Answer::Answered { outcome } => {
                    if outcome.get("granted").and_then(Value::as_bool) != Some(true) {
                        let why = outcome.get("detail").and_then(Value::as_str).unwrap_or_default();
                        return Err(Fault::new(
                            &corridor_migration::fault::VERB_REFUSED,
                            why.to_owned(),
                        ));
                    }
                    return self.wait_until_left(session).await.map(Some);
                }
                Answer::Gone => return Ok(None),
                Answer::Open | Answer::Taken => {
                    let is_alive = Tenure::look(&**session, self.migration_id).await?.is_alive;
                    if (!is_alive || interrupt.is_asked()) && store::withdraw(&**session, request).await? {
                        return Ok(None);
                    }
                }
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Paused means that nothing is written any more: the worker has given its lease back.
    async fn wait_until_left(&self, session: &Session) -> Result<State> {
        let first = Tenure::look(&**session, self.migration_id).await?;
        loop {
            let now = Tenure::look(&**session, self.migration_id).await?;
            // Another epoch: somebody has resumed it already.
            if !now.is_alive || now.epoch != first.epoch {
                break;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        store::read_state(&**session, self.migration_id).await
    }
}
