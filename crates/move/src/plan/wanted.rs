//! `--to shape.sql`: what the file says, and what hangs on the old table and still makes sense, as one table that is carried
//! as any other; and what each column is made from. Pure: everything that only the server knows was asked before
//! ([`crate::preflight::wanted`]).

use corridor_mirror::spec::{Column, KeyColumn};
use corridor_pg::catalog::{Index, Table};
use corridor_pg::ident::join;
use corridor_pg::{Code, Ident, Oid, Result};

use super::Refusal;
use crate::carry::Carried;
use crate::fault;
use crate::preflight::{Facts, Reading, Trial};
use crate::shape::Wanted;

mod blend;
mod follow;
mod index;
mod key;
mod value;

/// A wanted shape, fitted to the table that is to take it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fitted {
    /// What the new table is to be, with the old one's name and everything that is carried.
    pub(crate) table: Table,
    /// Its index that carries the mirror's key.
    pub(crate) key_index: Oid,
    /// The mirror's key.
    pub(crate) key: Vec<KeyColumn>,
    /// The reverse mirror's.
    pub(crate) reverse_key: Vec<KeyColumn>,
    /// The new table's columns that something is copied to.
    pub(crate) columns: Vec<Column>,
    /// The old table's, for the way back; empty when there is none.
    pub(crate) reverse_columns: Vec<Column>,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
    /// What stands in the way.
    pub(crate) refusals: Vec<Refusal>,
}

/// What is said while fitting.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    pub(super) notes: Vec<String>,
    pub(super) refusals: Vec<Refusal>,
}

impl Remarks {
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    pub(super) fn refuse(&mut self, code: &'static Code, detail: impl Into<String>) {
        self.refusals.push(Refusal {
            code: code.id.to_owned(),
            detail: detail.into(),
        });
    }
}

/// Fits. Fails only where no mirror can be thought of: the key is not there, or is another one.
pub(crate) fn fit(source: &Table, reading: &Reading, wanted: &Wanted) -> Result<Fitted> {
    let mut remarks = Remarks::default();
    let columns = value::forward(source, reading, &mut remarks);
    let reverse_columns = match wanted.is_one_way {
        true => {
            remarks.note(
                "there is no way back after the cut-over (--one-way): the old table keeps what it had at that moment, and \
                 rollback is refused",
            );
            Vec::new()
        }
        false => value::back(source, reading, &columns, &mut remarks),
    };
    let table = blend::blend(source, reading, &mut remarks);
    let pair = key::choose(source, &table, &columns)?;
    follow::say(source, reading, &table, &mut remarks);
    Ok(Fitted {
        key_index: pair.target.oid,
        key: pair.key,
        reverse_key: pair.reverse_key,
        table,
        columns,
        reverse_columns,
        notes: remarks.notes,
        refusals: remarks.refusals,
    })
}

impl Fitted {
    /// The unique indexes for which the rows have to be asked: those that no unique index of the old table implies.
    pub(crate) fn new_unique_indexes<'f>(&'f self, source: &Table) -> Vec<&'f Index> {
        let is_copied = |name: &Ident| self.columns.iter().any(|c| &c.name == name && c.value.is_none());
        let is_implied = |index: &Index| {
            let is_plain = index.predicate.is_none() && !index.has_expressions;
            let key: Vec<&Ident> = index.key().filter_map(|c| c.column.as_ref()).collect();
            is_plain
                && key.iter().all(|name| is_copied(name))
                && source.indexes.iter().any(|old| {
                    let is_plain =
                        old.predicate.is_none() && !old.has_expressions && old.is_unique && old.is_valid;
                    is_plain
                        && old
                            .key()
                            .all(|c| c.column.as_ref().is_some_and(|name| key.contains(&name)))
                })
        };
        let unique = self.table.indexes.iter().filter(|i| i.is_unique);
        unique
            .filter(|index| index.oid != self.key_index && !is_implied(index))
            // Computed by the new table itself, or filled by a default: nothing can be asked of the old rows.
            .filter(|index| {
                let names = index.columns.iter().filter_map(|c| c.column.as_ref());
                let mut names = names.filter(|name| !self.columns.iter().any(|c| &&c.name == name));
                names.next().is_none()
            })
            .collect()
    }

    /// Adds what was said while fitting to the plan, and what the rows and the schema say.
    pub(crate) fn judge(&self, source: &Table, facts: &Facts, trial: &Trial, out: &mut Carried) {
        out.refusals.extend(self.refusals.iter().cloned());
        out.warnings.extend(self.notes.iter().cloned());
        for index in &self.table.indexes {
            let is_old = source.indexes.iter().any(|old| old.name == index.name);
            if !is_old && facts.taken_names.contains(&index.name) {
                out.refuse(
                    &fault::INDEX_NOT_CARRIED,
                    format!(
                        "{}: something else has that name; give the index a name in the file",
                        index.name
                    ),
                );
            }
        }
        if !trial.unfit.is_empty() {
            let rows = trial.unfit.iter().map(ToString::to_string);
            out.refuse(
                &fault::ROWS_DO_NOT_FIT,
                format!(
                    "the first rows, by key {}: {}",
                    key_names(&self.key),
                    join(rows, "; ")
                ),
            );
        }
        for duplicate in &trial.duplicates {
            match &duplicate.key {
                Some(key) => out.refuse(
                    &fault::ROWS_DO_NOT_FIT,
                    format!("{}: {} rows would have {key}", duplicate.index, duplicate.rows),
                ),
                None => out.warnings.push(format!(
                    "whether {} holds over the rows could not be found out in time; the move finds out when it builds it",
                    duplicate.index
                )),
            }
        }
        if self.refusals.is_empty() && trial.unfit.is_empty() {
            let rows = trial.rows;
            out.warnings.push(match trial.is_whole {
                true => format!("all {rows} rows were tried, and fit"),
                false => format!(
                    "{rows} rows were tried, in the order of the key, until the time was over, and fit; the copy stops at one \
                     that does not, and names it"
                ),
            });
        }
    }
}

fn key_names(key: &[KeyColumn]) -> String {
    format!("({})", join(key.iter().map(|k| &k.name), ", "))
}

#[cfg(test)]
mod tests;
