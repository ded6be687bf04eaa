//! `corridor move` without `--execute`: shows everything, changes nothing; and what it refuses.

use corridor_testbed::{Cluster, Database};
use tokio_postgres::Client;

use crate::driver::{corridor_on, database};

const BY_HASH: &[&str] = &["--partition-by", "hash(team_id)", "--partitions", "4"];

/// A database with `ddl` in it, and a session there.
async fn with(label: &str, ddl: &str) -> (Database, Client) {
    let database = database(label).await;
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    client.batch_execute(ddl).await.unwrap();
    (database, client)
}

/// Everything that pg_dump knows of a database, without the lines that are random.
async fn dump(database: &Database) -> String {
    let pg_dump = Cluster::shared(15).await.installation().bin_dir.join("pg_dump");
    let output = tokio::process::Command::new(pg_dump)
        .arg(&database.url)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn movement<'a>(table: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["move", table], more].concat()
}

const PERSONS: &str = "
    create table teams (id bigint primary key);
    create table persons (
        team_id bigint not null references teams, id bigint generated always as identity, email text, region int not null default 1,
        primary key (team_id, id)
    );
    create index persons_email_idx on persons (email);
    create view emails as select email from persons;
    insert into teams select generate_series(1, 10);
    insert into persons (team_id, email) select 1 + i % 10, 'p' || i || '@example.org' from generate_series(1, 1000) i;
    analyze";

#[tokio::test]
async fn a_plan_shows_everything_and_changes_nothing() {
    let (database, client) = with("plan", PERSONS).await;
    let before = dump(&database).await;
    let run = corridor_on(&database, &movement("persons", BY_HASH))
        .run()
        .await
        .expect_code(0);
    for text in [
        "public.persons",
        "persons_email_idx",
        "emails",
        "teams",
        "rollback",
        "ACCESS EXCLUSIVE",
    ] {
        assert!(run.stdout.contains(text), "{text:?} is not in\n{}", run.stdout);
    }
    assert!(
        run.stderr.contains("Nothing was changed") && run.stderr.contains("--execute"),
        "{}",
        run.stderr
    );
    let quiet = corridor_on(&database, &[movement("persons", BY_HASH), vec!["-q"]].concat())
        .run()
        .await
        .expect_code(0);
    assert!(quiet.stderr.is_empty() && !quiet.stdout.is_empty());
    let run = corridor_on(
        &database,
        &[movement("public.persons", BY_HASH), vec!["--json"]].concat(),
    )
    .run()
    .await;
    let value = run.expect_code(0).json();
    assert_eq!(
        (&value["outcome"], &value["is_executable"]),
        (&"planned".into(), &true.into())
    );
    assert_eq!(value["plan"]["partitions"].as_array().unwrap().len(), 4);
    assert_eq!(dump(&database).await, before);
    let schemas: i64 = client
        .query_one(
            "select count(*) from pg_namespace where nspname like 'corridor%'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(schemas, 0);
}

/// The view, the capture, both forms of `finish` and both ways back, with their locks: in the text and as JSON.
#[tokio::test]
async fn a_plan_has_all_that_would_be_done() {
    let (database, client) = with("whole", PERSONS).await;
    client
        .batch_execute("create view taken as select 1 as one")
        .await
        .unwrap();
    let args = [
        movement("persons", BY_HASH),
        vec!["--fallback-view", "old_and_new"],
    ]
    .concat();
    let run = corridor_on(&database, &args).run().await.expect_code(0);
    let flat = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "create view public.old_and_new as select",
        "grant select on public.old_and_new to postgres;",
        "create trigger corridor_capture_n_fwd_old after delete on public.persons",
        "create trigger corridor_capture_n_rev_truncate after truncate on public.persons_p0",
        "set schema corridor_retired;",
        "`finish --drop`, instead: the old table is dropped drop table public.persons__c_old_",
        "drop trigger if exists corridor_capture_n_fwd_key on public.persons;",
        "the tables change places again",
    ] {
        assert!(flat.contains(text), "{text:?} is not in\n{}", run.stdout);
    }
    let (_, back) = flat.split_once("The way back").unwrap();
    let (before, after) = back.split_once("after it, until finish").unwrap();
    assert!(
        before.contains("ACCESS EXCLUSIVE on public.persons, "),
        "{before}"
    );
    assert!(
        after.contains("ACCESS EXCLUSIVE on public.persons and its partitions, "),
        "{after}"
    );
    assert!(after.contains("rename to persons;"), "{after}");
    let value = corridor_on(&database, &[args, vec!["--json"]].concat())
        .run()
        .await
        .expect_code(0)
        .json();
    let plan = &value["plan"];
    for steps in [
        &plan["fallback_view"]["drop"],
        &plan["drop_target"],
        &plan["drop_parked"],
        &value["mirror"]["capture"],
        &value["mirror"]["end_capture"],
        &value["mirror"]["capture_back"],
        &value["mirror"]["end_capture_back"],
    ] {
        for step in steps.as_array().unwrap() {
            assert!(
                step["sql"].is_string() && step["locks"][0]["mode"].is_string(),
                "{step}"
            );
        }
        assert!(!steps.as_array().unwrap().is_empty());
    }
    assert_eq!(plan["clean_up_locks"].as_array().unwrap().len(), 1);
    assert_eq!(plan["finish_locks"].as_array().unwrap().len(), 2);
    for (view, code, exit) in [
        ("taken", "MOV-112", 4),
        ("nowhere.both", "PG-014", 4),
        ("a b", "PG-020", 2),
    ] {
        let args = [movement("persons", BY_HASH), vec!["--fallback-view", view]].concat();
        corridor_on(&database, &args)
            .run()
            .await
            .expect_code(exit)
            .expect_fault(code);
    }
}

#[tokio::test]
async fn a_plan_that_is_refused_is_shown_all_the_same() {
    let (database, _client) = with("refused", PERSONS).await;
    let before = dump(&database).await;
    let by_region = &["--partition-by", "hash(region)", "--partitions", "4"];
    for execute in [&[] as &[&str], &["--execute"]] {
        let args = [movement("persons", by_region), execute.to_vec()].concat();
        let run = corridor_on(&database, &args)
            .run()
            .await
            .expect_code(4)
            .expect_fault("MOV-025");
        assert!(run.stdout.contains("public.persons"), "{}", run.stdout);
        assert!(run.stderr.contains("nothing was changed"), "{}", run.stderr);
        // What is lost is said once, in the plan.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let both = format!("{} {}", flat(&run.stdout), flat(&run.stderr));
        assert_eq!(both.matches("guarantees today").count(), 1, "{both}");
        let args = [args, vec!["--json"]].concat();
        let value = corridor_on(&database, &args).run().await.expect_code(4).json();
        assert_eq!(
            (&value["outcome"], &value["is_executable"]),
            (&"refused".into(), &false.into())
        );
        assert_eq!(value["fault"]["code"], "MOV-025");
        assert_eq!(value["plan"]["refusals"][0]["code"], "MOV-025");
    }
    assert_eq!(dump(&database).await, before);
}

#[tokio::test]
async fn what_is_no_table_to_move_is_refused() {
    let (database, _client) = with(
        "no_table",
        "create table no_key (a int);
         create unlogged table unlogged (a int primary key);
         create view a_view as select 1 as one;
         create table parted (a int primary key) partition by hash (a);
         create table child partition of parted for values with (modulus 1, remainder 0);
         create table deep (a int primary key) partition by hash (a);
         create table deeper partition of deep for values with (modulus 1, remainder 0) partition by hash (a);
         create extension postgres_fdw;
         create server elsewhere foreign data wrapper postgres_fdw;
         create foreign table far (a int) server elsewhere;
         create table ranged (a int primary key, at timestamptz);
         create table personnel (a int primary key)",
    )
    .await;
    let same: &[&str] = &["--same-shape"];
    let by_time: &[&str] = &["--partition-by", "range(at)", "--every", "1 month"];
    let cases: &[(&str, &[&str], &str, i32)] = &[
        ("not_there", same, "PG-014", 4),
        ("\"Quoted\"", same, "PG-014", 4),
        ("", same, "PG-020", 2),
        ("\"open", same, "PG-020", 2),
        ("a.b.c.d", same, "PG-020", 2),
        ("no_key", same, "MOV-018", 4),
        ("unlogged", same, "MOV-012", 4),
        ("a_view", same, "MOV-010", 4),
        ("deep", same, "MOV-016", 4),
        ("child", same, "MOV-015", 4),
        ("far", same, "MOV-013", 4),
        ("pg_catalog.pg_class", same, "MOV-014", 4),
        ("ranged", by_time, "MOV-022", 4),
        ("personnel", BY_HASH, "MOV-002", 2),
    ];
    for (table, shape, code, exit) in cases {
        let run = corridor_on(&database, &movement(table, shape)).run().await;
        let run = run.expect_code(*exit).expect_fault(code);
        assert!(
            run.stderr.contains("nothing was changed"),
            "{table}: {}",
            run.stderr
        );
        let args = [movement(table, shape), vec!["--json", "--execute"]].concat();
        corridor_on(&database, &args)
            .run()
            .await
            .expect_code(*exit)
            .expect_fault(code);
    }
    let run = corridor_on(&database, &movement("personel", same))
        .run()
        .await
        .expect_code(4);
    assert!(
        run.stderr.contains("did you mean public.personnel?"),
        "what comes near is named: {}",
        run.stderr
    );
}

#[tokio::test]
async fn any_name_that_postgresql_takes_is_taken() {
    let long = "é".repeat(31) + "x";
    let names = [
        "Order Items",
        "a\"b",
        "🐘 herd",
        "select",
        long.as_str(),
        "semi;colon--",
    ];
    let ddl: String = names
        .iter()
        .map(|name| {
            format!(
                "create table \"{}\" (id bigint primary key, v text);",
                name.replace('"', "\"\"")
            )
        })
        .collect();
    let (database, _client) = with("names", &ddl).await;
    for name in names {
        let quoted = format!("public.\"{}\"", name.replace('"', "\"\""));
        let shape = &["--partition-by", "hash(id)", "--partitions", "2"];
        let run = corridor_on(&database, &movement(&quoted, shape))
            .run()
            .await
            .expect_code(0);
        assert!(
            run.stdout.contains(name) || run.stdout.contains(&quoted),
            "{}",
            run.stdout
        );
    }
}

#[tokio::test]
async fn a_role_without_rights_gets_the_exact_grants_and_changes_nothing() {
    let (database, client) = with("grants", PERSONS).await;
    client
        .batch_execute("create role visitor_of_plans login")
        .await
        .unwrap();
    let url = database.url.replace("postgres@", "visitor_of_plans@");
    let visitor = Database {
        url,
        name: database.name.clone(),
    };
    let args = [movement("persons", BY_HASH), vec!["--execute"]].concat();
    let run = corridor_on(&visitor, &args).run().await;
    assert_eq!(run.code, 4, "{run:?}");
    let shown = format!("{}{}", run.stdout, run.stderr).to_lowercase();
    assert!(shown.contains("grant"), "{shown}");
    client.batch_execute("drop role visitor_of_plans").await.unwrap();
}

#[tokio::test]
async fn a_read_only_server_is_planned_on_and_not_changed() {
    let (database, client) = with("read_only", PERSONS).await;
    let set = format!(
        "alter database {} set default_transaction_read_only = on",
        database.name
    );
    client.batch_execute(&set).await.unwrap();
    corridor_on(&database, &movement("persons", BY_HASH))
        .run()
        .await
        .expect_code(0);
    let args = [movement("persons", BY_HASH), vec!["--execute"]].concat();
    corridor_on(&database, &args)
        .run()
        .await
        .expect_code(4)
        .expect_fault("PG-008");
}
