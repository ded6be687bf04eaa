//! What an operation does, for a person who is to agree to it: the statements, their locks, the way back.

use crate::definition::{Constraint, Operation, not_null};

/// Label and text of each line, in their order.
pub fn steps(operation: &Operation) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    match operation {
        Operation::Sql(it) => {
            lines.push(("does", it.statement.clone()));
            if it.no_transaction {
                lines.push(("how", "outside of a transaction".to_owned()));
            }
            if let Some(query) = &it.done_when {
                lines.push(("done when", query.clone()));
            }
            lines.push((
                "locks",
                format!(
                    "what the statement takes; each try waits {} for them, all tries {}",
                    it.lock_timeout.as_deref().unwrap_or("500ms"),
                    it.lock_budget.as_deref().unwrap_or("10min")
                ),
            ));
            back(&mut lines, it.rollback.as_deref(), it.irreversible.as_deref());
        }
        Operation::Backfill(it) => {
            match &it.statement {
                Some(statement) => lines.push(("does", statement.clone())),
                None => {
                    let set: Vec<String> = it
                        .set
                        .iter()
                        .map(|(column, expression)| format!("{column} = {expression}"))
                        .collect();
                    lines.push(("does", format!("update {} set {}", it.table, set.join(", "))));
                }
            }
            if let (Some(_), Some(filter)) = (&it.statement, &it.filter) {
                lines.push(("batches of", format!("rows where {filter}")));
            } else if let Some(filter) = &it.filter {
                lines.push(("where", filter.clone()));
            }
            lines.push(("along", format!("the key of {}, batch by batch", it.table)));
            if let Some(query) = &it.for_each {
                lines.push(("for each", query.clone()));
            }
            lines.push((
                "locks",
                "row locks of one batch, for about half a second".to_owned(),
            ));
            back(&mut lines, it.rollback.as_deref(), it.irreversible.as_deref());
        }
        Operation::Index(it) => {
            let unique = if it.unique { "unique " } else { "" };
            lines.push((
                "does",
                format!(
                    "create {unique}index concurrently {} on {} {}",
                    it.index, it.table, it.definition
                ),
            ));
            lines.push((
                "locks",
                "share update exclusive on the table: nobody who reads or writes waits".to_owned(),
            ));
            lines.push(("way back", format!("drop index concurrently {}", it.index)));
        }
        Operation::Constraint(it) if not_null::column(&it.definition).is_some() => not_null(&mut lines, it),
        Operation::Constraint(it) => {
            lines.push((
                "does",
                format!(
                    "alter table {} add constraint {} {} not valid",
                    it.table, it.constraint, it.definition
                ),
            ));
            lines.push((
                "then",
                format!("alter table {} validate constraint {}", it.table, it.constraint),
            ));
            lines.push((
                "locks",
                "access exclusive (a foreign key: share row exclusive) for a moment, waited for 500 ms at a time; then \
                 share update exclusive while the rows are read"
                    .to_owned(),
            ));
            lines.push((
                "way back",
                format!("alter table {} drop constraint {}", it.table, it.constraint),
            ));
        }
        Operation::Check(it) => lines.push(("asks", it.query.clone())),
        Operation::Verify(it) => {
            lines.push(("counts", it.query.clone()));
            lines.push(("tolerates", it.tolerance.clone()));
        }
        Operation::WaitUntil(it) => {
            lines.push(("waits for", it.query.clone()));
            if let Some(at_most) = &it.at_most {
                lines.push(("at most", at_most.clone()));
            }
        }
        Operation::Command(it) => {
            lines.push(("runs", it.command.join(" ")));
            let rollback = it.rollback.as_ref().map(|words| words.join(" "));
            back(&mut lines, rollback.as_deref(), it.irreversible.as_deref());
        }
        Operation::Http(it) => {
            lines.push(("calls", format!("{} {}", it.method, it.url)));
            back(&mut lines, None, it.irreversible.as_deref());
        }
        Operation::Move(it) => {
            lines.push((
                "does",
                format!("corridor move {} {}", it.table, it.arguments.join(" ")),
            ));
            lines.push(("way back", "swaps back, every later write is kept".to_owned()));
        }
    }
    lines
}

fn not_null(lines: &mut Vec<(&'static str, String)>, it: &Constraint) {
    let (table, name) = (&it.table, &it.constraint);
    let column = match not_null::column(&it.definition) {
        Some(Ok(column)) => column.to_string(),
        _ => it.definition.clone(),
    };
    lines.push((
        "does",
        format!("alter table {table} add constraint {name} check ({column} is not null) not valid"),
    ));
    lines.push(("then", format!("alter table {table} validate constraint {name}")));
    lines.push((
        "then",
        format!("alter table {table} alter column {column} set not null, which needs no scan; the check is dropped with it"),
    ));
    lines.push((
        "locks",
        "access exclusive for a moment at the first and at the last step, waited for 500 ms at a time; share update exclusive \
         while the rows are read"
            .to_owned(),
    ));
    lines.push((
        "way back",
        format!("alter table {table} alter column {column} drop not null"),
    ));
}

fn back(lines: &mut Vec<(&'static str, String)>, rollback: Option<&str>, irreversible: Option<&str>) {
    match (irreversible, rollback.map(str::trim)) {
        (Some(why), _) => lines.push(("way back", format!("none: {why}"))),
        (None, None | Some("")) => lines.push(("way back", "nothing to do".to_owned())),
        (None, Some(statement)) => lines.push(("way back", statement.to_owned())),
    }
}
