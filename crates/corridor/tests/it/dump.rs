//! The whole life of a move on a schema that uses everything that can hang on a table, while an application writes: what
//! `pg_dump --schema-only` says is the same before and after, to the byte, and so are the rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use corridor_testbed::Cluster;

use crate::driver::corridor_on;
use crate::dump_schema::{TABLE, assert_same, dump, setup};

/// Writes of every kind, one after the other, until told to end; each goes through triggers, rules and policies.
async fn write(url: String, is_over: Arc<AtomicBool>) -> u64 {
    let client = corridor_testbed::cluster::connect(&url).await.unwrap();
    let mut count = 0_u64;
    while !is_over.load(Ordering::Relaxed) {
        count += 1;
        let id = count % 200 * 2 + 10;
        let statements = [
            format!(
                "insert into {TABLE} (customer_id, number, serial_no, amount, note, body) values ({}, {}, 1, 3, 'new', '{{}}')",
                count % 20 + 1,
                100_000 + count
            ),
            format!("update {TABLE} set amount = amount + 1, note = 'n{count}' where id = {id}"),
            format!("delete from {TABLE} where number = {}", 100_000 + count - 5),
        ];
        for statement in statements {
            let done = client.batch_execute(&statement).await;
            done.unwrap_or_else(|e| panic!("{statement}: {e:?}"));
        }
    }
    count
}

async fn a_life(major: u32) {
    let cluster = Cluster::shared(major).await;
    let database = cluster.fresh_database("whole_dump").await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    let setup = setup(major).replace("ROLE", &database.name);
    client.batch_execute(&setup).await.unwrap();
    let before = dump(&database.url, major).await;
    let run = async |args: &[&str], code: i32| corridor_on(&database, args).run().await.expect_code(code);
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(database.url.clone(), is_over.clone()));

    let name = ["--name", "first", "--same-shape", "--execute", "--auto-cutover"];
    run(&[&["move", TABLE][..], &name].concat(), 5).await;
    run(&["rollback", "first"], 0).await;
    assert_same(&before, &dump(&database.url, major).await, "rolled back", major);

    let name = ["--name", "second", "--same-shape", "--execute", "--auto-cutover"];
    run(&[&["move", TABLE][..], &name].concat(), 5).await;
    is_over.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 10);
    let digest = "select md5(string_agg(o::text, ',' order by id)) from app.\"Order s\" o";
    let rows: String = client.query_one(digest, &[]).await.unwrap().get(0);
    run(&["verify", "second"], 0).await;
    run(&["finish", "second", "--drop"], 0).await;
    assert_same(&before, &dump(&database.url, major).await, "finished", major);
    let after: String = client.query_one(digest, &[]).await.unwrap().get(0);
    assert_eq!(rows, after, "{major}");
}

#[tokio::test]
async fn a_dump_is_the_same_to_the_byte_after_the_whole_life_of_a_move() {
    let majors: &[u32] = match std::env::var_os("CORRIDOR_TEST_QUICK") {
        Some(_) => &[15],
        None => &[14, 15, 16, 17, 18],
    };
    for major in majors {
        a_life(*major).await;
    }
}
