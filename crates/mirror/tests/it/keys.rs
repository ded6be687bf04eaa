//! Every kind of key: copied in many small chunks while rows come, go and change their keys.

use crate::bench::{Bench, key};
use corridor_mirror::KeyColumn;
use corridor_pg::{Ident, QualifiedName};

async fn journey(label: &str, columns_ddl: &str, make_key: &str, key: Vec<KeyColumn>) {
    let names: Vec<String> = key.iter().map(|k| k.name.as_str().to_owned()).collect();
    let list = key
        .iter()
        .map(|k| k.name.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let ddl = format!(
        "{columns_ddl}; create table old ({defs}, v text, n numeric, primary key ({list})); \
         create table new (like old including indexes); \
         insert into old select {make_key}, 'v' || i, i / 3.0 from generate_series(1, 500) i",
        columns_ddl = columns_ddl.split_once('|').unwrap().0,
        defs = columns_ddl.split_once('|').unwrap().1,
    );
    let columns: Vec<&str> = names.iter().map(String::as_str).chain(["v", "n"]).collect();
    let mut bench = Bench::new(label, &ddl, key, &columns).await;
    bench.plan(1).await;
    let mut step = 0;
    while !bench.mirror.is_copied(&*bench.app).await.unwrap() {
        bench.chunk(37).await;
        step += 1;
        // One statement of each kind in each step, over copied and uncopied keys alike; the last is a key change.
        let i = 500 + step;
        bench
            .app
            .batch_execute(&format!(
                "insert into old select {make_key}, 'new', null from generate_series({i}, {i}) i; \
                 update old set v = null, n = 1.00 where ctid in (select ctid from old order by random() limit 7); \
                 delete from old where ctid in (select ctid from old order by random() limit 3); \
                 update old set ({list}) = (select {make_key} from generate_series({j}, {j}) i) \
                   where ctid in (select ctid from old order by random() limit 1)",
                j = i + 10_000
            ))
            .await
            .unwrap();
        bench.round().await;
    }
    assert!(step > 8, "{step} chunks");
    bench.drain().await;
    bench.assert_equal().await;
    // Bulk: every row in one statement.
    bench
        .app
        .batch_execute("update old set v = v || '!'")
        .await
        .unwrap();
    bench.drain().await;
    bench.assert_equal().await;
}

fn collated(name: &str, schema: &str, collation: &str) -> KeyColumn {
    KeyColumn {
        collation: Some(QualifiedName::new(
            Ident::new(schema).unwrap(),
            Ident::new(collation).unwrap(),
        )),
        ..key(name, "text")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn integers() {
    journey(
        "keys_bigint",
        "|id bigint",
        "i * 7 % 20011",
        vec![key("id", "bigint")],
    )
    .await;
    journey("keys_int", "|id int", "-i", vec![key("id", "integer")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn composite_keys_compare_every_column() {
    journey(
        "keys_composite",
        "|a int, b text, c date",
        "i % 3, 'k' || i / 3, date '2026-01-01' + i",
        vec![key("a", "integer"), key("b", "text"), key("c", "date")],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uuids_times_and_numerics() {
    journey(
        "keys_uuid",
        "|id uuid",
        "md5(i::text)::uuid",
        vec![key("id", "uuid")],
    )
    .await;
    journey(
        "keys_time",
        "|id timestamptz",
        "timestamptz '0044-03-15 BC' + i * interval '1 day 1 microsecond'",
        vec![key("id", "timestamp with time zone")],
    )
    .await;
    journey(
        "keys_numeric",
        "|id numeric",
        "(i % 100)::numeric / 7 + i * 1e15",
        vec![key("id", "numeric")],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_in_any_collation() {
    let make = "case i % 4 when 0 then 'Ä' when 1 then 'a''\\' when 2 then 'Z ' else '🐘' end || i";
    journey(
        "keys_text_c",
        "|id text collate \"C\"",
        make,
        vec![collated("id", "pg_catalog", "C")],
    )
    .await;
    journey("keys_text_default", "|id text", make, vec![key("id", "text")]).await;
    journey(
        "keys_text_icu",
        "|id text collate \"de-x-icu\"",
        make,
        vec![collated("id", "pg_catalog", "de-x-icu")],
    )
    .await;
    journey(
        "keys_text_blind",
        "create collation public.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)|id text collate public.blind",
        make,
        vec![collated("id", "public", "blind")],
    )
    .await;
}

/// Names that need quotes everywhere, and a key whose text needs them.
#[tokio::test(flavor = "multi_thread")]
async fn awkward_names() {
    let awkward = "select \"'🐘\\ $corridor$";
    let quoted = format!("\"{}\"", awkward.replace('"', "\"\""));
    journey(
        "keys_names",
        &format!("|{quoted} text"),
        "E'\\\\''' || i",
        vec![key(awkward, "text")],
    )
    .await;
}
