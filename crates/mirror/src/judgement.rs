//! What a round may do with a change: the one decision on which the rule stands. Pure.
//!
//! The two facts come from two statements, see [`crate::refresh`]; the model of the protocol (`crates/model`) calls the
//! same function.

/// What a round does with one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// The key is copied: refresh it, and forget the change.
    Refresh,
    /// The chunk that will copy the key is certain to see the change: forget it.
    Forget,
    /// A chunk that may have the key is in flight, and nobody can say whose snapshot is newer: leave it for the next round.
    Leave,
}

/// Decides about one change.
///
/// - `is_copied`: a lane has copied the key, *as the round's own snapshot sees the lanes*. Looked at later, the answer may
///   speak of rows that the snapshot does not have: the refresh would delete nothing, and leave a ghost.
/// - `is_claimed_afterwards`: a lane has copied or claimed the key, in a snapshot that is *not older* than the round's.
///   Looked at before, the answer may miss a claim whose chunk read the key before the change. The round's own snapshot would
///   do: a claim that it does not see was made after it, and the snapshot of that claim's chunk is younger still.
pub fn fate(is_copied: bool, is_claimed_afterwards: bool) -> Fate {
    match (is_copied, is_claimed_afterwards) {
        (true, _) => Fate::Refresh,
        (false, false) => Fate::Forget,
        (false, true) => Fate::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_is_forgotten() {
        assert_eq!(fate(true, true), Fate::Refresh);
        assert_eq!(fate(true, false), Fate::Refresh);
        assert_eq!(fate(false, false), Fate::Forget);
        assert_eq!(fate(false, true), Fate::Leave);
    }
}
