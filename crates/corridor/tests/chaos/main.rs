//! Chaos: lives of a move, each drawn from a seed, in which everything goes wrong that can be arranged.
//!
//! A life: a table that is drawn ([`scene`]), traffic on it that keeps a ledger, the real binary as its worker, faults
//! that strike at drawn instants ([`fault`]), and a pilot that does what a patient person does: looks at the state, and
//! gives the next order ([`life`]). In the end everything is compared ([`verdict`]).
//!
//! Run by `script/chaos`. A plain `cargo test` runs a few lives with fixed seeds.

#![allow(clippy::print_stdout, clippy::print_stderr)] // a program of its own, which reports to a person

mod disk;
mod fate;
mod fault;
mod ground;
mod hand;
mod life;
mod options;
mod scene;
mod strike;
mod tally;
mod verdict;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use options::Options;
use tally::{Report, Tally};

/// Errors here end the life, or the run, and are shown.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        // What a test runner asks for: there is no list of tests in here.
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("chaos: {why}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(async {
            tokio::select! {
                outcome = run(&options) => outcome,
                // Dropping what runs ends the cluster and unmounts the disk.
                () = interrupted() => Err("interrupted".into()),
            }
        }),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(tally) if tally.failed.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C, or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => std::future::pending().await,
    }
}

async fn run(options: &Options) -> Result<Tally> {
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut ground = Some(ground::Ground::prepare(options).await?);
    println!(
        "chaos: PostgreSQL {}, seed {}; {}",
        options.major,
        options.seed,
        ground.as_ref().map(ground::Ground::means).unwrap_or_default()
    );
    let mut is_worn = false;
    for seed in options.life_seeds() {
        if std::mem::take(&mut is_worn) {
            // Away with the old one first: both would have the same directory.
            ground = None;
        }
        let is_over = started.elapsed() >= Duration::from_secs_f64(options.minutes * 60.0);
        if is_over && options.is_bounded_by_time() {
            break;
        }
        let ground = match &mut ground {
            Some(ground) => ground,
            none => none.insert(ground::Ground::prepare(options).await?),
        };
        let report = life::live(ground, seed, options).await;
        let report = report.unwrap_or_else(|error| {
            is_worn = true;
            Report::of_an_error(seed, error.to_string())
        });
        println!("{report}");
        tally.add(report);
        if tally.failed.len() >= options.failures_max {
            println!("chaos: {} lives failed: enough", tally.failed.len());
            break;
        }
    }
    println!("{}", tally.summary(started.elapsed()));
    Ok(tally)
}
