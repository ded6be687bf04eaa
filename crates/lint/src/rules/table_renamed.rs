//! A release that still runs knows the old name.

use crate::ir::{ActionKind, Kind, Name, Object};
use crate::judge::{Hit, Look};

rule! {
    "LNT-104" "table-renamed" Compatibility Error
    "a release that still runs knows the old name"
    "Leave a view with the old name."
    "From the instant of the change, every statement that names the old table, type or schema fails.\n\n**The safe way.** In one transaction: rename, and `create view old as select * from new`, which can be written to.\n\nIt fires on:\n\n```sql\nalter table users rename to accounts;\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        let is_move = match (look.action(effect), &look.statement.kind) {
            (Some(ActionKind::Rename { .. }), Kind::Alter { object, .. }) => *object != Object::Index && *object != Object::Sequence,
            (Some(ActionKind::SetSchema { .. }), Kind::Alter { object: Object::Table | Object::View | Object::MaterializedView, .. }) => true,
            _ => false,
        };
        if !is_move {
            continue;
        }
        let has_view = look.script.statements[look.at..].iter().any(|later| matches!(&later.kind, Kind::CreateView { name, .. } if name.is(&effect.table)));
        if has_view || is_made_here(look, &effect.table) || is_taken_again(look, &effect.table) {
            continue;
        }
        let mut hit = look.hit(effect, format!("statements that name {} fail from then on", look.called(&effect.table)), "A view with the old name, made in the same transaction.");
        hit.key = None;
        super::still_used(look, &mut hit, &effect.table, None);
        out.push(hit);
    }
}

/// A type of this very file has no other name anywhere.
fn is_made_here(look: &Look<'_>, name: &Name) -> bool {
    look.script.statements[..look.at].iter().any(|earlier| matches!(&earlier.kind, Kind::CreateType { name: made, .. } if made.is(name)))
}

/// Something else gets the name in the same transaction: the way in which a table or a type is exchanged.
fn is_taken_again(look: &Look<'_>, name: &Name) -> bool {
    let later = look.script.statements[look.at..].iter().skip(1);
    look.session.transaction.is_some()
        && later
            .take_while(|later| !matches!(later.kind, Kind::Commit { .. } | Kind::Rollback { .. }))
            .any(|later| matches!(&later.kind, Kind::Alter { actions, .. } if actions.iter().any(|action| matches!(&action.kind, ActionKind::Rename { to } if *to == name.name))))
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "alter table t rename to u",
            "alter table t set schema s",
            "alter view v rename to w",
            "alter schema a rename to b",
            "alter type e rename to f",
            "alter table t rename to t_old; alter table t_new rename to t",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "begin; alter table t rename to u; create view t as select * from u; commit",
            "create table t (a int); alter table t rename to u",
            "alter index i rename to j",
            "create type r as enum ('a'); alter type r rename to r2",
            "begin; create type r_new as enum ('a'); alter type r rename to r_old; alter type r_new rename to r; commit",
        ]);
    }
}
