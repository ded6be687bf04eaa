//! A release that still runs knows the old name.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-102" "column-renamed" Compatibility Error
    "a release that still runs knows the old name"
    "Add a column beside it and move over, release by release."
    "From the instant of the change, every statement that names the old column fails; there is no moment at which both releases are right.\n\n**The safe way.** A new column, kept in step; releases that write both, read the new, forget the old; then drop. Or a view with the old name.\n\nIt fires on:\n\n```sql\nalter table users rename column name to full_name;\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        let Some(ActionKind::RenameColumn { from, to }) = look.action(effect) else { continue };
        let mut hit = look.hit(effect, format!("statements that name {}.{from} fail from then on, those with {to} until then", look.called(&effect.table)), "Add the new column, keep both in step, move over release by release.");
        hit.key = None;
        super::still_used(look, &mut hit, &effect.table, Some(from));
        out.push(hit);
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "alter table t rename column a to b",
            "alter table t rename a to b",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table t (a int); alter table t rename column a to b",
        ]);
    }
}
