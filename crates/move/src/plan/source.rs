//! Whether the relation can be moved at all, and by which key.

use corridor_pg::catalog::{Index, Persistence, RelationKind, Table};
use corridor_pg::ident::join;
use corridor_pg::{Code, Fault, Result};

use crate::fault;

/// Fails when the relation is not an ordinary, permanent table of its own.
pub fn check_relation(table: &Table) -> Result<()> {
    match obstacle(table) {
        Some((code, why)) => Err(Fault::new(code, format!("{}: {why}", table.name))),
        None => Ok(()),
    }
}

fn obstacle(table: &Table) -> Option<(&'static Code, String)> {
    // What it is comes before how it is kept: a temporary view is a view.
    match table.kind {
        _ if table.is_catalog => {
            return Some((
                &fault::CATALOG_TABLE,
                format!("it is a {} of PostgreSQL", table.kind),
            ));
        }
        RelationKind::Table | RelationKind::PartitionedTable => {}
        RelationKind::ForeignTable => return Some((&fault::FOREIGN_TABLE, "its rows live elsewhere".into())),
        other => return Some((&fault::NOT_A_TABLE, format!("it is a {other}"))),
    }
    match table.persistence {
        Persistence::Temporary => return Some((&fault::TEMPORARY_TABLE, "it belongs to one session".into())),
        Persistence::Unlogged => return Some((&fault::UNLOGGED_TABLE, "it is empty after a crash".into())),
        Persistence::Permanent => {}
    }
    let inheritance = &table.inheritance;
    if table.is_partition {
        return Some((
            &fault::PARTITION_CHILD,
            format!("of {}", join(&inheritance.parents, ", ")),
        ));
    }
    if !inheritance.parents.is_empty() {
        return Some((
            &fault::INHERITANCE,
            format!("it inherits from {}", join(&inheritance.parents, ", ")),
        ));
    }
    if table.kind == RelationKind::PartitionedTable {
        if let Some(obstacle) = super::tree::obstacle(table) {
            return Some(obstacle);
        }
    } else if !inheritance.children.is_empty() {
        return Some((
            &fault::INHERITANCE,
            format!("{} inherit from it", join(&inheritance.children, ", ")),
        ));
    }
    if let Some(extension) = &table.extension {
        return Some((
            &fault::SPECIAL_TABLE,
            format!("it belongs to the extension {extension}"),
        ));
    }
    table.is_typed.then(|| {
        (
            &fault::SPECIAL_TABLE,
            "it was made of a composite type".to_owned(),
        )
    })
}

/// The index by which a move tells rows apart: the primary key's if it will do, else the narrowest that does.
/// Fails with `MOV-018`, saying of each unique index why it does not do.
pub fn choose_key(table: &Table) -> Result<&Index> {
    let unique: Vec<&Index> = table.indexes.iter().filter(|i| i.is_unique).collect();
    let usable = unique.iter().filter(|i| why_not_key(table, i).is_none());
    let best = usable.min_by_key(|i| (!i.is_primary, i.key().count(), &i.name));
    best.copied().ok_or_else(|| {
        let reasons: Vec<String> = unique
            .iter()
            .filter_map(|i| Some(format!("{}: {}", i.name, why_not_key(table, i)?)))
            .collect();
        let why = match reasons.is_empty() {
            true => "it has no unique index".to_owned(),
            false => reasons.join("; "),
        };
        Fault::new(&fault::NO_KEY, format!("{}: {why}", table.name))
    })
}

/// Every index that would do.
pub(super) fn usable_keys(table: &Table) -> Vec<&Index> {
    let unique = table.indexes.iter().filter(|i| i.is_unique);
    unique.filter(|i| why_not_key(table, i).is_none()).collect()
}

fn why_not_key(table: &Table, index: &Index) -> Option<String> {
    if index.method.as_str() != "btree" {
        return Some(format!("it is a {} index", index.method));
    }
    for (is_wrong, why) in [
        (!index.is_valid, "it is invalid"),
        (index.predicate.is_some(), "it is partial"),
        (index.has_expressions, "it has expressions"),
    ] {
        if is_wrong {
            return Some(why.to_owned());
        }
    }
    let is_first_desc = index.key().next().is_some_and(|c| c.is_desc);
    index.key().find_map(|key| {
        let name = key.column.as_ref()?;
        let column = table.column(name)?;
        // The mirror compares keys with the operators of `pg_catalog`, by text forms of values.
        let is_builtin = key
            .opclass
            .as_ref()
            .is_some_and(|o| o.schema.as_str() == "pg_catalog");
        let why = match () {
            () if !column.is_not_null => "may be null",
            () if column.is_generated() => "is generated",
            () if !key.is_default_opclass || !is_builtin => {
                "has an operator class that is not PostgreSQL's default"
            }
            () if !key.is_column_collation => "has another collation in the index than in the table",
            () if !column.is_collation_deterministic => "has a collation in which different texts are equal",
            () if key.is_desc != is_first_desc => "runs the other way than the columns before it",
            () => return None,
        };
        Some(format!("{name} {why}"))
    })
}

#[cfg(test)]
mod tests {
    use corridor_pg::Ident;

    use super::*;
    use crate::carry::sample::{self, id, public};

    fn code(change: impl FnOnce(&mut Table)) -> &'static str {
        let mut table = sample::table("persons");
        change(&mut table);
        check_relation(&table).unwrap_err().code().id
    }

    #[test]
    fn only_ordinary_tables_pass() {
        assert!(check_relation(&sample::table("persons")).is_ok());
        assert_eq!(code(|t| t.kind = RelationKind::View), "MOV-010");
        assert_eq!(code(|t| t.kind = RelationKind::Sequence), "MOV-010");
        assert_eq!(code(|t| t.persistence = Persistence::Temporary), "MOV-011");
        assert_eq!(code(|t| t.persistence = Persistence::Unlogged), "MOV-012");
        assert_eq!(code(|t| t.kind = RelationKind::ForeignTable), "MOV-013");
        assert_eq!(code(|t| t.is_catalog = true), "MOV-014");
        assert_eq!(code(|t| t.is_partition = true), "MOV-015");
        assert_eq!(code(|t| t.inheritance.parents.push(public("p"))), "MOV-017");
        assert_eq!(code(|t| t.inheritance.children.push(public("c"))), "MOV-017");
        assert_eq!(code(|t| t.extension = Some(id("postgis"))), "MOV-020");
        assert_eq!(code(|t| t.is_typed = true), "MOV-020");
    }

    #[test]
    fn a_key_is_the_primary_one_or_the_narrowest_that_does() {
        let mut table = sample::table("persons");
        assert_eq!(choose_key(&table).unwrap().name.as_str(), "persons_pkey");
        let unique = |oid, name: &str, columns: &[&str]| {
            let mut index = sample::index(oid, name, columns);
            index.is_unique = true;
            index
        };
        table.indexes = vec![
            unique(1, "both", &["id", "team_id"]),
            unique(2, "one", &["team_id"]),
        ];
        assert_eq!(choose_key(&table).unwrap().name.as_str(), "one");
    }

    #[test]
    fn each_unique_index_says_why_it_does_not_do() {
        type Change = fn(&mut Table);
        let cases: [(Change, &str); 10] = [
            (
                |t| t.columns[0].generated = Some(corridor_pg::catalog::Generated::Stored),
                "id is generated",
            ),
            (|t| t.indexes.clear(), "no unique index"),
            (|t| t.indexes[0].method = Ident::new("gist").unwrap(), "gist"),
            (|t| t.indexes[0].is_valid = false, "invalid"),
            (|t| t.indexes[0].predicate = Some("x".into()), "partial"),
            (|t| t.indexes[0].has_expressions = true, "expressions"),
            (|t| t.columns[0].is_not_null = false, "id may be null"),
            (
                |t| t.indexes[0].columns[0].opclass = Some(public("citext_ops")),
                "operator class",
            ),
            (
                |t| t.indexes[0].columns[0].is_column_collation = false,
                "another collation",
            ),
            (
                |t| t.columns[0].is_collation_deterministic = false,
                "different texts",
            ),
        ];
        for (change, part) in cases {
            let mut table = sample::table("persons");
            change(&mut table);
            let fault = choose_key(&table).unwrap_err();
            assert_eq!(fault.code().id, "MOV-018");
            assert!(fault.detail().contains(part), "{}", fault.detail());
        }
        let mut table = sample::table("persons");
        table.indexes = vec![sample::primary_key(&["id", "team_id"])];
        table.indexes[0].columns[1].is_desc = true;
        assert!(choose_key(&table).unwrap_err().detail().contains("other way"));
        table.indexes[0].columns[0].is_desc = true;
        assert!(choose_key(&table).is_ok());
    }
}
