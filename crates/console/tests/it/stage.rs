//! A console over a fresh database, and somebody who is signed in and looks.

use std::sync::Arc;
use std::time::Duration;

use corridor_pg::Session;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{Answer, Ask, House, Who};

pub(crate) struct Stage {
    house: Arc<House>,
    who: Who,
}

impl Stage {
    pub(crate) async fn new(label: &str) -> Stage {
        Stage::by(Arc::new(House::new(label).await), "anna").await
    }

    /// The same database, seen by somebody who may only look.
    pub(crate) async fn as_viewer(&self) -> Stage {
        Stage::by(Arc::clone(&self.house), "vera").await
    }

    async fn by(house: Arc<House>, name: &str) -> Stage {
        let who = house.sign_in(name).await;
        Stage { house, who }
    }

    pub(crate) fn csrf(&self) -> &str {
        self.who.csrf()
    }

    pub(crate) async fn session(&self) -> Session {
        self.house.session().await
    }

    pub(crate) async fn run(&self, sql: &str) {
        let session = self.session().await;
        session.set_timeouts(10_000, 120_000).await.unwrap();
        session.batch_execute(sql).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.house.get(path, &self.who).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str) -> Answer {
        self.house.send(&Ask::new(method, path).by(&self.who)).await
    }

    pub(crate) async fn open(&self, path: &str) -> Open {
        let mut socket = TcpStream::connect(&self.house.address).await.unwrap();
        let ask = Ask::new("GET", path).by(&self.who);
        socket
            .write_all(ask.text(&self.house.address).as_bytes())
            .await
            .unwrap();
        Open {
            socket,
            heard: String::new(),
        }
    }

    /// What a stream tells until it has told `words`.
    pub(crate) async fn stream(&self, path: &str, words: &str) -> String {
        self.open(path).await.until(words).await
    }

    pub(crate) fn leave(&self) {
        self.house.leave();
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
