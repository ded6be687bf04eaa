//! `corridor status`: all migrations, or everything about one.

use corridor_migration::status;
use corridor_migration::store::{self, Summary};
use corridor_migration::{Name, Wait, schema};
use corridor_move::run::StoredMove;
use corridor_move::run::gauge::gauge;
use corridor_pg::{Result, Session};
use serde::{Deserialize, Serialize};

use super::{Context, DONE, watch};
use crate::args;
use crate::output::status::{self as shown, View};

#[derive(Serialize)]
struct ListDocument {
    migrations: Vec<Summary>,
}

/// Lists, shows or watches.
pub(crate) async fn run(context: &Context, args: &args::Status) -> Result<u8> {
    let Some(name) = &args.name else {
        return list(context).await;
    };
    let name = Name::new(&**name)?;
    let mut session = context.session_for(&name).await?;
    if args.watch {
        return watch::watch(context, &mut session, &name).await;
    }
    let now = read(&mut session, &name).await?;
    if context.output.is_json() {
        context.output.bare_document(&now, true)?;
    } else {
        context.output.data(&shown::block(&now))?;
    }
    Ok(DONE)
}

/// What the migration's own rows say, and then the mirror's tables.
pub(super) async fn read(session: &mut Session, name: &Name) -> Result<View> {
    let mut status = status::read(session, name).await?;
    if status.waits_for == Some(Wait::Finish) && is_one_way(session, name).await? {
        shown::take_way_back(&mut status);
    }
    let mirror = gauge(session, &status).await?;
    Ok(View { status, mirror })
}

/// It was planned without a way back. A plan that cannot be read is refused by whoever needs more of it.
pub(super) async fn is_one_way(session: &Session, name: &Name) -> Result<bool> {
    let plan = store::load(&**session, name).await?.plan;
    Ok(StoredMove::deserialize(&plan).is_ok_and(|stored| stored.plan.is_one_way))
}

async fn list(context: &Context) -> Result<u8> {
    let session = context.session("-").await?;
    let migrations = match schema::exists(&*session).await? {
        true => store::list(&*session).await?,
        false => Vec::new(),
    };
    if context.output.is_json() {
        context.output.document(&ListDocument { migrations })?;
    } else if migrations.is_empty() {
        let options = context.connect_options()?;
        context.output.data(&shown::none(options.dbname()))?;
    } else {
        context.output.data(&shown::list(&migrations))?;
    }
    Ok(DONE)
}
