//! Wider worlds, with millions of states: minutes, and some gigabytes of memory. They run when somebody asks for them, with
//! `CORRIDOR_MODEL_WIDE=1`.

use corridor_migration::Verb;
use corridor_model::application::Op::{Delete, Exchange, Insert, Move, Update};
use corridor_model::setup::Setup;

use crate::worlds::{copied, copy, prove};

fn prove_if_asked(setup: &Setup) {
    if std::env::var_os("CORRIDOR_MODEL_WIDE").is_some() {
        prove(setup);
    } else {
        println!("{}: left out, CORRIDOR_MODEL_WIDE is not set", setup.name);
    }
}

#[test]
fn two_writers_and_a_lost_answer() {
    let scripts = vec![
        vec![vec![Update(0)], vec![Delete(1)]],
        vec![vec![Delete(0)], vec![Insert(2)]],
    ];
    prove_if_asked(&Setup {
        losses: 1,
        is_chunk_fine: true,
        ..copy("wide: two writers, an answer lost", scripts)
    });
}

#[test]
fn key_changes_among_dead_and_undead_workers() {
    prove_if_asked(&Setup {
        zombies: 1,
        crashes: 1,
        losses: 1,
        is_chunk_fine: true,
        ..copy(
            "wide: key change, all workers' faults",
            vec![vec![vec![Move { from: 0, to: 2 }], vec![Delete(1)]]],
        )
    });
}

#[test]
fn unique_values_with_faults() {
    let scripts = vec![
        vec![vec![Exchange(0, 1)], vec![Exchange(1, 2)]],
        vec![vec![Delete(0)]],
    ];
    prove_if_asked(&Setup {
        has_unique: true,
        round_limit: 1,
        rows: vec![0, 1, 2],
        losses: 1,
        crashes: 1,
        is_chunk_fine: true,
        ..copy("wide: unique values, loss and crash", scripts)
    });
}

#[test]
fn a_whole_life_with_two_writers() {
    let scripts = vec![vec![vec![Delete(0)], vec![Insert(2)]], vec![vec![Update(1)]]];
    prove_if_asked(&Setup {
        asks: vec![Verb::Cutover, Verb::Rollback],
        losses: 1,
        crashes: 1,
        ..copy("wide: a whole life, two writers, loss and crash", scripts)
    });
}

#[test]
fn every_fault_at_the_swaps() {
    let scripts = vec![
        vec![vec![Update(0)], vec![Delete(1)]],
        vec![vec![Delete(0)], vec![Insert(2)]],
    ];
    prove_if_asked(&Setup {
        losses: 2,
        crashes: 1,
        zombies: 1,
        restarts: 1,
        give_ups: 1,
        ..copied(
            "wide: there and back, every fault",
            &[Verb::Cutover, Verb::Rollback],
            scripts,
        )
    });
}
