//! A throwaway cluster of one major, in a directory of its own.
//!
//! It listens on 127.0.0.1 and on a Unix socket, runs as an ordinary user, and is gone, with its directory, as soon as
//! the process that started it is gone, SIGKILL included (see `guardian`). Several may run side by side, also from
//! several processes.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use crate::error::{Error, Result};
use crate::guardian::Guardian;
use crate::next_oid;
use crate::oid_counter::OidCounter;
use crate::servers::{Installation, Servers};
use crate::system::{self, ServerUser};

/// Starting includes crash recovery, which takes a while after `Immediate` under traffic.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// A fast shutdown waits for a checkpoint.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a file or a child is looked at while waiting: neither can be waited for without unsafe code.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

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
    fn signal(self) -> &'static str {
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
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    installation: Installation,
    options: ClusterOptions,
    user: ServerUser,
    /// Holds `data`, `s` (the socket) and `server.log`.
    directory: PathBuf,
    port: u16,
    state: Mutex<State>,
    databases_made: AtomicU32,
}

#[derive(Debug)]
struct State {
    server: Option<Child>,
    guardian: Option<Guardian>,
}

impl Cluster {
    /// Makes a cluster and starts it. Takes about a second.
    pub async fn start(options: ClusterOptions) -> Result<Cluster> {
        let inner = blocking(move || Inner::create(options)).await?;
        let keep = inner.options.keep;
        let cluster = Cluster { inner };
        if keep {
            cluster.keep()?;
        }
        Ok(cluster)
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

impl Inner {
    fn create(options: ClusterOptions) -> Result<Arc<Inner>> {
        let installation = Servers::major(options.major)?;
        let user = ServerUser::find()?;
        let directory = make_directory()?;
        let guardian = Guardian::post(&directory)?;
        // From here on every way out drops `inner`, and with it the directory.
        let mut inner = Inner {
            installation,
            port: 0,
            options,
            user,
            directory,
            state: Mutex::new(State {
                server: None,
                guardian: Some(guardian),
            }),
            databases_made: AtomicU32::new(0),
        };
        inner.initialize()?;
        let mut tries = 0;
        loop {
            inner.port = match inner.options.port {
                Some(port) => port,
                None => free_port()?,
            };
            inner.configure()?;
            tries += 1;
            match inner.launch() {
                Ok(()) => return Ok(Arc::new(inner)),
                // Somebody else may have taken the port since we looked.
                Err(_) if inner.options.port.is_none() && tries < 5 && inner.was_port_taken() => continue,
                Err(error) => return Err(error),
            }
        }
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn initialize(&self) -> Result<()> {
        for (name, mode) in [("data", 0o700), ("s", 0o755)] {
            let path = self.directory.join(name);
            fs::create_dir(&path).map_err(Error::io(format!("making {}", path.display())))?;
            fs::set_permissions(&path, Permissions::from_mode(mode))
                .map_err(Error::io(format!("setting the mode of {}", path.display())))?;
            self.user.own(&path)?;
        }
        // C.UTF-8 compares as C does and knows the classes of all characters; not every system has it.
        match self.initdb("C.UTF-8") {
            Err(Error::Program { .. }) => self.initdb("C"),
            other => other,
        }
    }

    fn initdb(&self, locale: &str) -> Result<()> {
        let program = self.installation.bin_dir.join("initdb");
        let mut command = self.user.command(&program);
        command
            .args(["--no-sync", "--encoding=UTF8", "--no-instructions"])
            .arg(format!("--locale={locale}"))
            .arg(format!("--username={}", self.options.superuser))
            .arg("--pgdata")
            .arg(self.data_dir());
        match &self.options.auth {
            Auth::Trust => command.arg("--auth=trust"),
            Auth::ScramSha256 { password } => {
                let file = self.directory.join("password");
                fs::write(&file, password).map_err(Error::io("writing the password file"))?;
                self.user.own(&file)?;
                command.arg("--auth=scram-sha-256").arg("--pwfile").arg(file)
            }
        };
        let output = command
            .output()
            .map_err(Error::io(format!("running {}", program.display())))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::Program {
                doing: format!("running {}", program.display()),
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    }

    fn configure(&self) -> Result<()> {
        let path = self.data_dir().join("postgresql.conf");
        fs::write(&path, self.configuration()).map_err(Error::io(format!("writing {}", path.display())))?;
        self.user.own(&path)
    }

    /// The whole `postgresql.conf`. Of a name that comes twice the server takes the last.
    fn configuration(&self) -> String {
        let onoff = if self.options.fsync { "on" } else { "off" };
        let port = self.port.to_string();
        let socket_dir = self.directory.join("s").to_string_lossy().into_owned();
        let mut text = String::from("# Written by Corridor's testbed.\n");
        let mut set = |name: &str, value: &str| {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        };
        set("listen_addresses", "127.0.0.1");
        set("port", &port);
        set("unix_socket_directories", &socket_dir);
        set("fsync", onoff);
        set("full_page_writes", onoff);
        set("max_connections", "100");
        set("shared_buffers", "128MB");
        set("max_wal_size", "4GB");
        set("max_prepared_transactions", "10");
        set("wal_level", "logical");
        set("timezone", "UTC");
        set("log_timezone", "UTC");
        set("log_lock_waits", "on");
        set("log_line_prefix", "%m [%p] %q%a ");
        if self.installation.has_extension("pg_stat_statements") {
            set("shared_preload_libraries", "pg_stat_statements");
        }
        for (name, value) in &self.options.settings {
            set(name, value);
        }
        text
    }

    /// Starts the server and waits until it takes connections.
    fn launch(&self) -> Result<()> {
        let mut state = self.state();
        if let Some(server) = state.server.as_mut()
            && matches!(server.try_wait(), Ok(None))
        {
            return Err(Error::Request("the server runs already".to_owned()));
        }
        let log_path = self.directory.join("server.log");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(Error::io(format!("opening {}", log_path.display())))?;
        let log_too = log
            .try_clone()
            .map_err(Error::io("opening the server's log twice"))?;
        let logged_before = log.metadata().map(|m| m.len()).unwrap_or(0);
        let program = self.installation.bin_dir.join("postgres");
        let server = self
            .user
            .command(&program)
            .arg("-D")
            .arg(self.data_dir())
            .stdout(log)
            .stderr(log_too)
            .spawn()
            .map_err(Error::io(format!("starting {}", program.display())))?;
        let result = self.wait_until_ready(state.server.insert(server), logged_before);
        if result.is_err() {
            state.server = None;
        }
        result
    }

    fn wait_until_ready(&self, server: &mut Child, logged_before: u64) -> Result<()> {
        let pid_file = self.data_dir().join("postmaster.pid");
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            // Line 1 is the process, line 8 its state.
            if let Ok(text) = fs::read_to_string(&pid_file) {
                let mut lines = text.lines();
                let is_ours = lines.next().and_then(|l| l.trim().parse().ok()) == Some(server.id());
                if is_ours && lines.nth(6).is_some_and(|l| l.trim() == "ready") {
                    return Ok(());
                }
            }
            let ended = server.try_wait().map_err(Error::io("waiting for the server"))?;
            let why = match ended {
                Some(status) => format!("it ended with {status}"),
                None if Instant::now() > deadline => {
                    system::signal("QUIT", server.id())?;
                    format!("it was not ready after {} s", START_TIMEOUT.as_secs())
                }
                None => {
                    std::thread::sleep(POLL_INTERVAL);
                    continue;
                }
            };
            let log = self.server_log().unwrap_or_default();
            let new = log.get(logged_before as usize..).unwrap_or(&log);
            return Err(Error::Program {
                doing: format!("starting PostgreSQL {}", self.installation.major),
                output: format!("{why}\n{}", new.trim()),
            });
        }
    }

    fn was_port_taken(&self) -> bool {
        self.server_log()
            .is_ok_and(|log| log.contains("Address already in use"))
    }

    fn stop(&self, mode: Mode) -> Result<()> {
        let mut state = self.state();
        let Some(server) = state.server.as_mut() else {
            return Ok(());
        };
        let deadline = Instant::now() + STOP_TIMEOUT;
        // The handle has not been waited for, so the process id cannot be somebody else's yet.
        let mut is_running = matches!(server.try_wait(), Ok(None));
        if is_running {
            system::signal(mode.signal(), server.id())?;
        }
        while is_running {
            std::thread::sleep(POLL_INTERVAL);
            is_running = server
                .try_wait()
                .map_err(Error::io("waiting for the server to end"))?
                .is_none();
            if is_running && Instant::now() > deadline {
                return Err(Error::Program {
                    doing: format!("stopping the server ({mode:?})"),
                    output: format!("it still runs after {} s", STOP_TIMEOUT.as_secs()),
                });
            }
        }
        state.server = None;
        Ok(())
    }

    fn reset_next_oid(&self, oid: u32) -> Result<()> {
        let Some(program) = self.installation.program("pg_resetwal") else {
            return next_oid::write_into_checkpoint(&self.data_dir(), oid);
        };
        let output = self
            .user
            .command(&program)
            .arg("-o")
            .arg(oid.to_string())
            .arg(self.data_dir())
            .output()
            .map_err(Error::io(format!("running {}", program.display())))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::Program {
                doing: "resetting the counter of object ids".to_owned(),
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    }

    fn server_log(&self) -> Result<String> {
        let path = self.directory.join("server.log");
        let bytes = fs::read(&path).map_err(Error::io(format!("reading {}", path.display())))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn url(&self, escaped_host: &str, database: &str) -> String {
        let password = match &self.options.auth {
            Auth::Trust => String::new(),
            Auth::ScramSha256 { password } => format!(":{}", escaped(password)),
        };
        format!(
            "postgres://{}{password}@{escaped_host}:{}/{}",
            escaped(&self.options.superuser),
            self.port,
            escaped(database)
        )
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let guardian = self.state().guardian.take();
        // Without a guardian the cluster is to outlive us.
        if let Some(guardian) = guardian {
            self.stop(Mode::Immediate).ok();
            guardian.finish().ok();
        }
    }
}

/// Runs what blocks (processes, files) beside the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Request("the runtime ended".to_owned())),
        },
    }
}

/// A panic elsewhere leaves nothing half-done in what these locks protect.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new directory of our own with a short path: a socket's path has room for 107 bytes.
fn make_directory() -> Result<PathBuf> {
    let base = match std::env::var_os("CORRIDOR_TESTBED_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from("/tmp"),
    };
    loop {
        let path = base.join(format!(
            "corridor-{}-{:04x}",
            std::process::id(),
            fastrand::u16(..)
        ));
        match fs::create_dir(&path) {
            Ok(()) => {
                fs::set_permissions(&path, Permissions::from_mode(0o755))
                    .map_err(Error::io(format!("setting the mode of {}", path.display())))?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(Error::io(format!("making {}", path.display()))(error)),
        }
    }
}

/// A port that nobody listens on now, below the range that the system takes for outgoing connections: a restart must
/// get the same port again.
fn free_port() -> Result<u16> {
    let mut last = None;
    for _ in 0..200 {
        let port = fastrand::u16(20_000..32_000);
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(Error::io("looking for a free port")(
        last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()),
    ))
}

/// Percent-encodes what is not a letter, a digit or one of `-._~`.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
