//! Figures, sizes and durations for people: the same on the terminal as on a page.

pub(crate) use corridor_migration::words::number::*;
