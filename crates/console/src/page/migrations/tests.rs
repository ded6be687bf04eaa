use corridor_migration::{Course, Name};
use serde_json::Value;

use super::*;

fn row(name: &str, state: MigrationState) -> Row {
    Row {
        id: 1,
        name: Name::new(name).unwrap(),
        kind: "data".into(),
        description: "fills it".into(),
        state,
        current_operation: None,
        created_at: "2026-11-20T10:00:00.000Z".into(),
        started_at: None,
        finished_at: None,
        is_worker_alive: false,
        versions: None,
        is_unneeded: false,
        is_unreadable: false,
        asked: None,
        rows: Value::Null,
        throttle: Value::Null,
        operations: 3,
        operations_done: 1,
        position: None,
        error: None,
        noted: Value::Null,
        pace_rows: None,
        pending: None,
        query_id: None,
        backend_pid: None,
        tag: None,
        ended_by: None,
        why: None,
        may_begin_anew: false,
    }
}

fn failed(detail: &str) -> MigrationState {
    MigrationState::Failed {
        code: "MIG-136".into(),
        detail: detail.into(),
        course: Course::Forward,
    }
}

#[test]
fn each_migration_has_its_tab() {
    let app = Version::new(1, 40, 0);
    let of = |state: &MigrationState, versions| tab(state, false, versions, Some(&app)).as_str();
    let planned = MigrationState::Planned;
    assert_eq!(of(&planned, None), "needed");
    assert_eq!(of(&planned, Some(">=1.33.0, <1.42.0")), "needed");
    assert_eq!(of(&planned, Some(">=1.41.0")), "future");
    // Its versions have passed: that is a problem of now, not of the future.
    assert_eq!(of(&planned, Some("<1.30.0")), "needed");
    assert_eq!(
        range_words(Some("<1.30.0"), Some(&app)),
        ("its versions have passed: this release cannot run it", true)
    );
    assert_eq!(of(&failed(""), Some(">=1.41.0")), "running");
    assert_eq!(of(&MigrationState::Stopped, None), "done");
    assert_eq!(
        tab(&MigrationState::RolledBack, true, None, None).as_str(),
        "needed"
    );
    // Nobody has said which version runs.
    assert_eq!(tab(&planned, false, Some(">=1.41.0"), None).as_str(), "needed");
}

#[test]
fn what_people_and_servers_write_is_shown_and_not_obeyed() {
    const EVIL: &str = "<script>alert(\"1\")</script>'\"><img src=x>";
    let mut bad = row("a", failed(EVIL));
    bad.description = EVIL.into();
    bad.versions = Some(EVIL.into());
    bad.why = Some(EVIL.into());
    let asked = Asked {
        q: String::new(),
        cluster: EVIL.into(),
        ..Asked::default()
    };
    let mut page = page(&asked, vec![("main".into(), bad)], None);
    page.q = EVIL.into();
    page.clusters = vec![EVIL.into()];
    let text = page.render().unwrap();
    assert!(
        !text.contains("<script>alert") && !text.contains("<img"),
        "{text}"
    );
    assert!(
        text.matches("&#60;script&#62;alert(&#34;1&#34;)").count() >= 4,
        "{text}"
    );
}

#[test]
fn the_first_tab_that_has_something_is_shown_and_pages_are_linked() {
    let rows = (0..250)
        .map(|i| ("main".to_owned(), row(&format!("m{i}"), MigrationState::Planned)))
        .collect();
    let asked = Asked {
        page: "2".into(),
        q: "fills it".into(),
        ..Asked::default()
    };
    let page = page(&asked, rows, None);
    assert_eq!(page.tab, Tab::Needed);
    assert_eq!(page.lines.len(), 100);
    assert_eq!(page.found, "101 to 200 of 250");
    assert_eq!(
        page.next.as_deref(),
        Some("/migrations?tab=needed&q=fills%20it&page=3")
    );
    assert_eq!(
        page.previous.as_deref(),
        Some("/migrations?tab=needed&q=fills%20it")
    );
}
