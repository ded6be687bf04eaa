//! One life: a table, traffic, workers, faults, and a pilot who goes on until the move has ended.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use corridor_testbed::faults::FaultProxy;
use corridor_testbed::traffic::Traffic;
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use crate::Result;
use crate::fate::{Destiny, Fate};
use crate::fault::Fault;
use crate::ground::Ground;
use crate::hand::{Circumstances, Hand};
use crate::options::Options;
use crate::strike::Cure;
use crate::tally::Report;
use crate::verdict;

/// Between two looks at everything.
const TICK: Duration = Duration::from_millis(25);
/// Between two orders of the pilot.
const ORDER_PAUSE: Duration = Duration::from_millis(300);
/// After an order that came at the wrong moment.
const REFUSED_PAUSE: Duration = Duration::from_secs(2);
/// From the last fault to the end. A half-open connection takes 20 s to be noticed; the rest is a busy machine.
const CALM_MAX: Duration = Duration::from_secs(90);
/// How often a move may fail by itself after the last fault.
const FAILURES_MAX: u32 = 4;

/// A life under way.
pub(crate) struct Life<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) fate: Fate,
    /// For the pilot and the traffic: straight to the server.
    pub(crate) url: String,
    pub(crate) proxy: FaultProxy,
    pub(crate) directory: PathBuf,
    pub(crate) clock_file: PathBuf,
    pub(crate) started: Instant,
    pub(crate) hands: Vec<Hand>,
    pub(crate) cures: Vec<(Instant, Cure)>,
    /// Aftershocks that are on their way.
    pub(crate) coming: Vec<(Instant, Fault)>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) truncates: Vec<JoinHandle<corridor_testbed::Result<bool>>>,
    pub(crate) eyes: Option<Client>,
    pub(crate) next_failpoint: Option<String>,
    pub(crate) last_order: Instant,
    /// When an order was refused last: then the worker goes on first.
    pub(crate) refused_at: Option<Instant>,
    pub(crate) is_hurried: bool,
    pub(crate) sprung: u64,
    pub(crate) armed: &'static str,
    pub(crate) failures_in_calm: u32,
    pub(crate) was_failed: bool,
    pub(crate) workers: u32,
    pub(crate) faults: BTreeMap<&'static str, u32>,
    pub(crate) story: Vec<String>,
    pub(crate) wrongs: Vec<String>,
}

/// Lives a life and judges it.
pub(crate) async fn live(ground: &mut Ground, seed: u64, options: &Options) -> Result<Report> {
    let started = Instant::now();
    let database = format!("life_{seed}");
    // One of an earlier try.
    ground.drop_database(&database).await?;
    let logged_before = ground.cluster.server_log()?.len();
    let directory = ground.directory.join(seed.to_string());
    std::fs::create_dir_all(&directory)?;
    let mut fate = Fate::draw(seed, options);
    let means = ground.abilities();
    fate.faults.retain(|(_, fault)| fault.is_possible(means));
    fate.aftershocks.retain(|(_, fault)| fault.is_possible(means));
    let url = ground.database(&database).await?;
    let traffic = fate.traffic();
    fate.scene.make(&url, traffic.key_space, &directory).await?;
    let before = verdict::dump(&url, options.major).await?;
    let mut life = Life {
        ground,
        url: url.clone(),
        proxy: FaultProxy::start(ground.cluster.port())?,
        clock_file: directory.join("clock"),
        directory: directory.clone(),
        started: Instant::now(),
        hands: Vec::new(),
        cures: Vec::new(),
        coming: Vec::new(),
        traffic: Arc::new(Traffic::start(&url, traffic).await?),
        truncates: Vec::new(),
        eyes: None,
        next_failpoint: None,
        last_order: Instant::now() - ORDER_PAUSE,
        refused_at: None,
        is_hurried: false,
        sprung: 0,
        armed: "",
        failures_in_calm: 0,
        was_failed: false,
        workers: 0,
        faults: BTreeMap::new(),
        story: Vec::new(),
        wrongs: Vec::new(),
        fate,
    };
    std::fs::write(&life.clock_file, "+0")?;
    life.note(format!("{:?}", life.fate));
    let outcome = life.pilot().await?;
    life.note(format!("it ended: {outcome}"));
    life.calm_down().await;
    // A half-open connection outlives its process: its other end is still held here.
    life.proxy.cut_all();
    let (scene, mut wrongs, story) = (
        life.fate.scene.clone(),
        life.wrongs.split_off(0),
        life.story.split_off(0),
    );
    let (faults, workers) = (std::mem::take(&mut life.faults), life.workers);
    for truncate in life.truncates.drain(..) {
        if let Ok(Err(error)) = truncate.await {
            wrongs.push(error.to_string());
        }
    }
    let traffic = Arc::try_unwrap(life.traffic).map_err(|_| "the traffic is still in use")?;
    let ledger = traffic.stop().await?;
    if wrongs.is_empty() {
        let is_moved = outcome == "finished";
        wrongs = verdict::wrongs(&url, &scene, &ledger, is_moved).await?;
        let after = verdict::dump(&url, options.major).await?;
        if let (Some(before), Some(after)) = (&before, &after)
            && (!is_moved || scene.is_dump_kept)
        {
            wrongs.extend(verdict::difference(before, after));
        }
        if !wrongs.is_empty() {
            for (name, text) in [("before.sql", before), ("after.sql", after)] {
                std::fs::write(directory.join(name), text.unwrap_or_default())?;
            }
        }
    }
    let is_kept = options.keep || !wrongs.is_empty();
    if is_kept {
        let log = ground.cluster.server_log()?;
        std::fs::write(
            directory.join("server.log"),
            log.get(logged_before..).unwrap_or(&log),
        )?;
        std::fs::write(directory.join("story.txt"), story.join("\n"))?;
        std::fs::write(directory.join("wrongs.txt"), wrongs.join("\n"))?;
    } else {
        std::fs::remove_dir_all(&directory)?;
    }
    // A failed one may be looked at as long as this process lives.
    ground.drop_database(&database).await?;
    Ok(Report {
        seed,
        scene: scene.to_string(),
        faults,
        workers,
        writes: ledger.acknowledged_writes(),
        outcome,
        wrongs,
        kept: is_kept.then_some(directory),
        took: started.elapsed(),
    })
}

impl Life<'_> {
    pub(crate) fn note(&mut self, what: String) {
        let at = self.started.elapsed().as_secs_f64();
        self.story.push(format!("{at:>7.3} {what}"));
    }

    pub(crate) fn struck(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// Until the move has ended and everybody has left.
    async fn pilot(&mut self) -> Result<String> {
        let mut faults = std::mem::take(&mut self.fate.faults).into_iter().peekable();
        let mut is_calm = false;
        loop {
            let now = self.started.elapsed();
            self.cure(false);
            self.reap().await;
            self.watch_trap();
            if !is_calm && now >= self.fate.calm_at {
                is_calm = true;
                self.calm_down().await;
                self.note("calm from now on".to_owned());
            }
            if !is_calm && let Some((_, fault)) = faults.next_if(|(at, _)| *at <= now) {
                self.strike(fault).await?;
            }
            if let Some(at) = self.coming.iter().position(|(at, _)| *at <= Instant::now()) {
                let (_, fault) = self.coming.remove(at);
                self.strike(fault).await?;
            }
            if self.last_order.elapsed() >= ORDER_PAUSE
                && let Some(state) = self.look().await
            {
                if is_final(&state) && self.hands.is_empty() {
                    return Ok(state);
                }
                self.steer(&state, now, is_calm).await?;
            }
            if now > self.fate.calm_at + CALM_MAX || self.failures_in_calm > FAILURES_MAX {
                let state = self.look().await.unwrap_or_default();
                self.wrongs.push(match self.failures_in_calm > FAILURES_MAX {
                    true => format!("it fails again and again: {state}"),
                    false => format!("it hangs: {state}; {} processes run", self.hands.len()),
                });
                return Ok(state);
            }
            if !self.wrongs.is_empty() {
                return Ok("broken".to_owned());
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Takes note of processes that have ended, and lets stopped ones go on.
    async fn reap(&mut self) {
        let mut at = 0;
        while let Some(hand) = self.hands.get_mut(at) {
            if hand.thaws_at.is_some_and(|thaws| thaws <= Instant::now()) {
                hand.thaws_at = None;
                hand.signal("CONT").await;
            }
            let Some(status) = hand.ended() else {
                at += 1;
                continue;
            };
            let hand = self.hands.remove(at);
            self.judge_end(&hand, status);
        }
    }

    fn judge_end(&mut self, hand: &Hand, status: ExitStatus) {
        let words = hand.words();
        let last = words
            .lines()
            .last()
            .unwrap_or_default()
            .chars()
            .take(600)
            .collect::<String>();
        self.note(format!("{} ended, {status}: {last}", hand.verb));
        let is_failpoint = hand.has_failpoint && status.signal() == Some(6);
        if is_failpoint {
            self.struck("failpoint");
        }
        let is_wrong_signal = status.signal().is_some_and(|signal| signal != 9) && !is_failpoint;
        if is_wrong_signal || matches!(status.code(), Some(7 | 101)) || words.contains("panicked") {
            self.wrongs
                .push(format!("{} ended with a bug, {status}: {last}", hand.verb));
        }
        let is_refused = status.code() == Some(4);
        if is_refused && !matches!(&*hand.verb, "resume" | "verify" | "pause") {
            self.refused_at = Some(Instant::now());
        }
        if hand.verb == "set" && status.success() && self.started.elapsed() > self.fate.calm_at {
            self.is_hurried = true;
        }
        if is_refused && hand.verb == "move" && !words.contains("MIG-") && !words.contains("PG-019") {
            self.wrongs.push(format!("the move was refused: {last}"));
        }
    }

    fn watch_trap(&mut self) {
        let sprung = self.proxy.sprung();
        if sprung > self.sprung {
            self.sprung = sprung;
            let name = self.armed;
            self.note(format!("{name} has struck"));
            self.struck(name);
        }
    }

    /// The migration's state, `none` when there is no migration yet; `None` when nobody can tell now.
    pub(crate) async fn look(&mut self) -> Option<String> {
        if self.eyes.as_ref().is_none_or(Client::is_closed) {
            self.eyes = corridor_testbed::cluster::connect(&self.url).await.ok();
        }
        let eyes = self.eyes.as_ref()?;
        let exists = "select to_regclass('corridor.migration') is not null";
        let is_there: bool = eyes.query_one(exists, &[]).await.ok()?.get(0);
        if !is_there {
            return Some("none".to_owned());
        }
        let sql = "select state || coalesce(' ' || (state_detail ->> 'for_what'), '') || coalesce(' ' || (state_detail ->> 'code'), '') \
                   from corridor.migration where name = 'life'";
        let row = eyes.query_opt(sql, &[]).await.ok()?;
        Some(row.map_or_else(|| "none".to_owned(), |row| row.get(0)))
    }

    /// What a patient person would do now.
    async fn steer(&mut self, state: &str, now: Duration, is_calm: bool) -> Result<()> {
        let is_working = self
            .hands
            .iter()
            .any(|h| h.thaws_at.is_none() && is_worker(&h.verb));
        let is_failed = state.starts_with("failed");
        if is_failed && !self.was_failed {
            self.failures_in_calm += u32::from(is_calm);
        }
        self.was_failed = is_failed;
        if is_final(state) {
            return Ok(());
        }
        if state == "none" {
            return match is_working {
                true => Ok(()),
                false => self.begin(),
            };
        }
        // What was slow so that faults meet it is to come to an end now.
        if is_calm && !self.is_hurried && !self.hands.iter().any(|h| h.verb == "set") {
            return self.start(&[
                "set",
                "life",
                "throttle.custom=off",
                "nice=0",
                "chunk.target_ms=500",
            ]);
        }
        let is_due = |at: Duration| now >= at || is_calm;
        let (cut, end) = (is_due(self.fate.cut_at), is_due(self.fate.end_at));
        let order: Option<&[&str]> = match (self.fate.destiny, state) {
            (Destiny::Stop(verb), "planned" | "running" | "waiting cutover") if cut => match verb {
                "stop" => Some(&["stop", "life"]),
                _ => Some(&["rollback", "life"]),
            },
            (Destiny::BackBefore, "waiting cutover") if cut => Some(&["rollback", "life"]),
            (Destiny::BackAfter | Destiny::Finish(_), "waiting cutover") if cut => Some(&["cutover", "life"]),
            (Destiny::Finish(false), "waiting finish") if end => Some(&["finish", "life"]),
            (Destiny::Finish(true), "waiting finish") if end => Some(&["finish", "life", "--drop"]),
            (_, "waiting finish") if end => Some(&["rollback", "life"]),
            _ => None,
        };
        match order {
            Some(order) if self.refused_at.is_none_or(|at| at.elapsed() > REFUSED_PAUSE) => {
                let is_given = self
                    .hands
                    .iter()
                    .any(|h| Some(&&*h.verb) == order.first() && h.thaws_at.is_none());
                if !is_given {
                    self.shake().await?;
                    self.start(order)?;
                }
            }
            _ if !is_working => self.start(&["resume", "life"])?,
            _ => {}
        }
        Ok(())
    }

    /// A trap has to be set before the order that it waits for; everything else comes amid it.
    async fn shake(&mut self) -> Result<()> {
        let Some((after, fault)) = self.fate.aftershocks.pop() else {
            return Ok(());
        };
        match fault {
            Fault::Failpoint(_) | Fault::LostAnswer { .. } => self.strike(fault).await,
            fault => {
                self.coming.push((Instant::now() + after, fault));
                Ok(())
            }
        }
    }

    fn begin(&mut self) -> Result<()> {
        let mut order = vec!["move".to_owned(), self.fate.scene.table.name.clone()];
        order.extend(self.fate.scene.shape.iter().cloned());
        order.extend(["--execute", "--name", "life"].map(str::to_owned));
        for setting in &self.fate.settings {
            order.extend(["--setting".to_owned(), setting.clone()]);
        }
        let order: Vec<&str> = order.iter().map(|s| &**s).collect();
        self.start(&order)
    }

    pub(crate) fn start(&mut self, order: &[&str]) -> Result<()> {
        self.last_order = Instant::now();
        self.workers += 1;
        let circumstances = Circumstances {
            failpoint: self.next_failpoint.take(),
            clock: match (&self.ground.faketime, self.fate.has_clock) {
                (Some(library), true) => Some((library.clone(), self.clock_file.clone())),
                _ => None,
            },
        };
        self.note(format!("corridor {}, {circumstances:?}", order.join(" ")));
        let order: Vec<String> = order.iter().map(|s| (*s).to_owned()).collect();
        let url = self.proxy.url(&self.url)?;
        let hand = Hand::start(
            &self.ground.binary,
            &url,
            &order,
            &circumstances,
            &self.directory,
            self.workers,
        )?;
        self.hands.push(hand);
        Ok(())
    }
}

fn is_final(state: &str) -> bool {
    matches!(state, "finished" | "rolled_back" | "stopped")
}

/// True for verbs that work, rather than ask or tell.
fn is_worker(verb: &str) -> bool {
    !matches!(verb, "status" | "logs" | "set" | "pause")
}
