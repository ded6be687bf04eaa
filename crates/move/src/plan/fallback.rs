//! `--fallback-view`: during the copy, a view that reads the new table first and falls back to the old one. Pure.

use corridor_pg::catalog::Table;
use corridor_pg::ident::join;
use corridor_pg::{Ident, Literal, LockMode, QualifiedName};
use serde::{Deserialize, Serialize};

use super::Step;
use crate::names::Names;

/// The fingerprint of the source passes views by whose comment begins like this.
const COMMENT: &str = "corridor: fallback view of a move; dropped at the cut-over";

/// The view that was asked for, as preflight found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedView {
    /// Its name.
    pub name: QualifiedName,
    /// Something has that name already.
    pub is_taken: bool,
}

/// The view, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FallbackView {
    /// Its name.
    pub name: QualifiedName,
    /// `prepare`: makes it, once the new table is there; one transaction. Who may read the table may read the view.
    pub create: Vec<Step>,
    /// The swap, or a rollback before it: drops it when it carries our mark.
    pub drop: Vec<Step>,
}

/// The statements of the view.
pub(super) fn fallback_view(
    table: &Table,
    names: &Names,
    key: &[&Ident],
    view: &QualifiedName,
) -> FallbackView {
    let columns = |alias: &str| join(table.columns.iter().map(|c| format!("{alias}.{}", c.name)), ", ");
    let same = join(key.iter().map(|k| format!("n.{k} = o.{k}")), " and ");
    let (source, target) = (&names.source, &names.target);
    let definition = format!(
        "create view {view} as select {} from {target} n union all \
         select {} from {source} o where not exists (select from {target} n where {same})",
        columns("n"),
        columns("o"),
    );
    let mut create = vec![
        Step::new(format!("fallback view {}", view.name), definition)
            .brief([(source, LockMode::AccessShare), (target, LockMode::AccessShare)]),
        Step::new(
            format!("mark of fallback view {}", view.name),
            format!("comment on view {view} is {}", Literal(COMMENT)),
        ),
    ];
    let mut readers: Vec<String> = table
        .grants
        .iter()
        .filter(|grant| grant.column.is_none() && grant.privilege == "SELECT")
        .map(|grant| {
            grant
                .grantee
                .as_ref()
                .map_or_else(|| "public".to_owned(), Ident::to_string)
        })
        .collect();
    readers.sort();
    readers.dedup();
    create.extend(readers.into_iter().map(|reader| {
        Step::new(
            format!("{reader} may read {}", view.name),
            format!("grant select on {view} to {reader}"),
        )
    }));
    let name = view.to_string();
    let body = format!(
        "begin if obj_description(to_regclass({}), 'pg_class') like 'corridor: fallback%' then drop view {name}; end if; end",
        Literal(&name)
    );
    let drop = Step::new(
        format!("fallback view {} goes", view.name),
        format!("do {}", Literal(&body)),
    )
    .brief([(view, LockMode::AccessExclusive)]);
    FallbackView {
        name: view.clone(),
        create,
        drop: vec![drop],
    }
}
