use proptest::prelude::*;

use std::collections::BTreeMap;

use super::*;
use crate::throttle::{Limit, Signal};

#[test]
fn the_table_is_sorted_and_its_defaults_fit() {
    assert!(DEFINITIONS.windows(2).all(|pair| pair[0].key < pair[1].key));
    for d in DEFINITIONS {
        assert_eq!(normalise(d.key, d.default).unwrap(), d.default, "{}", d.key);
        assert!(d.doc.ends_with('.'), "{}", d.key);
    }
    for signal in Signal::ALL {
        assert!(matches!(
            definition(signal.key()).unwrap().kind,
            Kind::Limit { .. }
        ));
    }
    Settings::resolve(&BTreeMap::new()).unwrap();
}

#[test]
fn values_are_read_with_their_units() {
    assert_eq!(normalise("chunk.max_bytes", "32MiB").unwrap(), "33554432");
    assert_eq!(normalise("throttle.replica_lag_ms", "2.5s").unwrap(), "2500");
    assert_eq!(
        normalise("throttle.oldest_transaction_s", "30min").unwrap(),
        "1800"
    );
    assert_eq!(
        normalise("throttle.wal_bytes_per_s", "50 MB/s").unwrap(),
        "52428800"
    );
    assert_eq!(normalise("throttle.lock_waiters", "OFF").unwrap(), "off");
    assert_eq!(normalise("cutover.auto", "yes").unwrap(), "on");
    assert_eq!(
        normalise("throttle.custom.query", "select 1;\n").unwrap(),
        "select 1"
    );
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let message = |key, value| normalise(key, value).unwrap_err().to_string();
    insta::assert_snapshot!(message("workers", "33"), @r#"MIG-012: the value does not fit the setting: workers = "33"; a whole number from 1 to 32"#);
    insta::assert_snapshot!(message("throttle.replica_lag_ms", "-1"), @r#"MIG-012: the value does not fit the setting: throttle.replica_lag_ms = "-1"; a number from 0 ms or `off`"#);
    insta::assert_snapshot!(message("nice", "nan"), @r#"MIG-012: the value does not fit the setting: nice = "nan"; a number from 0 to 1"#);
    insta::assert_snapshot!(message("worker", "2"), @r#"MIG-011: there is no such setting: "worker"; did you mean `workers`?"#);
    insta::assert_snapshot!(message("replica_lag", "2"), @r#"MIG-011: there is no such setting: "replica_lag"; did you mean `throttle.replica_lag_ms`?"#);
    insta::assert_snapshot!(message("colour", "2"), @r#"MIG-011: there is no such setting: "colour""#);
}

#[test]
fn what_was_set_wins_and_is_known_to_be_set() {
    let stored = BTreeMap::from([
        ("throttle.replica_lag_ms".to_owned(), "off".to_owned()),
        ("throttle.lock_waiters".to_owned(), "3".to_owned()),
        ("throttle.cores".to_owned(), "16".to_owned()),
    ]);
    let settings = Settings::resolve(&stored).unwrap();
    assert_eq!(settings.limits.get(Signal::ReplicaLagMs), None);
    assert_eq!(
        settings.limits.get(Signal::LockWaiters),
        Some(Limit {
            figure: 3.0,
            is_explicit: true
        })
    );
    assert_eq!(
        settings.limits.get(Signal::ActivePerCore),
        Some(Limit {
            figure: 4.0,
            is_explicit: false
        })
    );
    assert_eq!(settings.cores, Some(16.0));
}

proptest! {
    #[test]
    fn a_stored_value_is_stored_the_same_again(i in 0..DEFINITIONS.len(), value in "(off|auto|on|-?[0-9]{1,12}(\\.[0-9]{1,3})?( ?(ms|s|min|kB|MiB))?|.{0,12})") {
        let key = DEFINITIONS[i].key;
        if let Ok(stored) = normalise(key, &value) {
            prop_assert_eq!(normalise(key, &stored).unwrap(), stored);
        }
    }
}
