//! Partition columns, boundaries and the rows that stand in the way, asked of real rows.

use corridor_move::MovePlan;
use corridor_move::shape::{Shape, ShapeWords};

use crate::scene::{Scene, hash, life, list, majors, range};

fn bounds(plan: &MovePlan) -> Vec<String> {
    plan.partitions
        .iter()
        .map(|p| format!("{} {}", p.name.name, p.bounds))
        .collect()
}

fn with_default(by: &str, every: Option<&str>) -> Shape {
    let words = ShapeWords {
        partition_by: Some(by),
        every,
        has_default_partition: true,
        ..Default::default()
    };
    Shape::parse(&words).unwrap()
}

async fn refusal(scene: &mut Scene, shape: &Shape) -> (String, String) {
    match scene.try_plan(shape, "t").await {
        Ok(plan) => plan
            .refusals
            .first()
            .map(|r| (r.code.clone(), r.detail.clone()))
            .unwrap_or_default(),
        Err(fault) => (fault.code().id.to_owned(), fault.detail().to_owned()),
    }
}

#[tokio::test]
async fn ranges_cover_what_is_there_and_some_beyond() {
    let setup = "
        create table things (
            id int not null, big bigint not null, num numeric not null, d date not null, t timestamp not null,
            tz timestamptz not null, primary key (id, big, num, d, t, tz)
        );
        insert into things values
            (-3, 1, 0.5, '2026-01-31', '2026-02-28 23:59', '2026-02-28 23:59:59+00'),
            (12, 9223372036854775807, 2.5, '2026-03-01', '2026-03-01 00:00', '2026-03-01 01:00+00');
    ";
    for major in majors() {
        let mut scene = Scene::new(major, "ranges", "things", setup).await;
        let words = |by: &'static str, every: &'static str| {
            let words = ShapeWords {
                partition_by: Some(by),
                every: Some(every),
                ahead: Some("1"),
                ..Default::default()
            };
            Shape::parse(&words).unwrap()
        };
        let mut made = async |by, every| bounds(&scene.plan(&words(by, every), "t").await);
        assert_eq!(
            made("range(id)", "10").await,
            [
                "things_pm10 for values from ('-10') to ('0')",
                "things_p0 for values from ('0') to ('10')",
                "things_p10 for values from ('10') to ('20')",
                "things_p20 for values from ('20') to ('30')",
            ]
        );
        // At the end of the type the last partition is open.
        let big = made("range(big)", "9000000000000000000").await;
        assert_eq!(big.len(), 2, "{big:?}");
        assert!(
            big[1].ends_with("from ('9000000000000000000') to (maxvalue)"),
            "{big:?}"
        );
        assert_eq!(made("range(num)", "2").await.len(), 3);
        assert_eq!(
            made("range(d)", "1 month").await,
            [
                "things_p2026_01 for values from ('2026-01-01') to ('2026-02-01')",
                "things_p2026_02 for values from ('2026-02-01') to ('2026-03-01')",
                "things_p2026_03 for values from ('2026-03-01') to ('2026-04-01')",
                "things_p2026_04 for values from ('2026-04-01') to ('2026-05-01')",
            ]
        );
        assert_eq!(
            made("range(t)", "1 year").await,
            [
                "things_p2026 for values from ('2026-01-01 00:00:00') to ('2027-01-01 00:00:00')",
                "things_p2027 for values from ('2027-01-01 00:00:00') to ('2028-01-01 00:00:00')",
            ]
        );
        let hours = made("range(tz)", "1 hour").await;
        assert_eq!(
            hours[0],
            "things_p2026_02_28_23 for values from ('2026-02-28 23:00:00+00') to ('2026-03-01 00:00:00+00')"
        );
        assert_eq!(hours.len(), 4);
        // Weeks begin on Mondays.
        assert!(made("range(d)", "1 week").await[0].contains("2026_01_26"));
    }
}

#[tokio::test]
async fn rows_land_in_the_partitions_that_were_planned() {
    let setup = "
        create table things (id int, at timestamptz, primary key (id, at));
        insert into things select g, timestamptz '2025-11-20' + g * interval '9 days' from generate_series(1, 40) g;
    ";
    for major in majors() {
        life(
            major,
            "range_life",
            "things",
            setup,
            &range("at", "1 month"),
            async |scene: &Scene, stage| {
                assert_eq!(scene.ask("select count(*) from things").await, "40", "{stage:?}");
            },
        )
        .await;
    }
}

#[tokio::test]
async fn lists_have_one_partition_for_each_value() {
    let setup = "
        create type mood as enum ('good', 'b''ad');
        create table things (id int, c text not null, m mood not null, primary key (id, c, m));
        insert into things select g, (array['de', 'it''s 🐘', 'DE', 'a,b'])[1 + g % 4], (array['good', 'b''ad'])[1 + g % 2]::mood
        from generate_series(1, 40) g;
    ";
    for major in majors() {
        let mut scene = Scene::new(major, "lists", "things", setup).await;
        let plan = scene.plan(&list("m"), "t").await;
        assert_eq!(
            bounds(&plan),
            [
                "things_p_good for values in ('good')",
                "things_p_b_ad for values in ('b''ad')"
            ]
        );
        // Two values whose names meet get different names. With an index the values are stepped through.
        let plain = bounds(&scene.plan(&list("c"), "t").await);
        assert_eq!(plain.len(), 4);
        scene.run("create index on things (c)").await;
        assert_eq!(bounds(&scene.plan(&list("c"), "t").await), plain);
        let plan = scene.plan(&with_default("list(c)", None), "t").await;
        scene.create(&plan).await;
        assert_eq!(
            scene
                .ask("select count(*) from pg_class where relname like 'things\\_p\\_%'  and relkind = 'r'")
                .await,
            "4"
        );
    }
}

#[tokio::test]
async fn null_partition_columns_refuse_with_the_first_keys() {
    let setup = "
        create table things (id int, \"Group\" text default 'x', team int, n int, primary key (id));
        insert into things select g, case when g <> 7 then 'a' end, case when g > 12 then 1 end, 1 from generate_series(1, 40) g;
        create index on things (n);
    ";
    for major in majors() {
        let mut scene = Scene::new(major, "nulls", "things", setup).await;
        let (code, detail) = refusal(&mut scene, &list("\"Group\"")).await;
        assert_eq!(code, "MOV-022");
        assert!(detail.contains("(7)") && detail.contains("\"Group\""), "{detail}");
        let (code, detail) = refusal(&mut scene, &hash("team", "2")).await;
        assert_eq!(code, "MOV-022");
        assert!(
            detail.contains("(1), (2)") && !detail.contains("(11)"),
            "{detail}"
        );
        // Nullable is enough: a null could come tomorrow.
        assert_eq!(refusal(&mut scene, &range("n", "10")).await.0, "MOV-022");
    }
}

#[tokio::test]
async fn values_that_fit_no_range_refuse_with_the_first_keys() {
    let setup = "
        create table things (id int, at timestamptz not null, n numeric not null, primary key (id, at, n));
        insert into things select g, now(), g from generate_series(1, 40) g;
        insert into things values (101, 'infinity', 1), (102, '-infinity', 'NaN');
    ";
    for major in majors() {
        let mut scene = Scene::new(major, "unfit", "things", setup).await;
        let (code, detail) = refusal(&mut scene, &range("at", "1 month")).await;
        assert_eq!(code, "MOV-023");
        assert!(
            detail.contains("(101, infinity, 1)") && detail.contains("(102, -infinity, NaN)"),
            "{detail}"
        );
        let (code, detail) = refusal(&mut scene, &range("n", "10")).await;
        assert_eq!(code, "MOV-023");
        assert!(detail.contains("(102, "), "{detail}");
        let plan = scene.plan(&with_default("range(at)", Some("1 month")), "t").await;
        scene.create(&plan).await;
        assert_eq!(scene.ask("select count(*) from things_default").await, "2");
    }
}

#[tokio::test]
async fn columns_that_will_not_do_and_outliers_refuse() {
    let setup = "
        create table things (id int, at timestamptz not null, j json, g int generated always as (id + 1) stored, primary key (id, at));
        insert into things values (1, now(), '{}'), (2, '1970-01-01', '{}');
    ";
    for major in majors() {
        let mut scene = Scene::new(major, "columns", "things", setup).await;
        let (code, detail) = refusal(&mut scene, &hash("Team", "2")).await;
        assert_eq!(
            (code.as_str(), detail.contains("it has id, at, j, g")),
            ("MOV-002", true),
            "{detail}"
        );
        assert_eq!(refusal(&mut scene, &hash("j", "2")).await.0, "MOV-003");
        assert_eq!(refusal(&mut scene, &list("j")).await.0, "MOV-003");
        assert_eq!(refusal(&mut scene, &hash("g", "2")).await.0, "MOV-003");
        assert_eq!(refusal(&mut scene, &range("j", "10")).await.0, "MOV-003");
        assert_eq!(refusal(&mut scene, &range("at", "10")).await.0, "MOV-003");
        assert_eq!(refusal(&mut scene, &range("id", "1 day")).await.0, "MOV-003");
        // One row from 1970, and hours since then.
        let (code, detail) = refusal(&mut scene, &range("at", "1 hour")).await;
        assert_eq!(
            (code.as_str(), detail.contains("1970-01-01")),
            ("MOV-024", true),
            "{detail}"
        );
        // Fewer, but more than one transaction can lock.
        assert_eq!(refusal(&mut scene, &hash("id", "4000")).await.0, "MOV-024");
    }
}

#[tokio::test]
async fn an_empty_table_moves_too() {
    let setup = "create table things (id int, at date not null, c text not null, primary key (id, at, c));";
    for major in majors() {
        let mut scene = Scene::new(major, "empty", "things", setup).await;
        assert_eq!(scene.plan(&range("id", "10"), "t").await.partitions.len(), 5);
        assert_eq!(scene.plan(&range("at", "1 month"), "t").await.partitions.len(), 5);
        assert_eq!(refusal(&mut scene, &list("c")).await.0, "MOV-023");
        scene.plan(&with_default("list(c)", None), "t").await;
    }
}
