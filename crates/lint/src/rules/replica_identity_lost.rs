//! Updates and deletes of a published table may fail.

use crate::finding::Severity;
use crate::ir::{ActionKind, Kind};
use crate::judge::{Hit, Look};

rule! {
    "LNT-110" "replica-identity-lost" Compatibility Error
    "updates and deletes of a published table may fail"
    "Set another replica identity before the key goes."
    "A table that is published needs a replica identity for updates and deletes: its primary key, unless another one is set. Without it the server refuses them.\n\n**The safe way.** `alter table … replica identity using index …` before the key is dropped.\n\nIt fires on:\n\n```sql\nalter table users drop constraint users_pkey;\n```\n\n`corridor lint --database` looks at what the server has counted."
}

pub(super) fn check(look: &Look<'_>, out: &mut Vec<Hit>) {
    for (effect, _) in look.busy() {
        let is_lost = match look.action(effect) {
            Some(ActionKind::DropConstraint { name, .. }) => effect.key == "drop-constraint.primary-key" || name.ends_with("_pkey"),
            Some(ActionKind::ReplicaIdentity { nothing }) => *nothing,
            _ => false,
        };
        let identity_set = look.script.statements[..look.at].iter().any(|before| matches!(&before.kind, Kind::Alter { name, actions, .. } if name.is(&effect.table) && actions.iter().any(|action| matches!(action.kind, ActionKind::ReplicaIdentity { nothing: false }))));
        if !is_lost || identity_set {
            continue;
        }
        let published = look.live.and_then(|live| live.figures(&effect.table)).map(|figures| figures.is_published);
        let mut hit = look.hit(effect, format!("updates and deletes of {} fail, if it is published", look.called(&effect.table)), "Set another replica identity first.");
        hit.key = None;
        match published {
            Some(true) => hit.what = format!("updates and deletes of {} fail: it is published", look.called(&effect.table)),
            Some(false) => hit.severity = Some(Severity::Notice),
            None => {
                hit.severity = Some(Severity::Warning);
                hit.unknown.push(format!("whether {} is published", effect.table));
            }
        }
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
            "alter table t drop constraint t_pkey",
            "alter table t replica identity nothing",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "alter table t replica identity full; alter table t drop constraint t_pkey",
            "alter table t drop constraint t_a_check",
            "create table t (a int primary key); alter table t drop constraint t_pkey",
        ]);
    }
}
