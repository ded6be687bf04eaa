//! The key of a move between two shapes: a unique key of the old table whose columns are mapped one to one to a unique key of
//! the new one, in one order.

use corridor_mirror::spec::{Column as Copied, KeyColumn};
use corridor_pg::catalog::{Index, Table};
use corridor_pg::{Fault, Ident, Result};

use super::value::{has_one_order, is_plain, wider};
use crate::fault::KEY_NOT_MAPPED;
use crate::plan::source::{choose_key, usable_keys};

/// Two indexes that belong together, and the mirrors' keys over them.
#[derive(Debug)]
pub(super) struct Pair<'t> {
    pub(super) target: &'t Index,
    pub(super) key: Vec<KeyColumn>,
    pub(super) reverse_key: Vec<KeyColumn>,
}

/// The best pair. Fails with `MOV-018` when the old table has no key, with `MOV-060` when the new one lacks it.
pub(super) fn choose<'t>(source: &Table, target: &'t Table, columns: &[Copied]) -> Result<Pair<'t>> {
    choose_key(source)?;
    let mut olds = usable_keys(source);
    olds.sort_by_key(|i| (!i.is_primary, i.key().count(), &i.name));
    let news = usable_keys(target);
    for old in &olds {
        for new in &news {
            if let Some(names) = mapped(source, target, columns, old, new) {
                return Ok(pair(source, target, &names, new));
            }
        }
    }
    let keys: Vec<String> = olds
        .iter()
        .map(|index| {
            let names = index.key().filter_map(|c| c.column.as_ref());
            format!("({})", corridor_pg::ident::join(names, ", "))
        })
        .collect();
    Err(Fault::new(
        &KEY_NOT_MAPPED,
        format!(
            "{}: the new table has no primary key, nor a unique index over not-null columns, that is made of {} in this \
             order, each column as it is or widened",
            source.name,
            keys.join(" or ")
        ),
    ))
}

/// The names of the key's columns on both sides, when each column of `new` is one of `old` in the same place.
fn mapped<'t>(
    source: &'t Table,
    target: &'t Table,
    columns: &[Copied],
    old: &'t Index,
    new: &'t Index,
) -> Option<Vec<(&'t Ident, &'t Ident)>> {
    if old.key().count() != new.key().count() {
        return None;
    }
    let pairs = old.key().zip(new.key()).map(|(old, new)| {
        let (old_name, new_name) = (old.column.as_ref()?, new.column.as_ref()?);
        let copied = columns.iter().find(|c| &c.name == new_name)?;
        let is_one = is_plain(copied, old_name)
            && has_one_order(source.column(old_name)?, target.column(new_name)?)
            && old.is_desc == new.is_desc;
        is_one.then_some((old_name, new_name))
    });
    pairs.collect()
}

fn pair<'t>(source: &Table, target: &Table, names: &[(&Ident, &Ident)], new: &'t Index) -> Pair<'t> {
    let key = |is_back: bool| {
        let columns = names.iter().filter_map(|(old, new)| {
            let (old_column, new_column) = (source.column(old)?, target.column(new)?);
            let (name, target_name) = if is_back { (new, old) } else { (old, new) };
            Some(KeyColumn {
                name: (*name).clone(),
                target_name: (name != target_name).then(|| (*target_name).clone()),
                type_sql: wider(old_column, new_column),
                collation: old_column
                    .collation
                    .clone()
                    .filter(|_| old_column.is_collation_explicit),
            })
        });
        columns.collect()
    };
    Pair {
        target: new,
        key: key(false),
        reverse_key: key(true),
    }
}
