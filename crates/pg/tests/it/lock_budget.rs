//! The application wins: waiting for locks ends within the budget, and who stood in the way is named.

use std::time::{Duration, Instant};

use corridor_pg::lock_budget::{LockMode, blockers, holders, lock_tables};
use corridor_pg::{Fault, Ident, Isolation, QualifiedName, Session};
use corridor_testbed::{Cluster, Database};

use crate::{connect, wait_until, waits_for_lock};

/// How much later than its budget a try may end: round trips, and a busy machine.
const GRACE: Duration = Duration::from_millis(100);

fn public(name: &str) -> QualifiedName {
    QualifiedName::new(Ident::new("public").unwrap(), Ident::new(name).unwrap())
}

async fn fresh(label: &str, ddl: &str) -> Database {
    let database = Cluster::shared(15).await.fresh_database(label).await.unwrap();
    connect(&database.url).await.batch_execute(ddl).await.unwrap();
    database
}

/// Tries the locks in a transaction of its own; how long it took, and what came of it.
async fn attempt(
    session: &mut Session,
    wanted: &[(QualifiedName, LockMode)],
    budget_ms: u32,
) -> (Duration, Result<(), Fault>) {
    let tx = session.begin(Isolation::ReadCommitted).await.unwrap();
    let start = Instant::now();
    let result = lock_tables(&tx, wanted, budget_ms).await;
    let elapsed = start.elapsed();
    tx.rollback().await.unwrap();
    (elapsed, result)
}

#[tokio::test]
async fn a_lock_that_is_held_is_given_up_within_the_budget_and_its_holder_is_named() {
    let database = fresh(
        "held",
        "create table public.persons (id int); insert into public.persons values (1)",
    )
    .await;
    let holder = connect(&database.url).await;
    let observer = connect(&database.url).await;
    let mut ours = connect(&database.url).await;
    holder
        .batch_execute("set application_name = 'worker'; begin; update public.persons set id = 2")
        .await
        .unwrap();
    let wanted = [(public("persons"), LockMode::AccessExclusive)];
    let (elapsed, result) = attempt(&mut ours, &wanted, 200).await;
    let fault = result.unwrap_err();
    assert_eq!(fault.code().id, "PG-009");
    assert!(
        fault.detail().contains("ACCESS EXCLUSIVE on public.persons"),
        "{fault}"
    );
    let limit = Duration::from_millis(200) + GRACE;
    assert!(
        elapsed >= Duration::from_millis(150) && elapsed < limit,
        "{elapsed:?}"
    );

    let found = holders(&observer, &[public("persons")], &[ours.backend_pid()])
        .await
        .unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    let line = found[0].to_string();
    let start = format!(
        "pid {} (app \"worker\", user postgres) holds ROW EXCLUSIVE on public.persons, idle in transaction for up to ",
        holder.backend_pid()
    );
    assert!(line.starts_with(&start) && line.ends_with('…'), "{line}");
    let query = found[0].query.as_deref().unwrap();
    assert!(query.ends_with("update public.persons set id = 2"), "{query}");
    assert!(found[0].transaction_age_ms.unwrap() >= 150);

    // Free again: the same session gets it, and its own timeouts are back in force.
    holder.batch_execute("commit").await.unwrap();
    let tx = ours.begin(Isolation::ReadCommitted).await.unwrap();
    lock_tables(&tx, &wanted, 200).await.unwrap();
    let sql = "select current_setting('lock_timeout') || ' ' || current_setting('statement_timeout')";
    assert_eq!(
        tx.query_one(sql, &[]).await.unwrap().get::<_, String>(0),
        "10s 10min"
    );
    let held = holders(&observer, &[public("persons")], &[]).await.unwrap();
    assert_eq!(held[0].mode, Some(LockMode::AccessExclusive));
}

#[tokio::test]
async fn two_relations_share_one_budget() {
    let database = fresh("shared", "create table public.a (); create table public.b ()").await;
    let (first, second) = (connect(&database.url).await, connect(&database.url).await);
    let observer = connect(&database.url).await;
    let mut ours = connect(&database.url).await;
    first.batch_execute("begin; lock table public.a").await.unwrap();
    second.batch_execute("begin; lock table public.b").await.unwrap();
    let wanted = [(public("a"), LockMode::Share), (public("b"), LockMode::Share)];
    let pid = ours.backend_pid();
    let ((elapsed, result), ()) = tokio::join!(attempt(&mut ours, &wanted, 500), async {
        wait_until(&observer, &waits_for_lock(pid)).await;
        // How long it waits is what this test is about.
        tokio::time::sleep(Duration::from_millis(250)).await;
        first.batch_execute("rollback").await.unwrap();
    });
    let fault = result.unwrap_err();
    assert!(fault.detail().contains("SHARE on public.b"), "{fault}");
    assert!(elapsed < Duration::from_millis(500) + GRACE, "{elapsed:?}");
    assert!(elapsed > Duration::from_millis(400), "{elapsed:?}");
}

/// `lock table` takes a lock per partition, and `lock_timeout` counts anew for each: two partitions that are each held
/// for most of the budget made it wait for twice the budget.
#[tokio::test]
async fn the_partitions_of_one_table_share_the_budget_too() {
    let ddl = "create table public.p (k int) partition by list (k); \
               create table public.p1 partition of public.p for values in (1); \
               create table public.p2 partition of public.p for values in (2)";
    let database = fresh("partitions", ddl).await;
    let (first, second) = (connect(&database.url).await, connect(&database.url).await);
    let observer = connect(&database.url).await;
    let mut ours = connect(&database.url).await;
    first.batch_execute("begin; lock table public.p1").await.unwrap();
    second.batch_execute("begin; lock table public.p2").await.unwrap();
    let pid = ours.backend_pid();
    let wanted = [(public("p"), LockMode::AccessExclusive)];
    let ((elapsed, result), found) = tokio::join!(attempt(&mut ours, &wanted, 500), async {
        wait_until(&observer, &waits_for_lock(pid)).await;
        let found = holders(&observer, &[public("p")], &[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        first.batch_execute("rollback").await.unwrap();
        found
    });
    let fault = result.unwrap_err();
    assert_eq!(fault.code().id, "PG-009", "{fault}");
    assert!(fault.detail().contains("public.p"), "{fault}");
    assert!(elapsed < Duration::from_millis(500) + GRACE, "{elapsed:?}");
    // Those who hold a partition are in the way of the whole table, and so is who waits.
    let is_found = |pid: i32, relation: &str, is_granted: bool| {
        let relation = Some(public(relation));
        found
            .iter()
            .any(|h| h.pid == Some(pid) && h.relation == relation && h.is_granted == is_granted)
    };
    assert!(is_found(first.backend_pid(), "p1", true), "{found:?}");
    assert!(is_found(second.backend_pid(), "p2", true), "{found:?}");
    assert!(
        is_found(pid, "p", true) && is_found(pid, "p1", false),
        "{found:?}"
    );
}

#[tokio::test]
async fn without_any_budget_a_free_lock_is_still_taken_and_a_held_one_is_not_waited_for() {
    let database = fresh(
        "nowait",
        "create table public.a (); create table public.\"B 🐘\" ()",
    )
    .await;
    let mut ours = connect(&database.url).await;
    let wanted = [
        (public("a"), LockMode::Exclusive),
        (public("B 🐘"), LockMode::Exclusive),
    ];
    attempt(&mut ours, &wanted, 0).await.1.unwrap();
    let holder = connect(&database.url).await;
    holder
        .batch_execute("begin; lock table public.\"B 🐘\"")
        .await
        .unwrap();
    let (elapsed, result) = attempt(&mut ours, &wanted, 0).await;
    let fault = result.unwrap_err();
    assert_eq!(fault.code().id, "PG-009");
    assert!(fault.detail().contains("public.\"B 🐘\""), "{fault}");
    assert!(elapsed < GRACE, "{elapsed:?}");
}

#[tokio::test]
async fn what_is_no_matter_of_time_keeps_its_own_code() {
    let database = fresh("codes", "create table public.a ()").await;
    let mut ours = connect(&database.url).await;
    let (_, result) = attempt(&mut ours, &[(public("gone"), LockMode::Share)], 100).await;
    let fault = result.unwrap_err();
    assert_eq!(fault.code().id, "PG-014");
    assert!(fault.to_string().contains("locking public.gone"), "{fault}");

    // A person who cancels is not a timeout.
    let holder = connect(&database.url).await;
    let observer = connect(&database.url).await;
    holder.batch_execute("begin; lock table public.a").await.unwrap();
    let token = ours.cancel_token();
    let pid = ours.backend_pid();
    let wanted = [(public("a"), LockMode::Share)];
    let ((_, result), ()) = tokio::join!(attempt(&mut ours, &wanted, 60_000), async {
        wait_until(&observer, &waits_for_lock(pid)).await;
        token.cancel().await.unwrap();
    });
    assert_eq!(result.unwrap_err().code().id, "PG-012");
}

#[tokio::test]
async fn the_table_of_conflicts_is_the_servers() {
    let database = fresh("conflicts", "create table public.a ()").await;
    let mut holder = connect(&database.url).await;
    let mut ours = connect(&database.url).await;
    for held in LockMode::ALL {
        let tx = holder.begin(Isolation::ReadCommitted).await.unwrap();
        lock_tables(&tx, &[(public("a"), held)], 1_000).await.unwrap();
        for wanted in LockMode::ALL {
            let (_, result) = attempt(&mut ours, &[(public("a"), wanted)], 0).await;
            assert_eq!(
                result.is_err(),
                held.conflicts_with(wanted),
                "{held} and {wanted}"
            );
        }
        tx.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn blockers_are_found_for_tables_for_rows_and_for_prepared_transactions() {
    for major in [14, 15, 18] {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database("blockers").await.unwrap();
        let blocker = connect(&database.url).await;
        let blocked = connect(&database.url).await;
        let observer = connect(&database.url).await;
        blocker
            .batch_execute("create table public.t (id int primary key); insert into public.t values (1)")
            .await
            .unwrap();
        let pid = blocked.backend_pid();
        let (asked, released) = ("update public.t set id = 1 where id = 1", "rollback");

        // A table.
        blocker.batch_execute("begin; lock table public.t").await.unwrap();
        let (updated, found) = tokio::join!(blocked.batch_execute(asked), async {
            wait_until(&observer, &waits_for_lock(pid)).await;
            let found = blockers(&observer, pid).await.unwrap();
            blocker.batch_execute(released).await.unwrap();
            found
        });
        updated.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].pid, found[0].mode),
            (Some(blocker.backend_pid()), Some(LockMode::AccessExclusive))
        );
        assert_eq!(found[0].relation, Some(public("t")));

        // A row: what is waited for is the other's transaction.
        blocker.batch_execute(&format!("begin; {asked}")).await.unwrap();
        let (updated, found) = tokio::join!(blocked.batch_execute(asked), async {
            wait_until(&observer, &waits_for_lock(pid)).await;
            let found = blockers(&observer, pid).await.unwrap();
            blocker.batch_execute(released).await.unwrap();
            found
        });
        updated.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].pid, &found[0].relation),
            (Some(blocker.backend_pid()), &None)
        );
        assert!(
            found[0].to_string().contains("holds a row that is waited for"),
            "{}",
            found[0]
        );

        // A prepared transaction has no session any more.
        let gid = format!("gid {major}");
        blocker
            .batch_execute(&format!(
                "begin; {asked}; lock table public.t in share row exclusive mode; prepare transaction '{gid}'"
            ))
            .await
            .unwrap();
        let held = holders(&observer, &[public("t")], &[]).await.unwrap();
        assert_eq!(held.len(), 1, "{held:?}");
        assert_eq!(
            (held[0].pid, held[0].prepared_gid.as_deref()),
            (None, Some(gid.as_str()))
        );
        assert_eq!(
            held[0].mode,
            Some(LockMode::ShareRowExclusive),
            "the strongest of its modes"
        );
        let line = held[0].to_string();
        let start = format!(
            "prepared transaction \"{gid}\" (user postgres) holds SHARE ROW EXCLUSIVE on public.t, prepared "
        );
        assert!(line.starts_with(&start), "{line}");
        let (updated, found) = tokio::join!(blocked.batch_execute(asked), async {
            wait_until(&observer, &waits_for_lock(pid)).await;
            let found = blockers(&observer, pid).await.unwrap();
            observer
                .batch_execute(&format!("rollback prepared '{gid}'"))
                .await
                .unwrap();
            found
        });
        updated.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].prepared_gid.as_deref(), Some(gid.as_str()));
    }
}

#[tokio::test]
async fn an_ordinary_role_sees_who_but_not_what() {
    let database = fresh(
        "ordinary",
        "create table public.t (); create role observer_only login",
    )
    .await;
    let holder = connect(&database.url).await;
    holder
        .batch_execute("begin; lock table public.t in share mode")
        .await
        .unwrap();
    let observer = connect(&database.url.replace("postgres@", "observer_only@")).await;
    let found = holders(&observer, &[public("t")], &[]).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].pid, found[0].user.as_deref()),
        (Some(holder.backend_pid()), Some("postgres"))
    );
    assert_eq!(found[0].state, None);
    assert_eq!(
        holders(&observer, &[public("t")], &[holder.backend_pid()])
            .await
            .unwrap(),
        []
    );
}
