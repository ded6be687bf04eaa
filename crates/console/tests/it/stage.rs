//! A console over a fresh database, and somebody who asks it over TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Extension;
use corridor_console::access::{Role, Viewer};
use corridor_console::host::{Cluster, Deed, Host, Seen, Setting};
use corridor_console::{Console, page};
use corridor_pg::{ApplicationName, ConnectOptions, Session};
use semver::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

struct Plain(ConnectOptions);

impl Host for Plain {
    fn clusters(&self) -> Vec<Cluster> {
        let seen = Seen {
            at_s: f64::MAX,
            findings: Some(Vec::new()),
            ..Seen::default()
        };
        let away = ConnectOptions::from_process(Some("postgres://u@127.0.0.1:1/x")).unwrap();
        vec![
            Cluster {
                name: "main".into(),
                connect: self.0.clone(),
                seen: Some(Arc::new(seen)),
            },
            Cluster {
                name: "away".into(),
                connect: away,
                seen: None,
            },
        ]
    }

    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    fn set<'a>(&'a self, _key: &'a str, _value: Option<&'a str>, _by: &'a str) -> Deed<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn app_version(&self) -> Option<Version> {
        None
    }
}

pub(crate) struct Stage {
    connect: ConnectOptions,
    url: String,
    address: SocketAddr,
    leave: watch::Sender<bool>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Stage {
    pub(crate) async fn new(label: &str) -> Stage {
        let database = corridor_testbed::Cluster::shared(15)
            .await
            .fresh_database(label)
            .await
            .unwrap();
        Stage::serve(database.url, Role::Admin).await
    }

    /// The same database, seen by somebody who may only look.
    pub(crate) async fn as_viewer(&self) -> Stage {
        Stage::serve(self.url.clone(), Role::Viewer).await
    }

    async fn serve(url: String, role: Role) -> Stage {
        let connect = ConnectOptions::from_process(Some(&url)).unwrap();
        let (leave, leaving) = watch::channel(false);
        let console = Arc::new(Console::new(Arc::new(Plain(connect.clone())), leaving.clone()));
        let viewer = Viewer {
            name: "anna".into(),
            role,
            csrf: "the-csrf".into(),
        };
        let routes = page::routes().layer(Extension(viewer)).with_state(console);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Stage {
            connect,
            url,
            address,
            leave,
        }
    }

    pub(crate) async fn session(&self) -> Session {
        self.connect
            .connect(&ApplicationName::new("test", "-"))
            .await
            .unwrap()
    }

    pub(crate) async fn run(&self, sql: &str) {
        let session = self.session().await;
        session.set_timeouts(10_000, 120_000).await.unwrap();
        session.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut socket = self.ask(path).await;
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            body: body.to_owned(),
        }
    }

    async fn ask(&self, path: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: console\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    }

    pub(crate) async fn open(&self, path: &str) -> Open {
        Open {
            socket: self.ask(path).await,
            heard: String::new(),
        }
    }

    /// What a stream tells until it has told `words`.
    pub(crate) async fn stream(&self, path: &str, words: &str) -> String {
        self.open(path).await.until(words).await
    }

    pub(crate) fn leave(&self) {
        self.leave.send_replace(true);
    }
}

/// A stream that is open.
pub(crate) struct Open {
    socket: TcpStream,
    heard: String,
}

impl Open {
    /// Everything that was told since the last call, up to `words` and what came with them.
    pub(crate) async fn until(&mut self, words: &str) -> String {
        let mut bytes = vec![0; 65_536];
        while !self.heard.contains(words) {
            let read = tokio::time::timeout(Duration::from_secs(10), self.socket.read(&mut bytes)).await;
            let read = read
                .unwrap_or_else(|_| panic!("{words} was not told: {}", self.heard))
                .unwrap();
            assert!(read > 0, "the stream ended: {}", self.heard);
            self.heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        std::mem::take(&mut self.heard)
    }

    pub(crate) async fn ends_within(&mut self, time: Duration) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(time, self.socket.read_to_end(&mut rest))
            .await
            .is_ok()
    }
}
