//! What belongs to other objects and names the table: policies of other tables, rules of others, functions with
//! SQL-standard bodies. Each holds on to the table itself, not to its name, as a view does, and is said again in the swap.

use corridor_pg::catalog::ForeignUserKind;

use super::{Carried, Carry};
use crate::plan::{LockMode, Step};

/// Says each of them again, in the swap and on the way back.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for user in &carry.table.foreign_users {
        let kind = match user.kind {
            ForeignUserKind::Policy => "policy",
            ForeignUserKind::Rule => "rule",
            ForeignUserKind::Function => "function",
        };
        let step = Step::new(format!("{kind} {}", user.name), user.definition.clone());
        let step = match &user.relation {
            Some(relation) => {
                // Not for a rule: it may be a view's, and to lock a view is to lock everything that it reads.
                if user.kind == ForeignUserKind::Policy {
                    out.lock(relation, LockMode::AccessExclusive);
                }
                step.brief([(relation, LockMode::AccessExclusive)])
            }
            None => step.brief([]),
        };
        out.forward.attach.push(step.clone());
        out.back.attach.push(step);
    }
}
