//! `corridor watch`: checks again and again and keeps the figures. One collector at a time; a second one waits and takes
//! over when the first one is silent. It outlives restarts of the server.

use std::time::{Duration, Instant};

use corridor_limits::alert::Alerts;
use corridor_limits::check::{self, Report};
use corridor_limits::collector::Collector;
use corridor_limits::probe::Scope;
use corridor_limits::sample::store::{self, Kept};
use corridor_migration::lease::this_process;
use corridor_migration::schema;
use corridor_pg::{ApplicationName, Fault, FaultContext, Result, Session, fault};

use super::{Context, DONE};
use crate::args;
use crate::output::collector::Line;
use crate::webhook::Webhook;

/// Time between two roll-ups.
const ROLL_UP_EVERY: Duration = Duration::from_secs(600);
/// Who waits for its turn looks this often, or at each interval when that is shorter.
const TURN_EVERY: Duration = Duration::from_secs(10);
/// The pause after the first failure; each further one is twice as long, up to the interval or this times twelve.
const AWAY_FIRST: Duration = Duration::from_secs(5);
/// How long giving the lease up may take when we are asked to leave.
const FAREWELL: Duration = Duration::from_secs(3);
/// Locks on Corridor's own rows are waited for so long.
const LOCK_MS: u32 = 1_000;
/// And each statement on them takes no longer.
const STATEMENT_MS: u32 = 30_000;

/// What lasts from one round to the next.
struct Watch<'a> {
    context: &'a Context,
    scope: Scope,
    only: &'a [String],
    interval: Duration,
    retention: Duration,
    holder: String,
    lease: Option<Collector>,
    is_schema_made: bool,
    /// Nothing is final any more: what fails from now on is tried again.
    has_worked: bool,
    rolled_up: Option<Instant>,
    left_out: Vec<(&'static str, usize)>,
    alerts: Alerts,
    webhook: Option<Webhook>,
    /// Hears each report, and that somebody else collects.
    listener: Option<&'a Listener>,
}

/// Who hears what was found; nothing, when another collector has its turn.
pub(crate) type Listener = dyn Fn(Option<Report>) + Send + Sync;

/// What a round came to.
enum Round {
    Kept,
    /// Somebody else collects.
    NotOurTurn,
}

/// Collects until it is asked to leave; with `--once`, one time.
pub(crate) async fn run(context: &Context, args: &args::Watch, listener: Option<&Listener>) -> Result<u8> {
    super::check::known(&args.only)?;
    let mut watch = Watch {
        context,
        scope: Scope {
            table: None,
            seed: 0,
            disk_path: args.disk_path.clone(),
            disk_size_bytes: args.disk_size,
        },
        only: &args.only,
        interval: Duration::from_secs(args.interval),
        retention: Duration::from_secs(args.retention * 3_600),
        holder: this_process("watch"),
        lease: None,
        is_schema_made: false,
        has_worked: false,
        rolled_up: None,
        left_out: Vec::new(),
        alerts: Alerts::default(),
        webhook: args.webhook.clone().map(Webhook::new),
        listener,
    };
    let outcome = match args.once {
        true => context
            .interrupt
            .or(watch.round())
            .await
            .map(|round| round.map(|_| ())),
        false => context.interrupt.or(watch.go_on()).await.map(Err),
    };
    watch.leave().await;
    match outcome {
        None => Ok(context.interrupt.code()),
        Some(Ok(())) => Ok(DONE),
        Some(Err(fault)) => Err(fault),
    }
}

impl Watch<'_> {
    /// Ends only with a fault that trying again does not mend.
    async fn go_on(&mut self) -> Fault {
        let mut failures = 0u32;
        loop {
            let begun = Instant::now();
            let pause = match self.round().await {
                Ok(Round::Kept) => {
                    failures = 0;
                    // Collectors of many databases shall not fall into step.
                    let jitter = 0.9 + 0.2 * fastrand::f64();
                    self.interval.mul_f64(jitter).saturating_sub(begun.elapsed())
                }
                Ok(Round::NotOurTurn) => {
                    failures = 0;
                    self.has_worked = true;
                    TURN_EVERY.min(self.interval)
                }
                Err(fault) if !self.has_worked && fault.code().retry == corridor_pg::Retry::Never => {
                    return fault;
                }
                Err(fault) => {
                    let pause = AWAY_FIRST * 2u32.saturating_pow(failures.min(4));
                    let pause = pause.min(self.interval.max(AWAY_FIRST)).min(12 * AWAY_FIRST);
                    failures += 1;
                    self.say(&Line::away(&fault, pause));
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn round(&mut self) -> Result<Round> {
        let mut session = self.connect().await?;
        self.make_schema(&mut session).await?;
        let Some(lease) = self.turn(&session).await? else {
            self.hear(None);
            return Ok(Round::NotOurTurn);
        };
        let begun = Instant::now();
        let report = self.check(&session).await?;
        // First of all: where nothing can be written any more, that is what has to be told.
        self.alert(&session, &report).await?;
        let kept = lease.keep(&mut session, &report.samples, report.at_s).await;
        let Some(kept) = self.as_about_rights(&session, kept).await? else {
            // Somebody thought us dead and took over.
            self.lease = None;
            self.hear(None);
            self.say(&Line::taken_over());
            return Ok(Round::NotOurTurn);
        };
        if self.rolled_up.is_none_or(|at| at.elapsed() >= ROLL_UP_EVERY) {
            store::roll_up(&mut session, self.retention).await?;
            self.rolled_up = Some(Instant::now());
        }
        self.has_worked = true;
        self.say(&Line::checked(&report, kept.figures, begun.elapsed()));
        self.say_left_out(kept);
        self.hear(Some(report));
        Ok(Round::Kept)
    }

    fn hear(&self, report: Option<Report>) {
        if let Some(listener) = self.listener {
            listener(report);
        }
    }

    async fn connect(&self) -> Result<Session> {
        let name = ApplicationName::new("watch", "-");
        let session = self.context.connect_options()?.connect(&name).await?;
        session.set_timeouts(LOCK_MS, STATEMENT_MS).await?;
        Ok(session)
    }

    async fn make_schema(&mut self, session: &mut Session) -> Result<()> {
        if !self.is_schema_made {
            let made = schema::ensure(session).await;
            self.as_about_rights(session, made).await?;
            self.is_schema_made = true;
        }
        Ok(())
    }

    /// A fault about rights says which grants would mend it.
    async fn as_about_rights<T>(&self, session: &Session, outcome: Result<T>) -> Result<T> {
        match outcome {
            Err(fault) if store::is_about_rights(&fault) => {
                let grants = store::missing_grants(&**session).await.unwrap_or_default();
                let what = match grants.is_empty() {
                    true => fault.detail().to_owned(),
                    false => format!(
                        "the role may not keep a history; it needs: {};",
                        grants.join("; ")
                    ),
                };
                Err(Fault::new(&fault::NO_PRIVILEGE, what).caused_by(fault))
            }
            other => other,
        }
    }

    /// The lease when it is ours, now or already.
    async fn turn(&mut self, session: &Session) -> Result<Option<Collector>> {
        if self.lease.is_none() {
            // Three rounds, and time for the checks themselves.
            let ttl = 3 * self.interval + Duration::from_secs(30);
            let taken = Collector::take(session, &self.holder, ttl).await;
            match self.as_about_rights(session, taken).await? {
                Ok(lease) => self.lease = Some(lease),
                Err(holder) => self.say(&Line::waiting(holder)),
            }
        }
        Ok(self.lease.clone())
    }

    async fn check(&mut self, session: &Session) -> Result<Report> {
        self.scope.seed = fastrand::u64(..);
        let (past, unread) = store::load(session, &check::metrics()).await?;
        let reader = self.connect().await?;
        let mut report = check::run(reader, &self.scope, self.only, &past).await?;
        report.degraded.extend(unread);
        Ok(report)
    }

    fn say(&self, line: &Line) {
        line.say(&self.context.output);
    }

    /// Once, and again when it changes.
    fn say_left_out(&mut self, kept: Kept) {
        if kept.left_out != self.left_out {
            for (metric, count) in &kept.left_out {
                self.say(&Line::left_out(metric, *count));
            }
            self.left_out = kept.left_out;
        }
    }

    /// Tells the address what is worth a message. One that does not answer stops nothing.
    async fn alert(&mut self, session: &Session, report: &Report) -> Result<()> {
        let Some(webhook) = &mut self.webhook else {
            return Ok(());
        };
        let row = session
            .query_one(include_str!("../../sql/watch/database.sql"), &[])
            .await
            .doing(|| "asking for the database's name")?;
        let notices = self.alerts.after(&report.findings, &report.degraded, report.at_s);
        let told = webhook.deliver(row.get(0), report.at_s, notices).await;
        match told {
            Ok(0) => {}
            Ok(count) => self.say(&Line::told(count)),
            Err(why) => self.say(&Line::not_told(&why)),
        }
        Ok(())
    }

    /// Gives the lease up, if the server lets us in time.
    async fn leave(&mut self) {
        if let Some(lease) = self.lease.take() {
            let given_up = async { lease.release(&self.connect().await?).await };
            if tokio::time::timeout(FAREWELL, given_up).await.is_err() {
                tracing::info!("the collector's lease was not given up in time; it runs out by itself");
            }
        }
    }
}
