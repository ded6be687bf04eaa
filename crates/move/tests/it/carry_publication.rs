//! Publications, with a real subscriber: a second database of the same cluster, which gets each change once.

use std::time::Duration;

use corridor_move::Shape;
use corridor_testbed::Cluster;

use crate::scene::{Scene, hash, majors};

const SETUP: &str = "
    create table things (id bigint primary key, team_id int not null, note text);
    insert into things select g, g % 7, 'n' || g from generate_series(1, 100) g;
";

/// Waits until the subscriber has exactly what the table has.
async fn in_step(
    scene: &Scene,
    subscriber: &tokio_postgres::Client,
    columns: &str,
    filter: &str,
    when: &str,
) {
    let digest = format!(
        "select count(*)::text || coalesce(md5(string_agg(x::text, ',' order by id)), '') from (select {columns} from things {filter}) x"
    );
    let wanted = scene.ask(&digest).await;
    let search = async {
        loop {
            let found: String = subscriber
                .query_one(&digest.replace(filter, ""), &[])
                .await
                .unwrap()
                .get(0);
            if found == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(60), search)
        .await
        .is_err()
    {
        let errors = subscriber
            .query_one(&digest.replace(filter, ""), &[])
            .await
            .unwrap()
            .get::<_, String>(0);
        panic!(
            "{}, {when}: the subscriber has {errors}, the table {wanted}",
            scene.major
        );
    }
}

async fn a_subscriber_follows(major: u32, shape: &Shape, publication: &str, columns: &str, filter: &str) {
    let cluster = Cluster::shared(major).await;
    let mut scene = Scene::new(major, "publisher", "things", SETUP).await;
    scene.run(publication).await;
    // Publisher and subscriber in one cluster: the slot has to be there before.
    scene
        .run("select pg_create_logical_replication_slot('ROLE', 'pgoutput')")
        .await;
    let database = cluster.fresh_database("subscriber").await.unwrap();
    let subscriber = cluster.connect(&database.name).await.unwrap();
    subscriber
        .batch_execute(&format!(
            "create table things (id bigint primary key, team_id int not null, note text);
             create subscription sub connection 'host={} port={} user={} dbname={}' publication pub
                 with (create_slot = false, slot_name = '{}')",
            cluster.socket_dir().display(),
            cluster.port(),
            cluster.superuser(),
            scene.database.name,
            scene.database.name
        ))
        .await
        .unwrap();
    in_step(&scene, &subscriber, columns, filter, "at the start").await;

    let plan = scene.plan(shape, "one").await;
    scene.create(&plan).await;
    scene.swap(&plan).await;
    let writes = "insert into things values (1000, 6, 'after'); update things set note = 'x' where id = 66; delete from things where id = 27";
    scene.run(writes).await;
    in_step(&scene, &subscriber, columns, filter, "after the swap").await;
    scene.swap_back(&plan).await;
    scene
        .run("insert into things values (2000, 6, 'back'); delete from things where id = 34")
        .await;
    // The old table did not take part in what happened meanwhile (no mirror here): only what comes now is compared.
    let came = "select count(*) from things where id in (2000)";
    let search = async {
        while subscriber.query_one(came, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), search)
        .await
        .unwrap_or_else(|_| panic!("{major}: nothing comes after the way back"));
    subscriber.batch_execute("drop subscription sub").await.unwrap();
}

#[tokio::test]
async fn a_subscriber_gets_every_change_once_across_the_swap() {
    for major in majors() {
        let all = "create publication pub for table things";
        a_subscriber_follows(major, &Shape::Same, all, "id, team_id, note", "where true").await;
    }
    let via_root = "create publication pub for table things with (publish_via_partition_root = true)";
    a_subscriber_follows(15, &hash("id", "3"), via_root, "id, team_id, note", "where true").await;
    // What is published must cover the replica identity, and so must the filter.
    let filtered = "create unique index identity on things (id, team_id); alter table things replica identity using index identity;
        create publication pub for table things (id, team_id) where (team_id = 6 or team_id = 3)";
    a_subscriber_follows(
        15,
        &Shape::Same,
        filtered,
        "id, team_id",
        "where team_id in (3, 6)",
    )
    .await;
}
