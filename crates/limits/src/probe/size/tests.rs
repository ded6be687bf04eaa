#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use super::*;
use crate::Severity;
use crate::probe::bloat::{INDEX_BLOAT_RATIO, TABLE_BLOAT_RATIO};
use crate::sample::{Past, Point};

const NOW_S: f64 = 1_800_000_000.0;
const TB: f64 = 1_099_511_627_776.0;

fn heap(bytes: f64) -> Relation {
    Relation {
        relation_schema: "public".to_owned(),
        relation_name: "events".to_owned(),
        schema: "public".to_owned(),
        table: "events".to_owned(),
        pages: bytes / 8_192.0,
        block_bytes: 8_192.0,
        key_column: Some("id".to_owned()),
        ..Relation::default()
    }
}

fn judge(size: &Size, past: &Past) -> Vec<Finding> {
    size.judge(&Judging { past, now_s: NOW_S })
}

fn judge_relation(relation: Relation, past: &Past) -> Option<Finding> {
    let size = Size {
        relations: vec![relation],
        ..Size::default()
    };
    judge(&size, past).pop()
}

/// Four days of hourly points that end at `now`.
fn grown(metric: &Metric, object: &str, now: f64, per_day: f64) -> Past {
    let mut past = Past::default();
    for hour in 1..=96 {
        let point = Point {
            at_s: NOW_S - f64::from(hour) * 3_600.0,
            value: now - per_day / 24.0 * f64::from(hour),
        };
        past.push(metric.name, object, point);
    }
    past
}

#[test]
fn a_relation_ends_at_its_last_block() {
    use Severity::*;
    let severity = |tb: f64| judge_relation(heap(tb * TB), &Past::default()).map(|f| f.severity);
    assert_eq!(severity(12.7), None);
    assert_eq!(severity(12.9), Some(Notice));
    assert_eq!(severity(19.1), Some(Notice));
    assert_eq!(severity(19.3), Some(Warning));
    assert_eq!(severity(27.1), Some(Warning));
    assert_eq!(severity(27.3), Some(Critical));
    let finding = judge_relation(heap(28.0 * TB), &Past::default()).unwrap();
    assert_eq!(finding.headline, "28.0 TB of the 32.0 TB that a table can have");
    // Blocks of 32 kB: four times as much.
    let wide = Relation {
        block_bytes: 32_768.0,
        pages: 28.0 * TB / 32_768.0,
        ..heap(0.0)
    };
    assert!(judge_relation(wide, &Past::default()).is_none());
}

#[test]
fn days_come_from_its_own_growth_and_its_window_is_said() {
    let (now, per_day) = (8.0 * TB, 0.1 * TB);
    let past = grown(&RELATION_BYTES, "public.events", now, per_day);
    let finding = judge_relation(heap(now), &past).unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    let days = finding.runway.days_mid().unwrap();
    assert!((days - 240.0).abs() < 2.0, "{days}");
    let fact = finding.facts.iter().find(|f| f.name == "grows by").unwrap();
    assert_eq!(fact.text, "102 GB a day, over the last 4 days");
    // 8 TB and 183 TB more in five years: 256 partitions of a TB at most.
    let command = finding.advice.unwrap().command.unwrap();
    assert_eq!(
        command,
        "corridor move 'public.events' --partition-by 'hash(id)' --partitions 256 --execute"
    );
    // The same growth of a small table is no matter yet.
    let past = grown(&RELATION_BYTES, "public.events", TB, per_day);
    assert!(judge_relation(heap(TB), &past).is_none());
}

#[test]
fn what_is_dead_or_free_is_not_partitioned_but_written_anew() {
    let way = |relation: Relation, past: &Past| {
        let advice = judge_relation(relation, past).unwrap().advice.unwrap();
        (advice.way, advice.command.unwrap_or_default())
    };
    let bloated = |metric: &Metric, object: &str| {
        let mut past = Past::default();
        let point = Point {
            at_s: NOW_S - 3_600.0,
            value: 0.7,
        };
        past.push(metric.name, object, point);
        past
    };
    let past = bloated(&TABLE_BLOAT_RATIO, "public.events");
    assert_eq!(
        way(heap(20.0 * TB), &past),
        (
            "repack",
            "corridor move 'public.events' --same-shape --execute".to_owned()
        )
    );
    let dead = Relation {
        live_rows: 3e9,
        dead_rows: 1e9,
        ..heap(20.0 * TB)
    };
    assert_eq!(way(dead, &past).0, "vacuum");
    let index = Relation {
        is_index: true,
        relation_name: "events_pkey".to_owned(),
        ..heap(20.0 * TB)
    };
    let past = bloated(&INDEX_BLOAT_RATIO, "public.events_pkey");
    assert_eq!(
        way(index.clone(), &past),
        (
            "rebuild",
            "reindex index concurrently public.events_pkey".to_owned()
        )
    );
    assert_eq!(way(index, &Past::default()).0, "partition");
    // A partition: the whole tree is moved. A TOAST relation: its table.
    let leaf = Relation {
        root: Some(("Main".to_owned(), "events".to_owned())),
        is_toast: true,
        relation_schema: "pg_toast".to_owned(),
        relation_name: "pg_toast_1".to_owned(),
        ..heap(20.0 * TB)
    };
    assert_eq!(leaf.object(), "TOAST of public.events");
    let command = way(leaf, &Past::default()).1;
    assert!(
        command.starts_with("corridor move '\"Main\".events' --partition-by"),
        "{command}"
    );
}

#[test]
fn columns_count_when_they_are_dropped_too() {
    let wide = |used, dropped| Size {
        wide: vec![Wide {
            schema: "public".to_owned(),
            table: "wide".to_owned(),
            root: None,
            used,
            dropped,
        }],
        ..Size::default()
    };
    let of = |used, dropped| judge(&wide(used, dropped), &Past::default()).pop();
    assert!(of(799.0, 700.0).is_none());
    assert_eq!(of(800.0, 700.0).unwrap().severity, Severity::Notice);
    assert_eq!(of(1_200.0, 700.0).unwrap().severity, Severity::Warning);
    let finding = of(1_520.0, 1_500.0).unwrap();
    assert_eq!(finding.severity, Severity::Critical);
    assert_eq!(
        finding.advice.unwrap().command.unwrap(),
        "corridor move 'public.wide' --same-shape --execute"
    );
    // A copy would have nearly as many.
    assert_eq!(of(1_520.0, 20.0).unwrap().advice.unwrap().way, "fewer-columns");
    let past = grown(&COLUMNS_USED, "public.wide", 400.0, 24.0);
    let finding = judge(&wide(400.0, 390.0), &past).pop().unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    assert!((finding.runway.days_mid().unwrap() - 50.0).abs() < 1.0);
}

/// As a fresh server has it.
fn usual() -> Locks {
    Locks {
        locks_each: 64.0,
        max_connections: 100.0,
        ..Locks::default()
    }
}

#[test]
fn the_fast_path_is_that_of_the_version() {
    let of = |locks_each: f64, version| {
        Locks {
            locks_each,
            ..usual()
        }
        .fast_path(version)
    };
    assert_eq!(of(64.0, 170_006), 16.0);
    assert_eq!(of(64.0, 180_000), 64.0);
    assert_eq!(of(10.0, 180_000), 16.0);
    assert_eq!(of(100.0, 180_000), 128.0);
    assert_eq!(of(1e6, 180_000), 16_384.0);
}

#[test]
fn few_sessions_that_lock_a_whole_tree_fill_the_table() {
    let locks = usual();
    // 6,400 objects, 12,800 holders.
    assert_eq!(locks.sessions_to_fill(16.0, 170_000), None);
    assert_eq!(locks.sessions_to_fill(17.0, 170_000), Some(12_800.0));
    assert_eq!(locks.sessions_to_fill(64.0, 180_000), None);
    assert_eq!(locks.sessions_to_fill(1_296.0, 170_000), Some(10.0));
    assert_eq!(locks.sessions_to_fill(6_416.0, 170_000), Some(1.0));
    let tree = |relations: f64, bytes: f64| Size {
        server_version_num: 170_000,
        locks: Some(locks),
        trees: vec![PartitionTree {
            schema: "public".to_owned(),
            table: "events".to_owned(),
            partitions: relations / 4.0,
            relations,
            bytes,
            partition_key: Some("HASH (team_id, \"Id\")".to_owned()),
        }],
        ..Size::default()
    };
    let of = |relations, bytes| judge(&tree(relations, bytes), &Past::default()).pop();
    assert!(of(256.0, TB).is_none());
    assert_eq!(of(600.0, TB).unwrap().severity, Severity::Notice);
    let finding = of(1_500.0, TB).unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(
        finding.headline,
        "a query over all 375 partitions locks 1,500 relations: 9 sessions that do it at once fill the table of locks"
    );
    // 2.8 GB each: they are what they should be. A quarter of the sessions: 25 * 1,500 holders.
    let advice = finding.advice.unwrap();
    assert_eq!(
        advice.command.unwrap(),
        "alter system set max_locks_per_transaction = 256"
    );
    let small = of(1_500.0, 1e9).unwrap().advice.unwrap();
    assert_eq!(
        small.command.unwrap(),
        "corridor move 'public.events' --partition-by 'hash(team_id, \"Id\")' --partitions 8 --execute"
    );
    let alone = of(8_000.0, 1e9).unwrap();
    assert_eq!(
        (alone.severity, alone.advice.unwrap().way),
        (Severity::Critical, "more-locks")
    );
}

#[test]
fn a_table_of_locks_that_fills_up_is_said_with_its_holder() {
    let held = |objects, holders, top_places| {
        let locks = Locks {
            objects,
            holders,
            top_places,
            top_pid: Some(4_711),
            ..usual()
        };
        let size = Size {
            locks: Some(locks),
            ..Size::default()
        };
        judge(&size, &Past::default()).pop()
    };
    assert!(held(3_800.0, 3_800.0, 3_000.0).is_none());
    let finding = held(3_900.0, 3_900.0, 3_000.0).unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    let advice = finding.advice.unwrap();
    assert_eq!(advice.way, "look-at-the-holder");
    assert!(advice.command.unwrap().ends_with("where pid = 4711"));
    // Many sessions with the same objects.
    let finding = held(1_000.0, 11_600.0, 1_000.0).unwrap();
    assert_eq!(finding.severity, Severity::Critical);
    let advice = finding.advice.unwrap();
    assert_eq!(
        advice.command.unwrap(),
        "alter system set max_locks_per_transaction = 128"
    );
}
