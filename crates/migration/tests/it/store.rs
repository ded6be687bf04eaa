use std::collections::BTreeMap;

use corridor_migration::lease::take;
use corridor_migration::setting::Settings;
use corridor_migration::store::{self, JOURNAL_ENTRIES_MAX, Naming, Outcome, REQUESTS_OPEN_MAX};
use corridor_migration::{Action, Event, Lease, Name, OperationState, Side, State, Verb, Wait};
use corridor_pg::{Fault, Isolation, Session};
use serde_json::{Value, json};

use crate::{LONG, fresh, grow_old, new_migration, session, stage, store_one};

async fn apply(session: &mut Session, lease: &Lease, event: Event) -> Result<store::Applied, Fault> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let applied = store::apply(&tx, lease, &event).await?;
    tx.commit().await?;
    Ok(applied)
}

fn started(operation: &str) -> Event {
    Event::OperationStarted {
        operation: operation.into(),
    }
}

fn finished(operation: &str) -> Event {
    Event::OperationFinished {
        operation: operation.into(),
    }
}

#[tokio::test]
async fn a_whole_life_is_stored_and_told() {
    let mut s = stage("life").await;
    let (session, lease) = (&mut s.session, &s.lease);
    let mut events = vec![Event::asked(Verb::Start, "p@h 1")];
    for operation in ["prepare", "copy", "verify"] {
        events.extend([started(operation), finished(operation)]);
    }
    events.extend([
        Event::ReadyForCutover,
        Event::asked(Verb::Cutover, "p@h 1"),
        started("cutover"),
        Event::CutOver,
        finished("cutover"),
        Event::asked(Verb::Rollback, "p@h 1"),
        Event::SwappedBack,
        Event::CleanedUp,
    ]);
    let mut states = Vec::new();
    for event in events {
        states.push(apply(session, lease, event).await.unwrap().state);
    }
    assert!(states.contains(&State::Waiting {
        for_what: Wait::Finish
    }));
    assert_eq!(states.last(), Some(&State::RolledBack));

    let name = Name::new("m").unwrap();
    let migration = store::load(&**session, &name).await.unwrap();
    assert_eq!(migration.state, State::RolledBack);
    assert!(migration.started_at.is_some() && migration.finished_at.is_some());
    assert_eq!(migration.current_operation.as_deref(), Some("cutover"));
    assert!(
        migration
            .operations
            .iter()
            .all(|o| o.state == OperationState::Done && o.attempts == 1)
    );

    let entries = store::logs(&**session, migration.id, 0, 1_000).await.unwrap();
    let numbers: Vec<i64> = entries.iter().map(|e| e.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>(), "no gaps");
    let told: Vec<&str> = entries.iter().map(|e| e.event.as_str()).collect();
    assert_eq!(told[..3], ["created", "lease_taken", "start"]);
    assert_eq!(told.last(), Some(&"cleaned_up"));
    let last = entries.last().unwrap();
    assert_eq!(last.from_state.as_deref(), Some("rolling_back"));
    assert_eq!(last.to_state.as_deref(), Some("rolled_back"));
    assert_eq!(last.actor, "first@here 1");
    let newest = store::logs(&**session, migration.id, 5, 2).await.unwrap();
    assert_eq!(newest.last().unwrap().number, last.number);
    assert_eq!(newest.len(), 2);
}

/// Every state that the pure function can lead to passes the table's own checks and reads back the same.
#[tokio::test]
async fn every_state_reads_back_as_it_was_written() {
    let mut s = stage("states").await;
    let fail = || Event::WorkFailed {
        code: "PG-007".into(),
        detail: "may not; \0 said \"so\"".into(),
    };
    let why = |verb| Event::Asked {
        verb,
        by: "p@h 1".into(),
        why: "lunch 🐘".into(),
    };
    let ambiguous = || Event::OwnershipAmbiguous {
        what: "the answer was lost".into(),
    };
    let path = [
        why(Verb::Start),
        why(Verb::Pause),
        why(Verb::Resume),
        fail(),
        why(Verb::Resume),
        Event::ReadyForCutover,
        why(Verb::Verify),
        Event::ReadyForCutover,
        why(Verb::Cutover),
        Event::CutoverGivenUp { why: "busy".into() },
        why(Verb::Cutover),
        ambiguous(),
        Event::OwnershipResolved {
            side: Side::AfterCutover,
        },
        why(Verb::Pause),
        why(Verb::Rollback),
        ambiguous(),
        Event::OwnershipResolved {
            side: Side::AfterCutover,
        },
        why(Verb::Pause),
        why(Verb::Resume),
        Event::SwappedBack,
        fail(),
        why(Verb::Rollback),
        Event::CleanedUp,
    ];
    for event in path {
        let applied = apply(&mut s.session, &s.lease, event.clone()).await.unwrap();
        let stored = store::read_state(&*s.session, s.migration.id).await.unwrap();
        assert_eq!(stored, applied.state, "{event:?}");
    }
}

#[tokio::test]
async fn what_is_refused_changes_nothing_and_says_what_is_allowed() {
    let mut s = stage("refused").await;
    let fault = apply(&mut s.session, &s.lease, Event::asked(Verb::Finish, "p@h 1"))
        .await
        .unwrap_err();
    assert_eq!(fault.code().id, "MIG-007");
    assert!(
        fault.detail().contains("allowed now: start, stop, rollback"),
        "{fault}"
    );
    let fault = apply(&mut s.session, &s.lease, started("copy"))
        .await
        .unwrap_err();
    assert_eq!(fault.code().id, "MIG-008", "nothing may begin before the start");
    apply(&mut s.session, &s.lease, Event::asked(Verb::Start, "p@h 1"))
        .await
        .unwrap();
    for (event, code) in [(started("dance"), "MIG-015"), (finished("copy"), "MIG-008")] {
        assert_eq!(
            apply(&mut s.session, &s.lease, event)
                .await
                .unwrap_err()
                .code()
                .id,
            code
        );
    }
    let entries = store::logs(&*s.session, s.migration.id, 0, 100).await.unwrap();
    assert_eq!(entries.len(), 3, "created, lease taken, start");
}

#[tokio::test]
async fn a_transition_that_is_not_committed_did_not_happen() {
    let mut s = stage("uncommitted").await;
    let tx = s.session.begin(Isolation::RepeatableRead).await.unwrap();
    let applied = store::apply(&tx, &s.lease, &Event::asked(Verb::Start, "p@h 1"))
        .await
        .unwrap();
    assert_eq!(
        (applied.state, &applied.actions[..]),
        (State::Running, &[Action::Work][..])
    );
    tx.rollback().await.unwrap();
    assert_eq!(
        store::read_state(&*s.session, s.migration.id).await.unwrap(),
        State::Planned
    );
    assert_eq!(
        store::logs(&*s.session, s.migration.id, 0, 100)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn a_worker_that_was_taken_over_can_write_nothing() {
    let mut s = stage("fenced").await;
    apply(&mut s.session, &s.lease, Event::asked(Verb::Start, "p@h 1"))
        .await
        .unwrap();
    apply(&mut s.session, &s.lease, started("copy")).await.unwrap();
    grow_old(&s.session, s.migration.id).await;
    let mut other = session(&s.database.url, "test", "m").await;
    let second = take(&mut other, s.migration.id, "second@here 2", LONG)
        .await
        .unwrap();
    assert_eq!(second.taken_over_from.as_deref(), Some("first@here 1"));

    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    let old = &s.lease;
    let nothing = json!({});
    let faults = [
        store::apply(&tx, old, &finished("copy")).await.map(|_| ()),
        store::note(&tx, old, "held", None, &nothing).await,
        store::write_operation_progress(&tx, old, "copy", &nothing).await,
        store::undo_operation(&tx, old, "copy").await,
        store::repeat_operation(&tx, old, "copy").await,
        store::take_requests(&tx, old).await.map(|_| ()),
        store::answer(&tx, old, 1, &nothing).await,
    ];
    for result in faults {
        assert_eq!(result.unwrap_err().code().id, "PG-019");
    }
    tx.rollback().await.unwrap();
    // The new one begins the same operation again.
    apply(&mut other, &second, started("copy")).await.unwrap();
    let operations = store::operations(&*other, s.migration.id).await.unwrap();
    assert_eq!(
        (operations[1].state, operations[1].attempts),
        (OperationState::Running, 2)
    );
}

#[tokio::test]
async fn operations_fail_go_on_repeat_and_are_undone() {
    let mut s = stage("operations").await;
    apply(&mut s.session, &s.lease, Event::asked(Verb::Start, "p@h 1"))
        .await
        .unwrap();
    apply(&mut s.session, &s.lease, started("copy")).await.unwrap();
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    store::write_operation_progress(&tx, &s.lease, "copy", &json!({ "rows": 7 }))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let failed = Event::OperationFailed {
        operation: "copy".into(),
        code: "PG-013".into(),
        detail: "disk full".into(),
    };
    apply(&mut s.session, &s.lease, failed).await.unwrap();
    let copy = &store::operations(&*s.session, s.migration.id).await.unwrap()[1];
    assert_eq!(copy.state, OperationState::Failed);
    assert_eq!(copy.error.as_deref(), Some("PG-013: disk full"));
    assert_eq!(copy.progress, json!({ "rows": 7 }));

    apply(&mut s.session, &s.lease, Event::asked(Verb::Resume, "p@h 1"))
        .await
        .unwrap();
    apply(&mut s.session, &s.lease, started("copy")).await.unwrap();
    apply(&mut s.session, &s.lease, finished("copy")).await.unwrap();
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    store::repeat_operation(&tx, &s.lease, "copy").await.unwrap();
    store::undo_operation(&tx, &s.lease, "copy").await.unwrap();
    store::undo_operation(&tx, &s.lease, "prepare").await.unwrap();
    tx.commit().await.unwrap();
    let states: Vec<_> = store::operations(&*s.session, s.migration.id)
        .await
        .unwrap()
        .iter()
        .map(|o| o.state)
        .collect();
    assert_eq!(states[..2], [OperationState::Pending, OperationState::Undone]);
}

#[tokio::test]
async fn a_plan_is_frozen() {
    let mut s = stage("frozen").await;
    let name = Name::new("m").unwrap();
    let loaded = store::load(&*s.session, &name).await.unwrap();
    assert_eq!(loaded.plan, new_migration("m").plan);
    // As a person would: one figure, and nothing else.
    s.session
        .execute(
            "update corridor.migration set plan = plan || '{\"partitions\": 65}'",
            &[],
        )
        .await
        .unwrap();
    let fault = store::load(&*s.session, &name).await.unwrap_err();
    assert_eq!(fault.code().id, "MIG-006");
    let fault = store::load(&*s.session, &Name::new("n").unwrap())
        .await
        .unwrap_err();
    assert_eq!((fault.code().id, fault.detail()), ("MIG-003", "n"));
    for (typed, suggestion) in [("mm", "; did you mean m?"), ("thawed", "")] {
        let typed = Name::new(typed).unwrap();
        let fault = store::load(&*s.session, &typed).await.unwrap_err();
        assert_eq!(fault.detail(), format!("{typed}{suggestion}"));
    }
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    let mut bad = new_migration("other");
    bad.operations = vec!["copy".into(), "copy".into()];
    assert_eq!(store::create(&tx, &bad).await.unwrap_err().code().id, "MIG-016");
}

#[tokio::test]
async fn names_are_free_ones_also_under_a_race() {
    let database = fresh("names").await;
    let mut one = session(&database.url, "test", "-").await;
    assert_eq!(store_one(&mut one, "persons").await.name.as_str(), "persons");
    assert_eq!(store_one(&mut one, "persons").await.name.as_str(), "persons-2");
    let tx = one.begin(Isolation::ReadCommitted).await.unwrap();
    let mut exact = new_migration("persons");
    exact.naming = Naming::Exactly(Name::new("persons").unwrap());
    assert_eq!(store::create(&tx, &exact).await.unwrap_err().code().id, "MIG-005");
    drop(tx);
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let mut racer = session(&database.url, "test", "-").await;
        tasks.push(tokio::spawn(async move {
            store_one(&mut racer, "persons").await.name
        }));
    }
    let mut names = Vec::new();
    for task in tasks {
        names.push(task.await.unwrap().to_string());
    }
    names.sort();
    let expected: Vec<String> = (3..=10).map(|n| format!("persons-{n}")).collect();
    let mut expected = expected;
    expected.sort();
    assert_eq!(names, expected);
    assert_eq!(store::list(&*one).await.unwrap().len(), 10);
}

#[tokio::test]
async fn the_journal_keeps_the_newest_entries() {
    let mut s = stage("journal").await;
    s.session
        .execute(
            "update corridor.migration set journal_count = $1",
            &[&JOURNAL_ENTRIES_MAX],
        )
        .await
        .unwrap();
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    store::note(&tx, &s.lease, "held", Some("copy"), &json!({ "why": "lag" }))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let entries = store::logs(&*s.session, s.migration.id, 0, 100).await.unwrap();
    let numbers: Vec<_> = entries.iter().map(|e| e.number).collect();
    assert_eq!(numbers, [2, JOURNAL_ENTRIES_MAX + 1], "entry 1 is gone");
}

#[tokio::test]
async fn requests_are_taken_answered_and_bounded() {
    let mut s = stage("requests").await;
    let id = s.migration.id;
    let asker = session(&s.database.url, "test", "-").await;
    let first = store::ask(&*asker, id, Verb::Pause, &json!({ "why": "lunch" }), "p@h 1")
        .await
        .unwrap();
    assert_eq!(store::outcome(&*asker, first).await.unwrap(), Outcome::Open);
    let second = store::ask(&*asker, id, Verb::Cutover, &Value::Null, "p@h 1")
        .await
        .unwrap();
    assert!(store::withdraw(&*asker, second).await.unwrap());
    assert_eq!(store::outcome(&*asker, second).await.unwrap(), Outcome::Gone);

    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    let taken = store::take_requests(&tx, &s.lease).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(
        (taken[0].verb, &taken[0].argument),
        (Verb::Pause, &json!({ "why": "lunch" }))
    );
    assert_eq!(store::outcome(&*asker, first).await.unwrap(), Outcome::Taken);
    assert!(!store::withdraw(&*asker, first).await.unwrap());

    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    // The worker before died after taking: the next one takes it again.
    assert_eq!(store::take_requests(&tx, &s.lease).await.unwrap().len(), 1);
    store::answer(&tx, &s.lease, first, &json!({ "ok": true }))
        .await
        .unwrap();
    assert!(store::take_requests(&tx, &s.lease).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    let outcome = Outcome::Answered {
        outcome: json!({ "ok": true }),
    };
    assert_eq!(store::outcome(&*asker, first).await.unwrap(), outcome);

    for _ in 0..REQUESTS_OPEN_MAX {
        store::ask(&*asker, id, Verb::Pause, &Value::Null, "p@h 1")
            .await
            .unwrap();
    }
    let fault = store::ask(&*asker, id, Verb::Pause, &Value::Null, "p@h 1")
        .await
        .unwrap_err();
    assert_eq!(fault.code().id, "MIG-014");
}

#[tokio::test]
async fn settings_are_set_while_a_worker_runs() {
    let mut s = stage("settings").await;
    let id = s.migration.id;
    assert_eq!(
        store::read_settings(&*s.session, id).await.unwrap(),
        Settings::resolve(&BTreeMap::new()).unwrap()
    );
    let mut other = session(&s.database.url, "test", "-").await;
    let tx = other.begin(Isolation::ReadCommitted).await.unwrap();
    assert_eq!(
        store::set(&tx, id, "chunk.max_bytes", "1MiB", ("p@h 1", ""))
            .await
            .unwrap(),
        "1048576"
    );
    assert_eq!(
        store::set(&tx, id, "workers", "99", ("p@h 1", ""))
            .await
            .unwrap_err()
            .code()
            .id,
        "MIG-012"
    );
    assert_eq!(
        store::set(&tx, id, "wrkers", "9", ("p@h 1", ""))
            .await
            .unwrap_err()
            .code()
            .id,
        "MIG-011"
    );
    tx.commit().await.unwrap();
    let settings = store::read_settings(&*s.session, id).await.unwrap();
    assert_eq!(settings.chunk_max_bytes, 1 << 20);
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    store::unset(&tx, id, "chunk.max_bytes", ("p@h 1", ""))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        store::read_settings(&*s.session, id)
            .await
            .unwrap()
            .chunk_max_bytes,
        16 << 20
    );
    let events: Vec<_> = store::logs(&*s.session, id, 0, 10).await.unwrap();
    assert_eq!(events[2].event, "set");
    assert_eq!(
        events[2].detail,
        json!({ "key": "chunk.max_bytes", "value": "1048576" })
    );
    assert_eq!(events[3].event, "unset");
}

/// An operation of two minutes that was taken back hours later was shown as one of hours.
#[tokio::test]
async fn an_operation_that_is_taken_back_keeps_the_time_of_its_own_end() {
    let mut s = stage("undone").await;
    for event in [
        Event::asked(Verb::Start, "p@h 1"),
        started("prepare"),
        finished("prepare"),
        started("copy"),
    ] {
        apply(&mut s.session, &s.lease, event).await.unwrap();
    }
    s.session
        .batch_execute(
            "update corridor.operation set started_at = started_at - interval '3 h', \
             finished_at = finished_at - interval '3 h' where started_at is not null",
        )
        .await
        .unwrap();
    let before = store::operations(&*s.session, s.migration.id).await.unwrap();
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    for operation in ["copy", "prepare"] {
        store::undo_operation(&tx, &s.lease, operation).await.unwrap();
    }
    tx.commit().await.unwrap();
    let after = store::operations(&*s.session, s.migration.id).await.unwrap();
    assert_eq!(after[0].state, OperationState::Undone);
    assert_eq!(after[0].took_ms, before[0].took_ms);
    assert_eq!(after[0].finished_at, before[0].finished_at);
    // One that was at work ended when it was taken back.
    assert!(after[1].took_ms.unwrap() >= 3.0 * 3_600_000.0, "{:?}", after[1]);
}

/// A cut-over that was given up was shown as running for as long as the worker stayed.
#[tokio::test]
async fn a_cut_over_that_was_given_up_runs_no_more() {
    let mut s = stage("given_up").await;
    let state = async |s: &mut crate::Stage| {
        let operations = store::operations(&*s.session, s.migration.id).await.unwrap();
        operations
            .into_iter()
            .find(|o| o.name == "cutover")
            .unwrap()
            .state
    };
    for event in [
        Event::asked(Verb::Start, "p@h 1"),
        Event::ReadyForCutover,
        Event::asked(Verb::Cutover, "p@h 1"),
        started("cutover"),
    ] {
        apply(&mut s.session, &s.lease, event).await.unwrap();
    }
    assert_eq!(state(&mut s).await, OperationState::Running);
    let given_up = Event::CutoverGivenUp { why: "busy".into() };
    apply(&mut s.session, &s.lease, given_up).await.unwrap();
    assert_eq!(state(&mut s).await, OperationState::Pending);
    for event in [
        Event::asked(Verb::Cutover, "p@h 1"),
        started("cutover"),
        Event::CutOver,
        finished("cutover"),
    ] {
        apply(&mut s.session, &s.lease, event).await.unwrap();
    }
    assert_eq!(state(&mut s).await, OperationState::Done);
}

#[tokio::test]
async fn reports_of_verifications_are_kept_with_the_verdict_and_the_newest_only() {
    let mut s = stage("verification").await;
    let record = async |session: &mut Session, lease: &Lease, side: Side, run: i32, is_kept: bool| {
        let tx = session.begin(Isolation::ReadCommitted).await?;
        let number = store::record_verification(&tx, lease, side, &json!({ "run": run })).await?;
        match is_kept {
            true => tx.commit().await?,
            false => tx.rollback().await?,
        }
        Ok::<i32, Fault>(number)
    };
    let (session, lease) = (&mut s.session, &s.lease);
    let before = Side::BeforeCutover;
    assert_eq!(record(session, lease, before, 1, false).await.unwrap(), 1);
    assert_eq!(record(session, lease, before, 1, true).await.unwrap(), 1);
    assert_eq!(
        record(session, lease, Side::AfterCutover, 1, true).await.unwrap(),
        2
    );
    let id = s.migration.id;
    let kept = store::verifications(&**session, id, 0, 10).await.unwrap();
    let seen: Vec<_> = kept
        .iter()
        .map(|v| (v.number, v.side, v.report["run"].clone()))
        .collect();
    assert_eq!(seen, [(2, Side::AfterCutover, json!(1)), (1, before, json!(1))]);
    assert_eq!(
        store::verifications(&**session, id, 1, 10).await.unwrap().len(),
        1
    );
    for run in 3..=store::VERIFICATIONS_KEPT_MAX + 3 {
        assert_eq!(record(session, lease, before, run, true).await.unwrap(), run);
    }
    let kept = store::verifications(&**session, id, 0, 1_000).await.unwrap();
    assert_eq!(kept.len() as i32, store::VERIFICATIONS_KEPT_MAX);
    assert_eq!(kept.last().unwrap().number, 4);
    let entries = store::logs(&**session, id, 0, 1_000).await.unwrap();
    let verified = entries.iter().filter(|e| e.event == "verified").count() as i32;
    assert_eq!(verified, store::VERIFICATIONS_KEPT_MAX + 3);

    // Another worker's epoch: nothing is kept.
    grow_old(session, id).await;
    take(session, id, "second@here 2", LONG).await.unwrap();
    let fault = record(session, lease, before, 200, true).await.unwrap_err();
    assert_eq!(fault.code().id, "PG-019");
}

/// Whoever grants a request holds its row; whoever takes it back at the same moment comes too late, and the other way round.
#[tokio::test]
async fn a_request_is_granted_or_taken_back_never_both() {
    let mut s = stage("request_race").await;
    let asker = session(&s.database.url, "test", "-").await;
    let id = s.migration.id;
    let request = store::ask(&*asker, id, Verb::Pause, &Value::Null, "p@h 1")
        .await
        .unwrap();
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    assert!(store::hold_open(&tx, request).await.unwrap());
    let mut withdrawing = std::pin::pin!(store::withdraw(&*asker, request));
    let blocked = tokio::time::timeout(std::time::Duration::from_millis(300), &mut withdrawing).await;
    assert!(blocked.is_err(), "it waits for whoever grants");
    store::answer(&tx, &s.lease, request, &json!({ "granted": true }))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(!withdrawing.await.unwrap());
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    assert!(!store::hold_open(&tx, request).await.unwrap(), "answered");
    drop(tx);
    let request = store::ask(&*asker, id, Verb::Pause, &Value::Null, "p@h 1")
        .await
        .unwrap();
    assert!(store::withdraw(&*asker, request).await.unwrap());
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    assert!(!store::hold_open(&tx, request).await.unwrap(), "taken back");
}
