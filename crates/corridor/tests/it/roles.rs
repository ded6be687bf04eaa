//! The whole life of a move under a role that was given what `corridor grants` prints, and nothing else.

use std::process::Stdio;

use corridor_testbed::traffic::{Mix, Table, Traffic, TrafficOptions};
use corridor_testbed::{Cluster, Database, Servers};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio_postgres::Client;

use crate::driver::{Run, corridor, corridor_on};

const ROWS: u64 = 1_000;

fn majors() -> &'static [u32] {
    match std::env::var_os("CORRIDOR_TEST_QUICK") {
        Some(_) => &[15],
        None => &[14, 15, 16, 17, 18],
    }
}

/// A database where everything belongs to roles of its own, and nothing is allowed that was not granted.
struct Office {
    database: Database,
    admin: Client,
    /// What its roles begin with.
    stem: String,
}

impl Office {
    async fn open(major: u32) -> Office {
        let cluster = Cluster::shared(major).await;
        let database = cluster.fresh_database("office").await.unwrap();
        Table::persons("persons", ROWS)
            .create(&database.url)
            .await
            .unwrap();
        let admin = corridor_testbed::cluster::connect(&database.url).await.unwrap();
        let stem = database.name.clone();
        let setup = include_str!("roles.sql")
            .replace("ROLE", &stem)
            .replace("DATABASE", &database.name);
        admin.batch_execute(&setup).await.unwrap();
        Office {
            database,
            admin,
            stem,
        }
    }

    fn role(&self, part: &str) -> String {
        format!("{}_{part}", self.stem)
    }

    fn url_of(&self, part: &str) -> String {
        self.database
            .url
            .replace("postgres@", &format!("{}@", self.role(part)))
    }

    /// As the superuser.
    async fn admin(&self, args: &[&str]) -> Run {
        corridor_on(&self.database, args).run().await
    }

    /// As the role that does the work.
    async fn mover(&self, args: &[&str]) -> Run {
        corridor(&[args, &["--database", &self.url_of("mover")]].concat())
            .run()
            .await
    }

    async fn ask(&self, sql: &str) -> String {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Runs a script as psql does, as the superuser; whatever is wrong with it ends it.
    async fn psql(&self, script: &str) {
        let program = Servers::client("psql").expect("psql is missing; script/setup installs it");
        let mut child = Command::new(program)
            .args([
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-f",
                "-",
                "-d",
                &self.database.url,
            ])
            // A second membership is worth a notice to the server.
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(script.as_bytes()).await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}\n{script}");
    }

    async fn missing(&self) -> Vec<String> {
        let args = [
            "grants",
            "persons",
            "--role",
            &self.role("mover"),
            "--missing",
            "--json",
        ];
        let found = self.admin(&args).await.expect_code(0).json();
        let grants = found["grants"].as_array().unwrap();
        grants
            .iter()
            .map(|grant| grant["statement"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn live(major: u32) {
    let office = Office::open(major).await;
    let mover = office.role("mover");
    // Without them the plan refuses.
    office
        .mover(&["move", "persons", "--same-shape"])
        .await
        .expect_code(4)
        .expect_fault("MOV-021");
    let before = office.missing().await;
    assert!(before.len() >= 8, "{before:?}");
    let script = office
        .admin(&["grants", "persons", "--role", &mover])
        .await
        .expect_code(0);
    // There is no table of a superuser, so nobody loses anything to the role.
    assert!(!script.stdout.contains(" owner to "), "{}", script.stdout);
    office.psql(&script.stdout).await;
    assert_eq!(office.missing().await, [""; 0], "{major}");
    // Once more does no harm.
    office.psql(&script.stdout).await;
    let is_super = format!("select (rolsuper or rolbypassrls)::text from pg_roles where rolname = '{mover}'");
    assert_eq!(office.ask(&is_super).await, "false");

    // The application's role has what it had.
    let options = TrafficOptions {
        clients: 2,
        mix: Mix::ingestion(),
        rate_per_s: Some(100.0),
        ..TrafficOptions::new(Table::persons("persons", ROWS))
    };
    let traffic = Traffic::start(&office.url_of("app"), options).await.unwrap();

    let shape = ["--partition-by", "hash(team_id)", "--partitions", "3"];
    let execute = |more: &[&'static str]| [&["move", "persons", "--execute"], &shape[..], more].concat();
    let there: &[&[&str]] = &[
        &["verify", "persons"],
        &["cutover", "persons"],
        &["verify", "persons"],
        &["rollback", "persons"],
    ];
    office.mover(&execute(&[])).await.expect_code(5);
    for args in there {
        office.mover(args).await.expect_code(0);
    }
    office.mover(&execute(&["--auto-cutover"])).await.expect_code(5);
    office.mover(&["finish", "persons-2"]).await.expect_code(0);
    office
        .mover(&[
            "move",
            "persons",
            "--unpartitioned",
            "--execute",
            "--auto-cutover",
        ])
        .await
        .expect_code(5);
    office
        .mover(&["finish", "persons-3", "--drop"])
        .await
        .expect_code(0);

    let ledger = traffic.stop().await.unwrap();
    assert!(ledger.errors.is_empty(), "{major}: {:?}", ledger.errors);
    let comparison = ledger.compare(&office.database.url, "persons").await.unwrap();
    assert!(comparison.is_exact(), "{major}: {comparison}");
    // Everything belongs to whom it belonged to before.
    let owners = "select string_agg(format('%s %s', relname, relowner::regrole), ', ' order by relname) from pg_class \
                  where relname in ('persons', 'visits', 'teams', 'names')";
    assert_eq!(
        office.ask(owners).await,
        format!(
            "names {0}_viewer, persons {0}_owner, teams {0}_parent, visits {0}_owner",
            office.stem
        ),
        "{major}"
    );
    office
        .admin
        .batch_execute(&format!(
            "set role {}; insert into persons (team_id, id, uuid, properties) values (7, -1, gen_random_uuid(), '{{}}'); \
             select count(*) from views.names; reset role",
            office.role("app")
        ))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_enough_for_a_whole_life_on_every_major() {
    for major in majors() {
        live(*major).await;
    }
}

/// A grant less, and the plan says which one.
#[tokio::test]
async fn each_grant_that_is_printed_is_needed() {
    let office = Office::open(15).await;
    let mover = office.role("mover");
    for grant in office.missing().await {
        office.admin.batch_execute(&grant).await.unwrap();
    }
    assert_eq!(office.missing().await, [""; 0]);
    let taken = [
        format!("revoke pg_read_all_stats from {mover}"),
        format!("revoke create on database {} from {mover}", office.database.name),
        format!("revoke {} from {mover}", office.role("viewer")),
    ];
    for revoke in taken {
        office.admin.batch_execute(&revoke).await.unwrap();
        let missing = office.missing().await;
        let [grant] = missing.as_slice() else {
            panic!("{revoke}: {missing:?}");
        };
        assert_eq!(
            *grant,
            revoke.replace("revoke", "grant").replace(" from ", " to ")
        );
        let plan = office
            .mover(&["move", "persons", "--same-shape", "--json"])
            .await
            .expect_code(4);
        let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
        assert_eq!(
            plan["plan"]["missing_grants"],
            serde_json::json!([grant]),
            "{plan}"
        );
        office.admin.batch_execute(grant).await.unwrap();
    }
}

#[tokio::test]
async fn memberships_that_give_nothing_are_found() {
    let majors: &[u32] = if majors().len() == 1 { &[15] } else { &[15, 16] };
    for major in majors {
        let office = Office::open(*major).await;
        let mover = office.role("mover");
        let owner = office.role("owner");
        // A member that does not inherit: the grants must say more.
        office
            .admin
            .batch_execute(&format!("alter role {mover} noinherit; grant {owner} to {mover}"))
            .await
            .unwrap();
        let missing = office.missing().await;
        let wanted = match major {
            15 => format!("alter role {mover} inherit"),
            _ => format!("grant {owner} to {mover} with inherit true, set true"),
        };
        assert!(missing.contains(&wanted), "{major}: {missing:?}");
        for grant in &missing {
            office.admin.batch_execute(grant).await.unwrap();
        }
        assert_eq!(office.missing().await, [""; 0], "{major}");
        office
            .mover(&["move", "persons", "--same-shape"])
            .await
            .expect_code(0);
    }
}

#[tokio::test]
async fn without_a_table_it_is_what_every_move_needs_and_unknown_names_are_said() {
    let office = Office::open(15).await;
    let mover = office.role("mover");
    let run = office.admin(&["grants", "--role", &mover]).await.expect_code(0);
    let statements: Vec<&str> = run
        .stdout
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with("--"))
        .collect();
    assert_eq!(
        statements,
        [
            format!("grant temporary on database {} to {mover};", office.database.name),
            format!("grant create on database {} to {mover};", office.database.name),
            format!("grant pg_read_all_stats to {mover};"),
        ]
    );
    // A superuser needs nothing; one's own role is the default.
    let run = office.admin(&["grants", "persons"]).await.expect_code(0);
    assert!(run.stdout.contains("is a superuser"), "{}", run.stdout);
    assert!(
        run.stdout.lines().all(|l| l.is_empty() || l.starts_with("--")),
        "{}",
        run.stdout
    );
    let run = office
        .admin(&["grants", "persons", "--missing", "--json"])
        .await
        .expect_code(0)
        .json();
    assert_eq!(
        (&run["role"], &run["grants"]),
        (&"postgres".into(), &serde_json::json!([]))
    );
    let run = office
        .admin(&["grants", "--role", &mover.replace("mover", "moever")])
        .await;
    let run = run.expect_code(4).expect_fault("PG-014");
    assert!(run.stderr.contains("did you mean"), "{}", run.stderr);
    office
        .admin(&["grants", "person"])
        .await
        .expect_code(4)
        .expect_fault("PG-014");
}
