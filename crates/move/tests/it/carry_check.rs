//! Check constraints.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, lives};

const SETUP: &str = "
    create table things (
        id int primary key, amount int constraint positive check (amount > 0),
        constraint \"odd 'name'\" check (amount <> 13 or id > 0) no inherit
    );
    insert into things select g, g from generate_series(1, 50) g;
    insert into things values (-1, 1000);
    alter table things add constraint late check (id > 0) not valid;
    comment on constraint late on things is 'since Tuesday';
    comment on constraint positive on things is 'more than nothing';
";

async fn look(scene: &Scene, stage: Stage) {
    assert_eq!(
        scene.ask("insert into things values (100, -1)").await,
        "23514",
        "{stage:?}"
    );
    // The row that violates the check that is not validated is there, and new ones are not let in.
    assert_eq!(
        scene.ask("select count(*) from things where id < 0").await,
        "1",
        "{stage:?}"
    );
    assert_eq!(
        scene.ask("insert into things values (-2, 1)").await,
        "23514",
        "{stage:?}"
    );
}

#[tokio::test]
async fn checks_come_along() {
    lives("carry_check", "things", SETUP, &hash("id", "2"), look).await;
    lives("carry_check_same", "things", SETUP, &Shape::Same, look).await;
}
