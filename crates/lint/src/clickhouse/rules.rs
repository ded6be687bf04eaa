//! The rules, in the order of their codes.

use corridor_pg::Code;

use super::case::Case;
use crate::finding::{Finding, Rule};

type Check = fn(&Case<'_, '_>, &mut Vec<Finding>);

/// A rule's code and the rule. The page: symptom, why, safe way; then `toml` where it needs a description, a first `sql` that
/// it finds and a second one that it does not.
macro_rules! rule {
    ($id:literal $name:literal $class:ident $severity:ident $title:literal $hint:literal $page:literal) => {
        #[doc = $title]
        pub(crate) static CODE: corridor_pg::Code = corridor_pg::Code {
            id: $id,
            title: $title,
            retry: corridor_pg::Retry::Never,
            exit: corridor_pg::Exit::BadResult,
            hint: $hint,
            page: $page,
        };
        #[doc = $title]
        pub(crate) static RULE: crate::finding::Rule = crate::finding::Rule {
            code: &CODE,
            name: $name,
            class: crate::finding::Class::$class,
            severity: crate::finding::Severity::$severity,
        };
    };
}

macro_rules! rules {
    ($($module:ident)*) => {
        $(mod $module;)*
        pub(super) static RULES: &[&Rule] = &[$(&$module::RULE),*];
        pub(super) static CODES: &[&Code] = &[$(&$module::CODE,)* &super::topology::BAD_TOPOLOGY];
        pub(super) static CHECKS: &[Check] = &[$($module::check),*];
        /// The files, for the test that none is forgotten.
        #[cfg(test)]
        pub(super) static MODULES: &[&str] = &[$(stringify!($module)),*];
    };
}

rules! {
    on_cluster
    not_repeatable
    recreate_without_sync
    distributed_twin
    alter_on_every_replica
    column_rewrite
    key_in_place
    order_by_column
    unbounded_mutation
    materialize
    not_materialized
    view_gap
    column_in_use
    replica_divergence
    data_loss
    codec
    nondeterministic_mutation
    wrong_nodes
    server_not_ready
    schema_drift
}
