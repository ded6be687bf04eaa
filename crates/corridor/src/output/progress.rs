//! What a running move says: JSON lines on stdout, a block that moves on a terminal, or one line per interval.
//!
//! The worker must never wait for a terminal or a pipe. So what it says goes through a queue to a thread that writes;
//! when the queue is full, because nobody reads, reports are dropped and counted, and the work goes on.

mod scene;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use corridor_migration::Name;
use corridor_move::run::{Progress, Watcher};
use corridor_pg::{Fault, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

pub(crate) use self::scene::{Scene, pending};
use super::text::{cut, hang};
use super::{Output, WIDTH};
use crate::fault::RUNTIME;

/// Without a terminal: time between two status lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Reports that may wait to be written; some minutes of them.
const QUEUE_MAX: usize = 1_024;

/// A message to the writing thread.
enum Message {
    Said(Box<Progress>),
    /// Nothing follows.
    End,
}

/// Hears a running move and shows it.
pub(crate) struct Board {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    writer: Option<JoinHandle<()>>,
}

impl Board {
    /// Starts to show what is said about `migration`, in the form that `output` asks for.
    /// `is_worker`: this process is to do the work, and nobody else.
    pub(crate) fn start(output: &Arc<Output>, migration: &Name, is_worker: bool) -> Result<Board> {
        let (queue, receiver) = sync_channel(QUEUE_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let screen = Screen {
            output: Arc::clone(output),
            dropped: Arc::clone(&dropped),
            scene: Scene::of(migration.as_str()),
            started: Instant::now(),
            waiting: match is_worker {
                true => "taking it over; the lease of a worker that died must run out first".to_owned(),
                false => {
                    format!(
                        "waiting for the worker at work; `corridor status {migration}` shows how far it is"
                    )
                }
            },
        };
        let writer = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || screen.run(&receiver))
            .map_err(|error| Fault::new(&RUNTIME, format!("starting a thread: {error}")).caused_by(error))?;
        Ok(Board {
            queue,
            dropped,
            writer: Some(writer),
        })
    }

    /// What the worker speaks to.
    pub(crate) fn watcher(&self) -> Arc<dyn Watcher> {
        Arc::new(Ear {
            queue: self.queue.clone(),
            dropped: Arc::clone(&self.dropped),
        })
    }

    /// Writes what is still in the queue, and takes the moving block away.
    pub(crate) fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(writer) = self.writer.take()
            && self.queue.send(Message::End).is_ok()
        {
            // A panic there was reported where it happened.
            let _ = writer.join();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.end();
    }
}

/// Puts what the worker says into the queue.
struct Ear {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Watcher for Ear {
    fn on(&self, progress: &Progress) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Message::Said(Box::new(progress.clone()))) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Reports that nobody took in time.
#[derive(Serialize)]
struct DroppedDocument {
    event: &'static str,
    count: u64,
}

/// The writing thread.
struct Screen {
    output: Arc<Output>,
    dropped: Arc<AtomicU64>,
    scene: Scene,
    started: Instant,
    /// What is said while nothing is heard: somebody else does the work.
    waiting: String,
}

impl Screen {
    fn run(mut self, receiver: &Receiver<Message>) {
        let block = self.output.is_watched().then(Block::new);
        if let Some(block) = &block {
            self.output.show_bar(Some(block.0.clone()));
        }
        let interval = if block.is_some() {
            Duration::from_secs(1)
        } else {
            LINE_INTERVAL
        };
        let mut next = Instant::now() + interval;
        loop {
            match receiver.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Message::Said(progress)) => self.hear(&progress, block.as_ref()),
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + interval;
                    match &block {
                        Some(block) => block.draw(&self.scene, &self.waiting),
                        None => self.status_line(),
                    }
                }
            }
        }
        self.tell_dropped();
        if let Some(block) = &block {
            self.output.show_bar(None);
            block.0.finish_and_clear();
        }
    }

    fn hear(&mut self, progress: &Progress, block: Option<&Block>) {
        if self.output.is_json() {
            self.tell_dropped();
            // A full disk under stdout must not stop a move; the final document reports the fault.
            let _ = self.output.json_line(progress);
            return;
        }
        if let Some(text) = self.scene.take(progress) {
            self.output.note(&hang(&self.time(), &text));
        }
        if let Some(block) = block {
            block.draw(&self.scene, "");
        }
    }

    fn tell_dropped(&self) {
        let count = self.dropped.swap(0, Ordering::Relaxed);
        if count == 0 {
            return;
        }
        if self.output.is_json() {
            let _ = self.output.json_line(&DroppedDocument {
                event: "dropped",
                count,
            });
        } else {
            let text = format!("{count} reports were dropped because nobody read them in time");
            self.output.note(&hang(&self.time(), &text));
        }
    }

    fn status_line(&self) {
        if self.output.is_json() {
            return;
        }
        // What lasts is said again: silence would look like a stop.
        let line = self.scene.line().unwrap_or_else(|| self.waiting.clone());
        self.output.note(&hang(&self.time(), &line));
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
}

/// The lines at the bottom of a terminal that are drawn over and over.
struct Block(ProgressBar);

impl Block {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        Block(bar)
    }

    /// Draws the scene; `waiting` instead of one that is empty.
    fn draw(&self, scene: &Scene, waiting: &str) {
        let lines = match scene.line() {
            Some(_) => scene.block(),
            None => vec![waiting.to_owned()],
        };
        let lines: Vec<String> = lines.iter().map(|line| cut(line, WIDTH)).collect();
        self.0.set_message(lines.join("\n"));
    }
}
