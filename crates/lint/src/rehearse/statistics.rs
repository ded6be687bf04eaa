//! What the planner knows of tables, carried from a database to a clone of its schema.
//!
//! The source is read as any role may read it (`pg_stats`). From 18 on the server has functions to write it; before, the rows of
//! the catalogue are made, which only a superuser of a clone does.
//!
//! The planner multiplies rows per page by the pages that a table has now, and a table without rows has none. So where the clone's
//! files can be reached each table gets empty pages, at most [`PAGES_MAX`]: holes in a file, which cost nothing.

use corridor_pg::{Fault, FaultContext as _, Result};
use tokio_postgres::Client;

/// Pages that a table of a clone gets at most. Reading them takes about a millisecond.
pub const PAGES_MAX: i32 = 1_024;

/// Statistics, as they were read.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    relations: Vec<Size>,
    /// JSON.
    columns: String,
}

#[derive(Debug, Clone)]
struct Size {
    name: String,
    schema: String,
    relation: String,
    is_heap: bool,
    pages: i32,
    tuples: f32,
    visible: i32,
}

/// Reads them, within a transaction of the caller.
pub async fn read(client: &Client) -> Result<Statistics> {
    let rows = client
        .query(include_str!("../../sql/rehearse/read_relations.sql"), &[])
        .await
        .doing(|| "reading the planner's sizes")?;
    let relations = rows
        .iter()
        .map(|row| Size {
            name: row.get("name"),
            schema: row.get("schema"),
            relation: row.get("relation"),
            is_heap: matches!(row.get::<_, String>("kind").as_str(), "r" | "m"),
            pages: row.get("pages"),
            tuples: row.get("tuples"),
            visible: row.get("visible"),
        })
        .collect();
    let columns = client
        .query_one(include_str!("../../sql/rehearse/read_columns.sql"), &[])
        .await
        .doing(|| "reading the planner's statistics of columns")?
        .get(0);
    Ok(Statistics { relations, columns })
}

/// Writes them into a clone. `has_files`: tables will get pages, at most [`PAGES_MAX`]. `Err` with the server's words where it does
/// not let us.
pub async fn write(
    client: &Client,
    major: u32,
    statistics: &Statistics,
    has_files: bool,
) -> Result<std::result::Result<(), String>> {
    let pages = |size: &Size| match size.is_heap && has_files {
        true => size.pages.min(PAGES_MAX),
        false => size.pages,
    };
    let list = &statistics.relations;
    let names: Vec<&str> = list.iter().map(|size| size.name.as_str()).collect();
    let (schemas, relations): (Vec<&str>, Vec<&str>) = list
        .iter()
        .map(|size| (size.schema.as_str(), size.relation.as_str()))
        .unzip();
    let pages: Vec<i32> = list.iter().map(pages).collect();
    let tuples: Vec<f32> = list.iter().map(|size| size.tuples).collect();
    let visible: Vec<i32> = list.iter().map(|size| size.visible).collect();
    let done = async {
        if major >= 18 {
            let sql = include_str!("../../sql/rehearse/restore_relations.sql");
            client
                .query(sql, &[&schemas, &relations, &pages, &tuples, &visible])
                .await?;
            let sql = include_str!("../../sql/rehearse/restore_columns.sql");
            client.query(sql, &[&statistics.columns]).await?;
        } else {
            client.batch_execute("set allow_system_table_mods = on").await?;
            let sql = include_str!("../../sql/rehearse/write_relations.sql");
            client.execute(sql, &[&names, &pages, &tuples, &visible]).await?;
            let sql = include_str!("../../sql/rehearse/write_columns.sql");
            client.execute(sql, &[&statistics.columns]).await?;
        }
        Ok(())
    };
    let done: std::result::Result<(), tokio_postgres::Error> = done.await;
    match done {
        Ok(()) => Ok(Ok(())),
        Err(error) => match error.as_db_error() {
            Some(db) => Ok(Err(format!("{} ({})", db.message(), db.code().code()))),
            None => Err(Fault::from_driver(error)),
        },
    }
}

/// The files of tables that are to have pages, below the data directory, and how many.
pub async fn heap_files(client: &Client) -> Result<Vec<(String, u64)>> {
    let rows = client
        .query(include_str!("../../sql/rehearse/heap_files.sql"), &[])
        .await
        .doing(|| "looking the files of tables up")?;
    Ok(rows
        .iter()
        .map(|row| {
            (
                row.get("file"),
                u64::try_from(row.get::<_, i32>("pages").min(PAGES_MAX)).unwrap_or(0),
            )
        })
        .collect())
}
