//! One cluster: what is there, what nobody works, what is due, what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use corridor_console::host::Seen;
use corridor_migration::data::fault::OUTCOME_UNKNOWN;
use corridor_migration::data::readiness::{self, Answer};
use corridor_migration::data::{self, shelf};
use corridor_migration::lease::this_process;
use corridor_migration::store::{self, Summary};
use corridor_migration::{Course, Order, State, Verb, Wait, schema};
use corridor_pg::{ApplicationName, ConnectOptions, FaultContext, Result, Session};
use serde_json::json;

use super::alert::{Alerts, Happening};
use super::config::{Cluster, Config};
use super::pace::Pace;
use super::worker::{Collecting, Job, Worker};
use super::{Service, stored, window};
use crate::interrupt::Interrupt;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A look is some short statements; one that takes this long is not answered any more.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// The first pause before a failed migration is resumed by itself; each further one is twice as long.
const RETRY_FIRST: Duration = Duration::from_secs(60);

/// What was not ready is asked again after this time: a person's queries may be long ones.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long a migration is left alone after a worker of it has ended; twice as long after each further one.
const REST_FIRST: Duration = Duration::from_secs(1);
/// At most so long. Whoever works for longer came to something.
const REST_MAX: Duration = Duration::from_secs(5 * 60);

/// One cluster, looked after.
struct Watch {
    service: Arc<Service>,
    cluster: Cluster,
    session: Option<Session>,
    /// Keeps the history, when the settings say so; the sender asks it to leave.
    collector: Option<(tokio::sync::watch::Sender<bool>, Collecting)>,
    pace: Pace,
    workers: BTreeMap<String, Worker>,
    /// What its workers listen to.
    interrupt: Interrupt,
    /// How often in a row a worker of a migration came to nothing, and when the next one may begin.
    rests: BTreeMap<String, (u32, Instant)>,
    /// The same of a request that stays open.
    asked: BTreeMap<i64, (u32, Instant)>,
    /// Migrations that somebody asked something of: they are not started by themselves, without that person's parameters.
    wished: BTreeSet<String>,
    alerts: Alerts,
    /// How often a failed one was resumed by itself, and when it may be again.
    retries: BTreeMap<i64, (u32, Instant)>,
    /// Failed ones that were asked to go back; a refusal is not asked for again.
    asked_back: BTreeSet<i64>,
    /// What was refused when it was to be started, said once; and when it is asked again.
    refused: BTreeMap<String, (String, Instant)>,
}

/// Looks after a cluster until it is not wanted any more or the service leaves.
pub(super) async fn watch(service: Arc<Service>, cluster: Cluster) {
    let (leave, interrupt) = service.interrupt.branch();
    let mut watch = Watch {
        service,
        cluster,
        session: None,
        collector: None,
        pace: Pace::default(),
        workers: BTreeMap::new(),
        interrupt,
        rests: BTreeMap::new(),
        asked: BTreeMap::new(),
        wished: BTreeSet::new(),
        alerts: Alerts::default(),
        retries: BTreeMap::new(),
        asked_back: BTreeSet::new(),
        refused: BTreeMap::new(),
    };
    let mut has_failed = false;
    while watch.is_wanted() {
        watch.follow_collect();
        let looked = tokio::time::timeout(LOOK_MAX, watch.look()).await;
        let fault = match looked {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(_) => Some(format!("no answer within {} s", LOOK_MAX.as_secs())),
        };
        if let Some(why) = fault {
            if !has_failed {
                watch.say(&why);
            }
            has_failed = true;
            watch.session = None;
            watch.note(Some(why), Vec::new());
        } else if std::mem::take(&mut has_failed) {
            watch.say("reachable again");
        }
        let jitter = LOOK_EVERY.mul_f64(0.8 + 0.4 * fastrand::f64());
        watch.service.interrupt.or(tokio::time::sleep(jitter)).await;
    }
    // All of them at once: each may take its time for the checkpoint.
    leave.send_replace(true);
    for (_, worker) in std::mem::take(&mut watch.workers) {
        worker.leave().await;
    }
    if let Some((_, collector)) = watch.collector {
        collector.leave().await;
    }
}

impl Watch {
    fn is_wanted(&self) -> bool {
        !self.service.interrupt.is_asked() && self.service.config.borrow().clusters.contains(&self.cluster)
    }

    /// The collector as the settings say now.
    fn follow_collect(&mut self) {
        let is_wanted = self.service.config.borrow().is_collecting;
        match (self.collector.take(), is_wanted) {
            (None, true) => {
                let (leave, interrupt) = self.interrupt.branch();
                let collecting = super::worker::collect(&self.service, &interrupt, &self.cluster);
                self.collector = Some((leave, collecting));
            }
            (Some((leave, collecting)), false) => {
                leave.send_replace(true);
                let (service, name) = (Arc::clone(&self.service), self.cluster.name.clone());
                tokio::spawn(async move {
                    collecting.leave().await;
                    service.forget_report(&name);
                });
            }
            (collector, _) => self.collector = collector,
        }
    }

    fn say(&self, words: &str) {
        self.service
            .output
            .say(&format!("{}: {words}", self.cluster.name));
    }

    fn note(&self, fault: Option<String>, migrations: Vec<Summary>) {
        let at_s = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        let seen = Seen {
            at_s,
            fault,
            migrations,
            workers: self.workers.keys().cloned().collect(),
            findings: self
                .service
                .reports()
                .get(&self.cluster.name)
                .map(|report| report.findings.clone()),
        };
        self.service.note(&self.cluster, seen);
    }

    async fn look(&mut self) -> Result<()> {
        let mut session = match self.session.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => {
                let options = ConnectOptions::from_process(self.cluster.database.as_deref())?;
                let session = options.connect(&ApplicationName::new("service", "-")).await?;
                // Looks come each second. Over a million entries of a journal, compiling one takes longer than that.
                session.without_jit().await?;
                session
            }
        };
        let mut migrations = Vec::new();
        if schema::exists(&*session).await? {
            if self.service.is_home(&self.cluster) {
                self.service.take_stored(stored::read(&*session).await?);
            }
            let config = self.service.config();
            migrations = store::list(&*session).await?;
            self.end_workers();
            // First: whoever asked for something shall not find it taken up for something else.
            self.take_requests(&config, &session).await?;
            self.work(&config, &migrations);
            if config.is_auto_rollback {
                self.roll_back(&config, &session, &migrations).await?;
            }
            if config.is_auto_start && window::is_open(&config.windows) {
                self.start_due(&config, &mut session).await?;
            }
            self.tell(&config, &session, &migrations).await?;
            self.pace.note(&session, &migrations).await?;
        }
        self.note(None, migrations);
        self.session = Some(session);
        Ok(())
    }

    fn end_workers(&mut self) {
        let over: Vec<String> = self
            .workers
            .iter()
            .filter(|(_, worker)| worker.is_over())
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            let Some(worker) = self.workers.remove(&name) else {
                continue;
            };
            let ended = worker.ended();
            if let Some(words) = ended.words {
                self.say(&format!("{name}: {words}"));
            }
            if ended.is_fault {
                self.rest(name);
            } else {
                self.rests.remove(&name);
            }
        }
    }

    /// The same is not begun again and again: what is refused once is refused a second later as well.
    fn rest(&mut self, name: String) {
        let now = Instant::now();
        rest(self.rests.entry(name).or_insert((0, now)));
    }

    fn is_resting(&self, name: &str) -> bool {
        self.rests
            .get(name)
            .is_some_and(|(_, until)| Instant::now() < *until)
    }

    /// Takes up what nobody works, and again what has failed, when it may.
    fn work(&mut self, config: &Config, migrations: &[Summary]) {
        for one in migrations {
            if one.is_worker_alive || self.workers.contains_key(one.name.as_str()) {
                continue;
            }
            let is_failed = matches!(one.state, State::Failed { .. });
            // One of a person's own that waits for a word has nothing that must be kept in step.
            let is_idle = one.kind == data::KIND
                && matches!(
                    one.state,
                    State::Waiting {
                        for_what: Wait::Finish
                    }
                );
            if !is_failed {
                self.retries.remove(&one.id);
            }
            if (one.state.is_worked_on() && !is_idle) || (is_failed && self.may_retry(config, one.id)) {
                self.begin(config, Job::new(one.name.clone(), &one.kind, Order::Resume));
            }
        }
    }

    fn may_retry(&mut self, config: &Config, id: i64) -> bool {
        let (count, at) = self
            .retries
            .entry(id)
            .or_insert_with(|| (0, Instant::now() + RETRY_FIRST));
        if *count >= config.retries || Instant::now() < *at {
            return false;
        }
        *count += 1;
        *at = Instant::now() + RETRY_FIRST * 2u32.saturating_pow((*count).min(10));
        true
    }

    /// Asks for the way back of a person's own migrations that have failed, when their retries are used up. A request and not a
    /// deed: it is granted where everything that was begun can be undone, and answered with why not elsewhere.
    async fn roll_back(&mut self, config: &Config, session: &Session, migrations: &[Summary]) -> Result<()> {
        self.asked_back.retain(|id| {
            migrations
                .iter()
                .any(|one| one.id == *id && is_failed_forward(one))
        });
        for one in migrations.iter().filter(|one| is_failed_forward(one)) {
            let retries = self.retries.get(&one.id).map_or(0, |(count, _)| *count);
            let is_worked = one.is_worker_alive || self.workers.contains_key(one.name.as_str());
            if retries < config.retries || is_worked || !self.asked_back.insert(one.id) {
                continue;
            }
            let State::Failed { code, .. } = &one.state else {
                continue;
            };
            let argument = json!({ "why": format!("auto_rollback, after {code}") });
            let by = this_process("service");
            store::ask(&**session, one.id, Verb::Rollback, &argument, &by).await?;
        }
        Ok(())
    }

    fn begin(&mut self, config: &Config, job: Job) -> bool {
        let name = job.name.to_string();
        if self.workers.len() >= config.workers || self.is_resting(&name) {
            return false;
        }
        self.say(&format!("{name}: {}", job.order.verb()));
        self.spawn(config, job)
    }

    fn spawn(&mut self, config: &Config, job: Job) -> bool {
        let name = job.name.to_string();
        match Worker::start(
            &self.service,
            &self.interrupt,
            &self.cluster,
            job,
            config.app_version.clone(),
        ) {
            Ok(worker) => {
                self.workers.insert(name, worker);
                true
            }
            Err(fault) => {
                self.say(&format!("{name}: {fault}"));
                false
            }
        }
    }

    /// What somebody has asked for and no worker can take, for none lives: `--detach`, the console, or a worker that died
    /// over it. A service that dies before it is granted has lost nothing; of two that see it at once, the lease and the row
    /// let one grant it.
    async fn take_requests(&mut self, config: &Config, session: &Session) -> Result<()> {
        let unworked = store::unworked_requests(&**session).await?;
        self.asked
            .retain(|id, _| unworked.iter().any(|one| one.request.id == *id));
        self.wished = unworked.iter().map(|one| one.name.to_string()).collect();
        if config.workers == 0 {
            return Ok(());
        }
        for one in unworked {
            let id = one.request.id;
            let is_resting = self
                .asked
                .get(&id)
                .is_some_and(|(_, until)| Instant::now() < *until);
            // What ends something, or goes on with it, does not wait behind other work: a person waits.
            let is_full = self.workers.len() >= config.workers
                && matches!(one.request.verb, Verb::Start | Verb::Resume);
            if is_resting || is_full || self.workers.contains_key(one.name.as_str()) {
                continue;
            }
            // Whatever comes of it, the same request is not tried again at once.
            rest(self.asked.entry(id).or_insert((0, Instant::now())));
            let by = &one.request.asked_by;
            self.say(&format!("{}: {}, asked by {by}", one.name, one.request.verb));
            self.spawn(config, Job::asked(one));
        }
        Ok(())
    }

    /// Starts what is needed, in range, and ready. What is not needed is completed without doing anything.
    async fn start_due(&mut self, config: &Config, session: &mut Session) -> Result<()> {
        let standings = shelf::standings(&**session).await?;
        let done: BTreeSet<&str> = standings
            .iter()
            .filter(|one| one.is_done())
            .map(|one| one.name.as_str())
            .collect();
        for one in standings.iter().filter(|one| one.state == State::Planned) {
            let name = one.name.as_str();
            let is_early = self
                .refused
                .get(name)
                .is_some_and(|(_, again)| Instant::now() < *again);
            if is_early {
                continue;
            }
            let Some(plan) = &one.plan else {
                let why = one.unreadable.clone().unwrap_or_default();
                self.refuse(name, why);
                continue;
            };
            let is_ready = plan
                .definition
                .depends_on
                .iter()
                .all(|other| done.contains(other.as_str()));
            let is_worked = one.is_worker_alive || self.workers.contains_key(name);
            if !is_ready || is_worked || self.wished.contains(name) || self.is_resting(name) {
                continue;
            }
            let bound = match shelf::bind(plan, &BTreeMap::new()) {
                Ok(bound) => bound,
                Err(fault) => {
                    self.refuse(name, fault.to_string());
                    continue;
                }
            };
            match readiness::is_required(session, bound.worked()).await? {
                Answer::No => {}
                Answer::Yes => {
                    let obstacles = readiness::obstacles(
                        session,
                        bound.worked(),
                        &standings,
                        config.app_version.as_ref(),
                    )
                    .await?;
                    if let Some(first) = obstacles.first() {
                        self.refuse(name, first.to_string());
                        continue;
                    }
                }
                Answer::Unknown { why } => {
                    let start = format!("`corridor migration start {name}` starts it all the same");
                    self.refuse(
                        name,
                        format!("nobody knows whether it is needed here: {why}; {start}"),
                    );
                    continue;
                }
            }
            self.refused.remove(name);
            self.begin(config, Job::new(one.name.clone(), data::KIND, Order::Start));
        }
        Ok(())
    }

    /// Says why something is not started, once.
    fn refuse(&mut self, name: &str, why: String) {
        if self.refused.get(name).map(|(said, _)| said) != Some(&why) {
            self.say(&format!("{name} is not started: {why}"));
        }
        let again = Instant::now() + ASK_AGAIN;
        self.refused.insert(name.to_owned(), (why, again));
    }

    async fn tell(&mut self, config: &Config, session: &Session, migrations: &[Summary]) -> Result<()> {
        let mut moving = BTreeMap::new();
        if migrations.iter().any(|one| one.state.is_worked_on()) {
            let rows = session
                .query(include_str!("../../sql/serve/movement.sql"), &[])
                .await
                .doing(|| "looking how far the work is")?;
            moving = rows
                .iter()
                .map(|row| {
                    (
                        row.get::<_, i64>("migration_id"),
                        row.get::<_, String>("movement"),
                    )
                })
                .collect();
        }
        let stall = Duration::from_secs(config.stall_minutes * 60);
        for happening in self.alerts.look(migrations, &moving, stall, Instant::now()) {
            self.say(&happening.text());
            deliver(config, &self.cluster.name, &happening);
        }
        Ok(())
    }
}

/// What can be asked to go back by itself. Not one whose operation may or may not be done: a person looks first.
fn is_failed_forward(one: &Summary) -> bool {
    match &one.state {
        State::Failed {
            code,
            course: Course::Forward,
            ..
        } => one.kind == data::KIND && code != OUTCOME_UNKNOWN.id,
        _ => false,
    }
}

/// One more that came to nothing; twice as long until the next.
fn rest((count, until): &mut (u32, Instant)) {
    let now = Instant::now();
    // Whoever worked for long came to something.
    *count = if now.duration_since(*until) > REST_MAX {
        0
    } else {
        *count + 1
    };
    let rest = REST_FIRST * 2u32.saturating_pow((*count).min(10));
    *until = now + rest.min(REST_MAX);
}

/// Who is told hears it beside the work; a receiver that is away is tried again a few times.
fn deliver(config: &Config, cluster: &str, happening: &Happening) {
    if let Some(address) = &config.webhook {
        super::alert::post(address.clone(), happening.document(cluster));
    }
    if let Some(address) = &config.slack {
        super::alert::post(address.clone(), happening.slack(cluster));
    }
}
