//! What is known before each statement: tables as they were described, and as the statements before left them.

use std::collections::{BTreeMap, BTreeSet};

use super::script::{Part, Script};
use super::statement::{Alter, Column, Create, Kind, Name, Object, Statement, What};
use super::topology::Topology;

/// A table's database and name.
pub(crate) type Key = (String, String);

/// What is known of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// A statement before created it.
    pub(crate) is_new: bool,
    /// Rows came into it after that.
    pub(crate) is_filled: bool,
    pub(crate) is_view: bool,
    pub(crate) is_materialized_view: bool,
    pub(crate) is_dictionary: bool,
    pub(crate) engine: Option<String>,
    pub(crate) columns: BTreeMap<String, String>,
    /// Columns that statements before added.
    pub(crate) added: BTreeSet<String>,
    pub(crate) order_by: Option<String>,
    pub(crate) primary_key: Option<String>,
    pub(crate) partition_by: Option<String>,
    pub(crate) sharding_key: Option<String>,
    /// Names in the query of a view, or in the source of a dictionary.
    pub(crate) uses: BTreeSet<String>,
    /// The query reads `*`.
    pub(crate) uses_all: bool,
    /// Where a materialized view writes to.
    pub(crate) target: Option<Key>,
    /// The path of a replicated table.
    pub(crate) path: Option<String>,
    pub(crate) size_bytes: Option<u64>,
}

impl Table {
    pub(crate) fn is_replicated(&self) -> Option<bool> {
        self.engine
            .as_ref()
            .map(|e| e.starts_with("Replicated") || e.starts_with("Shared"))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.is_new && !self.is_filled
    }
}

/// What is known.
pub(crate) struct State {
    pub(crate) database: String,
    pub(crate) tables: BTreeMap<Key, Table>,
    /// What was known of tables that are gone.
    pub(crate) former: BTreeMap<Key, Table>,
    /// `SET` before.
    pub(crate) settings: BTreeMap<String, String>,
}

impl State {
    /// What a description says.
    pub(crate) fn new(topology: &Topology) -> Self {
        let database = topology.default_database().to_owned();
        let mut tables = BTreeMap::new();
        for known in &topology.tables {
            let key = (
                known.database.clone().unwrap_or_else(|| database.clone()),
                known.name.clone(),
            );
            let engine = known.engine.clone();
            let mut table = Table {
                is_materialized_view: engine.as_deref() == Some("MaterializedView"),
                is_view: engine.as_deref() == Some("View"),
                is_dictionary: engine.as_deref() == Some("Dictionary"),
                engine,
                columns: known.columns.clone(),
                order_by: known.order_by.clone(),
                primary_key: known.primary_key.clone(),
                partition_by: known.partition_by.clone(),
                sharding_key: known.sharding_key.clone(),
                size_bytes: known.size_bytes,
                ..Table::default()
            };
            if let Some(query) = &known.query {
                let script = Script::read(query, &mut Vec::new());
                for part in &script.statements {
                    use_names(&mut table, &script, *part);
                }
            }
            tables.insert(key, table);
        }
        State {
            database,
            tables,
            former: BTreeMap::new(),
            settings: BTreeMap::new(),
        }
    }

    pub(crate) fn key(&self, name: &Name) -> Key {
        (
            name.database.clone().unwrap_or_else(|| self.database.clone()),
            name.object.clone(),
        )
    }

    pub(crate) fn table(&self, name: &Name) -> Option<&Table> {
        self.tables.get(&self.key(name))
    }

    /// Takes in what a statement does.
    pub(crate) fn apply(&mut self, script: &Script<'_>, statement: &Statement) {
        match &statement.kind {
            Kind::Create(create) => self.create(script, create),
            Kind::Alter(alter) => self.alter(script, alter),
            Kind::Drop(drop) => {
                for name in &drop.names {
                    let key = self.key(name);
                    if let Some(table) = self.tables.remove(&key) {
                        self.former.insert(key, table);
                    }
                }
            }
            Kind::Rename(pairs) => {
                for (from, to) in pairs {
                    let (from, to) = (self.key(from), self.key(to));
                    if let Some(table) = self.tables.remove(&from) {
                        self.tables.insert(to, table);
                    }
                }
            }
            Kind::Exchange(pairs) => {
                for (one, other) in pairs {
                    let (one, other) = (self.key(one), self.key(other));
                    let (first, second) = (self.tables.remove(&one), self.tables.remove(&other));
                    self.tables.extend(first.map(|table| (other, table)));
                    self.tables.extend(second.map(|table| (one, table)));
                }
            }
            Kind::Insert(name) => {
                let key = self.key(name);
                self.tables.entry(key).or_default().is_filled = true;
            }
            Kind::Set => {
                for setting in &statement.settings {
                    self.settings.insert(setting.name.clone(), setting.value.clone());
                }
            }
            Kind::Use(database) => self.database.clone_from(database),
            _ => {}
        }
    }

    fn create(&mut self, script: &Script<'_>, create: &Create) {
        if matches!(create.object, Object::Database | Object::Function) {
            return;
        }
        let key = self.key(&create.name);
        // `if not exists` over a table that is described: it is there, with its rows.
        if create.guard.is_present && self.tables.contains_key(&key) {
            return;
        }
        let words = |part: Option<Part>| part.map(|part| script.words(part));
        let mut table = match &create.like {
            Some(like) => {
                let like = self.table(like).cloned().unwrap_or_default();
                Table {
                    engine: like.engine,
                    columns: like.columns,
                    order_by: like.order_by,
                    ..Table::default()
                }
            }
            None => Table::default(),
        };
        table.is_new = true;
        table.is_view = create.object == Object::View;
        table.is_materialized_view = create.object == Object::MaterializedView;
        table.is_dictionary = create.object == Object::Dictionary;
        table.is_filled = create.is_attach || (create.object == Object::Table && create.query.is_some());
        if let Some(engine) = &create.engine {
            table.engine = Some(engine.name.clone());
            let first = engine.arguments.first().map(|part| script.words(*part));
            table.path = first.filter(|_| engine.is_replicated());
            if engine.name == "Distributed" {
                table.sharding_key = engine.arguments.get(3).map(|part| script.words(*part));
            }
        }
        for column in &create.columns {
            table
                .columns
                .insert(column.name.clone(), type_text(script, column));
        }
        table.order_by = words(create.order_by)
            .or(words(create.primary_key))
            .or(table.order_by);
        table.primary_key = words(create.primary_key).or_else(|| table.order_by.clone());
        table.partition_by = words(create.partition_by);
        table.target = create.to.as_ref().map(|to| self.key(to));
        for part in create.query.into_iter().chain(create.source) {
            if create.object != Object::Table {
                use_names(&mut table, script, part);
            }
        }
        self.tables.insert(key, table);
    }

    fn alter(&mut self, script: &Script<'_>, alter: &Alter) {
        let key = self.key(&alter.table);
        let table = self.tables.entry(key).or_default();
        for action in &alter.actions {
            match &action.what {
                What::AddColumn { column, .. } => {
                    table
                        .columns
                        .insert(column.name.clone(), type_text(script, column));
                    table.added.insert(column.name.clone());
                }
                What::ModifyColumn { column } if column.data_type.is_some() => {
                    table
                        .columns
                        .insert(column.name.clone(), type_text(script, column));
                }
                What::RenameColumn { from, to, .. } => {
                    if let Some(data_type) = table.columns.remove(from) {
                        table.columns.insert(to.clone(), data_type);
                    }
                    if table.added.remove(from) {
                        table.added.insert(to.clone());
                    }
                }
                What::Drop {
                    piece: super::statement::Piece::Column,
                    name,
                    ..
                } => {
                    table.columns.remove(name);
                    table.added.remove(name);
                }
                What::ModifyOrderBy(part) => table.order_by = Some(script.words(*part)),
                What::ModifyQuery(part) => {
                    table.uses.clear();
                    table.uses_all = false;
                    use_names(table, script, *part);
                }
                _ => {}
            }
        }
    }
}

fn use_names(table: &mut Table, script: &Script<'_>, part: Part) {
    table.uses.extend(script.names_in(part));
    // In a dictionary's source names are texts.
    table.uses.extend(
        script
            .tokens(part)
            .iter()
            .filter(|t| t.kind == super::token::TokenKind::Text)
            .map(|t| script.unquoted(*t)),
    );
    let mut cursor = script.cursor(part);
    while !cursor.is_end() {
        table.uses_all |= cursor.eat("SELECT") && cursor.is_sign("*");
        cursor.step();
    }
}

/// The type of a column in words, `NULL` behind it taken in.
pub(crate) fn type_text(script: &Script<'_>, column: &Column) -> String {
    let text = column
        .data_type
        .map(|part| script.words(part))
        .unwrap_or_default();
    if column.is_null {
        format!("Nullable({text})")
    } else {
        text
    }
}

/// Names in an expression that was kept as text.
pub(crate) fn names_of(expression: &str) -> Vec<String> {
    let script = Script::read(expression, &mut Vec::new());
    script
        .statements
        .iter()
        .flat_map(|part| script.names_in(*part))
        .collect()
}

/// The entries of a key: `(a, b)` and `a, b` are the same.
pub(crate) fn key_entries(expression: &str) -> Vec<String> {
    let script = Script::read(expression, &mut Vec::new());
    let Some(part) = script.statements.first().copied() else {
        return Vec::new();
    };
    let mut cursor = script.cursor(part);
    cursor.eat("TUPLE");
    let inside = cursor.group().filter(|_| cursor.is_end());
    script
        .cursor(inside.unwrap_or(part))
        .list()
        .into_iter()
        .map(|piece| script.words(piece))
        .collect()
}
