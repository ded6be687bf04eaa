//! The course of the demo, from the cluster to the last comparison.

use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_pg::Fault;
use corridor_testbed::toast::{Hold, ToastRun};
use corridor_testbed::traffic::Traffic;

use super::board::{Board, legend};
use super::diagnosis::{Diagnosis, diagnose, followed, named, relieve};
use super::figures::{Figures, Measuring, Phase};
use super::passage::{Ear, OpenSetting, SETTINGS, carry, command, connect_url, finish, words};
use super::report::{BUFFERS_DOC, Document, Kept};
use super::stage::{APPLICATION, Stage, TABLE};
use super::verdict::{BACK_WITHIN, Evidence, is_back, judge};
use super::{Args, Halt, Way};
use crate::command::{Context, DONE};
use crate::fault::DEMO;
use crate::interrupt::Interrupt;
use crate::output::number::{grouped, millis};
use crate::serve::beside::Beside;

/// Of the console.
const ACCOUNT: &str = "demo";
/// Time that the application gets before it is measured: connections, plans, caches.
const WARM_UP: Duration = Duration::from_secs(2);
/// A quick way out is measured for half of a phase, and for so long at least.
const RELIEF_MIN: Duration = Duration::from_secs(2);
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
    rows: u64,
    /// The only one; `None`: what is recommended, and then what lasts.
    way: Option<Way>,
}

/// The way out, taken.
struct Passage {
    figures: Figures,
    took_ms: u64,
    /// Of a move.
    migration: Option<String>,
}

/// What happened, to be judged.
struct Course {
    before: Figures,
    during: Figures,
    relief: Option<(Way, Figures)>,
    moving: Option<Figures>,
    after: Figures,
    is_held: bool,
    after_measured: u32,
    errors: u64,
    move_ms: u64,
    migration: Option<String>,
    diagnosis: Option<Diagnosis>,
}

/// What came of it, and the console when it stays.
pub(super) async fn play(
    context: &Context,
    args: &Args,
    rows: u64,
) -> Result<(Document, Option<Beside>), Halt> {
    let started = Instant::now();
    let ear = Arc::new(Ear::default());
    let mut board = Board::start(&context.output, &ear);
    board.begin("starting a throwaway cluster");
    let set_up = Stage::set_up(args.major, rows);
    let stage = board.beside(None, Some(&context.interrupt), set_up).await??;
    let mut company = Company {
        interrupt: &context.interrupt,
        board,
        ear,
        stage,
        seconds: Duration::from_secs(args.seconds),
        rows,
        way: args.remedy,
    };
    let console = match args.console {
        true => Some(company.console().await?),
        false => None,
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
    match console {
        Some(console) if !args.keep => {
            console.leave().await;
            Ok((document, None))
        }
        console => Ok((document, console)),
    }
}

impl Company<'_> {
    /// The console over the cluster, and how to come in.
    async fn console(&mut self) -> Result<Beside, Halt> {
        let connect = connect_url(&self.stage.url());
        let console = Beside::start(self.interrupt, &connect).await?;
        let password = console.invite(ACCOUNT).await?;
        let address = console.address();
        self.board
            .note(&format!("console: http://{address} {ACCOUNT} / {password}"));
        Ok(console)
    }

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
        board.begin(&format!("filling {TABLE} with {} rows", grouped(self.rows)));
        board.beside(None, interrupt, stage.make_table()).await??;
        board.begin("using up ids in its TOAST relation");
        let run = board
            .beside(None, interrupt, stage.use_ids_up(args.seconds))
            .await??;
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
        let diagnosis = self.diagnosis(traffic).await?;
        let is_held = hold.is_some();
        let mut hold = hold;
        let quick = self.quick(diagnosis.as_ref(), is_held)?;
        // A counter that is put back whenever it has left the run cannot be moved out of it.
        if quick == Some(Way::Jump)
            && let Some(hold) = hold.take()
        {
            self.stage.release(run, hold)?;
        }
        let mut move_ms = 0;
        let relief = match quick.zip(diagnosis.as_ref()) {
            Some((way, found)) => {
                let passage = self.relief(traffic, found, way).await?;
                move_ms = passage.took_ms;
                Some((way, passage.figures))
            }
            None => None,
        };
        let mut moved = None;
        if self.is_moved() {
            let passage = self.moving(traffic, relief.is_some()).await?;
            move_ms = passage.took_ms;
            self.undo(traffic, run, hold.take(), quick).await?;
            moved = Some(passage);
        }
        let (after, after_measured) = self.after(traffic, &before, quick).await?;
        let is_held = match (&moved, quick) {
            (Some(_), _) => is_held && self.stage.is_among_used(run)?,
            // It is held to the end.
            (None, Some(Way::Inline)) => is_held && hold.as_ref().is_some_and(|hold| !hold.is_void()),
            (None, _) => is_held,
        };
        Ok(Course {
            before,
            during,
            relief,
            moving: moved.as_ref().map(|moved| moved.figures),
            after,
            is_held,
            after_measured,
            errors: traffic.summary(stood, Instant::now()).errors,
            move_ms,
            migration: moved.and_then(|moved| moved.migration),
            diagnosis,
        })
    }

    /// The table is moved into partitions.
    fn is_moved(&self) -> bool {
        matches!(self.way, None | Some(Way::Move))
    }

    /// The quick way out that is taken, before a move or in place of one.
    fn quick(&self, diagnosis: Option<&Diagnosis>, is_held: bool) -> Result<Option<Way>, Halt> {
        let is_quick = |way: &Way| *way != Way::Move;
        match (self.way, diagnosis) {
            (Some(Way::Move), _) => Ok(None),
            (Some(_), None) => Err(Fault::new(&DEMO, "corridor check found nothing to relieve").into()),
            (Some(way), Some(_)) => Ok(Some(way)),
            // It is over by itself before it could be relieved.
            (None, _) if !is_held => Ok(None),
            (None, found) => Ok(found.and_then(Diagnosis::recommended).filter(is_quick)),
        }
    }

    /// Takes back what only relieved, so that what is measured behind the move is the move's: new values go out of line
    /// again, and the counter is at the beginning of the used ids.
    async fn undo(
        &mut self,
        traffic: &Traffic,
        run: &ToastRun,
        hold: Option<Hold>,
        quick: Option<Way>,
    ) -> Result<(), Halt> {
        match hold {
            Some(hold) => self.stage.release(run, hold)?,
            None if quick == Some(Way::Jump) && self.stage.can_hold => self.stage.put_back(run)?,
            None => {}
        }
        if quick == Some(Way::Inline) {
            self.board
                .begin("the quick way out is taken back in all partitions: values go out of line again");
            let undone = self.stage.undo_inline();
            self.board
                .beside(Some(traffic), Some(self.interrupt), undone)
                .await??;
        }
        Ok(())
    }

    async fn diagnosis(&mut self, traffic: &Traffic) -> Result<Option<Diagnosis>, Halt> {
        self.board.begin("corridor check");
        let url = self.stage.url();
        let check = diagnose(&url, self.way);
        let found = self
            .board
            .beside(Some(traffic), Some(self.interrupt), check)
            .await??;
        match &found {
            Some(found) => {
                let took = millis(found.took_ms);
                let (code, object) = (found.code, &found.object);
                self.board
                    .note(&format!("{code} {object}: {} (in {took})", found.headline));
                if let Some(command) = &found.command {
                    self.board.note(&format!("recommended: {command}"));
                }
                if self.is_moved() {
                    self.board
                        .note("what lasts, and is shown too: a move into partitions");
                }
            }
            None => self.board.note("no limit is near"),
        }
        Ok(found)
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

    async fn relief(&mut self, traffic: &Traffic, found: &Diagnosis, way: Way) -> Result<Passage, Halt> {
        self.board.begin_phase(Phase::Relief, &way.command());
        let measuring = Measuring::begin(Phase::Relief, &self.stage).await?;
        let begun = Instant::now();
        let url = self.stage.url();
        let work = relieve(&url, found, way, |_| ());
        let effect = self
            .board
            .beside(Some(traffic), Some(self.interrupt), work)
            .await??;
        let took_ms = elapsed_ms(begun);
        self.board.note(&effect.proof);
        // So that there is something to measure.
        self.wait(traffic, RELIEF_MIN.max(self.seconds / 2)).await?;
        Ok(Passage {
            figures: measuring.end(&self.stage, traffic).await?,
            took_ms,
            migration: None,
        })
    }

    async fn moving(&mut self, traffic: &Traffic, is_relieved: bool) -> Result<Passage, Halt> {
        let settings = settings(is_relieved);
        self.board.begin_phase(Phase::Moving, &command(settings));
        for setting in settings {
            self.board.note(&format!("{}: {}", setting.set, setting.why));
        }
        let measuring = Measuring::begin(Phase::Moving, &self.stage).await?;
        let begun = Instant::now();
        let ear = Arc::clone(&self.ear);
        // On a thread of its own: the worker must not wait for a terminal that does not take what is drawn.
        let (url, interrupt) = (self.stage.url(), self.interrupt.watch());
        let runtime = tokio::runtime::Handle::current();
        let carried = tokio::task::spawn_blocking(move || {
            runtime.block_on(carry(url, words(settings), ear, interrupt))
        });
        let carried = self.board.beside(Some(traffic), None, carried).await?;
        let carried = carried.map_err(|error| {
            Fault::new(&DEMO, format!("the task of the move ended badly: {error}")).caused_by(error)
        })?;
        let migration = carried?.ok_or(Halt::Interrupted)?;
        let figures = measuring.end(&self.stage, traffic).await?;
        Ok(Passage {
            figures,
            took_ms: elapsed_ms(begun),
            migration: Some(migration),
        })
    }

    async fn after(
        &mut self,
        traffic: &Traffic,
        before: &Figures,
        quick: Option<Way>,
    ) -> Result<(Figures, u32), Halt> {
        let what = match quick.filter(|_| !self.is_moved()) {
            Some(Way::Inline) => "new values stay in their rows; the counter is among the used ids as before",
            Some(Way::Jump) => "the counter is behind the used ids, until it comes round",
            _ => "the table has partitions; the ids are as used up as they were",
        };
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
                if let Some(migration) = course.migration {
                    board.begin(&format!("corridor finish {migration} --drop"));
                    let finished = finish(url, migration, self.interrupt.watch());
                    board.beside(None, None, finished).await??;
                }
                None
            }
        };
        let story = self.ear.story();
        let settings = settings(course.relief.is_some());
        let command = match self.way {
            Some(quick) if !self.is_moved() => quick.command(),
            _ => command(settings),
        };
        let mut claims = judge(&Evidence {
            acknowledged_writes: ledger.acknowledged_writes(),
            comparison: &comparison,
            errors: course.errors,
            first_error: None,
            is_moved: course.moving.is_some(),
            verification: story.verification.as_ref(),
            swap: story.swap,
            is_held: course.is_held,
            before: &course.before.summary,
            during: &course.during.summary,
            after: &course.after.summary,
        });
        if course.is_held {
            let found = course.diagnosis.as_ref();
            claims.push(named(found));
            if let Some((way, relief)) = course.relief.filter(|_| self.way.is_none()) {
                claims.push(followed(found, way, &course.during, &relief));
            }
        }
        let relief = course.relief;
        let phases = [
            Some(course.before),
            Some(course.during),
            relief.map(|(_, figures)| figures),
            course.moving,
            Some(course.after),
        ];
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
            rows: self.rows,
            application: APPLICATION,
            incident: run,
            diagnosis: course.diagnosis,
            is_incident_held: course.is_held,
            relief: relief.map(|(way, _)| way.command()),
            command,
            settings,
            move_ms: course.move_ms,
            phases: phases.into_iter().flatten().collect(),
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

/// What the move is given beside its defaults: out of the incident itself, what it would wait for.
fn settings(is_relieved: bool) -> &'static [OpenSetting] {
    match is_relieved {
        true => &[],
        false => SETTINGS,
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
