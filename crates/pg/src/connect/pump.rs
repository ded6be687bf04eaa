//! The task that drives a connection, and the means to end it.

use std::sync::{Arc, OnceLock};

use tokio_postgres::AsyncMessage;

use super::Line;
use crate::fault::Fault;
use crate::session::ApplicationName;

/// Why a connection ended, once it has.
type Ending = Arc<OnceLock<String>>;

/// The capability to end a connection from our side, from anywhere, without a word to the server: for one whose peer
/// has fallen silent. Whoever waits for an answer on it gets `PG-006` at once.
#[derive(Debug, Clone)]
pub struct Severer {
    ending: Ending,
    pump: tokio::task::AbortHandle,
}

impl Severer {
    /// Ends it; `why` becomes its [`ending`](crate::Session::ending). Does nothing when it has ended already.
    pub fn sever(&self, why: &str) {
        let _ = self.ending.set(why.to_owned());
        self.pump.abort();
    }

    /// True once the connection has ended, however it did.
    pub fn is_ended(&self) -> bool {
        self.pump.is_finished()
    }

    pub(crate) fn ending(&self) -> Option<&str> {
        self.ending.get().map(String::as_str)
    }
}

/// Drives the connection until it ends; the server's notices go to the log.
pub(super) fn spawn_pump(mut line: Line, name: &ApplicationName) -> Severer {
    let ending = Ending::default();
    let (told, name) = (ending.clone(), name.clone());
    let pump = tokio::spawn(async move {
        loop {
            match std::future::poll_fn(|cx| line.poll_message(cx)).await {
                Some(Ok(AsyncMessage::Notice(notice))) => {
                    tracing::debug!(session = %name, severity = notice.severity(), "{}", notice.message());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let fault = Fault::from_driver(error);
                    tracing::debug!(session = %name, "the connection ended: {}", fault.detail());
                    // Somebody may have severed it in the same instant; one reason is enough.
                    let _ = told.set(fault.detail().to_owned());
                    return;
                }
                None => return,
            }
        }
    });
    Severer {
        ending,
        pump: pump.abort_handle(),
    }
}
