//! Whether what the old table has also holds over the new columns, and tables to try things on.

use corridor_mirror::Column as Copied;
use corridor_pg::catalog::{ConstraintKind, Index, Table};
use corridor_pg::{FaultContext, Ident, QualifiedName, Result};
use tokio_postgres::Transaction;

use super::expression::attempt;
use super::temporary;
use crate::carry::definition::index_tail;

/// The name of the empty table that looks like the old one.
pub(super) fn copy_name() -> Ident {
    Ident::derived("corridor_old", "")
}

/// Makes an empty table that has the old one's columns.
pub(super) async fn copy_of_source(tx: &Transaction<'_>, source: &Table) -> Result<()> {
    let sql = format!("create temporary table {} (like {})", copy_name(), source.name);
    tx.batch_execute(&sql)
        .await
        .doing(|| format!("reading the columns of {}", source.name))
}

/// Makes an empty table that has the wanted one's columns, types, checks and not-null constraints, and no index: what two
/// rows have in common is asked in another way.
pub(super) async fn empty_copy(
    tx: &Transaction<'_>,
    wanted: &QualifiedName,
    columns: &[Copied],
) -> Result<QualifiedName> {
    let doing = || format!("making a copy of {}", wanted.name);
    let name = temporary(Ident::derived("corridor_trial", ""));
    let sql = format!(
        "create temporary table corridor_trial (like {wanted} including constraints including generated)"
    );
    tx.batch_execute(&sql).await.doing(doing)?;
    // What nothing is copied to is filled by its default later; here it stays empty.
    let rows = tx
        .query(
            "select attname::text as name from pg_attribute \
             where attrelid = 'pg_temp.corridor_trial'::regclass and attnum > 0 and attnotnull and attgenerated = ''",
            &[],
        )
        .await
        .doing(doing)?;
    for row in rows {
        let column = Ident::new(row.get::<_, String>("name"))?;
        if !columns.iter().any(|c| c.name == column) {
            let sql = format!("alter table {name} alter column {column} drop not null");
            tx.batch_execute(&sql).await.doing(doing)?;
        }
    }
    Ok(name)
}

/// The checks and indexes of the old table that the server does not take over the wanted columns, with its words.
pub(super) async fn unheld(
    tx: &Transaction<'_>,
    source: &Table,
    wanted: &Table,
) -> Result<Vec<(Ident, String)>> {
    let on = temporary(wanted.name.name.clone());
    let mut unheld = Vec::new();
    for check in source
        .constraints
        .iter()
        .filter(|c| c.kind == ConstraintKind::Check)
    {
        let sql = format!(
            "alter table {on} add constraint corridor_check {}",
            check.definition
        );
        if let Err(fault) = attempt(tx, &sql).await? {
            unheld.push((check.name.clone(), fault.detail().to_owned()));
        }
    }
    for index in &source.indexes {
        let Some(sql) = index_statement(index, source, &on) else {
            continue;
        };
        if let Err(fault) = attempt(tx, &sql).await? {
            unheld.push((index.name.clone(), fault.detail().to_owned()));
        }
    }
    Ok(unheld)
}

fn index_statement(index: &Index, source: &Table, on: &QualifiedName) -> Option<String> {
    if index.is_exclusion {
        let constraint = source
            .constraints
            .iter()
            .find(|c| Some(c.oid) == index.constraint_oid)?;
        return Some(format!(
            "alter table {on} add constraint corridor_exclusion {}",
            constraint.definition
        ));
    }
    let unique = if index.is_unique { "unique " } else { "" };
    Some(format!(
        "create {unique}index corridor_index on {on} {}",
        index_tail(&index.definition)?
    ))
}
