//! A release that still runs knows the old value.

use crate::ir::{Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-109" "enum-value-renamed" Compatibility Error
    "a release that still runs knows the old value"
    "Add the new value beside the old one."
    "From the instant of the change, statements with the old value fail.\n\n**The safe way.** Add the new value, move over release by release, and leave the old one where it is.\n\nIt fires on:\n\n```sql\nalter type state rename value 'new' to 'fresh';\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    if let Kind::AlterTypeRenameValue { name } = &look.statement.kind
        && !look.world.new_types.iter().any(|new| new.is(name))
    {
        out.push(look.hit_whole(format!("statements with the old value of {name} fail from then on"), "Add the new value beside the old one."));
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "alter type e rename value 'a' to 'b'",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create type e as enum ('a'); alter type e rename value 'a' to 'b'",
            "alter type e add value 'b'",
        ]);
    }
}
