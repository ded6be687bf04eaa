//! A partitioned table and the binary: killed at random instants while it writes partitions anew, under live traffic.

use std::time::Duration;

use crate::stage::{Stage, Worker};

const EIGHT: &str = "
    alter table persons rename to before;
    alter index persons_pkey rename to before_pkey;
    create table persons (like before including all) partition by hash (team_id);
    do $$ begin for i in 0..7 loop
        execute format('create table persons_p%s partition of persons for values with (modulus 8, remainder %s)', i, i);
    end loop; end $$;
    insert into persons select * from before;
    drop table before;
    create index persons_uuid on persons (uuid);
    create index only_here on persons_p3 (created_at);
    comment on table persons_p5 is 'the fifth'";

/// Everything about partitions that a person could see, in one text.
const PARTITIONS: &str = "
    select string_agg(line, e'\\n' order by line) from (
        select concat_ws(' ', c.relname, c.relkind, pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class')) as line
        from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname like 'persons%'
        union all
        select concat_ws(' ', i.indrelid::regclass, pg_get_indexdef(i.indexrelid), i.indisvalid)
        from pg_index i where i.indrelid in (select relid from pg_partition_tree('persons'))
    ) x";

#[tokio::test]
async fn killed_at_random_instants_while_partitions_are_written_anew() {
    const SLOWLY: &[&str] = &[
        "move",
        "persons",
        "--same-shape",
        "--execute",
        "--auto-cutover",
        "--set",
        "lease.ttl_ms=1000",
        "--set",
        "chunk.target_ms=20",
        "--set",
        "nice=1",
    ];
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let within = Duration::from_millis(50)..Duration::from_millis(2_500);
    let stage = Stage::set_up("partition_kills", 30_000, EIGHT).await;
    let seen = async || -> String { stage.client.query_one(PARTITIONS, &[]).await.unwrap().get(0) };
    let before = seen().await;
    let mut worker = Worker::start(&stage.database, SLOWLY);
    worker.until(|v| v["event"] == "stored").await;
    let mut kills = 0;
    let is_over = |state: &str| state == "finished" || state == "rolled_back";
    for round in 0..12 {
        kills += u32::from(worker.kill_at_random(within.clone(), &mut random).await);
        let status = stage.status().await;
        println!("{round}: {} {}", status["state"], status["waits_for"]);
        // In the last rounds to the end.
        let verb = match status["waits_for"] == "finish" && round > 8 {
            true => "finish",
            false => "resume",
        };
        worker = Worker::start(&stage.database, &[verb, "persons"]);
    }
    assert!(kills > 6, "seed {seed}: {kills} kills");
    worker.kill_at_random(within, &mut random).await;
    let status = stage.status().await;
    if !is_over(status["state"].as_str().unwrap()) {
        if status["waits_for"] == "finish" || status["state"] == "retiring" {
            stage.run(&["finish", "persons", "--drop"]).await.expect_code(0);
        } else {
            stage.run(&["rollback", "persons"]).await.expect_code(0);
        }
    }
    assert_eq!(stage.kind().await, "p", "seed {seed}");
    assert_eq!(seen().await, before, "seed {seed}");
    stage.settle().await;
}

/// The words of the command line, and what they refuse.
#[tokio::test]
async fn partitions_become_one_table_and_what_is_lost_is_said() {
    let stage = Stage::set_up("unpartitioned", 1_000, EIGHT).await;
    let run = stage
        .run(&["move", "persons", "--unpartitioned", "--execute"])
        .await
        .expect_code(4)
        .expect_fault("MOV-027");
    assert!(
        run.stdout.contains("only_here; persons_p5: comment"),
        "{}",
        run.stdout
    );
    let words = [
        "move",
        "persons",
        "--unpartitioned",
        "--accept",
        "partition-settings",
        "--execute",
        "--auto-cutover",
    ];
    stage.run(&words).await.expect_code(5);
    assert_eq!(stage.kind().await, "r");
    stage.traffic.wait_for_writes(100).await;
    stage.run(&["finish", "persons", "--drop"]).await.expect_code(0);
    stage.settle().await;
}
