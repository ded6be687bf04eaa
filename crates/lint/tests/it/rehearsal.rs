//! Rehearsals on real servers: what is observed beside what is predicted.

use std::time::Duration;

use corridor_lint::evidence::read::{names, read};
use corridor_lint::facts::{self, Fact};
use corridor_lint::finding::Severity;
use corridor_lint::judge::{Settings, Source};
use corridor_lint::parse;
use corridor_lint::rehearse::clone::{self, Made};
use corridor_lint::rehearse::compare::Mark;
use corridor_lint::rehearse::course::Course;
use corridor_lint::rehearse::dump::{difference, lines};
use corridor_lint::rehearse::prediction::{FactsOf, MEASURED};
use corridor_lint::rehearse::{Played, State, findings, statistics};
use corridor_pg::{ApplicationName, ConnectOptions, Ident, Session};
use corridor_testbed::{Cluster, ClusterOptions, Database, Servers};

use crate::measure::cases;

const BASE: &str = include_str!("../../facts/base.sql");

async fn session(url: &str) -> Session {
    let options = ConnectOptions::from_process(Some(url)).unwrap();
    options
        .connect(&ApplicationName::new("rehearse", "test"))
        .await
        .unwrap()
}

/// Rehearses files on a database as it stands.
async fn play(url: &str, files: &[(&str, &str)], facts_of: FactsOf, is_empty: bool) -> Vec<Played> {
    let (worker, watcher) = (session(url).await, session(url).await);
    let sources: Vec<Source<'_>> = files
        .iter()
        .map(|(path, text)| Source {
            path,
            text,
            config: None,
        })
        .collect();
    let scripts: Vec<_> = files.iter().map(|(_, text)| parse::read(text)).collect();
    let (world, live) = read(&watcher, &names(&scripts)).await.unwrap();
    let settings = Settings {
        major: live.major,
        ..Settings::default()
    };
    let connect = ConnectOptions::from_process(Some(url)).unwrap();
    let course = Course {
        session: &worker,
        watcher: &watcher,
        connect: &connect,
        settings: &settings,
        facts_of,
        limit: Duration::from_secs(60),
        is_given: false,
        is_empty,
        is_utc: true,
        has_gaps: false,
    };
    course.run(&sources, &world).await.unwrap()
}

/// The schema that the facts are measured on, without its rows where they are not wanted, as a template.
async fn template(cluster: &Cluster, has_rows: bool) -> Database {
    let database = cluster.fresh_database("ground").await.unwrap();
    let client = cluster.connect(&database.name).await.unwrap();
    let base: Vec<&str> = BASE
        .lines()
        .filter(|line| has_rows || !line.starts_with("insert"))
        .collect();
    client.batch_execute("create schema ground").await.unwrap();
    let path = format!("alter database \"{}\" set search_path = ground", database.name);
    client.batch_execute(&path).await.unwrap();
    client.batch_execute("set search_path = ground").await.unwrap();
    client.batch_execute(&base.join("\n")).await.unwrap();
    database
}

/// What tables without rows do not show: a failure that takes a row, and scans of a foreign key's query.
const UNSEEN: &[&str] = &[
    "add-column.not-null",
    "add-column.references-default",
    "type.foreign-key-rewritten",
    "add-foreign-key",
    "add-foreign-key.partitioned",
    "validate.foreign-key",
];

/// Every case of the facts, rehearsed where there are rows and where there are none: nothing differs, and what cannot be seen
/// without rows is said to be so.
async fn all_cases_agree(has_rows: bool) {
    let cluster = Cluster::start(ClusterOptions::new(15).setting("autovacuum", "off"))
        .await
        .unwrap();
    let template = template(&cluster, has_rows).await;
    let server = cluster.connect("postgres").await.unwrap();
    let (mut wrong, mut unseen, mut count) = (Vec::new(), Vec::new(), 0);
    // `copy.to` starts a program, which a rehearsal does not.
    let is_quick = std::env::var_os("CORRIDOR_TEST_QUICK").is_some();
    let wanted = cases()
        .into_iter()
        .filter(|case| case.since <= 15 && case.key != "copy.to");
    for case in wanted.step_by(if is_quick { 6 } else { 1 }) {
        let make = format!("create database trial template \"{}\"", template.name);
        server.batch_execute(&make).await.unwrap();
        let path = "alter database trial set search_path = ground";
        server.batch_execute(path).await.unwrap();
        let url = cluster.url("trial");
        let client = cluster.connect("trial").await.unwrap();
        for part in case.before.split(';').filter(|part| !part.trim().is_empty()) {
            client.batch_execute(part).await.unwrap();
        }
        drop(client);
        let begin = if case.key.starts_with("lock-table") {
            "begin;"
        } else {
            ""
        };
        let text = format!("{begin}{};\n{}", case.session, case.sql);
        let played = play(&url, &[("case.sql", &text)], MEASURED, !has_rows).await;
        let step = played[0].steps.last().unwrap();
        let comparison = step.comparison.as_ref();
        let mark = comparison.map(|it| it.mark);
        let expected = facts::of(&case.key, 15).unwrap().failure;
        let failed = match &step.state {
            State::Ran => None,
            State::Failed { failure, .. } => Some(failure.sqlstate.as_str()),
            State::NotRun { why } => Some(*why),
        };
        count += 1;
        let is_unseen = mark == Some(Mark::NotObservable);
        if is_unseen {
            unseen.push(case.key.clone());
        }
        if failed != expected && !(is_unseen && failed.is_none()) {
            wrong.push(format!("{}: ended with {failed:?}: {}", case.key, case.sql));
        }
        if matches!(mark, Some(Mark::Differs | Mark::Unsure)) {
            wrong.push(format!("{}: {}\n{comparison:#?}", case.key, case.sql));
        }
        server
            .batch_execute("drop database trial with (force)")
            .await
            .unwrap();
        server
            .batch_execute("drop database if exists fresh_database_x")
            .await
            .unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let expected: Vec<&str> = UNSEEN.iter().copied().filter(|_| !has_rows).collect();
    if !is_quick {
        assert_eq!(unseen, expected);
    }
    assert!(count > if is_quick { 30 } else { 200 }, "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_cases_of_the_facts_agree_with_their_rehearsal() {
    all_cases_agree(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_cases_of_the_facts_agree_where_there_are_no_rows() {
    all_cases_agree(false).await;
}

/// Facts that are wrong: `create index` takes no lock, `truncate` leaves the rows.
fn falsified(key: &str, major: u32) -> Option<&'static Fact> {
    facts::of(
        if matches!(key, "create-index" | "truncate") {
            "set-default"
        } else {
            key
        },
        major,
    )
}

#[tokio::test]
async fn a_wrong_fact_is_loud() {
    let database = Cluster::shared(15).await.fresh_database("wrong").await.unwrap();
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    client
        .batch_execute("create table t (id int primary key, a int)")
        .await
        .unwrap();
    let file = [(
        "x.sql",
        "create index i on t (a);\ntruncate t;\nalter table t add column b int;\n",
    )];
    let sources = [Source {
        path: file[0].0,
        text: file[0].1,
        config: None,
    }];
    let played = play(&database.url, &file, falsified, true).await;
    let found = findings(&sources, &played, "15");
    let codes: Vec<&str> = found.iter().map(|finding| finding.rule.code.id).collect();
    assert_eq!(codes, ["LNT-906", "LNT-906"], "{found:#?}");
    assert!(found.iter().all(|finding| finding.severity == Severity::Error));
    assert!(
        found[1]
            .what
            .contains("its rows were written anew; predicted: they stay"),
        "{}",
        found[1].what
    );
    for what in ["t predicted", "t observed", "fact", "server", "statement"] {
        assert!(
            found[0].evidence.iter().any(|it| it.name == what),
            "{what}: {:?}",
            found[0].evidence
        );
    }
}

/// Tables of many types, with what the planner asks of each.
const WIDE: &str = "
create extension if not exists btree_gist;
create type mood as enum ('ok', 'sad', 'mad');
create domain age as int check (value > 0);
create table wide (id bigint primary key, n int, v varchar(20), t text collate \"C\", e mood, a age, tags text[], words tsvector,
    d date, b bool, x numeric, addr inet, net cidr, r int4range, u uuid, j jsonb, blank text);
insert into wide select n, n % 50, 'v' || n % 9, 't' || n % 1000, (array['ok', 'sad', 'mad'])[n % 3 + 1]::mood, n % 30 + 1,
    array['a', 'b' || n % 5], to_tsvector('simple', 'word w' || n % 20), date '2020-01-01' + n % 700, n % 4 = 0, n / 7.0,
    ('10.0.' || n % 200 || '.1')::inet, '10.0.0.0/8', int4range(n, n + 5), md5(n::text)::uuid, '{}', null from generate_series(1, 40000) n;
create index wide_lower on wide (lower(v));
create index wide_n on wide (n) where n < 10;
create table part (k int, v int) partition by range (k);
create table part_1 partition of part for values from (0) to (5000);
create table part_2 partition of part default;
insert into part select n, n % 7 from generate_series(1, 12000) n;
create table base (k int); create table child () inherits (base);
insert into base select generate_series(1, 300); insert into child select generate_series(1, 700);
create table tiny (k int); insert into tiny values (1);
create table never (k int);
create view seen as select * from wide where n < 10;
create schema shop authorization ROLE;
create table shop.orders (id bigint generated always as identity primary key, total numeric, twice numeric generated always as (total * 2) stored,
    wide_id bigint references wide);
alter table shop.orders owner to ROLE; grant select on shop.orders to \"ROLE two\"; alter table shop.orders enable row level security;
create policy own on shop.orders to \"ROLE two\" using (total > 0);
alter default privileges in schema shop grant select on tables to \"ROLE two\";
create function shop.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger touch before insert on shop.orders for each row execute function shop.touch();
create materialized view shop.sums as select wide_id, sum(total) from shop.orders group by 1;
create materialized view shop.more as select * from shop.sums; create unique index on shop.sums (wide_id);
create publication paper for table shop.orders;
alter table tiny add exclude using gist (k with =);
analyze wide, part, part_1, part_2, base, child, tiny;
";

const QUESTIONS: &[&str] = &[
    "select from wide",
    "select from wide where n = 7",
    "select from wide where n < 20",
    "select from wide where v = 'v3'",
    "select from wide where lower(v) = 'v3'",
    "select from wide where t > 't5'",
    "select from wide where e = 'sad'",
    "select from wide where a < 10",
    "select from wide where tags @> array['b2']",
    "select from wide where words @@ 'w3'::tsquery",
    "select from wide where d between '2020-03-01' and '2020-04-01'",
    "select from wide where b",
    "select from wide where x < 100",
    "select from wide where addr < '10.0.50.0'",
    "select from wide where net = '10.0.0.0/8'",
    "select from wide where id < 1000",
    "select from wide where blank is not null",
    "select from wide group by n",
    "select from wide w join part p on p.k = w.n",
    "select from part where k = 6000",
    "select from part where v = 3",
    "select from base where k < 100",
    "select from seen",
    "select from tiny",
];

async fn estimates(client: &tokio_postgres::Client) -> Vec<String> {
    let mut found = Vec::new();
    for question in QUESTIONS {
        // Of the top, and of what is read: the way there may differ.
        let plan = client.query(&format!("explain {question}"), &[]).await.unwrap();
        let top: String = plan[0].get(0);
        let rows = top
            .split("rows=")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .to_owned();
        found.push(format!("{question}: {rows}"));
    }
    found
}

/// The schema of a database, by the server's own `pg_dump` where there is one.
async fn dump(url: &str, major: u32) -> String {
    let own = Servers::major(major).unwrap().program("pg_dump");
    let program = own.or_else(|| Servers::client("pg_dump")).unwrap();
    let output = tokio::process::Command::new(program)
        .args(["--schema-only", url])
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn a_clone_is_planned_alike(major: u32) {
    let source = Cluster::shared(major).await.fresh_database("wide").await.unwrap();
    let client = corridor_testbed::cluster::connect(&source.url).await.unwrap();
    let roles = format!("create role {0}; create role \"{0} two\";", source.name);
    // From now on who would write there is refused.
    let shut = format!(
        "alter database {} set default_transaction_read_only = on",
        source.name
    );
    let wide = format!("{roles}{}{shut}", WIDE.replace("ROLE", &source.name));
    client.batch_execute(&wide).await.unwrap();
    let before = lines(&dump(&source.url, major).await);
    let cluster = Cluster::start(ClusterOptions::new(major).setting("autovacuum", "off"))
        .await
        .unwrap();
    let origin = clone::look(&*session(&source.url).await).await.unwrap();
    let mut made = Made::default();
    let server = session(&cluster.url("postgres")).await;
    let name = Ident::new("copy").unwrap();
    clone::found(&server, &name, Some(&origin), false, &mut made)
        .await
        .unwrap();
    let copy = session(&cluster.url("copy")).await;
    clone::fill(&copy, &origin, &dump(&source.url, major).await, &mut made)
        .await
        .unwrap();
    assert_eq!(made.notes, Vec::<String>::new());
    statistics::write(&copy, major, &origin.statistics, true)
        .await
        .unwrap()
        .unwrap();
    for (file, pages) in statistics::heap_files(&copy).await.unwrap() {
        cluster.lengthen(&file, pages * 8_192).unwrap();
    }
    let clone = cluster.connect("copy").await.unwrap();
    assert_eq!(estimates(&client).await, estimates(&clone).await, "{major}");
    let there = lines(&dump(&cluster.url("copy"), major).await);
    assert_eq!(difference(&before, &there), Vec::<String>::new());
    assert_eq!(before, lines(&dump(&source.url, major).await));
    // No row has come along.
    let rows: i64 = clone
        .query_one("select count(*) from wide", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_planner_expects_of_a_clone_what_it_expects_of_its_source() {
    let majors: &[u32] = match std::env::var_os("CORRIDOR_TEST_QUICK") {
        Some(_) => &[15],
        None => &[14, 15, 16, 17, 18],
    };
    for major in majors {
        a_clone_is_planned_alike(*major).await;
    }
}

/// Each runner's transaction, once: where there is one, a failure takes back what stood before it.
#[tokio::test]
async fn a_file_runs_in_the_transaction_of_its_runner() {
    let cases = [
        ("x.sql", "", false),
        ("V1__a.sql", "", true),
        ("1_a.up.sql", "", true),
        ("migrations/1_a.sql", "", true),
        ("migrations/1_a.sql", "-- no-transaction\n", false),
        ("1_a/up.sql", "", true),
        ("1_a/migration.sql", "", true),
        ("a.sql", "-- migrate:up\n", true),
        ("a.sql", "-- migrate:up transaction:false\n", false),
        ("a.sql", "-- +goose Up\n", true),
        ("a.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n", false),
        ("a.sql", "BEGIN;\n--\n-- Create model A\n--\n", true),
        (
            "a.sql",
            "BEGIN;\n-- Running upgrade  -> ab\nselect 'alembic_version';\n",
            true,
        ),
    ];
    let cluster = Cluster::shared(15).await;
    for (path, head, takes_back) in cases {
        let database = cluster.fresh_database("runner").await.unwrap();
        let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
        let text = format!(
            "{head}create table first_one (a int);\nalter table nowhere add column b int;\nselect 1;\n"
        );
        let played = play(
            &database.url,
            &[(path, &text), ("later.sql", "select 2;")],
            MEASURED,
            true,
        )
        .await;
        let there: bool = client
            .query_one("select to_regclass('first_one') is not null", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(there, !takes_back, "{path} {head}");
        let words: Vec<&str> = played
            .iter()
            .flat_map(|file| file.steps.iter().rev().take(3).rev())
            .map(|step| match &step.state {
                State::Ran => "ran",
                State::Failed { .. } => "failed",
                State::NotRun { .. } => "not run",
            })
            .collect();
        assert_eq!(words, ["ran", "failed", "not run", "not run"], "{path} {head}");
        // One that cannot be in a transaction is refused in that of a runner, and only there.
        let text = format!(
            "{head}create table second_one (a int);\ncreate index concurrently i on second_one (a);\n"
        );
        if !head.starts_with("BEGIN") && path != "V1__a.sql" {
            let played = play(&database.url, &[(path, &text)], MEASURED, true).await;
            let step = played[0].steps.last().unwrap();
            let is_refused =
                matches!(&step.state, State::Failed { failure, .. } if failure.sqlstate == "25001");
            assert_eq!(is_refused, takes_back, "{path} {head}: {:?}", step.state);
            assert_eq!(step.comparison.as_ref().unwrap().mark, Mark::Agrees, "{path}");
        }
    }
}

/// What rehearsals have shown of lint itself, and was mended.
#[tokio::test]
async fn what_rehearsals_found_agrees_now() {
    let database = Cluster::shared(15).await.fresh_database("found").await.unwrap();
    let text = "create schema shop;
        create table shop.p (k int) partition by range (k);
        create table shop.rest (k int);
        create table shop.zero partition of shop.p for values from (0) to (1);
        alter table shop.p attach partition shop.rest default;
        create table shop.one partition of shop.p for values from (1) to (2);
        create table parent (id int primary key, code varchar(5) unique);
        create table child (id serial primary key, parent_id int references parent, code varchar(5) references parent (code));
        alter table child alter column parent_id type bigint;
        alter table child alter column code type varchar(9);
        alter table child alter column id set not null;
        create domain small as int check (value < 9);
        alter table child add column s small;
        create view seen as select id from child;
        create or replace view seen as select id from child;
        create index by_k on shop.p (k);
        drop index shop.by_k;";
    let played = play(&database.url, &[("x.sql", text)], MEASURED, true).await;
    for step in &played[0].steps {
        let said = &text[step.span.clone()];
        assert!(matches!(step.state, State::Ran), "{said}: {:?}", step.state);
        let mark = step.comparison.as_ref().unwrap().mark;
        assert!(
            matches!(mark, Mark::Agrees | Mark::NotObservable),
            "{said}: {:#?}",
            step.comparison
        );
    }
    // How a transaction is isolated is said before anything is asked in it.
    let text = "set transaction isolation level serializable; alter table child add column u int;";
    let played = play(&database.url, &[("V9__z.sql", text)], MEASURED, true).await;
    assert!(
        played[0]
            .steps
            .iter()
            .all(|step| matches!(step.state, State::Ran)),
        "{played:#?}"
    );
    // And with what the database says instead of the file.
    let text = "alter table child alter column parent_id type int;
        alter table child add column t small;
        create or replace view seen as select id from child;
        create table shop.two partition of shop.p for values from (2) to (3);";
    let played = play(&database.url, &[("y.sql", text)], MEASURED, true).await;
    for step in &played[0].steps {
        let mark = step.comparison.as_ref().unwrap().mark;
        assert!(matches!(mark, Mark::Agrees | Mark::NotObservable), "{:#?}", step);
    }
}
