//! Connections that are cut at the worst instant, and processes that are killed.
//!
//! [`FaultProxy`] stands between a client and a server and understands enough of the protocol (version 3, without
//! TLS: it declines) to cut a connection at a chosen statement: before the server gets it, or after the server has
//! carried it out and before the client gets the answer.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::error::{Error, Result};

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
/// A frame of the protocol is at most a gigabyte; what claims more is none.
const FRAME_BYTES_MAX: usize = 1 << 30;

/// When to cut, seen from the statement that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never gets it.
    BeforePassing,
    /// The server gets it, and the connection is gone at once: the server may still be at it, and finish it, when the
    /// client is back on a new connection.
    AfterPassing,
    /// The server carries it out; the client never gets the answer.
    AfterDone,
}

/// Which statement to cut at.
#[derive(Debug, Clone)]
struct Trap {
    /// In lower case.
    text: Vec<u8>,
    /// How many more of them pass first.
    left: u32,
    cut: Cut,
}

#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    is_stalled: bool,
    is_refusing: bool,
    /// Connections of an older generation are cut.
    generation: u64,
}

/// One connection through the proxy.
#[derive(Debug, Default)]
struct Passage {
    /// The client's first message, once it has come: it names user, database and application.
    greeting: OnceLock<Vec<u8>>,
    is_silent: watch::Sender<bool>,
}

#[derive(Debug)]
struct Control {
    weather: watch::Sender<Weather>,
    /// Those that may be open still.
    passages: Mutex<Vec<Weak<Passage>>>,
    trap: Mutex<Option<Trap>>,
    sprung: watch::Sender<u64>,
}

impl Control {
    /// True when `payload` is what the trap waits for.
    fn matches(&self, payload: &[u8]) -> bool {
        match &*self.trap() {
            Some(trap) => contains(payload, &trap.text),
            None => false,
        }
    }

    /// Counts a statement that matched; the answer says whether to cut at it.
    fn spring(&self) -> Option<Cut> {
        let mut trap = self.trap();
        match trap.as_mut()?.left.checked_sub(1) {
            Some(left) => {
                trap.as_mut()?.left = left;
                None
            }
            None => trap.take().map(|trap| trap.cut),
        }
    }

    fn trap(&self) -> MutexGuard<'_, Option<Trap>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passages(&self) -> MutexGuard<'_, Vec<Weak<Passage>>> {
        self.passages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_passage(&self) -> Arc<Passage> {
        let passage = Arc::new(Passage::default());
        let mut all = self.passages();
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&passage));
        passage
    }

    fn report(&self) {
        self.sprung.send_modify(|count| *count += 1);
    }
}

/// A TCP proxy in front of a server, on a port of its own on 127.0.0.1. It lives on a thread of its own; dropping it
/// cuts everything.
#[derive(Debug)]
pub struct FaultProxy {
    control: Arc<Control>,
    port: u16,
    _end: watch::Sender<()>,
}

impl FaultProxy {
    /// Stands in front of `127.0.0.1:<target_port>`.
    pub fn start(target_port: u16) -> Result<FaultProxy> {
        let doing = || Error::io("starting a fault proxy");
        let target = SocketAddr::from(([127, 0, 0, 1], target_port));
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(doing())?;
        listener.set_nonblocking(true).map_err(doing())?;
        let port = listener.local_addr().map_err(doing())?.port();
        let control = Arc::new(Control {
            weather: watch::Sender::new(Weather::default()),
            passages: Mutex::new(Vec::new()),
            trap: Mutex::new(None),
            sprung: watch::Sender::new(0),
        });
        let (end, mut ended) = watch::channel(());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(doing())?;
        let shared = Arc::clone(&control);
        std::thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = accept(listener, target, shared) => {}
                        // An error: the sender is gone.
                        _ = ended.changed() => {}
                    }
                });
                // Dropping the runtime drops all connections.
            })
            .map_err(doing())?;
        Ok(FaultProxy {
            control,
            port,
            _end: end,
        })
    }

    /// The proxy's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same URL through the proxy: `127.0.0.1:<port>` instead of the server's.
    pub fn url(&self, url: &str) -> Result<String> {
        let bad = || Error::Request(format!("no URL with a host and a port: {url}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
        let (authority, path) = rest.split_once('/').ok_or_else(bad)?;
        let user = match authority.rsplit_once('@') {
            Some((user, _)) => format!("{user}@"),
            None => String::new(),
        };
        Ok(format!("{scheme}://{user}127.0.0.1:{}/{path}", self.port))
    }

    /// Cuts all connections that there are now. New ones are served.
    pub fn cut_all(&self) {
        self.control.weather.send_modify(|w| w.generation += 1);
    }

    /// While true, new connections are closed at once.
    pub fn refuse(&self, is_refusing: bool) {
        self.control.weather.send_modify(|w| w.is_refusing = is_refusing);
    }

    /// While true, connections stand, and nothing passes, in either direction: as when the network in between is gone.
    pub fn stall(&self, is_stalled: bool) {
        self.control.weather.send_modify(|w| w.is_stalled = is_stalled);
    }

    /// From now on nothing passes in either direction of the connections that there are now and whose first message
    /// has `text` in it (an application's name, say; all of them with an empty one): half-open for ever, as behind a
    /// firewall that has forgotten them. Neither side is told, not even when the other one hangs up. New connections
    /// are served. The answer is how many were silenced.
    pub fn silence(&self, text: &str) -> usize {
        let has_text = |greeting: &Vec<u8>| contains(greeting, text.as_bytes());
        let all = self.control.passages();
        let meant = all
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|passage| passage.greeting.get().is_some_and(has_text));
        meant
            .filter(|passage| !passage.is_silent.send_replace(true))
            .count()
    }

    /// Cuts the connection that sends the next statement with `text` in it (capitals or not), once `skip` of them have
    /// passed. Prepared statements count when they are executed. One trap at a time; it springs once.
    pub fn cut_at(&self, text: &str, skip: u32, cut: Cut) {
        *self.control.trap() = Some(Trap {
            text: text.to_ascii_lowercase().into_bytes(),
            left: skip,
            cut,
        });
    }

    /// Takes the trap away. True when it had not sprung.
    pub fn disarm(&self) -> bool {
        self.control.trap().take().is_some()
    }

    /// How many traps have sprung so far.
    pub fn sprung(&self) -> u64 {
        *self.control.sprung.borrow()
    }

    /// Waits until `count` traps have sprung since the start. With [`Cut::AfterDone`] the server is done by then.
    pub async fn wait_until_sprung(&self, count: u64) {
        let mut sprung = self.control.sprung.subscribe();
        // The sender lives as long as we do.
        sprung.wait_for(|now| *now >= count).await.ok();
    }
}

async fn accept(
    listener: std::net::TcpListener,
    target: SocketAddr,
    control: Arc<Control>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (client, _) = listener.accept().await?;
        let weather = *control.weather.borrow();
        if weather.is_refusing {
            continue;
        }
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            let mut changes = control.weather.subscribe();
            tokio::select! {
                // However it ended: both sockets are dropped here.
                _ = serve(client, target, &control) => {}
                _ = changes.wait_for(|w| w.generation != weather.generation) => {}
            }
        });
    }
}

/// What the way up tells the way down: swallow everything from the answer to this request on (requests count from 1), and
/// cut when that answer is complete.
type Doomed = Option<u64>;

async fn serve(client: TcpStream, target: SocketAddr, control: &Control) -> std::io::Result<()> {
    let passage = control.new_passage();
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_read, mut client_write) = client.into_split();
    let (server_read, mut server_write) = server.into_split();
    let mut from_client = Frames::new(client_read);
    // The first message has no type. TLS and GSS are declined in the server's name.
    loop {
        let Some(frame) = from_client.next(Shape::Untyped).await? else {
            return Ok(());
        };
        calm(control, &passage).await;
        match frame.get(4..8).map(u32_of) {
            Some(SSL_REQUEST | GSS_REQUEST) => client_write.write_all(b"N").await?,
            _ => {
                server_write.write_all(&frame).await?;
                // The loop ends here: nobody else writes it.
                passage.greeting.set(frame).ok();
                break;
            }
        }
    }
    let link = watch::Sender::new(None);
    tokio::select! {
        result = upwards(from_client, server_write, control, &passage, &link) => result,
        result = downwards(Frames::new(server_read), client_write, control, &passage, link.subscribe()) => result,
    }
}

/// Client to server. Returning cuts the connection.
async fn upwards(
    mut from: Frames,
    mut to: OwnedWriteHalf,
    control: &Control,
    passage: &Passage,
    link: &watch::Sender<Doomed>,
) -> std::io::Result<()> {
    let mut prepared = HashSet::new();
    let mut bound = HashSet::new();
    let mut doom = None;
    let mut requests = 0;
    while let Some(frame) = next_in_calm(&mut from, control, passage).await? {
        let (kind, body) = (frame[0], &frame[5..]);
        let is_hit = match kind {
            b'Q' => control.matches(body),
            b'P' => {
                let name = first_text(body);
                if control.matches(after_text(body, name)) {
                    prepared.insert(name.to_vec());
                } else {
                    prepared.remove(name);
                }
                false
            }
            b'B' => {
                let portal = first_text(body);
                let statement = first_text(after_text(body, portal));
                if prepared.contains(statement) {
                    bound.insert(portal.to_vec());
                } else {
                    bound.remove(portal);
                }
                false
            }
            b'E' => bound.contains(first_text(body)),
            _ => false,
        };
        match is_hit.then(|| control.spring()).flatten() {
            Some(Cut::BeforePassing) => {
                control.report();
                return Ok(());
            }
            Some(cut) => doom = Some(cut),
            None => {}
        }
        // Each of these is answered by one "ready for query".
        let is_request = matches!(kind, b'Q' | b'S' | b'F');
        requests += u64::from(is_request);
        let is_last = doom.is_some() && is_request;
        if is_last {
            // Before it is passed on: no byte of the answer may slip through.
            link.send_replace(Some(requests));
        }
        to.write_all(&frame).await?;
        if is_last && doom == Some(Cut::AfterPassing) {
            control.report();
            return Ok(());
        }
        if is_last {
            // The other direction ends the connection.
            std::future::pending::<()>().await;
        }
    }
    Ok(())
}

/// Server to client. Returning cuts the connection.
async fn downwards(
    mut from: Frames,
    mut to: OwnedWriteHalf,
    control: &Control,
    passage: &Passage,
    link: watch::Receiver<Doomed>,
) -> std::io::Result<()> {
    // The first one ends the login.
    let mut ready = 0;
    while let Some(frame) = next_in_calm(&mut from, control, passage).await? {
        let doomed = *link.borrow();
        ready += u64::from(frame[0] == b'Z');
        match doomed {
            Some(request) if ready > request => {
                control.report();
                return Ok(());
            }
            Some(request) if ready == request && frame[0] != b'Z' => {}
            _ => to.write_all(&frame).await?,
        }
    }
    Ok(())
}

/// The next message, or the end, once it may pass: a silent passage does not even tell that a side has hung up.
async fn next_in_calm(
    from: &mut Frames,
    control: &Control,
    passage: &Passage,
) -> std::io::Result<Option<Vec<u8>>> {
    let next = from.next(Shape::Typed).await;
    calm(control, passage).await;
    next
}

/// Waits while nothing may pass.
async fn calm(control: &Control, passage: &Passage) {
    let mut weather = control.weather.subscribe();
    // The sender lives as long as the control.
    weather.wait_for(|w| !w.is_stalled).await.ok();
    let mut is_silent = passage.is_silent.subscribe();
    // The same with the passage.
    is_silent.wait_for(|is_silent| !is_silent).await.ok();
}

/// True when `text` is somewhere in `bytes`, capitals or not.
fn contains(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty()
        || bytes
            .windows(text.len())
            .any(|window| window.eq_ignore_ascii_case(text))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Length, then the rest.
    Untyped,
    /// One byte, length, then the rest.
    Typed,
}

/// Cuts a stream of bytes into the protocol's messages.
struct Frames {
    stream: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Frames {
    fn new(stream: OwnedReadHalf) -> Self {
        Frames {
            stream,
            buffer: Vec::new(),
        }
    }

    /// The next whole message, or `None` at the end.
    async fn next(&mut self, shape: Shape) -> std::io::Result<Option<Vec<u8>>> {
        let head = if shape == Shape::Typed { 1 } else { 0 };
        loop {
            if let Some(length) = self.buffer.get(head..head + 4).map(u32_of) {
                let total = head + length as usize;
                if !(head + 4..FRAME_BYTES_MAX).contains(&total) {
                    return Err(std::io::ErrorKind::InvalidData.into());
                }
                if self.buffer.len() >= total {
                    let rest = self.buffer.split_off(total);
                    return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
                }
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn u32_of(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The bytes before the first NUL.
fn first_text(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// What follows a text and its NUL.
fn after_text<'a>(bytes: &'a [u8], text: &[u8]) -> &'a [u8] {
    bytes.get(text.len() + 1..).unwrap_or_default()
}

/// How a process came to its end under [`kill_at_random`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Killed {
    /// How long it had run since the call.
    pub after: Duration,
    /// False when it had ended by itself before.
    pub was_running: bool,
    /// Its exit status, when it ended by itself.
    pub exit_code: Option<i32>,
}

/// Kills a process that the caller started, with SIGKILL, at an instant drawn from `within`; waits until it is gone.
pub async fn kill_at_random(
    child: &mut tokio::process::Child,
    within: Range<Duration>,
    random: &mut fastrand::Rng,
) -> Result<Killed> {
    let started = std::time::Instant::now();
    let span = within.end.saturating_sub(within.start);
    let delay = within.start + span.mul_f64(random.f64());
    let ended = tokio::time::timeout(delay, child.wait()).await;
    let after = started.elapsed();
    let doing = || Error::io("killing a process");
    match ended {
        Ok(status) => Ok(Killed {
            after,
            was_running: false,
            exit_code: status.map_err(doing())?.code(),
        }),
        Err(_) => {
            child.kill().await.map_err(doing())?;
            Ok(Killed {
                after,
                was_running: true,
                exit_code: None,
            })
        }
    }
}
