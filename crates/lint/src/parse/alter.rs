//! The actions of `alter table` and its siblings.

use squawk_syntax::SyntaxKind as S;

use super::create::{column, constraint};
use super::node::{Node, type_name};
use crate::ir::{Action, ActionKind, Object};

/// All actions of a statement; `object` is what it alters.
pub(super) fn actions(node: &Node<'_>, object: Object) -> Vec<Action> {
    node.children()
        .filter_map(|child| {
            let kind = action(&child, object)?;
            Some(Action {
                span: child.span(),
                kind,
            })
        })
        .collect()
}

fn action(node: &Node<'_>, object: Object) -> Option<ActionKind> {
    let cascade = || node.has(S::CASCADE);
    let word = |kind| node.name_of(kind).name;
    Some(match node.kind() {
        S::TABLE_RELATION_NAME
        | S::RELATION_NAME
        | S::IF_EXISTS
        | S::INDEX_REF
        | S::VIEW_REF
        | S::SEQUENCE_REF
        | S::TABLE_NAME_REF => return None,
        S::ADD_COLUMN => ActionKind::AddColumn {
            column: column(node),
            if_not_exists: node.has(S::IF_NOT_EXISTS),
        },
        S::DROP_COLUMN => ActionKind::DropColumn {
            column: word(S::COLUMN_NAME_REF),
            cascade: cascade(),
        },
        S::RENAME_COLUMN => ActionKind::RenameColumn {
            from: word(S::COLUMN_NAME_REF),
            to: word(S::COLUMN_NAME),
        },
        S::RENAME_CONSTRAINT => ActionKind::RenameConstraint {
            from: word(S::CONSTRAINT_NAME_REF),
            to: word(S::CONSTRAINT_NAME),
        },
        S::TABLE_RENAME_TO
        | S::TYPE_RENAME_TO
        | S::INDEX_RENAME_TO
        | S::VIEW_RENAME_TO
        | S::SEQUENCE_RENAME_TO => ActionKind::Rename {
            to: node
                .children()
                .last()
                .map(|child| child.name().name)
                .unwrap_or_default(),
        },
        S::SET_SCHEMA => ActionKind::SetSchema {
            schema: word(S::SCHEMA_REF),
        },
        S::ALTER_COLUMN => alter_column(node),
        S::ADD_CONSTRAINT => ActionKind::AddConstraint(constraint(
            &node.children().find(|child| is_constraint(child.kind()))?,
            None,
        )?),
        S::DROP_CONSTRAINT => ActionKind::DropConstraint {
            name: word(S::CONSTRAINT_NAME_REF),
            cascade: cascade(),
        },
        S::VALIDATE_CONSTRAINT => ActionKind::ValidateConstraint {
            name: word(S::CONSTRAINT_NAME_REF),
        },
        S::ALTER_CONSTRAINT => {
            let text = node.source().to_ascii_lowercase();
            let not_enforced = text.contains("not enforced");
            ActionKind::AlterConstraint {
                name: word(S::CONSTRAINT_NAME_REF),
                not_enforced,
                enforced: !not_enforced && text.contains("enforced"),
            }
        }
        S::ATTACH_PARTITION => ActionKind::AttachPartition {
            partition: node.name_of(S::TABLE_NAME_REF),
            is_default: node.has(S::PARTITION_DEFAULT),
        },
        S::DETACH_PARTITION => ActionKind::DetachPartition {
            partition: node.name_of(S::TABLE_NAME_REF),
            concurrently: node.has(S::DETACH_CONCURRENTLY),
            finalize: node.source().to_ascii_lowercase().ends_with("finalize"),
        },
        S::INHERIT_TABLE => ActionKind::Inherit {
            parent: node.name_of(S::TABLE_NAME_REF),
        },
        S::NO_INHERIT_TABLE => ActionKind::NoInherit {
            parent: node.name_of(S::TABLE_NAME_REF),
        },
        S::SET_OPTIONS | S::RESET_OPTIONS if object == Object::Table => ActionKind::SetOptions {
            names: node
                .descendants()
                .filter(|child| child.kind() == S::ATTRIBUTE_NAME)
                .map(|child| child.source().to_ascii_lowercase())
                .collect(),
        },
        S::SET_UNLOGGED => ActionKind::SetUnlogged,
        S::SET_LOGGED => ActionKind::SetLogged,
        S::SET_TABLESPACE => ActionKind::SetTablespace,
        S::SET_ACCESS_METHOD => ActionKind::SetAccessMethod,
        S::CLUSTER_ON | S::SET_WITHOUT_CLUSTER => ActionKind::ClusterOn,
        S::REPLICA_IDENTITY => ActionKind::ReplicaIdentity {
            nothing: node.source().to_ascii_lowercase().ends_with("nothing"),
        },
        S::ENABLE_RLS => ActionKind::EnableRowSecurity,
        S::DISABLE_RLS => ActionKind::DisableRowSecurity,
        S::FORCE_RLS | S::NO_FORCE_RLS => ActionKind::ForceRowSecurity,
        S::OWNER_TO => ActionKind::OwnerTo,
        S::ENABLE_TRIGGER | S::ENABLE_ALWAYS_TRIGGER | S::ENABLE_REPLICA_TRIGGER => ActionKind::EnableTrigger,
        S::DISABLE_TRIGGER => ActionKind::DisableTrigger,
        S::ENABLE_RULE | S::DISABLE_RULE | S::ENABLE_ALWAYS_RULE | S::ENABLE_REPLICA_RULE => ActionKind::Rule,
        _ => ActionKind::Other(
            node.source()
                .split_whitespace()
                .take(3)
                .collect::<Vec<_>>()
                .join(" ")
                .to_ascii_lowercase(),
        ),
    })
}

pub(super) fn is_constraint(kind: S) -> bool {
    matches!(
        kind,
        S::CHECK_CONSTRAINT
            | S::UNIQUE_CONSTRAINT
            | S::PRIMARY_KEY_CONSTRAINT
            | S::FOREIGN_KEY_CONSTRAINT
            | S::REFERENCES_CONSTRAINT
            | S::EXCLUDE_CONSTRAINT
            | S::NOT_NULL_CONSTRAINT
    )
}

fn alter_column(node: &Node<'_>) -> ActionKind {
    let column = node.name_of(S::COLUMN_NAME_REF).name;
    let other = || ActionKind::Other("alter column".to_owned());
    let Some(change) = node.children().find(|child| child.kind() != S::COLUMN_NAME_REF) else {
        return other();
    };
    match change.kind() {
        S::SET_TYPE => {
            let type_node = change
                .children()
                .find(|child| !matches!(child.kind(), S::USING_EXPR | S::COLLATE));
            ActionKind::AlterType {
                column,
                type_name: type_node.map(|node| type_name(&node)).unwrap_or_default(),
                has_using: change.has(S::USING_EXPR),
                has_collate: change.has(S::COLLATE),
            }
        }
        S::SET_NOT_NULL => ActionKind::SetNotNull { column },
        S::DROP_NOT_NULL => ActionKind::DropNotNull { column },
        S::SET_DEFAULT => ActionKind::SetDefault {
            column,
            value: change
                .children()
                .next()
                .map(|node| node.expression())
                .unwrap_or_default(),
        },
        S::DROP_DEFAULT => ActionKind::DropDefault { column },
        S::ADD_GENERATED => ActionKind::AddIdentity { column },
        S::DROP_IDENTITY => ActionKind::DropIdentity { column },
        S::DROP_EXPRESSION => ActionKind::DropExpression { column },
        S::SET_EXPRESSION => ActionKind::SetExpression { column },
        S::SET_STATISTICS => ActionKind::SetStatistics,
        S::SET_STORAGE => ActionKind::SetStorage,
        S::SET_COMPRESSION => ActionKind::SetCompression,
        S::SET_OPTIONS | S::RESET_OPTIONS => ActionKind::SetColumnOptions,
        _ => other(),
    }
}
