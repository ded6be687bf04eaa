//! What `create table`, `create index` and `add column` make.

use squawk_syntax::SyntaxKind as S;

use super::alter::is_constraint;
use super::node::{Node, type_name};
use crate::ir::{Column, Constraint, ConstraintKind, CreateIndex, CreateTable, Generated, Name};

pub(super) fn table(node: &Node<'_>) -> CreateTable {
    let mut made = CreateTable {
        name: node.name_of(S::TABLE_NAME),
        is_partitioned: node.has(S::PARTITION_BY),
        is_default_partition: node.has(S::PARTITION_DEFAULT),
        if_not_exists: node.has(S::IF_NOT_EXISTS),
        is_as: node.kind() == S::CREATE_TABLE_AS,
        ..CreateTable::default()
    };
    let head = node
        .source()
        .get(..40.min(node.source().len()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    made.is_temporary = head
        .split_whitespace()
        .take(4)
        .any(|word| matches!(word, "temp" | "temporary"));
    made.is_unlogged = head.split_whitespace().take(3).any(|word| word == "unlogged");
    if let Some(of) = node.child(S::PARTITION_OF) {
        made.partition_of = Some(of.name_of(S::TABLE_NAME_REF));
        made.is_default_partition |= of.has(S::PARTITION_DEFAULT);
    }
    if let Some(inherits) = node.child(S::INHERITS) {
        made.inherits = inherits.names_of(S::TABLE_NAME_REF);
    }
    if let Some(list) = node.child(S::TABLE_ARG_LIST) {
        for child in list.children() {
            match child.kind() {
                S::COLUMN => made.columns.push(column(&child)),
                S::LIKE_CLAUSE => made.has_like = true,
                kind if is_constraint(kind) => made.constraints.extend(constraint(&child, None)),
                _ => {}
            }
        }
    }
    made
}

pub(super) fn column(node: &Node<'_>) -> Column {
    let name = node.name_of(S::COLUMN_NAME).name;
    let mut made = Column {
        name: name.clone(),
        span: node.span(),
        ..Column::default()
    };
    for child in node.children() {
        match child.kind() {
            S::COLUMN_NAME | S::IF_NOT_EXISTS | S::COLLATE => {}
            S::NOT_NULL_CONSTRAINT => made.is_not_null = true,
            S::DEFAULT_CONSTRAINT => made.default = child.children().last().map(|node| node.expression()),
            S::GENERATED_CONSTRAINT => {
                if child.child(S::GENERATED_IDENTITY).is_some() {
                    made.is_identity = true;
                    made.is_not_null = true;
                } else if child.find(S::STORED).is_some() {
                    made.generated = Some(Generated::Stored);
                } else {
                    made.generated = Some(Generated::Virtual);
                }
            }
            kind if is_constraint(kind) => {
                if kind == S::PRIMARY_KEY_CONSTRAINT {
                    made.is_not_null = true;
                }
                made.constraints.extend(constraint(&child, Some(&name)));
            }
            _ if made.type_name.base.is_empty() => made.type_name = type_name(&child),
            _ => {}
        }
    }
    made.is_not_null |= made.type_name.is_serial();
    made
}

/// A constraint; `column` is the one that it stands at.
pub(super) fn constraint(node: &Node<'_>, column: Option<&str>) -> Option<Constraint> {
    let own = || column.map(|column| vec![column.to_owned()]).unwrap_or_default();
    let listed = || {
        let list = node.find(S::CONSTRAINT_COLUMN_REF_LIST);
        list.map_or_else(own, |list| list.columns())
    };
    let using_index = || {
        node.child(S::USING_INDEX_NAME)
            .map(|using| using.name_of(S::INDEX_REF).name)
    };
    let kind = match node.kind() {
        S::CHECK_CONSTRAINT => {
            let inner = node
                .children()
                .find(|child| !matches!(child.kind(), S::CONSTRAINT_NAME_CLAUSE | S::NOT_VALID));
            ConstraintKind::Check(inner.map(|node| node.expression()).unwrap_or_default())
        }
        S::FOREIGN_KEY_CONSTRAINT => ConstraintKind::ForeignKey {
            columns: node
                .child(S::FOREIGN_KEY_COLUMN_LIST)
                .map(|list| list.columns())
                .unwrap_or_default(),
            references: node.name_of(S::TABLE_NAME_REF),
        },
        S::REFERENCES_CONSTRAINT => ConstraintKind::ForeignKey {
            columns: own(),
            references: node.name_of(S::TABLE_NAME_REF),
        },
        S::UNIQUE_CONSTRAINT => ConstraintKind::Unique {
            columns: listed(),
            using_index: using_index(),
        },
        S::PRIMARY_KEY_CONSTRAINT => ConstraintKind::PrimaryKey {
            columns: listed(),
            using_index: using_index(),
        },
        S::EXCLUDE_CONSTRAINT => ConstraintKind::Exclude,
        S::NOT_NULL_CONSTRAINT => ConstraintKind::NotNull(node.name_of(S::COLUMN_NAME_REF).name),
        _ => return None,
    };
    let name = node
        .child(S::CONSTRAINT_NAME_CLAUSE)
        .map(|clause| clause.name_of(S::CONSTRAINT_NAME).name);
    let not_valid = node.child(S::NOT_VALID);
    let text = node.source();
    let mut definition = match node.child(S::CONSTRAINT_NAME_CLAUSE) {
        Some(clause) => node.source_after(&clause),
        None => text.to_owned(),
    };
    if let Some(not_valid) = &not_valid
        && let Some(head) = definition.strip_suffix(not_valid.source())
    {
        definition = head.trim_end().to_owned();
    }
    Some(Constraint {
        name,
        span: node.span(),
        kind,
        is_not_valid: not_valid.is_some(),
        definition,
    })
}

pub(super) fn index(node: &Node<'_>) -> CreateIndex {
    let table_node = node.child(S::TABLE_RELATION_NAME);
    let table = table_node.as_ref().map(|node| node.name()).unwrap_or_default();
    let name = node.child(S::INDEX).map(|child| child.name());
    let items = node.child(S::PARTITION_ITEM_LIST);
    let columns = items
        .map(|list| {
            let plain = list
                .all(S::PARTITION_ITEM)
                .filter_map(|item| item.children().next());
            plain
                .filter(|first| first.kind() == S::NAME_REF)
                .map(|first| first.name().name)
                .collect()
        })
        .unwrap_or_default();
    CreateIndex {
        name: name.map(|index| Name {
            schema: table.schema.clone(),
            ..index
        }),
        is_only: table_node.as_ref().is_some_and(|node| node.has(S::ONLY_KW)),
        is_unique: node.has(S::UNIQUE_KW),
        is_concurrent: node.has(S::CONCURRENTLY_KW),
        if_not_exists: node.has(S::IF_NOT_EXISTS),
        columns,
        after_index: node.end_of(S::INDEX_KW),
        definition: table_node
            .map(|table| node.source_after(&table))
            .unwrap_or_default(),
        table,
    }
}
