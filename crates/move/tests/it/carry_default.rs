//! Defaults.

use crate::scene::{Scene, Stage, hash, lives};

#[tokio::test]
async fn defaults_come_along() {
    let setup = r#"
        create schema app;
        create function app."Make It"() returns text language sql as $$ select 'made' $$;
        create type app.mood as enum ('good', 'it''s bad');
        create table things (
            id int primary key, at timestamptz default now(), kind app.mood default 'it''s bad',
            made text default app."Make It"() || E'\\x', none int default null
        );
        insert into things (id) select g from generate_series(1, 20) g;
    "#;
    lives(
        "carry_default",
        "things",
        setup,
        &hash("id", "2"),
        async |scene: &Scene, stage: Stage| {
            let sql = "begin; insert into things (id) values (1000) returning kind || made";
            assert_eq!(scene.ask(sql).await, "it's badmade\\x", "{stage:?}");
            scene.run("rollback").await;
        },
    )
    .await;
}
