//! `--fallback-view`: the view that the plan holds, made when it is not there.

use corridor_pg::{Fault, FaultContext, Isolation, QualifiedName, Result, Session};
use tokio_postgres::GenericClient;

use crate::run::deck::Deck;
use crate::run::fault::FALLBACK_NAME_TAKEN;

/// Creates the view when it was asked for and is not there.
pub(crate) async fn create(deck: &Deck, session: &mut Session) -> Result<()> {
    let Some(view) = &deck.plan.fallback_view else {
        return Ok(());
    };
    let doing = || format!("creating {}", view.name);
    let tx = session.begin(Isolation::ReadCommitted).await?;
    deck.fence.hold(&tx).await?;
    if is_ours(&tx, &view.name).await? {
        return Ok(());
    }
    for step in &view.create {
        tx.batch_execute(&step.sql).await.doing(doing)?;
    }
    corridor_pg::failpoint::step("view", tx.commit())
        .await
        .doing(doing)
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

/// Drops it, if it carries our mark; nothing when it was not asked for.
pub(crate) fn drop_statements(deck: &Deck) -> Vec<String> {
    let steps = deck.plan.fallback_view.iter().flat_map(|view| &view.drop);
    steps.map(|step| step.sql.clone()).collect()
}
