use corridor_migration::schema::{VERSION, ensure, exists};

use crate::{fresh, session, stage, store_one};

#[tokio::test]
async fn making_it_twice_changes_nothing() {
    let database = fresh("schema").await;
    let mut one = session(&database.url, "test", "-").await;
    assert!(!exists(&*one).await.unwrap());
    ensure(&mut one).await.unwrap();
    assert!(exists(&*one).await.unwrap());
    ensure(&mut one).await.unwrap();
    let row = one
        .query_one("select max(version), count(*) from corridor.schema_version", &[])
        .await
        .unwrap();
    assert_eq!(
        (row.get::<_, i32>(0), row.get::<_, i64>(1)),
        (VERSION, i64::from(VERSION))
    );
}

#[tokio::test]
async fn eight_sessions_make_it_at_once_and_all_find_it() {
    let database = fresh("schema").await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let mut one = session(&database.url, "test", "-").await;
        tasks.push(tokio::spawn(async move { ensure(&mut one).await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let one = session(&database.url, "test", "-").await;
    let count: i64 = one
        .query_one("select count(*) from corridor.schema_version", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, i64::from(VERSION));
}

#[tokio::test]
async fn half_a_schema_is_brought_up() {
    let database = fresh("schema").await;
    let mut one = session(&database.url, "test", "-").await;
    ensure(&mut one).await.unwrap();
    one.batch_execute(
        "drop table corridor.setting, corridor.verification, corridor.series, \
         corridor.sample, corridor.collector, corridor.item, corridor.backfill, corridor.attempt, \
         corridor.pace, corridor.default_setting, corridor.service_setting, corridor.audit, corridor.token, corridor.sign_in, corridor.account; \
         delete from corridor.schema_version where version >= 10",
    )
    .await
    .unwrap();
    ensure(&mut one).await.unwrap();
    one.execute("select key from corridor.setting", &[])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_schema_that_is_not_ours_is_left_alone() {
    let database = fresh("schema").await;
    let mut one = session(&database.url, "test", "-").await;
    one.batch_execute("create schema corridor; create table corridor.elephants (id int)")
        .await
        .unwrap();
    assert_eq!(ensure(&mut one).await.unwrap_err().code().id, "MIG-001");
    assert_eq!(exists(&*one).await.unwrap_err().code().id, "MIG-001");
    let count: i64 = one
        .query_one(
            "select count(*) from pg_class where relnamespace = 'corridor'::regnamespace",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = fresh("schema").await;
    let mut one = session(&database.url, "test", "-").await;
    ensure(&mut one).await.unwrap();
    one.execute(
        "insert into corridor.schema_version (version, step, applied_by) values ($1, 'next', 'me')",
        &[&(VERSION + 1)],
    )
    .await
    .unwrap();
    assert_eq!(ensure(&mut one).await.unwrap_err().code().id, "MIG-002");
}

#[tokio::test]
async fn an_ordinary_role_that_may_create_in_the_database_is_enough() {
    let database = fresh("schema").await;
    let admin = session(&database.url, "test", "-").await;
    admin
        .batch_execute(&format!(
            "create role keeper_{0} login; grant create on database \"{0}\" to keeper_{0}",
            database.name
        ))
        .await
        .unwrap();
    let url = database
        .url
        .replace("postgres@", &format!("keeper_{}@", database.name));
    assert_ne!(url, database.url);
    let mut keeper = session(&url, "test", "-").await;
    let migration = store_one(&mut keeper, "m").await;
    let lease = corridor_migration::lease::take(&mut keeper, migration.id, "k@here 1", crate::LONG)
        .await
        .unwrap();
    assert!(lease.release(&keeper).await.unwrap());
}

/// Rows that no transition could write are refused by the tables themselves.
#[tokio::test]
async fn illegal_rows_are_impossible() {
    let stage = stage("illegal").await;
    let sql = [
        "update corridor.migration set state = 'resting'",
        "update corridor.migration set state = 'running'",
        "update corridor.migration set state = 'paused', started_at = now()",
        "update corridor.migration set state = 'paused', started_at = now(), \
         state_detail = '{\"by\": \"x\", \"why\": \"\", \"course\": \"sideways\"}'",
        "update corridor.migration set state = 'failed', started_at = now(), state_detail = '{\"code\": \"X\"}'",
        "update corridor.migration set state = 'waiting', started_at = now(), state_detail = 'null'",
        "update corridor.migration set state = 'finished', started_at = now()",
        "update corridor.migration set finished_at = now()",
        "update corridor.migration set state_detail = '{\"by\": \"x\"}'",
        "update corridor.migration set current_operation = 'dance'; set constraints all immediate",
        "update corridor.migration set name = 'Upper'",
        "update corridor.operation set state = 'done' where name = 'copy'",
        "update corridor.operation set state = 'running' where name = 'copy'",
        "update corridor.operation set state = 'running', attempts = 1, started_at = now()",
        "update corridor.lease set holder = null",
        "update corridor.lease set epoch = -1",
        "insert into corridor.request (migration_id, verb, asked_by) select id, 'explode', 'x' from corridor.migration",
        "insert into corridor.request (migration_id, verb, asked_by, outcome) \
         select id, 'pause', 'x', '{}' from corridor.migration",
        "insert into corridor.journal (migration_id, number, actor, event, to_state) \
         select id, 99, 'x', 'y', 'running' from corridor.migration",
    ];
    for sql in sql {
        let error = stage.session.batch_execute(sql).await.expect_err(sql);
        let state = error.code().map(|c| c.code().to_owned());
        assert!(
            matches!(state.as_deref(), Some("23514" | "23505" | "23503")),
            "{sql}: {state:?}"
        );
    }
}
