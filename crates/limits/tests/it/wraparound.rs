//! Ages of ids, on servers of their own: what is made old here would make the server vacuum everything.

use corridor_limits::apply::{execute, plan};
use corridor_limits::{Past, Point, Severity};
use corridor_pg::ConnectOptions;
use corridor_testbed::{Cluster, ClusterOptions};

use crate::made::{Made, facts, sample};
use crate::scene::{find, majors};

const STOP: f64 = 2_147_483_648.0 - 3_000_000.0;

/// No automatic vacuum comes, however old a table is made.
async fn quiet(major: u32) -> Cluster {
    let options = ClusterOptions::new(major)
        .setting("autovacuum", "off")
        .setting("autovacuum_freeze_max_age", "2000000000")
        .setting("vacuum_freeze_table_age", "2000000000")
        .setting("max_prepared_transactions", "10");
    Cluster::start(options).await.unwrap()
}

/// Gives a table, and its database, an oldest transaction id that lies `age` behind.
async fn make_old(made: &Made, table: &str, age: u32) {
    let id = format!(
        "((pg_snapshot_xmax(pg_current_snapshot())::text::int8 + 4294967296 - {age}) % 4294967296)::text::xid"
    );
    made.run(&format!(
        "update pg_class set relfrozenxid = {id} where oid = '{table}'::regclass; \
         update pg_database set datfrozenxid = {id} where datname = current_database()"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ages_days_and_members_on_every_major() {
    for major in majors() {
        let cluster = quiet(major).await;
        oldest_table(&cluster).await;
        freezing_is_applied(&cluster).await;
        days(&cluster).await;
        members(&cluster).await;
    }
}

/// It is named, with what is left; what is advised mends it.
async fn oldest_table(cluster: &Cluster) {
    let major = cluster.major();
    let made = Made::on(cluster, "wrap_old").await;
    made.run("create table \"Old One\" (id bigint primary key, note text); create table young (id bigint)")
        .await;
    let report = made.check("wraparound").await;
    assert!(report.findings.is_empty(), "{major}: {:?}", report.findings);
    assert!(report.degraded.is_empty(), "{major}: {:?}", report.degraded);

    make_old(&made, "\"Old One\"", 2_050_000_000).await;
    let report = made.check("wraparound").await;
    let object = format!("database {}", made.database.name);
    let finding = find(&report, "LIM-010", &object).unwrap();
    assert_eq!(finding.severity, Severity::Critical);
    let used = finding.gauge.as_ref().unwrap().used;
    assert!((used - 2_050_000_000.0).abs() < 1_000.0, "{major}: {used}");
    assert_eq!(
        sample(&report, "database_xid_age", &made.database.name),
        Some(used)
    );
    let advice = finding.advice.as_ref().unwrap();
    assert_eq!(advice.way, "vacuum-fast");
    let command = advice.command.clone().unwrap();
    assert!(command.ends_with(" public.\"Old One\""), "{command}");
    let held = facts(finding, "held back by");
    assert!(held.starts_with("public.\"Old One\": 2,050,00"), "{held}");
    assert!(facts(finding, "the vacuums that are due take").contains("for 1 tables"));

    // The server warns in the same words: what it says is left is what we say is left, and a vacuum mends it.
    let from_server = made
        .client
        .query_one(
            "select age(datfrozenxid)::float8 from pg_database where datname = current_database()",
            &[],
        )
        .await
        .unwrap()
        .get::<_, f64>(0);
    assert!((from_server - used).abs() < 10.0);
    made.run(&command).await;
    let report = made.check("wraparound").await;
    assert!(
        find(&report, "LIM-010", &object).is_none(),
        "{major}: {:?}",
        report.findings
    );
}

/// `--apply`: planned first, done beside somebody who holds the lock for a moment, and proven by the catalogue.
async fn freezing_is_applied(cluster: &Cluster) {
    let major = cluster.major();
    let made = Made::on(cluster, "wrap_apply").await;
    made.run(
        "create table \"Old One\" (id bigint primary key, note text); insert into \"Old One\" values (1)",
    )
    .await;
    make_old(&made, "\"Old One\"", 1_990_000_000).await;
    let object = format!("database {}", made.database.name);
    let report = made.check("wraparound").await;
    let finding = find(&report, "LIM-010", &object).unwrap();
    assert_eq!(finding.advice.as_ref().unwrap().way, "vacuum");
    let advised = plan(finding, None).unwrap();
    assert_eq!(
        advised.statements,
        ["vacuum (freeze, truncate off) public.\"Old One\""],
        "{major}"
    );
    let fast = plan(finding, Some("vacuum-fast")).unwrap();
    assert_eq!(
        fast.statements,
        ["vacuum (freeze, index_cleanup off, truncate off) public.\"Old One\""]
    );
    let report = made.check("wraparound").await;
    assert!(
        find(&report, "LIM-010", &object).is_some(),
        "a plan changes nothing"
    );

    let holder = cluster.connect(&made.database.name).await.unwrap();
    holder
        .batch_execute("begin; lock table \"Old One\" in share update exclusive mode")
        .await
        .unwrap();
    let connect = ConnectOptions::from_process(Some(&made.database.url)).unwrap();
    let steps_back = std::sync::atomic::AtomicU32::new(0);
    let done = execute(&connect, &advised, |_| {
        steps_back.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    });
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        holder.batch_execute("rollback").await.unwrap();
    };
    let (effect, ()) = tokio::join!(done, release);
    let proof = effect.unwrap().proof;
    assert!(steps_back.into_inner() >= 1, "{major}");
    let start = "the oldest of the transactions in public.\"Old One\" was 1,990,0";
    assert!(proof.starts_with(start), "{major}: {proof}");
    let sql = "select age(relfrozenxid)::float8 from pg_class where relname = 'Old One'";
    let age: f64 = made.client.query_one(sql, &[]).await.unwrap().get(0);
    assert!(age < 1_000.0, "{major}: {age}");
    let report = made.check("wraparound").await;
    assert!(find(&report, "LIM-010", &object).is_none(), "{major}");
}

/// A prepared transaction from before 160,000 others, where the server is told to begin at 100,000: its own vacuums run,
/// and win nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_holds_the_horizon_is_let_go_first() {
    let options = ClusterOptions::new(15)
        .setting("autovacuum_freeze_max_age", "100000")
        .setting("max_prepared_transactions", "10");
    let cluster = Cluster::start(options).await.unwrap();
    let made = Made::on(&cluster, "wrap_held").await;
    made.run("create table held (id bigint)").await;
    made.run("begin; insert into held values (1); prepare transaction 'forgotten'")
        .await;
    made.run("do $$ begin for i in 1..160000 loop perform pg_current_xact_id(); commit; end loop; end $$")
        .await;
    made.run("vacuum freeze").await;
    let report = made.check("wraparound").await;
    let finding = find(&report, "LIM-010", &format!("database {}", made.database.name)).unwrap();
    assert_eq!(finding.severity, Severity::Notice);
    assert_eq!(finding.advice.as_ref().unwrap().way, "let-go");
    let held = facts(finding, "oldest transaction that somebody holds");
    let figure: f64 = held.split(' ').next().unwrap().replace(',', "").parse().unwrap();
    assert!((160_000.0..161_000.0).contains(&figure), "{held}");
    // What is advised is no statement; a vacuum all the same wins nothing, and that is said.
    assert_eq!(plan(finding, None).unwrap_err().code().id, "LIM-901");
    let vacuum = plan(finding, Some("vacuum")).unwrap();
    let connect = ConnectOptions::from_process(Some(&made.database.url)).unwrap();
    let fault = execute(&connect, &vacuum, |_| ()).await.unwrap_err();
    assert_eq!(fault.code().id, "LIM-902", "{fault}");
    assert!(fault.detail().contains("was 160,"), "{fault}");
    made.run("rollback prepared 'forgotten'").await;
    made.run("vacuum freeze").await;
    let report = made.check("wraparound").await;
    let object = format!("database {}", made.database.name);
    assert!(find(&report, "LIM-010", &object).is_none());
}

/// Days come from the counter's own past, and reading it takes no id.
async fn days(cluster: &Cluster) {
    let major = cluster.major();
    let made = Made::on(cluster, "wrap_days").await;
    made.run("create table old (id bigint)").await;
    make_old(&made, "old", 2_000_000_000).await;
    let first = made.check("wraparound").await;
    let next = sample(&first, "xid_counter", "").unwrap();
    let mut past = Past::default();
    for hour in 1..=48 {
        let point = Point {
            at_s: first.at_s - f64::from(hour) * 3_600.0,
            value: next - f64::from(hour) * 1e6,
        };
        past.push("xid_counter", "", point);
    }
    let report = made.check_after("wraparound", &past).await;
    assert_eq!(
        sample(&report, "xid_counter", ""),
        Some(next),
        "a check took an id"
    );
    let finding = find(&report, "LIM-010", &format!("database {}", made.database.name)).unwrap();
    let days = finding.runway.days_mid().unwrap();
    assert!((days - (STOP - 2e9) / 24e6).abs() < 0.1, "{major}: {days}");
    made.run("select pg_current_xact_id()").await;
    let report = made.check("wraparound").await;
    assert_eq!(sample(&report, "xid_counter", ""), Some(next + 1.0));
}

/// Two sessions that lock the same rows make MultiXacts of two members each; files stand for what is in use.
async fn members(cluster: &Cluster) {
    let major = cluster.major();
    let made = Made::on(cluster, "wrap_members").await;
    made.run("create table locked (id int primary key); insert into locked select generate_series(1, 1000); checkpoint")
        .await;
    let before = made.check("wraparound").await;
    let other = cluster.connect(&made.database.name).await.unwrap();
    other
        .batch_execute("begin; select from locked for share")
        .await
        .unwrap();
    made.run("begin; select from locked for share; commit").await;
    other.batch_execute("commit").await.unwrap();
    made.run("checkpoint").await;
    let after = made.check("wraparound").await;
    let taken = |metric: &str| sample(&after, metric, "").unwrap() - sample(&before, metric, "").unwrap();
    // The same two sessions lock the thousand rows: one MultiXact serves them all, or a few.
    assert!(taken("mxid_counter") >= 1.0, "{major}");
    assert!(
        taken("mxid_member_counter") >= 2.0 * taken("mxid_counter"),
        "{major}"
    );
    let used = sample(&after, "mxid_members_used_ratio", "").unwrap();
    assert!(
        (used * 4_294_967_296.0 - 52_352.0).abs() < 1.0,
        "{major}: one file"
    );

    // Files up to beyond half of the space; once is enough, there are many.
    if major != 15 {
        return;
    }
    made.run("copy (select) to program 'cd pg_multixact/members && seq 1 41099 | xargs printf \"%04X\\n\" | xargs touch'")
        .await;
    let report = made.check("wraparound").await;
    let finding = find(&report, "LIM-012", "cluster").unwrap();
    assert_eq!(finding.severity, Severity::Warning);
    let used = finding.gauge.as_ref().unwrap().used;
    assert!((used - 41_100.0 * 52_352.0).abs() < 1.0, "{major}: {used}");
}

/// Without rights ages are seen all the same; what is not, is said with the grant that would help.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_is_told_what_to_grant() {
    for major in majors() {
        let cluster = Cluster::shared(major).await;
        let made = Made::on(cluster, "wrap_nobody").await;
        let report = made.check_as_nobody("wraparound").await;
        assert!(sample(&report, "database_xid_age", &made.database.name).is_some());
        assert!(sample(&report, "xid_counter", "").is_some());
        assert_eq!(sample(&report, "mxid_members_used_ratio", ""), None);
        assert_eq!(report.degraded.len(), 1, "{major}: {:?}", report.degraded);
        assert_eq!(
            report.degraded[0].remedy,
            "grant execute on function pg_ls_dir(text) to the role"
        );
    }
}
