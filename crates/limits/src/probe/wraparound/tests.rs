#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use super::*;
use crate::sample::{Past, Point};

const NOW_S: f64 = 1_800_000_000.0;

/// A cluster with one database of this age, which has taken `per_day` transactions a day for a week.
fn cluster(xid_age: f64, per_day: f64) -> (Wraparound, Past) {
    let next_xid = 5e9;
    let mut past = Past::default();
    for hour in 1..=168 {
        let point = Point {
            at_s: NOW_S - f64::from(hour) * 3_600.0,
            value: next_xid - per_day / 24.0 * f64::from(hour),
        };
        past.push("xid_counter", "", point);
    }
    let facts = Wraparound {
        counters: Some(Counters {
            next_xid,
            ..Counters::default()
        }),
        databases: vec![Database {
            name: "app".to_owned(),
            xid_age,
            is_here: true,
            can_connect: true,
            ..Database::default()
        }],
        ..Wraparound::default()
    };
    (facts, past)
}

fn judge(facts: &Wraparound, past: &Past) -> Vec<Finding> {
    facts.judge(&Judging { past, now_s: NOW_S })
}

fn severity(xid_age: f64, per_day: f64) -> Option<Severity> {
    let (facts, past) = cluster(xid_age, per_day);
    judge(&facts, &past).first().map(|f| f.severity)
}

#[test]
fn with_less_than_250_million_left_it_is_critical() {
    assert_eq!(severity(STOP - 250e6 + 1.0, 0.0), Some(Severity::Critical));
    assert_eq!(severity(STOP - 250e6, 0.0), Some(Severity::Warning)); // past the failsafe age
    assert_eq!(severity(1.6e9, 0.0), Some(Severity::Warning));
    assert_eq!(severity(1.6e9 - 1.0, 0.0), Some(Severity::Notice));
    assert_eq!(severity(300e6, 0.0), Some(Severity::Notice));
    assert_eq!(severity(300e6 - 1.0, 0.0), None);
}

/// A cluster of 400 million transactions a day has few days left at all times: that is no finding while vacuums keep up.
#[test]
fn days_count_only_once_a_vacuum_is_due() {
    assert_eq!(severity(199e6, 1e9), None);
    assert_eq!(severity(250e6, 100e6), None); // 19 days
    assert_eq!(severity(250e6, 200e6), Some(Severity::Warning)); // 9 days
    assert_eq!(severity(250e6, 1e9), Some(Severity::Critical)); // 2 days
}

#[test]
fn a_vacuum_that_cannot_be_done_in_time_is_critical() {
    let (mut facts, past) = cluster(250e6, 50e6); // 38 days
    let mut due = |terabytes: f64| {
        facts.due = Some(Work {
            tables: 1.0,
            pages: 134_217_728.0 * terabytes, // three hours each
            ..Work::default()
        });
        judge(&facts, &past).first().map(|f| f.severity)
    };
    assert_eq!(due(90.0), None); // 11 days: less than a third
    assert_eq!(due(110.0), Some(Severity::Warning));
    assert_eq!(due(320.0), Some(Severity::Critical));
    let finding = judge(&facts, &past).remove(0);
    let fact = finding
        .facts
        .iter()
        .find(|fact| fact.name == "of the time that is left they need")
        .unwrap();
    let late = "%: at this pace they cannot be done before the limit";
    assert!(fact.text.ends_with(late), "{}", fact.text);
    // What was taken, and over what time.
    let taken = finding.facts.iter().find(|fact| fact.name == "taken").unwrap();
    assert_eq!(taken.text, "50,000,000 a day, over the last 7 days");
}

#[test]
fn it_says_what_is_left_and_for_how_long() {
    let (facts, past) = cluster(STOP - 100e6, 10e6);
    let finding = judge(&facts, &past).remove(0);
    assert_eq!(finding.code.id, "LIM-010");
    assert_eq!(
        finding.headline,
        "100,000,000 transactions are left until writes are refused"
    );
    assert!((finding.runway.days_mid().unwrap() - 10.0).abs() < 0.01);
    let (facts, past) = cluster(STOP, 10e6);
    let finding = judge(&facts, &past).remove(0);
    assert_eq!(finding.runway, Runway::Reached);
    assert!(finding.headline.contains("writes are refused"));
}

fn way(change: impl FnOnce(&mut Wraparound)) -> (String, Option<String>) {
    let (mut facts, past) = cluster(STOP - 200e6, 10e6); // 20 days
    facts.tables = vec![
        Table {
            oid: 1,
            name: "public.young".to_owned(),
            xid_age: 10.0,
            ..Table::default()
        },
        Table {
            oid: 2,
            name: "public.old".to_owned(),
            xid_age: STOP - 200e6,
            ..Table::default()
        },
    ];
    facts.horizon_age = Some(1_000.0);
    change(&mut facts);
    let advice = judge(&facts, &past).remove(0).advice.unwrap();
    (advice.way.to_owned(), advice.command)
}

#[test]
fn the_way_out_is_that_of_the_facts() {
    let vacuum = "vacuum (freeze, verbose) public.old".to_owned();
    assert_eq!(way(|_| ()), ("vacuum".to_owned(), Some(vacuum)));
    assert_eq!(way(|f| f.horizon_age = Some(1.5e9)).0, "let-go");
    assert_eq!(way(|f| f.tables[1].is_temporary = true).0, "end-temporary");
    assert_eq!(way(|f| f.databases[0].xid_age = STOP - 90e6).0, "vacuum-fast");
    assert_eq!(
        way(|f| f.counters = f.counters.map(|c| Counters {
            is_standby: true,
            ..c
        }))
        .0,
        "primary"
    );
    let (elsewhere, command) = way(|f| {
        f.databases[0].is_here = false;
        f.databases[0].name = "it's".to_owned();
    });
    assert_eq!(elsewhere, "elsewhere");
    assert_eq!(
        command.unwrap(),
        r"corridor check --only wraparound --database 'dbname='\''it\'\''s'\'''"
    );
    assert_eq!(
        way(|f| {
            f.databases[0].is_here = false;
            f.databases[0].can_connect = false;
        })
        .0,
        "automatic"
    );
}

#[test]
fn a_running_vacuum_is_waited_for_when_it_will_be_done_in_time() {
    let running = |scanned_pages: f64| {
        move |f: &mut Wraparound| {
            f.vacuums = vec![Running {
                oid: 2,
                pages: 1_000_000.0,
                scanned_pages,
                running_s: Some(DAY_S),
                ..Running::default()
            }];
        }
    };
    assert_eq!(way(running(500_000.0)).0, "wait"); // one day more, of twenty
    assert_eq!(way(running(100_000.0)).0, "hurry"); // nine days more
    assert_eq!(way(running(0.0)).0, "wait"); // nobody knows yet
}

#[test]
fn members_are_judged_by_their_files() {
    let members = |files: Option<f64>, per_day: f64| {
        let (mut facts, mut past) = cluster(0.0, 0.0);
        facts.member_files = files;
        let next = 4e9;
        facts.counters = facts.counters.map(|c| Counters {
            next_member: next,
            ..c
        });
        for hour in 1..=48 {
            let value = next - per_day / 24.0 * f64::from(hour);
            let at_s = NOW_S - f64::from(hour) * 3_600.0;
            past.push("mxid_member_counter", "", Point { at_s, value });
        }
        judge(&facts, &past).first().map(|f| (f.code.id, f.severity))
    };
    let half = 2f64.powi(31) / MEMBERS_PER_FILE;
    assert_eq!(members(Some(half - 1.0), 0.0), None);
    assert_eq!(
        members(Some(half + 1.0), 0.0),
        Some(("LIM-012", Severity::Warning))
    );
    assert_eq!(
        members(Some(half * 1.5 + 1.0), 0.0),
        Some(("LIM-012", Severity::Critical))
    );
    // Four billion are left.
    assert_eq!(members(Some(1.0), 200e6), None);
    assert_eq!(members(Some(1.0), 500e6), Some(("LIM-012", Severity::Warning)));
    assert_eq!(members(Some(1.0), 1_500e6), Some(("LIM-012", Severity::Critical)));
    assert_eq!(members(None, 200e6), None);
    assert_eq!(members(None, 500e6), Some(("LIM-012", Severity::Warning)));
}
