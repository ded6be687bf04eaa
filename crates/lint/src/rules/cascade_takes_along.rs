//! What is not named is dropped as well.

use crate::ir::{Kind, Name, Object};
use crate::judge::{Hit, Look};

rule! {
    "LNT-058" "cascade-takes-along" Hazard Error
    "what is not named is dropped as well"
    "Drop what depends on it by name, or find that nothing does."
    "`drop … cascade` drops whatever depends on the object: the columns that have the type, the views, the defaults that take the next value of the sequence. Each table that is touched is locked against readers and writers. Which ones that are is not in the text. `drop owned` goes through all that a role owns, `drop database` through everything.\n\n**The safe way.** Without `cascade` the server refuses and lists what depends on it: look at the list, and drop what is on it by name, in the order that old releases can bear. `corridor lint --rehearse -d URL` shows what would go.\n\nIt fires on:\n\n```sql\ndrop type mood cascade;\n```"
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    let Kind::Drop { object, names, cascade, .. } = &look.statement.kind else { return };
    let what = match object {
        // LNT-103 and LNT-111 speak of these.
        Object::Table | Object::MaterializedView | Object::View | Object::Schema | Object::ForeignTable => return,
        Object::Database => "everything in the database goes".to_owned(),
        Object::Owned => "all that the role owns in this database goes, tables and their rows too".to_owned(),
        _ if !cascade => return,
        _ => match names.iter().find(|name| !is_made_here(look, name)) {
            Some(name) => format!("whatever depends on {name} goes with it: columns, defaults, views"),
            None => return,
        },
    };
    out.push(look.hit_whole(what, "Without `cascade` the server lists what depends on it; `--rehearse` shows what would go."));
}

/// What the file has made itself nothing else depends on yet.
fn is_made_here(look: &Look<'_>, name: &Name) -> bool {
    look.script.statements.iter().any(|other| match &other.kind {
        Kind::CreateType { name: made, .. } | Kind::CreateDomain { name: made, .. } | Kind::CreateSequence { name: made } | Kind::CreateFunction { name: made } => made.is(name),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "drop type mood cascade",
            "drop domain pos cascade",
            "drop extension citext cascade",
            "drop sequence if exists orders_id_seq cascade",
            "drop function f() cascade",
            "drop owned by bob",
            "drop owned by bob cascade",
            "drop database app",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "drop type mood",
            "drop extension citext",
            "drop sequence s",
            "create type r as enum ('a'); drop type r cascade",
            "drop table t cascade",
            "drop role bob",
        ]);
    }
}
