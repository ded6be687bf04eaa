//! The protocol as it is: nothing breaks it.

use corridor_migration::Verb;
use corridor_model::application::Op::{self, Delete, Exchange, Insert, Move, Truncate, Update};
use corridor_model::setup::Setup;

use crate::worlds::{copied, copy, lane, prove};

mod copying {
    use super::*;

    #[test]
    fn updates_and_deletes_by_two_writers() {
        let scripts = vec![
            vec![vec![Update(0)], vec![Delete(1)]],
            vec![vec![Delete(0)], vec![Insert(2)]],
        ];
        prove(&copy("copying: updates, deletes, inserts", scripts));
    }

    #[test]
    fn key_changes() {
        let scripts = vec![
            vec![vec![Move { from: 0, to: 2 }], vec![Move { from: 2, to: 0 }]],
            vec![vec![Delete(1)]],
        ];
        prove(&copy("copying: key changes there and back", scripts));
    }

    #[test]
    fn deletes_and_inserts_again() {
        let scripts = vec![
            vec![vec![Delete(0), Insert(0)]],
            vec![vec![Delete(1)], vec![Insert(1)]],
        ];
        prove(&copy("copying: delete and insert again", scripts));
    }

    #[test]
    fn three_lanes() {
        let scripts = vec![
            vec![vec![Update(0)], vec![Delete(1)]],
            vec![vec![Delete(0)], vec![Insert(2)]],
        ];
        let setup = Setup {
            lanes: vec![(0, 1), (1, 2), (2, 3)],
            ..copy("copying: three lanes", scripts)
        };
        prove(&setup);
    }

    /// A round with a limit of one sees half of an exchange.
    #[test]
    fn exchanges_of_unique_values() {
        let setup = Setup {
            rows: vec![0, 1, 2],
            has_unique: true,
            round_limit: 1,
            ..copy(
                "copying: unique values exchanged",
                vec![vec![vec![Exchange(0, 1)], vec![Exchange(1, 2)]]],
            )
        };
        prove(&setup);
    }

    /// What the second connection answers, the round's own snapshot would answer as well: a claim that it does not see was
    /// made after it, and so was the snapshot of the chunk.
    #[test]
    fn the_claim_may_be_asked_for_in_the_rounds_own_snapshot() {
        let scripts = vec![
            vec![vec![Update(0)], vec![Delete(1)]],
            vec![vec![Delete(0)], vec![Insert(2)]],
        ];
        let setup = Setup {
            asks_in_snapshot: true,
            is_chunk_fine: true,
            ..copy("copying: claims seen in the round's snapshot", scripts)
        };
        prove(&setup);
        let scripts = vec![vec![vec![Delete(0)], vec![Insert(0)]]];
        let setup = Setup {
            asks_in_snapshot: true,
            is_chunk_fine: true,
            crashes: 1,
            losses: 1,
            restarts: 1,
            ..lane("copying: the same with faults", scripts)
        };
        prove(&setup);
    }
}

mod truncates {
    use super::*;

    #[test]
    fn amid_the_copy_and_after_it() {
        prove(&copy(
            "truncates: beside other writes",
            vec![
                vec![vec![Truncate], vec![Insert(0)]],
                vec![vec![Update(1)], vec![Insert(2)]],
            ],
        ));
    }

    #[test]
    fn among_lost_connections_and_dead_workers() {
        let setup = Setup {
            losses: 2,
            crashes: 1,
            is_chunk_fine: true,
            ..lane(
                "truncates: answers lost, workers dead",
                vec![vec![vec![Update(0)], vec![Truncate], vec![Insert(0)]]],
            )
        };
        prove(&setup);
        let setup = Setup {
            zombies: 1,
            losses: 1,
            is_impatient: true,
            is_chunk_fine: true,
            ..lane(
                "truncates: impatient, a worker comes back",
                vec![vec![vec![Truncate], vec![Insert(0)]]],
            )
        };
        prove(&setup);
    }

    #[test]
    fn before_and_after_the_swaps() {
        for end in [Verb::Finish, Verb::Rollback] {
            let setup = Setup {
                losses: 1,
                crashes: 1,
                ..copied(
                    if end == Verb::Finish {
                        "truncates: cut-over, finish"
                    } else {
                        "truncates: cut-over, rollback"
                    },
                    &[Verb::Cutover, end],
                    vec![vec![vec![Truncate], vec![Insert(0)]]],
                )
            };
            prove(&setup);
        }
    }

    #[test]
    fn with_a_unique_index() {
        let setup = Setup {
            has_unique: true,
            round_limit: 1,
            losses: 1,
            rows: vec![0, 1, 2],
            ..copy(
                "truncates: unique values, an answer lost",
                vec![vec![vec![Exchange(0, 1)], vec![Truncate], vec![Insert(2)]]],
            )
        };
        prove(&setup);
    }
}

mod faults {
    use super::*;

    #[test]
    fn lost_answers() {
        let setup = Setup {
            losses: 2,
            is_chunk_fine: true,
            ..copy(
                "faults: two answers lost",
                vec![vec![vec![Delete(0)], vec![Update(1)]]],
            )
        };
        prove(&setup);
    }

    /// A chunk whose answer is lost, while a conflict calls for a round of all changes.
    #[test]
    fn lost_answers_and_unique_values() {
        let setup = Setup {
            rows: vec![0, 1, 2],
            has_unique: true,
            round_limit: 1,
            losses: 1,
            ..copy(
                "faults: an answer lost, unique values",
                vec![vec![vec![Exchange(0, 1)], vec![Delete(2)]]],
            )
        };
        prove(&setup);
    }

    /// `Seat` waits for a lost backend; it would do no harm if it did not. Two rounds that overlap both forget the oldest
    /// change of a key: the row of the log tells them apart. Two chunks of a lane both write its ledger.
    #[test]
    fn a_worker_that_does_not_wait_for_lost_connections() {
        let setup = Setup {
            losses: 2,
            is_impatient: true,
            is_chunk_fine: true,
            lanes: vec![(0, 3)],
            rows: vec![0, 1],
            ..lane(
                "faults: lost connections not waited for",
                vec![vec![vec![Delete(1)]]],
            )
        };
        prove(&setup);
        let setup = Setup {
            appliers: 2,
            round_limit: 1,
            ..lane(
                "faults: two rounds side by side",
                vec![vec![vec![Update(0)], vec![Delete(0)], vec![Insert(0)]]],
            )
        };
        prove(&setup);
    }

    #[test]
    fn crash_and_resume() {
        let setup = Setup {
            crashes: 2,
            is_chunk_fine: true,
            ..lane(
                "faults: two workers die",
                vec![vec![vec![Delete(0)], vec![Update(1)]]],
            )
        };
        prove(&setup);
    }

    /// A worker that was declared dead lives, and goes on with what it had under way.
    #[test]
    fn a_worker_that_comes_back() {
        let setup = Setup {
            zombies: 1,
            losses: 1,
            is_chunk_fine: true,
            ..lane(
                "faults: a worker comes back with a stale epoch",
                vec![vec![vec![Delete(0)], vec![Update(1)]]],
            )
        };
        prove(&setup);
    }

    /// Claims do not wait for the disk: a server that dies may forget them.
    #[test]
    fn the_server_dies() {
        let setup = Setup {
            restarts: 1,
            losses: 1,
            is_chunk_fine: true,
            ..lane(
                "faults: the server dies, claims and all",
                vec![vec![vec![Delete(0)], vec![Update(1)]]],
            )
        };
        prove(&setup);
    }

    #[test]
    fn a_row_changed_behind_everybodys_back() {
        let setup = Setup {
            tampers: 2,
            ..copy(
                "faults: rows of the target changed by others",
                vec![vec![vec![Delete(0)], vec![Update(1)]]],
            )
        };
        prove(&setup);
    }
}

mod journeys {
    use super::*;

    fn scripts() -> Vec<Vec<Vec<Op>>> {
        vec![
            vec![vec![Update(0)], vec![Delete(1)]],
            vec![vec![Insert(2)], vec![Delete(0)]],
        ]
    }

    #[test]
    fn cut_over_and_finish() {
        let setup = Setup {
            losses: 1,
            crashes: 1,
            ..copied(
                "journey: cut-over, finish",
                &[Verb::Cutover, Verb::Finish],
                scripts(),
            )
        };
        prove(&setup);
    }

    #[test]
    fn cut_over_and_back() {
        let setup = Setup {
            losses: 2,
            ..copied(
                "journey: cut-over, rollback, answers lost",
                &[Verb::Cutover, Verb::Rollback],
                scripts(),
            )
        };
        prove(&setup);
        let setup = Setup {
            crashes: 1,
            zombies: 1,
            ..copied(
                "journey: cut-over, rollback, two workers lost",
                &[Verb::Cutover, Verb::Rollback],
                scripts(),
            )
        };
        prove(&setup);
    }

    /// The locks are not free, the attempts are used up, and it is asked for again.
    #[test]
    fn given_up_and_asked_for_again() {
        let setup = Setup {
            losses: 1,
            crashes: 1,
            zombies: 1,
            give_ups: 1,
            ..copied(
                "journey: cut-over given up, and again",
                &[Verb::Cutover, Verb::Rollback],
                scripts(),
            )
        };
        prove(&setup);
    }

    #[test]
    fn the_server_dies_amid_a_swap() {
        let setup = Setup {
            restarts: 2,
            ..copied(
                "journey: cut-over, rollback, server dies twice",
                &[Verb::Cutover, Verb::Rollback],
                scripts(),
            )
        };
        prove(&setup);
    }

    #[test]
    fn stopped_or_rolled_back_at_any_moment() {
        for verb in [Verb::Stop, Verb::Rollback] {
            let setup = Setup {
                name: if verb == Verb::Stop {
                    "journey: stopped at any moment"
                } else {
                    "journey: rolled back at any moment"
                },
                asks: vec![verb],
                crashes: 1,
                ..lane("", vec![vec![vec![Delete(0)], vec![Update(1)]]])
            };
            prove(&setup);
        }
    }

    /// From the first chunk to the old table again.
    #[test]
    fn a_whole_life() {
        let setup = Setup {
            asks: vec![Verb::Cutover, Verb::Rollback],
            losses: 1,
            ..lane(
                "journey: a whole life there and back",
                vec![vec![vec![Delete(0)], vec![Insert(0)]]],
            )
        };
        prove(&setup);
        let setup = Setup {
            asks: vec![Verb::Cutover, Verb::Finish],
            zombies: 1,
            ..lane(
                "journey: a whole life for good",
                vec![vec![vec![Delete(0)], vec![Insert(0)]]],
            )
        };
        prove(&setup);
    }
}
