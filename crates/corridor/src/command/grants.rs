//! `corridor grants`: what a role without superuser needs for a move, as SQL that psql takes.

use corridor_move::preflight::grants;
use corridor_pg::Result;

use super::{Context, DONE};
use crate::args;
use crate::output::grants::{GrantsDocument, sql};

/// Prints the grants, those that are there as comments, or only the missing ones.
pub(crate) async fn run(context: &Context, args: &args::Grants) -> Result<u8> {
    let mut session = context.session("-").await?;
    let mut found = grants(&mut session, args.table.as_deref(), args.role.as_deref()).await?;
    if args.missing {
        found.grants.retain(|grant| !grant.is_there);
    }
    if context.output.is_json() {
        context.output.document(&GrantsDocument { found: &found })?;
    } else {
        context.output.data(&sql(&found))?;
    }
    Ok(DONE)
}
