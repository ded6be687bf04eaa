//! The applier: keeps the target in step, round after round, until it is told to end. Never throttled.

use std::sync::Arc;
use std::time::Duration;

use corridor_mirror::{Caretaker, Mirror, Round};
use corridor_pg::{Result, Session};
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
/// Rounds after which a reading of the log begins anew, done or not: what committed late stands further up.
const READING_ROUNDS_MAX: u32 = 50;
/// Pause when there was nothing to do.
const IDLE_MS: u64 = 100;
/// Pause after a round that left nothing: rounds of a handful of changes would cost more than they bring.
const IN_STEP_MS: u64 = 20;

/// Runs rounds on `mirror` until `end` becomes true or the deck is halted. A fault halts the deck.
pub(crate) async fn apply(deck: Arc<Deck>, mirror: Arc<Mirror>, mut end: watch::Receiver<bool>) {
    let mut writer = Seat::new("apply");
    let mut observer = Seat::new("observe");
    let mut pace = Pace::default();
    let mut caretaker = Caretaker::new(deck.settings().log_slot_max_bytes);
    loop {
        if *end.borrow() {
            return;
        }
        match round(
            &deck,
            &mirror,
            &mut writer,
            &mut observer,
            &mut pace,
            &mut caretaker,
        )
        .await
        {
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

/// How many changes the next round takes, and from where.
#[derive(Debug)]
struct Pace {
    limit: i64,
    /// A long log is read on where the round before ended: what was forgotten may still stand in front as dead rows.
    first_id: i64,
    rounds: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            limit: LIMIT_FIRST,
            first_id: 0,
            rounds: 0,
        }
    }
}

impl Pace {
    fn follow(&mut self, round: &Round) {
        if round.elapsed_ms > ROUND_MS {
            self.limit = (self.limit / 2).max(LIMIT_MIN);
        } else if !round.is_drained && round.elapsed_ms * 2 < ROUND_MS {
            self.limit = (self.limit + self.limit / 2).min(LIMIT_MAX);
        }
        self.rounds += 1;
        let goes_on = round.next_id > 0 && self.rounds < READING_ROUNDS_MAX;
        (self.first_id, self.rounds) = match goes_on {
            true => (round.next_id, self.rounds),
            false => (0, 0),
        };
    }
}

async fn round(
    deck: &Deck,
    mirror: &Mirror,
    writer: &mut Seat,
    observer: &mut Seat,
    pace: &mut Pace,
    caretaker: &mut Caretaker,
) -> Step<Duration> {
    deck.checkpoint()?;
    let eyes = observer.session(deck).await?;
    let hands = writer.session(deck).await?;
    let outcome = one_round(deck, mirror, hands, eyes, pace, caretaker).await;
    match outcome {
        Ok(round) if round.is_truncated => {
            if mirror.replay_truncate(hands, &deck.fence).await? {
                deck.say(&Progress::Truncated);
            }
            Ok(Duration::ZERO)
        }
        Ok(round) => {
            writer.succeeded(deck);
            let was_reading_on = pace.first_id > 0;
            pace.follow(&round);
            // Nothing but chunks in flight, or nothing at all: wait a little. In step with a busy table: hardly.
            let did_nothing = round.refreshed + round.forgotten == 0 && !was_reading_on;
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

/// A round, and then a look after the log that it has emptied a little.
async fn one_round(
    deck: &Deck,
    mirror: &Mirror,
    hands: &mut Session,
    eyes: &Session,
    pace: &Pace,
    caretaker: &mut Caretaker,
) -> Result<Round> {
    let round = mirror
        .round(hands, eyes, &deck.fence, pace.limit, pace.first_id)
        .await?;
    caretaker.note(round.refreshed + round.forgotten);
    if !round.is_truncated {
        caretaker.resize(deck.settings().log_slot_max_bytes);
        mirror.rotate(hands, &deck.fence, caretaker).await?;
    }
    Ok(round)
}
