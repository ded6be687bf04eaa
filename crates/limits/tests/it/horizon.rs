//! Who holds the horizon. Time is not waited for: `judge` has its limits tested beside it; here it must see them all.

use corridor_limits::probe::horizon::{Holder, HolderKind, Horizon};
use corridor_limits::probe::{Probe, Scope};
use corridor_limits::reader::{Degraded, Reader};
use corridor_pg::{ApplicationName, ConnectOptions};
use corridor_testbed::{Cluster, ClusterOptions};

use crate::made::Made;
use crate::scene::majors;

async fn look(url: &str) -> (Horizon, Vec<Degraded>) {
    let options = ConnectOptions::from_process(Some(url)).unwrap();
    let session = options
        .connect(&ApplicationName::new("check", "-"))
        .await
        .unwrap();
    let mut reader = Reader::new(session).await.unwrap();
    reader.begin("horizon", 1_000);
    let horizon = Horizon::read(&mut reader, &Scope::default()).await.unwrap();
    (horizon, reader.take_degraded())
}

fn named<'a>(horizon: &'a Horizon, kind: HolderKind, name: &str) -> &'a Holder {
    let is_it = |h: &&Holder| h.kind == kind && h.name == name;
    horizon
        .holders
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no {name}: {horizon:?}"))
}

fn burn(transactions: u32) -> String {
    format!(
        "do $$ begin for i in 1..{transactions} loop perform pg_current_xact_id(); commit; end loop; end $$"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_prepared_transactions_and_slots_are_named() {
    for major in majors() {
        let options = ClusterOptions::new(major)
            .setting("max_prepared_transactions", "10")
            .setting("wal_level", "logical")
            .setting("autovacuum", "off");
        let cluster = Cluster::start(options).await.unwrap();
        let made = Made::on(&cluster, "horizon").await;
        let (before, _) = look(&made.database.url).await;
        assert_eq!(before.holders, Vec::new(), "{major}");
        made.run("create table t (id bigint)").await;
        made.run("select pg_create_logical_replication_slot('forgotten_slot', 'pgoutput')")
            .await;
        made.run("begin; insert into t values (1); prepare transaction 'it''s forgotten'")
            .await;
        let idle = cluster.connect(&made.database.name).await.unwrap();
        idle.batch_execute(
            "set application_name = 'web'; begin isolation level repeatable read; select from t",
        )
        .await
        .unwrap();
        let pid: i32 = idle
            .query_one("select pg_backend_pid()", &[])
            .await
            .unwrap()
            .get(0);
        made.run(&burn(500)).await;
        let (horizon, degraded) = look(&made.database.url).await;
        assert_eq!(degraded, Vec::new(), "{major}");
        let session = named(&horizon, HolderKind::Session, &pid.to_string());
        assert_eq!(session.state.as_deref(), Some("idle in transaction"));
        assert_eq!(session.title(), format!("session {pid} (web as postgres)"));
        // Its snapshot looks back to the prepared transaction, which was open when it was taken.
        assert!((501.0..520.0).contains(&session.xid_age), "{major}: {session:?}");
        let prepared = named(&horizon, HolderKind::Prepared, "it's forgotten");
        assert!(
            (501.0..520.0).contains(&prepared.xid_age),
            "{major}: {prepared:?}"
        );
        let slot = named(&horizon, HolderKind::Slot, "forgotten_slot");
        assert_eq!((slot.is_active, slot.is_logical), (Some(false), Some(true)));
        assert!((501.0..520.0).contains(&slot.xid_age), "{major}: {slot:?}");
        assert_eq!(slot.held_s.is_some(), major >= 17, "{major}: {slot:?}");
        assert_eq!(horizon.idle_in_transaction, Some(1.0));
        assert_eq!(horizon.prepared, Some(1.0));

        // What the advice says, ends it.
        made.run(&format!("select pg_terminate_backend({pid}, 5000)"))
            .await;
        made.run("rollback prepared 'it''s forgotten'").await;
        made.run("select pg_drop_replication_slot('forgotten_slot')")
            .await;
        let (after, _) = look(&made.database.url).await;
        assert_eq!(after.holders, Vec::new(), "{major}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_looks_back_is_named() {
    let options = ClusterOptions::new(15)
        .setting("hot_standby_feedback", "on")
        .setting("autovacuum", "off");
    let primary = Cluster::start(options).await.unwrap();
    let made = Made::on(&primary, "horizon_standby").await;
    let replica = primary.replica("reader").await.unwrap();
    replica.wait_until_caught_up(&primary).await.unwrap();
    let reading = replica.standby().connect(&made.database.name).await.unwrap();
    reading
        .batch_execute("begin isolation level repeatable read; select from pg_class limit 1")
        .await
        .unwrap();
    made.run(&burn(500)).await;
    // The standby reports once a second.
    let told = "select exists (select from pg_stat_replication where age(backend_xmin) >= 500)";
    while !made.client.query_one(told, &[]).await.unwrap().get::<_, bool>(0) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (horizon, _) = look(&made.database.url).await;
    let standby = named(&horizon, HolderKind::Standby, "reader");
    assert!((500.0..520.0).contains(&standby.xid_age), "{standby:?}");
}

/// Hidden sessions are counted, and the grant that helps does help.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_said() {
    for major in majors() {
        let cluster = Cluster::shared(major).await;
        let made = Made::on(cluster, "horizon_nobody").await;
        let role = format!("watcher_of_{}", made.database.name);
        made.run(&format!("create role {role} login")).await;
        let pid: i32 = made
            .client
            .query_one("select pg_backend_pid()", &[])
            .await
            .unwrap()
            .get(0);
        let other = cluster.connect(&made.database.name).await.unwrap();
        made.run("begin isolation level repeatable read; select 1 from pg_class limit 1")
            .await;
        let url = made.database.url.replace("postgres@", &format!("{role}@"));
        let (horizon, degraded) = look(&url).await;
        assert!(
            horizon.holders.iter().all(|h| h.name != pid.to_string()),
            "{major}"
        );
        assert_eq!(degraded.len(), 1, "{major}: {degraded:?}");
        assert_eq!(degraded[0].remedy, "grant pg_monitor to the role");
        other
            .batch_execute(&format!("grant pg_monitor to {role}"))
            .await
            .unwrap();
        let (horizon, degraded) = look(&url).await;
        assert_eq!(degraded, Vec::new(), "{major}");
        assert!(
            named(&horizon, HolderKind::Session, &pid.to_string())
                .held_s
                .is_some()
        );
    }
}
