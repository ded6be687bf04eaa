//! Materialised views: made anew on the new table, with their data, indexes and readers.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, life, majors};

const SETUP: &str = r#"
    create role ROLE;
    create schema "Other Schema";
    create table teams (id int primary key, name text);
    insert into teams select g, 't' || g from generate_series(0, 6) g;
    create table things (id bigint, team_id int not null, name text, primary key (id, team_id));
    insert into things select g, g % 7, 'n' || g from generate_series(1, 70) g;
    create materialized view per_team with (fillfactor = 90) as
        select things.team_id, t.name, count(*) as n from things join teams t on t.id = team_id group by 1, 2;
    create unique index on per_team (team_id);
    create materialized view "Other Schema"."top 🐘" as
        select p.team_id, (select max(x.id) from things x where x.team_id = p.team_id) as top from per_team p;
    create materialized view empty as select id from things with no data;
    create view over as select p.n, o.id from per_team p join things o using (team_id);
    grant select on per_team to ROLE;
    comment on materialized view per_team is 'how many';
"#;

async fn look(scene: &Scene, stage: Stage) {
    assert_eq!(
        scene.ask("select n from per_team where team_id = 3").await,
        "10",
        "{stage:?}"
    );
    assert_eq!(
        scene
            .ask("select top from \"Other Schema\".\"top 🐘\" where team_id = 3")
            .await,
        "66",
        "{stage:?}"
    );
    assert_eq!(scene.ask("select * from empty").await, "55000", "{stage:?}");
    // It reads the table that has the name, and so do those that read it.
    scene.run("begin; insert into things values (1000, 3, 'new'); refresh materialized view concurrently per_team").await;
    scene
        .run("refresh materialized view \"Other Schema\".\"top 🐘\"")
        .await;
    assert_eq!(
        scene.ask("select n from per_team where team_id = 3").await,
        "11",
        "{stage:?}"
    );
    assert_eq!(
        scene
            .ask("select top from \"Other Schema\".\"top 🐘\" where team_id = 3")
            .await,
        "1000",
        "{stage:?}"
    );
    assert_eq!(
        scene.ask("select n from over where id = 1000").await,
        "11",
        "{stage:?}"
    );
    scene.run("rollback; begin; set local role ROLE").await;
    assert_eq!(scene.ask("select count(*) from per_team").await, "7", "{stage:?}");
    scene.run("rollback").await;
}

#[tokio::test]
async fn materialized_views_are_made_anew_and_filled() {
    for major in majors() {
        for shape in [Shape::Same, hash("team_id", "3")] {
            life(major, "carry_materialized", "things", SETUP, &shape, look).await;
        }
    }
}

/// The server qualifies a name that something of `pg_catalog` hides: such a query cannot be turned to another table.
#[tokio::test]
async fn a_table_with_a_catalogue_name_keeps_its_materialized_view_from_being_carried() {
    let setup = "create table public.pg_class (id int primary key);
        create materialized view m as select count(*) from public.pg_class";
    let mut scene = Scene::new(15, "carry_materialized", "public.pg_class", setup).await;
    let plan = scene.try_plan(&Shape::Same, "t").await.unwrap();
    assert_eq!(plan.check_executable().unwrap_err().code().id, "MOV-034");
}

/// Filled before the swap, when the new table has no policies, it would hold rows that its owner may not see.
#[tokio::test]
async fn a_materialized_view_under_row_security_refuses() {
    let setup = "create role ROLE; create table things (id int primary key, team_id int);
        create policy own on things using (team_id = 1); alter table things enable row level security;
        grant select on things to ROLE; grant create on schema public to ROLE;
        create materialized view m as select count(*) from things; alter materialized view m owner to ROLE";
    let mut scene = Scene::new(15, "carry_narrowed", "things", setup).await;
    let plan = scene.try_plan(&Shape::Same, "t").await.unwrap();
    assert_eq!(plan.check_executable().unwrap_err().code().id, "MOV-034");
    scene.run("alter role ROLE bypassrls").await;
    scene.plan(&Shape::Same, "t").await;
}
