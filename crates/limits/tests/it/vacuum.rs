//! What is due: made in a database, and compared with what autovacuum itself would go by.

use corridor_limits::apply;
use corridor_limits::probe::vacuum::Vacuum;
use corridor_limits::probe::{Probe, Scope};
use corridor_limits::reader::Reader;
use corridor_limits::{Finding, Past};
use corridor_pg::{ApplicationName, ConnectOptions};
use corridor_testbed::{Cluster, ClusterOptions, cluster};

use crate::made::sample;
use crate::past::{probe, reported};
use crate::scene::{find, majors};

fn command(finding: &Finding) -> &str {
    finding.advice.as_ref().unwrap().command.as_deref().unwrap_or("")
}

#[tokio::test]
async fn due_off_and_unanalyzed_tables_are_found_on_every_major() {
    for major in majors() {
        let cluster = Cluster::start(ClusterOptions::new(major).setting("autovacuum", "off"))
            .await
            .unwrap();
        let database = cluster.fresh_database("vacuum").await.unwrap();
        let client = cluster::connect(&database.url).await.unwrap();
        client
            .batch_execute(
                "create table due (id int);
                 insert into due select generate_series(1, 50000);
                 create table own (id int) with (autovacuum_vacuum_scale_factor = 0.5);
                 insert into own select generate_series(1, 50000);
                 create table off (id int) with (autovacuum_enabled = off);
                 insert into off select generate_series(1, 20000);
                 create table stored (id int, value text);
                 alter table stored alter column value set storage external;
                 insert into stored select i, repeat('x', 20000) from generate_series(1, 4000) i;
                 create table loaded (id int);
                 create table parted (id int) partition by range (id);
                 create table part partition of parted for values from (0) to (100000)",
            )
            .await
            .unwrap();
        // What is reported after a vacuum would count as inserted since.
        reported(client).await;
        let client = cluster::connect(&database.url).await.unwrap();
        for table in ["due", "own", "off", "stored"] {
            client
                .batch_execute(&format!("vacuum (analyze) {table}"))
                .await
                .unwrap();
        }
        client
            .batch_execute(
                "delete from due where id % 2 = 0;
                 delete from own where id % 2 = 0;
                 delete from off where id % 2 = 0;
                 delete from stored where id % 2 = 0;
                 insert into loaded select generate_series(1, 30000);
                 insert into parted select generate_series(1, 20000)",
            )
            .await
            .unwrap();
        reported(client).await;
        let report = probe(&database.url, "vacuum", &Past::default()).await;
        assert_eq!(report.degraded, [], "PostgreSQL {major}");
        let due = |object: &str| sample(&report, "vacuum_due_ratio", object);
        // 25,000 dead rows against 50 + 0.2 × 50,000, and against 50 + 0.5 × 50,000.
        assert_eq!(due("public.due"), Some(25_000.0 / 10_050.0), "PostgreSQL {major}");
        assert_eq!(due("public.own"), Some(25_000.0 / 25_050.0), "PostgreSQL {major}");
        // 22,000 dead chunks of 44,000.
        let toast = due("TOAST of public.stored").unwrap();
        assert!((2.0..3.0).contains(&toast), "PostgreSQL {major}: {toast}");
        assert!(find(&report, "LIM-048", "public.due").is_some());
        assert!(find(&report, "LIM-048", "public.own").is_none());
        assert!(find(&report, "LIM-048", "TOAST of public.stored").is_some());
        let server = find(&report, "LIM-049", "the server").unwrap();
        assert!(command(server).starts_with("alter system set autovacuum = on"));
        let off = find(&report, "LIM-049", "public.off").unwrap();
        assert!(
            off.headline.contains("10,000 live rows, 10,000 dead"),
            "{}",
            off.headline
        );
        let never: Vec<&str> = report
            .findings
            .iter()
            .filter(|f| f.code.id == "LIM-051")
            .map(|f| f.object.as_str())
            .collect();
        assert_eq!(
            never,
            ["public.loaded", "public.part", "public.parted"],
            "PostgreSQL {major}"
        );

        // What the findings say to type does what it says.
        let client = cluster::connect(&database.url).await.unwrap();
        let due = find(&report, "LIM-048", "public.due").unwrap();
        let plan = apply::plan(due, Some("vacuum")).unwrap();
        let connect = ConnectOptions::from_process(Some(&database.url)).unwrap();
        let effect = apply::execute(&connect, &plan, |_| ()).await.unwrap();
        assert_eq!(
            effect.proof, "public.due has 0 dead rows, 25000 before",
            "PostgreSQL {major}"
        );
        for finding in report.findings.iter().filter(|f| f.code.id == "LIM-051") {
            client.batch_execute(command(finding)).await.unwrap();
        }
        reported(client).await;
        let after = probe(&database.url, "vacuum", &Past::default()).await;
        assert!(find(&after, "LIM-048", "public.due").is_none());
        assert!(after.findings.iter().all(|f| f.code.id != "LIM-051"));
    }
}

#[tokio::test]
async fn rows_that_somebody_still_sees_point_at_the_horizon() {
    let major = *majors().last().unwrap();
    let cluster = Cluster::start(ClusterOptions::new(major).setting("autovacuum", "off"))
        .await
        .unwrap();
    let database = cluster.fresh_database("vacuum_held").await.unwrap();
    let client = cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create table t (id int); insert into t select generate_series(1, 50000)")
        .await
        .unwrap();
    client.batch_execute("vacuum (analyze) t").await.unwrap();
    let holder = cluster::connect(&database.url).await.unwrap();
    holder
        .batch_execute("begin isolation level repeatable read; select 1 from t limit 1")
        .await
        .unwrap();
    client
        .batch_execute("delete from t where id % 2 = 0")
        .await
        .unwrap();
    client.batch_execute("vacuum t").await.unwrap();
    reported(client).await;
    // With autovacuum on, as far as the probe can see: the first question of the tree is about that.
    let admin = cluster::connect(&database.url).await.unwrap();
    admin
        .batch_execute("alter system set autovacuum_naptime = '1h'")
        .await
        .unwrap();
    admin
        .batch_execute("alter system set autovacuum = on")
        .await
        .unwrap();
    admin.batch_execute("select pg_reload_conf()").await.unwrap();
    loop {
        let row = admin.query_one("show autovacuum", &[]).await.unwrap();
        if row.get::<_, String>(0) == "on" {
            break;
        }
        tokio::task::yield_now().await;
    }
    let report = probe(&database.url, "vacuum", &Past::default()).await;
    let finding = find(&report, "LIM-048", "public.t").unwrap_or_else(|| panic!("{:?}", report.findings));
    assert_eq!(finding.advice.as_ref().unwrap().way, "horizon", "{finding:?}");
    let pid: i32 = holder
        .query_one("select pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let said = crate::made::facts(finding, "holds the horizon");
    assert!(said.starts_with(&format!("session {pid} (")), "{said}");
}

/// Nothing can begin beside the lock of a session or of a prepared transaction; what is advised lets go of both.
#[tokio::test]
async fn what_keeps_a_vacuum_from_beginning_is_named_on_every_major() {
    for major in majors() {
        let options = ClusterOptions::new(major)
            .setting("autovacuum_naptime", "1h")
            .setting("max_prepared_transactions", "5");
        let cluster = Cluster::start(options).await.unwrap();
        let database = cluster.fresh_database("vacuum_blocked").await.unwrap();
        let client = cluster::connect(&database.url).await.unwrap();
        for table in ["by_session", "by_prepared", "by_reader"] {
            client
                .batch_execute(&format!(
                    "create table {table} (id int); insert into {table} select generate_series(1, 50000)"
                ))
                .await
                .unwrap();
            client
                .batch_execute(&format!("delete from {table} where id % 2 = 0"))
                .await
                .unwrap();
        }
        client
            .batch_execute("begin; lock table by_prepared in share mode; prepare transaction 'it''s old'")
            .await
            .unwrap();
        reported(client).await;
        let session = cluster::connect(&database.url).await.unwrap();
        session
            .batch_execute("begin; lock table by_session in share update exclusive mode")
            .await
            .unwrap();
        // A reader's lock keeps no vacuum away.
        let reader = cluster::connect(&database.url).await.unwrap();
        reader
            .batch_execute("begin; lock table by_reader in row exclusive mode")
            .await
            .unwrap();
        let facts = look(&database.url).await;
        let blocker = |table: &str| {
            let known = facts.tables.iter().find(|t| t.table == table);
            known
                .unwrap_or_else(|| panic!("{major}: no {table}"))
                .blocker
                .clone()
        };
        let pid: i32 = session
            .query_one("select pg_backend_pid()", &[])
            .await
            .unwrap()
            .get(0);
        let by_session = blocker("by_session").unwrap();
        assert_eq!(by_session.pid, Some(pid), "{major}");
        assert_eq!(by_session.mode, "ShareUpdateExclusiveLock");
        assert_eq!(by_session.state.as_deref(), Some("idle in transaction"));
        let by_prepared = blocker("by_prepared").unwrap();
        assert_eq!(by_prepared.pid, None, "{major}");
        assert_eq!(by_prepared.gid.as_deref(), Some("it's old"), "{major}");
        assert!(by_prepared.held_s.unwrap() > 0.0);
        assert_eq!(blocker("by_reader"), None, "{major}");
        // The truth.
        let client = cluster::connect(&database.url).await.unwrap();
        client.batch_execute("set lock_timeout = 100").await.unwrap();
        for (table, is_free) in [("by_session", false), ("by_prepared", false), ("by_reader", true)] {
            let done = client.batch_execute(&format!("vacuum {table}")).await;
            assert_eq!(done.is_ok(), is_free, "{major}: {table}");
        }
        client
            .batch_execute("rollback prepared 'it''s old'")
            .await
            .unwrap();
    }
}

/// What the probe reads; from when on a lock counts is tested beside it.
async fn look(url: &str) -> Vacuum {
    let options = ConnectOptions::from_process(Some(url)).unwrap();
    let session = options
        .connect(&ApplicationName::new("check", "-"))
        .await
        .unwrap();
    let mut reader = Reader::new(session).await.unwrap();
    reader.begin("vacuum", 1_000);
    Vacuum::read(&mut reader, &Scope::default()).await.unwrap()
}
