//! Triggers that people made.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, lives};

const SETUP: &str = r#"
    create table log (what text);
    create function note() returns trigger language plpgsql as $$
        begin insert into log values (tg_name || coalesce(tg_argv[0], '')); return new; end $$;
    create table things (id int primary key, a int);
    insert into things select g, g from generate_series(1, 20) g;
    create trigger "Before ⏰" before insert on things for each row when (new.a > 5) execute function note('it''s');
    create trigger whole after insert on things referencing new table as rows
        for each statement execute function note();
    create constraint trigger late after insert on things deferrable initially deferred
        for each row execute function note();
    create trigger off after insert on things for each row execute function note();
    create trigger ever after insert on things for each row execute function note();
    create trigger copy after insert on things for each row execute function note();
    alter table things disable trigger off;
    alter table things enable always trigger ever;
    alter table things enable replica trigger copy;
"#;

async fn look(scene: &Scene, stage: Stage) {
    scene
        .run("truncate log; begin; insert into things values (100, 9); set constraints all immediate")
        .await;
    let fired = scene
        .ask("select string_agg(what, ',' order by what collate \"C\") from log")
        .await;
    assert_eq!(fired, "Before ⏰it's,ever,late,whole", "{stage:?}");
    scene.run("rollback").await;
}

#[tokio::test]
async fn triggers_come_along_with_their_state() {
    lives("carry_trigger", "things", SETUP, &hash("id", "2"), look).await;
    lives("carry_trigger_same", "things", SETUP, &Shape::Same, look).await;
}

/// Moving must set off nothing: neither copying into the new table, nor writing to the old one during the hold.
#[tokio::test]
async fn the_old_table_is_silent_after_the_swap() {
    let mut scene = Scene::new(15, "trigger_silent", "things", SETUP).await;
    let plan = scene.plan(&hash("id", "2"), "t").await;
    scene.run("truncate log").await;
    scene.create(&plan).await;
    scene.swap(&plan).await;
    let write = format!(
        "begin; insert into {} values (500, 50); update {} set a = 1 where id = 500; commit",
        plan.parked, plan.parked
    );
    scene.session.batch_execute(&write).await.unwrap();
    // `ever` is ENABLE ALWAYS on the source: switched off like the others.
    assert_eq!(scene.ask("select count(*) from log").await, "0");
}
