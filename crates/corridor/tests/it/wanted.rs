//! `corridor move --to shape.sql`, as a person types it.

use std::path::PathBuf;

use corridor_testbed::Database;
use tokio_postgres::Client;

use crate::driver::{corridor_on, database};

const ORDERS: &str = "
    create table orders (id int primary key, price numeric(10,2), amount int, note text);
    create table items (order_id int references orders);
    insert into orders select i, i, 2, 'n' from generate_series(1, 500) i;
    analyze";

/// A file of this test's own; it goes with the value.
struct File(PathBuf);

impl File {
    fn new(label: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("corridor_{label}_{}.sql", std::process::id()));
        std::fs::write(&path, text).unwrap();
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

async fn with(label: &str) -> (Database, Client) {
    let database = database(label).await;
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    client.batch_execute(ORDERS).await.unwrap();
    (database, client)
}

const SHAPE: &str = "create table orders (id bigint primary key, price numeric(10,2), amount int, \
                     total numeric not null check (total >= 0))";

#[tokio::test]
async fn a_plan_says_what_each_column_is_made_from() {
    let (database, client) = with("wanted_plan").await;
    let file = File::new("wanted_plan", SHAPE);
    let base = [
        "move",
        "orders",
        "--to",
        file.path(),
        "--set",
        "total = price * amount",
    ];
    let both = [&base[..], &["--reverse-set", "note = 'back'"]].concat();
    let run = corridor_on(&database, &both).run().await.expect_code(0);
    let flat = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "Move public.orders into the shape of",
        "id: integer becomes bigint by the server's own assignment cast",
        "note goes, with what stands in it",
        "corridor move public.items --to FILE, with order_id bigint",
        "all 500 rows were tried, and fit",
        "total = (s.price * (s.amount)::numeric)",
    ] {
        assert!(flat.contains(text), "{text:?} is not in\n{}", run.stdout);
    }
    let json = corridor_on(&database, &[&both[..], &["--json"]].concat())
        .run()
        .await
        .expect_code(0)
        .json();
    assert_eq!(json["plan"]["shape"]["wanted"]["is_one_way"], false);
    assert_eq!(json["plan"]["reverse_columns"][3]["name"], "note");

    // What is missing is named, and all of it at once.
    let run = corridor_on(&database, &base).run().await.expect_code(4);
    assert!(
        run.stdout.contains("MOV-062") && run.stdout.contains("--reverse-set"),
        "{}",
        run.stdout
    );
    client
        .batch_execute("update orders set amount = -1 where id = 77")
        .await
        .unwrap();
    let run = corridor_on(&database, &both)
        .run()
        .await
        .expect_code(4)
        .expect_fault("MOV-063");
    let flat = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("by key (id): (77): new row for relation"),
        "{}",
        run.stdout
    );

    // Words that make no sense.
    for (args, code, fault) in [
        (vec!["move", "orders", "--to", "/nowhere/shape.sql"], 2, "CLI-001"),
        (
            vec!["move", "orders", "--to", file.path(), "--same-shape"],
            2,
            "MOV-001",
        ),
        (
            vec!["move", "orders", "--to", file.path(), "--set", "total"],
            2,
            "MOV-001",
        ),
        (
            vec!["move", "orders", "--to", file.path(), "--setting", "wrkers=4"],
            2,
            "MIG-",
        ),
    ] {
        let run = corridor_on(&database, &args).run().await.expect_code(code);
        assert!(run.stderr.contains(fault), "{fault}: {}", run.stderr);
    }
}

#[tokio::test]
async fn a_one_way_life() {
    let (database, client) = with("wanted_life").await;
    let file = File::new("wanted_life", SHAPE);
    let run = async |args: &[&str]| corridor_on(&database, args).run().await;
    let args = [
        "move",
        "orders",
        "--to",
        file.path(),
        "--set",
        "total = price * amount",
        "--one-way",
        "--execute",
        "--name",
        "wide",
        "--setting",
        "workers=1",
    ];
    let begun = run(&args).await.expect_code(5);
    assert!(begun.stdout.contains("--one-way"), "{}", begun.stdout);
    // Nobody is told of a way back that would be refused.
    let swapped = run(&["cutover", "wide"]).await.expect_code(0).stdout;
    let shown = run(&["status", "wide"]).await.expect_code(0).stdout;
    for text in [&swapped, &shown] {
        assert!(text.contains("one way; waits for `finish`"), "{text}");
        assert!(
            !text.contains("rollback") && !text.contains("corridor verify"),
            "{text}"
        );
    }
    client
        .batch_execute("insert into orders (id, total) values (3000000000, 1)")
        .await
        .unwrap();
    run(&["status", "wide"]).await.expect_code(0);
    run(&["status", "wide", "--json"]).await.expect_code(0);
    for word in ["rollback", "verify"] {
        run(&[word, "wide"]).await.expect_code(4).expect_fault("MOV-113");
    }
    run(&["finish", "wide", "--drop"]).await.expect_code(0);
    let left: i64 = client
        .query_one(
            "select count(*) from pg_class where relname like '%\\_\\_c\\_%' or relname like '%\\_fwd' or relname like '%\\_rev'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
}
