//! PgBouncer in front of a cluster, as many applications have it: transaction pooling.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, blocking};
use crate::error::{Error, Result};
use crate::guardian::Guardian;
use crate::server::{free_port, make_directory};
use crate::system::{self, ServerUser};

/// How long it may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// PgBouncer signals nothing when it is ready but its open port.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Where Debian has it; `PATH` of an ordinary user does not.
const PLACES: [&str; 3] = [
    "/usr/sbin/pgbouncer",
    "/usr/local/sbin/pgbouncer",
    "/usr/bin/pgbouncer",
];
/// From this version on, prepared statements work in transaction pooling.
const PREPARED_SINCE: (u32, u32) = (1, 21);

/// When a client gives its server connection back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// After each transaction.
    Transaction,
    /// When it leaves.
    Session,
}

/// A running PgBouncer. It ends, with its directory, when it is dropped or when the process is gone.
#[derive(Debug)]
pub struct Pooler {
    directory: PathBuf,
    port: u16,
    server_port: u16,
    version: (u32, u32),
    child: Child,
    guardian: Option<Guardian>,
}

impl Pooler {
    /// Starts one in front of all databases of `cluster`, with `server_connections` for each user and database. Everybody
    /// is believed who is in `users`.
    pub async fn start(
        cluster: &Cluster,
        mode: PoolMode,
        server_connections: u32,
        users: &[&str],
    ) -> Result<Pooler> {
        let server_port = cluster.port();
        let users: Vec<String> = users.iter().map(|user| (*user).to_owned()).collect();
        blocking(move || {
            let mut tries = 0;
            loop {
                tries += 1;
                match launch(server_port, mode, server_connections, &users) {
                    // Somebody else may have taken the port since we looked.
                    Err(_) if tries < 3 => {}
                    outcome => return outcome,
                }
            }
        })
        .await
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL of the cluster, through the pooler.
    pub fn url(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.server_port), &format!(":{}/", self.port))
    }

    /// Whether a statement may be prepared in one transaction and executed in another.
    pub fn is_preparing(&self) -> bool {
        self.version >= PREPARED_SINCE
    }

    /// What it has logged so far.
    pub fn log(&self) -> Result<String> {
        let path = self.directory.join("pgbouncer.log");
        fs::read_to_string(&path).map_err(Error::io(format!("reading {}", path.display())))
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // The handle has not been waited for, so the process id cannot be somebody else's yet.
        if matches!(self.child.try_wait(), Ok(None)) {
            system::signal("TERM", self.child.id()).ok();
            self.child.wait().ok();
        }
        if let Some(guardian) = self.guardian.take() {
            guardian.finish().ok();
        }
    }
}

fn launch(server_port: u16, mode: PoolMode, server_connections: u32, users: &[String]) -> Result<Pooler> {
    let program = program()?;
    let version = version(&program)?;
    let user = ServerUser::find()?;
    let directory = make_directory()?;
    let guardian = Guardian::post(&directory, "pgbouncer.pid")?;
    user.own(&directory)?;
    let port = free_port()?;
    let mode = match mode {
        PoolMode::Transaction => "transaction",
        PoolMode::Session => "session",
    };
    let prepared = match version >= PREPARED_SINCE {
        true => "max_prepared_statements = 200\n",
        false => "",
    };
    let shown = directory.display();
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = {shown}/users.txt\npool_mode = {mode}\n\
         default_pool_size = {server_connections}\nmax_client_conn = 200\nlogfile = {shown}/pgbouncer.log\n\
         pidfile = {shown}/pgbouncer.pid\nignore_startup_parameters = extra_float_digits\n{prepared}"
    );
    let known: String = users.iter().map(|name| format!("\"{name}\" \"\"\n")).collect();
    for (name, text) in [("pgbouncer.ini", settings), ("users.txt", known)] {
        let path = directory.join(name);
        fs::write(&path, text).map_err(Error::io(format!("writing {}", path.display())))?;
    }
    let mut child = user
        .command(&program)
        .arg("--quiet")
        .arg(directory.join("pgbouncer.ini"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io(format!("starting {}", program.display())))?;
    wait_until_listening(&mut child, port, &directory)?;
    Ok(Pooler {
        directory,
        port,
        server_port,
        version,
        child,
        guardian: Some(guardian),
    })
}

fn wait_until_listening(child: &mut Child, port: u16, directory: &Path) -> Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        let ended = child.try_wait().map_err(Error::io("waiting for PgBouncer"))?;
        if ended.is_some() || Instant::now() > deadline {
            let log = fs::read_to_string(directory.join("pgbouncer.log")).unwrap_or_default();
            return Err(Error::Program {
                doing: "starting PgBouncer".to_owned(),
                output: log.trim().to_owned(),
            });
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

fn program() -> Result<PathBuf> {
    let found = PLACES.iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| Error::Request("pgbouncer is missing; script/setup installs it".to_owned()))
}

/// `PgBouncer 1.18.0` as (1, 18).
fn version(program: &Path) -> Result<(u32, u32)> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .map_err(Error::io(format!("running {}", program.display())))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers = text.lines().next().and_then(|line| {
        let mut numbers = line.strip_prefix("PgBouncer ")?.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    });
    numbers.ok_or_else(|| Error::Program {
        doing: "asking PgBouncer for its version".to_owned(),
        output: text,
    })
}
