//! `--to shape.sql`: whole lives on a real server, while an application writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use corridor_migration::{State, Wait};
use corridor_move::MovePlan;
use corridor_move::Shape;
use corridor_move::run::{Order, Outcome, Progress, plan};
use corridor_move::shape::{ShapeWords, WantedWords};
use corridor_pg::Result;
use corridor_testbed::traffic::{KeyType, Table};
use corridor_testbed::{Cluster, Database};
use tokio::task::JoinHandle;

use crate::run_journey::{Journey, options, until};
use crate::scene::majors;

/// The words after `--to` and its companions.
#[derive(Clone, Copy, Default)]
pub(crate) struct Words<'a> {
    pub(crate) sql: &'a str,
    pub(crate) set: &'a [&'a str],
    pub(crate) reverse_set: &'a [&'a str],
    pub(crate) is_one_way: bool,
}

pub(crate) fn shape(words: Words<'_>) -> Shape {
    let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let (set, reverse_set) = (owned(words.set), owned(words.reverse_set));
    Shape::parse(&ShapeWords {
        to: Some(WantedWords {
            file: "shape.sql",
            sql: words.sql,
            set: &set,
            reverse_set: &reverse_set,
            is_one_way: words.is_one_way,
        }),
        ..ShapeWords::default()
    })
    .unwrap()
}

/// A table `orders` in a fresh database, made by `setup`.
pub(crate) async fn scene(major: u32, label: &str, setup: &str) -> Journey {
    let database = Cluster::shared(major).await.fresh_database(label).await.unwrap();
    scene_in(database, setup).await
}

async fn scene_in(database: Database, setup: &str) -> Journey {
    let journey = Journey {
        connect: options(&database.url),
        name: String::new(),
        table: Table::ledger("orders", KeyType::BigInt, 0),
        database,
    };
    journey.run(setup).await;
    journey
}

pub(crate) async fn plan_of(journey: &Journey, words: Words<'_>) -> Result<MovePlan> {
    plan(&journey.connect, &journey.wish(shape(words))).await
}

/// An application: runs statements, one after the other, again and again, `I` being a number that grows. Any error of the
/// server fails the test.
pub(crate) struct App {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl App {
    pub(crate) async fn start(url: &str, statements: &'static [&'static str]) -> App {
        let client = corridor_testbed::cluster::connect(url).await.unwrap();
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
        let (stopped, counted) = (stop.clone(), rounds.clone());
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let i = counted.load(Ordering::Relaxed);
                for sql in statements {
                    let sql = sql.replace('I', &i.to_string());
                    if let Err(error) = client.simple_query(&sql).await {
                        panic!("the application met an error: {sql}: {error:?}");
                    }
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let app = App { stop, rounds, task };
        app.go_on(20).await;
        app
    }

    /// Waits for so many more rounds.
    pub(crate) async fn go_on(&self, rounds: u64) {
        let wanted = self.rounds.load(Ordering::Relaxed) + rounds;
        until(async || self.rounds.load(Ordering::Relaxed) >= wanted || self.task.is_finished()).await;
    }

    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
    }
}

/// Md5 of a query's rows, in any order.
pub(crate) async fn digest(journey: &Journey, query: &str) -> String {
    let sql = format!("select coalesce(md5(string_agg(r::text, '|' order by r::text)), '') from ({query}) r");
    journey.ask(&sql).await
}

/// Copies, cuts over, lets the application write, and goes back. `compared`: a query over `orders` that gives the same on
/// both shapes.
pub(crate) async fn there_and_back(
    journey: &mut Journey,
    words: Words<'_>,
    statements: &'static [&'static str],
    compared: &str,
    look: impl AsyncFn(&Journey),
) {
    let app = App::start(&journey.database.url, statements).await;
    let wish = journey.wish(shape(words));
    journey.store(&wish).await;
    journey.until_ready().await;
    app.go_on(20).await;
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );
    app.go_on(20).await;
    look(journey).await;
    // The way back is proven while it is open.
    journey.worker(Order::Verify).end().await;
    app.stop().await;
    let before = digest(journey, compared).await;
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    assert_eq!(digest(journey, compared).await, before, "{compared}");
    journey.assert_clean().await;
}

/// Copies, cuts over and finishes.
pub(crate) async fn there_for_good(journey: &mut Journey, words: Words<'_>, compared: &str) {
    let before = digest(journey, compared).await;
    let mut wish = journey.wish(shape(words));
    wish.settings.push(("cutover.auto".into(), "on".into()));
    journey.store(&wish).await;
    assert_eq!(
        journey.worker(Order::Start).end().await,
        Outcome::Waits(Wait::Finish)
    );
    assert_eq!(digest(journey, compared).await, before, "{compared}");
    assert_eq!(
        journey.worker(Order::Finish { is_drop: true }).end().await,
        Outcome::Ended(State::Finished)
    );
    journey.assert_clean().await;
}

const ORDERS: &str = "
    create table customers (id int primary key);
    insert into customers select generate_series(1, 50);
    create table orders (id serial primary key, customer_id int not null references customers, note text default 'new',
        total numeric(10,2) check (total >= 0), paid boolean not null default false);
    create index orders_customer_idx on orders (customer_id) where not paid;
    comment on table orders is 'what was bought';
    comment on column orders.note is 'by hand';
    create table items (id bigint primary key, order_id int not null references orders on delete cascade);
    create view open_orders as select note, total from orders where not paid;
    create function touch() returns trigger language plpgsql as $$ begin new.note := coalesce(new.note, 'none'); return new; end $$;
    create trigger touch before insert or update on orders for each row execute function touch();
    create function last_order() returns int language sql as $$ select max(id) from orders $$;
    insert into orders (customer_id, note, total) select i % 50 + 1, 'n' || i, i / 7.0 from generate_series(1, 3000) i;
    insert into items select i, i from generate_series(1, 200) i;
    analyze orders";

const BUSY: &[&str] = &[
    "insert into orders (customer_id, total) values (I % 50 + 1, I)",
    "update orders set total = total + 1, paid = not paid where id in (I % 3000 + 1, I * 7 % 3000 + 1)",
    "delete from orders where id = 300 + I * 3 % 2700",
    "insert into items select 1000 + I, max(id) from orders",
    "update orders set id = id + 1000000 where id = 201 + I % 90",
    "begin; savepoint a; insert into orders (customer_id) values (1); rollback to a; insert into orders (customer_id, note) values (2, null); commit",
];

const BIGINT: Words<'static> = Words {
    sql: "-- the key runs out; see the incident\n\
          create table orders (\n  id bigint primary key, -- was int; 2^31 is near\n  customer_id int not null, note text default 'new',\n\
          total numeric(10,2) check (total >= 0), paid boolean not null default false\n);",
    set: &[],
    reverse_set: &[],
    is_one_way: false,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_int_key_becomes_bigint_and_comes_back_on_every_major() {
    for major in majors() {
        let mut journey = scene(major, "wanted_bigint", ORDERS).await;
        let plan = plan_of(&journey, BIGINT).await.unwrap();
        plan.check_executable().unwrap();
        let said = plan.warnings.join("\n");
        for part in [
            "id: integer becomes bigint by the server's own assignment cast",
            "public.items.order_id is integer and refers to id",
            "corridor move public.items --to FILE, with order_id bigint",
            "sequence public.orders_id_seq becomes bigint in the swap",
            "public.last_order()",
        ] {
            assert!(said.contains(part), "{major}: {part}: {said}");
        }
        there_and_back(&mut journey, BIGINT, BUSY, "select * from orders", async |journey| {
            let kind: String = journey
                .ask("select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'orders'::regclass and attname = 'id'")
                .await;
            assert_eq!(kind, "bigint");
            let hangs: String = journey
                .ask(
                    "select concat_ws(' ', obj_description('orders'::regclass, 'pg_class'), \
                     (select string_agg(indexrelid::regclass::text, ',' order by indexrelid::regclass::text) from pg_index where indrelid = 'orders'::regclass), \
                     (select string_agg(conname || convalidated, ',' order by conname) from pg_constraint where 'orders'::regclass in (conrelid, confrelid) and contype in ('f', 'c')), \
                     (select data_type::text from pg_sequences where sequencename = 'orders_id_seq'), \
                     (select count(*) > 0 from open_orders))",
                )
                .await;
            assert_eq!(
                hangs,
                "what was bought orders_customer_idx,orders_pkey \
                 items_order_id_fkeytrue,orders_customer_id_fkeytrue,orders_total_checktrue bigint t"
            );
        })
        .await;
        // And for good: beyond the old type.
        there_for_good(&mut journey, BIGINT, "select * from orders").await;
        journey
            .run("select setval('orders_id_seq', 3000000000); insert into orders (customer_id) values (1)")
            .await;
        let last: i64 = journey.ask("select max(id) from orders").await;
        assert_eq!(last, 3_000_000_001);
    }
}

const TICKETS: &str = "
    create type state as enum ('open', 'closed');
    create table teams (id int primary key);
    insert into teams select generate_series(1, 9);
    create table orders (id bigint generated by default as identity primary key, status text not null default 'open',
        doc json, first text, last text, legacy text, team_id int references teams, at timestamp default localtimestamp);
    comment on constraint orders_team_id_fkey on orders is 'which team';
    create index orders_status_idx on orders (status);
    create index orders_legacy_idx on orders (legacy);
    create index orders_last_idx on orders (lower(last)) where last is not null;
    insert into orders (status, doc, first, last, legacy, team_id)
    select case when i % 3 = 0 then 'closed' else 'open' end, format('{\"a\":  %s, \"b\": [1 ,2]}', i)::json, 'f' || i, 'l' || i, 'old', i % 9 + 1
    from generate_series(1, 2000) i;
    analyze orders";

const TICKETS_BUSY: &[&str] = &[
    // Literals suit both types, as an application's parameters would.
    "update orders set status = 'closed' where id in (I % 1900 + 101, I * 11 % 1900 + 101)",
    "update orders set status = 'open' where id in (I * 3 % 1900 + 101, I * 13 % 1900 + 101)",
    "update orders set doc = '{\"b\": 1,   \"a\": I}' where id = I * 5 % 1900 + 101",
    "delete from orders where id = 500 + I * 7 % 1500",
    "insert into orders (status, doc) values ('closed', '[I]')",
];

const TICKETS_NEW: Words<'static> = Words {
    sql: "create table shape (\n\
          id bigint generated always as identity primary key,\n\
          status state not null default 'closed',\n\
          doc jsonb,\n\
          full_name text not null default 'nobody' check (full_name <> ''),\n\
          at timestamp(3),\n\
          source text not null default 'import; by hand',\n\
          seen_at timestamptz,\n\
          initial text generated always as (left(full_name, 1)) stored\n);\n\
          create index on shape (status, at); /* the; usual */ create index shape_doc on shape using gin (doc)",
    set: &[
        "status = status::state",
        "full_name = coalesce(first || ' ' || last, 'nobody')",
        "at = date_trunc('milliseconds', at)",
    ],
    reverse_set: &[
        "first = nullif(split_part(full_name, ' ', 1), 'nobody')",
        "last = nullif(split_part(full_name, ' ', 2), '')",
        "legacy = null",
        "team_id = null",
        "at = at",
    ],
    is_one_way: false,
};

/// What both shapes have alike.
const TICKETS_ALIKE: &str =
    "select id, status::text, doc::jsonb, date_trunc('milliseconds', at) as at from orders";

#[tokio::test(flavor = "multi_thread")]
async fn enum_json_renamed_new_and_dropped_columns_there_and_back_on_every_major() {
    for major in majors() {
        let mut journey = scene(major, "wanted_tickets", TICKETS).await;
        let plan = plan_of(&journey, TICKETS_NEW).await.unwrap();
        plan.check_executable().unwrap();
        let said = plan.warnings.join("\n");
        for part in [
            "doc: json becomes jsonb by the server's own assignment cast",
            "first goes; full_name is made from it",
            "legacy goes, with what stands in it",
            "source is new: its default, 'import; by hand'::text, in every row",
            "seen_at is new: null in every row",
            "status: the default changes from 'open'::text to 'closed'::public.state",
            "index orders_legacy_idx is not carried: legacy goes",
            "index orders_status_idx is not carried: status changes its type, and the file has indexes of its own",
            "constraint orders_team_id_fkey is not carried: team_id goes; after a way back it is there again, not validated",
            "on the way back, doc is cast from jsonb to json",
        ] {
            assert!(said.contains(part), "{major}: {part}: {said}");
        }
        there_and_back(&mut journey, TICKETS_NEW, TICKETS_BUSY, TICKETS_ALIKE, async |journey| {
            let columns: String = journey
                .ask("select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) from pg_attribute where attrelid = 'orders'::regclass and attnum > 0")
                .await;
            assert_eq!(
                columns,
                "id bigint, status state, doc jsonb, full_name text, at timestamp(3) without time zone, source text, \
                 seen_at timestamp with time zone, initial text"
            );
            let names: String = journey
                .ask("select string_agg(indexrelid::regclass::text, ' ' order by indexrelid::regclass::text) from pg_index where indrelid = 'orders'::regclass")
                .await;
            assert_eq!(names, "orders_doc orders_last_idx orders_pkey orders_status_at_idx".replace("orders_last_idx ", ""));
            let rows: bool = journey
                .ask("select bool_and(initial = left(full_name, 1) and source = 'import; by hand') from orders")
                .await;
            assert!(rows);
                // The old table's rows refer to it still, and must not stand in the way.
                journey.run("delete from teams where id = 9").await;
        })
        .await;
        let left: String = journey
            .ask("select concat_ws(' ', count(*) filter (where legacy = 'old' and id <= 100), count(*) filter (where first = 'f' || id and last = 'l' || id and id <= 100)) from orders")
            .await;
        assert_eq!(
            left, "100 100",
            "untouched rows have kept what the new table did not know"
        );
        let comment: String = journey
            .ask("select obj_description(oid, 'pg_constraint') || convalidated from pg_constraint where conname = 'orders_team_id_fkey'")
            .await;
        assert_eq!(comment, "which teamfalse");
        there_for_good(&mut journey, TICKETS_NEW, TICKETS_ALIKE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_way_keeps_nothing_in_step_and_refuses_the_way_back() {
    let mut journey = scene(15, "wanted_one_way", TICKETS).await;
    let words = Words {
        reverse_set: &[],
        is_one_way: true,
        ..TICKETS_NEW
    };
    let plan = plan_of(&journey, words).await.unwrap();
    assert!(
        plan.warnings
            .join("\n")
            .contains("no way back after the cut-over (--one-way)")
    );
    let text = corridor_move::plan::render(&plan);
    assert!(
        text.contains("after it: there is none (--one-way)") && !text.contains("_rev"),
        "{text}"
    );
    // Before the cut-over it is a move as any other.
    journey.store(&journey.wish(shape(words))).await;
    journey.until_ready().await;
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    journey.assert_clean().await;

    journey.store(&journey.wish(shape(words))).await;
    let app = App::start(&journey.database.url, TICKETS_BUSY).await;
    journey.until_ready().await;
    assert_eq!(
        journey.worker(Order::Cutover).end().await,
        Outcome::Waits(Wait::Finish)
    );
    app.go_on(20).await;
    for order in [Order::Rollback, Order::Verify] {
        let fault = journey.worker(order).task.await.unwrap().unwrap_err();
        assert_eq!(
            (fault.code().id, fault.code().exit.code()),
            ("MOV-113", 4),
            "{fault}"
        );
    }
    // A worker that attends has nothing to do, and takes orders.
    let attending = journey.worker(Order::Resume);
    until(async || attending.ear.count(|p| matches!(p, Progress::InStep { .. })) > 0).await;
    let fault = journey.worker(Order::Rollback).task.await.unwrap().unwrap_err();
    assert!(fault.to_string().contains("rollback"), "{fault}");
    let captured: i64 = journey
        .ask("select count(*) from pg_trigger where tgname like 'corridor%'")
        .await;
    assert_eq!(captured, 0);
    assert_eq!(
        journey.worker(Order::Finish { is_drop: false }).end().await,
        Outcome::Ended(State::Finished)
    );
    assert_eq!(attending.end().await, Outcome::Ended(State::Finished));
    app.stop().await;
    journey.assert_clean().await;
}

/// Everything in the database that a plan could leave behind.
async fn inventory(journey: &Journey) -> String {
    digest(
        journey,
        "select oid::text from pg_class union all select oid::text from pg_type union all select oid::text from pg_proc \
         union all select nspname from pg_namespace where nspname not like 'pg_%temp%' \
         union all select last_value::text from pg_sequences",
    )
    .await
}

/// The code, and the words, of a plan that cannot be made or must not be carried out.
async fn refusal(journey: &Journey, words: Words<'_>) -> String {
    match plan_of(journey, words).await {
        Err(fault) => format!("{}: {}", fault.code().id, fault.detail()),
        Ok(plan) => {
            let all: Vec<String> = plan
                .refusals
                .iter()
                .map(|r| format!("{}: {}", r.code, r.detail))
                .collect();
            all.join("\n")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_plain_table_and_its_indexes_are_read_and_nothing_is_left() {
    let journey = scene(15, "wanted_file", ORDERS).await;
    let before = inventory(&journey).await;
    for (sql, part) in [
        (
            "create table orders (id bigint primary key); drop table orders",
            "MOV-005: drop table orders",
        ),
        ("commit; drop table orders", "MOV-005: commit"),
        ("/* ; */ do $$ begin perform 1; end $$", "MOV-005: /* ; */ do"),
        (
            "create table a (id int); create table b (id int)",
            "MOV-007: shape.sql: it makes 2 tables",
        ),
        ("-- nothing; at all\n", "MOV-007: shape.sql: it makes no table"),
        (
            "create table public.orders (id bigint)",
            "MOV-004: relation \"orders\" already exists",
        ),
        (
            "create table public.other (id bigint)",
            "MOV-007: shape.sql: it makes no table",
        ),
        // It would not be made; whoever wrote it would believe that it is.
        (
            "create table t (id bigint); create index on customers (id)",
            "MOV-007: shape.sql: it makes an index on public.customers, which is another table",
        ),
        (
            "create table t (id bigint) partition by hash (id)",
            "MOV-007: shape.sql: it makes a partitioned table",
        ),
        (
            "create table t (id bigint, c int references customers)",
            "MOV-004: constraints on temporary tables",
        ),
        (
            "create table t (id bigint references customers)",
            "leave foreign keys out of the file",
        ),
        (
            "create table t () inherits (customers)",
            "MOV-007: shape.sql: the table inherits",
        ),
        (
            "create tabel t (id bigint)",
            "MOV-004: syntax error at or near \"tabel\"",
        ),
        (
            "create table t (id bigint, at timestamptzz)",
            "MOV-004: type \"timestamptzz\" does not exist",
        ),
        (
            "create table t (id bigint default 'it''s; so')",
            "MOV-004: invalid input syntax for type bigint",
        ),
        (
            "create table t (id bigint primary key, n serial)",
            "MOV-007: n would draw from a new sequence",
        ),
    ] {
        let words = Words {
            sql,
            is_one_way: true,
            ..Words::default()
        };
        let said = refusal(&journey, words).await;
        assert!(said.contains(part), "{sql}: {part}: {said}");
    }
    plan_of(&journey, BIGINT)
        .await
        .unwrap()
        .check_executable()
        .unwrap();
    assert_eq!(inventory(&journey).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_are_functions_of_one_row() {
    let journey = scene(15, "wanted_words", ORDERS).await;
    let base = "create table orders (id bigint primary key, customer_id int not null, note text, total numeric(10,2), paid boolean, x text";
    let sql = format!("{base})");
    for (set, part) in [
        (
            "x = now()::text",
            "MOV-006: x: now() gives another value each time",
        ),
        ("x = current_date::text", "MOV-006: x: it depends on the clock"),
        ("x = random()::text", "MOV-006: x: random() gives"),
        (
            "x = nextval('orders_id_seq')::text",
            "MOV-006: x: nextval() gives",
        ),
        (
            "x = (select max(id)::text from customers)",
            "MOV-006: x: it has a subquery",
        ),
        ("x = max(note)", "MOV-006: x: it has a subquery, an aggregate"),
        ("x = generate_series(1, 2)::text", "MOV-006: x: it has"),
        ("x = nope", "MOV-004: x = nope: column \"nope\" does not exist"),
        (
            "x = note; drop table items",
            "MOV-004: x = note; drop table items: syntax error",
        ),
        ("x = note) from orders s; drop table items; --", "MOV-004"),
        (
            "customer_id = note::jsonb",
            "MOV-061: customer_id: column \"customer_id\" is of type integer but expression is of type jsonb",
        ),
        (
            "totl = 1",
            "MOV-004: --set totl = …: there is no such column in the new table; did you mean total?",
        ),
        ("workers = 4", "a setting is given with --setting KEY=VALUE"),
    ] {
        let words = Words {
            sql: &sql,
            set: &[set],
            ..Words::default()
        };
        let said = refusal(&journey, words).await;
        assert!(said.contains(part), "{set}: {part}: {said}");
    }
    // A comment at its end, a literal of no type, and a function of the user by its bare name are no trouble.
    journey
        .run("create function plain(t text) returns text immutable language sql as $$ select upper(t) $$")
        .await;
    for set in [
        "x = note -- as it is",
        "x = 'const'",
        "x = plain(note)",
        "x = case when paid then null else total end",
    ] {
        let words = Words {
            sql: &sql,
            set: &[set],
            ..Words::default()
        };
        assert_eq!(refusal(&journey, words).await, "", "{set}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shape_lacks_is_named() {
    let journey = scene(15, "wanted_lacks", ORDERS).await;
    journey
        .run(
            "alter table orders add column at timestamp; create view by_total as select id from orders where total > 5; \
             alter table orders add column code varchar(20) unique; create table refers (code varchar(20) references orders (code))",
        )
        .await;
    let rest = "customer_id int not null, note text, paid boolean, at timestamp, code varchar(20) unique";
    for (sql, words, part) in [
        // Values.
        (
            "id bigint primary key, total numeric(10,2), fresh int not null",
            Words::default(),
            "MOV-061: fresh must not be null, and nothing says what it is",
        ),
        (
            "id bigint primary key, total bytea",
            Words::default(),
            "MOV-061: total: column \"total\" is of type bytea but expression is of type numeric",
        ),
        // The way back.
        (
            "id bigint primary key",
            Words::default(),
            "MOV-062: total: the new table has no such column; --reverse-set 'total = …', or --one-way",
        ),
        (
            "id bigint primary key, total numeric(10,1)",
            Words::default(),
            "MOV-062: total: numeric(10,1) does not become numeric(10,2) again by itself",
        ),
        (
            "id bigint primary key",
            Words {
                reverse_set: &["total = 0", "paid = null"],
                ..Words::default()
            },
            "MOV-062: paid must not be null in the old table; --reverse-set 'paid = …', or --one-way",
        ),
        // The key.
        ("id bigint, total numeric(10,2)", Words::default(), ""),
        (
            "id text primary key, total numeric(10,2)",
            Words {
                is_one_way: true,
                ..Words::default()
            },
            "MOV-060",
        ),
        (
            "n bigint primary key, id bigint not null, total numeric(10,2)",
            Words {
                set: &["n = id + 1"],
                ..Words::default()
            },
            "MOV-060",
        ),
        // What hangs on it.
        (
            "id bigint primary key",
            Words {
                is_one_way: true,
                ..Words::default()
            },
            "MOV-064: view public.by_total: it uses total, which goes",
        ),
        (
            "id bigint primary key, total numeric",
            Words {
                reverse_set: &["total = total"],
                ..Words::default()
            },
            "MOV-064: view public.open_orders: it uses total, whose type changes",
        ),
    ] {
        let sql = format!("create table orders ({rest}, {sql})");
        let said = refusal(&journey, Words { sql: &sql, ..words }).await;
        match part {
            "" => assert_eq!(
                said.replace(
                    "MOV-064: view public.by_total: it uses id, whose type changes",
                    ""
                ),
                "",
                "{sql}"
            ),
            part => assert!(said.contains(part), "{sql}: {part}: {said}"),
        }
    }
    let sql = "create table orders (id int primary key, customer_id int not null, note text, total numeric(10,2), paid boolean, at timestamptz)";
    let said = refusal(
        &journey,
        Words {
            sql,
            is_one_way: true,
            ..Words::default()
        },
    )
    .await;
    for part in [
        "MOV-061: at: the cast depends on settings of the session, such as the time zone",
        "MOV-042: refers_code_fkey of public.refers: it references (code), and the new table has no unique key over that",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

const NARROW: Words<'static> = Words {
    sql: "create table orders (id bigint primary key, n int not null check (n < 1000), mail varchar(8), \
          constraint one_mail unique (mail))",
    set: &["n = n::int", "mail = lower(mail)"],
    reverse_set: &["n = n", "mail = mail"],
    is_one_way: false,
};

const LOOSE: &str = "create table orders (id int primary key, n text, mail text); \
    insert into orders select i, i % 900, 'Mail' || i from generate_series(1, 6000) i";

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_are_shown_by_the_plan() {
    let journey = scene(15, "wanted_plan_rows", LOOSE).await;
    let plan = plan_of(&journey, NARROW).await.unwrap();
    plan.check_executable().unwrap();
    let said = plan.warnings.join("\n");
    assert!(said.contains("all 6000 rows were tried, and fit"), "{said}");
    journey
        .run(
            "update orders set n = 'x' where id = 5001; update orders set n = null where id = 5002; \
             update orders set n = '5000' where id = 5003; update orders set mail = 'much longer' where id = 5004; \
             update orders set mail = 'mail9' where id = 10",
        )
        .await;
    let before = inventory(&journey).await;
    let plan = plan_of(&journey, NARROW).await.unwrap();
    let fault = plan.check_executable().unwrap_err();
    assert_eq!(fault.code().id, "MOV-063");
    for part in [
        "by key (id): (5001): invalid input syntax for type integer: \"x\" (22P02)",
        "(5002): null value in column \"n\"",
        "(5003): new row for relation \"corridor_trial\" violates check",
        "(5004): value too long for type character varying(8) (22001)",
        "one_mail: 2 rows would have (mail9)",
    ] {
        assert!(fault.detail().contains(part), "{part}: {}", fault.detail());
    }
    assert_eq!(inventory(&journey).await, before);
}

/// Rows that were written after the plan was made: the worker stops with the keys, the application is not bothered, and
/// when they are put right the move goes on. Before the copy, amid the copy, and in a round.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_later_stop_the_worker_and_nobody_else() {
    let mut journey = scene(15, "wanted_later_rows", LOOSE).await;
    journey.store(&journey.wish(shape(NARROW))).await;
    journey.run("update orders set n = 'late' where id = 4711").await;
    let fault = journey.worker(Order::Start).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MIR-001");
    assert!(
        fault.to_string().contains("(4711): invalid input syntax"),
        "{fault}"
    );
    let state: String = journey
        .ask("select state || ' ' || (state_detail ->> 'code') from corridor.migration")
        .await;
    assert_eq!(state, "failed MIR-001");
    journey.run("update orders set n = '1' where id = 4711").await;
    let worker = journey.worker(Order::Resume);
    until(async || worker.ear.count(|p| matches!(p, Progress::InStep { .. })) > 0).await;
    worker.interrupt.send(true).unwrap();
    assert_eq!(worker.end().await, Outcome::Interrupted);
    // In step, and then something that only another row stands in the way of.
    journey
        .run("update orders set mail = 'MAIL77' where id = 78")
        .await;
    let fault = journey.worker(Order::Resume).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MIR-001");
    assert!(fault.to_string().contains("(78): duplicate key value"), "{fault}");
    journey
        .run("update orders set mail = 'Mail78', n = null where id = 78")
        .await;
    let fault = journey.worker(Order::Resume).task.await.unwrap().unwrap_err();
    assert!(
        fault.to_string().contains("(78): null value in column \"n\""),
        "{fault}"
    );
    // The way out: everything is as it was.
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    journey.assert_clean().await;
    let rows: i64 = journey.ask("select count(*) from orders").await;
    assert_eq!(rows, 6000);
}

/// What the old shape cannot take does not bother the application; it closes the way back for as long as it is there.
#[tokio::test(flavor = "multi_thread")]
async fn rows_beyond_the_old_shape_refuse_the_rollback_until_they_are_gone() {
    let mut journey = scene(15, "wanted_back_rows", ORDERS).await;
    journey.store(&journey.wish(shape(BIGINT))).await;
    journey.until_ready().await;
    journey.worker(Order::Cutover).end().await;
    journey
        .run(
            "insert into orders (id, customer_id) values (3000000000, 1), (3000000001, 2); \
             update orders set total = total + 1 where id = 7",
        )
        .await;
    // With a worker that keeps the tables in step: it goes on, and says which rows.
    let attending = journey.worker(Order::Resume);
    let says = |p: &Progress| matches!(p, Progress::Unfit { rows } if rows.len() == 2 && rows[1].starts_with("(3000000001): integer out of range"));
    until(async || attending.ear.count(says) > 0).await;
    let noted: i64 = journey
        .ask("select count(*) from corridor.journal where event = 'rows_do_not_fit_back'")
        .await;
    assert_eq!(noted, 1);
    let fault = journey.worker(Order::Rollback).task.await.unwrap().unwrap_err();
    assert!(
        fault
            .to_string()
            .contains("2 rows of public.orders, by key: (3000000000): integer out of range"),
        "{fault}"
    );
    attending.interrupt.send(true).unwrap();
    assert_eq!(attending.end().await, Outcome::Interrupted);
    // Without one.
    let fault = journey.worker(Order::Rollback).task.await.unwrap().unwrap_err();
    assert_eq!(
        (fault.code().id, fault.code().exit.code()),
        ("MIR-008", 4),
        "{fault}"
    );
    let state: String = journey.ask("select state from corridor.migration").await;
    assert_eq!(state, "waiting", "nothing was changed");
    // The comparison leaves them out, and does not call them a difference.
    journey.worker(Order::Verify).end().await;
    // One that nobody has taken in yet is found in the swap itself.
    journey.run("update orders set id = 3000000009 where id = 2008; delete from orders where id in (3000000000, 3000000001)").await;
    let fault = journey.worker(Order::Rollback).task.await.unwrap().unwrap_err();
    assert!(fault.code().id == "MIR-008", "{fault}");
    journey
        .run("update orders set id = 2008 where id = 3000000009")
        .await;
    journey.run("update orders set id = 3000000010 where id = 2009; update orders set id = 2009 where id = 3000000010").await;
    let before = digest(&journey, "select * from orders").await;
    // Asked again, from the state of a swap back that failed: what was noted is taken in first.
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    assert_eq!(digest(&journey, "select * from orders").await, before);
    journey.assert_clean().await;
}

/// An identity key is widened; a text key gets another name and type; a serial key is renamed and goes on drawing from its
/// sequence; and a table is made `like` the old one.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_other_kinds_there_and_back() {
    for major in [14, 18]
        .into_iter()
        .filter(|major| majors().contains(major) || *major == 14)
    {
        let mut journey = scene(
            major,
            "wanted_identity",
            "create table orders (id int generated always as identity (start 10 increment 10) primary key, v text); \
             insert into orders (v) select 'v' || i from generate_series(1, 500) i",
        )
        .await;
        let words = Words {
            sql: "create table orders (id bigint primary key, v text)",
            ..Words::default()
        };
        const WRITES: &[&str] = &[
            "insert into orders (v) values ('I')",
            "update orders set v = 'w' where id = I % 500 * 10",
        ];
        there_and_back(&mut journey, words, WRITES, "select * from orders", async |journey| {
            let last: String = journey
                .ask("select max_value || ' ' || start_value || ' ' || increment_by from pg_sequences where sequencename = 'orders_id_seq'")
                .await;
            assert_eq!(last, "9223372036854775807 10 10");
        })
        .await;
        let maximum: i64 = journey
            .ask("select max_value from pg_sequences where sequencename = 'orders_id_seq'")
            .await;
        assert_eq!(maximum, 2_147_483_647, "as it was");
        there_for_good(&mut journey, words, "select * from orders").await;

        let mut journey = scene(
            major,
            "wanted_text_key",
            "create table orders (region varchar(10) collate \"C\" not null, code text collate \"C\" not null, v int, unique (region, code)); \
             insert into orders select 'r' || i % 5, 'Ä' || i, i from generate_series(1, 800) i",
        )
        .await;
        let words = Words {
            sql: "create table shape (area text collate \"C\" not null, code varchar(40) collate \"C\" not null, v int, unique (area, code))",
            set: &["area = region"],
            reverse_set: &["region = area"],
            is_one_way: false,
        };
        let plan = plan_of(&journey, words).await.unwrap();
        assert_eq!(plan.refusals, []);
        there_for_good(&mut journey, words, "select v, code from orders").await;
        let index: String = journey
            .ask("select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'orders'::regclass")
            .await;
        assert!(
            index.contains("orders_area_code_key ON public.orders USING btree (area, code)"),
            "{index}"
        );

        let mut journey = scene(
            major,
            "wanted_serial",
            "create table orders (id serial primary key, v text, extra int); insert into orders (v) select 'v' || i from generate_series(1, 300) i; \
             create index orders_v_idx on orders (v)",
        )
        .await;
        let words = Words {
            sql: "create table t (like orders including all); create index on t (extra)",
            ..Words::default()
        };
        there_for_good(&mut journey, words, "select * from orders").await;
        let words = Words {
            sql: "create table orders (order_id bigint primary key default nextval('orders_id_seq'), v text, extra int)",
            set: &["order_id = id"],
            reverse_set: &["id = order_id"],
            is_one_way: false,
        };
        const EITHER: &[&str] = &[
            "insert into orders (v) values ('I')",
            "update orders set extra = I where v = 'v7'",
        ];
        there_and_back(&mut journey, words, EITHER, "select v, extra from orders", async |journey| {
            let owner: String = journey
                .ask("select pg_get_serial_sequence('orders', 'order_id') || ' ' || data_type from pg_sequences where sequencename = 'orders_id_seq'")
                .await;
            assert_eq!(owner, "public.orders_id_seq bigint");
        })
        .await;
        let owner: String = journey
            .ask("select pg_get_serial_sequence('orders', 'id') || ' ' || data_type from pg_sequences where sequencename = 'orders_id_seq'")
            .await;
        assert_eq!(owner, "public.orders_id_seq integer");
        there_for_good(&mut journey, words, "select v, extra from orders").await;
        journey.run("insert into orders (v) values ('last')").await;
    }
}

/// A role that owns the table, and is nobody's superuser: the file, the expressions and the trial need no more than a
/// temporary table does.
#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_role_moves_into_a_wanted_shape_and_back() {
    let mut journey = scene(15, "wanted_role", TICKETS).await;
    let (role, database) = (
        format!("mover_of_{}", journey.database.name),
        journey.database.name.clone(),
    );
    journey
        .run(&format!(
            "create role {role} login; grant create on database {database} to {role}; grant pg_read_all_stats to {role}; \
             grant create on schema public to {role}; alter table orders owner to {role}; grant references on teams to {role}"
        ))
        .await;
    journey.connect = options(&journey.database.url.replace("postgres@", &format!("{role}@")));
    journey
        .run(&format!("revoke temporary on database {database} from public"))
        .await;
    let fault = plan_of(&journey, TICKETS_NEW).await.unwrap_err();
    assert_eq!(fault.code().id, "PG-007", "{fault}");
    journey
        .run(&format!("grant temporary on database {database} to {role}"))
        .await;
    let plan = plan_of(&journey, TICKETS_NEW).await.unwrap();
    assert_eq!((plan.refusals, plan.missing_grants), (vec![], vec![]));
    there_and_back(
        &mut journey,
        TICKETS_NEW,
        TICKETS_BUSY,
        TICKETS_ALIKE,
        async |_| {},
    )
    .await;
    let owner: String = journey
        .ask("select relowner::regrole::text from pg_class where oid = 'orders'::regclass")
        .await;
    assert_eq!(owner, role);
}

/// A truncate after the cut-over empties the old table; what comes then is copied back, but for what does not fit.
#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_in_the_hold_is_followed_by_what_fits() {
    let mut journey = scene(15, "wanted_truncate", TICKETS).await;
    let words = Words {
        sql: "create table orders (id bigint primary key, status text, at timestamp, note text)",
        set: &["note = first"],
        reverse_set: &[
            "doc = null",
            "first = note",
            "last = null",
            "legacy = null",
            "team_id = null",
            "status = nullif(status, 'bad')",
        ],
        is_one_way: false,
    };
    journey.store(&journey.wish(shape(words))).await;
    journey.until_ready().await;
    journey.worker(Order::Cutover).end().await;
    journey
        .run(
            "truncate orders; insert into orders select i, case i when 7 then 'bad' else 'open' end, null, 'n' || i \
             from generate_series(1, 900) i",
        )
        .await;
    let fault = journey.worker(Order::Rollback).task.await.unwrap().unwrap_err();
    assert_eq!(fault.code().id, "MIR-008", "{fault}");
    assert!(
        fault
            .to_string()
            .contains("1 row of public.orders, by key: (7): null value in column \"status\""),
        "{fault}"
    );
    journey
        .run("update orders set status = 'closed' where id = 7")
        .await;
    assert_eq!(
        journey.worker(Order::Rollback).end().await,
        Outcome::Ended(State::RolledBack)
    );
    let rows: String = journey
        .ask("select concat_ws(' ', count(*), count(*) filter (where first = 'n' || id), min(status) filter (where id = 7)) from orders")
        .await;
    assert_eq!(rows, "900 900 closed");
    journey.assert_clean().await;
}
