//! The pieces that the statements of a mirror are made of. Pure text from a [`MirrorSpec`].

use corridor_pg::ident::join;
use corridor_pg::{Ident, Literal, QualifiedName};

use crate::spec::{Digest, MirrorSpec};

/// A key as text, one entry for each key column, in the column's text form. Lossless under the session's settings.
pub type KeyText = Vec<String>;

/// A half-open range of keys; `None` is no bound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Range {
    /// Inclusive.
    pub from: Option<KeyText>,
    /// Exclusive.
    pub to: Option<KeyText>,
}

/// One of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

impl MirrorSpec {
    /// The table of this side.
    pub(crate) fn relation(&self, side: Side) -> &QualifiedName {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// The key's columns by their names on this side.
    pub(crate) fn key_names(&self, side: Side) -> impl Iterator<Item = &Ident> {
        self.key.iter().map(move |k| match side {
            Side::Source => &k.name,
            Side::Target => k.target_name(),
        })
    }

    /// `s.team_id, s.id`: the key's columns of the source.
    pub(crate) fn key_of(&self, alias: &str) -> String {
        self.key_on(Side::Source, alias)
    }

    /// The key's columns of this side.
    pub(crate) fn key_on(&self, side: Side, alias: &str) -> String {
        join(self.key_names(side).map(|k| format!("{alias}.{k}")), ", ")
    }

    /// `s.team_id as k1, s.id as k2`.
    pub(crate) fn key_as_own(&self, side: Side, alias: &str) -> String {
        let names = self.key_names(side).enumerate();
        join(names.map(|(i, k)| format!("{alias}.{k} as k{}", i + 1)), ", ")
    }

    /// `c.k1, c.k2`: the key in one of the mirror's own tables.
    pub(crate) fn own_key(&self, alias: &str, prefix: &str) -> String {
        join((1..=self.key.len()).map(|i| format!("{alias}.{prefix}{i}")), ", ")
    }

    /// `k1, k2`.
    pub(crate) fn own_columns(&self, prefix: &str) -> String {
        join((1..=self.key.len()).map(|i| format!("{prefix}{i}")), ", ")
    }

    /// `s.team_id = k.k1 and s.id = k.k2`.
    pub(crate) fn key_equals_own(&self, side: Side, alias: &str, own: &str, prefix: &str) -> String {
        let pairs = self.key_names(side).enumerate();
        join(
            pairs.map(|(i, k)| format!("{alias}.{k} = {own}.{prefix}{}", i + 1)),
            " and ",
        )
    }

    /// `s.team_id::text, s.id::text` for reading a key.
    pub(crate) fn key_as_text(&self, alias: &str) -> String {
        join(self.key.iter().map(|k| format!("{alias}.{}::text", k.name)), ", ")
    }

    /// `'5'::bigint, 'x'::text`: a key as constants of its own types.
    pub(crate) fn key_literal(&self, key: &KeyText) -> String {
        join(
            self.key
                .iter()
                .zip(key)
                .map(|(k, v)| format!("{}::{}", Literal(v), k.type_sql)),
            ", ",
        )
    }

    /// The key of the source's `alias` lies in `range`, as an index condition: row comparisons with constants of the key's
    /// own types.
    pub fn in_range(&self, alias: &str, range: &Range) -> String {
        self.is_in_range(Side::Source, alias, range)
    }

    /// The same on this side.
    pub(crate) fn is_in_range(&self, side: Side, alias: &str, range: &Range) -> String {
        self.bounded(&self.key_on(side, alias), range)
    }

    /// The same for one of the mirror's own tables.
    pub(crate) fn own_in_range(&self, alias: &str, prefix: &str, range: &Range) -> String {
        self.bounded(&self.own_key(alias, prefix), range)
    }

    fn bounded(&self, key: &str, range: &Range) -> String {
        let from = range
            .from
            .as_ref()
            .map(|k| format!("({key}) >= ({})", self.key_literal(k)));
        let to = range
            .to
            .as_ref()
            .map(|k| format!("({key}) < ({})", self.key_literal(k)));
        match (from, to) {
            (None, None) => "true".to_owned(),
            (Some(one), None) | (None, Some(one)) => one,
            (Some(from), Some(to)) => format!("{from} and {to}"),
        }
    }

    /// `a, b, c`: the copied columns.
    pub(crate) fn column_list(&self) -> String {
        join(self.columns.iter().map(|c| &c.name), ", ")
    }

    /// `s.a, s.b, s.first || s.last`: what is written, of the source's row `s`.
    pub(crate) fn values(&self) -> String {
        join(
            self.columns.iter().map(|c| match &c.value {
                Some(value) => format!("({})", value.sql),
                None => format!("s.{}", c.name),
            }),
            ", ",
        )
    }

    /// The 64-bit digest of a row; the source's row is called `s`, the target's `t`.
    pub(crate) fn digest_on(&self, side: Side) -> String {
        let columns = self.columns.iter().filter_map(|c| {
            let value = match (side, &c.value) {
                (Side::Source, Some(value)) => format!("({})", value.stored_sql),
                (Side::Source, None) => format!("s.{}", c.name),
                (Side::Target, _) => format!("t.{}", c.name),
            };
            match c.digest {
                Digest::Native => Some(value),
                Digest::Text => Some(format!("{value}::text collate \"C\"")),
                Digest::Json => Some(format!("{value}::jsonb::text collate \"C\"")),
                Digest::Nothing => None,
            }
        });
        format!("hash_record_extended(row({}), 0)", join(columns, ", "))
    }

    /// Stored bytes of what is copied of the source's row, without fetching what is out of line.
    pub(crate) fn stored_bytes_of(&self, alias: &str) -> String {
        let mut read: Vec<&Ident> = Vec::new();
        for column in &self.columns {
            match &column.value {
                Some(value) => read.extend(&value.reads),
                None => read.push(&column.name),
            }
        }
        read.sort();
        read.dedup();
        // 28: tuple header and line pointer.
        join(
            std::iter::once("28".to_owned()).chain(
                read.iter()
                    .map(|name| format!("coalesce(pg_column_size({alias}.{name}), 0)")),
            ),
            " + ",
        )
    }

    /// The key `own` lies in what lane `l` has copied, as the statement's snapshot sees the lane.
    pub(crate) fn is_copied(&self, key: &str) -> String {
        let (lo, hi, at) = (
            self.own_key("l", "lo"),
            self.own_key("l", "hi"),
            self.own_key("l", "at"),
        );
        format!(
            "(l.lo1 is null or ({key}) >= ({lo})) and \
             case when l.is_done then l.hi1 is null or ({key}) < ({hi}) \
             else l.at1 is not null and ({key}) < ({at}) end"
        )
    }

    /// The key `own` lies in what lane `l` has copied or claimed.
    pub(crate) fn is_claimed(&self, key: &str) -> String {
        let (lo, hi, at) = (
            self.own_key("l", "lo"),
            self.own_key("l", "hi"),
            self.own_key("l", "at"),
        );
        let claim = self.own_key("l", "claim");
        format!(
            "(l.lo1 is null or ({key}) >= ({lo})) and \
             case when l.is_done or l.claim_kind = 'end' then l.hi1 is null or ({key}) < ({hi}) \
             when l.claim_kind = 'key' then ({key}) < ({claim}) \
             else l.at1 is not null and ({key}) < ({at}) end"
        )
    }
}

/// Settings of every statement that looks keys up: the index, never a scan of the whole table, whatever the
/// statistics of a table that is still being filled say. JIT would cost more than these short statements.
pub(crate) const LOOKUP_SETTINGS: &str = "set local enable_seqscan = off; set local enable_hashjoin = off; \
     set local enable_mergejoin = off; set local enable_bitmapscan = off; set local jit = off; set local max_parallel_workers_per_gather = 0; \
     set local plan_cache_mode = force_custom_plan; set constraints all immediate";

/// Settings of statements that read a key range in order.
pub(crate) const RANGE_SETTINGS: &str = "set local enable_seqscan = off; set local enable_bitmapscan = off; set local jit = off; set local max_parallel_workers_per_gather = 0; \
     set constraints all immediate";

/// Settings of statements that read a key range in any order: where the rows of a range lie scattered over the table, a
/// bitmap visits each page once.
pub(crate) const COMPARE_SETTINGS: &str =
    "set local enable_seqscan = off; set local jit = off; set local max_parallel_workers_per_gather = 0";
