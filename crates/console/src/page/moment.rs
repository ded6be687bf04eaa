//! Times. A page has them in UTC; a script turns them into the reader's own zone.

/// A time as a template writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339, for `datetime`.
    pub(crate) at: String,
    /// `2026-11-20 10:25:29Z`.
    pub(crate) words: String,
}

impl Moment {
    pub(crate) fn new(at: &str) -> Moment {
        Moment {
            at: at.to_owned(),
            words: corridor_migration::words::moment(at),
        }
    }

    pub(crate) fn of(at: Option<&String>) -> Option<Moment> {
        at.map(|at| Moment::new(at))
    }
}
