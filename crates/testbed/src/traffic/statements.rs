//! The statements that the traffic sends, built for a table. All parameters are passed in text form.

use super::key::KeyColumn;
use super::model::Statement;
use super::table::{Flavour, Table};
use super::template::Template;

/// The statements of a table.
#[derive(Debug)]
pub(crate) struct Statements {
    /// key…, content…, lasting
    insert: Template,
    /// key…, content…, lasting
    upsert: Template,
    /// key…, content…
    update: Template,
    /// key…
    touch: Template,
    /// key…
    delete: Template,
    /// key…, new key…; for `persons` also content…, which follows from the key
    change_key: Template,
    /// key…, slot
    set_slot: Template,
    /// one array per key column
    touch_many: Template,
    /// key…
    read: Template,
}

impl Statements {
    /// By kind.
    pub(crate) fn get(&self, statement: Statement) -> &Template {
        match statement {
            Statement::Insert => &self.insert,
            Statement::Upsert => &self.upsert,
            Statement::Update => &self.update,
            Statement::Touch => &self.touch,
            Statement::Delete => &self.delete,
            Statement::ChangeKey => &self.change_key,
            Statement::SetSlot => &self.set_slot,
            Statement::TouchMany => &self.touch_many,
            Statement::Read => &self.read,
        }
    }

    /// All statements of a table.
    pub(crate) fn of(table: &Table) -> Statements {
        let columns = table.key.columns();
        let name = &table.name;
        let keys = columns.len();
        let is_key = list(&columns, 1, " and ", |c, value| format!("t.{} = {value}", c.name));
        let bump = "version = t.version + 1";
        let content = content(table.flavour);
        let set_content = assignments(content, keys + 1);
        let insert = insert(table, &columns);
        let names = table.key_names();
        let excluded: Vec<String> = content
            .iter()
            // A row's uuid follows from its key: nothing to overwrite.
            .filter(|(column, _)| *column != "uuid")
            .map(|(column, _)| format!("{column} = excluded.{column}"))
            .collect();
        let mut change_key = list(&columns, keys + 1, ", ", |c, value| {
            format!("{} = {value}", c.name)
        });
        if table.flavour == Flavour::Persons {
            change_key = format!("{change_key}, {}", assignments(content, 2 * keys + 1));
        }
        let update = |set: &str| Template::new(&format!("update {name} t set {set}, {bump} where {is_key}"));
        Statements {
            upsert: Template::new(&format!(
                "{insert} on conflict ({names}) do update set {}, {bump}",
                excluded.join(", ")
            )),
            insert: Template::new(&insert),
            update: update(&set_content),
            touch: Template::new(&format!("update {name} t set {bump} where {is_key}")),
            delete: Template::new(&format!("delete from {name} t where {is_key}")),
            change_key: update(&change_key),
            set_slot: update(&format!("slot = ${}::text::bigint", keys + 1)),
            touch_many: touch_many(name, &columns, bump),
            read: Template::new(&format!(
                "select {} from {name} t where {is_key}",
                reading(table.flavour)
            )),
        }
    }
}

/// Content columns with their types: what an update sets anew.
fn content(flavour: Flavour) -> &'static [(&'static str, &'static str)] {
    match flavour {
        Flavour::Persons => &[("uuid", "uuid"), ("properties", "jsonb")],
        Flavour::Ledger => &[
            ("token", "bigint"),
            ("note", "text"),
            ("amount", "numeric"),
            ("blob", "text"),
        ],
    }
}

/// What a read answers, all as text: content, what lasts, version.
fn reading(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Persons => {
            "t.uuid::text, t.properties::text, (extract(epoch from t.created_at) * 1000000)::bigint::text, t.version::text"
        }
        Flavour::Ledger => "t.token::text, t.note, t.amount::text, t.blob, t.slot::text, t.version::text",
    }
}

/// `a = $5::text::bigint, b = $6::text::numeric`
fn assignments(content: &[(&str, &str)], first: usize) -> String {
    let set: Vec<String> = content
        .iter()
        .zip(first..)
        .map(|((column, kind), number)| format!("{column} = ${number}::text::{kind}"))
        .collect();
    set.join(", ")
}

/// Something for each key column with its parameter, numbered from `first` on.
fn list(
    columns: &[KeyColumn],
    first: usize,
    separator: &str,
    form: impl Fn(&KeyColumn, String) -> String,
) -> String {
    let forms: Vec<String> = columns
        .iter()
        .zip(first..)
        .map(|(c, number)| form(c, c.typed(&format!("${number}::text"))))
        .collect();
    forms.join(separator)
}

fn insert(table: &Table, columns: &[KeyColumn]) -> String {
    let content = content(table.flavour);
    let first = columns.len() + 1;
    let lasting = first + content.len();
    let (lasting_column, lasting_value) = match table.flavour {
        Flavour::Persons => (
            "created_at",
            format!("timestamptz 'epoch' + ${lasting}::text::bigint * interval '1 microsecond'"),
        ),
        Flavour::Ledger => ("slot", format!("${lasting}::text::bigint")),
    };
    let names: Vec<&str> = content.iter().map(|(column, _)| *column).collect();
    let values: Vec<String> = content
        .iter()
        .zip(first..)
        .map(|((_, kind), number)| format!("${number}::text::{kind}"))
        .collect();
    format!(
        "insert into {} as t ({}, {}, {lasting_column}, version) values ({}, {}, {lasting_value}, 0)",
        table.name,
        table.key_names(),
        names.join(", "),
        list(columns, 1, ", ", |_, value| value),
        values.join(", "),
    )
}

/// One statement for many keys: each key column is one array.
fn touch_many(name: &str, columns: &[KeyColumn], bump: &str) -> Template {
    let numbers = 1..=columns.len();
    let arrays: Vec<String> = numbers.clone().map(|i| format!("${i}::text::text[]")).collect();
    let names: Vec<String> = numbers.clone().map(|i| format!("c{i}")).collect();
    let are_keys: Vec<String> = columns
        .iter()
        .zip(numbers)
        .map(|(c, i)| format!("t.{} = {}", c.name, c.typed(&format!("m.c{i}"))))
        .collect();
    Template::new(&format!(
        "update {name} t set {bump} from unnest({}) m({}) where {}",
        arrays.join(", "),
        names.join(", "),
        are_keys.join(" and ")
    ))
}
