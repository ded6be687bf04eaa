//! What is seen while the demo runs: a block at the bottom of a terminal that is drawn over and over, with the latency of
//! each second, or one line per interval without a terminal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anstream::ColorChoice;
use corridor_testbed::traffic::{Snapshot, Traffic};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::figures::Phase;
use super::passage::Ear;
use super::{Halt, spark};
use crate::interrupt::Interrupt;
use crate::output::number::{figure, millis};
use crate::output::text::{cut, hang};
use crate::output::{Output, WIDTH};

/// How often the block is drawn.
const DRAW_INTERVAL: Duration = Duration::from_millis(250);
/// Without a terminal: time between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Columns of the sparkline: one second each; older ones go.
const SPARK: usize = WIDTH - 2;

/// Columns of what the move says: who stands in the way of a lock, and with what, can be long.
const NEWS_MAX: usize = 3 * WIDTH;

/// The display.
pub(super) struct Board {
    output: Arc<Output>,
    ear: Arc<Ear>,
    block: Option<ProgressBar>,
    is_painted: bool,
    started: Instant,
    doing: String,
    /// What the move says is of interest.
    is_moving: bool,
    /// Of each second of traffic: the longest that a write took, 99 of 100; or that somebody waits, if that is longer.
    latencies_ms: Vec<f64>,
    /// Where in them each phase begins.
    marks: Vec<(usize, &'static str)>,
    last_line: Instant,
}

impl Board {
    /// A display that hears the move through `ear`.
    pub(super) fn start(output: &Arc<Output>, ear: &Arc<Ear>) -> Board {
        let block = output.is_watched().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        output.show_bar(block.clone());
        Board {
            is_painted: anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never,
            output: Arc::clone(output),
            ear: Arc::clone(ear),
            block,
            started: Instant::now(),
            doing: String::new(),
            is_moving: false,
            latencies_ms: Vec::new(),
            marks: Vec::new(),
            last_line: Instant::now(),
        }
    }

    /// Says what begins, in a line that stays.
    pub(super) fn begin(&mut self, doing: &str) {
        self.doing = doing.to_owned();
        self.note(doing);
    }

    /// The same for a phase that is measured.
    pub(super) fn begin_phase(&mut self, phase: Phase, doing: &str) {
        self.marks.push((self.latencies_ms.len(), phase.as_str()));
        self.is_moving = phase == Phase::Moving;
        self.begin(&format!("{}: {doing}", phase.as_str()));
    }

    /// A line that stays.
    pub(super) fn note(&mut self, text: &str) {
        self.output.note(&hang(&self.time(), text));
        self.last_line = Instant::now();
    }

    /// Waits for `work` and keeps the display alive. A signal ends it, unless `work` minds signals by itself.
    pub(super) async fn beside<T>(
        &mut self,
        traffic: Option<&Traffic>,
        interrupt: Option<&Interrupt>,
        work: impl Future<Output = T>,
    ) -> Result<T, Halt> {
        let mut work = std::pin::pin!(work);
        let left = async {
            match interrupt {
                Some(interrupt) => interrupt.wait().await,
                None => std::future::pending().await,
            }
        };
        let mut left = std::pin::pin!(left);
        loop {
            tokio::select! {
                biased;
                () = &mut left => return Err(Halt::Interrupted),
                done = &mut work => {
                    self.tick(traffic);
                    return Ok(done);
                }
                () = tokio::time::sleep(DRAW_INTERVAL) => self.tick(traffic),
            }
        }
    }

    fn tick(&mut self, traffic: Option<&Traffic>) {
        let now = traffic.map(Traffic::snapshot);
        if let Some(now) = &now {
            self.take_second(now);
        }
        let news: Vec<String> = self.ear.story().news.drain(..).collect();
        for text in news {
            self.note(&cut(&text, NEWS_MAX));
        }
        match &self.block {
            Some(block) => block.set_message(self.lines(now.as_ref()).join("\n")),
            None if self.last_line.elapsed() >= LINE_INTERVAL => {
                let text = self.status_line(now.as_ref());
                self.note(&text);
            }
            None => {}
        }
    }

    fn take_second(&mut self, now: &Snapshot) {
        let seconds = usize::try_from(now.elapsed_ms / 1_000).unwrap_or(usize::MAX);
        let latency = now.last_second.write_p99_ms.max(now.waiting_max_ms);
        // A tick that came late leaves no hole.
        while self.latencies_ms.len() < seconds {
            self.latencies_ms.push(latency);
        }
    }

    /// At most [`WIDTH`] columns each.
    fn lines(&self, now: Option<&Snapshot>) -> Vec<String> {
        let mut lines = vec![cut(&format!("{}{}", self.time(), self.doing), WIDTH)];
        if let Some(now) = now {
            let from = self.latencies_ms.len().saturating_sub(SPARK);
            let marks: Vec<(usize, &str)> = self
                .marks
                .iter()
                .enumerate()
                // The phase that was under way at the left edge stands there.
                .filter(|(i, _)| self.marks.get(i + 1).is_none_or(|(next, _)| *next > from))
                .map(|(_, (at, name))| (at.saturating_sub(from), *name))
                .collect();
            let latencies = self.latencies_ms.get(from..).unwrap_or_default();
            lines.push(format!("  {}", spark::line(latencies, self.is_painted)));
            lines.push(format!("  {}", spark::ruler(&marks, SPARK)));
            lines.push(cut(&format!("  {}", pulse(now)), WIDTH));
        }
        if self.is_moving {
            let scene = self.ear.story().scene.block();
            lines.extend(scene.iter().map(|line| cut(line, WIDTH)));
        }
        lines
    }

    fn status_line(&self, now: Option<&Snapshot>) -> String {
        let scene = self.ear.story().scene.line().filter(|_| self.is_moving);
        let parts = [now.map(pulse), scene];
        let text: Vec<String> = parts.into_iter().flatten().collect();
        match text.is_empty() {
            true => self.doing.clone(),
            false => text.join("; "),
        }
    }

    /// Time since the start, `[0:01:05] `.
    fn time(&self) -> String {
        let seconds = self.started.elapsed().as_secs();
        format!(
            "[{}:{:02}:{:02}] ",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        )
    }

    /// The latency of each second so far.
    pub(super) fn curve(&self) -> Vec<f64> {
        self.latencies_ms.clone()
    }

    /// Takes the block away.
    fn end(&mut self) {
        self.output.show_bar(None);
        if let Some(block) = self.block.take() {
            block.finish_and_clear();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.end();
    }
}

/// How the application fares right now.
fn pulse(now: &Snapshot) -> String {
    let second = &now.last_second;
    let mut text = format!("{} writes/s", figure(second.writes_per_s.round()));
    if second.writes > 0 {
        text.push_str(&format!(
            ", p50 {}, p99 {}",
            millis(second.write_p50_ms),
            millis(second.write_p99_ms)
        ));
    }
    if now.waiting_max_ms >= 50.0 {
        text.push_str(&format!(", somebody waits since {}", millis(now.waiting_max_ms)));
    }
    if second.errors > 0 {
        text.push_str(&format!(", {} errors", second.errors));
    }
    text
}

/// What the sparkline's height means.
pub(super) fn legend() -> String {
    format!(
        "On a terminal: one column a second, p99 of a write, from {} or less (lowest) to {} or more (highest).",
        millis(spark::LOW_MS),
        millis(spark::HIGH_MS)
    )
}
