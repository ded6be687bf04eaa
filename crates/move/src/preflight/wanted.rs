//! `--to shape.sql`: the server reads the file and the expressions, in a transaction that is always rolled back. Nothing is
//! left behind, and no lock is taken that the application could meet for long: what the file makes is temporary.

use std::time::Duration;

use corridor_mirror::MirrorSpec;
use corridor_mirror::trial::{Tried, try_rows};
use corridor_mirror::{Column as Copied, KeyColumn, UnfitRow};
use corridor_pg::catalog::{Column, Table, read_table};
use corridor_pg::{Fault, FaultContext, Ident, Isolation, Oid, QualifiedName, Result, Session};
use serde::{Deserialize, Serialize};
use tokio_postgres::Transaction;

use crate::fault::{NOT_A_WANTED_TABLE, UNREADABLE_SHAPE};
use crate::shape::{Assignment, Wanted};

mod duplicate;
mod expression;
mod hold;
mod statement;

pub use duplicate::Duplicate;
pub use expression::{Expression, Origin, Understood};

/// How long rows are tried for when a plan is made.
const TRIAL_MAX: Duration = Duration::from_secs(30);
/// Locks for reading the file: on what it names, if anything, and given back at once.
const SETTINGS: &str = "set local lock_timeout = 100; set local statement_timeout = 20000";

/// What the server makes of a wanted shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The table that the file makes, under the name that it has there.
    pub table: Table,
    /// There are `create index` statements in the file.
    pub has_indexes: bool,
    /// For each column of the new table that is not generated: what it is made from.
    pub forward: Vec<Expression>,
    /// For each column of the old table that is not generated: what it is made from on the way back.
    pub back: Vec<Expression>,
    /// Indexes and checks of the old table that the server does not take over the new columns, with its words.
    pub unheld: Vec<(Ident, String)>,
    /// What names a column of the old table.
    pub users: Vec<ColumnUser>,
    /// Columns of other tables that reference the table.
    pub referencing: Vec<ReferencingColumn>,
    /// Functions whose text names the table and an integer.
    pub functions: Vec<String>,
}

/// Something that names a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnUser {
    /// The column.
    pub column: Ident,
    /// The catalogue that it is in: `pg_rewrite` (views and rules), `pg_trigger`…
    pub kind: String,
    /// As the server describes it.
    pub what: String,
}

/// A column of another table that references this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferencingColumn {
    /// Its table.
    pub table: QualifiedName,
    /// The column.
    pub column: Ident,
    /// Its type.
    pub type_sql: String,
    /// The column that it references.
    pub referenced: Ident,
}

/// What the rows say to the wanted shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// Rows that were tried.
    pub rows: u64,
    /// All of them were.
    pub is_whole: bool,
    /// The first that do not fit.
    pub unfit: Vec<UnfitRow>,
    /// Keys that two rows would have.
    pub duplicates: Vec<Duplicate>,
}

/// Reads the file and asks about everything that a plan needs to know of it.
///
/// Locks: `ACCESS SHARE` on the table. Errors: `MOV-004`, `MOV-005`, `MOV-006`.
pub(super) async fn read(session: &mut Session, source: &Table, wanted: &Wanted) -> Result<Reading> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let made = make(&tx, wanted).await?;
    // Definitions are read with every name qualified; expressions are understood as psql would.
    pin_path(&tx).await?;
    let table = read_table(&tx, made.oid).await?;
    if !table.inheritance.parents.is_empty() || table.is_typed {
        let why = format!("{}: the table inherits, or is made of a type", wanted.file);
        return Err(Fault::new(&NOT_A_WANTED_TABLE, why));
    }
    hold::copy_of_source(&tx, source).await?;
    let forward = forward(&tx, source, &table, &wanted.set).await?;
    let back = match wanted.is_one_way {
        true => Vec::new(),
        false => back(&tx, source, &table, &wanted.reverse_set).await?,
    };
    let unheld = hold::unheld(&tx, source, &table).await?;
    let reading = Reading {
        has_indexes: made.has_indexes,
        forward,
        back,
        unheld,
        users: column_users(&tx, source).await?,
        referencing: referencing(&tx, source).await?,
        functions: functions(&tx, source).await?,
        table,
    };
    tx.rollback().await.doing(|| "reading the wanted shape")?;
    Ok(reading)
}

/// Tries the rows, and looks for keys that two rows would have. Each for 30 seconds at most.
pub(super) async fn try_out(
    session: &mut Session,
    source: &Table,
    wanted: &Wanted,
    key: &[KeyColumn],
    columns: &[Copied],
    unique: &[&corridor_pg::catalog::Index],
) -> Result<Trial> {
    let Tried {
        rows,
        is_whole,
        unfit,
    } = match try_each(session, source, wanted, key, columns).await {
        // Row security, or a privilege that the plan names: the rows say nothing then.
        Err(fault) if fault.sqlstate() == Some("42501") => Tried::default(),
        tried => tried?,
    };
    let mut duplicates = Vec::new();
    for index in unique {
        duplicates.extend(duplicate::find(session, source, columns, index).await?);
    }
    Ok(Trial {
        rows,
        is_whole,
        unfit,
        duplicates,
    })
}

async fn try_each(
    session: &mut Session,
    source: &Table,
    wanted: &Wanted,
    key: &[KeyColumn],
    columns: &[Copied],
) -> Result<Tried> {
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let made = make(&tx, wanted).await?;
    pin_path(&tx).await?;
    let target = hold::empty_copy(&tx, &made.name, columns).await?;
    let spec = MirrorSpec {
        tag: "trial".to_owned(),
        source: source.name.clone(),
        target,
        key: key.to_vec(),
        columns: columns.to_vec(),
        is_noting_unfit: false,
    };
    let tried = try_rows(&tx, &spec, TRIAL_MAX).await?;
    // It may have been ended by its time limit; then there is nothing to roll back but what failed.
    tx.rollback().await.doing(|| "ending the trial")?;
    Ok(tried)
}

/// What a file has made.
struct Made {
    oid: Oid,
    name: QualifiedName,
    has_indexes: bool,
}

/// Runs the file's statements, in this transaction.
async fn make(tx: &Transaction<'_>, wanted: &Wanted) -> Result<Made> {
    let doing = || format!("reading {}", wanted.file);
    tx.batch_execute(SETTINGS).await.doing(doing)?;
    as_psql(tx).await?;
    let has_indexes = statement::run_all(tx, wanted)
        .await
        .map_err(|f| f.doing(doing()))?;
    let rows = tx
        .query(include_str!("../../sql/wanted/made.sql"), &[])
        .await
        .doing(doing)?;
    let [row] = rows.as_slice() else {
        let why = match rows.len() {
            0 => "it makes no table without a schema's name: write create table NAME, not SCHEMA.NAME"
                .to_owned(),
            n => format!("it makes {n} tables; one is wanted"),
        };
        return Err(Fault::new(&NOT_A_WANTED_TABLE, format!("{}: {why}", wanted.file)));
    };
    if row.get::<_, &str>("kind") != "r" {
        let why = "it makes a partitioned table; make the plain one first, then --partition-by";
        return Err(Fault::new(&NOT_A_WANTED_TABLE, format!("{}: {why}", wanted.file)));
    }
    let name: String = row.get("name");
    let elsewhere = tx
        .query(include_str!("../../sql/wanted/elsewhere.sql"), &[])
        .await
        .doing(doing)?;
    if let Some(other) = elsewhere.first() {
        let other = QualifiedName::new(
            Ident::new(other.get::<_, String>("schema_name"))?,
            Ident::new(other.get::<_, String>("name"))?,
        );
        let why = format!("it makes an index on {other}, which is another table; only {name} is to be made");
        return Err(Fault::new(&NOT_A_WANTED_TABLE, format!("{}: {why}", wanted.file)));
    }
    Ok(Made {
        oid: Oid(row.get("oid")),
        name: temporary(Ident::new(name)?),
        has_indexes,
    })
}

/// A relation in the session's temporary schema.
fn temporary(name: Ident) -> QualifiedName {
    QualifiedName::new(Ident::derived("pg_temp", ""), name)
}

async fn as_psql(tx: &Transaction<'_>) -> Result<()> {
    tx.query_one(include_str!("../../sql/wanted/path.sql"), &[])
        .await
        .doing(|| "setting the search path")?;
    Ok(())
}

async fn pin_path(tx: &Transaction<'_>) -> Result<()> {
    tx.batch_execute("set local search_path = pg_catalog, pg_temp")
        .await
        .doing(|| "setting the search path")
}

async fn forward(
    tx: &Transaction<'_>,
    source: &Table,
    wanted: &Table,
    set: &[Assignment],
) -> Result<Vec<Expression>> {
    check_names(set, wanted, "--set", "the new table")?;
    let mut all = Vec::new();
    let into = temporary(wanted.name.name.clone());
    for column in wanted.columns.iter().filter(|c| !c.is_generated()) {
        let place = expression::Place {
            from: &source.name,
            from_oid: source.oid,
            into: &into,
        };
        all.push(expression::ask(tx, &place, column, source.column(&column.name), set).await?);
    }
    Ok(all)
}

async fn back(
    tx: &Transaction<'_>,
    source: &Table,
    wanted: &Table,
    set: &[Assignment],
) -> Result<Vec<Expression>> {
    check_names(set, source, "--reverse-set", "the old table")?;
    let mut all = Vec::new();
    let from = temporary(wanted.name.name.clone());
    let into = temporary(hold::copy_name());
    for column in source.columns.iter().filter(|c| !c.is_generated()) {
        let place = expression::Place {
            from: &from,
            from_oid: wanted.oid,
            into: &into,
        };
        all.push(expression::ask(tx, &place, column, wanted.column(&column.name), set).await?);
    }
    Ok(all)
}

/// Fails with `MOV-004` when a word speaks of a column that is not there, or that computes itself.
fn check_names(set: &[Assignment], table: &Table, word: &str, which: &str) -> Result<()> {
    for assignment in set {
        let why = match table.column(&assignment.column) {
            Some(column) if column.is_generated() => "it is generated",
            Some(_) => continue,
            None => "there is no such column",
        };
        let name = &assignment.column;
        let names: Vec<&str> = table.columns.iter().map(|c: &Column| c.name.as_str()).collect();
        let near: Vec<&str> = corridor_pg::near::near(name.as_str(), names);
        let hint = match (word, near.as_slice()) {
            (_, [first, ..]) => format!("; did you mean {first}?"),
            ("--set", []) => "; a setting is given with --setting KEY=VALUE".to_owned(),
            _ => String::new(),
        };
        return Err(Fault::new(
            &UNREADABLE_SHAPE,
            format!("{word} {name} = …: {why} in {which}{hint}"),
        ));
    }
    Ok(())
}

async fn column_users(tx: &Transaction<'_>, source: &Table) -> Result<Vec<ColumnUser>> {
    let rows = tx
        .query(
            include_str!("../../sql/wanted/column_users.sql"),
            &[&source.oid.0],
        )
        .await
        .doing(|| format!("asking what names the columns of {}", source.name))?;
    rows.iter()
        .map(|row| {
            Ok(ColumnUser {
                column: Ident::new(row.get::<_, String>("column_name"))?,
                kind: row.get("kind"),
                what: row.get("what"),
            })
        })
        .collect()
}

async fn referencing(tx: &Transaction<'_>, source: &Table) -> Result<Vec<ReferencingColumn>> {
    let rows = tx
        .query(
            include_str!("../../sql/wanted/referencing_columns.sql"),
            &[&source.oid.0],
        )
        .await
        .doing(|| format!("asking what references {}", source.name))?;
    rows.iter()
        .map(|row| {
            let ident = |name: &str| Ident::new(row.get::<_, String>(name));
            Ok(ReferencingColumn {
                table: QualifiedName::new(ident("schema_name")?, ident("table_name")?),
                column: ident("column_name")?,
                type_sql: row.get("type_sql"),
                referenced: ident("referenced_name")?,
            })
        })
        .collect()
}

async fn functions(tx: &Transaction<'_>, source: &Table) -> Result<Vec<String>> {
    let rows = tx
        .query(
            include_str!("../../sql/wanted/mentioning_functions.sql"),
            &[&source.name.name.as_str()],
        )
        .await
        .doing(|| format!("asking which functions name {}", source.name))?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}
