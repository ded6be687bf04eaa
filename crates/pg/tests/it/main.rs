//! The floor on a real server.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on says so by panicking

mod binding;
mod connect;
mod conninfo;
mod lock_budget;
mod tls;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use corridor_pg::conninfo::{Environment, FileText, ProcessEnvironment};
use corridor_pg::{ApplicationName, ConnectOptions, Session};

/// An environment with only these variables and this home; files are the real ones.
#[derive(Clone)]
struct Around {
    variables: BTreeMap<String, String>,
    home: PathBuf,
}

impl Around {
    fn nothing() -> Self {
        Around {
            variables: BTreeMap::new(),
            home: PathBuf::from("/nonexistent"),
        }
    }

    fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    fn home(mut self, home: &Path) -> Self {
        self.home = home.to_owned();
        self
    }

    fn resolve(&self, text: &str) -> ConnectOptions {
        ConnectOptions::resolve(Some(text), self).unwrap()
    }
}

impl Environment for Around {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<FileText> {
        ProcessEnvironment.read(path)
    }

    fn exists(&self, path: &Path) -> bool {
        ProcessEnvironment.exists(path)
    }

    fn user_name(&self) -> Option<String> {
        ProcessEnvironment.user_name()
    }

    fn home(&self) -> Option<PathBuf> {
        Some(self.home.clone())
    }
}

fn name() -> ApplicationName {
    ApplicationName::new("test", "-")
}

async fn connect(url: &str) -> Session {
    Around::nothing().resolve(url).connect(&name()).await.unwrap()
}

/// Waits until `sql` (one boolean) says yes. Each question is a round trip, so this does not spin idly.
async fn wait_until(observer: &Session, sql: &str) {
    let start = Instant::now();
    while !observer.query_one(sql, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(start.elapsed() < Duration::from_secs(30), "still not: {sql}");
        tokio::task::yield_now().await;
    }
}

/// The text of the pid's wait: yes once it waits for a lock.
fn waits_for_lock(pid: i32) -> String {
    format!("select exists (select from pg_locks where pid = {pid} and not granted)")
}
