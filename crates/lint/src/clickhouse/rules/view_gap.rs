//! Rows that a materialized view misses while it, or what it reads, is replaced.

use super::super::case::{Case, Words};
use super::super::statement::{Kind, Name, Object, What};
use crate::finding::Finding;

rule! {
    "LNT-312" "view-gap" Hazard Error
    "rows pass a materialized view by while it is replaced"
    "MODIFY QUERY changes a view without a gap; a Kafka table is replaced only while its view is away."
    r#"**Symptom.** Some seconds of rows are missing in a table that a materialized view fills; or they are there twice.

**Why.** A materialized view is a trigger on inserts: while it is away nothing passes through it, and nothing comes after. `POPULATE` reads what is
there, and misses what is inserted meanwhile. A Kafka table that is dropped under its view takes what it has read and not written with it.

**Safe way.** `ALTER TABLE view MODIFY QUERY …`. Where the source is Kafka: drop the view first, which stops the consumer at its offset; then replace the
Kafka table under the same consumer group; then create the view. Instead of POPULATE: create the view `TO` a table, and insert the past by
itself, up to the moment at which the view was made.

```sql
drop view if exists hits_by_day_mv;
create materialized view if not exists hits_by_day_mv to hits_by_day as select toDate(at) as day, count() as n from hits group by day;
```

Not found:

```sql
alter table hits_by_day_mv modify query select toDate(at) as day, count() as n from hits group by day;
```"#
}

/// Kafka and what is like it: rows are read once.
fn is_stream(case: &Case<'_, '_>, name: &Name) -> bool {
    let key = case.state.key(name);
    let known = case
        .table(name)
        .or_else(|| case.state.former.get(&key))
        .and_then(|t| t.engine.as_deref());
    match known {
        Some(engine) => matches!(
            engine,
            "Kafka" | "RabbitMQ" | "NATS" | "S3Queue" | "AzureQueue" | "FileLog"
        ),
        None => key.1.starts_with("kafka_") || key.1.ends_with("_kafka") || key.1.ends_with("_queue"),
    }
}

/// Names behind FROM and JOIN.
fn reads(case: &Case<'_, '_>, query: super::super::script::Part) -> Vec<Name> {
    // Queries have names in groups too, so tokens are taken flat.
    let tokens = case.script.tokens(query);
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let word = case.script.slice(*token);
        if !(word.eq_ignore_ascii_case("from") || word.eq_ignore_ascii_case("join")) {
            continue;
        }
        let text = |at: usize| tokens.get(at).map(|t| case.script.unquoted(*t));
        let Some(first) = text(at + 1) else { continue };
        let name = if text(at + 2).as_deref() == Some(".") {
            Name {
                database: Some(first),
                object: text(at + 3).unwrap_or_default(),
                span: 0..0,
            }
        } else {
            Name {
                database: None,
                object: first,
                span: 0..0,
            }
        };
        names.push(name);
    }
    names
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let note = |span: std::ops::Range<usize>, what: String, out: &mut Vec<Finding>| {
        out.push(case.finding(&RULE, span, Words {
            what,
            why: "A materialized view sees inserts only while it is there; what passes meanwhile is not made up for.",
            safe_way: "MODIFY QUERY; for a Kafka source, drop the view first and create it last.".into(),
        }));
    };
    match &case.statement().kind {
        Kind::Create(create) => {
            let is_over_new = |name: &Name| case.table(name).is_some_and(|t| t.is_empty());
            let sources = create.query.map(|query| reads(case, query)).unwrap_or_default();
            if let Some(span) = create
                .populate
                .clone()
                .filter(|_| !sources.first().is_some_and(is_over_new))
            {
                note(
                    span,
                    format!(
                        "POPULATE of {} misses what is inserted while it reads",
                        create.name
                    ),
                    out,
                );
            }
        }
        Kind::Drop(drop) | Kind::Detach(drop) => {
            for name in &drop.names {
                if is_stream(case, name) {
                    stream_goes(case, name, out);
                    continue;
                }
                let again = case.behind().iter().find_map(|statement| match &statement.kind {
                    Kind::Create(create)
                        if create.object == Object::MaterializedView && case.is_same(&create.name, name) =>
                    {
                        create.query
                    }
                    _ => None,
                });
                let is_away = again
                    .is_some_and(|query| !reads(case, query).iter().any(|source| is_stream(case, source)));
                if is_away {
                    note(
                        name.span.clone(),
                        format!("{name} is dropped and created again; inserts in between pass it by"),
                        out,
                    );
                }
            }
        }
        Kind::Alter(alter) if is_stream(case, &alter.table) => {
            let is_column = |what: &What| {
                matches!(
                    what,
                    What::AddColumn { .. }
                        | What::ModifyColumn { .. }
                        | What::RenameColumn { .. }
                        | What::Drop { .. }
                )
            };
            if let Some(action) = alter.actions.iter().find(|action| is_column(&action.what)) {
                note(
                    action.span.clone(),
                    format!(
                        "the columns of {} cannot change while its view lives",
                        alter.table
                    ),
                    out,
                );
            }
        }
        _ => {}
    }
}

/// A Kafka table goes: its view must be away.
fn stream_goes(case: &Case<'_, '_>, name: &Name, out: &mut Vec<Finding>) {
    let is_view_away = case.before().iter().any(|statement| match &statement.kind {
        Kind::Drop(drop) | Kind::Detach(drop) => drop.names.iter().any(|view| {
            let key = case.state.key(view);
            let known = case.state.former.get(&key).map(|t| t.is_materialized_view);
            known.unwrap_or_else(|| drop.object != Object::Table || key.1.ends_with("_mv"))
        }),
        _ => false,
    });
    if is_view_away || case.table(name).is_some_and(|t| t.is_new) {
        return;
    }
    let mut finding = case.finding(
        &RULE,
        name.span.clone(),
        Words {
            what: format!("{name} is a stream, and goes before a view that reads it was dropped here"),
            why: "What it has read and not yet written goes with it, or is read again.",
            safe_way: "Drop its materialized view first; the consumer then stops at its offset.".into(),
        },
    );
    finding.unknown.push(format!("which views read {name}"));
    finding.severity = crate::finding::Severity::Warning;
    out.push(finding);
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, silent};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "create materialized view v engine=MergeTree order by a populate as select a from t",
                "drop table v; create materialized view v to x as select a from t",
                "drop table kafka_hits",
                "alter table hits_queue add column a Int8",
            ],
        );
        silent(
            &RULE,
            &[
                "alter table v modify query select a, b from t",
                "drop view hits_mv; drop table kafka_hits; create table kafka_hits (a Int8) engine=Kafka('h','t','g','JSONEachRow'); \
             create materialized view hits_mv to hits as select a from kafka_hits",
                "drop view v",
                "create table t (a Int8) engine=MergeTree order by a; \
             create materialized view v engine=MergeTree order by a populate as select a from t",
                "drop view v; create view v as select a from t",
            ],
        );
    }
}
