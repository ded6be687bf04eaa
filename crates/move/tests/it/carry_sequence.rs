//! Sequences behind defaults.

use crate::scene::{Scene, Stage, hash, lives};

#[tokio::test]
async fn owned_and_shared_sequences_go_on() {
    let setup = "
        create sequence shared_seq;
        create table other (id int primary key default nextval('shared_seq'));
        create table things (
            id bigserial primary key, at bigint not null default nextval('shared_seq'), name text
        );
        alter sequence shared_seq owned by other.id;
        insert into things (name) select 'n' || g from generate_series(1, 30) g;
        comment on sequence things_id_seq is 'ids';
    ";
    lives(
        "carry_sequence",
        "things",
        setup,
        &hash("id", "2"),
        async |scene: &Scene, stage: Stage| {
            scene
                .run("insert into things (name) values ('m'); insert into other default values")
                .await;
            let owned = scene.ask("select pg_get_serial_sequence('things', 'id')").await;
            assert_eq!(owned, "public.things_id_seq", "{stage:?}");
            let twice = "select count(*) - count(distinct at) from things";
            assert_eq!(scene.ask(twice).await, "0", "{stage:?}");
            if stage == Stage::Finished {
                // The retired table is gone without the sequence, and the new table takes it along.
                scene.run("drop table things").await;
                assert_eq!(scene.ask("select to_regclass('things_id_seq')").await, "null");
                assert_eq!(scene.ask("select to_regclass('shared_seq')").await, "shared_seq");
            }
        },
    )
    .await;
}
