//! Values that a release still writes do not fit.

use crate::judge::{Hit, Look};

rule! {
    "LNT-106" "type-narrowed" Compatibility Warning
    "values that a release still writes do not fit"
    "Widen, move over, then narrow."
    "A shorter or smaller type refuses, or cuts, what the old release writes, and the statement fails where a row does not fit today.\n\n**The safe way.** A check `not valid` first, which shows what is written now; narrow when nothing breaks it.\n\nIt fires on:\n\n```sql\nalter table t add column b varchar(20); alter table t alter column b type varchar(10);\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        let is_narrow = matches!(effect.key, "type.varchar-narrower" | "type.text-to-varchar" | "type.numeric-narrower" | "type.numeric-scale" | "type.timestamptz-precision-narrower");
        if is_narrow {
            let mut hit = look.hit(effect, format!("values that do not fit are refused or cut from then on; a row of {} that does not fit makes it fail", look.called(&effect.table)), "A check `not valid` first; narrow when nothing breaks it.");
            hit.key = None;
            out.push(hit);
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
            "alter table t add column b varchar(20); alter table t alter column b type varchar(10)",
            "alter table t add column b text; alter table t alter column b type varchar(10)",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t add column b varchar(10); alter table t alter column b type varchar(20)",
            "alter table t alter column b type varchar(20)",
        ]);
    }
}
