use super::*;
use crate::sample::{Past, Point};

const NOW_S: f64 = 1_000.0 * DAY_S;

fn judge(facts: &Indexes, past: &Past) -> Vec<Finding> {
    facts.judge(&Judging { past, now_s: NOW_S })
}

fn command(finding: &Finding) -> &str {
    finding.advice.as_ref().unwrap().command.as_deref().unwrap_or("")
}

fn invalid(name: &str) -> Invalid {
    Invalid {
        schema: "public".to_owned(),
        table: "t".to_owned(),
        name: name.to_owned(),
        is_written: true,
        ..Invalid::default()
    }
}

#[test]
fn an_invalid_index_is_rebuilt_unless_it_is_spare() {
    let facts = |index: Invalid, version: i32| Indexes {
        server_version_num: version,
        invalid: vec![index],
        ..Indexes::default()
    };
    let say =
        |index: Invalid, version| command(&judge(&facts(index, version), &Past::default())[0]).to_owned();
    assert_eq!(
        say(invalid("Some Index"), 150_000),
        "reindex index concurrently public.\"Some Index\""
    );
    assert_eq!(
        say(invalid("i_ccnew"), 150_000),
        "drop index concurrently public.i_ccnew"
    );
    assert_eq!(
        say(invalid("i_ccold12"), 150_000),
        "drop index concurrently public.i_ccold12"
    );
    assert_eq!(say(invalid("i"), 140_003), "reindex index public.i");
    assert_eq!(say(invalid("i"), 140_004), "reindex index concurrently public.i");
    let twin = Invalid {
        has_valid_twin: true,
        ..invalid("i")
    };
    assert_eq!(say(twin, 140_003), "drop index concurrently public.i");
    let exclusion = Invalid {
        is_exclusion: true,
        ..invalid("i")
    };
    assert_eq!(say(exclusion, 150_000), "reindex index public.i");
    let parent = Invalid {
        is_partitioned: true,
        ..invalid("i")
    };
    assert_eq!(say(parent, 150_000), "");
}

fn side(name: &str) -> Side {
    Side {
        name: name.to_owned(),
        pages: 1_000.0,
        ..Side::default()
    }
}

#[test]
fn of_two_equal_ones_the_one_with_a_duty_stays_then_the_one_in_use() {
    let pair = |first: Side, second: Side| Pair {
        first,
        second,
        is_same: true,
        ..Pair::default()
    };
    let key = Side {
        is_primary: true,
        is_unique: true,
        constraint: Some("t_pkey".to_owned()),
        ..side("t_pkey")
    };
    let used = Side {
        scans: 9.0,
        ..side("used")
    };
    assert_eq!(pair(key.clone(), used.clone()).verdict().0.name, "used");
    assert_eq!(pair(used.clone(), key.clone()).verdict().0.name, "used");
    assert_eq!(pair(side("idle"), used.clone()).verdict().0.name, "idle");
    assert_eq!(pair(used.clone(), side("idle")).verdict().0.name, "idle");
    // A prefix goes whatever it is used for: the longer one serves the same queries.
    let prefix = Pair {
        is_same: false,
        ..pair(used, side("longer"))
    };
    assert_eq!(prefix.verdict().0.name, "used");
    let two = Side {
        is_unique: true,
        constraint: Some("t_a_key".to_owned()),
        ..side("t_a_key")
    };
    let facts = Indexes {
        pairs: vec![pair(key, two)],
        ..Indexes::default()
    };
    let found = judge(&facts, &Past::default());
    assert!(
        command(&found[0]).ends_with("drop constraint t_a_key"),
        "{found:?}"
    );
}

#[test]
fn unused_needs_seven_days_of_statistics() {
    let facts = |days: f64| Indexes {
        unused: vec![Unused {
            schema: "public".to_owned(),
            name: "i".to_owned(),
            pages: 1_280.0,
            ..Unused::default()
        }],
        since_s: Some(NOW_S - days * DAY_S),
        ..Indexes::default()
    };
    assert!(judge(&facts(6.9), &Past::default()).is_empty());
    let found = judge(&facts(7.0), &Past::default());
    assert_eq!(
        (found[0].code.id, found[0].severity),
        ("LIM-047", Severity::Notice)
    );
    assert_eq!(command(&found[0]), "drop index concurrently public.i");
    assert!(
        found[0]
            .facts
            .iter()
            .any(|f| f.text.contains("a replica counts its own scans"))
    );
    assert!(found[0].facts.iter().any(|f| f.text.contains("may be younger")));
    let mut past = Past::default();
    past.push(
        "index_unused_bytes",
        "public.i",
        Point {
            at_s: NOW_S - 9.0 * DAY_S,
            value: 1.0,
        },
    );
    let found = judge(&facts(30.0), &past);
    assert!(found[0].facts.iter().any(|f| f.text == "9 days"), "{found:?}");
    // Nobody knows since when: nothing is said.
    let unknown = Indexes {
        since_s: None,
        ..facts(30.0)
    };
    assert!(judge(&unknown, &Past::default()).is_empty());
}

#[test]
fn what_serves_a_foreign_key_is_kept_and_a_duplicate_is_said_once() {
    let unused = Unused {
        schema: "public".to_owned(),
        name: "a".to_owned(),
        is_for_reference: true,
        ..Unused::default()
    };
    let pair = Pair {
        schema: "public".to_owned(),
        first: side("a"),
        second: side("b"),
        ..Pair::default()
    };
    let mut facts = Indexes {
        unused: vec![unused],
        since_s: Some(0.0),
        ..Indexes::default()
    };
    let found = judge(&facts, &Past::default());
    assert_eq!(found[0].advice.as_ref().unwrap().way, "keep");
    facts.pairs = vec![pair.clone(), pair];
    let found = judge(&facts, &Past::default());
    assert_eq!(found.iter().map(|f| f.code.id).collect::<Vec<_>>(), ["LIM-046"]);
    let bytes: f64 = facts
        .samples()
        .iter()
        .find(|s| s.metric.name == "indexes_duplicate_bytes")
        .unwrap()
        .value;
    assert_eq!(bytes, 1_000.0 * 8_192.0);
}
