//! Policies, rules, functions with SQL bodies, extended statistics: what they do before a move, they do after it.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, life, majors};

const SETUP: &str = "
    create role ROLE;
    create table teams (id int primary key, name text);
    insert into teams select g, 't' || g from generate_series(0, 6) g;
    create table things (id bigint, team_id int not null, note text, primary key (id, team_id));
    insert into things select g, g % 7, null from generate_series(1, 200) g;
    grant select, insert on things to ROLE;
    grant select on teams to ROLE;
    create policy own on things to ROLE using (team_id = 3)
        with check (team_id = 3);
    alter table things enable row level security;
    create policy seen on teams for select to ROLE using (id in (select team_id from things));
    alter table teams enable row level security;
    create table log (id bigint);
    create rule keep as on delete to things where (old.id = 1) do instead insert into log values (old.id);
    create rule from_log as on update to log do instead delete from things where id = new.id;
    create function how_many(int) returns bigint language sql begin atomic
        select count(*) from things where team_id = $1; end;
    create statistics stat on id, team_id from things;
    alter statistics stat set statistics 1000;
    analyze things;
";

async fn look(scene: &Scene, stage: Stage) {
    scene.run("begin").await;
    // A row that only the table of the name can have.
    scene.run("insert into things values (5000, 3, 'new')").await;
    assert_eq!(scene.ask("select how_many(3)").await, "30", "{stage:?}");
    scene.run("delete from things where id = 1").await;
    let kept = "select (select count(*) from log)::text || (select count(*) from things where id = 1)";
    assert_eq!(scene.ask(kept).await, "11", "{stage:?}");
    scene.run("update log set id = 2").await;
    assert_eq!(
        scene.ask("select count(*) from things where id = 2").await,
        "0",
        "{stage:?}"
    );
    scene.run("set local role ROLE").await;
    assert_eq!(scene.ask("select count(*) from things").await, "30", "{stage:?}");
    // Through the policy of the other table, which asks this one, of which only team 3 is seen.
    assert_eq!(scene.ask("select count(*) from teams").await, "1", "{stage:?}");
    assert_eq!(
        scene.ask("insert into things values (6000, 4)").await,
        "42501",
        "{stage:?}"
    );
    scene.run("rollback").await;
    let filled = "select count(*) from pg_statistic_ext s join pg_statistic_ext_data d on d.stxoid = s.oid
                  where s.stxname = 'stat' and s.stxrelid = 'things'::regclass";
    if matches!(stage, Stage::Before | Stage::SwappedBack) {
        assert_eq!(scene.ask(filled).await, "1", "{stage:?}");
    }
}

#[tokio::test]
async fn what_people_attached_goes_on_to_act() {
    for major in majors() {
        for shape in [Shape::Same, hash("team_id", "3")] {
            life(major, "carry_attached", "things", SETUP, &shape, look).await;
        }
    }
}

/// The mirror must see every row, and say so when it cannot.
#[tokio::test]
async fn forced_row_security_refuses_a_role_that_it_binds() {
    let setup = "create role ROLE login; create table things (id int primary key);
        alter table things enable row level security; alter table things force row level security;
        alter table things owner to ROLE; grant create on schema public to ROLE";
    for major in majors() {
        let mut scene = Scene::new(major, "carry_forced", "things", setup).await;
        scene.plan(&Shape::Same, "t").await;
        let user = scene.database.name.clone();
        let url = scene
            .database
            .url
            .replacen("user=postgres", &format!("user={user}"), 1);
        let url = url.replacen("postgres@", &format!("{user}@"), 1);
        scene.session = Scene::session(&url).await;
        let plan = scene.try_plan(&Shape::Same, "t").await.unwrap();
        let refused: Vec<_> = plan.refusals.iter().map(|r| r.code.as_str()).collect();
        assert_eq!(refused, ["MOV-030"], "{major}");
        // And if it had gone on: the server refuses rather than hides.
        let read = scene.session.query("select * from public.things", &[]).await;
        assert_eq!(read.unwrap_err().code().unwrap().code(), "42501", "{major}");
    }
}
