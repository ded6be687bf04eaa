//! The example files: read, ordered, and each statement of theirs does on a server what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use corridor_migration::definition::tolerance::Tolerance;
use corridor_migration::definition::{Definition, Operation, file, graph, placeholder};

use crate::{fresh, session};

fn read(given: &BTreeMap<String, String>) -> Vec<Definition> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/migrations");
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    // The last one first: the order is to be found.
    let read: Vec<Definition> = paths
        .iter()
        .rev()
        .map(|path| file::read(path.to_str().unwrap(), &fs::read_to_string(path).unwrap()).unwrap())
        .collect();
    let order = graph::order(&read, &BTreeSet::new()).unwrap();
    let bind = |definition: &Definition| match definition.parameters.is_empty() {
        true => definition.clone(),
        false => placeholder::bind(definition, given).unwrap(),
    };
    order.into_iter().map(|place| bind(&read[place])).collect()
}

#[tokio::test]
async fn the_examples_do_what_they_say() {
    let database = fresh("examples").await;
    let session = session(&database.url, "test", "-").await;
    session
        .batch_execute(
            "create table public.person_distinct_id (id bigint primary key, team_id bigint, distinct_id text, \
             person_id bigint, version bigint); \
             insert into public.person_distinct_id select i, i % 5, 'd' || i / 3, i, i from generate_series(1, 3000) i",
        )
        .await
        .unwrap();
    let given = BTreeMap::from([("after_team".to_owned(), "1".to_owned())]);
    let definitions = read(&given);
    let names: Vec<&str> = definitions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        ["0002_make_person_distinct_id2", "0003_fill_person_distinct_id2"]
    );
    let is_true = async |sql: &str| -> bool { session.query_one(sql, &[]).await.unwrap().get(0) };
    for definition in &definitions {
        let required = definition.required_when.as_ref().unwrap();
        assert!(is_true(required).await, "{required}");
        for check in definition.prechecks.iter().chain(&definition.health_checks) {
            assert!(is_true(&check.query).await, "{}", check.query);
        }
        for operation in &definition.operations {
            match operation {
                Operation::Sql(it) => {
                    session.batch_execute(&it.statement).await.unwrap();
                    if let Some(query) = &it.done_when {
                        assert!(is_true(query).await, "{query}");
                    }
                }
                Operation::Backfill(it) => {
                    let statement = it.statement.as_ref().unwrap();
                    for row in session.query(it.for_each.as_ref().unwrap(), &[]).await.unwrap() {
                        let each = format!("'{}'::bigint", row.get::<_, i64>(0));
                        // Batches in any order; and once more, as after a crash.
                        for range in ["id > 1500", "id <= 1500", "id > 1500"] {
                            let sql = placeholder::fill(statement, Some(&each), Some(range));
                            session
                                .execute(&sql, &[])
                                .await
                                .unwrap_or_else(|error| panic!("{error:?}: {sql}"));
                        }
                    }
                }
                Operation::Verify(it) => {
                    let row = session.query_one(&it.query, &[]).await.unwrap();
                    let (bad, total): (i64, i64) = (row.get(0), row.get(1));
                    assert_eq!((bad, total > 500), (0, true), "{total}");
                    let tolerance = Tolerance::parse(&it.tolerance).unwrap();
                    assert!(tolerance.is_met(Some(bad as f64), Some(total as f64)));
                }
                Operation::Constraint(it) => {
                    let sql = format!(
                        "alter table {} add constraint {} {}",
                        it.table, it.constraint, it.definition
                    );
                    session.batch_execute(&sql).await.unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let teams: i64 = session
        .query_one(
            "select count(distinct team_id) from public.person_distinct_id2 where team_id > 1",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(teams, 3, "those after the first");
    // The way back, the newest first.
    for operation in definitions.iter().rev().flat_map(|it| it.operations.iter().rev()) {
        let rollback = match operation {
            Operation::Sql(it) => it.rollback.as_deref(),
            Operation::Backfill(it) => it.rollback.as_deref(),
            _ => None,
        };
        // Twice: it tolerates that there is nothing to take back, where the table is there.
        for _ in 0..2 {
            session.batch_execute(rollback.unwrap_or_default()).await.unwrap();
        }
    }
    assert!(is_true("select to_regclass('public.person_distinct_id2') is null").await);
}
