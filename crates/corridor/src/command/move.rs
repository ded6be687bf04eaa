//! `corridor move`: the plan of a move, and with `--execute` the move.

use std::path::Path;

use corridor_migration::Name;
use corridor_migration::setting::normalise;
use corridor_move::MovePlan;
use corridor_move::plan::MirrorSteps;
use corridor_move::shape::{Shape, ShapeWords, WantedWords};
use corridor_pg::{ConnectOptions, Fault, Result};
use serde::Serialize;

use super::work::{self, Call};
use super::{Context, DONE, assignment};
use crate::args::{Accept, Move};
use crate::fault::USAGE;
use crate::output::fault::exit_code;
use crate::output::plan::{PlanDocument, how_to_execute, text};
use crate::output::text::hang;
use crate::output::{Output, fault};
use crate::run::{self, Order, Wish};

/// The first lines of a move with `--json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Beginning<'a> {
    Planned { plan: &'a MovePlan, mirror: MirrorSteps },
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
    let call = Call {
        hook: Some(&args.hook),
        is_gated: args.hook_gate,
        why: "",
    };
    execute(context, &connect, &wish, &plan, call, args.detach).await
}

/// What is asked for, read.
pub(crate) fn wish(args: &Move) -> Result<Wish> {
    let mut settings = Vec::new();
    // With --to, --set speaks of columns.
    let set = if args.shape.to.is_some() {
        &[][..]
    } else {
        &args.set
    };
    for text in args.setting.iter().chain(set) {
        let (key, value) = assignment(text)?;
        settings.push((key.to_owned(), normalise(key, value)?));
    }
    // With a gate it is this process that cuts over, once it is let through.
    if args.auto_cutover && !args.hook_gate {
        settings.push(("cutover.auto".to_owned(), "on".to_owned()));
    }
    if let Some(name) = &args.name {
        Name::new(&**name)?;
    }
    Ok(Wish {
        name: args.name.clone(),
        table: args.table.clone(),
        shape: shape(args)?,
        accept_key_widening: args.accept.contains(&Accept::KeyWidening),
        accept_partition_settings: args.accept.contains(&Accept::PartitionSettings),
        fallback_view: args.fallback_view.clone(),
        settings,
    })
}

fn shape(words: &Move) -> Result<Shape> {
    let args = &words.shape;
    let file = args.to.as_ref().map(|path| path.display().to_string());
    let sql = match &args.to {
        Some(path) => Some(read(path)?),
        None => None,
    };
    let to = file
        .as_deref()
        .zip(sql.as_deref())
        .map(|(file, sql)| WantedWords {
            file,
            sql,
            set: &words.set,
            reverse_set: &args.reverse_set,
            is_one_way: args.one_way,
        });
    Shape::parse(&ShapeWords {
        to,
        partition_by: args.partition_by.as_deref(),
        partitions: args.partitions.as_deref(),
        every: args.every.as_deref(),
        ahead: args.ahead.as_deref(),
        has_default_partition: args.default_partition,
        is_same_shape: args.same_shape,
        is_unpartitioned: args.unpartitioned,
    })
}

/// The file with the wanted table.
fn read(path: &Path) -> Result<String> {
    /// A definition of a table is not longer; something else was meant.
    const FILE_BYTES_MAX: u64 = 1 << 20;
    let unreadable = |why: String| Fault::new(&USAGE, format!("--to {}: {why}", path.display()));
    let size = std::fs::metadata(path)
        .map_err(|e| unreadable(e.to_string()))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(unreadable(format!("{size} bytes; at most {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))
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
        // The plan has just said what stands in the way.
        let brief = Fault::new(refusal.code(), "the plan says what stands in the way");
        output.say(&format!("\n{}", fault::text(&brief)));
    }
    Ok(exit_code(refusal))
}

async fn execute(
    context: &Context,
    connect: &ConnectOptions,
    wish: &Wish,
    plan: &MovePlan,
    call: Call<'_>,
    is_detached: bool,
) -> Result<u8> {
    let output = &context.output;
    if output.is_json() {
        let mirror = plan.mirror_steps();
        output.json_line(&Beginning::Planned { plan, mirror })?;
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
    if is_detached {
        let session = context.session_for(&name).await?;
        let migration = corridor_migration::store::load(&*session, &name).await?;
        return super::detach(context, &session, &migration, &serde_json::json!({})).await;
    }
    work::carry(context, &name, Order::Start, call).await
}
