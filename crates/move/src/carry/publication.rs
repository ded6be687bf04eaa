//! Publications that name the table: it leaves them in the swap, and the new one enters, with the same columns and row
//! filter. A subscriber goes by names, so it goes on with the next change (tested with a real one).
//!
//! Until the swap the new table must be in no publication: its rows would go out a second time, under a name that no
//! subscriber knows. A publication of a whole schema, or of all tables, would take it in by itself, and is refused.

use corridor_pg::catalog::{Publication, PublicationReach};
use corridor_pg::ident::join;

use super::{Carried, Carry};
use crate::fault::PUBLICATION;
use crate::plan::{LockMode, Step};

/// Moves the table's membership, forth and back.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let table = &carry.names.source;
    for publication in &carry.table.publications {
        if let Some(why) = obstacle(carry, publication) {
            out.refuse(&PUBLICATION, format!("publication {} {why}", publication.name));
            continue;
        }
        let name = &publication.name;
        let locks = [(table, LockMode::ShareUpdateExclusive)];
        let leave = Step::new(
            format!("the table that leaves is taken from publication {name}"),
            format!("alter publication {name} drop table {table}"),
        )
        .brief(locks);
        let mut member = table.to_string();
        if let Some(columns) = &publication.columns {
            member.push_str(&format!(" ({})", join(columns, ", ")));
        }
        if let Some(filter) = &publication.filter_sql {
            member.push_str(&format!(" where ({filter})"));
        }
        let enter = Step::new(
            format!("publication {name}"),
            format!("alter publication {name} add table {member}"),
        )
        .brief(locks);
        for phases in [&mut out.forward, &mut out.back] {
            phases.detach.push(leave.clone());
            phases.attach.push(enter.clone());
        }
    }
}

fn obstacle(carry: &Carry<'_>, publication: &Publication) -> Option<String> {
    let by = match publication.reach {
        PublicationReach::Table if carry.shape.is_partitioned() && !publication.is_via_root => {
            return Some(
                "would publish partitions under their own names, which no subscriber knows; \
                 alter publication … set (publish_via_partition_root = true) first"
                    .into(),
            );
        }
        PublicationReach::Table => return None,
        PublicationReach::Schema => "by its schema",
        PublicationReach::AllTables => "with all tables",
    };
    Some(format!("contains it {by}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample::{self, id};
    use crate::shape::Shape;

    #[test]
    fn columns_and_row_filter_come_along() {
        let mut table = sample::table("persons");
        table.publications.push(Publication {
            name: id("Pub"),
            owner: id("boss"),
            reach: PublicationReach::Table,
            is_via_root: false,
            columns: Some(vec![id("id"), id("team_id")]),
            filter_sql: Some("(team_id > 0)".into()),
        });
        let out = sample::carried_as(&table, &Shape::Same, 15, carry);
        assert_eq!(
            out.forward.detach[0].sql,
            "alter publication \"Pub\" drop table public.persons"
        );
        assert_eq!(
            out.back.attach[0].sql,
            "alter publication \"Pub\" add table public.persons (id, team_id) where ((team_id > 0))"
        );
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-031");
        table.publications[0].is_via_root = true;
        assert_eq!(sample::carried(&table, carry).refusals, []);
        table.publications[0].reach = PublicationReach::AllTables;
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-031");
    }
}
