//! Which statement it is.

use squawk_syntax::SyntaxKind as S;

use super::alter::actions;
use super::create;
use super::node::{Node, literal};
use crate::ir::{DomainAction, Kind, Name, Object, ReindexTarget, Setting};

pub(super) fn lower(node: &Node<'_>) -> Kind {
    match node.kind() {
        S::ALTER_TABLE if node.has(S::ALL_IN_TABLESPACE) => {
            not_evaluated("which tables it moves depends on the database")
        }
        S::ALTER_TABLE => alter(node, Object::Table, S::TABLE_RELATION_NAME),
        S::ALTER_FOREIGN_TABLE => alter(node, Object::ForeignTable, S::TABLE_RELATION_NAME),
        S::ALTER_INDEX => alter(node, Object::Index, S::INDEX_REF),
        S::ALTER_VIEW => alter(node, Object::View, S::VIEW_REF),
        S::ALTER_MATERIALIZED_VIEW => alter(node, Object::MaterializedView, S::VIEW_REF),
        S::ALTER_SEQUENCE => alter(node, Object::Sequence, S::SEQUENCE_REF),
        S::CREATE_TABLE | S::CREATE_TABLE_AS => Kind::CreateTable(create::table(node)),
        S::CREATE_INDEX => Kind::CreateIndex(create::index(node)),
        S::CREATE_VIEW | S::CREATE_MATERIALIZED_VIEW => Kind::CreateView {
            name: node.name_of(S::VIEW),
            materialized: node.kind() == S::CREATE_MATERIALIZED_VIEW,
            with_data: !node.has(S::WITH_NO_DATA),
            reads: node
                .descendants()
                .filter(|child| child.kind() == S::RELATION_NAME_REF)
                .map(|child| child.name())
                .collect(),
        },
        S::CREATE_TRIGGER => Kind::CreateTrigger {
            name: node.name_of(S::TRIGGER).name,
            table: on_relation(node),
        },
        S::CREATE_RULE => Kind::CreateRule {
            table: node
                .child(S::RULE_ON)
                .map(|on| on.name_of(S::RELATION_NAME_REF))
                .unwrap_or_default(),
        },
        S::CREATE_POLICY | S::ALTER_POLICY => Kind::CreatePolicy {
            table: on_relation(node),
        },
        S::CREATE_TYPE => Kind::CreateType {
            name: node.name_of(S::TYPE_NAME),
            labels: node
                .descendants()
                .filter(|child| child.kind() == S::VARIANT)
                .map(|child| literal(child.source()))
                .collect(),
        },
        S::CREATE_DOMAIN => Kind::CreateDomain {
            name: node.name_of(S::DOMAIN),
            is_constrained: node.has(S::NOT_NULL_CONSTRAINT) || node.has(S::CHECK_CONSTRAINT),
        },
        S::CREATE_SCHEMA => Kind::CreateSchema {
            name: node.name_of(S::SCHEMA).name,
        },
        S::CREATE_SEQUENCE => Kind::CreateSequence {
            name: node.name_of(S::SEQUENCE),
        },
        S::CREATE_FUNCTION => Kind::CreateFunction {
            name: node.name_of(S::FUNCTION_NAME),
        },
        S::CREATE_PROCEDURE | S::CREATE_AGGREGATE => Kind::CreateFunction {
            name: Name::default(),
        },
        S::CREATE_PUBLICATION => Kind::CreatePublication {
            tables: tables_in(node),
            all_tables: node.source().to_ascii_lowercase().contains("for all tables"),
        },
        S::ALTER_PUBLICATION => Kind::AlterPublication {
            tables: tables_in(node),
        },
        S::CREATE_STATISTICS => Kind::CreateStatistics {
            table: node
                .child(S::FROM_TABLE)
                .map(|from| from.name_of(S::TABLE_NAME_REF)),
        },
        S::CREATE_EXTENSION => Kind::CreateExtension {
            name: node.name_of(S::EXTENSION).name,
        },
        S::CREATE_DATABASE => Kind::CreateDatabase,
        S::ALTER_DOMAIN => domain(node),
        S::ALTER_TYPE => type_change(node),
        S::REINDEX => reindex(node),
        S::REFRESH => Kind::Refresh {
            name: node.name_of(S::VIEW_REF),
            concurrently: node.has(S::CONCURRENTLY_KW),
            with_data: !node.has(S::WITH_NO_DATA),
            after_view: node.end_of(S::VIEW_KW),
        },
        S::TRUNCATE => Kind::Truncate {
            tables: tables_in(node),
            cascade: node.has(S::CASCADE),
        },
        S::LOCK => lock(node),
        S::VACUUM => {
            let options = node
                .child(S::VACUUM_OPTION_LIST)
                .map(|list| list.source().to_ascii_lowercase())
                .unwrap_or_default();
            let full = node.has(S::FULL_KW) || options.contains("full") && !options.contains("full false");
            Kind::Vacuum {
                tables: tables_in(node),
                full,
            }
        }
        S::ANALYZE => Kind::Analyze {
            tables: tables_in(node),
        },
        S::CLUSTER => Kind::Cluster {
            table: node.child(S::TABLE_NAME_REF).map(|child| child.name()),
        },
        S::COMMENT_ON => comment(node),
        S::GRANT | S::REVOKE => Kind::Grant {
            tables: tables_in(node),
        },
        S::INSERT => Kind::Insert {
            table: node.name_of(S::RELATION_NAME_REF),
            columns: node
                .child(S::COLUMN_TARGET_LIST)
                .map(|list| targets(&list))
                .unwrap_or_default(),
            from_query: node
                .children()
                .any(|child| matches!(child.kind(), S::SELECT | S::COMPOUND_SELECT | S::PAREN_SELECT)),
        },
        S::UPDATE => Kind::Update {
            table: node.name_of(S::RELATION_NAME),
            columns: node
                .child(S::SET_CLAUSE)
                .map(|list| targets(&list))
                .unwrap_or_default(),
            has_where: node.has(S::WHERE_CLAUSE),
        },
        S::DELETE => Kind::Delete {
            table: node.name_of(S::RELATION_NAME),
            has_where: node.has(S::WHERE_CLAUSE),
        },
        S::MERGE => Kind::Merge {
            table: node
                .children()
                .find(|child| {
                    matches!(
                        child.kind(),
                        S::RELATION_NAME | S::RELATION_NAME_REF | S::TABLE_RELATION_NAME
                    )
                })
                .map(|child| child.name())
                .unwrap_or_default(),
        },
        S::COPY => Kind::Copy {
            table: node
                .child(S::COPY_TABLE)
                .map(|table| table.name_of(S::TABLE_NAME_REF)),
            is_from: node.has(S::COPY_FROM),
        },
        S::SELECT | S::COMPOUND_SELECT | S::PAREN_SELECT | S::VALUES | S::TABLE => select(node),
        S::SELECT_INTO => {
            not_evaluated("`select into` makes a table from a query; `create table as` can be judged")
        }
        S::SET => set(node),
        S::RESET => match node.child(S::CONFIG_PARAMETER_REF) {
            Some(parameter) => Kind::Set(Setting {
                name: parameter.name().name,
                value: None,
                is_local: false,
            }),
            None => Kind::ResetAll,
        },
        S::DISCARD => Kind::ResetAll,
        S::BEGIN => Kind::Begin,
        S::COMMIT_TRANSACTION => Kind::Commit {
            chain: node.has(S::AND_CHAIN),
        },
        S::ROLLBACK_TRANSACTION => Kind::Rollback {
            chain: node.has(S::AND_CHAIN),
        },
        S::ROLLBACK_TO_SAVEPOINT => Kind::RollbackTo(last_word(node)),
        S::SAVEPOINT_CREATE => Kind::Savepoint(last_word(node)),
        S::RELEASE_SAVEPOINT => Kind::Release(last_word(node)),
        S::ALTER_SYSTEM => Kind::AlterSystem,
        S::DO => not_evaluated("what a `do` block executes is not known from the text"),
        S::EXECUTE => not_evaluated("what a prepared statement does is not known here"),
        S::CALL => not_evaluated("what a procedure does is not known from the text"),
        S::REPACK => not_evaluated("`repack` is not measured yet"),
        S::IMPORT_FOREIGN_SCHEMA | S::CREATE_SUBSCRIPTION | S::ALTER_SUBSCRIPTION => {
            not_evaluated("what it does depends on another server")
        }
        _ => other(node),
    }
}

fn other(node: &Node<'_>) -> Kind {
    let words: Vec<String> = node
        .tokens()
        .take(3)
        .map(|token| token.text().to_ascii_lowercase())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["drop", ..] => drop(node),
        [
            "alter",
            "function" | "procedure" | "routine" | "aggregate" | "role" | "user" | "group" | "database"
            | "default" | "extension" | "collation" | "language" | "server" | "foreign" | "event" | "schema",
            ..,
        ] => {
            if words[1] == "schema" && node.source().to_ascii_lowercase().contains(" rename ") {
                return Kind::Alter {
                    object: Object::Schema,
                    name: node
                        .children()
                        .next()
                        .map(|child| child.name())
                        .unwrap_or_default(),
                    if_exists: false,
                    only: false,
                    actions: vec![crate::ir::Action {
                        span: node.span(),
                        kind: crate::ir::ActionKind::Rename { to: last_word(node) },
                    }],
                };
            }
            Kind::Harmless("an object that is no relation")
        }
        ["alter" | "create", ..] => Kind::Harmless("an object that is no relation"),
        _ => Kind::Harmless("a statement that changes no schema"),
    }
}

fn not_evaluated(why: &str) -> Kind {
    Kind::NotEvaluated { why: why.to_owned() }
}

fn last_word(node: &Node<'_>) -> String {
    node.children()
        .last()
        .map(|child| child.name().name)
        .unwrap_or_default()
}

fn alter(node: &Node<'_>, object: Object, relation: S) -> Kind {
    let relation = node
        .child(relation)
        .or_else(|| node.children().find(|child| child.kind() != S::IF_EXISTS));
    let mut name = relation.as_ref().map(|child| child.name()).unwrap_or_default();
    let mut list = actions(node, object);
    // The relation itself is no action, whatever the parser calls it.
    list.retain(|action| action.span.start >= name.span.end);
    if name.name.is_empty() {
        name.span = node.span();
    }
    Kind::Alter {
        object,
        if_exists: node.has(S::IF_EXISTS),
        only: relation.is_some_and(|child| child.has(S::ONLY_KW)),
        name,
        actions: list,
    }
}

fn on_relation(node: &Node<'_>) -> Name {
    node.children()
        .find(|child| matches!(child.kind(), S::ON_RELATION | S::ON_TABLE))
        .and_then(|on| on.children().next())
        .map(|child| child.name())
        .unwrap_or_default()
}

/// The relations that a statement lists.
fn tables_in(node: &Node<'_>) -> Vec<Name> {
    node.descendants()
        .filter(|child| matches!(child.kind(), S::TABLE_NAME_REF | S::RELATION_NAME_REF))
        .map(|child| child.name())
        .collect()
}

fn targets(list: &Node<'_>) -> Vec<String> {
    list.descendants()
        .filter(|child| child.kind() == S::COLUMN_TARGET)
        .filter_map(|target| target.child(S::COLUMN_NAME_REF))
        .map(|child| child.name().name)
        .collect()
}

fn drop(node: &Node<'_>) -> Kind {
    let (object, word) = match node.kind() {
        S::DROP_TABLE => (Object::Table, S::TABLE_KW),
        S::DROP_INDEX => (Object::Index, S::INDEX_KW),
        S::DROP_VIEW => (Object::View, S::VIEW_KW),
        S::DROP_MATERIALIZED_VIEW => (Object::MaterializedView, S::VIEW_KW),
        S::DROP_SEQUENCE => (Object::Sequence, S::SEQUENCE_KW),
        S::DROP_FOREIGN_TABLE => (Object::ForeignTable, S::TABLE_KW),
        S::DROP_SCHEMA => (Object::Schema, S::SCHEMA_KW),
        S::DROP_TYPE => (Object::Type, S::TYPE_KW),
        S::DROP_DOMAIN => (Object::Domain, S::DOMAIN_KW),
        S::DROP_FUNCTION | S::DROP_PROCEDURE | S::DROP_ROUTINE | S::DROP_AGGREGATE => {
            (Object::Function, S::FUNCTION_KW)
        }
        S::DROP_TRIGGER => (Object::Trigger, S::TRIGGER_KW),
        S::DROP_POLICY => (Object::Policy, S::POLICY_KW),
        S::DROP_RULE => (Object::Rule, S::RULE_KW),
        S::DROP_EXTENSION => (Object::Extension, S::EXTENSION_KW),
        S::DROP_PUBLICATION => (Object::Publication, S::PUBLICATION_KW),
        S::DROP_STATISTICS => (Object::Statistics, S::STATISTICS_KW),
        S::DROP_DATABASE => (Object::Database, S::DATABASE_KW),
        S::DROP_OWNED => (Object::Owned, S::OWNED_KW),
        _ => (Object::Other, S::DROP_KW),
    };
    let on = matches!(object, Object::Trigger | Object::Policy | Object::Rule).then(|| on_relation(node));
    let names = node
        .children()
        .filter(|child| {
            !matches!(
                child.kind(),
                S::IF_EXISTS | S::CASCADE | S::RESTRICT | S::ON_RELATION | S::ON_TABLE
            )
        })
        .map(|child| child.name())
        .collect();
    Kind::Drop {
        object,
        names,
        on,
        concurrently: node.has(S::CONCURRENTLY_KW),
        cascade: node.has(S::CASCADE),
        if_exists: node.has(S::IF_EXISTS),
        after_object: node.end_of(word),
    }
}

fn reindex(node: &Node<'_>) -> Kind {
    let target = node
        .children()
        .find(|child| child.kind() != S::REINDEX_OPTION_LIST);
    let what = target
        .as_ref()
        .map(|child| child.source().to_ascii_lowercase())
        .unwrap_or_default();
    let kind = match what.split_whitespace().next() {
        Some("index") => ReindexTarget::Index,
        Some("table") => ReindexTarget::Table,
        Some("schema") => ReindexTarget::Schema,
        _ => ReindexTarget::Database,
    };
    let name = target
        .as_ref()
        .and_then(|target| target.children().last())
        .map(|child| child.name())
        .unwrap_or_default();
    let after_target = target.as_ref().map_or(node.span().end, |target| match kind {
        ReindexTarget::Index => target.end_of(S::INDEX_KW),
        ReindexTarget::Table => target.end_of(S::TABLE_KW),
        ReindexTarget::Schema => target.end_of(S::SCHEMA_KW),
        ReindexTarget::Database => target.end_of(S::DATABASE_KW),
    });
    let options = node
        .child(S::REINDEX_OPTION_LIST)
        .map(|list| list.source().to_ascii_lowercase())
        .unwrap_or_default();
    let concurrently =
        target.is_some_and(|target| target.has(S::CONCURRENTLY_KW)) || options.contains("concurrently");
    Kind::Reindex {
        target: kind,
        name,
        concurrently,
        after_target,
    }
}

fn lock(node: &Node<'_>) -> Kind {
    let clause = node
        .child(S::LOCK_MODE_CLAUSE)
        .and_then(|clause| clause.children().next());
    let mode = clause.map_or_else(
        || "access exclusive".to_owned(),
        |mode| mode.source().to_ascii_lowercase(),
    );
    Kind::Lock {
        tables: tables_in(node),
        mode: mode.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

fn domain(node: &Node<'_>) -> Kind {
    let action = if let Some(add) = node.child(S::ADD_CONSTRAINT) {
        DomainAction::AddCheck {
            is_not_valid: add.find(S::NOT_VALID).is_some(),
        }
    } else if node.has(S::SET_NOT_NULL) {
        DomainAction::SetNotNull
    } else if node.has(S::VALIDATE_CONSTRAINT) {
        DomainAction::Validate
    } else {
        DomainAction::Other
    };
    Kind::AlterDomain {
        name: node.name_of(S::DOMAIN_REF),
        action,
    }
}

fn type_change(node: &Node<'_>) -> Kind {
    let name = node.name_of(S::TYPE_NAME_REF);
    if let Some(add) = node.child(S::ADD_VALUE) {
        let value = add
            .child(S::LITERAL)
            .map(|value| literal(value.source()))
            .unwrap_or_default();
        return Kind::AlterTypeAddValue {
            name,
            value,
            if_not_exists: add.has(S::IF_NOT_EXISTS),
        };
    }
    if node.has(S::RENAME_VALUE) {
        return Kind::AlterTypeRenameValue { name };
    }
    let actions = actions(node, Object::Type)
        .into_iter()
        .filter(|action| action.span.start >= name.span.end)
        .collect();
    Kind::Alter {
        object: Object::Type,
        name,
        if_exists: false,
        only: false,
        actions,
    }
}

fn comment(node: &Node<'_>) -> Kind {
    let Some(object) = node.children().next() else {
        return Kind::Harmless("a comment");
    };
    let name = object.children().last().map(|child| child.name());
    let (kind, name) = match object.kind() {
        S::OBJECT_TABLE => (Object::Table, name),
        S::OBJECT_COLUMN => {
            // The last part is the column.
            let mut parts: Vec<String> = object
                .tokens()
                .skip(1)
                .filter(|token| token.kind() != S::DOT)
                .map(|token| super::node::folded(token.text()))
                .collect();
            parts.pop();
            let table = parts.pop().unwrap_or_default();
            (
                Object::Table,
                Some(Name {
                    schema: parts.pop(),
                    name: table,
                    span: object.span(),
                }),
            )
        }
        S::OBJECT_INDEX => (Object::Index, name),
        _ => (Object::Other, name),
    };
    Kind::Comment { object: kind, name }
}

fn set(node: &Node<'_>) -> Kind {
    let Some(config) = node.child(S::SET_CONFIG) else {
        return Kind::Harmless("a setting");
    };
    let name = config.name_of(S::CONFIG_PARAMETER_REF).name;
    let text = config.source();
    let value = config
        .children()
        .find(|child| child.kind() != S::CONFIG_PARAMETER_REF);
    let value = value
        .map(|value| value.source().to_owned())
        .unwrap_or_else(|| text.to_owned());
    let trimmed = value.trim_start();
    let value = trimmed
        .strip_prefix('=')
        .or_else(|| {
            trimmed
                .get(..2)
                .filter(|word| word.eq_ignore_ascii_case("to"))
                .map(|_| &trimmed[2..])
        })
        .unwrap_or(trimmed)
        .trim();
    if value.to_ascii_lowercase().starts_with("from current") {
        return Kind::Harmless("a setting");
    }
    if name == "search_path" {
        return Kind::SearchPath(
            value
                .split(',')
                .map(|part| super::node::folded(&literal(part.trim())))
                .collect(),
        );
    }
    let value = (!value.eq_ignore_ascii_case("default")).then(|| literal(value));
    Kind::Set(Setting {
        name,
        value,
        is_local: node.has(S::LOCAL_SCOPE),
    })
}

fn select(node: &Node<'_>) -> Kind {
    let calls: Vec<String> = node.expression().calls;
    let strings = node
        .tokens()
        .filter(|token| token.kind() == S::STRING)
        .map(|token| literal(token.text()))
        .collect();
    let call = node.descendants().find(|child| {
        child.kind() == S::CALL_EXPR
            && child
                .children()
                .next()
                .is_some_and(|name| name.name().name == "set_config")
    });
    let set = call.and_then(|call| {
        let list = call.child(S::ARG_LIST)?;
        let arguments: Vec<String> = list.all(S::ARG).map(|arg| arg.source().to_owned()).collect();
        let [name, value, is_local] = arguments.as_slice() else {
            return None;
        };
        Some(Setting {
            name: literal(name).to_lowercase(),
            value: Some(literal(value)),
            is_local: is_local.to_ascii_lowercase().contains("true") || literal(is_local) == "t",
        })
    });
    Kind::Select { calls, set, strings }
}
