//! A worker of an ordinary role: it owns the table and may make what it needs, and sees no more of others than everybody.

use crate::run_journey::{Journey, options};
use crate::run_life::hash;
use corridor_migration::{State, Wait};
use corridor_move::run::{Order, Outcome, plan};
use corridor_testbed::traffic::KeyType;

const TEAMS: KeyType = KeyType::TeamAndId { teams: 20 };

/// What other roles' sessions do is hidden from an ordinary role. One of them may keep an older snapshot, so the swap
/// steps back, says why and what would help; with that grant it sees, and swaps as soon as nobody is in the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_cannot_see_others_steps_back_and_says_what_to_grant() {
    let mut journey = Journey::new(15, "roles_hidden", TEAMS, 200).await;
    let role = format!("mover_of_{}", journey.database.name);
    journey
        .run(&format!(
            "create role {role} login; grant create on database {} to {role}; \
             grant create on schema public to {role}; alter table ledger owner to {role}",
            journey.database.name
        ))
        .await;
    journey.connect = options(&journey.database.url.replace("postgres@", &format!("{role}@")));
    let mut wish = journey.wish(hash("team_id"));
    wish.settings.push(("cutover.attempts".into(), "2".into()));
    let grant = format!("grant pg_read_all_stats to {role}");
    let refused = plan(&journey.connect, &wish).await.unwrap().check_executable();
    let refused = refused.unwrap_err();
    assert_eq!((refused.code().id, refused.detail()), ("MOV-021", &*grant));
    journey.run(&grant).await;
    journey.store(&wish).await;
    journey.until_ready().await;
    // The plan asks for the grant; somebody takes it away again.
    journey
        .run(&format!("revoke pg_read_all_stats from {role}"))
        .await;

    let other = corridor_testbed::cluster::connect(&journey.database.url)
        .await
        .unwrap();
    other
        .batch_execute("set application_name = 'somebody else'; begin isolation level repeatable read; select 1 from pg_class limit 1")
        .await
        .unwrap();
    let pid: i32 = other
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
    assert_eq!(
        (fault.code().id, fault.code().exit.code()),
        ("MOV-102", 5),
        "{fault}"
    );
    let said = fault.to_string();
    for part in [
        "MOV-111",
        &format!("pid {pid} (user postgres)"),
        "grant pg_read_all_stats to",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // With the grant it sees that this one is in the way, and why.
    journey.run(&format!("grant pg_read_all_stats to {role}")).await;
    let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
    let said = fault.to_string();
    assert!(
        said.contains("MOV-111") && said.contains("somebody else") && !said.contains("grant"),
        "{said}"
    );
    // Between transactions it is in nobody's way, and now that can be seen.
    other.batch_execute("commit").await.unwrap();
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    journey.assert_clean().await;
}
