//! Lint beside a live database: what it knows of the tables changes what it says.

use corridor_lint::evidence::read::{names, read};
use corridor_lint::finding::{Finding, Severity};
use corridor_lint::judge::{Settings, Source, judge};
use corridor_lint::parse;
use corridor_testbed::cluster::connect;
use corridor_testbed::{Cluster, ClusterOptions};
use tokio_postgres::Client;

async fn lint(client: &Client, sql: &str) -> Vec<Finding> {
    let (world, live) = read(client, &names(&[parse::read(sql)])).await.unwrap();
    let settings = Settings {
        major: live.major,
        ..Settings::default()
    };
    judge(
        &[Source {
            path: "x.sql",
            text: sql,
            config: None,
        }],
        &settings,
        &world,
        Some(&live),
    )
}

fn of<'a>(findings: &'a [Finding], code: &str) -> Option<&'a Finding> {
    findings.iter().find(|finding| finding.rule.code.id == code)
}

#[tokio::test]
async fn a_live_database_says_more() {
    let cluster =
        Cluster::start(ClusterOptions::new(15).setting("shared_preload_libraries", "pg_stat_statements"))
            .await
            .unwrap();
    let database = cluster.fresh_database("lint").await.unwrap();
    let client = connect(&database.url).await.unwrap();
    client
        .batch_execute(
            "create extension pg_stat_statements;
             create table users (id int primary key, name varchar(10), nick text, mail text not null default '', code varchar(5), proof int constraint proof check (proof is not null));
             create index users_code on users (code);
             insert into users select n, 'x', repeat('y', 100), 'z', 'c', 1 from generate_series(1, 200000) n;
             create table orders (id int primary key, user_id int constraint orders_user references users, at timestamp);
             create table e (k int not null) partition by range (k);
             create table e_rest partition of e default;
             analyze;",
        )
        .await
        .unwrap();
    client
        .execute("select nick from users where id = $1", &[&1])
        .await
        .unwrap();
    client
        .execute(
            "insert into users (id, name, proof) values ($1, 'n', 1)",
            &[&1_000_000],
        )
        .await
        .unwrap();

    // The type that is there decides.
    assert!(
        of(
            &lint(&client, "alter table users alter column name type varchar(20)").await,
            "LNT-013"
        )
        .is_none()
    );
    assert!(
        of(
            &lint(&client, "alter table users alter column name type varchar(5)").await,
            "LNT-013"
        )
        .is_some()
    );
    // A valid check proves it.
    assert!(
        of(
            &lint(&client, "alter table users alter column proof set not null").await,
            "LNT-015"
        )
        .is_none()
    );
    assert!(
        of(
            &lint(&client, "alter table users alter column nick set not null").await,
            "LNT-015"
        )
        .is_some()
    );
    // Who still reads the column.
    let found = lint(&client, "alter table users drop column nick").await;
    let dropped = of(&found, "LNT-101").unwrap();
    assert_eq!(dropped.severity, Severity::Error);
    assert!(
        dropped.what.contains("select nick from users"),
        "{}",
        dropped.what
    );
    let unused = lint(&client, "alter table users drop column code").await;
    assert_eq!(of(&unused, "LNT-101").unwrap().severity, Severity::Notice);
    // Who leaves it out.
    let found = lint(&client, "alter table users alter column nick set not null").await;
    assert!(of(&found, "LNT-105").unwrap().what.contains("insert into users"));
    // A large table is worse than a small one, and has figures.
    let found = lint(
        &client,
        "create index i on users (nick); create index j on orders (user_id)",
    )
    .await;
    let of_table: Vec<(Severity, Vec<&str>)> = found
        .iter()
        .filter(|finding| finding.rule.code.id == "LNT-001")
        .map(|finding| {
            (
                finding.severity,
                finding.evidence.iter().map(|it| it.name.as_str()).collect(),
            )
        })
        .collect();
    assert_eq!(
        (of_table[0].0, of_table[1].0),
        (Severity::Error, Severity::Notice)
    );
    for name in ["locks", "size", "traffic", "time under the lock"] {
        assert!(of_table[0].1.contains(&name), "{name}: {:?}", of_table[0].1);
    }
    // The default partition, the table of an index, and the other end of a foreign key are found.
    assert!(
        of(
            &lint(
                &client,
                "create table p partition of e for values from (1) to (2)"
            )
            .await,
            "LNT-031"
        )
        .unwrap()
        .what
        .contains("default partition")
    );
    assert!(
        of(&lint(&client, "drop index users_code").await, "LNT-002")
            .unwrap()
            .what
            .contains("users")
    );
    assert!(
        of(&lint(&client, "drop table orders").await, "LNT-026")
            .unwrap()
            .what
            .contains("users")
    );
    // What is not there is no fault.
    lint(&client, "alter table nowhere add column x int; drop index none").await;
}

/// A catalogue of 10,000 tables costs no more than a small one: only what the files name is read.
#[tokio::test]
async fn ten_thousand_tables_are_not_looked_at() {
    let cluster = Cluster::shared(15).await;
    let database = cluster.fresh_database("many").await.unwrap();
    let client = connect(&database.url).await.unwrap();
    let tables = if std::env::var_os("CORRIDOR_TEST_QUICK").is_some() {
        1_000
    } else {
        10_000
    };
    for from in (0..tables).step_by(500) {
        client.batch_execute(&format!("do $$ begin for n in {from}..{from}+499 loop execute format('create table t%s (id int primary key, a text)', n); end loop; end $$")).await.unwrap();
    }
    client.batch_execute("analyze pg_catalog.pg_class; analyze pg_catalog.pg_attribute; analyze pg_catalog.pg_constraint; analyze pg_catalog.pg_index").await.unwrap();
    let script = parse::read(
        "alter table t77 add column x int; create index i on t78 (a); alter table t79 drop column a",
    );
    let begun = std::time::Instant::now();
    read(&client, &names(&[script])).await.unwrap();
    let took = begun.elapsed();
    println!("{} ms on {tables} tables", took.as_millis());
    assert!(took.as_millis() < 300, "{took:?}");
}
