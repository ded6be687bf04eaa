//! Foreign keys in both directions.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, life, lives, majors};

const SETUP: &str = r#"
    create table teams (id int primary key, name text);
    insert into teams select g, 't' || g from generate_series(0, 9) g;
    create schema other;
    create table other."Places" (a int, b int, primary key (a, b));
    insert into other."Places" select g, g from generate_series(0, 9) g;
    create table things (
        id int primary key, team_id int not null constraint "of a team" references teams on delete cascade on update cascade,
        a int, b int, boss int,
        foreign key (a, b) references other."Places" match full on delete set null deferrable initially deferred
    );
    insert into things select g, g % 10, g % 10, g % 10, null from generate_series(1, 200) g;
    create table pets (id int primary key, thing_id int constraint pet_thing references things on delete cascade);
    insert into pets select g, g from generate_series(1, 100) g;
    create table notes (thing_id int not null, foreign key (thing_id) references things (id) deferrable);
    insert into notes select g from generate_series(101, 110) g;
    comment on constraint pet_thing on pets is 'whose';
    comment on constraint "of a team" on things is 'team';
"#;

async fn look(scene: &Scene, stage: Stage) {
    assert_eq!(
        scene.ask("insert into things values (1000, 77)").await,
        "23503",
        "{stage:?}"
    );
    assert_eq!(
        scene.ask("insert into pets values (1000, 7777)").await,
        "23503",
        "{stage:?}"
    );
    assert_eq!(
        scene.ask("delete from things where id = 101").await,
        "23503",
        "{stage:?}"
    );
    scene
        .run("begin; delete from teams where id = 5; set constraints all immediate")
        .await;
    assert_eq!(
        scene.ask("select count(*) from things where team_id = 5").await,
        "0",
        "{stage:?}"
    );
    assert_eq!(
        scene
            .ask("select count(*) from pets where thing_id % 10 = 5")
            .await,
        "0",
        "{stage:?}"
    );
    scene.run("rollback").await;
    scene.run("begin; update teams set id = 55 where id = 5").await;
    assert_eq!(
        scene.ask("select count(*) from things where team_id = 55").await,
        "20",
        "{stage:?}"
    );
    scene.run("rollback").await;
}

async fn look_without_notes(scene: &Scene, stage: Stage) {
    scene.run("delete from notes").await;
    scene.run("insert into notes select 101").await;
    look_at(scene, stage).await;
}

async fn look_at(scene: &Scene, stage: Stage) {
    assert_eq!(
        scene.ask("insert into pets values (1000, 7777)").await,
        "23503",
        "{stage:?}"
    );
    scene.run("begin; delete from things where id = 5").await;
    assert_eq!(
        scene.ask("select count(*) from pets where thing_id = 5").await,
        "0",
        "{stage:?}"
    );
    scene.run("rollback").await;
}

#[tokio::test]
async fn foreign_keys_come_along_in_both_directions() {
    // `delete from teams` also reaches rows that notes reference; those are team 1 to 0 of 101 to 110, so take them out.
    let setup = format!("{SETUP} delete from notes where thing_id in (105);");
    lives("carry_fk", "things", &setup, &hash("id", "3"), look).await;
    lives("carry_fk_same", "things", &setup, &Shape::Same, look).await;
}

#[tokio::test]
async fn a_key_that_is_not_validated_is_not_validated_afterwards() {
    let setup = format!(
        "{SETUP} set constraints all immediate; alter table notes drop constraint notes_thing_id_fkey;
         insert into notes values (99999);
         alter table notes add foreign key (thing_id) references things (id) not valid;"
    );
    lives(
        "fk_not_valid",
        "things",
        &setup,
        &hash("id", "2"),
        look_without_notes,
    )
    .await;
    let own = "
        create table teams (id int primary key);
        create table things (id int primary key, team_id int);
        insert into things values (1, 1);
        alter table things add constraint f foreign key (team_id) references teams not valid;
    ";
    lives(
        "fk_own_not_valid",
        "things",
        own,
        &Shape::Same,
        async |_: &Scene, _: Stage| {},
    )
    .await;
    for major in majors() {
        if major >= 18 {
            life(
                major,
                "fk_own_not_valid",
                "things",
                own,
                &hash("id", "2"),
                async |_: &Scene, _: Stage| {},
            )
            .await;
            continue;
        }
        let mut scene = Scene::new(major, "fk_own_not_valid", "things", own).await;
        assert_eq!(
            scene.try_plan(&hash("id", "2"), "t").await.unwrap().refusals[0].code,
            "MOV-043"
        );
    }
}

#[tokio::test]
async fn a_table_that_references_itself_comes_along() {
    let setup = "
        create table things (id int primary key, boss int constraint up references things on delete cascade);
        insert into things select g, nullif(g / 2, 0) from generate_series(1, 100) g;
    ";
    async fn look(scene: &Scene, stage: Stage) {
        assert_eq!(
            scene.ask("insert into things values (1000, 7777)").await,
            "23503",
            "{stage:?}"
        );
        scene.run("begin; delete from things where id = 2").await;
        assert_eq!(
            scene
                .ask("select count(*) from things where id in (4, 5, 8, 9, 64)")
                .await,
            "0",
            "{stage:?}"
        );
        scene.run("rollback").await;
    }
    lives("fk_self", "things", setup, &hash("id", "3"), look).await;
    lives("fk_self_same", "things", setup, &Shape::Same, look).await;
}

#[tokio::test]
async fn a_reference_to_a_key_that_is_widened_refuses() {
    for major in majors() {
        let mut scene = Scene::new(major, "fk_widened", "things", SETUP).await;
        let plan = scene.try_plan(&hash("team_id", "2"), "t").await.unwrap();
        let codes: Vec<_> = plan.refusals.iter().map(|r| r.code.as_str()).collect();
        assert_eq!(codes, ["MOV-042", "MOV-042"], "{:?}", plan.refusals);
    }
}

/// The promise behind the order of things: validating after the swap stands in nobody's way, and taking the
/// partitions' keys into the parent's reads no row.
#[tokio::test]
async fn settling_blocks_no_writer_and_the_last_step_reads_nothing() {
    for major in majors().into_iter().filter(|m| *m < 18) {
        let mut scene = Scene::new(major, "fk_settle", "things", SETUP).await;
        let plan = scene.plan(&hash("id", "3"), "t").await;
        scene.create(&plan).await;
        let settle = plan.settle.clone();
        let mut unsettled = plan.clone();
        unsettled.settle.clear();
        scene.swap(&unsettled).await;
        for step in &settle {
            let tx = scene
                .session
                .begin(corridor_pg::Isolation::ReadCommitted)
                .await
                .unwrap();
            let scans =
                "select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int8 from pg_stat_xact_user_tables
                         where relname like 'things%'";
            let before: i64 = tx.query_one(scans, &[]).await.unwrap().get(0);
            tx.batch_execute(&step.sql).await.unwrap();
            let after: i64 = tx.query_one(scans, &[]).await.unwrap().get(0);
            let is_validation = step.sql.contains("validate constraint");
            let strong = "select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'relation'
                          and relation >= 16384 and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";
            let strong: i64 = tx.query_one(strong, &[]).await.unwrap().get(0);
            match is_validation {
                true => assert_eq!(strong, 0, "{major}: {}", step.sql),
                false => assert_eq!(after, before, "{major}: {}", step.sql),
            }
            tx.commit().await.unwrap();
        }
    }
}
