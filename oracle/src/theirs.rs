//! What the server's own grammar says of a statement, in the words of [`ours`](crate::ours).

use std::collections::BTreeSet;

use pg_query::protobuf::{
    CreateTableAsStmt, Node, ObjectType as O, RangeVar, ReindexObjectType, RenameStmt,
    TransactionStmtKind as T,
};
use pg_query::{NodeEnum as N, ParseResult};

pub(crate) fn node(result: &ParseResult) -> Option<&N> {
    inner(result.protobuf.stmts.first()?.stmt.as_deref()?)
}

fn inner(node: &Node) -> Option<&N> {
    node.node.as_ref()
}

pub(crate) fn is_query(node: &N) -> bool {
    match node {
        N::SelectStmt(it) => it.into_clause.is_none(),
        N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) => true,
        _ => false,
    }
}

pub(crate) fn kind(node: &N) -> String {
    let word = match node {
        N::AlterTableStmt(it) => return format!("alter {}", object(it.objtype())),
        N::AlterSeqStmt(_) => "alter Sequence",
        N::RenameStmt(it) => return renamed(it),
        N::AlterObjectSchemaStmt(it) if is_altered(it.object_type()) => {
            return format!("alter {}", object(it.object_type()));
        }
        N::AlterObjectDependsStmt(it) if it.object_type() == O::ObjectIndex => "alter Index",
        N::AlterOwnerStmt(it) if it.object_type() == O::ObjectType => "alter Type",
        N::AlterOwnerStmt(it) if it.object_type() == O::ObjectDomain => "alter domain",
        N::AlterOwnerStmt(it) if it.object_type() == O::ObjectPublication => "alter publication",
        N::AlterObjectSchemaStmt(it) if it.object_type() == O::ObjectDomain => "alter domain",
        N::AlterTypeStmt(_) => "alter Type",
        N::DropStmt(it) => match object(it.remove_type()) {
            "other" => "other",
            object => return format!("drop {object}"),
        },
        N::DropdbStmt(_) => "drop Database",
        N::CreateStmt(_) => "create table",
        N::CreateForeignTableStmt(_) => "other",
        N::CreateTableAsStmt(it) if it.is_select_into => "not evaluated",
        N::CreateTableAsStmt(it) if it.objtype() == O::ObjectMatview => "create materialized view",
        N::CreateTableAsStmt(_) => "create table",
        N::IndexStmt(_) => "create index",
        N::ViewStmt(_) => "create view",
        N::CreateTrigStmt(_) => "create trigger",
        N::RuleStmt(_) => "create rule",
        N::CreatePolicyStmt(_) | N::AlterPolicyStmt(_) => "policy",
        N::CompositeTypeStmt(_) | N::CreateEnumStmt(_) | N::CreateRangeStmt(_) => "create type",
        N::DefineStmt(it) => match it.kind() {
            O::ObjectType => "create type",
            O::ObjectAggregate => "create function",
            _ => "other",
        },
        N::CreateDomainStmt(_) => "create domain",
        N::CreateSchemaStmt(_) => "create schema",
        N::CreateSeqStmt(_) => "create sequence",
        N::CreateFunctionStmt(_) => "create function",
        N::CreatePublicationStmt(_) => "create publication",
        N::AlterPublicationStmt(_) => "alter publication",
        N::CreateStatsStmt(_) => "create statistics",
        N::CreateExtensionStmt(_) => "create extension",
        N::CreatedbStmt(_) => "create database",
        N::ReindexStmt(it) => match it.kind() {
            ReindexObjectType::ReindexObjectIndex => "reindex index",
            ReindexObjectType::ReindexObjectTable => "reindex table",
            ReindexObjectType::ReindexObjectSchema => "reindex schema",
            _ => "reindex database",
        },
        N::RefreshMatViewStmt(_) => "refresh",
        N::TruncateStmt(_) => "truncate",
        N::LockStmt(_) => "lock",
        N::VacuumStmt(it) if it.is_vacuumcmd => "vacuum",
        N::VacuumStmt(_) => "analyze",
        N::ClusterStmt(_) => "cluster",
        N::AlterDomainStmt(_) => "alter domain",
        N::AlterEnumStmt(it) if it.old_val.is_empty() => "add value",
        N::AlterEnumStmt(_) => "rename value",
        N::CommentStmt(_) => "comment",
        N::GrantStmt(_) | N::GrantRoleStmt(_) => "grant",
        N::InsertStmt(_) => "insert",
        N::UpdateStmt(_) => "update",
        N::DeleteStmt(_) => "delete",
        N::MergeStmt(_) => "merge",
        N::CopyStmt(_) => "copy",
        N::SelectStmt(it) if it.into_clause.is_some() => "not evaluated",
        N::SelectStmt(_) => "select",
        N::VariableSetStmt(it) if it.name == "SESSION CHARACTERISTICS" => "other",
        N::VariableSetStmt(_) | N::DiscardStmt(_) => "set",
        N::TransactionStmt(it) => match it.kind() {
            T::TransStmtBegin | T::TransStmtStart => "begin",
            T::TransStmtCommit => "commit",
            T::TransStmtRollback => "rollback",
            T::TransStmtRollbackTo => "rollback to",
            T::TransStmtSavepoint => "savepoint",
            T::TransStmtRelease => "release",
            _ => "other",
        },
        N::AlterSystemStmt(_) => "alter system",
        N::DoStmt(_)
        | N::ExecuteStmt(_)
        | N::CallStmt(_)
        | N::ImportForeignSchemaStmt(_)
        | N::CreateSubscriptionStmt(_)
        | N::AlterSubscriptionStmt(_)
        | N::AlterTableMoveAllStmt(_) => "not evaluated",
        _ => "other",
    };
    word.to_owned()
}

fn renamed(it: &RenameStmt) -> String {
    match it.rename_type() {
        O::ObjectColumn | O::ObjectAttribute => format!("alter {}", object(it.relation_type())),
        O::ObjectTabconstraint => "alter Table".to_owned(),
        O::ObjectDomain | O::ObjectDomconstraint => "alter domain".to_owned(),
        O::ObjectPolicy => "policy".to_owned(),
        O::ObjectPublication => "alter publication".to_owned(),
        of if is_altered(of) || of == O::ObjectSchema => format!("alter {}", object(of)),
        _ => "other".to_owned(),
    }
}

fn is_altered(of: O) -> bool {
    matches!(
        of,
        O::ObjectTable
            | O::ObjectIndex
            | O::ObjectView
            | O::ObjectMatview
            | O::ObjectSequence
            | O::ObjectForeignTable
            | O::ObjectType
    )
}

fn object(of: O) -> &'static str {
    match of {
        O::ObjectTable => "Table",
        O::ObjectIndex => "Index",
        O::ObjectView => "View",
        O::ObjectMatview => "MaterializedView",
        O::ObjectSequence => "Sequence",
        O::ObjectForeignTable => "ForeignTable",
        O::ObjectSchema => "Schema",
        O::ObjectType => "Type",
        O::ObjectDomain => "Domain",
        O::ObjectFunction | O::ObjectProcedure | O::ObjectRoutine | O::ObjectAggregate => "Function",
        O::ObjectTrigger => "Trigger",
        O::ObjectPolicy => "Policy",
        O::ObjectRule => "Rule",
        O::ObjectExtension => "Extension",
        O::ObjectPublication => "Publication",
        O::ObjectStatisticExt => "Statistics",
        _ => "other",
    }
}

/// The relations that the statement itself is about, in alphabetic order.
pub(crate) fn relations(node: &N) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut take = |relation: &Option<RangeVar>| names.extend(relation.iter().map(word));
    let nodes = |list: &[Node]| -> Vec<String> {
        list.iter()
            .filter_map(|node| match inner(node)? {
                N::RangeVar(it) => Some(word(it)),
                N::VacuumRelation(it) => it.relation.as_ref().map(word),
                _ => None,
            })
            .collect()
    };
    match node {
        N::AlterTableStmt(it) if it.objtype() != O::ObjectType => take(&it.relation),
        N::AlterSeqStmt(it) => take(&it.sequence),
        N::RenameStmt(it)
            if !matches!(
                it.rename_type(),
                O::ObjectAttribute | O::ObjectTrigger | O::ObjectRule
            ) =>
        {
            take(&it.relation)
        }
        N::AlterObjectSchemaStmt(it) if is_altered(it.object_type()) => take(&it.relation),
        N::AlterObjectDependsStmt(it) => take(&it.relation),
        N::CreatePolicyStmt(it) => take(&it.table),
        N::AlterPolicyStmt(it) => take(&it.table),
        N::CreateStmt(it) => {
            take(&it.relation);
            if it.partbound.is_some() {
                names.extend(nodes(&it.inh_relations));
            }
        }
        N::CreateTableAsStmt(it) if !it.is_select_into => names.extend(made(it)),
        N::IndexStmt(it) => take(&it.relation),
        N::ViewStmt(it) => take(&it.view),
        N::CreateTrigStmt(it) => take(&it.relation),
        N::RuleStmt(it) => take(&it.relation),
        N::CreateSeqStmt(it) => take(&it.sequence),
        N::ReindexStmt(it) => take(&it.relation),
        N::RefreshMatViewStmt(it) => take(&it.relation),
        N::TruncateStmt(it) => names.extend(nodes(&it.relations)),
        N::LockStmt(it) => names.extend(nodes(&it.relations)),
        N::VacuumStmt(it) => names.extend(nodes(&it.rels)),
        N::ClusterStmt(it) => take(&it.relation),
        N::GrantStmt(it) if it.objtype() == O::ObjectTable => names.extend(nodes(&it.objects)),
        N::InsertStmt(it) => take(&it.relation),
        N::UpdateStmt(it) => take(&it.relation),
        N::DeleteStmt(it) => take(&it.relation),
        N::MergeStmt(it) => take(&it.relation),
        N::CopyStmt(it) => take(&it.relation),
        N::DropStmt(it) if is_altered(it.remove_type()) && it.remove_type() != O::ObjectType => {
            names.extend(it.objects.iter().filter_map(|object| match inner(object)? {
                N::List(list) => Some(dotted(&list.items)),
                _ => None,
            }));
        }
        _ => {}
    }
    names.sort();
    names
}

fn made(it: &CreateTableAsStmt) -> Option<String> {
    it.into.as_ref()?.rel.as_ref().map(word)
}

fn dotted(items: &[Node]) -> String {
    let parts: Vec<&str> = items
        .iter()
        .filter_map(|item| match inner(item)? {
            N::String(it) => Some(it.sval.as_str()),
            _ => None,
        })
        .collect();
    parts.join(".")
}

fn word(relation: &RangeVar) -> String {
    if relation.schemaname.is_empty() {
        relation.relname.clone()
    } else {
        format!("{}.{}", relation.schemaname, relation.relname)
    }
}

/// What a query reads and writes.
pub(crate) fn accessed(result: &ParseResult) -> BTreeSet<String> {
    result.tables.iter().map(|(name, _)| name.clone()).collect()
}
