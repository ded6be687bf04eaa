//! Primary keys, unique constraints and unique indexes.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, life, lives, majors};

const SETUP: &str = "
    create table things (
        id bigint primary key with (fillfactor = 80), team_id int not null, code text not null, note text,
        constraint things_code_key unique (code, team_id) include (note)
    );
    insert into things select g, g % 7, 'c' || g, null from generate_series(1, 500) g;
    create unique index things_lower_idx on things (lower(code), team_id) where (note is null);
    create unique index things_note_idx on things (note, team_id desc);
    comment on constraint things_code_key on things is 'by code';
    comment on constraint things_pkey on things is 'by id';
";

async fn nothing(_: &Scene, _: Stage) {}

#[tokio::test]
async fn unique_keys_come_along_and_one_is_widened() {
    lives(
        "carry_unique",
        "things",
        SETUP,
        &hash("team_id", "3"),
        async |scene: &Scene, stage: Stage| {
            // The widened guarantee is the one that the plan announced: same id, other team.
            if stage == Stage::Swapped {
                assert_eq!(
                    scene
                        .ask("begin; insert into things values (1, 6, 'x', null)")
                        .await,
                    ""
                );
                scene.run("rollback").await;
            }
            let same_team = "insert into things select id, team_id, 'y', null from things where id = 1";
            assert_eq!(scene.ask(same_team).await, "23505", "{stage:?}");
            let same_code = "insert into things select 9999, team_id, code, 'z' from things where id = 1";
            assert_eq!(scene.ask(same_code).await, "23505", "{stage:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn unique_keys_of_a_plain_table_stay_whole() {
    lives("carry_unique_same", "things", SETUP, &Shape::Same, nothing).await;
}

#[tokio::test]
async fn a_table_without_primary_key_moves_by_a_unique_index() {
    let setup = "
        create table things (id uuid not null, team_id int not null, note text);
        create unique index things_id_idx on things (id);
        insert into things select gen_random_uuid(), g % 3, 'n' from generate_series(1, 50) g;
    ";
    lives(
        "carry_unique_index",
        "things",
        setup,
        &hash("team_id", "2"),
        nothing,
    )
    .await;
}

#[tokio::test]
async fn nulls_not_distinct_stay_so() {
    let setup = "
        create table things (id int primary key, a int, constraint things_a_key unique nulls not distinct (a));
        insert into things values (1, null), (2, 1);
    ";
    for major in majors().into_iter().filter(|m| *m >= 15) {
        life(major, "carry_nulls", "things", setup, &hash("id", "2"), nothing).await;
        life(major, "carry_nulls_same", "things", setup, &Shape::Same, nothing).await;
    }
}
