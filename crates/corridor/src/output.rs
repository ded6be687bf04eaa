//! Everything that is shown. Data goes to stdout, everything else to stderr.
//!
//! - [`streams`]: the two streams, and what happens when nobody reads them any more.
//! - [`text`]: width, wrapping, and text that cannot do harm to a terminal.
//! - [`table`]: columns of text.
//! - [`number`]: figures, sizes and durations for people.
//! - [`density`]: shares over a space in one line.
//! - [`check`], [`collector`], [`plan`], [`status`], [`verification`], [`settings`], [`grants`], [`journal`], [`lint`], [`fault`], [`page`], [`outcome`]: one thing that is
//!   shown, one file.
//! - [`board`], with [`row`] and [`pace`]: what `status --watch` draws: lines, rates, estimates, trends.
//! - [`progress`]: what a running move says: a bar on a terminal, lines elsewhere, JSON when it was asked for.
//!
//! **Invariant:** nothing is wider than [`WIDTH`] columns, save a single word that is, and the names and states of
//! `migration list`, which has one line for each migration where it goes into a pipe; a control character reaches a
//! terminal only from here, and only when it is one.

pub(crate) mod board;
pub(crate) mod check;
pub(crate) mod collector;
pub(crate) mod density;
pub(crate) mod fault;
pub(crate) mod grants;
pub(crate) mod journal;
pub(crate) mod lint;
pub(crate) mod migration;
pub(crate) mod number;
pub(crate) mod outcome;
pub(crate) mod pace;
pub(crate) mod page;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod row;
pub(crate) mod settings;
pub(crate) mod status;
pub(crate) mod streams;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod verification;

pub(crate) use streams::Output;

/// The columns that everything fits into: a pager, a mail and an incident channel have no more.
pub(crate) const WIDTH: usize = 80;

/// The version of every JSON document. A field may be added; one that goes or changes its meaning is a new version.
pub(crate) const JSON_VERSION: u32 = 1;
