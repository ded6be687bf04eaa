//! Which columns of which tables a query reads and writes, as far as its text says it.

use std::collections::BTreeMap;

use squawk_syntax::{SourceFile, SyntaxKind as S};

use super::node::Node;
use crate::ir::{Name, Span};

/// What a query does with one relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The relation.
    pub table: Name,
    /// Columns that are certainly of it: qualified, or the only relation of the query.
    pub columns: Vec<String>,
    /// Columns that may be of it: not qualified, where several relations are there.
    pub perhaps: Vec<String>,
    /// All of its columns: `*`, `insert` without a list.
    pub is_whole: bool,
    /// It writes to it.
    pub is_write: bool,
    /// For an insert: the columns that it fills.
    pub fills: Option<Vec<String>>,
}

/// Reads a query. Nothing, where it cannot be read.
pub fn accesses(text: &str) -> Vec<Access> {
    crate::threads::on_deep_stack(|| {
        let (pieces, _) = crate::script::cut(text);
        pieces
            .iter()
            .filter(|piece| piece.unfit.is_none())
            .flat_map(|piece| of_one(&text[piece.span.clone()]))
            .collect()
    })
}

fn of_one(text: &str) -> Vec<Access> {
    let parse = SourceFile::parse(text);
    let root = Node {
        syntax: parse.syntax_node(),
        text,
        offset: 0,
    };
    let with = With::all(&root);
    // What queries in `with` are called here: their columns are of the tables that these read.
    let mut called: Vec<String> = Vec::new();
    let mut found: Vec<Access> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut meet = |found: &mut Vec<Access>, table: Name, alias: Option<String>, is_write: bool| {
        let at = found
            .iter()
            .position(|access| access.table == table)
            .unwrap_or(found.len());
        if at == found.len() {
            names.insert(table.name.clone(), at);
            found.push(Access {
                table,
                columns: Vec::new(),
                perhaps: Vec::new(),
                is_whole: false,
                is_write: false,
                fills: None,
            });
        }
        found[at].is_write |= is_write;
        if let Some(alias) = alias {
            names.insert(alias, at);
        }
        at
    };
    for node in root.descendants() {
        match node.kind() {
            S::RELATION_FROM_ITEM => {
                let alias = node.find(S::TABLE_ALIAS).map(|alias| alias.name().name);
                let table = node
                    .child(S::RELATION_NAME_REF)
                    .or_else(|| node.find(S::RELATION_NAME_REF));
                let Some(table) = table else { continue };
                let (name, at) = (table.name(), table.span().start);
                if name.schema.is_none() && with.iter().any(|with| with.is_meant(&name.name, at)) {
                    called.push(name.name);
                    called.extend(alias);
                } else {
                    meet(&mut found, name, alias, false);
                }
            }
            S::INSERT => {
                let alias = node.child(S::TABLE_ALIAS).map(|alias| alias.name().name);
                let at = meet(&mut found, node.name_of(S::RELATION_NAME_REF), alias, true);
                match node.child(S::COLUMN_TARGET_LIST) {
                    Some(list) => {
                        let columns: Vec<String> = list
                            .descendants()
                            .filter(|child| child.kind() == S::COLUMN_NAME_REF)
                            .map(|child| child.name().name)
                            .collect();
                        found[at].columns.extend(columns.iter().cloned());
                        found[at].fills = Some(columns);
                    }
                    None => found[at].is_whole = true,
                }
            }
            S::UPDATE | S::DELETE => {
                let alias = node
                    .children()
                    .find(|child| matches!(child.kind(), S::TABLE_ALIAS | S::FROM_ALIAS))
                    .map(|alias| alias.find(S::TABLE_ALIAS).unwrap_or(alias).name().name);
                let at = meet(&mut found, node.name_of(S::RELATION_NAME), alias, true);
                if let Some(set) = node.child(S::SET_CLAUSE) {
                    let targets = set
                        .descendants()
                        .filter(|child| child.kind() == S::COLUMN_TARGET)
                        .map(|child| child.name().name);
                    found[at].columns.extend(targets);
                }
            }
            _ => {}
        }
    }
    let only = (found.len() == 1 && called.is_empty()).then_some(0);
    for node in root.descendants() {
        match node.kind() {
            S::FIELD_EXPR => {
                let parts: Vec<Node<'_>> = node.children().collect();
                let [.., table, column] = parts.as_slice() else {
                    // `t.*`
                    if let Some(&at) = node
                        .children()
                        .next()
                        .and_then(|table| names.get(&table.name().name))
                    {
                        found[at].is_whole = true;
                    }
                    continue;
                };
                let table_name = if table.kind() == S::FIELD_EXPR {
                    table
                        .children()
                        .last()
                        .map(|part| part.name().name)
                        .unwrap_or_default()
                } else {
                    table.name().name
                };
                if let Some(&at) = names.get(&table_name) {
                    found[at].columns.push(column.name().name);
                }
                if called.contains(&table_name) {
                    let perhaps = |access: &mut Access| access.perhaps.push(column.name().name);
                    found.iter_mut().for_each(perhaps);
                }
            }
            S::NAME_REF => {
                let parent = node.syntax.parent().map(|parent| parent.kind());
                if matches!(parent, Some(S::FIELD_EXPR | S::CALL_EXPR)) {
                    continue;
                }
                let column = node.name().name;
                match only {
                    Some(at) => found[at].columns.push(column),
                    None => found
                        .iter_mut()
                        .for_each(|access| access.perhaps.push(column.clone())),
                }
            }
            S::TARGET if node.source() == "*" => found.iter_mut().for_each(|access| access.is_whole = true),
            _ => {}
        }
    }
    for access in &mut found {
        for list in [&mut access.columns, &mut access.perhaps] {
            list.sort_unstable();
            list.dedup();
        }
    }
    found
}

/// A query in `with`, and where its name stands for it: in the statement, save in itself and what stands before it there, unless it
/// is recursive. There the name is a table's.
struct With {
    name: String,
    statement: Span,
    hidden: Span,
}

impl With {
    fn all(root: &Node<'_>) -> Vec<With> {
        let mut all = Vec::new();
        for clause in root.descendants().filter(|node| node.kind() == S::WITH_CLAUSE) {
            let Some(statement) = clause.parent() else {
                continue;
            };
            let (from, is_recursive) = (clause.span().start, clause.has(S::RECURSIVE_KW));
            for query in clause.all(S::WITH_TABLE) {
                all.push(With {
                    name: query.name_of(S::CTE_NAME).name,
                    statement: statement.span(),
                    hidden: from..if is_recursive { from } else { query.span().end },
                });
            }
        }
        all
    }

    fn is_meant(&self, name: &str, at: usize) -> bool {
        self.name == name && self.statement.contains(&at) && !self.hidden.contains(&at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, table: &str) -> Access {
        accesses(text)
            .into_iter()
            .find(|access| access.table.name == table)
            .unwrap()
    }

    #[test]
    fn a_query_names_what_it_reads_and_writes() {
        let read = one(
            "select u.email, o.total from app.users u join orders o on o.user_id = u.id where note is null",
            "users",
        );
        assert_eq!(read.columns, ["email", "id"]);
        assert_eq!(read.perhaps, ["note"]);
        assert!(!read.is_write && !read.is_whole);
        assert_eq!(
            one("select a, lower(b) from t where c = $1", "t").columns,
            ["a", "b", "c"]
        );
        assert!(one("select * from t", "t").is_whole);
        let write = one("insert into t (a, b) values ($1, $2) returning id", "t");
        assert_eq!(
            write.fills.as_deref(),
            Some(&["a".to_owned(), "b".to_owned()][..])
        );
        assert!(write.is_write);
        assert_eq!(
            one("update t set a = b where c = 1", "t").columns,
            ["a", "b", "c"]
        );
        assert!(accesses("not a query at all (").is_empty());
    }

    #[test]
    fn a_query_in_with_is_no_table_save_where_its_name_is_one() {
        let tables = |text: &str| -> Vec<String> {
            let mut names: Vec<String> = accesses(text)
                .into_iter()
                .map(|access| access.table.name)
                .collect();
            names.sort();
            names
        };
        assert_eq!(tables("with x as (select a from t) select b from x"), ["t"]);
        assert_eq!(tables("with t as (select a from t) select b from t"), ["t"]);
        assert_eq!(
            tables("with x as (select a from y), y as (select 1) select b from x, y"),
            ["y"]
        );
        assert_eq!(
            tables("with recursive x as (select a from t union select b from x) select c from x"),
            ["t"]
        );
        assert_eq!(
            tables("select (with x as (select a from t) select b from x) from x"),
            ["t", "x"]
        );
        assert_eq!(tables("with x as (select 1) select a from s.x"), ["x"]);
        assert_eq!(
            tables("with w as (with x as (select a from t) select b from x) select c from x"),
            ["t", "x"]
        );
        assert_eq!(
            tables("with gone as (delete from t returning a) insert into u select a from gone"),
            ["t", "u"]
        );
        // Its columns may be the table's.
        let through = one("with x as (select * from t) select y.b, c from x y", "t");
        assert_eq!(through.perhaps, ["b", "c"]);
    }
}
