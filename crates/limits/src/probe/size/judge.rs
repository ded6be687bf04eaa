//! What the figures mean. Pure.

use super::{
    BLOCKS_MAX, COLUMNS_MAX, COLUMNS_USED, LOCKS_HELD, Locks, PartitionTree, RELATION_BYTES, Relation,
    TREE_RELATIONS, Wide, plain, tree, whole,
};
use crate::fault::{COLUMNS_SHORT, LOCKS_SHORT, RELATION_SIZE, TREE_LOCKS};
use crate::finding::{Finding, Gauge, Remedy, Severity};
use crate::forecast::{self, Runway};
use crate::metric::Kind;
use crate::probe::Judging;
use crate::probe::bloat::{INDEX_BLOAT_RATIO, TABLE_BLOAT_RATIO};
use crate::probe::words::{bytes, grouped, identifier, percent, qualified};
use crate::tree::Facts;

const DAY_S: f64 = 86_400.0;
const TB: f64 = 1_099_511_627_776.0;
/// Younger than this share, a doubling says nothing yet.
const SHARE_YOUNG: f64 = 0.1;
/// A partition should stay below this: it can still be vacuumed, copied and restored in hours.
const PARTITION_BYTES: f64 = TB;
/// So far ahead partitions are counted.
const YEARS: f64 = 5.0;

/// From which share, and from how many days left on, it is a notice, a warning, critical.
struct Marks {
    notice: f64,
    warning: f64,
    critical: f64,
    warning_days: f64,
    critical_days: f64,
}

/// A copy of tens of TB takes weeks: it is said early.
const SIZE_MARKS: Marks = Marks {
    notice: 0.4,
    warning: 0.6,
    critical: 0.85,
    warning_days: 365.0,
    critical_days: 90.0,
};
const COLUMN_MARKS: Marks = Marks {
    notice: 0.5,
    warning: 0.75,
    critical: 0.95,
    warning_days: 180.0,
    critical_days: 14.0,
};

impl Marks {
    fn severity(&self, share: f64, runway: Runway) -> Option<Severity> {
        let days = runway.days_mid().filter(|_| share >= SHARE_YOUNG);
        if share >= self.critical || days.is_some_and(|days| days < self.critical_days) {
            Some(Severity::Critical)
        } else if share >= self.warning || days.is_some_and(|days| days < self.warning_days) {
            Some(Severity::Warning)
        } else {
            (share >= self.notice).then_some(Severity::Notice)
        }
    }
}

/// A table, a TOAST relation or an index against 2^32 - 1 blocks.
pub(super) fn relation(relation: &Relation, judging: &Judging<'_>) -> Option<Finding> {
    let object = relation.object();
    let (used, capacity) = (relation.bytes(), BLOCKS_MAX * relation.block_bytes);
    let share = used / capacity;
    let series = judging.series(&RELATION_BYTES, &object, used);
    let growth = forecast::growth(&series, Kind::Gauge).ok();
    let runway = forecast::runway(&series, Kind::Gauge, used, capacity);
    let severity = SIZE_MARKS.severity(share, runway)?;
    let kind = match (relation.is_index, relation.is_toast) {
        (true, _) => "an index",
        (_, true) => "a TOAST relation",
        _ => "a table",
    };
    let headline = format!("{} of the {} that {kind} can have", bytes(used), bytes(capacity));
    let mut finding = Finding::new(&RELATION_SIZE, &object, severity, headline);
    finding.runway = runway;
    finding.gauge = Some(Gauge {
        used,
        standard_error: None,
        capacity,
        unit: "bytes",
    });
    let source = if relation.is_measured {
        "pg_relation_size()"
    } else {
        "pg_class, as of the last vacuum"
    };
    finding.fact("pages", grouped(relation.pages), source);
    finding.growth(growth.as_ref(), bytes);
    if !relation.is_index {
        finding.fact("dead rows", percent(relation.dead_share()), "pg_stat_all_tables");
    }
    // The probe of bloat reads pages; what it has found last is in the history.
    let metric = if relation.is_index {
        &INDEX_BLOAT_RATIO
    } else {
        &TABLE_BLOAT_RATIO
    };
    let bloat = judging.past.series(metric, &object).last().map(|p| p.value);
    if let Some(bloat) = bloat {
        finding.fact("dead or free", percent(bloat), "the last check of bloat");
    }
    let then = used + growth.map_or(0.0, |g| g.per_s.max(0.0)) * DAY_S * 365.25 * YEARS;
    let mut facts = Facts::default();
    facts
        .flag("is_index", relation.is_index)
        .maybe("dead_share", (!relation.is_index).then(|| relation.dead_share()))
        .maybe("bloat", bloat)
        .number("partitions", partitions_for(then))
        .text(
            "relation",
            qualified(&relation.relation_schema, &relation.relation_name),
        )
        .text("table", qualified(&relation.schema, &relation.table))
        .text(
            "whole",
            whole(relation.root.as_ref(), &relation.schema, &relation.table),
        );
    if let Some(column) = &relation.key_column {
        facts.text("key_column", identifier(column));
    }
    finding.advice = Some(tree::RELATION.walk(&facts));
    if !relation.is_index {
        finding.remedies = vec![Remedy::Vacuum {
            schema: relation.relation_schema.clone(),
            relation: relation.relation_name.clone(),
        }];
    }
    Some(finding)
}

/// As many as keep each of them below a TB, a power of two.
pub(super) fn partitions_for(total_bytes: f64) -> f64 {
    let mut partitions = 8.0;
    while partitions * PARTITION_BYTES < total_bytes && partitions < 1_024.0 {
        partitions *= 2.0;
    }
    partitions
}

/// Column numbers against 1,600.
pub(super) fn columns(wide: &Wide, judging: &Judging<'_>) -> Option<Finding> {
    let object = plain(&wide.schema, &wide.table);
    let share = wide.used / COLUMNS_MAX;
    let series = judging.series(&COLUMNS_USED, &object, wide.used);
    let growth = forecast::growth(&series, Kind::Gauge).ok();
    let runway = forecast::runway(&series, Kind::Gauge, wide.used, COLUMNS_MAX);
    let severity = COLUMN_MARKS.severity(share, runway)?;
    let headline = format!(
        "{} of {} column numbers are used up, {} of them by columns that were dropped",
        grouped(wide.used),
        grouped(COLUMNS_MAX),
        grouped(wide.dropped)
    );
    let mut finding = Finding::new(&COLUMNS_SHORT, object, severity, headline);
    finding.runway = runway;
    finding.gauge = Some(Gauge {
        used: wide.used,
        standard_error: None,
        capacity: COLUMNS_MAX,
        unit: "columns",
    });
    finding.fact("columns now", grouped(wide.used - wide.dropped), "pg_attribute");
    finding.growth(growth.as_ref(), |columns| format!("{columns:.1} columns"));
    let mut facts = Facts::default();
    facts
        .number("dropped_share", wide.dropped / wide.used.max(1.0))
        .text("whole", whole(wide.root.as_ref(), &wide.schema, &wide.table));
    finding.advice = Some(tree::COLUMNS.walk(&facts));
    Some(finding)
}

/// The locks of a query over a whole tree.
pub(super) fn partitions(
    partition_tree: &PartitionTree,
    locks: &Locks,
    server_version_num: i32,
    judging: &Judging<'_>,
) -> Option<Finding> {
    let relations = partition_tree.relations;
    let sessions = locks.sessions_to_fill(relations, server_version_num)?;
    let severity = match sessions {
        s if s <= 2.0 => Severity::Critical,
        s if s <= 10.0 => Severity::Warning,
        s if s <= 25.0 => Severity::Notice,
        _ => return None,
    };
    let object = plain(&partition_tree.schema, &partition_tree.table);
    let who = match sessions {
        s if s <= 1.0 => "one session fills".to_owned(),
        s => format!("{} sessions that do it at once fill", grouped(s)),
    };
    let headline = format!(
        "a query over all {} partitions locks {} relations: {who} the table of locks",
        grouped(partition_tree.partitions),
        grouped(relations)
    );
    let mut finding = Finding::new(&TREE_LOCKS, &object, severity, headline);
    finding.fact(
        "room in the table of locks",
        format!(
            "{} objects, {} holders of them",
            grouped(locks.objects_max()),
            grouped(locks.holders_max())
        ),
        "max_locks_per_transaction * (max_connections + max_prepared_transactions)",
    );
    finding.fact(
        "locks that a session keeps for itself",
        grouped(locks.fast_path(server_version_num)),
        if server_version_num < 180_000 {
            "always 16 before PostgreSQL 18"
        } else {
            "max_locks_per_transaction, up to the next power of two"
        },
    );
    let each = partition_tree.bytes / partition_tree.partitions.max(1.0);
    finding.fact(
        "average partition",
        bytes(each),
        "pg_class, as of the last vacuum",
    );
    let series = judging.series(&TREE_RELATIONS, &object, relations);
    let growth = forecast::growth(&series, Kind::Gauge).ok();
    finding.growth(growth.as_ref(), |n| format!("{n:.1} relations"));
    let mut facts = Facts::default();
    facts
        .flag("is_alone", sessions <= 1.0)
        .number("partition_bytes", each)
        .number("wanted_locks", wanted_locks(relations, locks))
        .number("partitions", partitions_for(partition_tree.bytes))
        .text("table", qualified(&partition_tree.schema, &partition_tree.table));
    if let Some(columns) = partition_tree.partition_key.as_deref().and_then(hash_columns) {
        facts.text("hash_columns", columns);
    }
    finding.advice = Some(tree::PARTITIONS.walk(&facts));
    Some(finding)
}

/// `HASH (a, b)`: the columns, as SQL needs them.
fn hash_columns(partition_key: &str) -> Option<&str> {
    partition_key.strip_prefix("HASH (")?.strip_suffix(')')
}

/// So many for each transaction that a quarter of the sessions may lock the whole tree at once: a power of two.
pub(super) fn wanted_locks(relations: f64, locks: &Locks) -> f64 {
    let mut wanted = locks.locks_each.max(64.0);
    let room = |each: f64| Locks {
        locks_each: each,
        ..*locks
    };
    let is_enough = |each: f64| {
        room(each).objects_max() > 2.0 * relations
            && room(each).holders_max() >= relations * (locks.max_connections / 4.0).max(1.0)
    };
    while !is_enough(wanted) && wanted < 65_536.0 {
        wanted = (2.0 * wanted).ceil();
    }
    wanted
}

/// The table of locks as it is now.
pub(super) fn locks(locks: &Locks, judging: &Judging<'_>) -> Option<Finding> {
    let share = locks.share();
    let severity = match share {
        s if s >= 0.9 => Severity::Critical,
        s if s >= 0.6 => Severity::Warning,
        _ => return None,
    };
    let headline = format!("{} of the table of locks is taken", percent(share));
    let mut finding = Finding::new(&LOCKS_SHORT, "cluster", severity, headline);
    let series = judging.series(&LOCKS_HELD, "", share);
    finding.runway = forecast::runway(&series, Kind::Gauge, share, 1.0);
    finding.gauge = Some(Gauge {
        used: share * locks.holders_max(),
        standard_error: None,
        capacity: locks.holders_max(),
        unit: "locks",
    });
    let source = "pg_locks, without the fast path";
    let of = |used: f64, all: f64| format!("{}; room for {} by the settings", grouped(used), grouped(all));
    finding.fact("objects", of(locks.objects, locks.objects_max()), source);
    finding.fact("holders", of(locks.holders, locks.holders_max()), source);
    finding.fact(
        "most of them",
        match locks.top_pid {
            Some(pid) => format!("{} by session {pid}", grouped(locks.top_places)),
            None => format!("{} by a prepared transaction", grouped(locks.top_places)),
        },
        source,
    );
    let mut facts = Facts::default();
    facts
        .number("top_share", locks.top_places / locks.holders.max(1.0))
        .number("wanted_locks", (2.0 * locks.locks_each).max(64.0))
        .maybe("pid", locks.top_pid.map(f64::from));
    finding.advice = Some(tree::LOCKS.walk(&facts));
    Some(finding)
}
