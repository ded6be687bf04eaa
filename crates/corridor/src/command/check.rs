//! `corridor check`: which limits come near, and the way out. Reads only.

use corridor_limits::apply;
use corridor_limits::check::{self, NAMES, Report};
use corridor_limits::exposition;
use corridor_limits::fault::{CODES, NOT_APPLICABLE};
use corridor_limits::probe::Scope;
use corridor_limits::sample::store;
use corridor_limits::{Finding, Severity};
use corridor_pg::near::{did_you_mean, near};
use corridor_pg::{Fault, Result, catalog};

use super::{Context, DONE};
use crate::args;
use crate::fault::USAGE;
use crate::output::check::{
    CheckDocument, PlanDocument, applied, long, nagios, nagios_unknown, remedy, short,
};

/// How long reading the history may take.
const HISTORY_MS: u32 = 1_000;
/// And wait for a lock on it.
const HISTORY_LOCK_MS: u32 = 50;
/// Something was found.
const FOUND: u8 = 1;

/// Checks, and says what was found, worst first. A monitoring plugin that could not look says so in its one line: the
/// exit codes of faults mean something else to who called it (2 would be *critical*).
pub(crate) async fn run(context: &Context, args: &args::Check) -> Result<u8> {
    match looked(context, args).await {
        Err(fault) if args.nagios => {
            let (line, code) = nagios_unknown(&fault);
            context.output.data(&line)?;
            Ok(code)
        }
        outcome => outcome,
    }
}

async fn looked(context: &Context, args: &args::Check) -> Result<u8> {
    if args.alert_rules {
        context.output.data(exposition::alert_rules(CODES).trim_end())?;
        return Ok(DONE);
    }
    if args.dashboard {
        let dashboard = exposition::dashboard(&check::metrics());
        context.output.data(dashboard.trim_end())?;
        return Ok(DONE);
    }
    known(&args.only)?;
    let session = context.session("check").await?;
    let table = match &args.table {
        Some(text) => {
            let (_, name) = catalog::resolve(&*session, text).await?;
            Some((name.schema.as_str().to_owned(), name.name.as_str().to_owned()))
        }
        None => None,
    };
    let scope = Scope {
        table,
        seed: fastrand::u64(..),
        disk_path: args.disk_path.clone(),
        disk_size_bytes: args.disk_size,
    };
    // A history that is locked or slow to read is left out.
    session.set_timeouts(HISTORY_LOCK_MS, HISTORY_MS).await?;
    let (past, unread) = store::load(&session, &check::metrics()).await?;
    let mut report = check::run(session, &scope, &args.only, &past).await?;
    // A monitoring plugin that knows no days left still knows all else.
    if !args.nagios {
        report.degraded.extend(unread);
    }
    let output = &context.output;
    if let Some(code) = &args.apply {
        return apply(context, args, code, &report).await;
    }
    if args.openmetrics {
        output.data(exposition::openmetrics(&report).trim_end())?;
        return Ok(DONE);
    }
    if args.nagios {
        let (line, code) = nagios(&report);
        output.data(&line)?;
        return Ok(code);
    }
    if output.is_json() {
        output.document(&CheckDocument { report: &report })?;
    } else if args.long || args.table.is_some() {
        output.data(&long(&report))?;
    } else {
        output.data(&short(&report))?;
    }
    let is_found = report.findings.iter().any(|f| f.severity > Severity::Notice);
    Ok(if is_found { FOUND } else { DONE })
}

/// All of them are names of probes, or `CLI-001`.
pub(super) fn known(only: &[String]) -> Result<()> {
    for name in only {
        if !NAMES.contains(&name.as_str()) {
            let near = did_you_mean(&near(name, NAMES.iter().copied()));
            let why = format!(
                "no probe is called {name:?}{near}; there are {}",
                NAMES.join(", ")
            );
            return Err(Fault::new(&USAGE, why));
        }
    }
    Ok(())
}

/// Plans the way out of one finding; with `--execute`, does it.
async fn apply(context: &Context, args: &args::Check, code: &str, report: &Report) -> Result<u8> {
    let Some(code) = crate::fault::find(code) else {
        return Err(crate::fault::no_such_code(code));
    };
    let mut of_code: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.code.id == code.id)
        .collect();
    // Of several databases, only this session's own has tables that it can vacuum.
    let is_one = of_code
        .iter()
        .filter(|finding| !finding.remedies.is_empty())
        .count()
        == 1;
    if is_one {
        of_code.retain(|finding| !finding.remedies.is_empty());
    }
    let finding = match of_code.as_slice() {
        [finding] => *finding,
        [] => {
            let why = format!("{}: nothing of that kind is found now", code.id);
            return Err(Fault::new(&NOT_APPLICABLE, why));
        }
        many => {
            let objects: Vec<&str> = many.iter().map(|finding| finding.object.as_str()).collect();
            let why = format!(
                "{} is found for {}; say which with --table",
                code.id,
                objects.join(", ")
            );
            return Err(Fault::new(&NOT_APPLICABLE, why));
        }
    };
    let plan = apply::plan(finding, args.way.as_deref())?;
    let output = &context.output;
    if !args.execute {
        if output.is_json() {
            output.document(&PlanDocument {
                plan: &plan,
                effect: None,
            })?;
        } else {
            output.data(&remedy(&plan, true))?;
        }
        return Ok(DONE);
    }
    if !output.is_json() {
        output.note(&remedy(&plan, false));
    }
    let effect = apply::execute(&context.connect_options()?, &plan, |news| output.note(news)).await?;
    if output.is_json() {
        let effect = Some(&effect);
        output.document(&PlanDocument { plan: &plan, effect })?;
    } else {
        output.data(&applied(&effect))?;
    }
    Ok(DONE)
}
