//! Ctrl-C and SIGTERM: the first asks to checkpoint and leave, the second leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use corridor_pg::{Fault, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::fault::RUNTIME;
use crate::output::Output;

/// SIGINT.
const INTERRUPTED: u8 = 130;
/// SIGTERM.
const TERMINATED: u8 = 143;

/// Whether this process was asked to leave.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
    code: Arc<AtomicU8>,
}

impl Interrupt {
    /// Listens from now on. `before_leaving` is said when the first signal comes.
    pub(crate) fn listen(output: &Arc<Output>) -> Result<Self> {
        let refused = |error: std::io::Error| {
            Fault::new(&RUNTIME, format!("listening for signals: {error}")).caused_by(error)
        };
        let mut int = signal(SignalKind::interrupt()).map_err(refused)?;
        let mut term = signal(SignalKind::terminate()).map_err(refused)?;
        let (sender, asked) = watch::channel(false);
        let code = Arc::new(AtomicU8::new(INTERRUPTED));
        let (shared, output) = (Arc::clone(&code), Arc::clone(output));
        tokio::spawn(async move {
            loop {
                let code = tokio::select! {
                    _ = int.recv() => INTERRUPTED,
                    _ = term.recv() => TERMINATED,
                };
                if *sender.borrow() {
                    output.show_bar(None);
                    std::process::exit(i32::from(code));
                }
                shared.store(code, Ordering::Relaxed);
                sender.send_replace(true);
            }
        });
        Ok(Interrupt { asked, code })
    }

    /// For a part that may be asked to leave on its own, by the sender; it leaves with the process as well.
    pub(crate) fn branch(&self) -> (watch::Sender<bool>, Interrupt) {
        let (sender, asked) = watch::channel(false);
        let (whole, forward) = (self.clone(), sender.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = whole.wait() => drop(forward.send_replace(true)),
                // Nobody of that part is left.
                () = forward.closed() => {}
            }
        });
        let code = Arc::clone(&self.code);
        (sender, Interrupt { asked, code })
    }

    /// Becomes true when the first signal comes.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.asked.clone()
    }

    /// True once a signal has come.
    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns when the first signal comes.
    pub(crate) async fn wait(&self) {
        // The sender lives as long as the runtime.
        if self.asked.clone().wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What the process returns when it leaves because of the signal.
    pub(crate) fn code(&self) -> u8 {
        self.code.load(Ordering::Relaxed)
    }

    /// Carries out what may be left at any moment; `None` when a signal came first.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.wait() => None,
        }
    }
}
