//! `--plan`: a file, as a migration that `corridor migration add` takes: what is dangerous is done the safe way, what is
//! not is done as it stands, all of it in the same order.

mod text;

use corridor_migration::definition::{
    Backfill, Constraint as ConstraintOperation, Definition, Index, Move, Operation, Sql,
};

use crate::facts;
use crate::facts::key::effects;
use crate::ir::{Action, ActionKind, Constraint, ConstraintKind, Kind, Name, Object, Statement, quoted};
use crate::judge::{Settings, Source};
use crate::parse;
use crate::source::Runner;
use crate::world::World;

/// A plan.
#[derive(Debug)]
pub struct Plan {
    /// The migration.
    pub definition: Definition,
    /// Statements that no operation does safely: a person has to decide. The plan does not have them.
    pub left: Vec<(std::ops::Range<usize>, String)>,
}

/// Makes a plan of a file. `None` where there is nothing to do.
pub fn plan(source: &Source<'_>, name: &str, settings: &Settings, world: &World) -> Option<Plan> {
    let runner = settings
        .runner
        .unwrap_or_else(|| Runner::guess(source.path, source.text));
    let reading = runner.read(source.path, source.text, source.config);
    if reading.is_passed_over {
        return None;
    }
    let mut world = world.clone();
    let mut planner = Planner {
        text: source.text,
        major: settings.major,
        operations: Vec::new(),
        left: Vec::new(),
    };
    for statement in parse::read(source.text).statements {
        if reading
            .forward
            .iter()
            .any(|part| part.contains(&statement.span.start))
        {
            planner.statement(&statement, &world);
            world.apply(&statement);
        }
    }
    if planner.operations.is_empty() {
        return None;
    }
    let definition = Definition {
        name: name.to_owned(),
        description: format!("{}, the safe way", source.path),
        versions: None,
        requires: corridor_migration::definition::Requirements::default(),
        depends_on: Vec::new(),
        parameters: std::collections::BTreeMap::new(),
        required_when: None,
        prechecks: Vec::new(),
        health_checks: Vec::new(),
        health_every: "30s".to_owned(),
        rollback_on_failure: false,
        finish: corridor_migration::definition::Finish::Automatic,
        settings: std::collections::BTreeMap::new(),
        operations: planner.operations,
    };
    Some(Plan {
        definition,
        left: planner.left,
    })
}

struct Planner<'a> {
    text: &'a str,
    major: u32,
    operations: Vec<Operation>,
    left: Vec<(std::ops::Range<usize>, String)>,
}

/// What the server is given to wait for a lock, once; it is tried again until the budget is used up.
const LOCK_TIMEOUT: &str = "2s";
const LOCK_BUDGET: &str = "30min";

impl Planner<'_> {
    fn source(&self, statement: &Statement) -> String {
        // A colon in front of a word would be taken for a parameter; quotes, comments and casts are known.
        self.text[statement.span.clone()].to_owned()
    }

    /// A name for an operation that no other one has.
    fn name(&self, words: &str) -> String {
        let plain: String = words
            .to_ascii_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let mut short: String = plain
            .split('-')
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-");
        short.truncate(50);
        if !short.starts_with(|c: char| c.is_ascii_lowercase()) {
            short.insert_str(0, "do-");
        }
        let mut name = short.clone();
        let mut number = 2;
        while self.operations.iter().any(|operation| operation.name() == name) {
            name = format!("{short}-{number}");
            number += 1;
        }
        name
    }

    fn sql(&mut self, words: &str, statement: String, rollback: Option<String>) {
        let irreversible = rollback
            .is_none()
            .then(|| "it was written without a way back".to_owned());
        let name = self.name(words);
        self.operations.push(Operation::Sql(Sql {
            name,
            statement,
            rollback,
            irreversible,
            lock_timeout: Some(LOCK_TIMEOUT.to_owned()),
            lock_budget: Some(LOCK_BUDGET.to_owned()),
            ..Sql::default()
        }));
    }

    /// A statement that the server takes only outside of a transaction.
    fn alone(&mut self, words: &str, statement: String, done_when: String, why: &str) {
        let name = self.name(words);
        self.operations.push(Operation::Sql(Sql {
            name,
            statement,
            irreversible: Some(why.to_owned()),
            no_transaction: true,
            done_when: Some(done_when),
            ..Sql::default()
        }));
    }

    fn constraint(&mut self, table: &Name, constraint: &str, definition: &str) {
        let name = self.name(constraint);
        self.operations.push(Operation::Constraint(ConstraintOperation {
            name,
            table: table.sql(),
            constraint: constraint.to_owned(),
            definition: definition.to_owned(),
            lock_budget: Some(LOCK_BUDGET.to_owned()),
        }));
    }

    fn statement(&mut self, statement: &Statement, world: &World) {
        let found = effects(statement, world, None);
        let is_harmful = found.iter().any(|effect| {
            let harms = facts::of(effect.key, self.major).is_none_or(|fact| {
                let works = fact.rewrites("table")
                    || fact.scans.as_ref().is_some_and(|scans| !scans.is_empty())
                    || fact.failure.is_some()
                    || !fact.in_transaction;
                works
                    || matches!(
                        effect.key,
                        "drop-index" | "detach-partition" | "drop-index.partitioned"
                    )
            });
            harms && !world.is_new(&effect.table)
        });
        match &statement.kind {
            Kind::Begin
            | Kind::Commit { .. }
            | Kind::Rollback { .. }
            | Kind::Savepoint(_)
            | Kind::Release(_)
            | Kind::RollbackTo(_)
            | Kind::ResetAll => {}
            Kind::Set(setting) if matches!(setting.name.as_str(), "lock_timeout" | "statement_timeout") => {}
            Kind::CreateIndex(it)
                if !world.is_new(&it.table)
                    && !world.table(&it.table).is_some_and(|table| table.is_partitioned)
                    && !it.is_only =>
            {
                let index = it.name.as_ref().map_or_else(
                    || format!("{}_{}_idx", it.table.name, it.columns.join("_")),
                    |name| name.name.clone(),
                );
                let name = self.name(&index);
                self.operations.push(Operation::Index(Index {
                    name,
                    table: it.table.sql(),
                    index,
                    definition: it.definition.clone(),
                    unique: it.is_unique,
                }));
            }
            Kind::Drop {
                object: Object::Index,
                names,
                ..
            } if is_harmful => {
                for index in names {
                    let sql = index.sql();
                    self.alone(
                        &format!("drop {}", index.name),
                        format!("drop index concurrently if exists {sql}"),
                        gone(&sql),
                        "the index is built anew by another migration",
                    );
                }
            }
            Kind::Vacuum { full: true, tables } => tables.iter().for_each(|table| self.moved(table)),
            Kind::Cluster { table: Some(table) } => self.moved(table),
            Kind::Update {
                has_where: false,
                table,
                ..
            }
            | Kind::Delete {
                has_where: false,
                table,
            } if is_harmful || !world.is_new(table) => {
                let body = self.source(statement);
                let is_plain = !body.to_ascii_lowercase().contains("returning")
                    && !body.to_ascii_lowercase().contains("using ");
                if !is_plain || statement_has_from(&body) {
                    self.left.push((
                        statement.span.clone(),
                        "it writes all rows, and cannot be cut into batches as it stands".to_owned(),
                    ));
                    return;
                }
                let name = self.name(&format!("write {}", table.name));
                self.operations.push(Operation::Backfill(Backfill {
                    name,
                    table: table.sql(),
                    statement: Some(format!("{body} where :range")),
                    irreversible: Some("the old values are not kept".to_owned()),
                    ..Backfill::default()
                }));
            }
            Kind::Alter {
                object: Object::Table,
                name,
                actions,
                ..
            } if !world.is_new(name) => {
                for action in actions {
                    self.action(name, action, world);
                }
            }
            Kind::NotEvaluated { why } => self.left.push((statement.span.clone(), why.clone())),
            Kind::Reindex { .. } | Kind::Refresh { .. } if is_harmful => {
                self.left.push((
                    statement.span.clone(),
                    "`concurrently`, by hand: nothing tells whether it was done already".to_owned(),
                ));
            }
            _ if is_harmful => self
                .left
                .push((statement.span.clone(), "no operation does it safely".to_owned())),
            _ => {
                let sql = self.source(statement);
                let words: Vec<&str> = sql.split_whitespace().take(3).collect();
                let rollback = match &statement.kind {
                    Kind::CreateTable(table) => Some(format!("drop table if exists {}", table.name.sql())),
                    Kind::CreateView {
                        name,
                        materialized: false,
                        ..
                    } => Some(format!("drop view if exists {}", name.sql())),
                    Kind::CreateSequence { name } => Some(format!("drop sequence if exists {}", name.sql())),
                    _ => None,
                };
                self.sql(&words.join(" "), sql, rollback);
            }
        }
    }

    /// The same shape, written anew while it is used.
    fn moved(&mut self, table: &Name) {
        let name = self.name(&format!("rewrite {}", table.name));
        self.operations.push(Operation::Move(Move {
            name,
            table: table.sql(),
            arguments: vec!["--same-shape".to_owned()],
        }));
    }

    fn action(&mut self, table: &Name, action: &Action, world: &World) {
        let (sql, text) = (table.sql(), self.text[action.span.clone()].to_owned());
        match &action.kind {
            ActionKind::AddConstraint(constraint) => self.add_constraint(table, constraint, action),
            ActionKind::SetNotNull { column }
                if !world.table(table).is_some_and(|it| it.proves_not_null(column)) =>
            {
                self.not_null(table, column)
            }
            ActionKind::ValidateConstraint { .. }
                if self
                    .operations
                    .iter()
                    .any(|operation| matches!(operation, Operation::Constraint(_))) => {}
            ActionKind::AddColumn { column, .. } => {
                let default = column.default.as_ref().filter(|default| {
                    default
                        .calls
                        .iter()
                        .any(|call| facts::key::is_volatile(call) != Some(false))
                });
                let is_plain = column.constraints.is_empty()
                    && !column.is_identity
                    && column.generated.is_none()
                    && !column.type_name.is_serial();
                let name = quoted(&column.name);
                let back = Some(format!("alter table {sql} drop column if exists {name}"));
                match default {
                    Some(default) if is_plain => {
                        let type_text = &self.text[column.type_name.span.clone()];
                        let make = format!(
                            "alter table {sql} add column {name} {type_text};\nalter table {sql} alter column {name} set default {}",
                            default.text
                        );
                        self.sql(&format!("add {}", column.name), make, back);
                        let fill = self.name(&format!("fill {}", column.name));
                        self.operations.push(Operation::Backfill(Backfill {
                            name: fill,
                            table: sql.clone(),
                            set: std::iter::once((column.name.clone(), default.text.clone())).collect(),
                            filter: Some(format!("{name} is null")),
                            rollback: Some(String::new()),
                            ..Backfill::default()
                        }));
                        if column.is_not_null {
                            self.not_null(table, &column.name);
                        }
                    }
                    None if is_plain && !(column.is_not_null && column.default.is_none()) => self.sql(
                        &format!("add {}", column.name),
                        format!("alter table {sql} {text}"),
                        back,
                    ),
                    _ => self.left.push((
                        action.span.clone(),
                        format!(
                            "add {} plain, fill it, and add what stands at it by itself",
                            column.name
                        ),
                    )),
                }
            }
            ActionKind::AlterType { column, .. } => {
                let key = effects(
                    &Statement {
                        span: action.span.clone(),
                        kind: Kind::Alter {
                            object: Object::Table,
                            name: table.clone(),
                            if_exists: false,
                            only: false,
                            actions: vec![action.clone()],
                        },
                    },
                    world,
                    None,
                );
                let is_free = key
                    .first()
                    .and_then(|effect| facts::of(effect.key, self.major))
                    .is_some_and(|fact| {
                        !fact.rewrites("table") && fact.failure.is_none() && !fact.scans("table")
                    });
                match is_free {
                    true => self.sql(&format!("type {column}"), format!("alter table {sql} {text}"), None),
                    false => self.left.push((action.span.clone(), format!("`corridor move {sql} --to shape.sql` carries it over; the shape is for you to write"))),
                }
            }
            ActionKind::DetachPartition { partition, .. } => {
                let of = partition.sql();
                let done = format!(
                    "select not exists (select from pg_inherits where inhrelid = to_regclass({}))",
                    literal(&of)
                );
                self.alone(
                    &format!("detach {}", partition.name),
                    format!("alter table {sql} detach partition {of} concurrently"),
                    done,
                    "attaching it again reads it whole",
                );
            }
            ActionKind::AttachPartition { .. }
            | ActionKind::SetLogged
            | ActionKind::SetUnlogged
            | ActionKind::SetTablespace
            | ActionKind::SetAccessMethod => {
                self.left.push((
                    action.span.clone(),
                    "no operation does it safely as it stands; see the rule's page".to_owned(),
                ));
            }
            _ => {
                let words: Vec<&str> = text.split_whitespace().take(3).collect();
                self.sql(
                    &format!("{} {}", table.name, words.join(" ")),
                    format!("alter table {sql} {text}"),
                    None,
                );
            }
        }
    }

    fn add_constraint(&mut self, table: &Name, constraint: &Constraint, action: &Action) {
        let sql = table.sql();
        let given = constraint.name.clone();
        match &constraint.kind {
            ConstraintKind::Check(check) => {
                let name = given.unwrap_or_else(|| {
                    format!(
                        "{}_{}_check",
                        table.name,
                        check.columns.first().map_or("", String::as_str)
                    )
                });
                self.constraint(table, &name, &constraint.definition);
            }
            ConstraintKind::ForeignKey { columns, .. } => {
                let name = given.unwrap_or_else(|| format!("{}_{}_fkey", table.name, columns.join("_")));
                self.constraint(table, &name, &constraint.definition);
            }
            ConstraintKind::Unique {
                columns,
                using_index: None,
            } => {
                let name = given.unwrap_or_else(|| format!("{}_{}_key", table.name, columns.join("_")));
                self.unique(table, &name, columns, "unique");
            }
            ConstraintKind::PrimaryKey {
                columns,
                using_index: None,
            } => {
                let name = given.unwrap_or_else(|| format!("{}_pkey", table.name));
                for column in columns {
                    self.not_null(table, column);
                }
                self.unique(table, &name, columns, "primary key");
            }
            ConstraintKind::NotNull(column) => self.not_null(table, column),
            ConstraintKind::Exclude => self.left.push((
                action.span.clone(),
                format!("`corridor move {sql} --to shape.sql`, with the constraint in the shape"),
            )),
            _ => {
                let text = self.text[action.span.clone()].to_owned();
                self.sql(
                    &format!("{} add constraint", table.name),
                    format!("alter table {sql} {text}"),
                    None,
                );
            }
        }
    }

    fn unique(&mut self, table: &Name, constraint: &str, columns: &[String], word: &str) {
        let sql = table.sql();
        let list: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
        let build = self.name(&format!("build {constraint}"));
        self.operations.push(Operation::Index(Index {
            name: build,
            table: sql.clone(),
            index: constraint.to_owned(),
            definition: format!("({})", list.join(", ")),
            unique: true,
        }));
        let name = quoted(constraint);
        self.sql(
            constraint,
            format!("alter table {sql} add constraint {name} {word} using index {name}"),
            Some(format!("alter table {sql} drop constraint if exists {name}")),
        );
    }

    fn not_null(&mut self, table: &Name, column: &str) {
        let (sql, of) = (table.sql(), quoted(column));
        let mut proof = format!("{}_{column}_proof", table.name);
        proof.truncate(63);
        self.constraint(table, &proof, &format!("check ({of} is not null)"));
        let set = format!(
            "alter table {sql} alter column {of} set not null;\nalter table {sql} drop constraint {}",
            quoted(&proof)
        );
        self.sql(
            &format!("{column} not null"),
            set,
            Some(format!("alter table {sql} alter column {of} drop not null")),
        );
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn gone(sql: &str) -> String {
    format!("select to_regclass({}) is null", literal(sql))
}

fn statement_has_from(body: &str) -> bool {
    body.split_whitespace()
        .skip(3)
        .any(|word| word.eq_ignore_ascii_case("from"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_migration::definition::file;

    fn kinds(sql: &str) -> Vec<&'static str> {
        let source = Source {
            path: "x.sql",
            text: sql,
            config: None,
        };
        let plan = plan(&source, "x", &Settings::default(), &World::default()).unwrap();
        let text = plan.render();
        let read = file::read("x.toml", &text).unwrap_or_else(|fault| panic!("{fault}\n{text}"));
        assert_eq!(read.operations, plan.definition.operations, "{text}");
        read.operations.iter().map(Operation::kind).collect()
    }

    #[test]
    fn every_plan_is_a_file_that_migration_add_takes() {
        for (sql, expected) in [
            ("create index i on t (lower(a)) where b = ':x'", &["index"][..]),
            ("drop index i, s.\"J\"", &["sql", "sql"]),
            (
                "alter table t add constraint c check (a > 0), add constraint f foreign key (a) references r (id) not valid",
                &["constraint", "constraint"],
            ),
            (
                "alter table t alter column a set not null",
                &["constraint", "sql"],
            ),
            (
                "alter table t add column x uuid not null default gen_random_uuid()",
                &["sql", "backfill", "constraint", "sql"],
            ),
            ("alter table t add constraint u unique (a, b)", &["index", "sql"]),
            (
                "alter table t add primary key (a)",
                &["constraint", "sql", "index", "sql"],
            ),
            ("alter table e detach partition p", &["sql"]),
            ("update t set a = 1", &["backfill"]),
            ("delete from t", &["backfill"]),
            ("vacuum full t", &["move"]),
            (
                "begin; create table t (a int); create index i on t (a); insert into u values (1); commit",
                &["sql", "sql", "sql"],
            ),
            (
                "alter table t add column x int; alter table t drop column y, rename column a to b",
                &["sql", "sql", "sql"],
            ),
        ] {
            assert_eq!(kinds(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_no_operation_does_is_left_and_said() {
        let source = Source {
            path: "x.sql",
            text: "alter table t alter column a type bigint, add column x int",
            config: None,
        };
        let plan = plan(&source, "x", &Settings::default(), &World::default()).unwrap();
        assert_eq!((plan.left.len(), plan.definition.operations.len()), (1, 1));
    }
}
