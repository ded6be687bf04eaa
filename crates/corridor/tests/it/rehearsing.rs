//! `corridor lint --rehearse` from the outside, on real servers.

use std::path::PathBuf;

use corridor_testbed::cluster::connect;
use corridor_testbed::{Cluster, ClusterOptions, Database};
use serde_json::Value;

use crate::driver::{corridor, corridor_on, database, end};
use crate::dump_schema::dump;

const SCHEMA: &str = "
create table parent (id int primary key, name text);
create table child (id int primary key, parent_id int references parent, note varchar(10));
insert into parent select n, 'p' || n from generate_series(1, 1000) n;
insert into child select n, n, 'c' from generate_series(1, 1000) n;
create index child_note on child (note);
create table split (k int) partition by range (k);
create schema app; create table app.other (id int);
create table split_1 partition of split for values from (0) to (10);
analyze;
";

/// A file of a test, gone at its end.
struct File(PathBuf);

impl File {
    fn new(label: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("corridor-rehearse-{label}-{}.sql", std::process::id()));
        std::fs::write(&path, text).unwrap();
        File(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A session that may write again.
async fn writer(database: &Database) -> tokio_postgres::Client {
    let client = connect(&database.url).await.unwrap();
    client
        .batch_execute("set default_transaction_read_only = off")
        .await
        .unwrap();
    client
}

async fn filled(label: &str) -> Database {
    let database = database(label).await;
    let client = connect(&database.url).await.unwrap();
    client.batch_execute(SCHEMA).await.unwrap();
    // Who would write there from now on is refused.
    let shut = format!(
        "alter database {} set default_transaction_read_only = on",
        database.name
    );
    client.batch_execute(&shut).await.unwrap();
    database
}

fn marks(json: &Value) -> Vec<String> {
    json["rehearsal"]["files"][0]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| match step["comparison"]["mark"].as_str() {
            Some(mark) => format!("{} {mark}", step["state"].as_str().unwrap()),
            None => step["state"].as_str().unwrap().to_owned(),
        })
        .collect()
}

fn codes(json: &Value) -> Vec<&str> {
    json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"]["code"].as_str().unwrap())
        .filter(|code| code.starts_with("LNT-9"))
        .collect()
}

#[tokio::test]
async fn a_file_is_rehearsed_on_a_clone_and_the_source_stays() {
    let database = filled("rehearsed").await;
    let before = dump(&database.url, 15).await;
    let file = File::new(
        "clone",
        "set lock_timeout = '2s';
         alter table child add column x int default 5;
         alter table child alter column note type varchar(5);
         create index concurrently child_x on child (x);
         alter table split add column v int;
         truncate child;
         begin; alter table parent add column y int; rollback;
         drop index child_note;",
    );
    let args = ["lint", "--rehearse", "--json", file.path()];
    let json = corridor_on(&database, &args).run().await.json();
    assert_eq!(
        marks(&json),
        [
            "ran",
            "ran agrees",
            "ran agrees",
            "ran agrees",
            "ran agrees",
            "ran agrees",
            "ran",
            "ran agrees",
            "ran",
            "ran agrees"
        ],
        "{json:#}"
    );
    assert_eq!(codes(&json), Vec::<&str>::new());
    let rehearsal = &json["rehearsal"];
    assert_eq!(
        (&rehearsal["is_throwaway"], &rehearsal["has_statistics"]),
        (&true.into(), &true.into())
    );
    assert_eq!(rehearsal["notes"], serde_json::json!([]));
    let difference: Vec<&str> = rehearsal["difference"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert!(
        difference.contains(&"+    note character varying(5),"),
        "{difference:?}"
    );
    assert!(
        !difference.iter().any(|line| line.contains(" y integer")),
        "{difference:?}"
    );
    let steps = rehearsal["files"][0]["steps"].as_array().unwrap();
    assert_eq!(steps[3]["is_alone"], true);
    assert_eq!(
        steps[2]["comparison"]["lines"][0]["observed"]["is_rewritten"],
        true
    );
    // For people, in eighty columns.
    let run = corridor_on(
        &database,
        &["lint", "--rehearse", "--fail-on", "error", file.path()],
    )
    .run()
    .await;
    for words in [
        "a throwaway cluster",
        "agrees   truncate child",
        "child: access exclusive, rows written anew, rows read",
        "-    note character varying(10)",
    ] {
        assert!(run.stdout.contains(words), "{words}: {}", run.stdout);
    }
    assert_eq!(before, dump(&database.url, 15).await);
}

#[tokio::test]
async fn a_statement_that_fails_is_a_finding_and_ends_the_file() {
    let database = filled("rehearsed_failure").await;
    let file = File::new(
        "fails",
        "set lock_timeout = '2s';
         insert into child (id, parent_id) values (5000, 1);
         select 1;",
    );
    let args = ["lint", "--rehearse", "--json", "--fail-on", "error", file.path()];
    let json = corridor_on(&database, &args).run().await.expect_code(0).json();
    assert_eq!(marks(&json), ["ran", "failed agrees", "not_run"]);
    assert_eq!(codes(&json), ["LNT-907"]);
    let steps = &json["rehearsal"]["files"][0]["steps"];
    assert_eq!(
        (&steps[1]["cause"], &steps[1]["failure"]["sqlstate"]),
        (&"no_rows".into(), &"23503".into())
    );

    let file = File::new(
        "fails2",
        "set lock_timeout = '2s';\nalter table child add column q nowhere.nothing;\n",
    );
    let args = ["lint", "--rehearse", "--json", "--fail-on", "error", file.path()];
    let json = corridor_on(&database, &args).run().await.expect_code(1).json();
    let found = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["rule"]["code"] == "LNT-907")
        .unwrap();
    assert_eq!(
        (
            &found["severity"],
            &found["start"]["line"],
            &found["start"]["column"]
        ),
        (&"error".into(), &2.into(), &32.into())
    );
    assert_eq!(json["rehearsal"]["files"][0]["steps"][1]["cause"], "statement");
    let github = corridor_on(
        &database,
        &["lint", "--rehearse", "--format", "github", file.path()],
    )
    .run()
    .await
    .expect_code(1);
    assert!(
        github.stdout.contains("LNT-907") && github.stdout.contains("line=2"),
        "{}",
        github.stdout
    );
}

#[tokio::test]
async fn without_a_database_it_begins_on_an_empty_one() {
    let file = File::new(
        "empty",
        "set lock_timeout = '2s';
         create table made (id int primary key, a int);
         alter table made add column b int;
         copy made from stdin;
1\t2\t3
\\.
         create role rehearsed_role;
         grant select on made to rehearsed_role;",
    );
    let args = [
        "lint",
        "--rehearse",
        "--json",
        "--pg-version",
        "15",
        "--fail-on",
        "error",
        file.path(),
    ];
    let json = corridor(&args).run().await.expect_code(0).json();
    assert_eq!(marks(&json)[..4], ["ran", "ran agrees", "ran agrees", "not_run"]);
    assert!(
        json["rehearsal"]["server"]
            .as_str()
            .unwrap()
            .starts_with("PostgreSQL 15")
    );
    assert_eq!(json["rehearsal"]["has_statistics"], Value::Null);
}

async fn left(cluster: &Cluster) -> i64 {
    let client = cluster.connect("postgres").await.unwrap();
    let sql = "select (select count(*) from pg_database where datname like 'corridor_rehearsal_%') + (select count(*) from pg_roles where rolname like 'rehearse_only%')";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_given_server_is_left_as_it_was() {
    let database = filled("rehearsed_given").await;
    let client = writer(&database).await;
    client
        .batch_execute("create role rehearse_only_1; alter table child owner to rehearse_only_1; grant select on parent to rehearse_only_1")
        .await
        .unwrap();
    let other = Cluster::start(ClusterOptions::new(15)).await.unwrap();
    let url = other.url("postgres");
    let rehearse = async |file: &File| {
        let args = [
            "lint",
            "--rehearse",
            "--rehearse-on",
            &url,
            "--json",
            "--fail-on",
            "error",
            file.path(),
        ];
        corridor_on(&database, &args).run().await
    };
    let good = File::new(
        "given",
        "set lock_timeout = '2s';\nalter table child add column x int;\ncreate role other_role;\n",
    );
    let json = rehearse(&good).await.expect_code(0).json();
    assert_eq!(marks(&json), ["ran", "ran agrees", "not_run"]);
    assert_eq!(json["rehearsal"]["is_throwaway"], false);
    assert_eq!(left(&other).await, 0);
    let bad = File::new(
        "given_bad",
        "set lock_timeout = '2s';\nalter table nowhere add column x int;\n",
    );
    rehearse(&bad).await.expect_code(1);
    assert_eq!(left(&other).await, 0);

    // A first Ctrl-C, while a statement runs there.
    let long = File::new("given_long", "select pg_sleep(3600);\n");
    let args = ["lint", "--rehearse", "--rehearse-on", &url, long.path()];
    let child = corridor_on(&database, &args).start();
    let watcher = other.connect("postgres").await.unwrap();
    let asleep = "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active' and datname like 'corridor_rehearsal_%'";
    while watcher.query_one(asleep, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(left(&other).await, 2);
    let pid = child.id().unwrap().to_string();
    let sent = tokio::process::Command::new("kill")
        .args(["-s", "INT", &pid])
        .status()
        .await
        .unwrap();
    assert!(sent.success());
    end(child).await.expect_code(130);
    assert_eq!(left(&other).await, 0);
    client
        .batch_execute("drop owned by rehearse_only_1 cascade; drop role rehearse_only_1")
        .await
        .unwrap();
}

#[tokio::test]
async fn what_cannot_be_rehearsed_is_refused() {
    let database = filled("rehearsed_refused").await;
    let file = File::new(
        "refused",
        "set lock_timeout = '2s';\nalter table child add column x int;\n",
    );
    let refused = async |args: &[&str], code: &str| {
        let args: Vec<&str> = [&["lint", "--rehearse", file.path()], args].concat();
        let run = corridor_on(&database, &args).run().await.expect_code(4);
        run.expect_fault(code)
    };
    // The database's own server, and one of another major.
    let own = Cluster::shared(15).await.url("postgres");
    refused(&["--rehearse-on", &own], "LNT-910").await;
    let majors: Vec<u32> = corridor_testbed::Servers::find()
        .into_iter()
        .map(|it| it.major)
        .collect();
    if let Some(major) = majors.iter().find(|major| **major != 15) {
        let other = Cluster::shared(*major).await.url("postgres");
        refused(&["--rehearse-on", &other], "LNT-910").await;
    }
    // A server that is not installed.
    let args = ["lint", "--rehearse", "--pg-version", "42", file.path()];
    let run = corridor(&args).run().await.expect_code(4).expect_fault("LNT-908");
    assert!(
        run.stderr.contains("PostgreSQL 42") && run.stderr.contains("--rehearse-on"),
        "{}",
        run.stderr
    );
    // A table that the role may not read.
    let client = writer(&database).await;
    let role = format!("poor_{}", database.name);
    let make = format!("create role {role} login");
    client.batch_execute(&make).await.unwrap();
    let url = database.url.replace("postgres@", &format!("{role}@"));
    let args = ["lint", "--rehearse", "--database", &url, file.path()];
    let run = corridor(&args).run().await.expect_code(4).expect_fault("LNT-909");
    assert!(run.stderr.contains("permission denied"), "{}", run.stderr);
    client.batch_execute(&format!("drop role {role}")).await.unwrap();
    // Another dialect, and what does not go together.
    corridor(&["lint", "--rehearse", "--dialect", "clickhouse", file.path()])
        .run()
        .await
        .expect_code(2);
    corridor(&["lint", "--rehearse", "--fix", file.path()])
        .run()
        .await
        .expect_code(2);
    corridor(&["lint", "--rehearse-on", &own, file.path()])
        .run()
        .await
        .expect_code(2);
}
