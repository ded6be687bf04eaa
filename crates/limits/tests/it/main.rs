//! Probes against databases in which the truth was made.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod amplification;
mod bloat;
mod felt;
mod history;
mod horizon;
mod indexes;
mod made;
mod many;
mod past;
mod scene;
mod sequences;
mod size;
mod slots;
mod toast;
mod vacuum;
mod wraparound;
