//! A release that still runs may use the column.

use crate::ir::{ActionKind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-101" "column-dropped" Compatibility Error
    "a release that still runs may use the column"
    "First ship a release that does not know the column, then drop it."
    "Between the migration and the end of the old release, every statement of it that names the column fails, and many libraries name all columns that they knew at their start.\n\n**The safe way.** First a release that neither reads nor writes the column, then the drop. With `--database`, Corridor looks in pg_stat_statements who still names it.\n\nIt fires on:\n\n```sql\nalter table users drop column nickname;\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        let Some(ActionKind::DropColumn { column, .. }) = look.action(effect) else { continue };
        let mut hit = look.hit(effect, format!("statements that name {}.{column} fail from then on", look.called(&effect.table)), "Drop it one release after the last one that knows it.");
        hit.key = None;
        super::still_used(look, &mut hit, &effect.table, Some(column));
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
            "alter table t drop column a",
            "alter table t drop column if exists a cascade",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "create table t (a int, b int); alter table t drop column a",
        ]);
    }
}
