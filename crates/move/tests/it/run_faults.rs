//! Bad luck: lost answers, crashes, people who change the table, locks that are not free.

use std::time::{Duration, Instant};

use crate::run_journey::{Journey, options, until};
use crate::run_life::{hash, range};
use corridor_migration::{State, StateName, Wait};
use corridor_move::Shape;
use corridor_move::run::{Order, Outcome, Progress, plan};
use corridor_testbed::faults::{Cut, FaultProxy};
use corridor_testbed::traffic::{KeyType, Mix, Table};
use corridor_testbed::{Cluster, ClusterOptions, Mode};

const TEAMS: KeyType = KeyType::TeamAndId { teams: 20 };

/// The connection is cut while the swap commits: before the server gets the word, while it is at it, and after it has
/// done it but before anybody hears. The worker finds out who owns the name, and the swap happens exactly once.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_the_swap_is_lost() {
    for cut in [Cut::BeforePassing, Cut::AfterPassing, Cut::AfterDone] {
        let cluster = Cluster::shared(15).await;
        let proxy = FaultProxy::start(cluster.port()).unwrap();
        let mut journey = Journey::new(15, "faults_answer", TEAMS, 1_000).await;
        let traffic = journey.traffic(Mix::nasty(), 3).await;
        journey.store(&journey.wish(hash("team_id"))).await;
        journey.until_ready().await;
        journey.connect = options(&proxy.url(&journey.database.url).unwrap());
        for (order, wanted) in [
            (Order::Cutover, Outcome::Waits(Wait::Finish)),
            (Order::Rollback, Outcome::Ended(State::RolledBack)),
        ] {
            let sprung = proxy.sprung();
            proxy.cut_at("commit /* corridor: swap", 0, cut);
            let worker = journey.worker(order);
            proxy.wait_until_sprung(sprung + 1).await;
            assert_eq!(worker.end().await, wanted, "{cut:?} {order:?}");
            traffic.wait_for_writes(traffic.snapshot().writes + 100).await;
        }
        let swaps: i64 = journey
            .ask("select count(*) from corridor.journal where event in ('cut_over', 'swapped_back')")
            .await;
        assert_eq!(swaps, 2, "{cut:?}: each swap exactly once");
        let ledger = traffic.stop().await.unwrap();
        journey.assert_exact(&ledger).await;
        journey.assert_clean().await;
    }
}

/// The same, and the worker never comes back: the next one looks who has the name before it does anything.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_finds_out_who_owns_the_name() {
    for cut in [Cut::BeforePassing, Cut::AfterDone] {
        let cluster = Cluster::shared(15).await;
        let proxy = FaultProxy::start(cluster.port()).unwrap();
        let mut journey = Journey::new(15, "faults_next", TEAMS, 1_000).await;
        let traffic = journey.traffic(Mix::ingestion(), 4).await;
        journey.store(&journey.wish(hash("team_id"))).await;
        journey.until_ready().await;
        let direct = journey.connect.clone();
        journey.connect = options(&proxy.url(&journey.database.url).unwrap());
        proxy.cut_at("commit /* corridor: swap", 0, cut);
        let worker = journey.worker(Order::Cutover);
        proxy.wait_until_sprung(1).await;
        proxy.refuse(true);
        proxy.cut_all();
        worker.interrupt.send(true).unwrap();
        let outcome = worker.task.await.unwrap();
        assert!(
            !matches!(outcome, Ok(Outcome::Waits(_))),
            "nobody could know: {outcome:?}"
        );

        journey.connect = direct;
        let worker = journey.worker(Order::Resume);
        until(async || {
            journey
                .ask::<String>("select state from corridor.migration")
                .await
                == "waiting"
        })
        .await;
        worker.interrupt.send(true).unwrap();
        assert_eq!(worker.end().await, Outcome::Interrupted);
        if cut == Cut::BeforePassing {
            // Resumed, it swaps: the cut-over had been asked for, and had certainly not happened.
            let waits: String = journey
                .ask("select state_detail ->> 'for_what' from corridor.migration")
                .await;
            assert_eq!(waits, "finish");
        }
        let swaps: i64 = journey
            .ask("select count(*) from corridor.journal where event = 'cut_over'")
            .await;
        assert_eq!(swaps, 1);
        assert_eq!(
            journey.worker(Order::Rollback).end().await,
            Outcome::Ended(State::RolledBack)
        );
        let ledger = traffic.stop().await.unwrap();
        journey.assert_exact(&ledger).await;
        journey.assert_clean().await;
    }
}

/// `pg_ctl restart -m immediate`, again and again, during the copy, the verification, the swap and the hold.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_crashes_and_comes_back() {
    let cluster = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let database = cluster.fresh_database("faults_crash").await.unwrap();
    let mut journey = Journey::on(database, Table::ledger("ledger", TEAMS, 20_000)).await;
    let traffic = journey.traffic(Mix::nasty(), 5).await;
    let mut wish = journey.wish(hash("team_id"));
    wish.settings.push(("chunk.max_bytes".into(), "65536".into()));
    wish.settings.push(("cutover.auto".into(), "on".into()));
    journey.store(&wish).await;
    let worker = journey.worker(Order::Start);
    for crash in 0..4 {
        let before = worker.ear.all().len();
        until(async || worker.ear.all().len() > before + 3 || worker.task.is_finished()).await;
        if crash > 0 && worker.task.is_finished() {
            break;
        }
        cluster.restart(Mode::Immediate).await.unwrap();
    }
    assert_eq!(worker.end().await, Outcome::Waits(Wait::Finish));
    let hold = journey.worker(Order::Resume);
    traffic.wait_for_writes(traffic.snapshot().writes + 100).await;
    cluster.restart(Mode::Immediate).await.unwrap();
    traffic.wait_for_writes(traffic.snapshot().writes + 100).await;
    hold.interrupt.send(true).unwrap();
    assert_eq!(hold.end().await, Outcome::Interrupted);
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    let ledger = traffic.stop().await.unwrap();
    journey.assert_exact(&ledger).await;
    journey.assert_clean().await;
}

/// Every connection of the worker is cut, over and over.
#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_cut_over_and_over() {
    let cluster = Cluster::shared(15).await;
    let proxy = FaultProxy::start(cluster.port()).unwrap();
    let mut journey = Journey::new(15, "faults_network", TEAMS, 20_000).await;
    let traffic = journey.traffic(Mix::nasty(), 6).await;
    let mut wish = journey.wish(hash("team_id"));
    wish.settings.push(("chunk.max_bytes".into(), "65536".into()));
    wish.settings.push(("cutover.auto".into(), "on".into()));
    journey.store(&wish).await;
    let direct = journey.connect.clone();
    journey.connect = options(&proxy.url(&journey.database.url).unwrap());
    let worker = journey.worker(Order::Start);
    for _ in 0..12 {
        let before = worker.ear.all().len();
        until(async || worker.ear.all().len() > before + 4 || worker.task.is_finished()).await;
        proxy.cut_all();
    }
    assert_eq!(worker.end().await, Outcome::Waits(Wait::Finish));
    journey.connect = direct;
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    let ledger = traffic.stop().await.unwrap();
    journey.assert_exact(&ledger).await;
    journey.assert_clean().await;
}

/// A column is added amid the copy: the move stops with the reason, the application does not notice, and the way back is clean.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_definition_stops_the_move() {
    let mut journey = Journey::new(15, "faults_drift", TEAMS, 20_000).await;
    let mut wish = journey.wish(hash("team_id"));
    wish.settings.push(("chunk.max_bytes".into(), "65536".into()));
    wish.settings.push(("nice".into(), "1".into()));
    journey.store(&wish).await;
    let worker = journey.worker(Order::Start);
    until(async || {
        worker
            .ear
            .count(|p| matches!(p, Progress::Rows { rows, .. } if *rows > 0))
            > 0
    })
    .await;
    journey.run("alter table ledger add column extra text").await;
    let fault = worker.task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MOV-101");
    assert!(fault.to_string().contains("columns"), "{fault}");
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    journey.assert_clean().await;

    // Between verification and cut-over it is noticed under the lock, and nothing is swapped.
    journey.store(&journey.wish(hash("team_id"))).await;
    journey.until_ready().await;
    journey.run("create index on ledger (version)").await;
    let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MOV-101");
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    journey.assert_clean().await;
}

/// Somebody switches the triggers off and on again: what was written meanwhile was not captured, so nothing is swapped.
#[tokio::test(flavor = "multi_thread")]
async fn switched_off_triggers_are_noticed() {
    let mut journey = Journey::new(15, "faults_triggers", TEAMS, 500).await;
    journey.store(&journey.wish(hash("team_id"))).await;
    journey.until_ready().await;
    journey.run("alter table ledger disable trigger all; delete from ledger where id < 9; alter table ledger enable trigger all").await;
    let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MIR-006", "{fault}");
    // Switched on as they were, they do not bring back what they missed.
    journey
        .run(
            "do $$ declare t name; begin for t in select tgname from pg_trigger where tgrelid = 'ledger'::regclass \
             and tgname like 'corridor%' loop execute format('alter table ledger enable always trigger %I', t); end loop; end $$",
        )
        .await;
    let worker = journey.worker(Order::Resume);
    until(async || {
        journey
            .ask::<String>("select state from corridor.migration")
            .await
            == "waiting"
    })
    .await;
    worker.interrupt.send(true).unwrap();
    worker.end().await;
    let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MIR-006", "{fault}");
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    journey.assert_clean().await;

    // After the cut-over it closes the way back, and says so.
    journey.store(&journey.wish(hash("team_id"))).await;
    journey.until_ready().await;
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );
    journey.run("alter table ledger disable trigger all").await;
    let fault = journey.worker(Order::Rollback).task.await.unwrap().unwrap_err();
    assert!(["MOV-108", "MIR-006"].contains(&fault.code().id), "{fault}");
    // A way back that is closed is not a dead end.
    assert_eq!(
        journey.worker(Order::Finish { is_drop: true }).end().await,
        Outcome::Ended(State::Finished)
    );
}

/// A subscription knows its tables by id: the new table would be passed over in silence. Refused, and noticed when it
/// comes later.
#[tokio::test(flavor = "multi_thread")]
async fn the_target_of_a_subscription_stays_where_it_is() {
    let mut journey = Journey::new(15, "faults_subscription", TEAMS, 200).await;
    journey.store(&journey.wish(hash("team_id"))).await;
    journey.until_ready().await;
    journey
        .run(
            "create subscription faults_sub connection 'dbname=nowhere' publication p with (connect = false); \
             insert into pg_subscription_rel (srsubid, srrelid, srsubstate) \
             select oid, 'ledger'::regclass, 'r' from pg_subscription where subname = 'faults_sub'",
        )
        .await;
    let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MOV-101", "{fault}");
    assert!(fault.to_string().contains("subscriptions"), "{fault}");
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    let refused = plan(&journey.connect, &journey.wish(hash("team_id")))
        .await
        .unwrap()
        .check_executable()
        .unwrap_err();
    assert_eq!(refused.code().id, "MOV-049", "{refused}");
    journey
        .run("alter subscription faults_sub set (slot_name = none)")
        .await;
    journey.run("drop subscription faults_sub").await;
    journey.assert_clean().await;
}

/// A repeatable-read transaction that began before the swap would find the new table empty: the swap waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_snapshot_holds_the_swap_off() {
    let mut journey = Journey::new(15, "faults_snapshot", TEAMS, 200).await;
    let mut wish = journey.wish(hash("team_id"));
    wish.settings.push(("cutover.attempts".into(), "2".into()));
    journey.store(&wish).await;
    let reader = corridor_testbed::cluster::connect(&journey.database.url)
        .await
        .unwrap();
    reader
        .batch_execute("set application_name = 'the reader'; begin isolation level repeatable read; select count(*) from pg_class")
        .await
        .unwrap();
    journey.until_ready().await;
    let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MOV-102", "{fault}");
    assert!(
        fault.to_string().contains("MOV-111") && fault.to_string().contains("the reader"),
        "{fault}"
    );
    let rows: i64 = reader
        .query_one("select count(*) from ledger", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 200);
    reader.batch_execute("commit").await.unwrap();
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );

    // A partition that was away in between may have been written to unseen: the way back is closed.
    journey
        .run(
            "do $$ declare bound text; begin \
             select pg_get_expr(relpartbound, oid) into bound from pg_class where oid = 'ledger_p0'::regclass; \
             alter table ledger detach partition ledger_p0; delete from ledger_p0; \
             execute 'alter table ledger attach partition ledger_p0 ' || bound; end $$",
        )
        .await;
    let fault = journey.worker(Order::Rollback).task.await.unwrap().unwrap_err();
    assert!(["MOV-108", "MIR-006"].contains(&fault.code().id), "{fault}");
}

/// What has the name of the fallback view already is left alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_the_users_is_not_taken_for_ours() {
    let journey = Journey::new(15, "faults_taken", TEAMS, 10).await;
    journey.run("create view report as select 42 as answer").await;
    let mut wish = journey.wish(hash("team_id"));
    wish.fallback_view = Some("report".into());
    let plan = plan(&journey.connect, &wish).await.unwrap();
    let fault = corridor_move::run::store(&journey.connect, &wish, &plan)
        .await
        .unwrap_err();
    assert_eq!(fault.code().id, "MOV-112", "{fault}");
    assert_eq!(journey.ask::<i32>("select answer from report").await, 42);
}

/// `verify` after the cut-over compares the way back, whoever carries it out.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_is_verified_too() {
    let mut journey = Journey::new(15, "faults_back", TEAMS, 500).await;
    journey.store(&journey.wish(hash("team_id"))).await;
    journey.until_ready().await;
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );
    let alone = journey.worker(Order::Verify);
    let ear = alone.ear.clone();
    assert_eq!(alone.end().await, Outcome::Waits(Wait::Finish));
    assert_eq!(
        ear.count(
            |p| matches!(p, Progress::Verified { report } if report.is_proven && report.source_rows == 500)
        ),
        1
    );
    // A session of the worker before may still be there: what counts is that the living one has the lease.
    let before: i64 = journey.ask("select epoch from corridor.lease").await;
    let living = journey.worker(Order::Resume);
    until(async || {
        journey
            .ask::<bool>(&format!(
                "select holder is not null and epoch > {before} from corridor.lease"
            ))
            .await
            && journey
                .ask::<bool>("select exists (select from pg_stat_activity where application_name like 'corridor:apply:%' and datname = current_database())")
                .await
    })
    .await;
    assert_eq!(
        journey.worker(Order::Verify).end().await,
        Outcome::Waits(Wait::Finish)
    );
    until(async || living.ear.count(|p| matches!(p, Progress::Verified { .. })) == 1).await;
    living.interrupt.send(true).unwrap();
    living.end().await;
}

/// A long transaction holds the table: the swap steps back each time within its budget, names the holder, and the
/// application's other statements never wait much longer than that.
#[tokio::test(flavor = "multi_thread")]
async fn who_stands_in_the_way_is_named_and_nobody_waits_long() {
    let mut journey = Journey::new(15, "faults_lock", TEAMS, 500).await;
    let mut wish = journey.wish(hash("team_id"));
    wish.settings.push(("cutover.attempts".into(), "4".into()));
    journey.store(&wish).await;
    journey.until_ready().await;
    let holder = corridor_testbed::cluster::connect(&journey.database.url)
        .await
        .unwrap();
    holder
        .batch_execute("set application_name = 'the long one'; begin")
        .await
        .unwrap();
    let long = format!(
        "select count(*) as \x22\x1b[2J\x22\nfrom ledger where id not in ({}0)",
        "1, ".repeat(100)
    );
    holder.batch_execute(&long).await.unwrap();
    let worker = journey.worker(Order::Cutover);
    let other = corridor_testbed::cluster::connect(&journey.database.url)
        .await
        .unwrap();
    let mut slowest = Duration::ZERO;
    while !worker.task.is_finished() {
        let asked = Instant::now();
        other
            .batch_execute("update ledger set version = version + 1 where id = 1")
            .await
            .unwrap();
        slowest = slowest.max(asked.elapsed());
    }
    let ear = worker.ear.clone();
    let fault = worker.task.await.unwrap().unwrap_err();
    assert_eq!((fault.code().id, fault.code().exit.code()), ("MOV-102", 5));
    let named = ear.count(|p| matches!(p, Progress::LockBusy { holders, .. } if holders.iter().any(|h| h.contains("the long one"))));
    assert_eq!(named, 4);
    // A line of bounded width for people; the statement as it was sent for programs.
    let is_told = |p: &Progress| match p {
        Progress::LockBusy {
            holders, sessions, ..
        } => {
            holders
                .iter()
                .all(|line| line.chars().count() < 200 && !line.contains(char::is_control))
                && sessions.iter().any(|s| s.query.as_deref() == Some(&long))
        }
        _ => false,
    };
    assert_eq!(ear.count(is_told), 4);
    assert!(slowest < Duration::from_millis(400), "{slowest:?}");
    holder.batch_execute("commit").await.unwrap();
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

/// A truncate in each phase of a move's life is never lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_in_every_phase() {
    let again = "truncate ledger; insert into ledger (team_id, id, token) select i % 20, i, i from generate_series(1, 300) i";
    let same = "select count(*) = 300 and min(id) = 1 and max(id) = 300 from ledger";
    let mut journey = Journey::new(15, "faults_truncate", TEAMS, 20_000).await;
    let mut wish = journey.wish(hash("team_id"));
    wish.settings.push(("chunk.max_bytes".into(), "65536".into()));
    journey.store(&wish).await;
    // During the copy.
    let worker = journey.worker(Order::Start);
    until(async || {
        worker
            .ear
            .count(|p| matches!(p, Progress::Rows { rows, .. } if *rows > 0))
            > 0
    })
    .await;
    journey.run(again).await;
    let ear = worker.ear.clone();
    assert_eq!(worker.end().await, Outcome::Waits(Wait::Cutover));
    assert!(ear.count(|p| matches!(p, Progress::Truncated)) >= 1);
    // After the proof: the cut-over must not happen on an old proof.
    journey.run(again).await;
    let waiting = journey.worker(Order::Cutover);
    let outcome = waiting.task.await.unwrap();
    match outcome {
        Ok(outcome) => assert_eq!(outcome, Outcome::Waits(Wait::Finish)),
        Err(fault) => {
            assert!(
                ["MOV-104", "MIR-004", "MOV-102"].contains(&fault.code().id),
                "{fault}"
            );
            let state: String = journey.ask("select state from corridor.migration").await;
            if state == "failed" {
                let worker = journey.worker(Order::Resume);
                until(async || {
                    journey
                        .ask::<String>("select state from corridor.migration")
                        .await
                        == "waiting"
                })
                .await;
                worker.interrupt.send(true).unwrap();
                worker.end().await;
            } else {
                assert_eq!(
                    journey.worker(Order::Verify).end().await,
                    Outcome::Waits(Wait::Cutover)
                );
            }
            assert_eq!(
                journey.worker(Order::Cutover).end().await,
                Outcome::Waits(Wait::Finish)
            );
        }
    }
    assert!(journey.ask::<bool>(same).await);
    // After the cut-over: replayed by a worker that stays, rows come after it, then once more unattended; and back.
    let worker = journey.worker(Order::Resume);
    journey.run("truncate ledger_p0").await;
    until(async || worker.ear.count(|p| matches!(p, Progress::Truncated)) >= 1).await;
    journey.run(again).await;
    until(async || worker.ear.count(|p| matches!(p, Progress::Truncated)) >= 2).await;
    journey
        .run("insert into ledger (team_id, id, token) values (1, 999, 1); delete from ledger where id = 999")
        .await;
    worker.interrupt.send(true).unwrap();
    worker.end().await;
    journey.run(again).await;
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    assert!(journey.ask::<bool>(same).await);
    journey.assert_clean().await;
}

/// A row that fits no partition: shown before anything is changed; and when it comes during the move, the move stops and
/// the application does not notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_fits_no_partition() {
    let mut journey = Journey::new(15, "faults_unfit", KeyType::BigInt, 500).await;
    let mut shape = range("k", "100000000");
    if let Shape::Range {
        has_default_partition,
        ..
    } = &mut shape
    {
        *has_default_partition = false;
    }
    journey.store(&journey.wish(shape)).await;
    journey.until_ready().await;
    journey
        .run("insert into ledger (k, token) values (9000000000000000000, 1)")
        .await;
    let fault = journey.worker(Order::Cutover).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MIR-001", "{fault}");
    journey
        .run("delete from ledger where k = 9000000000000000000")
        .await;
    let worker = journey.worker(Order::Resume);
    until(async || {
        journey
            .ask::<String>("select state from corridor.migration")
            .await
            == "waiting"
    })
    .await;
    worker.interrupt.send(true).unwrap();
    worker.end().await;
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    journey.assert_clean().await;
}

/// A worker that was frozen wakes up when another one has taken over and cleaned up. It stumbles over a table that is gone, and
/// says that the work is not its own any more, not that something is missing. (Found by chaos.)
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_comes_too_late_says_that_it_is_too_late() {
    let mut journey = Journey::new(15, "faults_late", TEAMS, 300_000).await;
    let mut wish = journey.wish(hash("team_id"));
    for (key, value) in [
        ("chunk.max_bytes", "65536"),
        ("nice", "1"),
        ("lease.ttl_ms", "60000"),
    ] {
        wish.settings.push((key.into(), value.into()));
    }
    journey.store(&wish).await;
    let worker = journey.worker(Order::Start);
    let compares =
        |p: &Progress| matches!(p, Progress::Rows { is_verification: true, rows, .. } if *rows > 0);
    until(async || worker.ear.count(compares) > 0).await;
    journey
        .run("begin; update corridor.lease set epoch = epoch + 1; drop table corridor.check_1_fwd cascade; commit")
        .await;
    let fault = worker.task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "PG-019", "{fault}");
}

/// A throttle signal holds the copy and says why; catching up goes on; a new limit lets it go.
#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_holds_the_copy_and_never_the_applier() {
    let mut journey = Journey::new(15, "faults_throttle", TEAMS, 5_000).await;
    journey
        .run("create table mood (figure int); insert into mood values (0)")
        .await;
    let mut wish = journey.wish(hash("team_id"));
    for (key, value) in [
        ("throttle.custom.query", "select max(figure) from public.mood"),
        ("throttle.custom", "5"),
        ("throttle.interval_ms", "100"),
        ("chunk.max_bytes", "65536"),
    ] {
        wish.settings.push((key.into(), value.into()));
    }
    journey.store(&wish).await;
    let worker = journey.worker(Order::Start);
    until(async || {
        worker
            .ear
            .count(|p| matches!(p, Progress::Rows { rows, .. } if *rows > 0))
            > 0
    })
    .await;
    journey.run("update mood set figure = 9").await;
    until(async || {
        worker.ear.count(|p| matches!(p, Progress::Throttle { reasons } if reasons.iter().any(|r| r.to_string().contains('9')))) > 0
            || worker.task.is_finished()
    })
    .await;
    if !worker.task.is_finished() {
        let rows = "select sum(rows)::bigint from corridor.lane_1_fwd";
        let copied: i64 = journey.ask(rows).await;
        journey
            .run("update ledger set version = version + 1 where id < 50")
            .await;
        until(async || {
            journey
                .ask::<i64>("select count(*) from corridor.change_1_fwd")
                .await
                == 0
        })
        .await;
        assert!(
            journey.ask::<i64>(rows).await - copied < 3_000,
            "the copy went on under the throttle"
        );
        journey
            .run("insert into corridor.setting (migration_id, key, value, set_by) values (1, 'throttle.custom', '50', 'test') \
                  on conflict (migration_id, key) do update set value = '50'")
            .await;
    }
    assert_eq!(worker.end().await, Outcome::Waits(Wait::Cutover));
    assert_eq!(
        journey.worker(Order::Stop).end().await,
        Outcome::Ended(State::Stopped)
    );
    journey.assert_clean().await;
}

/// `--fallback-view`: whole during the copy, gone after the cut-over, readable by those who may read the table.
#[tokio::test(flavor = "multi_thread")]
async fn the_fallback_view_reads_both_tables() {
    let mut journey = Journey::new(15, "faults_view", TEAMS, 2_000).await;
    journey.run("do $$ begin create role reader; exception when duplicate_object then null; end $$; grant select on ledger to reader").await;
    let mut wish = journey.wish(hash("team_id"));
    wish.fallback_view = Some("ledger_both".into());
    journey.store(&wish).await;
    journey.until_ready().await;
    let same = "select (select count(*) from (select id from ledger_both except select id from ledger) x) \
                + (select count(*) from ledger) - (select count(*) from ledger_both)";
    assert_eq!(journey.ask::<i64>(same).await, 0);
    assert!(
        journey
            .ask::<bool>("select has_table_privilege('reader', 'ledger_both', 'select')")
            .await
    );
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );
    assert!(
        journey
            .ask::<bool>("select to_regclass('ledger_both') is null")
            .await
    );
    assert_eq!(
        journey.worker(Order::Finish { is_drop: true }).end().await,
        Outcome::Ended(State::Finished)
    );
    journey.assert_clean().await;
}

/// Widening a key needs the word; an empty table moves too; two moves at once do not meet.
#[tokio::test(flavor = "multi_thread")]
async fn small_print() {
    let mut journey = Journey::new(15, "faults_small", KeyType::BigInt, 0).await;
    let mut wish = journey.wish(hash("token"));
    wish.accept_key_widening = false;
    let refused = plan(&journey.connect, &wish)
        .await
        .unwrap()
        .check_executable()
        .unwrap_err();
    assert_eq!(refused.code().exit.code(), 4);
    journey.store(&journey.wish(hash("k"))).await;
    let first = journey.worker(Order::Start);
    let mut second = Journey {
        database: corridor_testbed::Database {
            name: journey.database.name.clone(),
            url: journey.database.url.clone(),
        },
        connect: journey.connect.clone(),
        name: String::new(),
        table: Table::ledger("other", TEAMS, 200),
    };
    second.table.create(&second.database.url).await.unwrap();
    second.store(&second.wish(hash("team_id"))).await;
    let other = second.worker(Order::Start);
    assert_eq!(first.end().await, Outcome::Waits(Wait::Cutover));
    assert_eq!(other.end().await, Outcome::Waits(Wait::Cutover));
    for one in [&journey, &second] {
        assert_eq!(
            one.worker(Order::Cutover).end().await,
            Outcome::Waits(Wait::Finish)
        );
        assert_eq!(
            one.worker(Order::Finish { is_drop: true }).end().await,
            Outcome::Ended(State::Finished)
        );
    }
    assert_eq!(State::Finished.name(), StateName::Finished);
    journey.assert_clean().await;
}
