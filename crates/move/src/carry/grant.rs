//! Privileges on the table, its columns and its identity sequences.
//!
//! What the server grants by itself (`alter default privileges`) is taken away first: the new table must not be
//! open to somebody to whom the old one was closed.

use std::collections::BTreeSet;

use corridor_pg::catalog::{Grant, SequenceLink};
use corridor_pg::ident::join;
use corridor_pg::{Ident, QualifiedName};

use super::{Carried, Carry};
use crate::plan::Step;

/// Adds revokes and grants on the target, its partitions and its identity sequences.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let owner = &carry.table.owner;
    let target = &carry.names.target;
    let defaults = carry.default_table_grants;
    steps(carry, "table", target, &carry.table.grants, defaults, out);
    for partition in &carry.names.partitions {
        match carry.partition_grants {
            // Nobody had a right to a partition before; the parent's rights are enough to reach its rows.
            [] => revokes("table", partition, owner, defaults, out),
            common => steps(carry, "table", partition, common, defaults, out),
        }
    }
    let mut all: Vec<&Grant> = carry.table.grants.iter().collect();
    for sequence in carry
        .table
        .sequences
        .iter()
        .filter(|s| s.link == SequenceLink::Identity)
    {
        if let Some(names) = carry.names.sequence(sequence.oid) {
            let name = carry.names.sibling(&names.new);
            let defaults = carry.default_sequence_grants;
            steps(carry, "sequence", &name, &sequence.grants, defaults, out);
            all.extend(&sequence.grants);
        }
    }
    let foreign = all.iter().map(|g| &g.grantor);
    let foreign: BTreeSet<_> = foreign.filter(|g| !is_given_by(carry, g)).collect();
    if !foreign.is_empty() {
        out.warnings.push(format!(
            "privileges that {} gave away are given again by the owner, {owner}: the same rights, another grantor",
            join(foreign, ", ")
        ));
    }
}

/// True when this role can speak for the one that gave a privilege.
fn is_given_by(carry: &Carry<'_>, grantor: &Ident) -> bool {
    grantor == &carry.table.owner || carry.assumable_grantors.contains(grantor)
}

/// The privileges that one role gave another, some of them to be passed on.
#[derive(Debug, PartialEq, Eq)]
struct Item<'g> {
    grantor: &'g Ident,
    grantee: Option<&'g Ident>,
    plain: Vec<&'g str>,
    grantable: Vec<&'g str>,
}

/// In the server's order: whoever passes a privilege on got it before, and a dump shows the same order again.
fn items<'g>(grants: impl Iterator<Item = &'g Grant>) -> Vec<Item<'g>> {
    let mut items: Vec<Item<'g>> = vec![];
    for grant in grants {
        let (grantor, grantee) = (&grant.grantor, grant.grantee.as_ref());
        let place = items
            .iter()
            .position(|i| i.grantor == grantor && i.grantee == grantee);
        let place = place.unwrap_or_else(|| {
            items.push(Item {
                grantor,
                grantee,
                plain: vec![],
                grantable: vec![],
            });
            items.len() - 1
        });
        let item = &mut items[place];
        let list = if grant.is_grantable {
            &mut item.grantable
        } else {
            &mut item.plain
        };
        list.push(&grant.privilege);
    }
    items
}

fn steps(
    carry: &Carry<'_>,
    kind: &str,
    object: &QualifiedName,
    wanted: &[Grant],
    defaults: &[Grant],
    out: &mut Carried,
) {
    let owner = &carry.table.owner;
    revokes(kind, object, owner, defaults, out);
    let mut whole = items(wanted.iter().filter(|g| g.column.is_none()));
    let has_owner_first = whole.first().is_some_and(|first| {
        first.grantee == Some(owner) && first.grantable.is_empty() && is_everything(kind, &first.plain)
    });
    if defaults.is_empty() && has_owner_first {
        // As the server makes it.
        whole.remove(0);
    } else {
        out.create.push(Step::new(
            format!("privileges of the owner on {}", object.name),
            format!("revoke all on {kind} {object} from {owner}"),
        ));
    }
    for item in &whole {
        give(carry, kind, object, item, &[], out);
    }
    // Columns with the same privileges share their statements.
    let mut groups: Vec<(Vec<&Ident>, Vec<Item<'_>>)> = vec![];
    for column in &carry.table.columns {
        let of_column = wanted.iter().filter(|g| g.column.as_ref() == Some(&column.name));
        let items = items(of_column);
        match groups.iter_mut().find(|(_, other)| *other == items) {
            Some((columns, _)) => columns.push(&column.name),
            None => groups.push((vec![&column.name], items)),
        }
    }
    for (columns, items) in &groups {
        for item in items {
            give(carry, kind, object, item, columns, out);
        }
    }
}

/// `grant select, update on table … to …`, as the role that gave it where we can be that role.
fn give(
    carry: &Carry<'_>,
    kind: &str,
    object: &QualifiedName,
    item: &Item<'_>,
    columns: &[&Ident],
    out: &mut Carried,
) {
    let columns = match columns {
        [] => String::new(),
        some => format!(" ({})", join(some, ", ")),
    };
    let to = role(item.grantee);
    for (privileges, option) in [(&item.plain, ""), (&item.grantable, " with grant option")] {
        if privileges.is_empty() {
            continue;
        }
        let list = join(
            privileges
                .iter()
                .map(|p| format!("{}{columns}", p.to_lowercase())),
            ", ",
        );
        let mut sql = format!("grant {list} on {kind} {object} to {to}{option}");
        if item.grantor != &carry.table.owner && is_given_by(carry, item.grantor) {
            sql = format!("set local role {}; {sql}; reset role", item.grantor);
        }
        out.create
            .push(Step::new(format!("privileges of {to} on {}", object.name), sql));
    }
}

fn revokes(kind: &str, object: &QualifiedName, owner: &Ident, defaults: &[Grant], out: &mut Carried) {
    let grantees: BTreeSet<_> = defaults
        .iter()
        .map(|g| g.grantee.as_ref())
        .filter(|g| *g != Some(owner))
        .collect();
    if !grantees.is_empty() {
        let from = join(grantees.into_iter().map(role), ", ");
        out.create.push(Step::new(
            format!("default privileges on {}", object.name),
            format!("revoke all on {kind} {object} from {from}"),
        ));
    }
}

fn role(grantee: Option<&Ident>) -> String {
    grantee.map_or_else(|| "public".to_owned(), Ident::to_string)
}

/// True when these are all privileges that an owner has by itself. `MAINTAIN` came with 17 and may be missing before.
fn is_everything(kind: &str, has: &[&str]) -> bool {
    let all: &[&str] = match kind {
        "sequence" => &["SELECT", "UPDATE", "USAGE"],
        _ => &[
            "INSERT",
            "SELECT",
            "UPDATE",
            "DELETE",
            "TRUNCATE",
            "REFERENCES",
            "TRIGGER",
        ],
    };
    all.iter().all(|privilege| has.contains(privilege))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample::{self, id};

    fn sql(out: &Carried) -> Vec<&str> {
        out.create.iter().map(|s| s.sql.as_str()).collect()
    }

    #[test]
    fn grants_are_given_again_with_columns_and_grant_options() {
        let mut table = sample::table("persons");
        table.grants.extend([
            sample::grant(Some("reader"), "SELECT", None, false),
            sample::grant(Some("writer"), "UPDATE", Some("name"), false),
            sample::grant(Some("writer"), "INSERT", None, false),
            sample::grant(Some("writer"), "DELETE", None, true),
            sample::grant(None, "SELECT", Some("id"), false),
        ]);
        let out = sample::carried(&table, carry);
        assert_eq!(
            sql(&out),
            [
                "grant select on table public.persons__c_new_t to reader",
                "grant insert on table public.persons__c_new_t to writer",
                "grant delete on table public.persons__c_new_t to writer with grant option",
                "grant select (id) on table public.persons__c_new_t to public",
                "grant update (name) on table public.persons__c_new_t to writer",
            ]
        );
    }

    #[test]
    fn what_another_gave_is_given_in_its_name_where_that_can_be() {
        let mut table = sample::table("persons");
        let mut passed_on = sample::grant(Some("reader"), "SELECT", None, false);
        passed_on.grantor = id("boss2");
        table.grants.push(passed_on);
        let names = sample::names(&table);
        let shape = sample::shape();
        let owner = id("boss");
        let mut context = sample::context(&table, &names, &shape, &owner);
        let mut out = Carried::default();
        carry(&context, &mut out);
        assert_eq!(
            sql(&out),
            ["grant select on table public.persons__c_new_t to reader"]
        );
        assert!(out.warnings[0].contains("another grantor"));

        let assumable = [id("boss2")];
        context.assumable_grantors = &assumable;
        let mut out = Carried::default();
        carry(&context, &mut out);
        assert_eq!(
            sql(&out),
            ["set local role boss2; grant select on table public.persons__c_new_t to reader; reset role"]
        );
        assert_eq!(out.warnings, Vec::<String>::new());
    }

    #[test]
    fn an_owner_with_fewer_rights_stays_with_fewer() {
        let mut table = sample::table("persons");
        table.grants.retain(|g| g.privilege != "TRUNCATE");
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.create[0].sql,
            "revoke all on table public.persons__c_new_t from boss"
        );
        assert!(!out.create[1].sql.contains("truncate") && out.create[1].sql.contains("delete"));
    }

    #[test]
    fn default_privileges_are_taken_away_everywhere() {
        let table = sample::table("persons");
        let defaults = [sample::grant(None, "SELECT", None, false)];
        let names = sample::names(&table);
        let shape = sample::shape();
        let owner = id("boss");
        let mut context = sample::context(&table, &names, &shape, &owner);
        context.default_table_grants = &defaults;
        let mut out = Carried::default();
        carry(&context, &mut out);
        assert!(sql(&out).contains(&"revoke all on table public.persons_p1 from public"));
        assert!(sql(&out).contains(&"revoke all on table public.persons__c_new_t from public"));
    }
}
