//! Bad input: what cannot be moved is refused with its own code, and nothing is changed.

use corridor_move::Shape;
use corridor_move::plan::plan;
use corridor_move::preflight::{Request, read};

use crate::scene::{Scene, hash, majors};

/// The code of the fault, or of the first refusal.
async fn code(scene: &mut Scene, shape: &Shape) -> String {
    match scene.try_plan(shape, "t").await {
        Ok(plan) => match plan.check_executable() {
            Ok(()) => "executable".into(),
            Err(fault) => fault.code().id.into(),
        },
        Err(fault) => fault.code().id.into(),
    }
}

#[tokio::test]
async fn what_is_no_ordinary_table_refuses() {
    let setup = "
        create table plain (id int primary key);
        create view v as select 1 as id;
        create materialized view m as select 1 as id;
        create sequence s;
        create index i on plain (id);
        create type ty as (a int);
        create unlogged table u (id int primary key);
        create table part (id int primary key) partition by range (id);
        create table part_one partition of part for values from (0) to (10);
        create table parts (id int primary key) partition by range (id);
        create table parts_one partition of parts for values from (0) to (10) partition by range (id);
        create table parent (id int primary key);
        create table child () inherits (parent);
        create table typed of ty (a primary key);
        create foreign data wrapper nothing;
        create server nowhere foreign data wrapper nothing;
        create foreign table ft (id int) server nowhere;
        create table keyless (id int);
    ";
    let cases = [
        ("plain", "executable"),
        ("missing", "PG-014"),
        ("other.plain", "PG-014"),
        ("a b", "PG-020"),
        ("v", "MOV-010"),
        ("m", "MOV-010"),
        ("s", "MOV-010"),
        ("i", "MOV-010"),
        ("ty", "MOV-010"),
        ("u", "MOV-012"),
        ("ft", "MOV-013"),
        ("pg_catalog.pg_class", "MOV-014"),
        ("information_schema.tables", "MOV-014"),
        ("part_one", "MOV-015"),
        ("part", "executable"),
        ("parts", "MOV-016"),
        ("parent", "MOV-017"),
        ("child", "MOV-017"),
        ("typed", "MOV-020"),
        ("keyless", "MOV-018"),
    ];
    for major in majors() {
        let mut scene = Scene::new(major, "refused_kind", "plain", setup).await;
        let before = scene.inventory().await;
        for (table, expected) in cases {
            scene.table = table.to_owned();
            assert_eq!(code(&mut scene, &Shape::Same).await, expected, "{major}: {table}");
        }
        // A temporary table of another session can be named by its schema only.
        scene.run("create temporary table tmp (id int primary key)").await;
        let schema = scene
            .ask("select relnamespace::regnamespace from pg_class where relname = 'tmp'")
            .await;
        scene.table = format!("{schema}.tmp");
        assert_eq!(code(&mut scene, &Shape::Same).await, "MOV-011", "{major}");
        scene.run("drop table tmp").await;
        assert_eq!(scene.inventory().await, before, "{major}");
    }
}

#[tokio::test]
async fn what_hangs_on_a_table_and_is_not_carried_refuses() {
    let base = "create table things (id int primary key, a int, r int4range);
                create function f() returns trigger language plpgsql as $$ begin return new; end $$;";
    let cases = [
        ("create publication pub for table things", "MOV-031"),
        ("create publication pub for all tables", "MOV-031"),
        ("create table other (t things)", "MOV-035"),
        (
            "create function g(things[]) returns int language sql as 'select 1'",
            "MOV-035",
        ),
        ("alter table things add exclude using gist (r with &&)", "MOV-038"),
        (
            "create table other (o regclass default 'things'::regclass)",
            "MOV-040",
        ),
        (
            "create trigger t after insert on things referencing new table as n for each row execute function f()",
            "MOV-041",
        ),
        ("alter table things add check (things is not null)", "MOV-048"),
        (
            "create function h(things) returns int language sql immutable as 'select 1'; create index x on things (h(things))",
            "MOV-035",
        ),
        ("create temporary view tv as select * from things", "MOV-044"),
        ("create view tv as select things from things", "MOV-044"),
        (
            "alter table things alter a set not null; create unique index u on things (a); alter table things replica identity using index u",
            "executable",
        ),
        (
            "create trigger corridor_capture_9_fwd_new after insert on things for each row execute function f()",
            "MOV-019",
        ),
        (
            "alter table things add column o oid; create index concurrently x on things (a)",
            "executable",
        ),
    ];
    for major in majors() {
        for (sql, expected) in cases {
            let mut scene = Scene::new(major, "refused_hang", "things", base).await;
            for statement in sql.split("; ") {
                scene.run(statement).await;
            }
            assert_eq!(
                code(&mut scene, &hash("id", "2")).await,
                expected,
                "{major}: {sql}"
            );
        }
    }
    for major in majors().into_iter().filter(|m| *m >= 15) {
        let mut scene = Scene::new(major, "refused_hang", "things", base).await;
        scene
            .run("create publication pub for tables in schema public")
            .await;
        let plan = scene.try_plan(&Shape::Same, "t").await.unwrap();
        assert_eq!(
            plan.refusals[0].detail,
            "publication pub contains it by its schema"
        );
    }
    for major in majors().into_iter().filter(|m| *m >= 18) {
        let setup = "create extension btree_gist;
                     create table things (id int, p int4range, primary key (id, p without overlaps), u int not null unique);";
        let mut scene = Scene::new(major, "refused_hang", "things", setup).await;
        assert_eq!(code(&mut scene, &Shape::Same).await, "executable");
        assert_eq!(code(&mut scene, &hash("u", "2")).await, "MOV-045");
    }
}

#[tokio::test]
async fn an_invalid_index_refuses() {
    for major in majors() {
        let setup =
            "create table things (id int primary key, a int); insert into things values (1, 1), (2, 1);";
        let mut scene = Scene::new(major, "refused_invalid", "things", setup).await;
        assert_eq!(
            scene
                .ask("create unique index concurrently broken on things (a)")
                .await,
            "23505"
        );
        assert_eq!(code(&mut scene, &Shape::Same).await, "MOV-045", "{major}");
    }
}

/// Every privilege that is missing is printed as the statement that gives it; when all of them are run the plan can be
/// carried out by that role.
#[tokio::test]
async fn missing_privileges_are_listed_and_enough() {
    let setup = r#"
        create role ROLE_boss;
        create role "ROLE Mover" login;
        create schema app authorization ROLE_boss;
        create schema views authorization ROLE_boss;
        create role ROLE_viewer;
        grant usage on schema app to ROLE_viewer;
        create type app.mood as enum ('good');
        revoke usage on type app.mood from public;
        create table app.teams (id int primary key);
        insert into app.teams values (1);
        create function app.touch() returns trigger language plpgsql as $$ begin return new; end $$;
        revoke execute on function app.touch() from public;
        create table app.things (id int primary key, team_id int references app.teams, m app.mood);
        insert into app.things values (1, 1, 'good');
        create trigger touch before update on app.things for each row execute function app.touch();
        create table app.pets (thing_id int references app.things);
        create view views.v as select id from app.things;
        alter table app.things owner to ROLE_boss;
        alter table app.pets owner to ROLE_boss;
        alter view views.v owner to ROLE_viewer;
        grant select, references on app.things to ROLE_viewer;
        grant usage on type app.mood to ROLE_boss;
    "#;
    for major in majors() {
        let mut scene = Scene::new(major, "grants", "app.things", setup).await;
        let mover = format!("{} Mover", scene.database.name);
        let as_mover = format!("set session authorization \"{mover}\"");
        scene.session.batch_execute(&as_mover).await.unwrap();
        let request = Request {
            table: "app.things".into(),
            shape: hash("id", "2"),
            tag: "t".into(),
            accepts_key_widening: false,
            accepts_partition_settings: false,
        };
        // The superuser reads the rows; the role that is asked about is the session's.
        let input = read(&mut scene.session, &request).await.unwrap();
        let made = plan(&input).unwrap();
        assert_eq!(made.check_executable().unwrap_err().code().id, "MOV-021");
        let grants = made.missing_grants.join("\n");
        for part in [
            "_boss to \"",
            "_viewer to \"",
            "grant create on database",
            "grant create on schema views to",
            "grant usage on schema app to",
            "grant execute on function app.touch() to",
            "grant references on table app.teams to",
        ] {
            assert!(grants.contains(part), "{major}: {part} is not in\n{grants}");
        }
        // Some are included in others (membership of the owner): all of them together must do, in this order.
        for grant in &made.missing_grants {
            scene.run(grant).await;
        }
        let again = scene.plan(&hash("id", "2"), "t").await;
        scene.create(&again).await;
        scene.swap(&again).await;
        scene.swap_back(&again).await;
        scene.swap(&again).await;
        scene.retire(&again).await;
        let owner = scene
            .ask("select relowner::regrole from pg_class where oid = 'app.things'::regclass")
            .await;
        assert_eq!(owner, format!("{}_boss", scene.database.name), "{major}");
    }
}
