//! A throwaway cluster of one major, in a directory of its own.
//!
//! It listens on 127.0.0.1 and on a Unix socket, runs as an ordinary user, and is gone, with its directory, as soon as
//! the process that started it is gone, SIGKILL included (see `guardian`). Several may run side by side, also from
//! several processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use crate::error::{Error, Result};
use crate::oid_counter::OidCounter;
use crate::server::{Server, escaped};
use crate::servers::Installation;

/// How clients prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Everybody is believed.
    Trust,
    /// With a password, over TCP and over the socket.
    ScramSha256 {
        /// The superuser's password.
        password: String,
    },
}

/// How to stop a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Waits until all sessions have left by themselves.
    Smart,
    /// Ends all sessions, then a checkpoint.
    Fast,
    /// As a crash: no checkpoint; the next start recovers from the write-ahead log.
    Immediate,
}

impl Mode {
    pub(crate) fn signal(self) -> &'static str {
        match self {
            Mode::Smart => "TERM",
            Mode::Fast => "INT",
            Mode::Immediate => "QUIT",
        }
    }
}

/// What kind of cluster to start.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The wanted major.
    pub major: u32,
    /// Settings for `postgresql.conf`; they win over the testbed's own.
    pub settings: Vec<(String, String)>,
    /// False (the default): `fsync` and `full_page_writes` are off. A crash of the *server* loses nothing then; a
    /// crash of the machine would.
    pub fsync: bool,
    /// The superuser that `initdb` makes.
    pub superuser: String,
    /// Trust by default.
    pub auth: Auth,
    /// True: the cluster outlives the process.
    pub keep: bool,
    /// `None`: a free port.
    pub port: Option<u16>,
}

impl ClusterOptions {
    /// The defaults for a major.
    pub fn new(major: u32) -> Self {
        ClusterOptions {
            major,
            settings: Vec::new(),
            fsync: false,
            superuser: "postgres".to_owned(),
            auth: Auth::Trust,
            keep: false,
            port: None,
        }
    }

    /// Adds a setting for `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A database of a cluster.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// URL for the superuser, over TCP.
    pub url: String,
}

/// A running (or stopped) throwaway cluster. Dropping it ends it and removes its directory.
#[derive(Debug)]
pub struct Cluster {
    inner: Arc<Server>,
}

impl Cluster {
    /// Makes a cluster and starts it. Takes about a second.
    pub async fn start(options: ClusterOptions) -> Result<Cluster> {
        let inner = blocking(move || Server::create(options)).await?;
        let keep = inner.options.keep;
        let cluster = Cluster { inner };
        if keep {
            cluster.keep()?;
        }
        Ok(cluster)
    }

    /// A server that was made and started elsewhere.
    pub(crate) fn of(inner: Arc<Server>) -> Cluster {
        Cluster { inner }
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.inner
    }

    /// The one cluster of this major that all tests of a process share; started at first use.
    ///
    /// # Panics
    /// When it cannot be started, with the reason: a test has no use for that error.
    #[expect(
        clippy::panic,
        reason = "documented: for tests, which have nothing better to do with the error"
    )]
    pub async fn shared(major: u32) -> &'static Cluster {
        static SHARED: Mutex<BTreeMap<u32, Arc<OnceCell<&'static Cluster>>>> = Mutex::new(BTreeMap::new());
        let cell = Arc::clone(lock(&SHARED).entry(major).or_default());
        let started = cell
            .get_or_try_init(|| async {
                // Never dropped: statics are not. The guardian ends it with the process.
                let cluster = Cluster::start(ClusterOptions::new(major)).await?;
                Ok::<_, Error>(&*Box::leak(Box::new(cluster)))
            })
            .await;
        match started {
            Ok(cluster) => cluster,
            Err(error) => panic!("the shared cluster of PostgreSQL {major} does not start: {error}"),
        }
    }

    /// The major that runs.
    pub fn major(&self) -> u32 {
        self.inner.installation.major
    }

    /// The programs that it runs from.
    pub fn installation(&self) -> &Installation {
        &self.inner.installation
    }

    /// The TCP port on 127.0.0.1. It stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.inner.port
    }

    /// The superuser's name.
    pub fn superuser(&self) -> &str {
        &self.inner.options.superuser
    }

    /// The directory of the Unix socket.
    pub fn socket_dir(&self) -> PathBuf {
        self.inner.directory.join("s")
    }

    /// The data directory. Only the user that the server runs as may enter it.
    pub fn data_dir(&self) -> PathBuf {
        self.inner.data_dir()
    }

    /// URL of a database for the superuser over TCP.
    pub fn url(&self, database: &str) -> String {
        self.inner.url("127.0.0.1", database)
    }

    /// URL of a database for the superuser over the Unix socket.
    pub fn socket_url(&self, database: &str) -> String {
        let dir = self.socket_dir();
        self.inner.url(&escaped(&dir.to_string_lossy()), database)
    }

    /// A new empty database with a name that nobody else has; `label` is for people.
    pub async fn fresh_database(&self, label: &str) -> Result<Database> {
        let label: String = label
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(40)
            .collect();
        let number = self.inner.databases_made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{label}_{number}");
        let client = self.connect("postgres").await?;
        // The name holds only lower-case letters, digits and underscores.
        client
            .batch_execute(&format!("create database \"{name}\""))
            .await
            .map_err(Error::postgres(format!("making database {name}")))?;
        Ok(Database {
            url: self.url(&name),
            name,
        })
    }

    /// A session of the superuser. The connection runs on the current runtime.
    pub async fn connect(&self, database: &str) -> Result<tokio_postgres::Client> {
        connect(&self.url(database)).await
    }

    /// Stops the server and waits until it is gone. Does nothing when it is gone already.
    pub async fn stop(&self, mode: Mode) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.stop(mode)).await
    }

    /// Starts the stopped server on the same port and waits until it takes connections.
    pub async fn start_again(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.launch()).await
    }

    /// Stops and starts. `Mode::Immediate` is what a crash looks like.
    pub async fn restart(&self, mode: Mode) -> Result<()> {
        self.stop(mode).await?;
        self.start_again().await
    }

    /// Makes the server hand out object ids from `oid` on: stops it, resets the counter, starts it.
    pub async fn reset_wal_next_oid(&self, oid: u32) -> Result<()> {
        self.stop(Mode::Fast).await?;
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.reset_next_oid(oid)).await?;
        self.start_again().await
    }

    /// Makes the server hand out transaction ids from `xid` on, which is ahead of the next one: stops it, resets the
    /// counter, starts it. Up to 2^31 less 3 million behind the oldest id that a database needs it takes writes.
    pub async fn reset_wal_next_xid(&self, xid: u32) -> Result<()> {
        self.stop(Mode::Fast).await?;
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.reset_next_xid(xid)).await?;
        self.start_again().await
    }

    /// The counter of object ids of the running server, to read and to set while it runs. Void after a restart.
    pub fn oid_counter(&self) -> Result<OidCounter> {
        let pid = self.server_pid()?;
        let executable = self.inner.installation.bin_dir.join("postgres");
        OidCounter::find(pid, &executable, &self.inner.user)
    }

    /// The server's main process.
    pub fn server_pid(&self) -> Result<u32> {
        match &self.inner.state().server {
            Some(server) => Ok(server.id()),
            None => Err(Error::Request("the server does not run".to_owned())),
        }
    }

    /// Lets the cluster outlive this process. What it takes to end it by hand is the caller's to tell.
    pub fn keep(&self) -> Result<()> {
        let mut state = self.inner.state();
        // The server goes on without us; forgetting the handle neither kills nor waits.
        match state.guardian.take() {
            Some(guardian) => guardian.dismiss(),
            None => Ok(()),
        }
    }

    /// Makes a file of the data directory, named from there, as long as this: a hole behind its end. To the server these are pages
    /// that nothing was written to yet.
    pub fn lengthen(&self, file: &str, bytes: u64) -> Result<()> {
        let path = self.data_dir().join(file);
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(bytes))
            .map_err(Error::io(format!("making {} longer", path.display())))
    }

    /// What the server has logged so far.
    pub fn server_log(&self) -> Result<String> {
        self.inner.server_log()
    }

    /// Everything of this cluster is in here: `data`, `s`, `server.log`.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }
}

/// A session by URL, without TLS. The connection runs on the current runtime.
pub async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .map_err(Error::postgres("connecting to the testbed's server"))?;
    // An error of the connection shows up at the client's next call; here there is nobody to tell.
    tokio::spawn(async move { connection.await.ok() });
    Ok(client)
}

/// Runs what blocks (processes, files) beside the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Request("the runtime ended".to_owned())),
        },
    }
}

/// A panic elsewhere leaves nothing half-done in what these locks protect.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
