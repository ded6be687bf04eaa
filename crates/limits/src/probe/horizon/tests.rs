#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use super::*;
use crate::sample::Past;

fn holder(kind: HolderKind, held_s: f64, xid_age: f64) -> Holder {
    Holder {
        kind,
        pid: Some(4711),
        name: "it's".to_owned(),
        xid_age,
        held_s: Some(held_s),
        ..Holder::default()
    }
}

fn way(holder: Holder) -> (&'static str, String) {
    let horizon = Horizon {
        holders: vec![holder],
        ..Horizon::default()
    };
    let past = Past::default();
    let mut findings = horizon.judge(&Judging {
        past: &past,
        now_s: 0.0,
    });
    let advice = findings.remove(0).advice.unwrap();
    (advice.way, advice.command.unwrap())
}

#[test]
fn limits_are_those_of_the_kind() {
    use HolderKind::*;
    use Severity::*;
    let severity = |kind, held_s, age| holder(kind, held_s, age).severity();
    assert_eq!(severity(Session, 599.0, 9e6), None);
    assert_eq!(severity(Session, 600.0, 0.0), Some(Notice));
    assert_eq!(severity(Session, 3_600.0, 0.0), Some(Warning));
    assert_eq!(severity(Session, 0.0, 10e6), Some(Warning));
    assert_eq!(severity(Session, 86_400.0, 0.0), Some(Critical));
    assert_eq!(severity(Session, 0.0, 100e6), Some(Critical));
    assert_eq!(severity(Prepared, 599.0, 0.0), None);
    assert_eq!(severity(Prepared, 600.0, 0.0), Some(Warning));
    assert_eq!(severity(Prepared, 86_400.0, 0.0), Some(Critical));
    assert_eq!(severity(Slot, 86_399.0, 9e6), None);
    assert_eq!(severity(Slot, 86_400.0, 0.0), Some(Warning));
    assert_eq!(severity(Slot, 1e9, 10e6), Some(Warning));
    assert_eq!(severity(Slot, 0.0, 100e6), Some(Critical));
    assert_eq!(severity(Standby, 0.0, 10e6), Some(Warning));
}

#[test]
fn the_way_out_names_what_to_end() {
    let session = |state: &str, application: &str| Holder {
        state: Some(state.to_owned()),
        application: Some(application.to_owned()),
        ..holder(HolderKind::Session, 7_200.0, 0.0)
    };
    assert_eq!(
        way(session("idle in transaction (aborted)", "web")),
        ("end-session", "select pg_terminate_backend(4711)".to_owned())
    );
    assert_eq!(
        way(session("active", "web")),
        ("cancel", "select pg_cancel_backend(4711)".to_owned())
    );
    assert_eq!(way(session("idle in transaction", "pg_dump")).0, "let-it-end");
    assert_eq!(way(session("active", "corridor:worker:big")).0, "pause");
    assert_eq!(
        way(holder(HolderKind::Prepared, 3_600.0, 0.0)),
        ("roll-back-prepared", "rollback prepared 'it''s'".to_owned())
    );
    assert_eq!(
        way(holder(HolderKind::Prepared, 3_599.0, 0.0)).0,
        "ask-its-manager"
    );
    let slot = |is_active, is_logical| Holder {
        is_active: Some(is_active),
        is_logical: Some(is_logical),
        ..holder(HolderKind::Slot, 0.0, 20e6)
    };
    assert_eq!(
        way(slot(false, true)),
        ("drop-slot", "select pg_drop_replication_slot('it''s')".to_owned())
    );
    assert_eq!(way(slot(true, true)).0, "consumer");
    assert_eq!(way(slot(true, false)).0, "on-standby");
    assert_eq!(way(holder(HolderKind::Standby, 0.0, 20e6)).0, "on-standby");
}
