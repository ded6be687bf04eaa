//! `corridor watch --webhook`: notices as JSON to an address, by one request a round.
//!
//! What cannot be delivered is kept for the next round, the newest word about each finding.

use std::collections::BTreeMap;

use corridor_limits::alert::{Event, Notice};
use serde::Serialize;
use serde_json::{Value, json};

use crate::output::JSON_VERSION;
use crate::post;

/// Notices in one request: what is more is delivered with the next ones.
const NOTICES_MAX: usize = 100;

/// Where notices go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: &'static str,
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// `http://host[:port][/path]`, or with https; what is wrong otherwise. Also read by the command line.
    pub(crate) fn parse(text: &str) -> Result<Address, String> {
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || !c.is_ascii())
        {
            return Err("an address has no blanks and no signs beyond ASCII: write them as %20".to_owned());
        }
        let (scheme, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => ("http", rest),
            (_, Some(rest)) => ("https", rest),
            _ => return Err("an address begins with http:// or https://".to_owned()),
        };
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if authority.contains('@') {
            return Err(
                "a name and a password are not sent; what the receiver wants to know goes into the path"
                    .to_owned(),
            );
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, port.ok_or("the port is no number from 1 to 65535")?)
            }
            _ => (authority, if scheme == "http" { 80 } else { 443 }),
        };
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        if host.is_empty() || (!is_bracketed && host.contains(['[', ']', ':'])) {
            return Err("it names no host".to_owned());
        }
        let path = path.split('#').next().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Address {
            scheme,
            host: host.to_owned(),
            port,
            path: format!("{slash}{path}"),
        })
    }

    /// Without the path, in which secrets are.
    pub(crate) fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    async fn post(&self, body: &str) -> Result<(), String> {
        let url = format!("{}://{}:{}{}", self.scheme, self.host, self.port, self.path);
        post::json(url, body.to_owned()).await
    }
}

/// Notices on their way.
#[derive(Debug)]
pub(crate) struct Webhook {
    address: Address,
    waiting: BTreeMap<(&'static str, String), Notice>,
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    event: &'static str,
    database: &'a str,
    at_s: f64,
    /// For receivers that show text.
    text: String,
    alerts: Vec<Value>,
}

impl Webhook {
    /// Nothing waits yet.
    pub(crate) fn new(address: Address) -> Self {
        Webhook {
            address,
            waiting: BTreeMap::new(),
        }
    }

    /// Delivers these and what waits; the number of notices that went out, or why they did not.
    pub(crate) async fn deliver(
        &mut self,
        database: &str,
        at_s: f64,
        notices: Vec<Notice>,
    ) -> Result<usize, String> {
        for notice in notices {
            self.hold(notice);
        }
        if self.waiting.is_empty() {
            return Ok(0);
        }
        let keys: Vec<_> = self.waiting.keys().take(NOTICES_MAX).cloned().collect();
        let sent: Vec<&Notice> = keys.iter().filter_map(|key| self.waiting.get(key)).collect();
        let body = document(database, at_s, &sent)?;
        let count = sent.len();
        match self.address.post(&body).await {
            Ok(()) => {
                for key in keys {
                    self.waiting.remove(&key);
                }
                Ok(count)
            }
            Err(why) => Err(format!("{}: {why}", self.address.shown())),
        }
    }

    /// The newest word counts. One that was raised and is over before anybody heard of it is not worth a word.
    fn hold(&mut self, notice: Notice) {
        let key = (notice.code, notice.object.clone());
        match (self.waiting.get(&key).map(|before| before.event), notice.event) {
            (Some(Event::Raised), Event::Cleared) => {
                self.waiting.remove(&key);
            }
            // Nobody has heard that it was raised.
            (Some(Event::Raised), Event::Worse | Event::Reminder) => {
                let event = Event::Raised;
                self.waiting.insert(key, Notice { event, ..notice });
            }
            _ => {
                self.waiting.insert(key, notice);
            }
        }
    }
}

fn document(database: &str, at_s: f64, notices: &[&Notice]) -> Result<String, String> {
    let mut text = String::new();
    let mut alerts = Vec::new();
    for notice in notices {
        let word = match notice.event {
            Event::Raised => "found",
            Event::Worse => "worse",
            Event::Reminder => "still there",
            Event::Cleared => "over",
        };
        text.push_str(&format!(
            "{word}: {} {} {}: {}\n",
            notice.code, database, notice.object, notice.headline
        ));
        alerts.push(serde_json::to_value(notice).map_err(|error| error.to_string())?);
    }
    let document = Document {
        version: JSON_VERSION,
        event: "alerts",
        database,
        at_s,
        text,
        alerts,
    };
    serde_json::to_string(&json!(document)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use corridor_limits::Severity;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn notice(object: &str, event: Event) -> Notice {
        Notice {
            event,
            code: "LIM-001",
            object: object.to_owned(),
            severity: Severity::Critical,
            headline: "it is full".to_owned(),
            days_left: Some(3.0),
            command: None,
            lasted_s: 60.0,
        }
    }

    #[test]
    fn addresses_are_read() {
        let parsed = |text: &str| Address::parse(text).map(|a| (a.host.clone(), a.port, a.path.clone()));
        let of = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        assert_eq!(parsed("http://relay"), of("relay", 80, "/"));
        assert_eq!(
            parsed("http://relay:9093/a/b?c=d#e"),
            of("relay", 9_093, "/a/b?c=d")
        );
        assert_eq!(parsed("https://relay/x"), of("relay", 443, "/x"));
        assert_eq!(parsed("http://[::1]:80?x"), of("[::1]", 80, "/?x"));
        assert_eq!(parsed("http://[::1]/"), of("[::1]", 80, "/"));
        for bad in [
            "",
            "relay",
            "ftp://relay",
            "http://",
            "http://:80",
            "http://relay:0",
            "http://relay:port",
            "http://a:b@relay",
            "http://relay/a b",
            "http://relay/\r\nX: y",
            "http://::1",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_newest_word_waits() {
        let mut webhook = Webhook::new(Address::parse("http://relay").unwrap());
        let events = |webhook: &Webhook| webhook.waiting.values().map(|n| n.event).collect::<Vec<_>>();
        webhook.hold(notice("t", Event::Raised));
        webhook.hold(notice("t", Event::Reminder));
        assert_eq!(events(&webhook), [Event::Raised], "nobody has heard of it");
        webhook.hold(notice("t", Event::Cleared));
        assert_eq!(events(&webhook), []);
        webhook.hold(notice("t", Event::Reminder));
        webhook.hold(notice("t", Event::Cleared));
        webhook.hold(notice("u", Event::Raised));
        assert_eq!(events(&webhook), [Event::Cleared, Event::Raised]);
    }

    #[tokio::test]
    async fn what_is_refused_waits_and_what_is_taken_is_gone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = tokio::spawn(async move {
            let mut bodies = Vec::new();
            for answer in [
                "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n",
                "nonsense",
                "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
            ] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                let body = loop {
                    stream.read_buf(&mut request).await.unwrap();
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    if head
                        .to_lowercase()
                        .contains(&format!("content-length: {}", body.len()))
                    {
                        assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
                        break body.to_owned();
                    }
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
                bodies.push(body);
            }
            bodies
        });
        let address = Address::parse(&format!("http://127.0.0.1:{port}/hook")).unwrap();
        let mut webhook = Webhook::new(address);
        assert_eq!(
            webhook.deliver("app", 0.0, Vec::new()).await,
            Ok(0),
            "nothing to say, nothing sent"
        );
        let why = webhook
            .deliver("app", 1.0, vec![notice("t", Event::Raised)])
            .await
            .unwrap_err();
        assert!(why.contains("503") && !why.contains("/hook"), "{why}");
        assert!(webhook.deliver("app", 2.0, Vec::new()).await.is_err());
        assert_eq!(
            webhook
                .deliver("app", 3.0, vec![notice("u", Event::Cleared)])
                .await,
            Ok(2)
        );
        let bodies = receiver.await.unwrap();
        let last: Value = serde_json::from_str(&bodies[2]).unwrap();
        assert_eq!((&last["version"], &last["event"]), (&json!(1), &json!("alerts")));
        assert_eq!(last["alerts"][0]["event"], "raised");
        assert_eq!(last["alerts"][1]["object"], "u");
        assert_eq!(
            last["text"],
            "found: LIM-001 app t: it is full\nover: LIM-001 app u: it is full\n"
        );
        // Nobody listens any more.
        assert!(
            webhook
                .deliver("app", 4.0, vec![notice("t", Event::Cleared)])
                .await
                .is_err()
        );
    }
}
