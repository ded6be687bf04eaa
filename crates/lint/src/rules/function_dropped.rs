//! A release that still runs may call it.

use crate::ir::{Kind, Name, Object};
use crate::judge::{Hit, Look};

rule! {
    "LNT-111" "function-dropped" Compatibility Warning
    "a release that still runs may call it"
    "Drop it one release after the last one that calls it."
    "Statements, triggers and views that call it fail from then on.\n\n**The safe way.** One release after the last one that calls it.\n\nIt fires on:\n\n```sql\ndrop function total(bigint);\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    if let Kind::Drop { object: Object::Function, names, .. } = &look.statement.kind {
        let made_here = |name: &Name| look.script.statements.iter().any(|other| matches!(&other.kind, Kind::CreateFunction { name: made } if made.is(name)));
        for name in names.iter().filter(|name| !made_here(name)) {
            out.push(look.hit_whole(format!("statements that call {name} fail from then on"), "One release after the last one that calls it."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "drop function f(int)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "drop function f(int); create function f(a int) returns int language sql as 'select 1'",
            "drop table t",
        ]);
    }
}
