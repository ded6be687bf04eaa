//! Read amplification: how many blocks a write touches, by statement and by table, against its own past; and what
//! updates copy beside what they change.
//!
//! A write of a row touches a handful of blocks. It touches thousands when TOAST ids run short, when dead versions lie
//! in the way, or when a foreign key without an index is looked through. See [`rate`] for the arithmetic, [`statement`]
//! for what a statement's text says, [`tree`] for the ways out.

mod findings;
pub mod rate;
mod read;
pub mod statement;
pub mod tree;

use corridor_pg::{Oid, Result};
use serde::Serialize;

use crate::finding::Finding;
use crate::metric::{Metric, Unit};
use crate::probe::{Judging, Probe, Scope};
use crate::reader::Reader;
use crate::sample::Sample;
use crate::tree::Tree;
use rate::{Alarm, Rate};
use statement::Verb;

/// Blocks by statement.
pub static STATEMENT_BLOCKS: Metric = Metric::counter(
    "statement_blocks",
    Unit::Count,
    "Shared blocks that a writing statement touched, by its queryid.",
)
.kept();
/// Rows by statement.
pub static STATEMENT_ROWS: Metric = Metric::counter(
    "statement_rows",
    Unit::Count,
    "Rows that a writing statement wrote, by its queryid.",
)
.kept();
/// Calls by statement.
pub static STATEMENT_CALLS: Metric = Metric::counter(
    "statement_calls",
    Unit::Count,
    "How often a writing statement was called, by its queryid.",
)
.kept();
/// Blocks by table.
pub static TABLE_BLOCKS: Metric = Metric::counter(
    "table_blocks",
    Unit::Count,
    "Blocks of a table, its indexes and its TOAST relation that were touched.",
)
.kept();
/// Rows written by table.
pub static TABLE_WRITES: Metric = Metric::counter(
    "table_writes",
    Unit::Count,
    "Rows of a table that were inserted, updated or deleted.",
)
.kept();
/// Rows read by table.
pub static TABLE_READS: Metric = Metric::counter(
    "table_reads",
    Unit::Count,
    "Rows and index entries of a table that were read, and scans of its indexes.",
)
.kept();
/// Vacuums by table.
pub static TABLE_VACUUMS: Metric = Metric::counter(
    "table_vacuums",
    Unit::Count,
    "How often a table was vacuumed or analyzed.",
)
.kept();

/// Fewer blocks than this in all cost nothing, whatever a row takes: 400 MB.
const BLOCKS_TOTAL_MIN: f64 = 50_000.0;
/// Fewer calls than this are an accident.
const CALLS_MIN: f64 = 5.0;
/// Rows read for each one written, up to which reading does not explain the blocks of a table.
const READS_FEW: f64 = 10.0;
/// Fewer updates than this are not worth a word.
const UPDATES_MIN: f64 = 10_000.0;
/// Below this share of HOT updates there is something to say.
const HOT_FEW: f64 = 0.5;
/// So many bytes copied for each byte changed are worth a word.
const COPIED_MANY: f64 = 10.0;
/// Narrower rows than this are cheap to copy.
const WIDE_BYTES: f64 = 200.0;

/// A statement that writes, as `pg_stat_statements` has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    /// Its id, stable within a major version.
    pub query_id: String,
    /// Its text, normalized, cut to a few thousand characters.
    pub text: String,
    /// Whether the text is whole.
    pub is_whole: bool,
    /// How often it was called.
    pub calls: f64,
    /// Rows that it wrote.
    pub rows: f64,
    /// Shared blocks that it touched.
    pub blocks: f64,
}

/// A column of a table whose updates were looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Bytes in its row on average.
    pub width: f64,
    /// Whether statistics know the width.
    pub is_known: bool,
    /// Whether an index has it as a column.
    pub is_indexed: bool,
}

/// A foreign key without an index that points at the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reference {
    /// The other table's schema.
    pub schema: String,
    /// The other table.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
}

/// A table that is written much, and its counters since they were reset.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// Which.
    pub oid: Oid,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `fillfactor`.
    pub fill_factor: f64,
    /// Rows inserted.
    pub inserts: f64,
    /// Rows updated.
    pub updates: f64,
    /// Of which without a new index entry.
    pub hot_updates: f64,
    /// Rows deleted.
    pub deletes: f64,
    /// Live rows, as the statistics have them.
    pub live_rows: f64,
    /// Dead rows.
    pub dead_rows: f64,
    /// Rows read from end to end.
    pub rows_scanned: f64,
    /// Scans of its indexes.
    pub index_scans: f64,
    /// Entries that they returned.
    pub index_entries: f64,
    /// Blocks touched: the table itself.
    pub heap_blocks: f64,
    /// Its indexes.
    pub index_blocks: f64,
    /// Its TOAST relation.
    pub toast_blocks: f64,
    /// The index of the TOAST relation.
    pub toast_index_blocks: f64,
    /// How many indexes it has.
    pub indexes: i64,
    /// How often it was vacuumed and analyzed, by hand or not.
    pub vacuums: f64,
    /// Pages of all of it.
    pub all_pages: f64,
    /// A vacuum is at it now.
    pub is_vacuumed_now: bool,
    /// Columns, where its updates were looked at.
    pub columns: Vec<Column>,
    /// The first column of its primary key.
    pub key_column: Option<String>,
    /// Foreign keys without an index, where its deletes were looked at.
    pub references: Vec<Reference>,
}

impl Table {
    /// `public.persons`.
    pub fn object(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// All blocks touched.
    pub fn blocks(&self) -> f64 {
        self.heap_blocks + self.index_blocks + self.toast_blocks + self.toast_index_blocks
    }

    /// All rows written.
    pub fn writes(&self) -> f64 {
        self.inserts + self.updates + self.deletes
    }

    /// What was read, in rows; a scan that returned none counts too.
    pub fn reads(&self) -> f64 {
        self.rows_scanned + self.index_entries + self.index_scans
    }

    fn dead_share(&self) -> Option<f64> {
        let all = self.live_rows + self.dead_rows;
        (all > 0.0).then(|| self.dead_rows / all)
    }

    fn hot_share(&self) -> Option<f64> {
        (self.updates > 0.0).then(|| self.hot_updates / self.updates)
    }

    /// The share of its updates that set these columns copies `row` bytes to change `changed`.
    pub fn copied(&self, set: &[String]) -> Option<Copied> {
        let (mut row, mut changed, mut found) = (24.0, 0.0, 0);
        for column in &self.columns {
            let is_set = set.contains(&column.name);
            // One column without statistics, and the figure would be a guess.
            if !column.is_known {
                return None;
            }
            row += column.width;
            if is_set {
                changed += column.width;
                found += 1;
            }
        }
        (found > 0 && found == set.len()).then(|| Copied {
            row,
            changed: f64::max(changed, 1.0),
        })
    }
}

/// What an update copies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Copied {
    /// Bytes of the row.
    pub row: f64,
    /// Of which bytes that the update sets.
    pub changed: f64,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Amplification {
    /// Statements that touched most, and those that touch most for each row.
    pub statements: Vec<Statement>,
    /// Tables that are written most.
    pub tables: Vec<Table>,
}

impl Probe for Amplification {
    const NAME: &'static str = "amplification";
    const METRICS: &'static [&'static Metric] = &[
        &STATEMENT_BLOCKS,
        &STATEMENT_ROWS,
        &STATEMENT_CALLS,
        &TABLE_BLOCKS,
        &TABLE_WRITES,
        &TABLE_READS,
        &TABLE_VACUUMS,
    ];
    const TREES: &'static [&'static Tree] = &[&tree::TREE, &tree::HOT_TREE, &tree::COLUMNS_TREE];

    async fn read(reader: &mut Reader, scope: &Scope) -> Result<Self> {
        read::read(reader, scope).await
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for statement in &self.statements {
            let id = statement.query_id.as_str();
            samples.push(Sample::new(&STATEMENT_BLOCKS, id, statement.blocks));
            samples.push(Sample::new(&STATEMENT_ROWS, id, statement.rows));
            samples.push(Sample::new(&STATEMENT_CALLS, id, statement.calls));
        }
        for table in self.tables.iter().filter(|table| table.writes() > 0.0) {
            let object = table.object();
            samples.push(Sample::new(&TABLE_BLOCKS, &object, table.blocks()));
            samples.push(Sample::new(&TABLE_WRITES, &object, table.writes()));
            samples.push(Sample::new(&TABLE_READS, &object, table.reads()));
            samples.push(Sample::new(&TABLE_VACUUMS, &object, table.vacuums));
        }
        samples
    }

    fn judge(&self, judging: &Judging<'_>) -> Vec<Finding> {
        let statements = self.statements.iter().filter_map(|statement| {
            let (rate, alarm) = statement_alarm(statement, judging)?;
            Some(self.statement_finding(statement, &rate, alarm))
        });
        let tables = self.tables.iter().filter_map(|table| {
            let (rate, alarm) = table_alarm(table, judging)?;
            Some(self.table_finding(table, &rate, alarm))
        });
        let hot = self.tables.iter().filter_map(|table| self.hot_finding(table));
        let columns = self.tables.iter().filter_map(|table| self.columns_finding(table));
        statements.chain(tables).chain(hot).chain(columns).collect()
    }
}

/// Blocks for each row of a statement, and whether that is too much.
fn statement_alarm(statement: &Statement, judging: &Judging<'_>) -> Option<(Rate, Alarm)> {
    let id = &statement.query_id;
    let intervals = rate::intervals(
        &judging.series(&STATEMENT_BLOCKS, id, statement.blocks),
        &[
            &judging.series(&STATEMENT_ROWS, id, statement.rows),
            &judging.series(&STATEMENT_CALLS, id, statement.calls),
        ],
    );
    let since_reset = (statement.blocks >= BLOCKS_TOTAL_MIN && statement.calls >= CALLS_MIN).then(|| Rate {
        now: statement.blocks / statement.rows.max(statement.calls),
        usual: None,
        seconds: None,
    });
    [
        rate::rate(&intervals),
        since_reset.filter(|_| intervals.is_empty()),
    ]
    .into_iter()
    .flatten()
    .find_map(|rate| Some((rate, rate::alarm(&rate)?)))
}

/// Blocks for each row written to a table, and whether that is too much. What is read from it touches blocks as well,
/// and so does a vacuum: neither may explain them.
fn table_alarm(table: &Table, judging: &Judging<'_>) -> Option<(Rate, Alarm)> {
    if table.is_vacuumed_now {
        return None;
    }
    let object = table.object();
    let writes = judging.series(&TABLE_WRITES, &object, table.writes());
    let reads = judging.series(&TABLE_READS, &object, table.reads());
    let vacuums = judging.series(&TABLE_VACUUMS, &object, table.vacuums);
    let blocks = judging.series(&TABLE_BLOCKS, &object, table.blocks());
    let vacuumed: Vec<f64> = rate::intervals(&vacuums, &[&writes])
        .iter()
        .filter(|interval| interval.blocks > 0.0)
        .map(|interval| interval.end_s)
        .collect();
    let is_quiet = |interval: &rate::Interval| !vacuumed.contains(&interval.end_s);
    let mut intervals = rate::intervals(&blocks, &[&writes]);
    let mut read = rate::intervals(&reads, &[&writes]);
    if intervals.is_empty() {
        let by_vacuum = table.vacuums * table.all_pages;
        let unexplained = table.blocks() - by_vacuum;
        let few_reads = table.reads() <= READS_FEW * table.writes();
        let rate = Rate {
            now: unexplained / table.writes().max(1.0),
            usual: None,
            seconds: None,
        };
        let is_much = unexplained >= BLOCKS_TOTAL_MIN && table.writes() >= 20.0;
        return (is_much && few_reads).then_some((rate, rate::alarm(&rate)?));
    }
    intervals.retain(is_quiet);
    read.retain(is_quiet);
    let rate = rate::rate(&intervals)?;
    let alarm = rate::alarm(&rate)?;
    let reads = rate::rate(&read)?;
    // More rows read for each one written explains more blocks, as long as nobody writes more slowly for it.
    let by_reading = match reads.usual {
        Some(usual) => reads.now > 3.0 * usual && reads.now > READS_FEW,
        None => reads.now > READS_FEW,
    };
    (!by_reading).then_some((rate, alarm))
}

/// The statement's table, verb and columns, as far as its text says them.
fn written(statement: &Statement) -> Option<statement::Write> {
    statement::parse(&statement.text, statement.is_whole)
}

impl Amplification {
    fn table_of(&self, write: &statement::Write) -> Option<&Table> {
        let mut named = self
            .tables
            .iter()
            .filter(|t| t.name == write.table && write.schema.as_ref().is_none_or(|s| *s == t.schema));
        let first = named.next()?;
        // The same name in two schemas, and no schema said: nobody knows which.
        named.next().is_none().then_some(first)
    }

    fn updates_of(&self, table: &Table) -> impl Iterator<Item = (&Statement, Vec<String>)> {
        self.statements.iter().filter_map(move |statement| {
            let write = written(statement).filter(|w| w.verb == Verb::Update)?;
            let is_here = self.table_of(&write).is_some_and(|t| t.oid == table.oid);
            is_here.then_some((statement, write.columns?))
        })
    }
}

#[cfg(test)]
mod tests;
