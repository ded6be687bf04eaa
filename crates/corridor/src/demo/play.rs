//! The course of the demo, from the cluster to the last comparison.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_pg::Fault;
use corridor_testbed::toast::{Hold, ToastRun};
use corridor_testbed::traffic::Traffic;

use super::board::{Board, legend};
use super::figures::{Figures, Measuring, Phase};
use super::passage::{Ear, SETTINGS, carry, command, finish};
use super::report::{BUFFERS_DOC, Document, Kept};
use super::stage::{APPLICATION, Stage, TABLE};
use super::verdict::{BACK_WITHIN, Evidence, is_back, judge};
use super::{Args, Halt};
use crate::command::{Context, DONE};
use crate::fault::DEMO;
use crate::interrupt::Interrupt;
use crate::output::number::{grouped, millis};

/// Time that the application gets before it is measured: connections, plans, caches.
const WARM_UP: Duration = Duration::from_secs(2);
/// Behind the cut-over every session plans its statements anew, and compiles the way back's triggers for each of 16
/// partitions. That is over after some writes to each.
const SETTLING: Duration = Duration::from_secs(4);
/// The phase behind the cut-over is measured again until it is healthy, for at most this long; the last time counts.
const AFTER_MAX: Duration = Duration::from_secs(30);

/// Everybody who takes part.
struct Company<'a> {
    interrupt: &'a Interrupt,
    board: Board,
    ear: Arc<Ear>,
    stage: Stage,
    seconds: Duration,
}

/// What happened, to be judged.
struct Course {
    phases: [Figures; 4],
    is_held: bool,
    after_measured: u32,
    errors: u64,
    move_ms: u64,
    migration: String,
}

/// Plays it all.
pub(super) async fn play(context: &Context, args: &Args) -> Result<Document, Halt> {
    let started = Instant::now();
    let ear = Arc::new(Ear::default());
    let mut board = Board::start(&context.output, &ear);
    board.begin("starting a throwaway cluster");
    let set_up = Stage::set_up(args.major, args.rows);
    let stage = board.beside(None, Some(&context.interrupt), set_up).await??;
    let mut company = Company {
        interrupt: &context.interrupt,
        board,
        ear,
        stage,
        seconds: Duration::from_secs(args.seconds),
    };
    let mut document = match company.all(args).await {
        Err(Halt::Fault(fault)) if args.keep => {
            // Somebody wants to look at it.
            let place = company.stage.keep()?;
            company
                .board
                .note(&format!("the cluster is left up: {}", place.url));
            for command in place.stop {
                company.board.note(&format!("to end it: {command}"));
            }
            return Err(Halt::Fault(fault));
        }
        other => other?,
    };
    document.elapsed_ms = elapsed_ms(started);
    Ok(document)
}

impl Company<'_> {
    async fn all(&mut self, args: &Args) -> Result<Document, Halt> {
        let run = self.prepare(args).await?;
        let traffic = self.stage.open().await?;
        let course = self.incident(&traffic, &run).await?;
        self.settle(args, traffic, run, course).await
    }

    /// Waits for what may be left at any moment.
    async fn wait(&mut self, traffic: &Traffic, time: Duration) -> Result<(), Halt> {
        let sleep = tokio::time::sleep(time);
        self.board
            .beside(Some(traffic), Some(self.interrupt), sleep)
            .await
    }

    async fn prepare(&mut self, args: &Args) -> Result<ToastRun, Halt> {
        let (board, stage, interrupt) = (&mut self.board, &self.stage, Some(self.interrupt));
        board.note(&format!("PostgreSQL {}, {}", stage.cluster.major(), stage.url()));
        board.begin(&format!("filling {TABLE} with {} rows", grouped(args.rows)));
        board.beside(None, interrupt, stage.make_table()).await??;
        board.begin("using up ids in its TOAST relation");
        let run = board.beside(None, interrupt, stage.use_ids_up()).await??;
        board.note(&format!(
            "{} ids in a row are used up, from {} on; the counter is behind them",
            grouped(u64::from(run.ids())),
            run.first_id
        ));
        if !stage.can_hold {
            board.note(
                "The server's memory cannot be reached on this system: the ids are walked through once, and the \
                 incident is over in some seconds.",
            );
        }
        Ok(run)
    }

    async fn incident(&mut self, traffic: &Traffic, run: &ToastRun) -> Result<Course, Halt> {
        self.board.begin(&format!(
            "{} clients begin to read and write, {} times a second",
            APPLICATION.clients,
            grouped(APPLICATION.wanted_per_s as u64)
        ));
        self.board.note(&legend());
        self.wait(traffic, WARM_UP).await?;
        let before = self
            .phase(Phase::Before, "all is well", traffic, self.seconds)
            .await?;

        self.board
            .begin("the counter comes to the used ids (pg_resetwal -o); the server restarts for that");
        let hold = self.bring_about(traffic, run).await?;
        let stood = Instant::now() + Duration::from_secs(1);
        let during = self
            .phase(Phase::During, "the ids have run out", traffic, self.seconds)
            .await?;
        let (moving, move_ms, migration) = self.moving(traffic).await?;
        let is_held = hold.is_some();
        if let Some(hold) = hold {
            self.stage.release(run, hold)?;
        }
        let (after, after_measured) = self.after(traffic, &before).await?;
        let is_held = is_held && self.stage.is_among_used(run)?;
        Ok(Course {
            phases: [before, during, moving, after],
            is_held,
            after_measured,
            errors: traffic.summary(stood, Instant::now()).errors,
            move_ms,
            migration,
        })
    }

    async fn bring_about(&mut self, traffic: &Traffic, run: &ToastRun) -> Result<Option<Hold>, Halt> {
        let begin = self.stage.bring_about(run);
        let hold = self
            .board
            .beside(Some(traffic), Some(self.interrupt), begin)
            .await??;
        let again = traffic.wait_for_writes(traffic.snapshot().writes + APPLICATION.clients);
        self.board
            .beside(Some(traffic), Some(self.interrupt), again)
            .await?;
        Ok(hold)
    }

    async fn phase(
        &mut self,
        phase: Phase,
        what: &str,
        traffic: &Traffic,
        time: Duration,
    ) -> Result<Figures, Halt> {
        self.board.begin_phase(phase, what);
        self.measure(phase, traffic, time).await
    }

    async fn measure(&mut self, phase: Phase, traffic: &Traffic, time: Duration) -> Result<Figures, Halt> {
        let measuring = Measuring::begin(phase, &self.stage).await?;
        self.wait(traffic, time).await?;
        measuring.end(&self.stage, traffic).await
    }

    async fn moving(&mut self, traffic: &Traffic) -> Result<(Figures, u64, String), Halt> {
        self.board.begin_phase(Phase::Moving, &command());
        for setting in SETTINGS {
            self.board.note(&format!("{}: {}", setting.set, setting.why));
        }
        let measuring = Measuring::begin(Phase::Moving, &self.stage).await?;
        let begun = Instant::now();
        let ear = Arc::clone(&self.ear);
        // On a thread of its own: the worker must not wait for a terminal that does not take what is drawn.
        let (url, interrupt) = (self.stage.url(), self.interrupt.watch());
        let runtime = tokio::runtime::Handle::current();
        let carried = tokio::task::spawn_blocking(move || runtime.block_on(carry(url, ear, interrupt)));
        let carried = self.board.beside(Some(traffic), None, carried).await?;
        let carried = carried.map_err(|error| {
            Fault::new(&DEMO, format!("the task of the move ended badly: {error}")).caused_by(error)
        })?;
        let migration = carried?.ok_or(Halt::Interrupted)?;
        let figures = measuring.end(&self.stage, traffic).await?;
        Ok((figures, elapsed_ms(begun), migration))
    }

    async fn after(&mut self, traffic: &Traffic, before: &Figures) -> Result<(Figures, u32), Halt> {
        let what = "the table has partitions; the ids are as used up as they were";
        self.board.begin_phase(Phase::After, what);
        self.wait(traffic, SETTLING).await?;
        let mut figures = self.measure(Phase::After, traffic, self.seconds).await?;
        let mut measured = 1;
        while !is_back(&before.summary, &figures.summary) && self.seconds * (measured + 1) <= AFTER_MAX {
            let (p99, limit) = (
                figures.summary.write_p99_ms,
                before.summary.write_p99_ms * BACK_WITHIN,
            );
            self.board.note(&format!(
                "p99 {}, which is above twice the healthy one, {}; measured again",
                millis(p99),
                millis(limit)
            ));
            figures = self.measure(Phase::After, traffic, self.seconds).await?;
            measured += 1;
        }
        Ok((figures, measured))
    }

    async fn settle(
        &mut self,
        args: &Args,
        traffic: Traffic,
        run: ToastRun,
        course: Course,
    ) -> Result<Document, Halt> {
        let (board, stage, interrupt) = (&mut self.board, &self.stage, Some(self.interrupt));
        board.begin("the application stops; looking for every write that was acknowledged");
        let curve = board.curve();
        let ledger = board.beside(None, interrupt, traffic.stop()).await??;
        let url = stage.url();
        let compare = ledger.compare(&url, TABLE);
        let comparison = board.beside(None, interrupt, compare).await??;
        let kept = match args.keep {
            true => Some(Kept {
                migration: course.migration,
                place: stage.keep()?,
            }),
            false => {
                board.begin(&format!("corridor finish {} --drop", course.migration));
                let finished = finish(url, course.migration, self.interrupt.watch());
                board.beside(None, None, finished).await??;
                None
            }
        };
        let story = self.ear.story();
        let [before, during, _, after] = &course.phases;
        let claims = judge(&Evidence {
            acknowledged_writes: ledger.acknowledged_writes(),
            comparison: &comparison,
            errors: course.errors,
            first_error: None,
            verification: story.verification.as_ref(),
            swap: story.swap,
            is_held: course.is_held,
            before: &before.summary,
            during: &during.summary,
            after: &after.summary,
        });
        let is_proven = claims.iter().all(|claim| claim.holds);
        Ok(Document {
            is_proven,
            exit: if is_proven {
                DONE
            } else {
                corridor_pg::Exit::BadResult.code()
            },
            claims,
            postgres_major: stage.cluster.major(),
            rows: args.rows,
            application: APPLICATION,
            incident: run,
            is_incident_held: course.is_held,
            command: command(),
            settings: SETTINGS,
            move_ms: course.move_ms,
            phases: course.phases.to_vec(),
            after_measured: course.after_measured,
            buffers_per_write_is: BUFFERS_DOC,
            latency_by_second_ms: curve,
            cutover: story.swap,
            verification: story.verification.clone(),
            acknowledged_writes: ledger.acknowledged_writes(),
            errors: course.errors,
            comparison,
            elapsed_ms: 0,
            kept,
        })
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
