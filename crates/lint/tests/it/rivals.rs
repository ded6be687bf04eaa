//! Facts that the best-known tools have wrong, as they are: each test is named after the claim that it refutes.

use corridor_lint::facts::{Mode, of};

fn on_every_major(key: &str, check: impl Fn(&corridor_lint::facts::Fact)) {
    let mut seen = 0;
    for fact in (14..=18).filter_map(|major| of(key, major)) {
        check(fact);
        seen += 1;
    }
    assert!(seen > 0, "{key} is not measured");
}

#[test]
fn a_default_of_now_does_not_rewrite_the_table() {
    on_every_major("add-column.stable-default", |fact| {
        assert!(!fact.rewrites("table") && !fact.scans("table"))
    });
}

#[test]
fn checks_and_unique_constraints_take_more_than_share_row_exclusive() {
    for key in ["add-check", "add-unique", "add-exclude", "add-unique.using-index"] {
        on_every_major(key, |fact| {
            assert_eq!(fact.lock("table"), Some(Mode::AccessExclusive), "{key}")
        });
    }
}

#[test]
fn not_valid_is_no_share_update_exclusive() {
    on_every_major("add-check.not-valid", |fact| {
        assert_eq!(fact.lock("table"), Some(Mode::AccessExclusive))
    });
    on_every_major("add-foreign-key.not-valid", |fact| {
        assert_eq!(fact.lock("table"), Some(Mode::ShareRowExclusive));
        assert_eq!(fact.lock("referenced"), Some(Mode::ShareRowExclusive));
    });
}

#[test]
fn a_foreign_key_is_no_access_exclusive() {
    on_every_major("add-foreign-key", |fact| {
        assert_eq!(fact.lock("table"), Some(Mode::ShareRowExclusive))
    });
}

#[test]
fn another_collation_rewrites_no_row() {
    on_every_major("type.collation", |fact| assert!(!fact.rewrites("table")));
    on_every_major("type.collation-indexed", |fact| {
        assert!(!fact.rewrites("table") && fact.rewrites("table.index"))
    });
}

#[test]
fn attach_partition_lets_the_parent_work_and_reindex_stops_only_the_index() {
    on_every_major("attach-partition", |fact| {
        assert_eq!(fact.lock("table"), Some(Mode::ShareUpdateExclusive));
        assert_eq!(fact.lock("partition"), Some(Mode::AccessExclusive));
    });
    on_every_major("attach-partition.default-exists", |fact| {
        assert_eq!(fact.lock("default"), Some(Mode::AccessExclusive))
    });
    on_every_major("reindex.table", |fact| {
        assert_eq!(fact.lock("table"), Some(Mode::Share));
        assert_eq!(fact.lock("table.index"), Some(Mode::AccessExclusive));
    });
}

#[test]
fn a_new_enum_value_locks_no_table() {
    on_every_major("add-enum-value", |fact| {
        assert!(fact.locks.is_empty() && fact.in_transaction)
    });
}

#[test]
fn a_new_nullable_column_with_a_reference_reads_no_row() {
    on_every_major("add-column.references", |fact| {
        assert!(fact.scans.as_ref().is_some_and(Vec::is_empty))
    });
    on_every_major("add-column.references-default", |fact| {
        assert!(fact.scans("table"))
    });
}

#[test]
fn a_constrained_domain_rewrites_on_every_major_and_a_virtual_column_never() {
    on_every_major("add-column.constrained-domain", |fact| {
        assert!(fact.rewrites("table"))
    });
    on_every_major("add-column.generated-virtual", |fact| {
        assert!(!fact.rewrites("table"))
    });
    on_every_major("add-column.serial", |fact| assert!(fact.rewrites("table")));
}
