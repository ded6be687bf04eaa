use corridor_migration::{Event, Name, StateName, Verb, Vitals, Wait, status, store};
use corridor_pg::Isolation;
use serde_json::json;

use crate::{grow_old, stage};

#[tokio::test]
async fn it_tells_state_worker_throttle_and_what_is_allowed() {
    let mut s = stage("status").await;
    let name = Name::new("m").unwrap();
    let tx = s.session.begin(Isolation::ReadCommitted).await.unwrap();
    for event in [Event::asked(Verb::Start, "p@h 1"), Event::ReadyForCutover] {
        store::apply(&tx, &s.lease, &event).await.unwrap();
    }
    store::set(&tx, s.migration.id, "nice", "0.5", ("p@h 1", ""))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let vitals = Vitals {
        backend_pids: vec![s.session.backend_pid()],
        progress: json!({ "throttle": [{ "signal": "lock_waiters" }], "rows": 5 }),
    };
    assert!(s.lease.beat(&s.session, &vitals).await.unwrap());

    let status = status::read(&mut s.session, &name).await.unwrap();
    assert_eq!(
        (status.state, status.waits_for),
        (StateName::Waiting, Some(Wait::Cutover))
    );
    assert!(status.worker.is_alive && !status.needs_worker);
    assert_eq!(status.worker.holder.as_deref(), Some("first@here 1"));
    assert_eq!(status.throttle, json!([{ "signal": "lock_waiters" }]));
    assert!(status.allowed.contains(&Verb::Cutover) && !status.allowed.contains(&Verb::Resume));
    let nice = status.settings.iter().find(|s| s.key == "nice").unwrap();
    assert_eq!(
        (nice.value.as_str(), nice.set_by.as_deref()),
        ("0.5", Some("p@h 1"))
    );
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["state"], "waiting");
    assert_eq!(json["operations"][1]["name"], "copy");
    assert_eq!(json["worker"]["progress"]["rows"], 5);

    grow_old(&s.session, s.migration.id).await;
    let status = status::read(&mut s.session, &name).await.unwrap();
    assert!(!status.worker.is_alive && status.needs_worker);
    assert!(status.throttle.is_null(), "what a dead worker said holds no more");
    assert!(status.allowed.contains(&Verb::Resume));
}
