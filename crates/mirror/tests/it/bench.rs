//! A source, a target, a lease and a mirror between them, in a database of their own.

use std::time::Duration;

use corridor_mirror::{ChunkOutcome, Column, Digest, KeyColumn, Mirror, MirrorSpec, Round, Sizer};
use corridor_pg::fence::Fence;
use corridor_pg::{ApplicationName, ConnectOptions, Ident, QualifiedName, Session};
use corridor_testbed::Cluster;

pub(crate) fn ident(name: &str) -> Ident {
    Ident::new(name).unwrap()
}

pub(crate) fn name(name: &str) -> QualifiedName {
    QualifiedName::new(ident("public"), ident(name))
}

pub(crate) fn key(name: &str, type_sql: &str) -> KeyColumn {
    KeyColumn {
        name: ident(name),
        type_sql: type_sql.into(),
        collation: None,
        target_name: None,
    }
}

pub(crate) struct Bench {
    pub(crate) url: String,
    pub(crate) mirror: Mirror,
    pub(crate) fence: Fence,
    /// Copies and applies.
    pub(crate) writer: Session,
    /// Answers what is claimed.
    pub(crate) observer: Session,
    /// The application, and the test's own eyes.
    pub(crate) app: Session,
}

pub(crate) async fn session(url: &str, role: &str) -> Session {
    ConnectOptions::from_process(Some(url))
        .unwrap()
        .connect(&ApplicationName::new(role, "test"))
        .await
        .unwrap()
}

impl Bench {
    /// `ddl` makes `public.old` and `public.new`.
    pub(crate) async fn new(label: &str, ddl: &str, key: Vec<KeyColumn>, columns: &[&str]) -> Bench {
        Bench::of(label, ddl, spec("7_fwd", "old", "new", key, columns)).await
    }

    /// With a mirror of the test's own.
    pub(crate) async fn of(label: &str, ddl: &str, spec: MirrorSpec) -> Bench {
        let database = Cluster::shared(15).await.fresh_database(label).await.unwrap();
        let app = session(&database.url, "app").await;
        app.batch_execute("set search_path = public").await.unwrap();
        app.batch_execute(ddl).await.unwrap();
        app.batch_execute(
            "create schema corridor; create table corridor.lease (migration_id bigint primary key, epoch bigint not null); \
             insert into corridor.lease values (7, 1)",
        )
        .await
        .unwrap();
        for sql in spec.create_statements() {
            app.batch_execute(&sql).await.unwrap();
        }
        app.batch_execute(&spec.trigger_statements(&[]).join("; "))
            .await
            .unwrap();
        Bench {
            mirror: Mirror::new(spec),
            fence: Fence {
                migration_id: 7,
                epoch: 1,
            },
            writer: session(&database.url, "writer").await,
            observer: session(&database.url, "observer").await,
            app,
            url: database.url,
        }
    }

    /// The usual small table: `id bigint primary key, v text`, `rows` rows.
    pub(crate) async fn simple(label: &str, rows: i64) -> Bench {
        let ddl = format!(
            "create table old (id bigint primary key, v text); create table new (like old including indexes); \
             insert into old select i, 'v' || i from generate_series(1, {rows}) i"
        );
        Bench::new(label, &ddl, vec![key("id", "bigint")], &["id", "v"]).await
    }

    pub(crate) async fn plan(&mut self, lanes: u32) -> usize {
        self.mirror
            .plan_lanes(&mut self.writer, &self.fence, lanes)
            .await
            .unwrap()
    }

    pub(crate) async fn chunk(&mut self, rows: u64) -> ChunkOutcome {
        let lanes = self.mirror.lanes(&*self.app).await.unwrap();
        let lane = lanes.iter().find(|l| !l.is_done).unwrap().lane;
        self.mirror
            .copy_chunk(&mut self.writer, &self.fence, lane, &mut fixed(rows))
            .await
            .unwrap()
    }

    pub(crate) async fn copy_all(&mut self, rows: u64) {
        while !self.mirror.is_copied(&*self.app).await.unwrap() {
            self.chunk(rows).await;
        }
    }

    pub(crate) async fn round(&mut self) -> Round {
        self.mirror
            .round(&mut self.writer, &self.observer, &self.fence, 1_000, 0)
            .await
            .unwrap()
    }

    pub(crate) async fn drain(&mut self) {
        loop {
            let round = self.round().await;
            if round.is_drained && round.left == 0 {
                return;
            }
        }
    }

    /// Rows that are only in one of the two tables, as text.
    pub(crate) async fn difference(&self) -> Vec<String> {
        let (source, target) = (&self.mirror.spec().source, &self.mirror.spec().target);
        let columns = corridor_pg::ident::join(self.mirror.spec().columns.iter().map(|c| &c.name), ", ");
        let sql = format!(
            "select 'only in source: ' || r::text from (select {columns} from {source} except all select {columns} from {target}) r \
             union all \
             select 'only in target: ' || r::text from (select {columns} from {target} except all select {columns} from {source}) r"
        );
        self.app
            .query(&sql, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect()
    }

    pub(crate) async fn assert_equal(&self) {
        let difference = self.difference().await;
        assert!(difference.is_empty(), "{difference:#?}");
    }

    /// Waits until a session whose application name contains `role` waits for a lock.
    pub(crate) async fn until_waiting(&self, role: &str) {
        until(async || {
            let sql = "select exists (select from pg_stat_activity where application_name like '%' || $1 || '%' \
                       and wait_event_type = 'Lock' and datname = current_database())";
            self.app.query_one(sql, &[&role]).await.unwrap().get(0)
        })
        .await;
    }
}

/// Polls a condition of the server, which sends no signal of its own, for at most 20 s.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..4_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the condition did not come about within 20 s");
}

/// A sizer that always says about `rows`.
pub(crate) fn fixed(rows: u64) -> Sizer {
    let mut sizer = Sizer::new(1_000, u64::MAX);
    while sizer.next_rows(0) < rows {
        let now = sizer.next_rows(0);
        sizer.observe(now, 1);
    }
    let now = sizer.next_rows(0).max(1);
    sizer.observe(now, now * 1_000 / rows.max(1));
    sizer
}

pub(crate) fn spec(
    tag: &str,
    source: &str,
    target: &str,
    key: Vec<KeyColumn>,
    columns: &[&str],
) -> MirrorSpec {
    MirrorSpec {
        tag: tag.into(),
        source: name(source),
        target: name(target),
        key,
        columns: columns
            .iter()
            .map(|c| Column {
                name: ident(c),
                digest: Digest::Text,
                value: None,
            })
            .collect(),
        is_noting_unfit: false,
    }
}

/// Makes the target wait, inside the chunk's own insert, for the advisory lock 42 when it comes to row `id`.
pub(crate) const STALL: &str = "create function stall() returns trigger language plpgsql as $$ begin \
    perform pg_catalog.pg_advisory_xact_lock_shared(42); return new; end $$; \
    create trigger stall before insert on new for each row when (new.id = 5) execute function stall()";
