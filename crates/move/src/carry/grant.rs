//! Privileges on the table, its columns and its identity sequences.
//!
//! What the server grants by itself (`alter default privileges`) is taken away first: the new table must not be
//! open to somebody to whom the old one was closed.

use std::collections::{BTreeMap, BTreeSet};

use corridor_pg::catalog::{Grant, SequenceLink};
use corridor_pg::ident::join;
use corridor_pg::{Ident, QualifiedName};

use super::{Carried, Carry};
use crate::plan::Step;

/// A role (none is everybody), and whether it may pass its privileges on.
type Grantee<'g> = (Option<&'g Ident>, bool);
/// A column (none is the whole relation), and a privilege on it.
type Privilege<'g> = (Option<&'g Ident>, &'g str);

/// Adds revokes and grants on the target, its partitions and its identity sequences.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let owner = &carry.table.owner;
    let target = &carry.names.target;
    let defaults = carry.default_table_grants;
    steps("table", target, owner, &carry.table.grants, defaults, out);
    for partition in &carry.names.partitions {
        // Nobody had a right to a partition before; the parent's rights are enough to reach its rows.
        revokes("table", partition, owner, defaults, out);
    }
    for sequence in carry
        .table
        .sequences
        .iter()
        .filter(|s| s.link == SequenceLink::Identity)
    {
        if let Some(names) = carry.names.sequence(sequence.oid) {
            let name = carry.names.sibling(&names.new);
            steps(
                "sequence",
                &name,
                owner,
                &sequence.grants,
                carry.default_sequence_grants,
                out,
            );
        }
    }
    let foreign: BTreeSet<_> = carry
        .table
        .grants
        .iter()
        .filter(|g| &g.grantor != owner)
        .map(|g| &g.grantor)
        .collect();
    if !foreign.is_empty() {
        out.warnings.push(format!(
            "privileges that {} gave away are given again by the owner, {owner}: the same rights, another grantor",
            join(foreign, ", ")
        ));
    }
}

fn steps(
    kind: &str,
    object: &QualifiedName,
    owner: &Ident,
    wanted: &[Grant],
    defaults: &[Grant],
    out: &mut Carried,
) {
    revokes(kind, object, owner, defaults, out);
    let of_owner = |g: &&Grant| g.column.is_none() && g.grantee.as_ref() == Some(owner);
    let is_owner_whole = defaults.is_empty() && is_everything(kind, wanted.iter().filter(of_owner));
    if !is_owner_whole {
        out.create.push(Step::new(
            format!("privileges of the owner on {}", object.name),
            format!("revoke all on {kind} {object} from {owner}"),
        ));
    }
    // One statement for each grantee, grant option and column list; roles in a fixed order.
    let mut grouped: BTreeMap<Grantee<'_>, BTreeSet<Privilege<'_>>> = BTreeMap::new();
    for grant in wanted.iter().filter(|g| !(is_owner_whole && of_owner(g))) {
        let privileges = grouped
            .entry((grant.grantee.as_ref(), grant.is_grantable))
            .or_default();
        privileges.insert((grant.column.as_ref(), &grant.privilege));
    }
    for ((grantee, is_grantable), privileges) in grouped {
        let privileges = privileges.iter().map(|(column, name)| match column {
            Some(column) => format!("{} ({column})", name.to_lowercase()),
            None => name.to_lowercase(),
        });
        let privileges = join(privileges, ", ");
        let to = role(grantee);
        let option = if is_grantable { " with grant option" } else { "" };
        out.create.push(Step::new(
            format!("privileges of {to} on {}", object.name),
            format!("grant {privileges} on {kind} {object} to {to}{option}"),
        ));
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
fn is_everything<'g>(kind: &str, grants: impl Iterator<Item = &'g Grant>) -> bool {
    let has: BTreeSet<_> = grants.map(|g| g.privilege.as_str()).collect();
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
                "grant select (id) on table public.persons__c_new_t to public",
                "grant select on table public.persons__c_new_t to reader",
                "grant insert, update (name) on table public.persons__c_new_t to writer",
                "grant delete on table public.persons__c_new_t to writer with grant option",
            ]
        );
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
