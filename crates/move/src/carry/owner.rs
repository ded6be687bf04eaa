//! Ownership. Indexes and identity sequences follow their table.

use super::{Carried, Carry};
use crate::plan::Step;

/// Hands the target and its partitions to the source's owner.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let owner = &carry.table.owner;
    if owner == carry.role {
        return;
    }
    for relation in std::iter::once(&carry.names.target).chain(&carry.names.partitions) {
        out.create.push(Step::new(
            format!("owner of {}", relation.name),
            format!("alter table {relation} owner to {owner}"),
        ));
    }
}

#[cfg(test)]
mod tests {
    use corridor_pg::Ident;

    use super::*;
    use crate::carry::sample;

    #[test]
    fn partitions_get_the_owner_too_and_an_own_table_needs_nothing() {
        let mut table = sample::table("persons");
        assert_eq!(sample::carried(&table, carry).create, []);
        table.owner = Ident::new("Boss").unwrap();
        let out = sample::carried(&table, carry);
        assert_eq!(out.create.len(), 3);
        assert_eq!(
            out.create[2].sql,
            "alter table public.persons_p1 owner to \"Boss\""
        );
    }
}
