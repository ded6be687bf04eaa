#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use super::*;
use crate::sample::{Past, Point};

const NOW_S: f64 = 1_800_000_000.0;
const INT_MAX: f64 = 2_147_483_647.0;

/// A bigint sequence that feeds an integer key of a large table.
fn orders(last_value: f64) -> Sequence {
    Sequence {
        name: "public.orders_id_seq".to_owned(),
        table: Some("public.orders".to_owned()),
        column: Some("id".to_owned()),
        is_owned: true,
        has_owner: true,
        type_name: "bigint".to_owned(),
        min: 1.0,
        max: i64::MAX as f64,
        column_max: Some(INT_MAX),
        start: 1.0,
        increment: 1.0,
        cache: 1.0,
        may_read: true,
        last_value: Some(last_value),
        pages: 1e6,
        is_unique: true,
        ..Sequence::default()
    }
}

fn judge(sequence: Sequence, past: &Past) -> Vec<Finding> {
    let facts = Sequences {
        sequences: vec![sequence],
        ..Sequences::default()
    };
    facts.judge(&Judging { past, now_s: NOW_S })
}

fn severity_of(sequence: Sequence) -> Option<Severity> {
    judge(sequence, &Past::default()).first().map(|f| f.severity)
}

#[test]
fn a_bigint_sequence_ends_with_the_integer_column_that_it_feeds() {
    use Severity::*;
    assert_eq!(severity_of(orders(INT_MAX * 0.49)), None);
    assert_eq!(severity_of(orders(INT_MAX * 0.51)), Some(Notice));
    assert_eq!(severity_of(orders(INT_MAX * 0.74)), Some(Notice));
    assert_eq!(severity_of(orders(INT_MAX * 0.76)), Some(Warning));
    assert_eq!(severity_of(orders(INT_MAX * 0.89)), Some(Warning));
    assert_eq!(severity_of(orders(INT_MAX * 0.91)), Some(Critical));
    let wide = Sequence {
        column_max: Some(i64::MAX as f64),
        ..orders(INT_MAX * 2.0)
    };
    assert_eq!(severity_of(wide), None);
}

#[test]
fn days_come_from_its_own_past() {
    let past = |per_day: f64, now: f64| {
        let mut past = Past::default();
        for hour in 1..=96 {
            let point = Point {
                at_s: NOW_S - f64::from(hour) * 3_600.0,
                value: now - per_day / 24.0 * f64::from(hour),
            };
            past.push("key_value", "public.orders.id", point);
        }
        past
    };
    let now = 1e9;
    let severity = |per_day: f64| {
        judge(orders(now), &past(per_day, now))
            .first()
            .map(|f| f.severity)
    };
    assert_eq!(severity(1e6), None); // 1,147 days
    assert_eq!(severity(7e6), Some(Severity::Warning)); // 164 days
    assert_eq!(severity(50e6), Some(Severity::Critical)); // 23 days
    let findings = judge(orders(now), &past(10e6, now));
    let days = findings[0].runway.days_mid().unwrap();
    assert!((days - (INT_MAX - now) / 10e6).abs() < 1.0, "{days}");
}

#[test]
fn descending_cycling_and_hidden_sequences() {
    let down = Sequence {
        increment: -1.0,
        min: -INT_MAX - 1.0,
        max: -1.0,
        start: -1.0,
        type_name: "integer".to_owned(),
        ..orders(-INT_MAX * 0.8)
    };
    let (used, capacity) = down.used().unwrap();
    assert!((used - INT_MAX * 0.8).abs() < 1.0 && (capacity - INT_MAX - 1.0).abs() < 1.0);
    assert_eq!(severity_of(down), Some(Severity::Warning));
    let cycle = |is_unique| Sequence {
        is_cycle: true,
        is_unique,
        column_max: Some(i64::MAX as f64),
        max: 1_000.0,
        ..orders(990.0)
    };
    assert_eq!(severity_of(cycle(false)), None);
    assert_eq!(severity_of(cycle(true)), Some(Severity::Critical));
    let hidden = Sequence {
        may_read: false,
        last_value: None,
        ..orders(0.0)
    };
    assert_eq!(hidden.used(), None);
    // Restarted in the negative half: it has half of the way before it.
    let restarted = Sequence {
        min: -INT_MAX - 1.0,
        ..orders(-INT_MAX)
    };
    assert_eq!(severity_of(restarted), None);
}

fn way(sequence: Sequence) -> (&'static str, String) {
    let advice = judge(sequence, &Past::default()).remove(0).advice.unwrap();
    (advice.way, advice.command.unwrap())
}

#[test]
fn the_way_out_is_that_of_the_facts() {
    assert_eq!(
        way(orders(2e9)),
        (
            "move-to-bigint",
            "corridor move 'public.orders' --to shape.sql --execute".to_owned()
        )
    );
    assert_eq!(
        way(orders(INT_MAX)),
        (
            "negative-half",
            "alter sequence public.orders_id_seq minvalue -2147483648 restart with -2147483648".to_owned()
        )
    );
    let small = Sequence {
        pages: 10.0,
        ..orders(2e9)
    };
    assert_eq!(
        way(small),
        (
            "alter-type",
            "alter table public.orders alter column id type bigint".to_owned()
        )
    );
    // The column is wide; only the sequence was made as an integer.
    let own_end = Sequence {
        type_name: "integer".to_owned(),
        max: INT_MAX,
        column_max: Some(i64::MAX as f64),
        ..orders(2e9)
    };
    assert_eq!(
        way(own_end),
        (
            "widen-sequence",
            "alter sequence public.orders_id_seq as bigint no minvalue no maxvalue".to_owned()
        )
    );
}

#[test]
fn a_narrow_foreign_key_is_as_urgent_as_the_key_that_it_refers_to() {
    let narrow = |last_value: Option<f64>| {
        let facts = Sequences {
            sequences: vec![Sequence {
                column_max: Some(i64::MAX as f64),
                last_value,
                ..orders(0.0)
            }],
            narrow: vec![Narrow {
                table: "public.lines".to_owned(),
                column: "order_id".to_owned(),
                referenced_table: "public.orders".to_owned(),
                referenced_column: "id".to_owned(),
                column_max: INT_MAX,
                pages: 1e6,
            }],
            ..Sequences::default()
        };
        let past = Past::default();
        let finding = facts
            .judge(&Judging {
                past: &past,
                now_s: NOW_S,
            })
            .remove(0);
        (finding.code.id, finding.severity, finding.object)
    };
    let object = "public.lines.order_id".to_owned();
    assert_eq!(narrow(None), ("LIM-018", Severity::Notice, object.clone()));
    assert_eq!(narrow(Some(1e9)), ("LIM-018", Severity::Notice, object.clone()));
    assert_eq!(narrow(Some(2e9)), ("LIM-018", Severity::Critical, object));
}
