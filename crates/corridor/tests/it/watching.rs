//! What a person sees of a move: the reports of its verifications, what waits, who waits for whom, and why.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::driver::{Run, corridor_on, end};
use crate::stage::{SHAPE, Stage, Worker};

/// The newest report that `status` knows.
fn newest(status: &Value) -> &Value {
    &status["verifications"][0]["report"]
}

fn assert_shown(run: &Run, texts: &[&str]) {
    // As one line: where a text is wrapped says nothing.
    let shown = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in texts {
        assert!(shown.contains(text), "{text:?} is not in\n{}", run.stdout);
    }
}

impl Stage {
    /// A move that waits for `cutover`; nobody works on it.
    async fn ready_move(&self) {
        let run = self
            .run(&[&["move", "persons", "--execute"], SHAPE].concat())
            .await;
        run.expect_code(5);
    }

    /// A worker that keeps the tables in step.
    async fn attended(&self, waits_for: &str) -> Worker {
        let mut worker = Worker::start(&self.database, &["resume", "persons"]);
        worker
            .until(|v| v["event"] == "in_step" && v["waits_for"] == waits_for)
            .await;
        worker
    }

    /// The table that follows the one that the application uses.
    async fn follower(&self, like: &str) -> String {
        let row = self
            .client
            .query_one(
                "select oid::regclass::text from pg_class where relname like $1 and relkind in ('r', 'p') \
                 and not relispartition",
                &[&like],
            )
            .await;
        row.unwrap().get(0)
    }

    /// Every row of `table` that is written from now on is wrong, and one is already.
    async fn spoil(&self, table: &str) {
        let sql = format!(
            "create function spoil() returns trigger language plpgsql as
                 $$ begin new.properties := '{{\"spoilt\": true}}'; return new; end $$;
             create trigger spoil before insert on {table} for each row execute function spoil();
             delete from {table} where ctid = (select min(ctid) from {table})"
        );
        self.client.batch_execute(&sql).await.unwrap();
    }

    async fn mend(&self) {
        self.client
            .batch_execute("drop function spoil() cascade")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_report_of_a_verification_outlives_the_move() {
    let stage = Stage::new("reports").await;
    stage.ready_move().await;
    let status = stage.status().await;
    let (one, report) = (&status["verifications"][0], newest(&status));
    assert_eq!(
        (&one["number"], &one["side"]),
        (&json!(1), &json!("before_cutover"))
    );
    assert_eq!((&report["is_proven"], &report["run"]), (&json!(true), &json!(1)));
    assert_eq!(report["source_digest"], report["target_digest"]);
    for key in ["started_at", "finished_at", "digest_method"] {
        assert!(
            report[key].as_str().is_some_and(|t| !t.is_empty()),
            "{key}: {report}"
        );
    }
    for key in [
        "ranges",
        "source_rows",
        "target_rows",
        "pending_keys",
        "differing_keys",
        "missing_keys",
        "extra_keys",
        "repaired_keys",
    ] {
        assert!(report[key].is_i64(), "{key}: {report}");
    }
    assert_eq!(report["differences"], json!([]));
    let run = stage.run(&["status", "persons"]).await.expect_code(0);
    assert_shown(&run, &["verified 20", "run 1: every row is equal;"]);
    assert!(!run.stdout.contains("  differed"), "{}", run.stdout);

    // A foreign write to the new table is found and repaired, and the report names the key.
    let target = stage.follower("persons__c_new%").await;
    let sql = format!("delete from {target} where ctid = (select min(ctid) from {target})");
    stage.client.batch_execute(&sql).await.unwrap();
    stage.run(&["verify", "persons"]).await.expect_code(0);
    let status = stage.status().await;
    let report = newest(&status);
    assert_eq!(report["is_proven"], true, "{report}");
    assert!(report["missing_keys"].as_i64().unwrap() >= 1, "{report}");
    assert_eq!(report["differing_keys"], report["repaired_keys"]);
    assert_eq!(report["differences"][0]["kind"], "missing");
    let run = stage.run(&["status", "persons"]).await.expect_code(0);
    assert_shown(&run, &["keys differed and were repaired", " missing"]);

    stage.run(&["rollback", "persons"]).await.expect_code(0);
    let status = stage.status().await;
    assert_eq!(status["state"], "rolled_back");
    assert_eq!(status["verifications"].as_array().unwrap().len(), 2);
    assert_eq!(newest(&status)["run"], 2);
    let run = stage.run(&["status", "persons"]).await.expect_code(0);
    assert_shown(&run, &["verified 20", "run 2: every row is equal;"]);
    stage.settle().await;
}

#[tokio::test]
async fn what_differs_for_good_is_reported_and_a_new_run_sees_that_it_is_mended() {
    let stage = Stage::new("differs").await;
    stage.ready_move().await;
    let target = stage.follower("persons__c_new%").await;
    stage.spoil(&target).await;
    let run = stage.run(&["verify", "persons"]).await;
    let run = run.expect_code(1).expect_fault("MIR-003");
    assert!(
        run.stderr.contains("status NAME` has the first"),
        "{}",
        run.stderr
    );
    let status = stage.status().await;
    assert_eq!(status["state"], "failed");
    let report = newest(&status);
    assert_eq!((&report["is_proven"], &report["run"]), (&json!(false), &json!(2)));
    let found = report["differing_keys"].as_i64().unwrap();
    assert!(
        found >= 1 && report["repaired_keys"].as_i64().unwrap() < found,
        "{report}"
    );
    assert!(!report["differences"].as_array().unwrap().is_empty());
    let run = stage.run(&["status", "persons"]).await.expect_code(0);
    assert_shown(
        &run,
        &["run 2: not proven equal;", "could be repaired", "differed"],
    );

    stage.mend().await;
    let mut worker = Worker::start(&stage.database, &["resume", "persons"]);
    let verified = worker.until(|v| v["event"] == "verified").await;
    assert_eq!(
        (&verified["report"]["is_proven"], &verified["report"]["run"]),
        (&json!(true), &json!(3))
    );
    stage.until_ready().await;
    stage.run(&["cutover", "persons"]).await.expect_code(0);
    stage.run(&["finish", "persons"]).await.expect_code(0);
    assert_eq!(worker.end().await.0, 0);
    // The mirror's tables are gone, the reports are not.
    let status = stage.status().await;
    assert_eq!(
        (&status["state"], &status["mirror"]),
        (&json!("finished"), &Value::Null)
    );
    assert_eq!(status["verifications"].as_array().unwrap().len(), 3);
    stage.settle().await;
}

/// It came back before anything was compared.
#[tokio::test]
async fn a_verification_after_the_cut_over_is_waited_for_whoever_does_it() {
    let stage = Stage::new("verify_back").await;
    let (code, _) = stage.start_move(&["--auto-cutover"]).end().await;
    assert_eq!(code, 5);
    let worker = stage.attended("finish").await;
    stage.close_gate().await;
    stage
        .status_when(|s| !s["throttle"]["reasons"][0].is_null())
        .await;
    let mut asking = Worker::start(&stage.database, &["verify", "persons"]);
    // Granted, and held by the throttle: nothing is compared, and nothing is answered.
    let granted = "select count(*) from corridor.request where verb = 'verify' and answered_at is not null";
    while stage
        .client
        .query_one(granted, &[])
        .await
        .unwrap()
        .get::<_, i64>(0)
        == 0
    {}
    let early = tokio::time::timeout(Duration::from_secs(1), asking.child.wait()).await;
    assert!(early.is_err(), "it did not wait: {early:?}");
    stage.open_gate().await;
    let verified = asking.until(|v| v["event"] == "verified").await;
    assert_eq!(verified["report"]["is_proven"], true);
    let (code, last) = asking.end().await;
    assert_eq!((code, &last["for_what"]), (0, &json!("finish")), "{last}");
    let status = stage.status().await;
    assert_eq!(status["verifications"][0]["side"], "after_cutover");
    let run = stage.run(&["status", "persons"]).await.expect_code(0);
    assert_shown(
        &run,
        &["the old table against the new one, run 1: every row is equal;"],
    );

    // And one that fails is told by the exit code.
    let parked = stage.follower("persons__c_old%").await;
    stage.spoil(&parked).await;
    let run = stage.run(&["verify", "persons"]).await;
    run.expect_code(1).expect_fault("MIR-003");
    assert_eq!(worker.end().await.0, 1);
    let status = stage.status().await;
    assert_eq!(
        (&status["state"], &newest(&status)["is_proven"]),
        (&json!("failed"), &json!(false))
    );
    stage.mend().await;
    let worker = stage.attended("finish").await;
    stage.run(&["verify", "persons"]).await.expect_code(0);
    stage.run(&["rollback", "persons"]).await.expect_code(0);
    assert_eq!(worker.end().await.0, 1);
    stage.settle().await;
}

#[tokio::test]
async fn without_a_worker_the_status_counts_what_waits_and_what_is_copied() {
    let stage = Stage::new("pending").await;
    let worker = stage.held_move().await;
    worker.signal("KILL").await;
    end(worker.child).await;
    stage.traffic.wait_for_writes(300).await;
    let status = stage.status_when(|s| s["needs_worker"] == true).await;
    let mirror = &status["mirror"];
    assert_eq!(
        (&mirror["side"], &mirror["is_copied"], &mirror["unread"]),
        (&json!("before_cutover"), &json!(false), &Value::Null)
    );
    assert!(mirror["pending_changes"].as_i64().unwrap() >= 100, "{mirror}");
    let copied: i64 = stage
        .client
        .query_one("select sum(rows)::bigint from corridor.lane_1_fwd", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(mirror["rows_copied"], json!(copied));
    let run = stage.run(&["status", "persons"]).await.expect_code(0);
    assert_shown(&run, &[" changes pending", " of about 4,000 rows"]);

    // Whoever may read the migrations and not the mirror is told so, and sees the rest.
    let role = format!("looker_{}", stage.database.name);
    let grants = format!(
        "create role {role} login; grant usage on schema corridor to {role};
         grant select on all tables in schema corridor to {role};
         revoke all on corridor.change_1_fwd, corridor.lane_1_fwd from {role}"
    );
    stage.client.batch_execute(&grants).await.unwrap();
    let look =
        corridor_on(&stage.database, &["status", "persons"]).env("PGOPTIONS", &format!("-crole={role}"));
    let run = look.run().await.expect_code(0);
    assert_shown(&run, &["pending unknown: ", "permission denied", "state running"]);

    // A lock on the log is not waited for.
    let mut client = corridor_testbed::cluster::connect(&stage.database.url)
        .await
        .unwrap();
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("lock table corridor.lane_1_fwd").await.unwrap();
    let run = stage.run(&["status", "persons", "--json"]).await.expect_code(0);
    let unread = run.json()["mirror"]["unread"].as_str().unwrap().to_owned();
    assert!(unread.contains("PG-"), "{unread}");
    tx.rollback().await.unwrap();

    stage.open_gate().await;
    stage.run(&["rollback", "persons"]).await.expect_code(0);
    assert_eq!(stage.status().await["mirror"], Value::Null);
    stage.settle().await;
}

#[tokio::test]
async fn whoever_keeps_the_tables_in_step_says_what_it_waits_for() {
    let stage = Stage::new("in_step").await;
    stage.ready_move().await;
    let said = async |wanted: &str| {
        let mut child = corridor_on(&stage.database, &["resume", "persons"]).start();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let search = async {
            // Once when it is so, and again with the status lines that follow.
            while seen.iter().filter(|line: &&String| line.contains(wanted)).count() < 2 {
                seen.push(lines.next_line().await.unwrap().expect("it ended before that"));
            }
        };
        tokio::time::timeout(Duration::from_secs(60), search)
            .await
            .expect("it never said so");
        assert!(
            !seen.iter().any(|line| line.contains("worker at work")),
            "{seen:?}"
        );
        let pid = child.id().unwrap().to_string();
        let sent = tokio::process::Command::new("kill")
            .args(["-s", "INT", &pid])
            .status();
        assert!(sent.await.unwrap().success());
        drop(lines);
        assert_eq!(end(child).await.code, 130);
    };
    said("ready; kept in step; waits for `corridor cutover persons`").await;
    stage.run(&["cutover", "persons"]).await.expect_code(0);
    said("cut over; the old table is kept in step; waits for").await;
    stage.run(&["finish", "persons"]).await.expect_code(0);
    stage.settle().await;
}

#[tokio::test]
async fn the_reason_of_a_pause_is_everywhere_whether_a_worker_lives_or_not() {
    let stage = Stage::new("reasons").await;
    let worker = stage.held_move().await;
    let check = async |why: &str| {
        let run = stage.run(&["pause", "persons", "--why", why, "--json"]).await;
        assert_eq!(run.expect_code(0).json()["why"], why);
        let status = stage.status().await;
        assert_eq!(
            (&status["state"], &status["state_detail"]["why"]),
            (&json!("paused"), &json!(why))
        );
        let run = stage.run(&["status", "persons"]).await.expect_code(0);
        assert_shown(&run, &["state paused by postgres@", &format!(": {why}")]);
        let run = stage
            .run(&["logs", "persons", "--json"])
            .await
            .expect_code(0)
            .json();
        let entries = run["entries"].as_array().unwrap();
        let pause = entries.iter().rfind(|e| e["event"] == "pause").unwrap();
        assert_eq!(pause["detail"]["why"], why, "{pause}");
        assert!(pause["detail"]["by"].as_str().unwrap().starts_with("postgres@"));
    };
    check("the deploy of 12:00").await;
    assert_eq!(worker.end().await.0, 5);
    let mut worker = Worker::start(&stage.database, &["resume", "persons"]);
    worker.until_held().await;
    worker.signal("KILL").await;
    end(worker.child).await;
    stage.status_when(|s| s["needs_worker"] == true).await;
    check("nobody is there").await;
    stage.run(&["rollback", "persons"]).await.expect_code(0);
    stage.settle().await;
}
