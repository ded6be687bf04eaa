//! `--fallback-view`: during the copy, a view that reads the new table first and falls back to the old one.

use corridor_pg::ident::join;
use corridor_pg::{Fault, FaultContext, Ident, Isolation, Literal, QualifiedName, Result, Session};
use tokio_postgres::GenericClient;

use crate::run::deck::Deck;
use crate::run::fault::FALLBACK_NAME_TAKEN;

/// The fingerprint of the source passes views by whose comment begins like this.
const COMMENT: &str = "corridor: fallback view of a move; dropped at the cut-over";

/// The view's definition.
pub(crate) fn definition(deck: &Deck, view: &QualifiedName, columns: &[Ident]) -> String {
    let list = |alias: &str| join(columns.iter().map(|c| format!("{alias}.{c}")), ", ");
    let same = join(
        deck.plan.key.iter().map(|k| format!("n.{0} = o.{0}", k.name)),
        " and ",
    );
    format!(
        "create view {view} as select {} from {} n union all \
         select {} from {} o where not exists (select from {} n where {same})",
        list("n"),
        deck.plan.target,
        list("o"),
        deck.plan.source.name,
        deck.plan.target
    )
}

/// Creates the view when it was asked for and is not there. Whoever may read the table may read the view.
pub(crate) async fn create(deck: &Deck, session: &mut Session) -> Result<()> {
    let Some(view) = &deck.fallback_view else {
        return Ok(());
    };
    let tx = session.begin(Isolation::ReadCommitted).await?;
    deck.fence.hold(&tx).await?;
    if is_ours(&tx, view).await? {
        return Ok(());
    }
    let rows = tx
        .query(
            include_str!("../../sql/run/columns.sql"),
            &[&deck.plan.source.oid.0],
        )
        .await
        .doing(|| "reading the columns")?;
    let columns = rows
        .iter()
        .map(|row| Ident::new(row.get::<_, &str>("name")))
        .collect::<Result<Vec<_>>>()?;
    tx.batch_execute(&definition(deck, view, &columns))
        .await
        .doing(|| format!("creating {view}"))?;
    let comment = corridor_pg::Literal(COMMENT).to_string();
    tx.batch_execute(&format!("comment on view {view} is {comment}"))
        .await
        .doing(|| format!("creating {view}"))?;
    let readers = tx
        .query(
            include_str!("../../sql/run/readers.sql"),
            &[&deck.plan.source.oid.0],
        )
        .await
        .doing(|| "reading the grants")?;
    for row in &readers {
        let grantee = match row.get::<_, Option<&str>>("grantee") {
            Some(role) => Ident::new(role)?.to_string(),
            None => "public".to_owned(),
        };
        tx.batch_execute(&format!("grant select on {view} to {grantee}"))
            .await
            .doing(|| format!("creating {view}"))?;
    }
    tx.commit().await.doing(|| format!("creating {view}"))
}

/// Whether the view is there, by its mark. Fails with `MOV-112` when something else has the name.
async fn is_ours(client: &impl GenericClient, view: &QualifiedName) -> Result<bool> {
    let row = client
        .query_one(include_str!("../../sql/run/fallback.sql"), &[&view.to_string()])
        .await
        .doing(|| "looking for the fallback view")?;
    match (row.get("is_there"), row.get("is_ours")) {
        (true, false) => Err(Fault::new(&FALLBACK_NAME_TAKEN, view.to_string())),
        (is_there, _) => Ok(is_there),
    }
}

/// Fails with `MOV-112` when the name is taken: before anything is stored.
pub(crate) async fn check_name(client: &impl GenericClient, view: &QualifiedName) -> Result<()> {
    match is_ours(client, view).await? {
        true => Err(Fault::new(&FALLBACK_NAME_TAKEN, view.to_string())),
        false => Ok(()),
    }
}

/// Drops it, if it carries our mark; nothing when it was not asked for.
pub(crate) fn drop_statements(deck: &Deck) -> Vec<String> {
    let drop = |view: &QualifiedName| {
        let name = view.to_string();
        let body = format!(
            "begin if obj_description(to_regclass({}), 'pg_class') like 'corridor: fallback%' then drop view {name}; end if; end",
            Literal(&name)
        );
        format!("do {}", Literal(&body))
    };
    deck.fallback_view.iter().map(drop).collect()
}
