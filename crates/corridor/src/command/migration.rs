//! `corridor migration`: a person's own migrations, from the file to the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use corridor_migration::data::census::{Row, rows};
use corridor_migration::data::shelf::{self, Added};
use corridor_migration::data::{self, readiness};
use corridor_migration::definition::{Definition, file};
use corridor_migration::lease::this_process;
use corridor_migration::{Name, Order, Outcome, State, schema, store};
use corridor_pg::{Fault, Result};
use semver::Version;
use serde::Serialize;

use super::mover::TableMover;
use super::{Context, DONE, assignment};
use crate::args::{Migration, MigrationAdd, MigrationNamed, MigrationSettle, MigrationSkip, MigrationStart};
use crate::fault::USAGE;
use crate::output::migration::{self as shown, Ear};
use crate::output::outcome;

/// One verb.
pub(crate) async fn run(context: &Context, command: &Migration) -> Result<u8> {
    match command {
        Migration::Add(args) => context.interruptible(add(context, args)).await,
        Migration::List => context.interruptible(list(context)).await,
        Migration::Show(args) => context.interruptible(show(context, args)).await,
        Migration::Plan(args) => context.interruptible(plan(context, args)).await,
        Migration::Start(args) => start(context, args).await,
        Migration::Skip(args) => context.interruptible(skip(context, args)).await,
        Migration::Settle(args) => context.interruptible(settle(context, args)).await,
        Migration::Schema => {
            let schema = corridor_migration::definition::json_schema();
            let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
            context.output.data(&text)?;
            Ok(DONE)
        }
    }
}

/// Reads a file; the fault names it.
fn read(path: &Path) -> Result<Definition> {
    /// A file that a person writes is not longer; something else was meant.
    const FILE_BYTES_MAX: u64 = 1 << 20;
    let unreadable = |why: String| Fault::new(&USAGE, format!("{}: {why}", path.display()));
    let size = std::fs::metadata(path)
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(unreadable(format!("{size} bytes; at most {FILE_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    file::read(&path.display().to_string(), &text)
}

/// Reads all of them; the fault names what is wrong in each.
fn read_all(paths: &[PathBuf]) -> Result<Vec<Definition>> {
    let (mut definitions, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        match read(path) {
            Ok(definition) => definitions.push(definition),
            Err(fault) => faults.push(fault),
        }
    }
    match (faults.len(), faults.first()) {
        (0, _) | (_, None) => Ok(definitions),
        (1, _) => Err(faults.remove(0)),
        (_, Some(first)) => {
            let told: Vec<String> = faults
                .iter()
                .map(|fault| format!("{}: {}", fault.code().id, fault.detail()))
                .collect();
            let words = format!("{} files with mistakes:\n{}", told.len(), told.join("\n"));
            Err(Fault::new(first.code(), words))
        }
    }
}

#[derive(Serialize)]
struct AddedDocument {
    added: Vec<AddedOne>,
}

#[derive(Serialize)]
struct AddedOne {
    name: Name,
    what: Added,
}

async fn add(context: &Context, args: &MigrationAdd) -> Result<u8> {
    let definitions = read_all(&args.files)?;
    let mover = TableMover::of(context)?;
    for definition in &definitions {
        mover.check_all(definition)?;
    }
    let mut session = context.session("-").await?;
    schema::ensure(&mut session).await?;
    let stored = shelf::standings(&*session).await?;
    let names = stored.iter().map(|one| one.name.to_string()).collect();
    let mut ordered = Vec::new();
    for place in corridor_migration::definition::graph::order(&definitions, &names)? {
        ordered.push(definitions[place].clone());
    }
    let by = this_process(context.connect_options()?.user());
    let added = shelf::add(&mut session, &ordered, &by).await?;
    if context.output.is_json() {
        let added = added
            .into_iter()
            .map(|(name, what)| AddedOne { name, what })
            .collect();
        context.output.document(&AddedDocument { added })?;
    } else {
        context.output.data(&shown::added(&added))?;
    }
    Ok(DONE)
}

#[derive(Serialize)]
struct ListDocument<'a> {
    migrations: &'a [Row],
}

async fn list(context: &Context) -> Result<u8> {
    let mut session = context.session("-").await?;
    let rows = rows(&mut session).await?;
    if context.output.is_json() {
        context.output.document(&ListDocument { migrations: &rows })?;
    } else {
        let is_wide = context.output.is_piped();
        context.output.data(&shown::list(&rows, is_wide))?;
    }
    Ok(DONE)
}

async fn show(context: &Context, args: &MigrationNamed) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    let session = context.session_for(&name).await?;
    let (_, plan) = shelf::read(&*session, &name).await?;
    if context.output.is_json() {
        context.output.document(&plan)?;
    } else {
        context.output.data(&shown::definition(&plan.definition))?;
    }
    Ok(DONE)
}

fn parameters(set: &[String]) -> Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for text in set {
        let (key, value) = assignment(text)?;
        parameters.insert(key.to_owned(), value.to_owned());
    }
    Ok(parameters)
}

fn version(text: Option<&str>) -> Result<Option<Version>> {
    text.map(corridor_migration::definition::versions::app_version)
        .transpose()
}

#[derive(Serialize)]
struct PlanDocument<'a> {
    name: &'a Name,
    required: readiness::Answer,
    obstacles: Vec<readiness::Obstacle>,
    /// What would be in the way of a later operation, unless one before it changes that.
    foreseen: Vec<readiness::Obstacle>,
    plan: &'a data::DataPlan,
}

fn obstacle(fault: &Fault) -> readiness::Obstacle {
    readiness::Obstacle {
        code: fault.code().id,
        words: fault.detail().to_owned(),
    }
}

/// What a start would do, and what stands in its way. Changes nothing.
async fn plan(context: &Context, args: &MigrationStart) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    let mut session = context.session_for(&name).await?;
    schema::ensure(&mut session).await?;
    let (_, stored) = shelf::read(&*session, &name).await?;
    let bound = shelf::bind(&stored, &parameters(&args.set)?)?;
    let definition = bound.worked();
    let standings = shelf::standings(&*session).await?;
    let required = readiness::is_required(&mut session, definition).await?;
    let app_version = version(args.app_version.as_deref())?;
    let mut faults = readiness::obstacles(&mut session, definition, &standings, app_version.as_ref()).await?;
    let mover = TableMover::of(context)?;
    let mut foreseen = Vec::new();
    for one in readiness::foreseen(&mut session, Some(&mover), name.as_str(), definition).await? {
        match one.is_certain {
            true => faults.push(one.fault),
            false => foreseen.push(one.fault),
        }
    }
    if context.output.is_json() {
        let told = |faults: &[Fault]| faults.iter().map(obstacle).collect();
        context.output.document(&PlanDocument {
            name: &name,
            required,
            obstacles: told(&faults),
            foreseen: told(&foreseen),
            plan: &bound,
        })?;
    } else {
        let settings: Vec<(&str, &str)> = bound
            .parameters
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        context
            .output
            .data(&shown::plan(definition, &settings, &required, &faults, &foreseen))?;
    }
    Ok(match faults.first() {
        Some(fault) => fault.code().exit.code(),
        None => DONE,
    })
}

async fn start(context: &Context, args: &MigrationStart) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    let parameters = parameters(&args.set)?;
    let app_version = version(args.app_version.as_deref())?;
    let mut session = context.session_for(&name).await?;
    schema::ensure(&mut session).await?;
    let (migration, plan) = shelf::read(&*session, &name).await?;
    if matches!(migration.state, State::RolledBack | State::Stopped) {
        let by = this_process(context.connect_options()?.user());
        shelf::add(&mut session, &[plan.definition], &by).await?;
    }
    if args.detach {
        // What cannot be bound is refused now, not by a service at night.
        let (migration, plan) = shelf::read(&*session, &name).await?;
        shelf::bind(&plan, &parameters)?;
        let argument = serde_json::json!({ "parameters": parameters, "why": args.why.why });
        return super::detach(context, &session, &migration, &argument).await;
    }
    drop(session);
    let order = (Order::Start, args.why.why.as_str());
    carry_with(context, &name, order, &parameters, app_version.as_ref()).await
}

/// Carries an order out, shows what is said meanwhile, and then what came of it.
pub(crate) async fn carry(context: &Context, name: &Name, order: (Order, &str)) -> Result<u8> {
    carry_with(context, name, order, &BTreeMap::new(), None).await
}

async fn carry_with(
    context: &Context,
    name: &Name,
    (order, why): (Order, &str),
    parameters: &BTreeMap<String, String>,
    app_version: Option<&Version>,
) -> Result<u8> {
    let connect = context.connect_options()?;
    let mover = TableMover::of(context)?;
    let farewell = outcome::Farewell::begin(context);
    let call = data::Call {
        connect: &connect,
        name,
        order,
        asked: None,
        why,
        parameters,
        app_version,
        mover: Some(&mover),
        listener: Arc::new(Ear::new(&context.output)),
        interrupt: context.interrupt.watch(),
    };
    let outcome = data::carry_out(&call).await;
    farewell.end();
    let outcome = outcome?;
    let exit = exit_code(order, &outcome, context.interrupt.code());
    outcome::show_data(&context.output, name, &outcome, exit)?;
    Ok(exit)
}

/// 0 when it came to what was asked for; 5 when a person must say more; 1 when it ended elsewhere.
fn exit_code(order: Order, outcome: &Outcome, interrupted: u8) -> u8 {
    use corridor_pg::Exit::{BadResult, NotFinished};
    match (order, outcome) {
        (_, Outcome::Interrupted) => interrupted,
        (Order::Start | Order::Resume | Order::Finish { .. }, Outcome::Ended(State::Finished))
        | (Order::Rollback, Outcome::Ended(State::RolledBack))
        | (Order::Stop, Outcome::Ended(State::Stopped))
        | (Order::Pause, Outcome::Paused { .. }) => DONE,
        (_, Outcome::Waits(_) | Outcome::Paused { .. }) => NotFinished.code(),
        (_, Outcome::Ended(_)) => BadResult.code(),
    }
}

async fn skip(context: &Context, args: &MigrationSkip) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    if args.reason.trim().is_empty() {
        return Err(Fault::new(
            &USAGE,
            "--reason needs words: whoever comes later wants to know",
        ));
    }
    let connect = context.connect_options()?;
    data::with_short_lease(&connect, &name, async |session, lease, by| {
        shelf::skip(session, lease, by, &args.reason).await
    })
    .await?;
    say(context, &name, "skipped").await
}

async fn settle(context: &Context, args: &MigrationSettle) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    let connect = context.connect_options()?;
    data::with_short_lease(&connect, &name, async |session, lease, by| {
        shelf::settle(session, lease, &args.operation, args.done, (by, &args.why.why)).await
    })
    .await?;
    let how = if args.done {
        "settled: done"
    } else {
        "settled: it is done again"
    };
    say(context, &name, how).await
}

#[derive(Serialize)]
struct SaidDocument<'a> {
    name: &'a Name,
    what: &'a str,
    state: State,
}

async fn say(context: &Context, name: &Name, what: &str) -> Result<u8> {
    let session = context.session_for(name).await?;
    let state = store::load(&*session, name).await?.state;
    if context.output.is_json() {
        context.output.document(&SaidDocument { name, what, state })?;
    } else {
        context.output.data(&format!("{name}: {what}"))?;
    }
    Ok(DONE)
}
