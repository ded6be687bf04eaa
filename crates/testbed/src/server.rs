//! The server of one cluster: its directory, its configuration, its process. Blocking; `cluster` calls it beside the
//! runtime.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Child;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::checkpoint::{self, Counter};
use crate::cluster::{Auth, ClusterOptions, Mode, lock};
use crate::error::{Error, Result};
use crate::guardian::Guardian;
use crate::servers::{Installation, Servers};
use crate::system::{self, ServerUser};

/// Starting includes crash recovery, which takes a while after `Immediate` under traffic.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// A fast shutdown waits for a checkpoint.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a file or a child is looked at while waiting: neither can be waited for without unsafe code.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A file of the commit log: 32 pages, two bits for each transaction.
const SEGMENT_BYTES: usize = 32 * 8_192;
const XIDS_PER_SEGMENT: u32 = 4 * SEGMENT_BYTES as u32;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) installation: Installation,
    pub(crate) options: ClusterOptions,
    pub(crate) user: ServerUser,
    /// Holds `data`, `s` (the socket) and `server.log`.
    pub(crate) directory: PathBuf,
    pub(crate) port: u16,
    state: Mutex<State>,
    pub(crate) databases_made: AtomicU32,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) server: Option<Child>,
    pub(crate) guardian: Option<Guardian>,
}

impl Server {
    pub(crate) fn create(options: ClusterOptions) -> Result<Arc<Server>> {
        let inner = Server::vacant(options)?;
        inner.initialize()?;
        inner.settle()
    }

    /// A hot standby of `primary`, which runs where the installation has `pg_basebackup` and is stopped where not.
    pub(crate) fn copy_of(primary: &Server, options: ClusterOptions) -> Result<Arc<Server>> {
        let inner = Server::vacant(options)?;
        inner.make_directories()?;
        inner.copy_data(primary)?;
        let signal = inner.data_dir().join("standby.signal");
        fs::write(&signal, "").map_err(Error::io(format!("writing {}", signal.display())))?;
        inner.user.own(&signal)?;
        inner.settle()
    }

    /// A guarded directory, and nothing in it. Dropping it removes the directory.
    fn vacant(options: ClusterOptions) -> Result<Server> {
        let installation = Servers::major(options.major)?;
        let user = ServerUser::find()?;
        let directory = make_directory()?;
        let guardian = Guardian::post(&directory, "data/postmaster.pid")?;
        Ok(Server {
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
        })
    }

    /// Finds a port and starts the server for the first time.
    fn settle(mut self) -> Result<Arc<Server>> {
        let inner = &mut self;
        let mut tries = 0;
        loop {
            inner.port = match inner.options.port {
                Some(port) => port,
                None => free_port()?,
            };
            inner.configure()?;
            tries += 1;
            match inner.launch() {
                Ok(()) => return Ok(Arc::new(self)),
                // Somebody else may have taken the port since we looked.
                Err(_) if inner.options.port.is_none() && tries < 5 && inner.was_port_taken() => continue,
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn make_directories(&self) -> Result<()> {
        for (name, mode) in [("data", 0o700), ("s", 0o755)] {
            let path = self.directory.join(name);
            fs::create_dir(&path).map_err(Error::io(format!("making {}", path.display())))?;
            fs::set_permissions(&path, Permissions::from_mode(mode))
                .map_err(Error::io(format!("setting the mode of {}", path.display())))?;
            self.user.own(&path)?;
        }
        Ok(())
    }

    /// Fills our empty data directory with the primary's.
    fn copy_data(&self, primary: &Server) -> Result<()> {
        let mut command = match self.installation.program("pg_basebackup") {
            Some(program) => {
                let mut command = self.user.command(&program);
                command
                    .args([
                        "--no-sync",
                        "--checkpoint=fast",
                        "--wal-method=stream",
                        "--pgdata",
                    ])
                    .arg(self.data_dir())
                    .arg("--dbname")
                    .arg(primary.conninfo("pg_basebackup"));
                command
            }
            None => {
                let mut command = self.user.command("cp".as_ref());
                command.arg("-a").arg(primary.data_dir().join("."));
                command.arg(self.data_dir());
                command
            }
        };
        let doing = "copying the primary's data directory";
        let output = command.output().map_err(Error::io(doing))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::Program {
                doing: doing.to_owned(),
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    }

    /// How a replica connects to this server: over the socket, as the superuser.
    pub(crate) fn conninfo(&self, application_name: &str) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let mut text = format!(
            "host={} port={} user={} application_name={}",
            quoted(&self.directory.join("s").to_string_lossy()),
            self.port,
            quoted(&self.options.superuser),
            quoted(application_name)
        );
        if let Auth::ScramSha256 { password } = &self.options.auth {
            text.push_str(&format!(" password={}", quoted(password)));
        }
        text
    }

    fn initialize(&self) -> Result<()> {
        self.make_directories()?;
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
            // A backslash escapes here, unlike in SQL.
            let value = value.replace('\\', "\\\\").replace('\'', "''");
            text.push_str(&format!("{name} = '{value}'\n"));
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
    pub(crate) fn launch(&self) -> Result<()> {
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

    pub(crate) fn stop(&self, mode: Mode) -> Result<()> {
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

    pub(crate) fn reset_next_oid(&self, oid: u32) -> Result<()> {
        self.reset_wal("-o", oid, Counter::Oid(oid))
    }

    pub(crate) fn reset_next_xid(&self, xid: u32) -> Result<()> {
        self.reset_wal("-x", xid, Counter::Xid(xid))?;
        // The server asks the commit log for the page that the next id is on; those before it nobody asks for.
        let segment = self
            .data_dir()
            .join(format!("pg_xact/{:04X}", xid / XIDS_PER_SEGMENT));
        if segment.exists() {
            return Ok(());
        }
        fs::write(&segment, vec![0; SEGMENT_BYTES])
            .map_err(Error::io(format!("writing {}", segment.display())))?;
        self.user.own(&segment)
    }

    /// Sets a counter of the stopped server, by `pg_resetwal` where the installation has it.
    fn reset_wal(&self, option: &str, value: u32, counter: Counter) -> Result<()> {
        let Some(program) = self.installation.program("pg_resetwal") else {
            return checkpoint::write(&self.data_dir(), counter);
        };
        let output = self
            .user
            .command(&program)
            .arg(option)
            .arg(value.to_string())
            .arg(self.data_dir())
            .output()
            .map_err(Error::io(format!("running {}", program.display())))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::Program {
                doing: format!("setting {counter:?}"),
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    }

    pub(crate) fn server_log(&self) -> Result<String> {
        let path = self.directory.join("server.log");
        let bytes = fs::read(&path).map_err(Error::io(format!("reading {}", path.display())))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn url(&self, escaped_host: &str, database: &str) -> String {
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

impl Drop for Server {
    fn drop(&mut self) {
        let guardian = self.state().guardian.take();
        // Without a guardian the cluster is to outlive us.
        if let Some(guardian) = guardian {
            self.stop(Mode::Immediate).ok();
            guardian.finish().ok();
        }
    }
}

/// A new directory of our own with a short path: a socket's path has room for 107 bytes.
pub(crate) fn make_directory() -> Result<PathBuf> {
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
pub(crate) fn free_port() -> Result<u16> {
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
pub(crate) fn escaped(text: &str) -> String {
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
