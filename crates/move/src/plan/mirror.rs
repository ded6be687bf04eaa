//! What the two mirrors of a move add to its statements: their own tables and functions, and the capture triggers.
//!
//! The runner makes them from the plan and the migration's number, which is not known before the plan is stored; here
//! they stand with `n` in its place.

use corridor_pg::{LockMode, QualifiedName};
use serde::Serialize;

use super::{MovePlan, Step};

/// The statements of the mirrors. `n` stands for the number that the migration gets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MirrorSteps {
    /// `prepare`: the mirror's own tables and functions, in the schema `corridor`.
    pub create: Vec<Step>,
    /// `prepare`: the capture triggers on the table.
    pub capture: Vec<Step>,
    /// `cutover`, or rollback before it: they go.
    pub end_capture: Vec<Step>,
    /// `cutover`, before the swap: the tables and functions of the reverse mirror.
    pub create_back: Vec<Step>,
    /// `cutover`, in the swap: the capture triggers on the new table and its partitions.
    pub capture_back: Vec<Step>,
    /// `finish`, or rollback after the cut-over: they go.
    pub end_capture_back: Vec<Step>,
    /// `finish` and rollback: the tables and functions of both mirrors go.
    pub drop: Vec<Step>,
}

impl MirrorSteps {
    /// The statements of this plan's mirrors.
    pub fn of(plan: &MovePlan) -> Self {
        let (forward, back) = crate::run::mirrors(plan, "n");
        let (leaves, old) = (plan.new_leaves(), plan.old_leaves());
        let source = &plan.source.name;
        let drop = [forward.drop_statements(), back.drop_statements()].concat();
        if plan.is_one_way {
            return MirrorSteps {
                create: own("the mirror's own", forward.create_statements()),
                capture: begin(source, &old, forward.trigger_statements(&old)),
                end_capture: end(source, &old, forward.drop_trigger_statements(&old)),
                drop: own("the mirror's own go", forward.drop_statements()),
                ..MirrorSteps::default()
            };
        }
        MirrorSteps {
            create: own("the mirror's own", forward.create_statements()),
            capture: begin(source, &old, forward.trigger_statements(&old)),
            end_capture: end(source, &old, forward.drop_trigger_statements(&old)),
            create_back: own("the reverse mirror's own", back.create_statements()),
            capture_back: begin(source, &leaves, back.trigger_statements(&leaves)),
            end_capture_back: end(source, &leaves, back.drop_trigger_statements(&leaves)),
            drop: own("the mirrors' own go", drop),
        }
    }
}

/// Statements on what no application uses.
fn own(what: &str, statements: Vec<String>) -> Vec<Step> {
    statements.into_iter().map(|sql| Step::new(what, sql)).collect()
}

fn begin(table: &QualifiedName, leaves: &[QualifiedName], statements: Vec<String>) -> Vec<Step> {
    const FOR_EACH_TABLE: usize = 2;
    locked(
        "capture",
        LockMode::ShareRowExclusive,
        (table, leaves),
        FOR_EACH_TABLE,
        statements,
    )
}

fn end(table: &QualifiedName, leaves: &[QualifiedName], statements: Vec<String>) -> Vec<Step> {
    const FOR_EACH_TABLE: usize = 1;
    locked(
        "the capture ends",
        LockMode::AccessExclusive,
        (table, leaves),
        FOR_EACH_TABLE,
        statements,
    )
}

/// The row triggers come first, all on the table itself (the server clones them to its partitions); then the one for
/// truncates, on the table and on each partition, by as many statements for each.
fn locked(
    what: &str,
    mode: LockMode,
    (table, leaves): (&QualifiedName, &[QualifiedName]),
    for_each_table: usize,
    statements: Vec<String>,
) -> Vec<Step> {
    let on_leaves = leaves.len() * for_each_table;
    let first = statements.len().saturating_sub(on_leaves);
    let relation = |at: usize| match at.checked_sub(first) {
        None => table,
        Some(at) => leaves.get(at / for_each_table).unwrap_or(table),
    };
    let step = |(at, sql)| Step::new(what, sql).brief([(relation(at), mode)]);
    statements.into_iter().enumerate().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::make::tests::input;
    use crate::plan::plan;

    #[test]
    fn each_statement_names_the_table_that_it_locks() {
        let steps = MirrorSteps::of(&plan(&input()).unwrap());
        let all = [
            &steps.capture,
            &steps.end_capture,
            &steps.capture_back,
            &steps.end_capture_back,
        ];
        for step in all.into_iter().flatten() {
            let [lock] = step.locks.as_slice() else {
                panic!("{step:?}");
            };
            let words: Vec<&str> = step.sql.split_whitespace().collect();
            assert!(words.contains(&lock.relation.to_string().as_str()), "{step:?}");
        }
        let count = |steps: &[Step]| steps.len();
        assert_eq!((count(&steps.capture), count(&steps.end_capture)), (8, 4));
        assert_eq!(
            (count(&steps.capture_back), count(&steps.end_capture_back)),
            (12, 6)
        );
        assert!(steps.drop.iter().all(|step| step.locks.is_empty()));
    }
}
