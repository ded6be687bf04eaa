use super::*;
use crate::sample::{Past, Point};

const MB: f64 = 1024.0 * 1024.0;

fn judge(facts: &Bloat, past: &Past) -> Vec<Finding> {
    facts.judge(&Judging { past, now_s: 1e9 })
}

/// A heap of which `bloat` is free, in `size_mb`; rows of 8,168 bytes, so that a page is one row or none.
fn heap(bloat: f64, size_mb: f64) -> Heap {
    let empty = (bloat * 100.0).round() as usize;
    Heap {
        schema: "public".to_owned(),
        table: "t".to_owned(),
        relation_schema: "pg_toast".to_owned(),
        relation_name: "pg_toast_7".to_owned(),
        pages: size_mb * MB / PAGE_BYTES,
        rows: 10_000.0,
        live_rows: 10_000.0,
        fill_factor: 100.0,
        sample: Some(Pages {
            live_bytes: (0..100).map(|i| if i < empty { 0.0 } else { 8_168.0 }).collect(),
            rows: 100.0 - empty as f64,
            of: size_mb * MB / PAGE_BYTES,
        }),
        ..Heap::default()
    }
}

fn severity_of(heap: Heap) -> Option<Severity> {
    let facts = Bloat {
        heaps: vec![heap],
        ..Bloat::default()
    };
    judge(&facts, &Past::default()).first().map(|f| f.severity)
}

#[test]
fn heaps_are_judged_by_share_and_by_waste() {
    assert_eq!(severity_of(heap(0.29, 10_000.0)), None);
    assert_eq!(severity_of(heap(0.31, 10_000.0)), Some(Severity::Notice));
    assert_eq!(severity_of(heap(0.49, 10_000.0)), Some(Severity::Notice));
    assert_eq!(severity_of(heap(0.50, 2_048.0)), Some(Severity::Warning));
    assert_eq!(severity_of(heap(0.50, 2_046.0)), Some(Severity::Notice));
    assert_eq!(severity_of(heap(0.50, 15.0)), None);
    assert_eq!(severity_of(heap(0.50, 16.0)), Some(Severity::Notice));
}

fn way(heap: Heap) -> (String, String) {
    let facts = Bloat {
        heaps: vec![heap],
        ..Bloat::default()
    };
    let advice = judge(&facts, &Past::default())[0].advice.clone().unwrap();
    (advice.way.to_owned(), advice.command.unwrap_or_default())
}

#[test]
fn dead_rows_are_vacuumed_free_pages_are_repacked_or_used_again() {
    let dead = Heap {
        dead_rows: 2_500.0,
        is_toast: true,
        ..heap(0.6, 100.0)
    };
    assert_eq!(way(dead).1, "vacuum (verbose) pg_toast.pg_toast_7");
    let free = heap(0.6, 100.0);
    assert_eq!(way(free).1, "corridor move 'public.t' --same-shape --execute");
    assert_eq!(way(heap(0.4, 100.0)).0, "reuse");
    let catalogue = Heap {
        is_catalogue: true,
        ..heap(0.6, 100.0)
    };
    assert_eq!(way(catalogue).0, "catalogue");
}

#[test]
fn without_pages_the_past_speaks_and_without_a_past_nobody() {
    let blind = Heap {
        sample: None,
        ..heap(0.0, 100.0)
    };
    let facts = Bloat {
        heaps: vec![blind],
        ..Bloat::default()
    };
    let mut past = Past::default();
    assert!(judge(&facts, &past).is_empty());
    let each = 100.0 * MB / 10_000.0;
    past.push(
        "table_row_bytes",
        "public.t",
        Point {
            at_s: 1.0,
            value: each / 2.0,
        },
    );
    past.push(
        "table_row_bytes",
        "public.t",
        Point {
            at_s: 2.0,
            value: each,
        },
    );
    let found = judge(&facts, &past);
    assert!(
        found[0].headline.starts_with("50.0 % of 100 MB"),
        "{}",
        found[0].headline
    );
    assert_eq!(found[0].gauge.as_ref().unwrap().standard_error, None);
}

/// An index of int8 keys, `times` as large as a fresh one.
fn index(times: f64, distinct_values: f64) -> Index {
    Index {
        schema: "public".to_owned(),
        name: "Key".to_owned(),
        method: "btree".to_owned(),
        pages: 2_747.0 * times,
        entries: 1e6,
        are_equal_merged: true,
        fill_factor: 90.0,
        columns: vec![Column {
            width: Some(8.0),
            distinct_values,
            ..Column::default()
        }],
        ..Index::default()
    }
}

#[test]
fn an_index_is_judged_by_count_then_past_then_formula() {
    let say = |index: Index, past: &Past| -> Vec<String> {
        let facts = Bloat {
            server_version_num: 150_000,
            indexes: vec![index],
            ..Bloat::default()
        };
        judge(&facts, past)
            .iter()
            .map(|f| format!("{} {}", f.code.id, f.headline))
            .collect()
    };
    let none = Past::default();
    assert_eq!(
        say(index(2.0, 1e6), &none),
        ["LIM-044 50.0 % of 42.9 MB is bloat: a rebuild gives 21.5 MB back"]
    );
    assert!(say(index(1.6, 1e6), &none).is_empty()); // 37 %
    // Equal entries, and nothing else is known.
    assert!(say(index(4.0, 100.0), &none).is_empty());
    let mut past = Past::default();
    past.push(
        "index_entry_bytes",
        "public.Key",
        Point {
            at_s: 1.0,
            value: 9.0,
        },
    );
    assert!(say(index(4.0, 100.0), &past)[0].contains("90.0 % of"));
    let counted = Index {
        counted: Some(Counted {
            leaves: 1_000.0,
            density: 90.0,
            empty: 0.0,
            deleted: 0.0,
        }),
        ..index(4.0, 1e6)
    };
    assert!(say(counted, &past).is_empty());
}

#[test]
fn an_index_is_rebuilt_beside_itself_where_that_is_safe() {
    let command = |index: Index, version: i32| {
        let facts = Bloat {
            server_version_num: version,
            indexes: vec![index],
            ..Bloat::default()
        };
        judge(&facts, &Past::default())[0]
            .advice
            .clone()
            .unwrap()
            .command
            .unwrap()
    };
    assert_eq!(
        command(index(3.0, 1e6), 150_000),
        "reindex index concurrently public.\"Key\""
    );
    assert_eq!(command(index(3.0, 1e6), 140_003), "reindex index public.\"Key\"");
    let exclusion = Index {
        is_exclusion: true,
        ..index(3.0, 1e6)
    };
    assert_eq!(command(exclusion, 150_000), "reindex index public.\"Key\"");
}
