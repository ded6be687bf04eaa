//! The applier: keeps the target in step, round after round, until it is told to end. Never throttled.

use std::sync::Arc;
use std::time::Duration;

use corridor_mirror::Mirror;
use tokio::sync::watch;

use crate::run::deck::Deck;
use crate::run::report::Progress;
use crate::run::seat::Seat;
use crate::run::stop::{Step, Stop};

/// Changes per round: bounds first, then follows the time that rounds take.
const LIMIT_MIN: i64 = 100;
const LIMIT_MAX: i64 = 20_000;
const LIMIT_FIRST: i64 = 2_000;
/// A round holds a snapshot and row locks on the target only; half a second keeps both short.
const ROUND_MS: u64 = 500;
/// Pause when there was nothing to do.
const IDLE_MS: u64 = 100;
/// Pause after a round that left nothing: rounds of a handful of changes would cost more than they bring.
const IN_STEP_MS: u64 = 20;

/// Runs rounds on `mirror` until `end` becomes true or the deck is halted. A fault halts the deck.
pub(crate) async fn apply(deck: Arc<Deck>, mirror: Arc<Mirror>, mut end: watch::Receiver<bool>) {
    let mut writer = Seat::new("apply");
    let mut observer = Seat::new("observe");
    let mut pace = Pace::default();
    loop {
        if *end.borrow() {
            return;
        }
        match round(&deck, &mirror, &mut writer, &mut observer, &mut pace).await {
            Ok(pause) => {
                if pause > Duration::ZERO {
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        _ = end.wait_for(|e| *e) => return,
                    }
                }
            }
            Err(Stop::Turn) => return,
            Err(Stop::Fault(fault)) => {
                deck.fail(fault);
                return;
            }
        }
    }
}

/// How many changes the next round takes.
#[derive(Debug)]
struct Pace {
    limit: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { limit: LIMIT_FIRST }
    }
}

async fn round(
    deck: &Deck,
    mirror: &Mirror,
    writer: &mut Seat,
    observer: &mut Seat,
    pace: &mut Pace,
) -> Step<Duration> {
    deck.checkpoint()?;
    let eyes = observer.session(deck).await?;
    let hands = writer.session(deck).await?;
    let outcome = mirror.round(hands, eyes, &deck.fence, pace.limit, 0).await;
    match outcome {
        Ok(round) if round.is_truncated => {
            if mirror.replay_truncate(hands, &deck.fence).await? {
                deck.say(&Progress::Truncated);
            }
            Ok(Duration::ZERO)
        }
        Ok(round) => {
            writer.succeeded();
            if round.elapsed_ms > ROUND_MS {
                pace.limit = (pace.limit / 2).max(LIMIT_MIN);
            } else if !round.is_drained && round.elapsed_ms * 2 < ROUND_MS {
                pace.limit = (pace.limit + pace.limit / 2).min(LIMIT_MAX);
            }
            // Nothing but chunks in flight, or nothing at all: wait a little. In step with a busy table: hardly.
            let did_nothing = round.refreshed + round.forgotten == 0;
            Ok(Duration::from_millis(match (did_nothing, round.is_drained) {
                (true, _) => IDLE_MS,
                (false, true) => IN_STEP_MS,
                (false, false) => 0,
            }))
        }
        Err(fault) => {
            writer.recover(deck, fault).await?;
            Ok(Duration::ZERO)
        }
    }
}
