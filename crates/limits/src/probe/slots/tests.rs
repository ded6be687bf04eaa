#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use super::*;
use crate::finding::Severity;
use crate::sample::{Past, Point};

const NOW_S: f64 = 1_800_000_000.0;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;

fn server() -> Server {
    Server {
        max_connections: 103.0,
        reserved_connections: 3.0,
        max_wal_bytes: GB,
        ..Server::default()
    }
}

/// A past of four days in which a figure grew by so much a day up to now.
fn past(metric: &str, object: &str, now: f64, per_day: f64) -> Past {
    let mut past = Past::default();
    for hour in 1..=96 {
        let point = Point {
            at_s: NOW_S - f64::from(hour) * 3_600.0,
            value: now - per_day / 24.0 * f64::from(hour),
        };
        past.push(metric, object, point);
    }
    past
}

fn judge_with(facts: Slots, past: &Past) -> Vec<Finding> {
    facts.judge(&Judging { past, now_s: NOW_S })
}

fn said(facts: Slots, past: &Past) -> Option<(&'static str, Severity, &'static str)> {
    let findings = judge_with(facts, past);
    let finding = findings.first()?;
    Some((
        finding.code.id,
        finding.severity,
        finding.advice.as_ref().unwrap().way,
    ))
}

#[test]
fn a_slot_is_judged_by_what_it_keeps_and_by_what_is_left() {
    use Severity::*;
    let slot = |kept: f64, is_active: bool, change: fn(&mut Slot)| {
        let mut slot = Slot {
            name: "cdc".to_owned(),
            is_active,
            pid: is_active.then_some(4711),
            kept_bytes: Some(kept),
            ..Slot::default()
        };
        change(&mut slot);
        let facts = Slots {
            slots: vec![slot],
            server: Some(server()),
            ..Slots::default()
        };
        said(facts, &past("slot_kept_bytes", "cdc", kept, GB))
    };
    assert_eq!(slot(0.9 * GB, false, |_| ()), None);
    assert_eq!(slot(GB, false, |_| ()), Some(("LIM-019", Warning, "drop-slot")));
    assert_eq!(slot(2.9 * GB, true, |_| ()), None);
    assert_eq!(
        slot(3.0 * GB, true, |_| ()),
        Some(("LIM-019", Notice, "consumer"))
    );
    assert_eq!(
        slot(10.0 * GB, true, |_| ()),
        Some(("LIM-019", Warning, "consumer"))
    );
    let left = |gigabytes: f64| match gigabytes {
        8.0 => slot(0.1 * GB, true, |s| s.safe_bytes = Some(8.0 * GB)),
        6.0 => slot(0.1 * GB, true, |s| s.safe_bytes = Some(6.0 * GB)),
        _ => slot(0.1 * GB, true, |s| s.safe_bytes = Some(0.5 * GB)),
    };
    assert_eq!(left(8.0), None);
    assert_eq!(left(6.0), Some(("LIM-019", Warning, "consumer")));
    assert_eq!(left(0.5), Some(("LIM-019", Critical, "consumer")));
    let status = |status: &'static str| match status {
        "lost" => slot(0.0, true, |s| s.wal_status = Some("lost".to_owned())),
        _ => slot(0.0, true, |s| s.wal_status = Some("unreserved".to_owned())),
    };
    assert_eq!(status("lost"), Some(("LIM-019", Critical, "drop-slot")));
    assert_eq!(status("unreserved"), Some(("LIM-019", Critical, "consumer")));
}

#[test]
fn lag_archive_and_connections() {
    use Severity::*;
    let none = Past::default();
    let lag = |lag_bytes: f64, lag_s: f64| {
        let replica = Replica {
            lag_bytes: Some(lag_bytes),
            lag_s: Some(lag_s),
            ..Replica::default()
        };
        let facts = Slots {
            replicas: vec![replica],
            server: Some(server()),
            ..Slots::default()
        };
        said(facts, &none).map(|(code, severity, _)| (code, severity))
    };
    assert_eq!(lag(0.9 * GB, 59.0), None);
    assert_eq!(lag(0.0, 60.0), Some(("LIM-020", Notice)));
    assert_eq!(lag(GB, 0.0), Some(("LIM-020", Warning)));
    assert_eq!(lag(0.0, 300.0), Some(("LIM-020", Warning)));
    assert_eq!(lag(0.0, 3_600.0), Some(("LIM-020", Critical)));
    let with = |change: &dyn Fn(&mut Server)| {
        let mut server = server();
        change(&mut server);
        let facts = Slots {
            server: Some(server),
            ..Slots::default()
        };
        said(facts, &none)
    };
    let failing = |archived_s: f64| {
        with(&|s| {
            s.is_archive_failing = true;
            s.archived_s = Some(archived_s);
        })
    };
    assert_eq!(failing(3_599.0), Some(("LIM-021", Warning, "mend-archive")));
    assert_eq!(failing(3_600.0), Some(("LIM-021", Critical, "mend-archive")));
    let connected = |connections: f64, idle: f64, inside: f64| {
        with(&|s| {
            s.connections = connections;
            s.idle = idle;
            s.idle_in_transaction = inside;
        })
    };
    assert_eq!(connected(79.0, 0.0, 0.0), None);
    assert_eq!(connected(80.0, 40.0, 0.0), Some(("LIM-024", Warning, "pool")));
    assert_eq!(
        connected(95.0, 90.0, 40.0),
        Some(("LIM-024", Critical, "end-idle-transactions"))
    );
    assert_eq!(
        connected(95.0, 10.0, 0.0),
        Some(("LIM-024", Critical, "find-what-waits"))
    );
}

#[test]
fn what_is_counted_is_judged_by_its_pace() {
    let checkpoints = |per_hour: f64| {
        let facts = Slots {
            forced_checkpoints: Some(5_000.0),
            server: Some(server()),
            ..Slots::default()
        };
        said(facts, &past("checkpoints_forced", "", 5_000.0, per_hour * 24.0))
    };
    assert_eq!(checkpoints(5.0), None);
    assert_eq!(
        checkpoints(7.0),
        Some(("LIM-022", Severity::Notice, "raise-max-wal-size"))
    );
    let spilled = |gigabytes_per_day: f64| {
        let facts = Slots {
            database: "app".to_owned(),
            server: Some(Server {
                temp_bytes: 1e15,
                ..server()
            }),
            ..Slots::default()
        };
        said(
            facts,
            &past("temp_file_bytes", "app", 1e15, gigabytes_per_day * GB),
        )
    };
    assert_eq!(spilled(90.0), None);
    assert_eq!(
        spilled(110.0),
        Some(("LIM-023", Severity::Notice, "find-statements"))
    );
}

#[test]
fn the_disk_is_judged_by_its_share_and_by_its_days() {
    let disk = |used: f64, per_day: f64, kept: f64| {
        let facts = Slots {
            disk: Some(Disk {
                used_bytes: used * GB,
                size_bytes: 1_000.0 * GB,
                is_measured: true,
            }),
            slots: vec![Slot {
                name: "cdc".to_owned(),
                is_active: true,
                kept_bytes: Some(kept * GB),
                ..Slot::default()
            }],
            ..Slots::default()
        };
        let findings = judge_with(facts, &past("disk_used_bytes", "", used * GB, per_day * GB));
        let finding = findings.iter().find(|f| f.code.id == "LIM-025")?;
        Some((finding.severity, finding.advice.as_ref().unwrap().way))
    };
    assert_eq!(disk(849.0, 0.0, 0.0), None);
    assert_eq!(disk(850.0, 0.0, 0.0), Some((Severity::Warning, "grow-disk")));
    assert_eq!(disk(950.0, 0.0, 0.0), Some((Severity::Critical, "grow-disk")));
    assert_eq!(disk(500.0, 15.0, 0.0), None); // 33 days
    assert_eq!(disk(500.0, 18.0, 0.0), Some((Severity::Warning, "grow-disk"))); // 28 days
    assert_eq!(disk(500.0, 200.0, 0.0), Some((Severity::Critical, "grow-disk"))); // 2.5 days
    assert_eq!(disk(900.0, 0.0, 200.0), Some((Severity::Warning, "free-slots")));
}
