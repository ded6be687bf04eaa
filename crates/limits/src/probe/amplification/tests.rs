use super::*;
use crate::finding::Severity;
use crate::sample::{Past, Point};

fn table() -> Table {
    Table {
        oid: Oid(7),
        schema: "public".to_owned(),
        name: "users".to_owned(),
        fill_factor: 100.0,
        inserts: 1_000.0,
        updates: 20_000.0,
        hot_updates: 10_000.0,
        live_rows: 1_000.0,
        indexes: 2,
        heap_blocks: 100_000.0,
        key_column: Some("id".to_owned()),
        columns: [
            ("id", 8.0, true),
            ("last_seen", 8.0, false),
            ("profile", 984.0, false),
        ]
        .map(|(name, width, is_indexed)| Column {
            name: name.to_owned(),
            width,
            is_known: true,
            is_indexed,
        })
        .to_vec(),
        ..Table::default()
    }
}

fn statement(text: &str, blocks: f64, rows: f64) -> Statement {
    Statement {
        query_id: "42".to_owned(),
        text: text.to_owned(),
        is_whole: true,
        calls: rows,
        rows,
        blocks,
    }
}

fn judge(tables: Vec<Table>, statements: Vec<Statement>, past: &Past) -> Vec<Finding> {
    let facts = Amplification { statements, tables };
    facts.judge(&Judging {
        past,
        now_s: 100.0 * 3_600.0,
    })
}

const UPDATE: &str = "update users set last_seen = $1 where id = $2";

#[test]
fn without_a_past_a_thousand_blocks_a_row_are_the_limit() {
    let past = Past::default();
    let narrow = || {
        let mut table = table();
        table.columns.clear();
        vec![table]
    };
    assert!(judge(narrow(), vec![statement(UPDATE, 999.0 * 100.0, 100.0)], &past).is_empty());
    let found = judge(narrow(), vec![statement(UPDATE, 1_000.0 * 100.0, 100.0)], &past);
    assert_eq!(
        (found[0].code.id, found[0].severity),
        ("LIM-040", Severity::Warning)
    );
    assert_eq!(
        found[0].headline,
        "touches 1,000 blocks (7.8 MB) for each row that it writes"
    );
    // Few calls, or little in all: an accident.
    assert!(judge(narrow(), vec![statement(UPDATE, 90_000.0, 4.0)], &past).is_empty());
    assert!(judge(narrow(), vec![statement(UPDATE, 49_999.0, 10.0)], &past).is_empty());
}

#[test]
fn against_its_own_past_it_is_the_last_hours_that_count() {
    let mut past = Past::default();
    for hour in 0..10_u32 {
        let at_s = (80.0 + f64::from(hour)) * 3_600.0;
        let point = |value| Point { at_s, value };
        past.push("statement_blocks", "42", point(f64::from(hour) * 1_000.0));
        past.push("statement_rows", "42", point(f64::from(hour) * 200.0));
        past.push("statement_calls", "42", point(f64::from(hour) * 200.0));
    }
    // 200 rows more, with 60 blocks each where 5 are usual.
    let now = statement(UPDATE, 9_000.0 + 12_000.0, 2_000.0);
    let found = judge(Vec::new(), vec![now], &past);
    assert_eq!(
        found[0].headline,
        "touches 60 blocks (480 kB) for each row that it writes, 5.0 are usual"
    );
    assert_eq!(found[0].severity, Severity::Warning);
    let found = judge(
        Vec::new(),
        vec![statement(UPDATE, 9_000.0 + 384_000.0, 2_000.0)],
        &past,
    );
    assert_eq!(found[0].severity, Severity::Critical);
    assert!(
        judge(
            Vec::new(),
            vec![statement(UPDATE, 9_000.0 + 9_000.0, 2_000.0)],
            &past
        )
        .is_empty()
    );
}

#[test]
fn a_tables_blocks_may_come_from_reading_and_from_vacuum() {
    let past = Past::default();
    let heavy = || Table {
        updates: 1_000.0,
        toast_index_blocks: 2_000_000.0,
        ..table()
    };
    let codes = |table: Table| -> Vec<&'static str> {
        judge(vec![table], Vec::new(), &past)
            .iter()
            .map(|f| f.code.id)
            .collect()
    };
    assert_eq!(codes(heavy()), ["LIM-040"]);
    let found = judge(vec![heavy()], Vec::new(), &past);
    assert_eq!(found[0].advice.as_ref().unwrap().way, "toast");
    let read = Table {
        index_entries: 30_000.0,
        ..heavy()
    };
    assert!(codes(read).is_empty());
    let vacuumed = Table {
        vacuums: 4.0,
        all_pages: 500_000.0,
        ..heavy()
    };
    assert!(codes(vacuumed).is_empty());
    let running = Table {
        is_vacuumed_now: true,
        ..heavy()
    };
    assert!(codes(running).is_empty());
}

#[test]
fn an_interval_with_a_vacuum_in_it_says_nothing() {
    let mut past = Past::default();
    for hour in 0..10_u32 {
        let at_s = (80.0 + f64::from(hour)) * 3_600.0;
        for (metric, each) in [
            ("table_blocks", 1_000.0),
            ("table_writes", 200.0),
            ("table_reads", 200.0),
        ] {
            past.push(
                metric,
                "public.users",
                Point {
                    at_s,
                    value: f64::from(hour) * each,
                },
            );
        }
        past.push("table_vacuums", "public.users", Point { at_s, value: 1.0 });
    }
    let now = |vacuums: f64, reads: f64| Table {
        inserts: 2_000.0,
        updates: 0.0,
        heap_blocks: 9_000.0 + 200_000.0,
        rows_scanned: reads,
        vacuums,
        ..table()
    };
    let count = |table| judge(vec![table], Vec::new(), &past).len();
    assert_eq!(count(now(1.0, 2_000.0)), 1);
    assert_eq!(count(now(2.0, 2_000.0)), 0);
    assert_eq!(count(now(1.0, 50_000.0)), 0);
}

#[test]
fn few_hot_updates_and_narrow_updates_of_wide_rows_are_worth_a_word() {
    let past = Past::default();
    let few_hot = Table {
        hot_updates: 9_999.0,
        ..table()
    };
    let found = judge(vec![few_hot], vec![statement(UPDATE, 100_000.0, 20_000.0)], &past);
    let codes: Vec<_> = found.iter().map(|f| f.code.id).collect();
    assert_eq!(codes, ["LIM-041", "LIM-042"]);
    assert!(found.iter().all(|f| f.severity == Severity::Notice));
    let hot = found[0].advice.as_ref().unwrap();
    assert_eq!(
        (hot.way, hot.command.as_deref()),
        (
            "fillfactor",
            Some("alter table public.users set (fillfactor = 85)")
        )
    );
    // 24 + 8 + 8 + 984 bytes to change 8.
    assert_eq!(
        found[1].headline,
        "an update of last_seen copies 1.0 kB to change 8 bytes: 128 bytes for each byte"
    );
    let columns = found[1].advice.as_ref().unwrap();
    assert_eq!(
        columns.command.as_deref(),
        Some("create table public.users_hot as select id, last_seen from public.users with no data")
    );
    assert!(judge(vec![table()], Vec::new(), &past).is_empty());
    // An index has what is set.
    let indexed = statement("update users set id = $1", 100_000.0, 20_000.0);
    let few_hot = Table {
        hot_updates: 0.0,
        ..table()
    };
    let found = judge(vec![few_hot], vec![indexed], &past);
    assert_eq!(found[0].advice.as_ref().unwrap().way, "unindex");
}

#[test]
fn one_column_without_statistics_makes_no_figure() {
    let mut table = table();
    table.columns[2].is_known = false;
    assert_eq!(table.copied(&["last_seen".to_owned()]), None);
    assert_eq!(super::tests::table().copied(&["gone".to_owned()]), None);
}
