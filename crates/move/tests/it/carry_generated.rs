//! Generated columns.

use crate::scene::{Scene, Stage, hash, life, majors};

#[tokio::test]
async fn generated_columns_come_along_and_compute() {
    for major in majors() {
        let kind = if major >= 18 { "virtual" } else { "stored" };
        let setup = format!(
            "create table things (
                id int primary key, a text collate \"C\", b text generated always as (lower(a) || '!') stored,
                c int generated always as (id * 2) {kind}
             );
             insert into things (id, a) select g, 'A' || g from generate_series(1, 20) g;
             create index things_b_idx on things (b);"
        );
        life(
            major,
            "carry_generated",
            "things",
            &setup,
            &hash("id", "2"),
            async |scene: &Scene, stage: Stage| {
                let sql = "select count(*) from things where b = lower(a) || '!' and c = id * 2";
                assert_eq!(scene.ask(sql).await, "20", "{stage:?}");
                assert_eq!(
                    scene.ask("insert into things (id, c) values (99, 1)").await,
                    "428C9",
                    "{stage:?}"
                );
            },
        )
        .await;
    }
}
