//! Which columns of which tables a query reads and writes, as far as its text says it.

use std::collections::BTreeMap;

use squawk_syntax::{SourceFile, SyntaxKind as S};

use super::node::Node;
use crate::ir::Name;

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
                if let Some(table) = table {
                    meet(&mut found, table.name(), alias, false);
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
    let only = (found.len() == 1).then_some(0);
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
}
