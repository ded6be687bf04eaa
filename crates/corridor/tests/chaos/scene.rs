//! A table that is drawn: its key, its columns, what hangs on it, and the shape that it is to get.

use std::path::Path;

use corridor_testbed::cluster::connect;
use corridor_testbed::traffic::{KeyType, Table};

use crate::Result;

/// What a life is about.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) table: Table,
    /// How the source is partitioned.
    partitioned_by: Option<String>,
    /// `--partition-by …`, as the command line takes it.
    pub(crate) shape: Vec<String>,
    /// True when the shape is a file (`--to`) in which the key is `bigint`.
    pub(crate) has_wanted_shape: bool,
    /// True when the table is to be partitioned at the end.
    pub(crate) becomes_partitioned: bool,
    /// Names of the things that hang on the table.
    pub(crate) parts: Vec<&'static str>,
    /// Statements before the rows come, and after.
    before: Vec<String>,
    after: Vec<String>,
    /// Queries that must find no row, whatever happened.
    pub(crate) checks: Vec<(&'static str, String)>,
    /// True when the end of the move leaves a dump of the schema as it was.
    pub(crate) is_dump_kept: bool,
}

/// The audit's token column finds these rows only: those that were filled in were written before the audit began.
const AUDITED: &str = "(t.version > 0 or t.token >= KEYSPACE)";

/// The table as it is, with a larger key and one column more.
const WANTED: &str = "
    select format('create table wanted (%s, added int not null default 7, primary key (k))', string_agg(
        format('%I %s', attname, case attname when 'k' then 'bigint' else format_type(atttypid, atttypmod) end)
        || case when attcollation <> typcollation
             then (select format(' collate %I', collname) from pg_collation c where c.oid = attcollation) else '' end
        || case when attgenerated = 's' then format(' generated always as (%s) stored', pg_get_expr(adbin, adrelid))
             when atthasdef then ' default ' || pg_get_expr(adbin, adrelid) else '' end
        || case when attnotnull then ' not null' else '' end, ', ' order by attnum))
    from pg_attribute join pg_type t on t.oid = atttypid
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where attrelid = to_regclass($1) and attnum > 0 and not attisdropped";

impl Scene {
    pub(crate) fn draw(random: &mut fastrand::Rng) -> Scene {
        let schema = one_of(random, &["public", "app", "\"Odd Schema\""]);
        let name = one_of(
            random,
            &[
                "t",
                "ledger",
                "\"Tabl e\"",
                "a_table_whose_name_is_as_long_as_a_name_can_be_in_here_63_bytes",
            ],
        );
        let key = key(random);
        let mut table = Table::ledger(&format!("{schema}.{name}"), key, random.u64(500..20_000));
        table.large_percent = one_of(random, &[0, 5, 5, 30]);
        let mut scene = Scene {
            table,
            partitioned_by: None,
            shape: Vec::new(),
            has_wanted_shape: false,
            becomes_partitioned: false,
            parts: Vec::new(),
            before: vec![
                "create schema if not exists app; create schema if not exists \"Odd Schema\"".to_owned(),
            ],
            after: Vec::new(),
            checks: Vec::new(),
            is_dump_kept: false,
        };
        scene.draw_shape(random);
        scene.draw_uniques(random);
        scene.draw_columns(random);
        scene.draw_triggers(random);
        scene.draw_relatives(random);
        scene.draw_ornaments(random);
        scene
    }

    /// Key columns, as SQL.
    fn key_columns(&self) -> &'static [&'static str] {
        match self.table.key {
            KeyType::TeamAndId { .. } => &["team_id", "id"],
            KeyType::Composite { .. } => &["k1", "k2"],
            _ => &["k"],
        }
    }

    fn keys(&self) -> String {
        self.key_columns().join(", ")
    }

    /// `a.k1 = b.k1 and …`
    fn same_key(&self, a: &str, b: &str) -> String {
        let pairs = self.key_columns().iter().map(|k| format!("{a}.{k} = {b}.{k}"));
        pairs.collect::<Vec<_>>().join(" and ")
    }

    fn draw_shape(&mut self, random: &mut fastrand::Rng) {
        let is_partitioned = random.u8(0..5) == 0;
        if is_partitioned {
            self.parts.push("partitioned source");
            let column = *self.key_columns().last().unwrap_or(&"k");
            self.partitioned_by = Some(column.to_owned());
        }
        self.has_wanted_shape = self.table.key == KeyType::Int && !is_partitioned && random.bool();
        let shape: Vec<String> = match random.u8(0..10) {
            // The file is named when there is a table to make it from.
            _ if self.has_wanted_shape => vec!["--to".to_owned()],
            0..4 => vec!["--same-shape".to_owned()],
            4..6 if is_partitioned => vec!["--unpartitioned".to_owned()],
            _ => self.partitions(random),
        };
        let is_same = shape.first().is_some_and(|s| s == "--same-shape");
        self.becomes_partitioned = match is_same {
            true => is_partitioned,
            false => shape.first().is_some_and(|s| s == "--partition-by"),
        };
        self.is_dump_kept = is_same;
        self.shape = shape;
    }

    fn partitions(&self, random: &mut fastrand::Rng) -> Vec<String> {
        let hash = |columns: &str, random: &mut fastrand::Rng| {
            let n = random.u8(2..9).to_string();
            vec![
                "--partition-by".to_owned(),
                format!("hash({columns})"),
                "--partitions".to_owned(),
                n,
            ]
        };
        let range = |column: &str, every: &str| {
            let by = format!("range({column})");
            ["--partition-by", &by, "--every", every, "--default-partition"]
                .map(str::to_owned)
                .to_vec()
        };
        let list = |column: &str| {
            let by = format!("list({column})");
            ["--partition-by", &by, "--default-partition"]
                .map(str::to_owned)
                .to_vec()
        };
        match (&self.table.key, random.u8(0..3)) {
            (KeyType::TeamAndId { .. }, 0) => list("team_id"),
            (KeyType::TeamAndId { .. }, 1) => hash("team_id, id", random),
            (KeyType::TeamAndId { .. }, _) => hash("team_id", random),
            (KeyType::Composite { .. }, 0) => list("k1"),
            (KeyType::Composite { .. }, 1) => range("k2", "4000"),
            (KeyType::Composite { .. }, _) => hash("k1", random),
            (KeyType::BigInt | KeyType::Int, 0..2) => range("k", "10000"),
            (KeyType::Timestamptz, 0..2) => range("k", "1 hour"),
            _ => hash("k", random),
        }
    }

    /// The unique second value: plain, deferrable, by an exclusion, or not constrained.
    fn draw_uniques(&mut self, random: &mut fastrand::Rng) {
        let table = self.table.name.clone();
        if self.becomes_partitioned || self.partitioned_by.is_some() {
            // A unique index has to have the partition's columns in it.
            self.table.is_slot_unique = false;
            return;
        }
        let deferred = one_of(random, &["", "deferrable", "deferrable initially deferred"]);
        match random.u8(0..4) {
            0 => {
                self.table.is_slot_unique = false;
                self.parts.push("exclusion");
                self.after.push(format!(
                    "alter table {table} add constraint no_two exclude using btree (slot with =) {deferred}"
                ));
            }
            1 => {
                self.table.is_slot_unique = false;
                self.parts.push("deferrable unique");
                self.after.push(format!(
                    "alter table {table} add constraint no_two unique (slot) {deferred}"
                ));
            }
            2 => {
                self.table.is_slot_unique = false;
                self.parts.push("partial unique");
                self.after.push(format!(
                    "create unique index on {table} (slot) where slot is not null"
                ));
            }
            _ => {}
        }
    }

    fn draw_columns(&mut self, random: &mut fastrand::Rng) {
        let table = self.table.name.clone();
        let is_partitioned = self.partitioned_by.is_some();
        let has_wanted_shape = self.has_wanted_shape;
        let mut add = |column: &str| self.before_rows(format!("alter table {table} add column {column}"));
        let kinds = [
            "c_int int default 7",
            "c_char char(7) default 'c'",
            "c_bytes bytea default '\\x00ff'",
            "c_json jsonb default '{\"a\": [1, null]}'",
            "c_float float8 default '-0'",
            "c_nan float8 default 'nan'",
            "c_texts text[] default array['a', null, 'ä\"']",
            "c_range int4range default '[1,5)'",
            "c_domain app.positive default 3",
            "c_enum app.mood default 'fine'",
            "c_interval interval default '1 month -3 days'",
            "c_inet inet default '10.0.0.1/8'",
            "c_bit bit varying(9) default B'101'",
            "c_pair app.pair default row(1, 'x')",
            "c_null text",
            "c_identity bigint generated by default as identity",
            "c_always int generated always as identity",
            "\"C quoted\" text collate \"C\" not null default 'q'",
        ];
        for column in kinds {
            // An identity cannot be added to what has partitions; a file would have to say which sequence it means.
            let is_possible = !is_partitioned && !has_wanted_shape || !column.contains("identity");
            if random.u8(0..4) == 0 && is_possible {
                add(column);
            }
        }
        if random.bool() {
            add("c_gone int default 1");
            self.before_rows(format!("alter table {table} drop column c_gone"));
            self.parts.push("dropped column");
        }
        if random.bool() {
            self.before_rows(format!(
                "alter table {table} add column c_double bigint generated always as (token * 2) stored"
            ));
            self.parts.push("generated");
            self.checks.push((
                "a generated column is wrong",
                format!("select * from {table} where c_double is distinct from token * 2"),
            ));
        }
        self.before.push(
            "create domain app.positive as int check (value > 0); create type app.mood as enum ('fine', 'bad'); \
             create type app.pair as (a int, b text)"
                .to_owned(),
        );
    }

    /// These run after `create table`; types come before it.
    fn before_rows(&mut self, sql: String) {
        self.before.push(format!("\u{1}{sql}"));
    }

    fn draw_triggers(&mut self, random: &mut fastrand::Rng) {
        let table = self.table.name.clone();
        if random.bool() {
            self.parts.push("before trigger");
            self.before_rows(format!(
                "alter table {table} add column c_rest int not null default 0"
            ));
            self.after.push(format!(
                "update {table} set c_rest = token % 97; \
                 create function app.rest() returns trigger language plpgsql as \
                 $$ begin new.c_rest := new.token % 97; return new; end $$; \
                 create trigger rest before insert or update on {table} for each row execute function app.rest()"
            ));
            self.checks.push((
                "a before trigger did not do its work",
                format!("select * from {table} where c_rest is distinct from token % 97"),
            ));
        }
        if random.bool() {
            self.parts.push("audit trigger");
            // Every state of a row is new, so an audit that sees one twice was called twice: a unique violation.
            self.after.push(format!(
                "create table app.audit (token bigint, version bigint, primary key (token, version)); \
                 create function app.audit() returns trigger language plpgsql as \
                 $$ begin insert into app.audit values (new.token, new.version); return null; end $$; \
                 create trigger audit after insert or update on {table} for each row execute function app.audit()"
            ));
            self.checks.push((
                "an audit trigger was not called",
                format!(
                    "select * from {table} t where {AUDITED} and not exists \
                     (select from app.audit a where a.token = t.token and a.version = t.version)"
                ),
            ));
        }
    }

    /// Tables that refer to it, and that it refers to.
    fn draw_relatives(&mut self, random: &mut fastrand::Rng) {
        let (table, keys) = (self.table.name.clone(), self.keys());
        if random.bool() {
            self.parts.push("refers");
            let deferred = one_of(random, &["", "deferrable initially deferred"]);
            self.before.push("create table app.parent (id int primary key); insert into app.parent select generate_series(1, 10)".to_owned());
            self.before_rows(format!("alter table {table} add column parent_id int default 3"));
            self.after.push(format!(
                "alter table {table} add constraint parent foreign key (parent_id) references app.parent {deferred}"
            ));
        }
        if random.bool() {
            self.parts.push("referred to");
            let deferred = one_of(random, &["", "deferrable initially deferred"]);
            self.after.push(format!(
                "create table app.child as select row_number() over () as child_id, {keys} from {table} limit 300; \
                 alter table app.child add primary key (child_id), \
                   add constraint child foreign key ({keys}) references {table} ({keys}) on update cascade on delete cascade {deferred}; \
                 create index on app.child ({keys})"
            ));
            let same = self.same_key("t", "c");
            self.checks.push((
                "a row refers to nothing",
                format!("select * from app.child c where not exists (select from {table} t where {same})"),
            ));
        }
    }

    fn draw_ornaments(&mut self, random: &mut fastrand::Rng) {
        let table = self.table.name.clone();
        let ornaments = [
            (
                "partial index",
                format!("create index on {table} (version) where note is not null"),
            ),
            (
                "expression index",
                format!("create index on {table} (lower(note), (amount * 2)) include (token)"),
            ),
            ("brin", format!("create index on {table} using brin (token)")),
            ("hash index", format!("create index on {table} using hash (note)")),
            (
                "check",
                format!("alter table {table} add constraint has_version check (version >= 0)"),
            ),
            (
                "check not valid",
                format!("alter table {table} add constraint short check (length(note) < 100) not valid"),
            ),
            (
                "view",
                format!("create view app.seen as select token, version from {table} where slot is not null"),
            ),
            (
                "materialized view",
                format!("create materialized view app.counted as select count(*) from {table}"),
            ),
            (
                "comment",
                format!(
                    "comment on table {table} is 'the ledger''s'; comment on column {table}.note is 'a note'"
                ),
            ),
            (
                "grant",
                format!("grant select on {table} to public; grant update (note) on {table} to public"),
            ),
            (
                "statistics",
                format!("create statistics app.both on token, version from {table}"),
            ),
            (
                "column settings",
                format!("alter table {table} alter note set statistics 77, alter blob set storage external"),
            ),
            (
                "policy",
                format!(
                    "create policy all_of_it on {table} using (true); alter table {table} enable row level security"
                ),
            ),
        ];
        for (name, sql) in ornaments {
            if random.u8(0..4) == 0 {
                self.parts.push(name);
                self.after.push(sql);
            }
        }
        if self.partitioned_by.is_none() && random.u8(0..4) == 0 {
            self.parts.push("fillfactor");
            self.before_rows(format!(
                "alter table {table} set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)"
            ));
        }
    }

    /// Makes everything; a wanted shape becomes a file in `directory`. `key_space` is the traffic's: tokens of new writes are above it.
    pub(crate) async fn make(&mut self, url: &str, key_space: u64, directory: &Path) -> Result<()> {
        let client = connect(url).await?;
        let table = self.table.clone();
        let (in_table, mut script): (Vec<String>, Vec<String>) = self
            .before
            .iter()
            .cloned()
            .partition(|sql| sql.starts_with('\u{1}'));
        match &self.partitioned_by {
            None => script.push(table.create_sql()),
            Some(column) => {
                script.push(format!("{} partition by hash ({column})", table.create_sql()));
                for remainder in 0..3 {
                    script.push(format!(
                        "create table app.part_{remainder} partition of {} for values with (modulus 3, remainder {remainder})",
                        table.name
                    ));
                }
            }
        }
        script.extend(
            in_table
                .iter()
                .map(|sql| sql.trim_start_matches('\u{1}').to_owned()),
        );
        script.push(table.fill_sql(0, table.rows));
        script.push(table.primary_key_sql());
        script.extend(self.after.iter().cloned());
        script.push(format!("analyze {}", table.name));
        for sql in script {
            client.batch_execute(&sql).await.map_err(|error| {
                let said = error
                    .as_db_error()
                    .map_or_else(|| error.to_string(), |db| db.message().to_owned());
                format!("making the scene: {said}: {sql}")
            })?;
        }
        for (_, sql) in &mut self.checks {
            *sql = sql.replace("KEYSPACE", &key_space.to_string());
        }
        if self.has_wanted_shape {
            let text: String = client.query_one(WANTED, &[&table.name]).await?.get(0);
            let file = directory.join("shape.sql");
            std::fs::write(&file, text)?;
            self.shape = vec!["--to".to_owned(), file.display().to_string()];
        }
        Ok(())
    }
}

impl std::fmt::Display for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = format!("{:?}", self.table.key);
        let key = key.split([' ', '{']).next().unwrap_or_default().to_lowercase();
        let shape = match self.has_wanted_shape {
            true => "--to bigint".to_owned(),
            false => self.shape.join(" "),
        };
        write!(f, "{} rows by {key}, {shape}", self.table.rows)?;
        if self.partitioned_by.is_some() {
            write!(f, " of partitions")?;
        }
        Ok(())
    }
}

fn key(random: &mut fastrand::Rng) -> KeyType {
    match random.u8(0..9) {
        0 => KeyType::BigInt,
        1 => KeyType::Int,
        2 => KeyType::TeamAndId { teams: 8 },
        3 => KeyType::Composite { collation: None },
        4 => KeyType::Composite {
            collation: Some("de-x-icu".to_owned()),
        },
        5 => KeyType::Uuid,
        6 => KeyType::Timestamptz,
        7 => KeyType::Numeric,
        _ => KeyType::Text {
            collation: one_of(random, &["de-x-icu", "C", "sv-x-icu", "und-x-icu"]).to_owned(),
        },
    }
}

pub(crate) fn one_of<T: Copy>(random: &mut fastrand::Rng, all: &[T]) -> T {
    all[random.usize(0..all.len())]
}
