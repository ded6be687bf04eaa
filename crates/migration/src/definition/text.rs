//! The SQL texts of a definition: where they are, and which placeholders may stand in each.

use super::{Definition, Operation};

/// What a text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// Where: `operations[2].statement`.
    pub(super) path: String,
    /// For a message: ``operation `fill`, statement``.
    pub(super) label: String,
    /// `:each` has a value there.
    pub(super) has_each: bool,
    /// `:range` has a value there.
    pub(super) has_range: bool,
    /// How it is run.
    pub(super) form: Form,
    /// Asked before anybody has given parameters.
    pub(super) is_asked_early: bool,
}

/// How a text is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Statements, in a transaction of Corridor's.
    InTransaction,
    /// One statement, outside of a transaction.
    Alone,
    /// One statement, in a transaction of Corridor's.
    One,
    /// A part of a statement that Corridor writes around it.
    Fragment,
}

/// Calls `visit` with each SQL text.
pub(super) fn for_each_mut(definition: &mut Definition, visit: &mut dyn FnMut(&Text, &mut String)) {
    let mut plain = |path: String, label: String, sql: &mut String| {
        let is_asked_early = path == "required_when";
        let text = Text {
            path,
            label,
            has_each: false,
            has_range: false,
            form: Form::One,
            is_asked_early,
        };
        visit(&text, sql);
    };
    if let Some(sql) = &mut definition.required_when {
        plain("required_when".to_owned(), "required_when".to_owned(), sql);
    }
    for (list, checks) in [
        ("prechecks", &mut definition.prechecks),
        ("health_checks", &mut definition.health_checks),
    ] {
        for (i, check) in checks.iter_mut().enumerate() {
            let label = format!("{list}, `{}`", check.name);
            plain(format!("{list}[{i}].query"), label, &mut check.query);
        }
    }
    for (i, operation) in definition.operations.iter_mut().enumerate() {
        of_operation(i, operation, visit);
    }
}

fn of_operation(i: usize, operation: &mut Operation, visit: &mut dyn FnMut(&Text, &mut String)) {
    let name = operation.name().to_owned();
    let has_each = matches!(operation, Operation::Backfill(it) if it.for_each.is_some());
    let mut see = |key: &str, form: Form, places: Places, sql: &mut String| {
        let text = Text {
            path: format!("operations[{i}].{key}"),
            label: format!("operation `{name}`, {key}"),
            has_each: has_each && places != Places::None,
            has_range: places == Places::EachAndRange,
            form,
            is_asked_early: false,
        };
        visit(&text, sql);
    };
    match operation {
        Operation::Sql(it) => {
            let form = match it.no_transaction {
                true => Form::Alone,
                false => Form::InTransaction,
            };
            see("statement", form, Places::None, &mut it.statement);
            for (key, form, sql) in [
                ("rollback", Form::InTransaction, &mut it.rollback),
                ("done_when", Form::One, &mut it.done_when),
            ] {
                if let Some(sql) = sql {
                    see(key, form, Places::None, sql);
                }
            }
        }
        Operation::Backfill(it) => {
            for (column, sql) in &mut it.set {
                see(&format!("set.{column}"), Form::Fragment, Places::Each, sql);
            }
            for (key, form, places, sql) in [
                ("where", Form::Fragment, Places::Each, &mut it.filter),
                ("statement", Form::One, Places::EachAndRange, &mut it.statement),
                ("for_each", Form::One, Places::None, &mut it.for_each),
                ("rollback", Form::InTransaction, Places::None, &mut it.rollback),
            ] {
                if let Some(sql) = sql {
                    see(key, form, places, sql);
                }
            }
        }
        Operation::Index(it) => see("definition", Form::Fragment, Places::None, &mut it.definition),
        Operation::Constraint(it) => see("definition", Form::Fragment, Places::None, &mut it.definition),
        Operation::Check(it) => see("query", Form::One, Places::None, &mut it.query),
        Operation::Verify(it) => see("query", Form::One, Places::None, &mut it.query),
        Operation::WaitUntil(it) => see("query", Form::One, Places::None, &mut it.query),
        Operation::Command(_) | Operation::Http(_) | Operation::Move(_) => {}
    }
}

/// Which placeholders of the runner a text may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Places {
    None,
    Each,
    EachAndRange,
}
