//! `pg_dump --schema-only` before a move into the same shape and after its end: the same, to the byte.
//!
//! `pg_dump` says what a restore would make. What it says is all that a person can see of a schema, so this finds what a
//! list of kinds forgets: an order of grants, a word of an option, a name of a constraint. Each kind that is carried has
//! a part in `dump_schema`.

use corridor_move::Shape;

use crate::dump_schema::{TABLE, assert_same, dump, setup};
use crate::scene::{Scene, majors};

/// Given up, rolled back, finished and retired: each leaves what `pg_dump` says as it was. `look` looks at the rows while
/// the new table has the name.
pub(crate) async fn assert_dump_survives(scene: &mut Scene, look: impl AsyncFn(&Scene)) {
    let major = scene.major;
    let url = scene.database.url.clone();
    let before = dump(&url, major).await;
    let check = async |when: &str| assert_same(&before, &dump(&url, major).await, when, major);

    let first = scene.plan(&Shape::Same, "one").await;
    scene.create(&first).await;
    scene.drop_target(&first).await;
    check("given up before the swap").await;

    let second = scene.plan(&Shape::Same, "two").await;
    scene.create(&second).await;
    scene.swap(&second).await;
    look(scene).await;
    scene.swap_back(&second).await;
    scene.drop_target(&second).await;
    check("rolled back").await;

    let third = scene.plan(&Shape::Same, "three").await;
    scene.create(&third).await;
    scene.swap(&third).await;
    scene.drop_parked(&third).await;
    check("finished").await;

    let fourth = scene.plan(&Shape::Same, "four").await;
    scene.create(&fourth).await;
    scene.swap(&fourth).await;
    scene.retire(&fourth).await;
    check("retired").await;
}

#[tokio::test]
async fn a_dump_is_the_same_to_the_byte_after_a_move_into_the_same_shape() {
    for major in majors() {
        let mut scene = Scene::new(major, "dump", TABLE, &setup(major)).await;
        assert_dump_survives(&mut scene, async |scene: &Scene| {
            let count = format!("select count(*) from {TABLE}");
            assert_eq!(scene.ask(&count).await, "200");
        })
        .await;
    }
}
