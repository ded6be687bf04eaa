#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use super::*;
use crate::finding::Severity;
use crate::sample::{Past, Point};

const NOW_S: f64 = 100.0 * DAY_S;

fn table(dead_rows: f64) -> Table {
    Table {
        schema: "public".to_owned(),
        table: "t".to_owned(),
        relation_schema: "public".to_owned(),
        relation_name: "t".to_owned(),
        rows: 1e6,
        live_rows: 1e6,
        dead_rows,
        pages: 10_000.0,
        ..Table::default()
    }
}

fn facts(table: Table) -> Vacuum {
    Vacuum {
        settings: Some(Settings::default()),
        now_s: NOW_S,
        since_s: Some(NOW_S - 10.0 * DAY_S),
        tables: vec![table],
        ..Vacuum::default()
    }
}

fn judge(facts: &Vacuum, past: &Past) -> Vec<Finding> {
    facts.judge(&Judging { past, now_s: NOW_S })
}

/// Samples of `value` in each of the last `hours` hours.
fn hours(metric: &str, object: &str, hours: u32, value: f64) -> Past {
    let mut past = Past::default();
    for hour in 1..=hours {
        let at_s = NOW_S - f64::from(hour) * 3_600.0;
        past.push(metric, object, Point { at_s, value });
    }
    past
}

#[test]
fn due_is_a_finding_when_late_or_long_and_never_while_it_is_vacuumed() {
    let none = Past::default();
    // Due from 200,050 on: at once it is its turn, at twice as many it is late.
    assert!(judge(&facts(table(400_099.0)), &none).is_empty());
    let found = judge(&facts(table(400_100.0)), &none);
    assert_eq!(
        (found[0].code.id, found[0].severity),
        ("LIM-048", Severity::Notice)
    );
    assert_eq!(
        found[0].headline,
        "400,100 dead rows, and a vacuum is due from 200,050 on"
    );
    assert_eq!(
        found[0].advice.as_ref().unwrap().command.as_deref(),
        Some("vacuum (verbose) public.t")
    );
    assert_eq!(judge(&facts(table(1e6)), &none)[0].severity, Severity::Warning);
    let long = hours("vacuum_due_ratio", "public.t", 3, 1.1);
    let found = judge(&facts(table(300_000.0)), &long);
    assert!(
        found[0].headline.ends_with("for 3 h at least"),
        "{}",
        found[0].headline
    );
    let not_long = hours("vacuum_due_ratio", "public.t", 3, 0.9);
    assert!(judge(&facts(table(300_000.0)), &not_long).is_empty());
    let running = Table {
        is_vacuumed_now: true,
        ..table(1e6)
    };
    assert!(judge(&facts(running), &none).is_empty());
}

#[test]
fn inserts_count_and_a_gap_in_the_history_ends_it() {
    let inserted = Table {
        inserted_rows: 402_000.0,
        ..table(0.0)
    };
    let found = judge(&facts(inserted), &Past::default());
    assert!(
        found[0].headline.starts_with("402,000 inserted rows"),
        "{}",
        found[0].headline
    );
    let at = |days: f64| Point {
        at_s: NOW_S - days * DAY_S,
        value: 2.0,
    };
    assert_eq!(
        findings::overdue_s(&[at(9.0), at(1.5), at(0.9), at(0.1)], NOW_S),
        1.5 * DAY_S
    );
}

#[test]
fn a_vacuum_in_vain_points_at_the_horizon() {
    let vain = Table {
        vacuumed_s: Some(NOW_S - 600.0),
        ..table(1e6)
    };
    let found = judge(&facts(vain), &Past::default());
    assert_eq!(found[0].advice.as_ref().unwrap().way, "horizon");
}

#[test]
fn off_is_said_of_the_table_and_of_the_server() {
    let off = Table {
        options: vec!["autovacuum_enabled=false".to_owned()],
        ..table(100.0)
    };
    let found = judge(&facts(off.clone()), &Past::default());
    assert_eq!(
        (found[0].code.id, found[0].severity),
        ("LIM-049", Severity::Notice)
    );
    assert_eq!(
        found[0].advice.as_ref().unwrap().command.as_deref(),
        Some("alter table public.t reset (autovacuum_enabled)")
    );
    let mut all_off = facts(off);
    all_off.settings.as_mut().unwrap().is_on = false;
    let found = judge(&all_off, &Past::default());
    assert_eq!(
        (found[0].object.as_str(), found[0].severity),
        ("the server", Severity::Warning)
    );
}

#[test]
fn workers_are_too_few_when_all_are_busy_and_tables_wait() {
    let mut busy = facts(table(300_000.0));
    busy.settings.as_mut().unwrap().workers_busy = 3.0;
    let found = judge(&busy, &Past::default());
    assert_eq!(
        (found[0].code.id, found[0].severity),
        ("LIM-050", Severity::Notice)
    );
    assert_eq!(
        found[0].headline,
        "all 3 workers of autovacuum are busy, and 1 tables wait"
    );
    let advice = found[0].advice.as_ref().unwrap();
    assert_eq!(
        advice.command.as_deref(),
        Some("alter system set autovacuum_max_workers = 5")
    );
    let lasting = hours("autovacuum_workers_busy_ratio", "", 2, 1.0);
    assert_eq!(judge(&busy, &lasting)[0].severity, Severity::Warning);
    busy.settings.as_mut().unwrap().workers_busy = 2.0;
    assert!(judge(&busy, &Past::default()).is_empty());
}

#[test]
fn the_load_is_price_times_number_against_the_budget() {
    // 10,000 pages, all of them changed: 220,000 tokens, 2.2 s of the budget; ten days have 864,000 s.
    let load = |autovacuums: f64| {
        let table = Table {
            autovacuums,
            ..table(0.0)
        };
        facts(table)
    };
    let half = load(864_000.0 / 2.2 * 0.5).load().unwrap();
    assert!((half - 0.5).abs() < 1e-9, "{half}");
    assert!(judge(&load(864_000.0 / 2.2 * 0.69), &Past::default()).is_empty());
    let found = judge(&load(864_000.0 / 2.2 * 0.75), &Past::default());
    assert_eq!(
        (found[0].code.id, found[0].severity),
        ("LIM-050", Severity::Notice)
    );
    assert_eq!(
        found[0].advice.as_ref().unwrap().command.as_deref(),
        Some("alter system set autovacuum_vacuum_cost_limit = 400; select pg_reload_conf()")
    );
    let mut young = load(1e9);
    young.since_s = Some(NOW_S - 0.9 * DAY_S);
    assert_eq!(young.load(), None);
}

#[test]
fn a_lock_that_no_vacuum_can_share_is_let_go_first() {
    let blocked = |held_s: Option<f64>, gid: Option<&str>| Table {
        blocker: Some(Blocker {
            pid: gid.is_none().then_some(4_711),
            gid: gid.map(str::to_owned),
            mode: "ShareLock".to_owned(),
            state: Some("idle in transaction".to_owned()),
            held_s,
        }),
        // In vain, besides: nothing comes before the lock.
        vacuumed_s: Some(NOW_S - 60.0),
        ..table(1e6)
    };
    let advice = |table: Table| {
        let finding = judge(&facts(table), &Past::default()).swap_remove(0);
        let advice = finding.advice.clone().unwrap();
        (advice.way, advice.command.unwrap_or_default(), finding)
    };
    let (way, command, finding) = advice(blocked(Some(720.0), None));
    assert_eq!(
        (way, command.as_str()),
        ("unblock", "select pg_terminate_backend(4711)")
    );
    let fact = finding
        .facts
        .iter()
        .find(|f| f.name == "no vacuum can begin")
        .unwrap();
    assert_eq!(
        fact.text,
        "session 4711 (idle in transaction) holds ShareLock for 12 min"
    );
    assert_eq!(advice(blocked(Some(9.0), None)).0, "horizon");
    // Hidden from this role, and said all the same.
    assert_eq!(advice(blocked(None, None)).0, "unblock");
    let (_, command, _) = advice(blocked(Some(60.0), Some("it's")));
    assert_eq!(command, "rollback prepared 'it''s'");
}
