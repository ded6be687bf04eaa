//! A program on the machine of the worker.

use std::collections::VecDeque;
use std::process::Stdio;
use std::time::Duration;

use corridor_pg::Fault;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;

use super::{Hands, survivor, time};
use crate::data::attempt::{End, Place};
use crate::data::deck::{Halt, Step};
use crate::data::fault::{COMMAND_FAILED, OUTCOME_UNKNOWN};
use crate::definition::{Command, Repeat};

/// The longest that a program may run, unless the file says otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60 * 60);
/// Between two looks whether a program that outlives its worker has ended.
const SURVIVOR_INTERVAL: Duration = Duration::from_millis(500);
/// How much of the end of its output is kept.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

pub(super) async fn carry_out(hands: &mut Hands<'_>, command: &Command) -> Step<()> {
    run(hands, command, &command.command, false).await?;
    hands.done().await
}

pub(super) async fn take_back(hands: &mut Hands<'_>, command: &Command) -> Step<()> {
    wait_for_survivors(hands, false).await?;
    if let Some(back) = command.rollback.as_ref().filter(|back| !back.is_empty()) {
        run(hands, command, back, true).await?;
    }
    hands.undone().await
}

/// Refuses to do a second time what may have been done; `true` when a person has said that it was done.
pub(super) async fn is_settled(hands: &mut Hands<'_>, repeat: Repeat, is_rollback: bool) -> Step<bool> {
    let (lease, operation) = (&hands.deck.lease, hands.operation);
    let place = Place {
        lease,
        operation,
        is_rollback,
    };
    let session = hands.session().await?;
    let Some(newest) = place.newest(&**session).await? else {
        return Ok(false);
    };
    match newest.outcome.as_deref() {
        Some("done" | "settled_done") => Ok(true),
        None if repeat == Repeat::Ask => {
            let detail = format!("{operation}, begun by {}", newest.worker);
            Err(Fault::new(&OUTCOME_UNKNOWN, detail).into())
        }
        None => {
            let why = json!({ "why": "its worker went away; it may be done twice" });
            place.end_alone(session, newest.number, End::Lost, &why).await?;
            Ok(false)
        }
        Some(_) => Ok(false),
    }
}

/// What a worker before this one began on this machine may still run: two of them at once would be worse than none.
async fn wait_for_survivors(hands: &mut Hands<'_>, is_rollback: bool) -> Step<()> {
    let (deck, operation) = (hands.deck, hands.operation);
    let place = Place {
        lease: &deck.lease,
        operation,
        is_rollback,
    };
    let session = hands.session().await?;
    let Some(newest) = place
        .newest(&**session)
        .await?
        .filter(|newest| newest.outcome.is_none())
    else {
        return Ok(());
    };
    let mut has_said = false;
    loop {
        let survivors = survivor::of(&newest.tag);
        let Some(pid) = survivors.first() else {
            return Ok(());
        };
        if !has_said {
            has_said = true;
            let worker = &newest.worker;
            deck.step(format!(
                "{operation}: waiting for process {pid}, which {worker} began"
            ));
        }
        deck.pause(SURVIVOR_INTERVAL).await?;
    }
}

async fn run(hands: &mut Hands<'_>, command: &Command, words: &[String], is_rollback: bool) -> Step<()> {
    wait_for_survivors(hands, is_rollback).await?;
    if is_settled(hands, command.repeat, is_rollback).await? {
        return Ok(());
    }
    let (deck, operation) = (hands.deck, hands.operation);
    let place = Place {
        lease: &deck.lease,
        operation,
        is_rollback,
    };
    let session = hands.session().await?;
    let (number, tag) = place.begin(session, None, &[]).await?;
    deck.step(format!(
        "{operation}: running {}",
        words.first().map_or("", String::as_str)
    ));
    let ended = execute(
        hands,
        words,
        &tag,
        time(command.timeout.as_deref(), TIMEOUT_DEFAULT),
    )
    .await;
    let (result, end, detail) = match ended {
        Ok(Ended {
            output,
            is_success: true,
            what,
        }) => (Ok(()), End::Done, json!({ "exit": what, "output": output })),
        Ok(Ended { output, what, .. }) => {
            let detail = json!({ "exit": what, "output": output });
            let words = format!("{operation}: {what}: {}", output.trim_end());
            (
                Err(Halt::from(Fault::new(&COMMAND_FAILED, words))),
                End::Failed,
                detail,
            )
        }
        Err(Halt::Turn) => (
            Err(Halt::Turn),
            End::Failed,
            json!({ "exit": "killed: something else was asked for" }),
        ),
        Err(Halt::Fault(fault)) => {
            let detail = json!({ "why": fault.to_string() });
            (Err(Halt::Fault(fault)), End::Failed, detail)
        }
    };
    let session = hands.session().await?;
    place.end_alone(session, number, end, &detail).await?;
    result
}

struct Ended {
    is_success: bool,
    what: String,
    output: String,
}

/// Runs it to its end, its timeout, or until something else is to be done; then it is killed.
async fn execute(hands: &Hands<'_>, words: &[String], tag: &str, timeout: Duration) -> Step<Ended> {
    let deck = hands.deck;
    let cannot = |error: std::io::Error| {
        let what = words.first().map_or("", String::as_str);
        Fault::new(
            &COMMAND_FAILED,
            format!("{}: starting {what}: {error}", hands.operation),
        )
    };
    let Some((program, arguments)) = words.split_first() else {
        return Err(Fault::new(&COMMAND_FAILED, "no program is named").into());
    };
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .env("CORRIDOR_MIGRATION", &deck.name)
        .env("CORRIDOR_OPERATION", hands.operation)
        .env(survivor::VARIABLE, tag)
        .env("CORRIDOR_DATABASE", deck.connect.dbname())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What it begins ends with it.
        .process_group(0)
        .kill_on_drop(true);
    for (name, value) in &deck.plan.parameters {
        command.env(format!("CORRIDOR_PARAMETER_{}", name.to_uppercase()), value);
    }
    deck.rest();
    let mut child = command.spawn().map_err(cannot)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reading = tokio::spawn(async move { tokio::join!(tail(stdout), tail(stderr)) });
    let waited = tokio::select! {
        status = child.wait() => Ok(Some(status)),
        () = tokio::time::sleep(timeout) => Ok(None),
        () = deck.halted() => Err(Halt::Turn),
    };
    let (is_success, what) = match waited {
        Err(halt) => {
            kill(&mut child).await;
            return Err(halt);
        }
        Ok(None) => {
            kill(&mut child).await;
            (false, format!("killed after {} s", timeout.as_secs()))
        }
        Ok(Some(Err(error))) => return Err(cannot(error).into()),
        Ok(Some(Ok(status))) => (status.success(), status.to_string()),
    };
    // A child of the program may keep the pipe open for ever.
    let output = tokio::time::timeout(Duration::from_secs(2), reading).await;
    let output = match output {
        Ok(Ok((mut out, err))) => {
            out.push_str(&err);
            out
        }
        _ => String::new(),
    };
    Ok(Ended {
        is_success,
        what,
        output,
    })
}

async fn kill(child: &mut Child) {
    let group = child
        .id()
        .and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
    if let Some(group) = group {
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    if let Err(error) = child.kill().await {
        tracing::warn!(%error, "a program of a migration was not killed");
    }
}

/// The end of what is written.
async fn tail(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else {
        return String::new();
    };
    let mut kept: VecDeque<u8> = VecDeque::new();
    let mut buffer = [0u8; 4_096];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        kept.extend(&buffer[..read]);
        let over = kept.len().saturating_sub(OUTPUT_BYTES_MAX);
        kept.drain(..over);
    }
    let bytes: Vec<u8> = kept.into();
    String::from_utf8_lossy(&bytes).replace('\0', "")
}
