//! Not-null constraints.

use corridor_move::Shape;

use crate::scene::{Scene, Stage, hash, life, majors};

#[tokio::test]
async fn not_null_comes_along_with_its_name() {
    for major in majors() {
        let named = if major >= 18 {
            "constraint \"must be\" not null"
        } else {
            "not null"
        };
        let comment = if major >= 18 {
            "comment on constraint \"must be\" on things is 'why';"
        } else {
            ""
        };
        let setup = format!(
            "create table things (id int primary key, a int {named}, b int);
             insert into things select g, g, null from generate_series(1, 20) g; {comment}"
        );
        for shape in [hash("id", "2"), Shape::Same] {
            life(
                major,
                "carry_not_null",
                "things",
                &setup,
                &shape,
                async |scene: &Scene, stage: Stage| {
                    assert_eq!(
                        scene.ask("insert into things values (100, null, 1)").await,
                        "23502",
                        "{stage:?}"
                    );
                },
            )
            .await;
        }
    }
}

#[tokio::test]
async fn a_not_null_that_is_not_validated_comes_along_with_the_rows_that_violate_it() {
    for major in majors().into_iter().filter(|m| *m >= 18) {
        let setup =
            "create table things (id int primary key, a int); insert into things values (1, null), (2, 2);
                     alter table things add constraint later not null a not valid;
                     comment on constraint later on things is 'some day';";
        for shape in [hash("id", "2"), Shape::Same] {
            life(
                major,
                "carry_not_null_late",
                "things",
                setup,
                &shape,
                async |scene: &Scene, stage: Stage| {
                    assert_eq!(
                        scene.ask("select count(*) from things where a is null").await,
                        "1"
                    );
                    let another = scene.ask("insert into things values (100, null)").await;
                    assert_eq!(another, "23502", "{stage:?}");
                },
            )
            .await;
        }
    }
}
