//! Slots, replicas, archive, connections and disk, on servers of their own.

use corridor_limits::Severity;
use corridor_limits::check::Report;
use corridor_limits::probe::Scope;
use corridor_testbed::{Cluster, ClusterOptions};

use crate::made::{Made, facts, sample};
use crate::scene::{check, find, majors};

const MB: f64 = 1_048_576.0;

async fn start(major: u32) -> Cluster {
    let options = ClusterOptions::new(major)
        .setting("max_connections", "20")
        .setting("max_wal_size", "32MB")
        .setting("max_slot_wal_keep_size", "512MB")
        .setting("autovacuum", "off")
        .setting("archive_mode", "on")
        .setting("archive_command", "false");
    Cluster::start(options).await.unwrap()
}

async fn write_wal(made: &Made, megabytes: u32) {
    made.run(&format!(
        "select pg_logical_emit_message(false, 'filler', repeat('x', 1048576)) from generate_series(1, {megabytes})"
    ))
    .await;
}

/// Looks until it is so; statistics come late.
async fn until(made: &Made, is_so: impl Fn(&Report) -> bool) -> Report {
    for _ in 0..300 {
        let report = made.check("slots").await;
        if is_so(&report) {
            return report;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it did not come: {:?}", made.check("slots").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_archive_connections_and_files_are_what_was_made() {
    for major in majors() {
        let cluster = start(major).await;
        let made = Made::on(&cluster, "slots").await;
        let report = made.check("slots").await;
        assert!(report.findings.is_empty(), "{major}: {:?}", report.findings);

        // A slot that nobody uses.
        made.run("select pg_create_physical_replication_slot('its_gone', true)")
            .await;
        write_wal(&made, 40).await;
        let report = made.check("slots").await;
        let finding = find(&report, "LIM-019", "slot its_gone").unwrap();
        assert_eq!(finding.severity, Severity::Warning, "{major}");
        let kept = sample(&report, "slot_kept_bytes", "its_gone").unwrap();
        // The position is that of what is written; the last few megabytes may still be in memory.
        // The slot begins at the checkpoint before it.
        assert!((36.0 * MB..60.0 * MB).contains(&kept), "{major}: {kept}");
        let gauge = finding.gauge.as_ref().unwrap();
        assert!((gauge.capacity / MB - 512.0).abs() < 40.0, "{major}: {gauge:?}");
        made.run(finding.advice.as_ref().unwrap().command.as_ref().unwrap())
            .await;
        let report = made.check("slots").await;
        assert!(find(&report, "LIM-019", "slot its_gone").is_none(), "{major}");

        // The archive fails, as its command says.
        made.run("select pg_switch_wal()").await;
        let report = until(&made, |report| find(report, "LIM-021", "cluster").is_some()).await;
        assert!(sample(&report, "archive_failures", "").unwrap() >= 1.0);

        // A checkpoint that somebody asked for, and a sort that does not fit.
        let before = sample(&report, "checkpoints_forced", "").unwrap();
        made.run("checkpoint").await;
        let spilling = cluster.connect(&made.database.name).await.unwrap();
        spilling
            .batch_execute("set work_mem = '64kB'; select count(*) from (select i from generate_series(1, 200000) i order by md5(i::text)) s")
            .await
            .unwrap();
        drop(spilling);
        let report = until(&made, |report| {
            sample(report, "checkpoints_forced", "") > Some(before)
                && sample(report, "temp_file_bytes", &made.database.name) > Some(4.0 * MB)
        })
        .await;
        assert!(find(&report, "LIM-022", "cluster").is_none(), "one is no pace");

        // 14 of 17, with ours and the check's own: 16.
        let mut clients = Vec::new();
        for _ in 0..14 {
            let client = cluster.connect(&made.database.name).await.unwrap();
            client.batch_execute("begin").await.unwrap();
            clients.push(client);
        }
        let report = until(&made, |report| sample(report, "connections", "") == Some(16.0)).await;
        let finding = find(&report, "LIM-024", "cluster").unwrap();
        assert_eq!(finding.severity, Severity::Warning, "{major}");
        assert_eq!(finding.gauge.as_ref().unwrap().capacity, 17.0, "{major}");
        assert_eq!(facts(finding, "idle in a transaction"), "14");
        assert_eq!(finding.advice.as_ref().unwrap().way, "end-idle-transactions");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_does_not_replay_lags() {
    let primary = start(15).await;
    let made = Made::on(&primary, "slots_replica").await;
    let replica = primary.replica("reader").await.unwrap();
    replica.wait_until_caught_up(&primary).await.unwrap();
    replica.pause_replay().await.unwrap();
    let made = Made {
        client: primary.connect(&made.database.name).await.unwrap(),
        ..made
    };
    write_wal(&made, 40).await;
    let report = until(&made, |report| {
        find(report, "LIM-020", "replica reader").is_some()
    })
    .await;
    let lag = sample(&report, "replica_lag_bytes", "reader").unwrap();
    assert!((39.0 * MB..60.0 * MB).contains(&lag), "{lag}");
    // Without rights the lag is hidden, and that is said.
    let report = made.check_as_nobody("slots").await;
    assert_eq!(sample(&report, "replica_lag_bytes", "reader"), None);
    let said = report.degraded.iter().find(|d| d.what == "how far replicas lag");
    assert_eq!(said.unwrap().remedy, "grant pg_monitor to the role");
    replica.resume_replay().await.unwrap();
}

/// The disk by asking it, by adding up, and not at all.
#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_asked_or_added_up() {
    for major in majors() {
        let made = Made::on(Cluster::shared(major).await, "slots_disk").await;
        let report = made.check("slots").await;
        assert!(report.degraded.iter().any(|d| d.what == "free disk"), "{major}");
        assert_eq!(sample(&report, "disk_used_bytes", ""), None);

        let of_path = Scope {
            disk_path: Some("/".into()),
            ..Scope::default()
        };
        let report = check(&made.database.url, &["slots"], &of_path).await;
        let df = std::process::Command::new("df")
            .args(["-B1", "--output=used,avail", "/"])
            .output()
            .unwrap();
        let df = String::from_utf8(df.stdout).unwrap();
        let figures: Vec<f64> = df
            .lines()
            .nth(1)
            .unwrap()
            .split_whitespace()
            .map(|f| f.parse().unwrap())
            .collect();
        let used = sample(&report, "disk_used_bytes", "").unwrap();
        assert!((used - figures[0]).abs() < 1024.0 * MB, "{used}, df: {figures:?}");
        let size = sample(&report, "disk_size_bytes", "").unwrap();
        assert!(
            (size - figures[0] - figures[1]).abs() < 1024.0 * MB,
            "{size}, df: {figures:?}"
        );

        let of_size = Scope {
            disk_size_bytes: Some(1),
            ..Scope::default()
        };
        let report = check(&made.database.url, &["slots"], &of_size).await;
        let finding = find(&report, "LIM-025", "cluster").unwrap();
        assert_eq!(finding.severity, Severity::Critical);
        let sql = "select (sum(pg_database_size(oid)) + (select sum(size) from pg_ls_waldir()))::float8 from pg_database";
        let truth: f64 = made.client.query_one(sql, &[]).await.unwrap().get(0);
        let used = sample(&report, "disk_used_bytes", "").unwrap();
        assert!((used / truth - 1.0).abs() < 0.5, "{major}: {used}, {truth}");
    }
}
