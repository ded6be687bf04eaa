//! Each complaint about gates that people have had, and that this one must not earn.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::definition::versions::app_version;

fn entry(name: &str, versions: &str, standing: Standing, required: Required) -> Entry {
    Entry {
        name: name.to_owned(),
        description: format!("what {name} is for"),
        versions: (!versions.is_empty()).then(|| versions.to_owned()),
        depends_on: Vec::new(),
        standing,
        required,
        unsettled: Vec::new(),
        unreadable: None,
    }
}

fn after(mut entry: Entry, names: &[&str]) -> Entry {
    entry.depends_on = names.iter().map(|name| (*name).to_owned()).collect();
    entry
}

fn unknown() -> Required {
    Required::Unknown("relation \"events\" does not exist".to_owned())
}

fn told(version: &str, entries: &[Entry]) -> String {
    told_of(version, None, entries)
}

fn told_of(version: &str, installed: Option<&str>, entries: &[Entry]) -> String {
    let installed = installed.map(|text| app_version(text).unwrap());
    let gate = judge(&app_version(version).unwrap(), installed.as_ref(), entries);
    assert_eq!(gate.is_open, gate.standing_in_the_way.is_empty());
    let mut out = format!(
        "{}: {}",
        gate.app_version,
        if gate.is_open { "open" } else { "closed" }
    );
    for blocker in gate.standing_in_the_way {
        write!(out, "\n- `{}` {}", blocker.name, blocker.why).unwrap();
        for next in blocker.next {
            write!(out, "\n    {next}").unwrap();
        }
    }
    for note in gate.notes {
        write!(out, "\n* {note}").unwrap();
    }
    out
}

const OLD: &str = ">=1.33.0, <1.42.0";

#[test]
fn a_required_one_of_an_older_range_stands_in_the_way() {
    let one = [entry("fill", OLD, Standing::Pending, Required::Yes)];
    insta::assert_snapshot!(told("1.42.0", &one), @r#"
    1.42.0: closed
    - `fill` is required and was not started, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start fill`
    "#);
    // The version that is installed can run it.
    insta::assert_snapshot!(told_of("1.42.0", Some("1.41.7"), &one), @r#"
    1.42.0: closed
    - `fill` is required and was not started, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        run `corridor migration start fill` now: 1.41.7, which is installed, can run it
    "#);
    insta::assert_snapshot!(told_of("1.42.0", Some("1.30.0"), &one), @r#"
    1.42.0: closed
    - `fill` is required and was not started, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start fill`
    "#);
}

/// The worker that would run a migration did not start because the migration had not run.
#[test]
fn the_release_that_can_run_it_is_let_in() {
    for standing in [
        Standing::Pending,
        Standing::Running,
        Standing::Failed,
        Standing::Paused,
    ] {
        for version in ["1.33.0", "1.41.99", "1.42.0-rc.1", "1.33.0-rc.1"] {
            let told = told(version, &[entry("fill", OLD, standing, Required::Yes)]);
            // A candidate of 1.42.0 has the code of 1.42.0.
            let wanted = if version == "1.42.0-rc.1" {
                "closed"
            } else {
                "open"
            };
            assert!(told.starts_with(&format!("{version}: {wanted}")), "{told}");
        }
    }
    let under_way = [
        entry("pending", OLD, Standing::Pending, Required::Yes),
        entry("running", OLD, Standing::Running, Required::Yes),
        entry("failed", OLD, Standing::Failed, Required::Yes),
        entry("waiting", OLD, Standing::Waiting, Required::Yes),
        entry("any", "", Standing::Pending, Required::Yes),
        entry("later", ">=1.50", Standing::Pending, Required::Yes),
    ];
    insta::assert_snapshot!(told("1.40.0", &under_way), @r#"
    1.40.0: open
    * `pending` is required and was not started; run `corridor migration start pending` before the application leaves >=1.33.0, <1.42.0
    * `running` is running, which does not stand in the way: 1.40.0 can run it; `corridor status running --watch`
    * `failed` has failed, which does not stand in the way: 1.40.0 can run it; `corridor logs failed`
    * `waiting` waits for `finish`, which does not stand in the way: 1.40.0 can run it; `corridor finish waiting`
    * `any` is required and was not started; run `corridor migration start any` with any release
    "#);
}

/// A fresh installation was kept out by migrations that had nothing to do; one of them never completed because what it
/// depended on had not.
#[test]
fn what_is_not_required_never_stands_in_the_way() {
    let fresh = [
        entry("0001", "<1.34", Standing::Pending, Required::No),
        after(entry("0002", OLD, Standing::Pending, Required::No), &["0001"]),
        entry("0003", OLD, Standing::NotRequired, Required::Yes),
        entry("0004", OLD, Standing::Skipped, Required::Yes),
        entry("0005", OLD, Standing::Done, unknown()),
        entry("0006", OLD, Standing::Failed, Required::No),
    ];
    insta::assert_snapshot!(told("1.50.0", &fresh), @r#"
    1.50.0: open
    * `0006` has failed, which does not stand in the way: it is not required any more; `corridor logs 0006`
    "#);
    let one = [
        entry("0001", "<1.34", Standing::Pending, Required::No),
        after(entry("0002", OLD, Standing::Pending, Required::Yes), &["0001"]),
    ];
    insta::assert_snapshot!(told("1.50.0", &one), @r#"
    1.50.0: closed
    - `0002` is required and was not started, and 1.50.0 is newer than its versions, >=1.33.0, <1.42.0
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start 0002`
    * `0001`, on which `0002` depends, is not required here and completes without doing anything
    "#);
}

/// The question whether it was required failed during a deployment, and the migration was taken for done.
#[test]
fn what_nobody_knows_counts_as_required() {
    let one = [entry("fill", OLD, Standing::Pending, unknown())];
    insta::assert_snapshot!(told("1.42.0", &one), @r#"
    1.42.0: closed
    - `fill` was not started; nobody knows whether it is required (relation "events" does not exist), and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start fill`
        or, when you know that it is not needed here: `corridor migration skip fill --reason TEXT`
    "#);
    assert!(told("1.41.0", &one).starts_with("1.41.0: open"));
    let broken = [entry("fill", "1.33 to 1.42", Standing::Pending, Required::Yes)];
    insta::assert_snapshot!(told("1.42.0", &broken), @r#"
    1.42.0: closed
    - `fill` is required and was not started, and its versions cannot be read ("1.33 to 1.42": expected comma after minor version number, found 't')
        install a release in 1.33 to 1.42 and run `corridor migration start fill`
    "#);
}

/// States that a gate did not know: it said that something was to be waited for which had stopped long ago.
#[test]
fn each_state_has_its_next_step() {
    let all = [
        Standing::Pending,
        Standing::Running,
        Standing::Paused,
        Standing::Failed,
        Standing::Waiting,
        Standing::RollingBack,
        Standing::RolledBack,
        Standing::Stopping,
        Standing::Stopped,
        Standing::Ambiguous,
    ];
    let entries: Vec<Entry> = all
        .iter()
        .map(|standing| entry("m", OLD, *standing, Required::Yes))
        .collect();
    let each: Vec<String> = entries
        .iter()
        .map(|entry| told("1.42.0", std::slice::from_ref(entry)))
        .collect();
    insta::assert_snapshot!(each.join("\n"), @r#"
    1.42.0: closed
    - `m` is required and was not started, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start m`
    1.42.0: closed
    - `m` is required and is running, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        wait until it is done: `corridor status m --watch`
    1.42.0: closed
    - `m` is required and is paused, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        install a release in >=1.33.0, <1.42.0 and run `corridor resume m`
    1.42.0: closed
    - `m` is required and has failed, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        see why: `corridor status m`, `corridor logs m`
        install a release in >=1.33.0, <1.42.0 and run `corridor resume m`
    1.42.0: closed
    - `m` is required and waits for `finish`, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        keep what it did with `corridor finish m`, or take it back with `corridor rollback m`
    1.42.0: closed
    - `m` is required and is rolling back, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        wait until that has ended: `corridor status m --watch`
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start m`
    1.42.0: closed
    - `m` is required and was rolled back, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start m`
    1.42.0: closed
    - `m` is required and is stopping, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        wait until that has ended: `corridor status m --watch`
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start m`
    1.42.0: closed
    - `m` is required and was stopped before it was done, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        install a release in >=1.33.0, <1.42.0 and run `corridor migration start m`
    1.42.0: closed
    - `m` is required and may or may not have taken its last step, and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0
        see what is unknown, and settle it: `corridor status m`
    "#);
    // Going back to an older release while it is under way is no better.
    let running = [
        entry("m", OLD, Standing::Running, Required::Yes),
        entry("n", OLD, Standing::Pending, Required::Yes),
    ];
    insta::assert_snapshot!(told("1.30.0", &running), @r#"
    1.30.0: closed
    - `m` is required and is running, and 1.30.0 is older than its versions, >=1.33.0, <1.42.0
        wait until it is done: `corridor status m --watch`
    "#);
}

/// An upgrade over several releases: each migration has releases of its own, and their order is not that of their names.
#[test]
fn a_long_way_is_told_in_its_order() {
    let way = [
        after(
            entry("c", ">=1.38, <1.42", Standing::Pending, Required::Yes),
            &["b", "x"],
        ),
        after(
            entry("b", ">=1.36, <1.40", Standing::Pending, Required::Yes),
            &["a"],
        ),
        entry("a", ">=1.33, <1.36", Standing::Failed, Required::Yes),
        entry("x", "", Standing::Pending, unknown()),
        after(
            entry("d", ">=1.40, <1.43", Standing::Pending, Required::Yes),
            &["c", "gone"],
        ),
        entry("e", ">=1.43, <1.50", Standing::Pending, Required::Yes),
    ];
    insta::assert_snapshot!(told("1.45.0", &way), @r#"
    1.45.0: closed
    - `a` is required and has failed, and 1.45.0 is newer than its versions, >=1.33, <1.36
        see why: `corridor status a`, `corridor logs a`
        install a release in >=1.33, <1.36 and run `corridor resume a`
    - `b` is required and was not started, and 1.45.0 is newer than its versions, >=1.36, <1.40
        install a release in >=1.36, <1.40 and run `corridor migration start b`
    - `x` was not started; nobody knows whether it is required (relation "events" does not exist), and `c` depends on it
        run `corridor migration start x`, with any release
        or, when you know that it is not needed here: `corridor migration skip x --reason TEXT`
    - `c` is required and was not started, and 1.45.0 is newer than its versions, >=1.38, <1.42
        install a release in >=1.38, <1.42 and run `corridor migration start c`
    - `d` is required and was not started, and 1.45.0 is newer than its versions, >=1.40, <1.43
        it depends on `gone`, which is not here: add that one with `corridor migration add FILE`
        install a release in >=1.40, <1.43 and run `corridor migration start d`
    * `e` is required and was not started; run `corridor migration start e` before the application leaves >=1.43, <1.50
    "#);
}

#[test]
fn a_circle_ends() {
    let circle = [
        after(entry("a", OLD, Standing::Pending, Required::Yes), &["b"]),
        after(entry("b", OLD, Standing::Pending, Required::Yes), &["a"]),
    ];
    assert_eq!(told("1.42.0", &circle).matches("\n- ").count(), 2);
}

#[test]
fn it_is_json_too() {
    let one = [entry("fill", OLD, Standing::Pending, unknown())];
    let gate = judge(&app_version("1.42.0").unwrap(), None, &one);
    insta::assert_snapshot!(serde_json::to_string_pretty(&gate).unwrap(), @r#"
    {
      "version": 1,
      "app_version": "1.42.0",
      "is_open": false,
      "standing_in_the_way": [
        {
          "name": "fill",
          "description": "what fill is for",
          "versions": ">=1.33.0, <1.42.0",
          "standing": "pending",
          "required": {
            "answer": "unknown",
            "why": "relation \"events\" does not exist"
          },
          "why": "was not started; nobody knows whether it is required (relation \"events\" does not exist), and 1.42.0 is newer than its versions, >=1.33.0, <1.42.0",
          "next": [
            "install a release in >=1.33.0, <1.42.0 and run `corridor migration start fill`",
            "or, when you know that it is not needed here: `corridor migration skip fill --reason TEXT`"
          ]
        }
      ],
      "notes": []
    }
    "#);
}

#[test]
fn every_state_of_the_engine_has_a_standing() {
    let table: Vec<String> = StateName::ALL
        .into_iter()
        .map(|state| format!("{state} {:?}", Standing::from(state)))
        .collect();
    insta::assert_snapshot!(table.join("\n"), @r#"
    planned Pending
    running Running
    paused Paused
    waiting Waiting
    cutting_over Running
    rolling_back RollingBack
    rolled_back RolledBack
    stopping Stopping
    stopped Stopped
    finishing Running
    finished Done
    failed Failed
    ambiguous Ambiguous
    "#);
}

proptest! {
    /// The rule, said once more in other words, and over any set of migrations.
    #[test]
    fn the_gate_is_closed_exactly_when_something_stands_in_the_way(
        minor in 30u64..50,
        entries in proptest::collection::vec(
            (30u64..50, 1u64..6, 0usize..13, 0usize..3, proptest::collection::vec(0usize..6, 0..3)), 0..6
        ),
    ) {
        const ALL: [Standing; 13] = [
            Standing::Pending, Standing::Running, Standing::Paused, Standing::Failed, Standing::Waiting,
            Standing::RollingBack, Standing::RolledBack, Standing::Stopping, Standing::Stopped, Standing::Ambiguous,
            Standing::Done, Standing::Skipped, Standing::NotRequired,
        ];
        let built: Vec<Entry> = entries.iter().enumerate().map(|(i, (from, length, standing, required, needs))| {
            let required = [Required::Yes, Required::No, unknown()][*required].clone();
            let range = format!(">=1.{from}, <1.{}", from + length);
            let mut entry = entry(&format!("m{i}"), &range, ALL[*standing], required);
            entry.depends_on = needs.iter().map(|i| format!("m{i}")).collect();
            entry
        }).collect();
        let gate = judge(&Version::new(1, minor, 0), None, &built);
        let mut names = BTreeSet::new();
        for (blocker, i) in gate.standing_in_the_way.iter().zip(0..) {
            prop_assert!(names.insert(&blocker.name));
            prop_assert!(blocker.required != Required::No && !blocker.standing.is_settled());
            prop_assert!(!blocker.next.is_empty(), "{}", i);
        }
        for ((from, length, ..), entry) in entries.iter().zip(&built) {
            let (is_newer, is_older) = (minor >= from + length, minor < *from);
            let stands = entry.required != Required::No
                && !entry.standing.is_settled()
                && (is_newer || is_older && entry.standing.is_under_way());
            if stands {
                prop_assert!(names.contains(&entry.name), "{}", entry.name);
            }
        }
        let is_needed = |name: &String| built.iter().any(|other| {
            names.contains(&other.name) && other.name != *name && other.depends_on.contains(name)
        });
        for blocker in &gate.standing_in_the_way {
            let (from, length, ..) = &entries[built.iter().position(|it| it.name == blocker.name).unwrap()];
            let is_outside = minor >= from + length || minor < *from;
            prop_assert!(is_outside || is_needed(&blocker.name), "{}", blocker.name);
        }
    }
}
