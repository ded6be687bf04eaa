//! The wrong ways: each is caught, and tells its story.
//!
//! `cargo test -p corridor-model wrong -- --nocapture --test-threads=1` prints the stories.

use corridor_migration::Verb;
use corridor_model::application::Op::{self, Delete, Exchange, Move, Update};
use corridor_model::protocol::{NO_ACCIDENT, NOTHING_LOST, WHOLE};
use corridor_model::setup::{Setup, WrongWay};
use corridor_model::story::shortest_story;

/// The checker finds a story in which `wrong` breaks `property`; without it there is none.
fn catch(wrong: WrongWay, property: &'static str, setup: Setup) {
    if let Some(story) = shortest_story(&setup, property) {
        panic!("{wrong:?}: \"{property}\" does not hold without it either:\n{story}");
    }
    let setup = Setup {
        wrong: Some(wrong),
        ..setup
    };
    match shortest_story(&setup, property) {
        Some(story) => println!("\n{wrong:?}: \"{property}\" does not hold:\n{story}"),
        None => panic!("{wrong:?} is not caught"),
    }
}

/// One lane, `[0, 2)`, one writer, a row 0.
fn copy(transactions: Vec<Vec<Op>>) -> Setup {
    Setup {
        rows: vec![0],
        lanes: vec![(0, 2)],
        scripts: vec![transactions],
        round_limit: 2,
        rest_max: 2,
        appliers: 1,
        ..Setup::default()
    }
}

/// The same, copied; what is left is the cut-over, and then one of the two ends.
fn copied(end: Verb, transactions: Vec<Vec<Op>>) -> Setup {
    Setup {
        is_copied: true,
        asks: vec![Verb::Cutover, end],
        ..copy(transactions)
    }
}

#[test]
fn triggers_that_write_to_the_target_beside_an_unlocked_backfill() {
    catch(WrongWay::UnlockedBackfill, WHOLE, copy(vec![vec![Delete(0)]]));
}

#[test]
fn a_backfill_that_overwrites() {
    catch(WrongWay::OverwritingBackfill, WHOLE, copy(vec![vec![Update(0)]]));
}

#[test]
fn forgetting_the_change_of_a_chunk_in_flight() {
    catch(WrongWay::InFlightForgotten, WHOLE, copy(vec![vec![Update(0)]]));
}

#[test]
fn copied_judged_outside_of_the_snapshot() {
    catch(WrongWay::CopiedAskedLater, WHOLE, copy(vec![vec![Delete(0)]]));
}

#[test]
fn claimed_judged_before_the_snapshot() {
    catch(WrongWay::ClaimedAskedBefore, WHOLE, copy(vec![vec![Delete(0)]]));
}

#[test]
fn a_chunk_that_is_not_claimed_first() {
    catch(WrongWay::NoClaim, WHOLE, copy(vec![vec![Delete(0)]]));
}

#[test]
fn two_lanes_refreshing_one_key() {
    let setup = Setup {
        rows: vec![1],
        lanes: vec![(0, 2), (2, 3)],
        ..copy(vec![vec![Delete(1)]])
    };
    catch(WrongWay::LanesOverlap, WHOLE, setup);
}

#[test]
fn a_key_change_that_leaves_the_old_key() {
    catch(
        WrongWay::OldKeyLeftBehind,
        WHOLE,
        copy(vec![vec![Move { from: 0, to: 1 }]]),
    );
}

#[test]
fn a_ledger_that_is_written_after_the_data() {
    let setup = Setup {
        crashes: 1,
        ..copy(vec![vec![Update(0)]])
    };
    catch(WrongWay::LedgerAfterRows, NO_ACCIDENT, setup);
}

#[test]
fn an_epoch_that_is_only_read() {
    let setup = Setup {
        zombies: 1,
        is_chunk_fine: true,
        ..copy(vec![vec![Delete(0)]])
    };
    catch(WrongWay::EpochOnlyRead, WHOLE, setup);
}

#[test]
fn ids_in_place_of_visibility() {
    let setup = Setup {
        rows: vec![0, 1],
        scripts: vec![vec![vec![Update(0)]], vec![vec![Update(1)]]],
        ..copy(Vec::new())
    };
    catch(WrongWay::IdsInOrder, WHOLE, setup);
}

#[test]
fn commit_order_in_place_of_visibility() {
    catch(WrongWay::CommitOrder, WHOLE, copy(vec![vec![Update(0)]]));
}

#[test]
fn a_swap_without_a_last_refresh() {
    catch(
        WrongWay::NoLastRefresh,
        NOTHING_LOST,
        copied(Verb::Finish, vec![vec![Update(0)]]),
    );
}

#[test]
fn a_swap_that_does_not_lock_writers_out() {
    catch(
        WrongWay::NoLock,
        NOTHING_LOST,
        copied(Verb::Finish, vec![vec![Update(0)]]),
    );
}

#[test]
fn a_retry_of_a_swap_whose_answer_was_lost() {
    let setup = Setup {
        losses: 1,
        ..copied(Verb::Finish, vec![vec![Update(0)]])
    };
    catch(WrongWay::BlindRetry, NO_ACCIDENT, setup);
}

#[test]
fn a_reverse_capture_that_begins_after_the_swap() {
    catch(
        WrongWay::LateReverseCapture,
        NOTHING_LOST,
        copied(Verb::Rollback, vec![vec![Update(0)]]),
    );
}

/// Found by this model: two seats on one lane, the second one having looked before the first one's chunk committed.
#[test]
fn a_claim_on_an_old_look_at_the_lane() {
    let setup = Setup {
        losses: 1,
        is_impatient: true,
        is_chunk_fine: true,
        rows: vec![1],
        lanes: vec![(0, 3)],
        ..copy(vec![vec![Delete(1)]])
    };
    catch(WrongWay::ClaimOnOldLook, WHOLE, setup);
}

/// Found by this model: a round that runs alone holds off the chunks of its process, and not the one whose connection was
/// lost with its commit on the way.
#[test]
fn forgetting_a_claimed_key_in_a_round_that_runs_alone() {
    let setup = Setup {
        losses: 1,
        has_unique: true,
        rows: vec![0, 1, 2],
        lanes: vec![(0, 2), (2, 3)],
        round_limit: 1,
        ..copy(vec![vec![Exchange(0, 1)], vec![Delete(2)]])
    };
    catch(WrongWay::ClaimedForgottenAlone, WHOLE, setup);
}

#[test]
fn no_verification() {
    let setup = Setup {
        tampers: 1,
        ..copy(vec![vec![Update(0)]])
    };
    catch(WrongWay::NoVerification, WHOLE, setup);
}
