//! Views that read the table. A view holds on to the table itself, not to its name: after the rename it would read the
//! old one. Each is replaced in the swap by its own definition, which then means the new table; views on views,
//! grants, owners and comments of views are untouched.
//!
//! A reader of a view locks the view first and the table after it. The swap does the same (`swap_first`), else every
//! reader that arrives in between would be a deadlock.

use corridor_pg::Literal;
use corridor_pg::catalog::{RelationKind, View};

use super::{Carried, Carry};
use crate::fault::VIEW_NOT_CARRIED;
use crate::plan::{LockMode, Step};

/// Replaces every view in the swap and on the way back.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for view in &carry.table.views {
        if let Some(why) = obstacle(carry, view) {
            out.refuse(&VIEW_NOT_CARRIED, format!("{}: {why}", view.name));
            continue;
        }
        if view.kind == RelationKind::MaterializedView {
            // It cannot be replaced: `materialized_view` makes it anew.
            continue;
        }
        let locks = [(&view.name, LockMode::AccessExclusive)];
        // `lock table` on a view would lock everything that it reads. A change to the owner that it has already
        // locks the view alone, and changes nothing.
        out.swap_first.push(
            Step::new(
                format!("lock on view {}", view.name),
                format!("alter view {} owner to {}", view.name, view.owner),
            )
            .brief(locks),
        );
        let step = Step::new(format!("view {}", view.name), replace(view)).brief(locks);
        out.forward.attach.push(step.clone());
        out.back.attach.push(step);
    }
}

fn obstacle(carry: &Carry<'_>, view: &View) -> Option<String> {
    if view.is_temporary {
        return Some("it is a temporary view of some session".into());
    }
    if view.has_row_type_column {
        return Some("a column of it has the table's row type".into());
    }
    let lost = carry.table.indexes.iter().find(|index| {
        let is_used = index
            .constraint_oid
            .is_some_and(|oid| view.constraint_oids.contains(&oid));
        is_used && !carry.missing_columns(|c| index.has_key_column(c)).is_empty()
    });
    if let Some(index) = lost {
        return Some(format!(
            "it groups by the key {}, which has to be widened",
            index.name
        ));
    }
    let is_changed = carry.is_partitioned() != carry.is_source_partitioned();
    let is_only = is_changed && view.definition.contains(&format!("ONLY {}", carry.table.name));
    is_only.then(|| "it reads ONLY the table, and a partitioned table has no rows of its own".into())
}

fn replace(view: &View) -> String {
    // Without its options `create or replace` would reset them.
    let options: Vec<String> = view
        .options
        .iter()
        .map(|option| match option.split_once('=') {
            Some((name, value)) => format!("{name} = {}", Literal(value)),
            None => option.clone(),
        })
        .collect();
    let with = match options.is_empty() {
        true => String::new(),
        false => format!(" with ({})", options.join(", ")),
    };
    format!(
        "create or replace view {}{with} as {}",
        view.name,
        view.definition.trim()
    )
}

#[cfg(test)]
mod tests {
    use corridor_pg::Oid;

    use super::*;
    use crate::carry::sample;

    fn view() -> View {
        View {
            oid: Oid(600),
            name: sample::public("v"),
            kind: RelationKind::View,
            definition: " SELECT id\n   FROM public.persons".into(),
            options: vec!["check_option=local".into(), "security_barrier=true".into()],
            is_temporary: false,
            owner: sample::id("Viewer"),
            comment: None,
            columns: vec![sample::id("id")],
            has_row_type_column: false,
            constraint_oids: vec![],
        }
    }

    #[test]
    fn a_view_is_locked_first_and_replaced_with_its_options() {
        let mut table = sample::table("persons");
        table.views.push(view());
        let out = sample::carried(&table, carry);
        assert_eq!(out.swap_first[0].sql, "alter view public.v owner to \"Viewer\"");
        assert_eq!(
            out.forward.attach[0].sql,
            "create or replace view public.v with (check_option = 'local', security_barrier = 'true') as \
             SELECT id\n   FROM public.persons"
        );
        assert_eq!(out.forward.attach, out.back.attach);
    }

    #[test]
    fn what_cannot_be_replaced_refuses() {
        let mut table = sample::table("persons");
        for change in [
            (|v: &mut View| v.is_temporary = true) as fn(&mut View),
            |v| v.has_row_type_column = true,
            |v| v.constraint_oids = vec![Oid(201)],
            |v| v.definition = "SELECT id FROM ONLY public.persons".into(),
        ] {
            table.views = vec![view()];
            change(&mut table.views[0]);
            assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-044");
        }
    }
}
