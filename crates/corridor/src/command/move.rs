//! `corridor move`: the plan of a move, and with `--execute` the move.

use corridor_migration::Name;
use corridor_migration::setting::normalise;
use corridor_move::MovePlan;
use corridor_move::shape::{Shape, ShapeWords};
use corridor_pg::{ConnectOptions, Fault, Result};
use serde::Serialize;

use super::{Context, DONE, assignment, work};
use crate::args::{Accept, Move, ShapeArgs};
use crate::output::fault::exit_code;
use crate::output::plan::{PlanDocument, how_to_execute, text};
use crate::output::text::hang;
use crate::output::{Output, fault};
use crate::run::{self, Order, Wish};

/// The first lines of a move with `--json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Beginning<'a> {
    Planned { plan: &'a MovePlan },
    Stored { name: &'a Name },
}

/// Plans, shows, and carries out when told to.
pub(crate) async fn run(context: &Context, args: &Move) -> Result<u8> {
    let wish = wish(args)?;
    let connect = context.connect_options()?;
    let Some(plan) = context.interrupt.or(run::plan(&connect, &wish)).await else {
        return Ok(context.interrupt.code());
    };
    let plan = plan?;
    if let Err(refusal) = plan.check_executable() {
        return refused(&context.output, &plan, &refusal);
    }
    if !args.execute {
        show(&context.output, &plan)?;
        return Ok(DONE);
    }
    execute(context, &connect, &wish, &plan).await
}

/// What is asked for, read.
pub(crate) fn wish(args: &Move) -> Result<Wish> {
    let mut settings = Vec::new();
    for text in &args.set {
        let (key, value) = assignment(text)?;
        settings.push((key.to_owned(), normalise(key, value)?));
    }
    if args.auto_cutover {
        settings.push(("cutover.auto".to_owned(), "on".to_owned()));
    }
    if let Some(name) = &args.name {
        Name::new(&**name)?;
    }
    Ok(Wish {
        name: args.name.clone(),
        table: args.table.clone(),
        shape: shape(&args.shape)?,
        accept_key_widening: args.accept.contains(&Accept::KeyWidening),
        fallback_view: args.fallback_view.clone(),
        settings,
    })
}

fn shape(args: &ShapeArgs) -> Result<Shape> {
    Shape::parse(&ShapeWords {
        partition_by: args.partition_by.as_deref(),
        partitions: args.partitions.as_deref(),
        every: args.every.as_deref(),
        ahead: args.ahead.as_deref(),
        has_default_partition: args.default_partition,
        is_same_shape: args.same_shape,
    })
}

fn show(output: &Output, plan: &MovePlan) -> Result<()> {
    if output.is_json() {
        return output.document(&PlanDocument::new(plan, None));
    }
    output.data(&text(plan))?;
    output.note(&format!("\n{}", how_to_execute()));
    Ok(())
}

/// A plan that must not be carried out is shown all the same: it says what stands in the way.
fn refused(output: &Output, plan: &MovePlan, refusal: &Fault) -> Result<u8> {
    if output.is_json() {
        output.document(&PlanDocument::new(plan, Some(refusal)))?;
    } else {
        output.data(&text(plan))?;
        output.say(&format!("\n{}", fault::text(refusal)));
    }
    Ok(exit_code(refusal))
}

async fn execute(context: &Context, connect: &ConnectOptions, wish: &Wish, plan: &MovePlan) -> Result<u8> {
    let output = &context.output;
    if output.is_json() {
        output.json_line(&Beginning::Planned { plan })?;
    } else if !output.is_quiet() {
        output.data(&text(plan))?;
    }
    if context.interrupt.is_asked() {
        return Ok(context.interrupt.code());
    }
    let name = Name::new(run::store(connect, wish, plan).await?)?;
    if output.is_json() {
        output.json_line(&Beginning::Stored { name: &name })?;
    } else {
        let text = format!(
            "Stored as {name}. From another terminal: `corridor status {name} --watch`, `corridor pause {name}`."
        );
        output.note(&format!("\n{}\n", hang("", &text)));
    }
    work::carry(context, &name, Order::Start).await
}
