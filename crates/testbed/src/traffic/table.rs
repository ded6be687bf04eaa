//! The tables that the traffic works on: definition, first rows, statements, and what a row must look like.
//!
//! The content of a row follows from its `token`, a number that each write draws anew: so the ledger keeps a few
//! numbers per row, and a comparison checks every byte of every column.

use super::key::{KeyType, quoted, scattered_uuid, scattered_uuid_sql};
use crate::cluster::connect;
use crate::error::{Error, Result};

/// Which columns the table has beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// `uuid uuid, properties jsonb, created_at timestamptz, version bigint`.
    Persons,
    /// `token bigint, note text, amount numeric, blob text, slot bigint, version bigint`; all but token and version
    /// can be null. `slot` is unique, unless [`Table::is_slot_unique`] says otherwise.
    Ledger,
}

/// A table that the traffic works on.
#[derive(Debug, Clone)]
pub struct Table {
    /// The name as written in SQL: `public.persons`, `"My Schema"."t"`.
    pub name: String,
    /// The columns beside the key.
    pub flavour: Flavour,
    /// The key.
    pub key: KeyType,
    /// How many rows [`Table::create`] fills in: numbers 0 to `rows - 1`.
    pub rows: u64,
    /// Of 100 values, how many are large enough to be stored out of line (in TOAST).
    pub large_percent: u64,
    /// The size of a large value. It does not compress.
    pub large_bytes: usize,
    /// False: the second value of a ledger table has no constraint, as a table needs that is to be partitioned by its
    /// key. Its values are distinct all the same, in between transactions.
    pub is_slot_unique: bool,
}

/// What the ledger knows of a row that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Decides the content.
    pub(crate) token: u64,
    /// The token of the write that made the row; `persons` keeps its time.
    pub(crate) born: u64,
    /// Counts the changes.
    pub(crate) version: u64,
    /// The unique second value.
    pub(crate) slot: Option<u64>,
}

/// From this many rows on, several sessions fill a table.
const PARALLEL_ROWS_MIN: u64 = 50_000;
const SESSIONS_MAX: usize = 4;
/// 2024-01-01 in microseconds: `created_at` of token 0.
const BORN_MICROSECONDS: u64 = 1_704_067_200_000_000;
/// Large are the tokens whose remainder by this prime falls below a bound: unrelated to teams and groups.
const LARGE_PRIME: u64 = 10_007;

impl Table {
    /// A `persons` table as in the demo: key (team_id, id), 1,000 teams, 1 of 10 values out of line.
    pub fn persons(name: &str, rows: u64) -> Table {
        Table {
            name: name.to_owned(),
            flavour: Flavour::Persons,
            key: KeyType::TeamAndId { teams: 1000 },
            rows,
            large_percent: 10,
            large_bytes: 2560,
            is_slot_unique: true,
        }
    }

    /// A ledger table with a key of the given type.
    pub fn ledger(name: &str, key: KeyType, rows: u64) -> Table {
        Table {
            name: name.to_owned(),
            flavour: Flavour::Ledger,
            key,
            rows,
            large_percent: 5,
            large_bytes: 2560,
            is_slot_unique: true,
        }
    }

    /// Makes the table, fills in its first rows, adds the primary key and analyzes.
    pub async fn create(&self, url: &str) -> Result<()> {
        let client = connect(url).await?;
        let making = || Error::postgres(format!("making table {}", self.name));
        client.batch_execute(&self.create_sql()).await.map_err(making())?;
        let sessions = match self.rows {
            0..PARALLEL_ROWS_MIN => 1,
            _ => std::thread::available_parallelism().map_or(1, |n| n.get().min(SESSIONS_MAX)) as u64,
        };
        let mut fills = Vec::new();
        for session in 0..sessions {
            let fill = self.fill_sql(
                self.rows * session / sessions,
                self.rows * (session + 1) / sessions,
            );
            let filler = connect(url).await?;
            fills.push(tokio::spawn(async move { filler.batch_execute(&fill).await }));
        }
        for fill in fills {
            fill.await
                .map_err(|_| Error::Request(format!("filling table {} was interrupted", self.name)))?
                .map_err(Error::postgres(format!("filling table {}", self.name)))?;
        }
        // After the rows: building an index is faster than keeping it.
        client
            .batch_execute(&format!("{}; analyze {}", self.primary_key_sql(), self.name))
            .await
            .map_err(making())
    }

    /// `create table`, without the primary key.
    pub fn create_sql(&self) -> String {
        let key: Vec<String> = self
            .key
            .columns()
            .iter()
            .map(|c| format!("{} {} not null", c.name, c.definition))
            .collect();
        let rest = match self.flavour {
            Flavour::Persons => {
                "uuid uuid not null, properties jsonb not null, created_at timestamptz not null default now(), \
                 version bigint not null default 0"
                    .to_owned()
            }
            Flavour::Ledger => format!(
                "token bigint not null, note text, amount numeric, blob text, slot bigint{}, \
                 version bigint not null default 0",
                if self.is_slot_unique { " unique" } else { "" }
            ),
        };
        format!("create table {} ({}, {rest})", self.name, key.join(", "))
    }

    /// `alter table … add primary key`.
    pub fn primary_key_sql(&self) -> String {
        format!("alter table {} add primary key ({})", self.name, self.key_names())
    }

    /// Inserts the first rows from number `from` up to, not including, `to`.
    pub fn fill_sql(&self, from: u64, to: u64) -> String {
        let key = self.key.sql_of_n().join(", ");
        let (columns, values) = match self.flavour {
            Flavour::Persons => (
                "uuid, properties, created_at, version",
                format!(
                    "{}, {}, {}, 0",
                    scattered_uuid_sql("n"),
                    self.properties_sql("n", "n"),
                    born_sql("n")
                ),
            ),
            Flavour::Ledger => (
                "token, note, amount, blob, slot, version",
                format!(
                    "n, {}, {}, {}, n, 0",
                    note_sql("n"),
                    amount_sql("n"),
                    self.blob_sql("n")
                ),
            ),
        };
        format!(
            "insert into {} ({}, {columns}) select {key}, {values} from {}, generate_series({from}::bigint, {to}::bigint - 1) n",
            self.name,
            self.key_names(),
            self.base_sql(),
        )
    }

    pub(crate) fn key_names(&self) -> String {
        let names: Vec<&str> = self.key.columns().iter().map(|c| c.name).collect();
        names.join(", ")
    }

    /// What row `n` was filled in as.
    pub(crate) fn first_row(&self, n: u64) -> Option<Row> {
        (n < self.rows).then_some(Row {
            token: n,
            born: n,
            version: 0,
            slot: match self.flavour {
                Flavour::Persons => None,
                Flavour::Ledger => Some(n),
            },
        })
    }

    /// True where rows have a second unique value.
    pub(crate) fn has_slots(&self) -> bool {
        self.flavour == Flavour::Ledger
    }

    fn is_large(&self, token: u64) -> bool {
        token % LARGE_PRIME % 100 < self.large_percent
    }

    /// The incompressible text that large values are made of, as a one-row relation `base(b)`.
    fn base_sql(&self) -> String {
        format!("(select {} as b) base", self.base_text_sql())
    }

    /// The text alone, as a scalar: md5 sums one after the other. Ask once, keep it.
    pub(crate) fn base_text_sql(&self) -> String {
        format!(
            "(select string_agg(md5(i::text), '' order by i) from generate_series(1, {}) i)",
            self.large_bytes.div_ceil(32)
        )
    }

    /// The large value of a token: the base text, turned. `None` when the token's value is not large.
    fn blob(&self, base: &str, token: u64) -> Option<String> {
        if !self.is_large(token) {
            return None;
        }
        let at = (token % base.len() as u64) as usize;
        Some(format!("{}{}", &base[at..], &base[..at]))
    }

    fn is_large_sql(&self, token: &str) -> String {
        format!("({token}) % {LARGE_PRIME} % 100 < {}", self.large_percent)
    }

    fn turned_sql(&self, token: &str) -> String {
        let length = self.large_bytes.div_ceil(32) * 32;
        format!(
            "substr(base.b, 1 + (({token}) % {length})::int) || substr(base.b, 1, (({token}) % {length})::int)"
        )
    }

    fn blob_sql(&self, token: &str) -> String {
        format!(
            "case when {} then {} end",
            self.is_large_sql(token),
            self.turned_sql(token)
        )
    }

    /// `properties` of row `n`, in the form in which the server prints it.
    fn properties(&self, base: &str, n: u64, token: u64) -> String {
        let small = format!("{{\"n\": {n}, \"s\": \"it's \\\"{token}\\\" \u{fc}\u{1f418}\", \"v\": {token}");
        match self.blob(base, token) {
            Some(blob) => format!("{small}, \"blob\": \"{blob}\"}}"),
            None => format!("{small}}}"),
        }
    }

    fn properties_sql(&self, n: &str, token: &str) -> String {
        format!(
            "(jsonb_build_object('n', {n}, 's', 'it''s \"' || ({token}) || '\" \u{fc}\u{1f418}', 'v', {token}) || \
             case when {} then jsonb_build_object('blob', {}) else '{{}}' end)",
            self.is_large_sql(token),
            self.turned_sql(token),
        )
    }

    /// The content columns of row `n`, as the statements take them.
    pub(crate) fn content(&self, base: &str, n: u64, token: u64) -> Vec<Option<String>> {
        match self.flavour {
            Flavour::Persons => vec![Some(scattered_uuid(n)), Some(self.properties(base, n, token))],
            Flavour::Ledger => vec![
                Some(token.to_string()),
                note(token),
                amount(token),
                self.blob(base, token),
            ],
        }
    }

    /// What `Statements::read` answers for a row.
    pub(crate) fn reading(&self, base: &str, n: u64, row: &Row) -> Vec<Option<String>> {
        let mut values = self.content(base, n, row.token);
        values.push(self.lasting(row));
        values.push(Some(row.version.to_string()));
        values
    }

    /// The last value of an insert: the one content column that updates leave alone.
    pub(crate) fn lasting(&self, row: &Row) -> Option<String> {
        match self.flavour {
            Flavour::Persons => Some(born_microseconds(row.born).to_string()),
            Flavour::Ledger => row.slot.map(|s| s.to_string()),
        }
    }

    /// The query of a comparison: key columns as an array of text, token, born, version, slot, and whether the
    /// content is what token and key say.
    pub(crate) fn compare_sql(&self, table: &str) -> String {
        let columns = self.key.columns();
        let key: Vec<String> = columns
            .iter()
            .map(|c| c.to_text(&format!("t.{}", c.name)))
            .collect();
        let key = key.join(", ");
        match self.flavour {
            Flavour::Persons => {
                let teams = match self.key {
                    KeyType::TeamAndId { teams } => teams,
                    _ => 1,
                };
                let n = format!("(t.id * {teams} + t.team_id)");
                let token = "coalesce((t.properties->>'v')::bigint, -1)";
                // Rows of negative teams are fillers: see the toast module.
                format!(
                    "select array[{key}], {token}, (extract(epoch from t.created_at) * 1000000)::bigint, t.version, \
                     null::bigint, coalesce(t.properties = {} and t.uuid = {}, false) \
                     from {table} t, {} where t.team_id >= 0",
                    self.properties_sql(&n, token),
                    scattered_uuid_sql(&n),
                    self.base_sql()
                )
            }
            Flavour::Ledger => format!(
                "select array[{key}], t.token, null::bigint, t.version, t.slot, \
                 t.note is not distinct from {} and t.amount::text is not distinct from ({})::text \
                 and t.blob is not distinct from {} from {table} t, {}",
                note_sql("t.token"),
                amount_sql("t.token"),
                self.blob_sql("t.token"),
                self.base_sql()
            ),
        }
    }

    /// True when what `compare_sql` said of a row agrees with the ledger.
    pub(crate) fn is_row(&self, row: &Row, found: &Found) -> bool {
        found.is_content_right
            && found.token == row.token as i64
            && found.version == row.version as i64
            && match self.flavour {
                Flavour::Persons => found.born_microseconds == Some(born_microseconds(row.born) as i64),
                Flavour::Ledger => found.slot == row.slot.map(|s| s as i64),
            }
    }
}

/// One row of a comparison.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) token: i64,
    pub(crate) born_microseconds: Option<i64>,
    pub(crate) version: i64,
    pub(crate) slot: Option<i64>,
    pub(crate) is_content_right: bool,
}

fn born_microseconds(born: u64) -> u64 {
    BORN_MICROSECONDS + born * 1000
}

fn born_sql(born: &str) -> String {
    format!("timestamptz 'epoch' + ({BORN_MICROSECONDS} + ({born}) * 1000) * interval '1 microsecond'")
}

/// Null, empty, full of what needs quoting, plain: one after the other.
fn note(token: u64) -> Option<String> {
    match token % 5 {
        0 => None,
        1 => Some(String::new()),
        2 => Some(format!("it's \"{token}\" \\ \u{fc}\u{1f418}")),
        _ => Some(format!("note {token}")),
    }
}

fn note_sql(token: &str) -> String {
    format!(
        "case ({token}) % 5 when 0 then null when 1 then '' when 2 then {} || ({token}) || {} else 'note ' || ({token}) end",
        quoted("it's \""),
        quoted("\" \\ \u{fc}\u{1f418}")
    )
}

/// Null now and then, both signs, three digits after the point, kept as written.
fn amount(token: u64) -> Option<String> {
    let sign = if token % 2 == 1 { "-" } else { "" };
    (!token.is_multiple_of(7)).then(|| format!("{sign}{}.{:03}", token + 1, token % 1000))
}

fn amount_sql(token: &str) -> String {
    format!(
        "case when ({token}) % 7 <> 0 then (case ({token}) % 2 when 1 then '-' else '' end || (({token}) + 1) || '.' || \
         lpad((({token}) % 1000)::text, 3, '0'))::numeric end"
    )
}
