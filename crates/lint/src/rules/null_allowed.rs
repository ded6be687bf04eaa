//! Readers meet NULL where there was none.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-107" "null-allowed" Compatibility Notice
    "readers meet NULL where there was none"
    "Ship readers that know NULL first."
    "A release that still runs was written when the column could not be NULL.\n\n**The safe way.** First a release whose readers know NULL.\n\nIt fires on:\n\n```sql\nalter table users alter column country drop not null;\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        if let Some(ActionKind::DropNotNull { column }) = look.action(effect) {
            let mut hit = look.hit(effect, format!("readers of {}.{column} may meet NULL from then on", look.called(&effect.table)), "First a release whose readers know NULL.");
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
            "alter table t alter column a drop not null",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table t (a int not null); alter table t alter column a drop not null",
        ]);
    }
}
