//! Small worlds, and the walk through them.

use corridor_migration::Verb;
use corridor_model::application::Op;
use corridor_model::setup::Setup;
use corridor_model::story::{every_state_can_end, explore};

/// Every order of events keeps every property, and leaves a way to the end.
pub(crate) fn prove(setup: &Setup) {
    let outcome = explore(setup);
    for (property, story) in &outcome.broken {
        println!("{}: \"{property}\" does not hold:\n{story}", setup.name);
    }
    assert!(outcome.broken.is_empty(), "{}: see the story above", setup.name);
    let states = every_state_can_end(setup).unwrap_or_else(|story| panic!("{}: {story}", setup.name));
    assert_eq!(states, outcome.states, "two walks through the same world");
    println!(
        "{:<58} {:>9} states, {:>3} steps",
        setup.name, outcome.states, outcome.depth
    );
}

/// Two lanes, `[0, 2)` and `[2, 3)`; rows 0 and 1.
pub(crate) fn copy(name: &'static str, scripts: Vec<Vec<Vec<Op>>>) -> Setup {
    Setup {
        name,
        rows: vec![0, 1],
        lanes: vec![(0, 2), (2, 3)],
        scripts,
        round_limit: 2,
        rest_max: 2,
        appliers: 1,
        ..Setup::default()
    }
}

/// The same in one lane, `[0, 2)`.
pub(crate) fn lane(name: &'static str, scripts: Vec<Vec<Vec<Op>>>) -> Setup {
    Setup {
        lanes: vec![(0, 2)],
        ..copy(name, scripts)
    }
}

/// Copied and compared; what is left is the cut-over and what follows.
pub(crate) fn copied(name: &'static str, asks: &[Verb], scripts: Vec<Vec<Vec<Op>>>) -> Setup {
    Setup {
        is_copied: true,
        asks: asks.to_vec(),
        lanes: vec![(0, 3)],
        ..copy(name, scripts)
    }
}
