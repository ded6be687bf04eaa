//! What readers see of a swap, design by design.

use corridor_model::reader::{CAN_SWAP, Design, NO_CIRCLE, Reader, Scene, TRUE_ANSWERS};

const TODAY: Design = Design::OneTransaction {
    looks_for_snapshots: true,
};
const UNLOOKED: Design = Design::OneTransaction {
    looks_for_snapshots: false,
};
const TWO: Design = Design::TwoSessions {
    waits_for_snapshots: false,
};
const TWO_THAT_WAIT: Design = Design::TwoSessions {
    waits_for_snapshots: true,
};
const ALL: [Design; 5] = [TODAY, UNLOOKED, TWO, TWO_THAT_WAIT, Design::TwoLocks];
const REPEATABLE: [Reader; 2] = [Reader::ElsewhereFirst, Reader::TableFirst];

/// The properties that do not hold; their stories are printed.
fn broken(design: Design, reader: Reader) -> Vec<&'static str> {
    let scene = Scene {
        design,
        readers: vec![reader],
        only: None,
    };
    assert!(
        scene.story(CAN_SWAP).is_some(),
        "{design:?} with {reader:?} never swaps"
    );
    let tell = |property: &&'static str| {
        let story = scene.story(property);
        if let Some(story) = &story {
            println!("\n{design:?} with {reader:?}: \"{property}\" does not hold:\n{story}");
        }
        story.is_some()
    };
    [TRUE_ANSWERS, NO_CIRCLE].into_iter().filter(tell).collect()
}

#[test]
fn read_committed_is_never_deceived() {
    for design in ALL {
        assert_eq!(broken(design, Reader::ReadCommitted), [""; 0]);
    }
}

/// The swap looks for snapshots before it refreshes; one that is taken between the look and the commit is not seen.
#[test]
fn one_transaction_deceives_who_took_a_snapshot_before_it_and_comes_after_it() {
    for reader in REPEATABLE {
        assert_eq!(broken(UNLOOKED, reader), [TRUE_ANSWERS]);
        assert_eq!(broken(TODAY, reader), [TRUE_ANSWERS]);
    }
}

/// A second session that commits the refresh is not enough: a snapshot may be older than that commit.
#[test]
fn two_sessions_deceive_who_took_a_snapshot_before_the_refresh() {
    for reader in REPEATABLE {
        assert_eq!(broken(TWO, reader), [TRUE_ANSWERS]);
    }
}

/// With a wait for the snapshots that are older than the refresh nobody is deceived any more.
#[test]
fn who_waits_for_older_snapshots_deceives_nobody() {
    for design in [TWO_THAT_WAIT, Design::TwoLocks] {
        for reader in REPEATABLE {
            assert_eq!(broken(design, reader), [""; 0]);
        }
    }
}

/// The price of a lock in two steps: whoever has read and wants to write waits for the first step, and the second waits for
/// them. Two sessions, of which one queues before the other one lets go, have no such circle.
#[test]
fn a_lock_in_two_steps_meets_a_deadlock() {
    assert_eq!(broken(TODAY, Reader::ReadsThenWrites), [""; 0]);
    assert_eq!(broken(TWO, Reader::ReadsThenWrites), [NO_CIRCLE]);
    assert_eq!(broken(TWO_THAT_WAIT, Reader::ReadsThenWrites), [NO_CIRCLE]);
    assert_eq!(broken(Design::TwoLocks, Reader::ReadsThenWrites), [""; 0]);
}

/// Who waits for snapshots while writers are locked out, waits for a snapshot whose owner wants to write. The locks have
/// to be given back then.
#[test]
fn a_wait_for_snapshots_meets_who_holds_one_and_wants_to_write() {
    assert_eq!(
        broken(Design::TwoLocks, Reader::ReadsThenWritesRepeatable),
        [NO_CIRCLE]
    );
}
