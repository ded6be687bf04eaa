use proptest::prelude::*;

use super::*;

const FRESH: Duration = Duration::ZERO;
const AGE_MAX: Duration = Duration::from_secs(5);

fn limits(figure: f64, is_explicit: bool) -> Limits {
    let mut limits = Limits::none();
    limits.set(Signal::ReplicaLagMs, Limit { figure, is_explicit });
    limits
}

fn readings(reading: Reading) -> Readings {
    let mut readings = Readings::default();
    readings.put(Signal::ReplicaLagMs, reading);
    readings
}

fn measured(figure: f64) -> Readings {
    readings(Reading::Measured { figure })
}

#[test]
fn at_the_limit_goes_and_above_it_holds_with_the_reason() {
    let limits = limits(5_000.0, false);
    assert!(decide(&measured(5_000.0), &limits, FRESH, AGE_MAX).is_go());
    let Leave::Hold { reasons } = decide(&measured(7_200.4), &limits, FRESH, AGE_MAX) else {
        panic!("holds");
    };
    insta::assert_snapshot!(reasons[0], @r#"replica_lag_ms is 7200 ms, limit 5000 ms"#);
    assert!(!decide(&measured(f64::NAN), &limits, FRESH, AGE_MAX).is_go());
}

#[test]
fn what_cannot_be_known_holds_unless_the_limit_is_a_default_and_the_server_cannot_tell() {
    let absent = readings(Reading::Absent {
        why: "needs pg_monitor".into(),
    });
    let failed = readings(Reading::Failed {
        why: "timeout".into(),
    });
    assert!(decide(&absent, &limits(1.0, false), FRESH, AGE_MAX).is_go());
    assert!(!decide(&absent, &limits(1.0, true), FRESH, AGE_MAX).is_go());
    assert!(!decide(&failed, &limits(1.0, false), FRESH, AGE_MAX).is_go());
    assert!(!decide(&Readings::default(), &limits(1.0, false), FRESH, AGE_MAX).is_go());
    assert!(decide(&failed, &Limits::none(), FRESH, AGE_MAX).is_go());
    let Leave::Hold { reasons } = decide(&measured(0.0), &limits(1.0, false), AGE_MAX * 2, AGE_MAX) else {
        panic!("a stale sample holds");
    };
    insta::assert_snapshot!(reasons[0], @r#"replica_lag_ms is not known: the last sample is 10.0 s old; limit 1 ms"#);
}

#[test]
fn a_hold_ends_clearly_below_the_limit_or_after_a_second_within_it() {
    let limits = limits(100.0, false);
    let mut hysteresis = Hysteresis::default();
    let mut at = |figure, ms| {
        hysteresis
            .decide(
                &measured(figure),
                &limits,
                FRESH,
                AGE_MAX,
                Duration::from_millis(ms),
            )
            .is_go()
    };
    assert!(at(95.0, 0), "never held: the limit itself counts");
    assert!(!at(101.0, 100));
    assert!(!at(95.0, 200));
    assert!(at(90.0, 300));
    assert!(!at(101.0, 400));
    assert!(!at(95.0, 500));
    assert!(!at(95.0, 1_400));
    assert!(at(95.0, 1_500));
}

#[test]
fn the_reasons_of_a_kept_hold_name_the_true_limit() {
    let limits = limits(100.0, false);
    let mut hysteresis = Hysteresis::default();
    hysteresis.decide(&measured(200.0), &limits, FRESH, AGE_MAX, Duration::ZERO);
    let leave = hysteresis.decide(&measured(95.0), &limits, FRESH, AGE_MAX, Duration::ZERO);
    let Leave::Hold { reasons } = leave else {
        panic!("held");
    };
    assert_eq!(reasons[0].limit, 100.0);
}

fn some_reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        4 => (0.0..200.0f64).prop_map(|figure| Reading::Measured { figure }),
        1 => Just(Reading::Absent { why: "a".into() }),
        1 => Just(Reading::Failed { why: "f".into() }),
    ]
}

proptest! {
    /// Any one can stop, none can force: adding a limit never turns a hold into a go, and every limit that is
    /// broken is named.
    #[test]
    fn no_signal_forces(
        given in prop::collection::vec((0..8usize, some_reading()), 0..8),
        on in prop::collection::vec((0..8usize, 0.0..200.0f64, any::<bool>()), 0..8),
        extra in (0..8usize, 0.0..200.0f64, any::<bool>()),
    ) {
        let mut readings = Readings::default();
        for (i, reading) in given {
            readings.put(Signal::ALL[i], reading);
        }
        let mut limits = Limits::none();
        for (i, figure, is_explicit) in on {
            limits.set(Signal::ALL[i], Limit { figure, is_explicit });
        }
        let before = decide(&readings, &limits, FRESH, AGE_MAX);
        for (signal, limit) in limits.iter() {
            if let Some(Reading::Measured { figure }) = readings.get(signal)
                && *figure > limit.figure
            {
                let Leave::Hold { reasons } = &before else { panic!("held") };
                prop_assert!(reasons.iter().any(|r| r.signal == signal));
            }
        }
        if limits.get(Signal::ALL[extra.0]).is_none() {
            limits.set(Signal::ALL[extra.0], Limit { figure: extra.1, is_explicit: extra.2 });
            if !before.is_go() {
                prop_assert!(!decide(&readings, &limits, FRESH, AGE_MAX).is_go());
            }
        }
    }
}
