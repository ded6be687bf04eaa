//! The socket: plain or TLS, a bounded number of connections, an end without waiting for those who never end.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use corridor_pg::{Fault, Result};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Console;
use crate::fault::TLS_FILES;
use crate::route;

/// Connections at a time; further ones wait in the system's queue. Half of the descriptors that a process has by default: the
/// rest is for the databases.
const CONNECTIONS_MAX: usize = 512;
/// And from one address. Whoever takes all of them locks himself out.
const CONNECTIONS_OF_ONE_MAX: usize = 256;
/// A connection on which nothing was heard or said for so long is closed. Streams say something each 15 seconds.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// How long somebody may take to agree on a key.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// The pause when the system has no more sockets.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(500);

/// The certificate that is shown, and where it comes from. A new file is read on [`Tls::reload`].
pub struct Tls {
    cert: PathBuf,
    key: PathBuf,
    shown: RwLock<Shown>,
}

/// A chain, and what shows it.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads both files. `CON-017`.
    pub fn load(cert: &Path, key: &Path) -> Result<Tls> {
        let shown = read(cert, key)?;
        Ok(Tls {
            cert: cert.to_owned(),
            key: key.to_owned(),
            shown: RwLock::new(shown),
        })
    }

    /// Reads them again, for connections from now on; what cannot be read changes nothing. True when the certificate is another
    /// one.
    pub fn reload(&self) -> Result<bool> {
        let read = read(&self.cert, &self.key)?;
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let is_another = shown.chain != read.chain;
        *shown = read;
        Ok(is_another)
    }

    fn acceptor(&self) -> TlsAcceptor {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&shown.config))
    }
}

fn read(cert: &Path, key: &Path) -> Result<Shown> {
    let bad = |path: &Path, why: String| Fault::new(&TLS_FILES, format!("{}: {why}", path.display()));
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| bad(cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(bad(cert, "no certificate in it".to_owned()));
    }
    let key_read = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(cert, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain.clone(), key_read)
        .map_err(|error| bad(cert, error.to_string()))?;
    Ok(Shown {
        chain,
        config: Arc::new(config),
    })
}

/// Answers until the service leaves.
pub async fn serve(listener: TcpListener, console: Arc<Console>, tls: Option<Arc<Tls>>) -> io::Result<()> {
    let mut leave = console.leaving.clone();
    let routes = route::router(&console).into_make_service_with_connect_info::<Peer>();
    axum::serve(Door::open(listener, tls)?, routes)
        .with_graceful_shutdown(async move {
            leave.wait_for(|is_asked| *is_asked).await.ok();
        })
        .await
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        Peer(*stream.remote_addr())
    }
}

/// Accepts connections; who is slow to agree on a key holds nobody else up.
struct Door {
    incoming: mpsc::Receiver<(Line, SocketAddr)>,
    address: SocketAddr,
}

impl Door {
    fn open(listener: TcpListener, tls: Option<Arc<Tls>>) -> io::Result<Door> {
        let address = listener.local_addr()?;
        let (arrived, incoming) = mpsc::channel(16);
        tokio::spawn(accept(listener, tls, arrived));
        Ok(Door { incoming, address })
    }
}

/// How many connections each address has.
#[derive(Default)]
struct Guests(Mutex<HashMap<IpAddr, usize>>);

impl Guests {
    /// A place for one more from there; `None` when it has enough.
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = known.entry(address).or_default();
        if *count >= CONNECTIONS_OF_ONE_MAX {
            return None;
        }
        *count += 1;
        Some(Guest {
            guests: Arc::clone(self),
            address,
        })
    }
}

/// One of them; its place is free again when it is dropped.
struct Guest {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut known = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = known.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                known.remove(&self.address);
            }
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<Arc<Tls>>, arrived: mpsc::Sender<(Line, SocketAddr)>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let guests = Arc::new(Guests::default());
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = arrived.closed() => return,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a connection that was gone before it was taken.
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        let Some(guest) = guests.admit(peer.ip()) else {
            // Closed at once; who waits in the queue is not kept waiting by it.
            continue;
        };
        socket.set_nodelay(true).ok();
        let arrived = arrived.clone();
        match &tls {
            None => {
                let line = Line::new(Stream::Plain(socket), (place, guest));
                if arrived.send((line, peer)).await.is_err() {
                    return;
                }
            }
            Some(tls) => {
                let acceptor = tls.acceptor();
                tokio::spawn(async move {
                    let agreed = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(socket)).await;
                    if let Ok(Ok(stream)) = agreed {
                        let line = Line::new(Stream::Tls(Box::new(stream)), (place, guest));
                        arrived.send((line, peer)).await.ok();
                    }
                });
            }
        }
    }
}

impl Listener for Door {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        match self.incoming.recv().await {
            Some(arrived) => arrived,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection, and its place among all.
struct Line {
    stream: Stream,
    idle: Pin<Box<Sleep>>,
    _place: (OwnedSemaphorePermit, Guest),
}

impl Line {
    fn new(stream: Stream, place: (OwnedSemaphorePermit, Guest)) -> Line {
        Line {
            stream,
            idle: Box::pin(tokio::time::sleep(IDLE_MAX)),
            _place: place,
        }
    }

    fn is_alive(&mut self) {
        self.idle.as_mut().reset(Instant::now() + IDLE_MAX);
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! either {
    ($line:expr, $stream:ident => $what:expr) => {
        match &mut $line.stream {
            Stream::Plain($stream) => $what,
            Stream::Tls($stream) => $what,
        }
    };
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        let before = buffer.filled().len();
        let read = either!(line, stream => Pin::new(stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            line.is_alive();
        }
        if read.is_pending() && line.idle.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        let written = either!(line, stream => Pin::new(stream).poll_write(context, bytes));
        if let Poll::Ready(Ok(1..)) = written {
            line.is_alive();
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(context))
    }
}
