//! Views.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, life, majors};

fn setup(major: u32) -> String {
    let invoker = if major >= 15 {
        "security_invoker = true, "
    } else {
        ""
    };
    format!(
        r#"
        create role ROLE;
        create role ROLE_reader;
        create schema "Other Schema";
        create table teams (id int primary key, name text);
        insert into teams select g, 't' || g from generate_series(0, 6) g;
        create table things (id int primary key, team_id int not null default 1, name text);
        insert into things select g, g % 7, 'n' || g from generate_series(1, 50) g;
        create view plain as select * from things;
        create view "Other Schema"."joined 🐘" with ({invoker}security_barrier = true) as
            select t.name as team, p.name as "Person", p.*::text as whole from things p join teams t on t.id = p.team_id;
        create view guarded as select id, name from things where id > 10 with cascaded check option;
        create view on_view as select count(*) as n from plain;
        create view grouped as select id, name, count(*) over () from things group by id;
        create recursive view up (n) as select 1 union all select n + 1 from up where n < (select count(*) from things);
        alter view guarded alter column name set default 'dflt';
        alter view guarded owner to ROLE;
        grant select, insert on things to ROLE;
        grant select on plain to ROLE_reader;
        comment on view plain is 'all of it';
        comment on column plain.name is 'the name';
        "#
    )
}

async fn look(scene: &Scene, stage: Stage) {
    // Every view reads the table that has the name: a row put there is seen.
    scene
        .run("begin; insert into things values (1000, 3, 'new')")
        .await;
    assert_eq!(
        scene.ask("select name from plain where id = 1000").await,
        "new",
        "{stage:?}"
    );
    assert_eq!(scene.ask("select n from on_view").await, "51", "{stage:?}");
    assert_eq!(scene.ask("select count(*) from grouped").await, "51", "{stage:?}");
    assert_eq!(scene.ask("select count(*) from up").await, "51", "{stage:?}");
    assert_eq!(
        scene
            .ask("select count(*) from \"Other Schema\".\"joined 🐘\" where \"Person\" = 'new'")
            .await,
        "1"
    );
    assert_eq!(
        scene
            .ask("insert into guarded values (2000) returning name")
            .await,
        "dflt",
        "{stage:?}"
    );
    assert_eq!(
        scene.ask("insert into guarded values (-2, 'x')").await,
        "44000",
        "{stage:?}"
    );
    scene.run("rollback").await;
    assert_eq!(
        scene
            .ask("select has_table_privilege('ROLE_reader', 'plain', 'select')")
            .await,
        "t",
        "{stage:?}"
    );
}

#[tokio::test]
async fn views_read_the_table_that_has_the_name() {
    for major in majors() {
        life(
            major,
            "carry_view",
            "things",
            &setup(major),
            &hash("id", "3"),
            look,
        )
        .await;
        life(
            major,
            "carry_view_same",
            "things",
            &setup(major),
            &Shape::Same,
            look,
        )
        .await;
    }
}

/// A view that groups by the primary key leans on it; widened, the key would not carry it any more.
#[tokio::test]
async fn a_view_that_leans_on_a_widened_key_refuses() {
    for major in majors() {
        let mut scene = Scene::new(major, "view_widened", "things", &setup(major)).await;
        let plan = scene.try_plan(&hash("team_id", "3"), "t").await.unwrap();
        let refusals: Vec<_> = plan.refusals.iter().map(|r| r.code.as_str()).collect();
        assert_eq!(refusals, ["MOV-044"], "{:?}", plan.refusals);
    }
}

#[tokio::test]
async fn a_view_over_only_the_table_refuses_for_partitions() {
    let setup = "create table things (id int primary key); create view o as select id from only things;";
    for major in majors() {
        let mut scene = Scene::new(major, "view_only", "things", setup).await;
        assert_eq!(
            scene.try_plan(&hash("id", "3"), "t").await.unwrap().refusals[0].code,
            "MOV-044"
        );
        assert_eq!(scene.try_plan(&Shape::Same, "t").await.unwrap().refusals, []);
    }
}

/// A reader of a view holds the view's lock while it waits for the table's. Were the view locked after the table, every
/// reader that comes in between would be a deadlock, and a busy view would never let the swap through.
#[tokio::test]
async fn a_reader_that_comes_in_between_is_no_deadlock() {
    for major in majors() {
        let mut scene = Scene::new(major, "view_reader", "things", &setup(major)).await;
        let plan = scene.plan(&hash("id", "3"), "t").await;
        scene.create(&plan).await;
        let reader = Scene::session(&scene.database.url).await;
        let pid = reader.backend_pid();
        let watcher = Scene::session(&scene.database.url).await;
        let tx = scene
            .session
            .begin(corridor_pg::Isolation::ReadCommitted)
            .await
            .unwrap();
        tx.batch_execute("set local lock_timeout = '3s'").await.unwrap();
        for step in &plan.swap_first {
            tx.batch_execute(&step.sql).await.unwrap();
        }
        let wanted: Vec<_> = plan
            .swap_locks
            .iter()
            .map(|l| (l.relation.clone(), l.mode))
            .collect();
        corridor_pg::lock_budget::lock_tables(&tx, &wanted, 3_000)
            .await
            .unwrap();
        let read = tokio::spawn(async move {
            reader
                .query_one("select count(*) from public.plain", &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
        });
        let waiting = "select count(*) from pg_locks where pid = $1 and not granted";
        while watcher
            .query_one(waiting, &[&pid])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 0
        {
            tokio::task::yield_now().await;
        }
        for step in &plan.swap {
            tx.batch_execute(&step.sql)
                .await
                .unwrap_or_else(|e| panic!("{major}: {}: {e:?}", step.sql));
        }
        tx.commit().await.unwrap();
        assert_eq!(read.await.unwrap(), 50, "{major}");
    }
}
