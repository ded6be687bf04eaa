//! A console on a socket, in front of a real database, and a client that is as simple as can be.

use std::sync::Arc;

use corridor_console::access::{Role, account};
use corridor_console::host::{Cluster, Deed, Host, Seen, Setting};
use corridor_console::server::{self, Tls};
use corridor_console::{Console, Options};
use corridor_migration::definition::Definition;
use corridor_pg::{ApplicationName, ConnectOptions, Result, Session};
use corridor_testbed::Database;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// The process around the console: one cluster that is there, one that is away, nothing to set.
pub(crate) struct Lodge {
    pub(crate) url: String,
}

impl Host for Lodge {
    fn clusters(&self) -> Vec<Cluster> {
        let seen = Seen {
            at_s: f64::MAX,
            findings: Some(Vec::new()),
            ..Seen::default()
        };
        vec![
            Cluster {
                name: "main".to_owned(),
                connect: ConnectOptions::from_process(Some(&self.url)).unwrap(),
                seen: Some(Arc::new(seen)),
            },
            Cluster {
                name: "away".to_owned(),
                connect: ConnectOptions::from_process(Some("postgres://u@127.0.0.1:1/x")).unwrap(),
                seen: None,
            },
        ]
    }

    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    fn set<'a>(&'a self, _: &'a str, _: Option<&'a str>, _: &'a str) -> Deed<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn check(&self, _: &Definition) -> Result<()> {
        Ok(())
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn app_version(&self) -> Option<semver::Version> {
        None
    }
}

/// A console that answers.
pub(crate) struct House {
    pub(crate) address: String,
    pub(crate) database: Database,
    leave: watch::Sender<bool>,
}

impl Drop for House {
    fn drop(&mut self) {
        self.leave();
    }
}

pub(crate) fn options() -> Options {
    Options {
        sign_in_hours: 1,
        proxy_header: None,
        proxy_from: Vec::new(),
        is_secure: false,
    }
}

impl House {
    /// With accounts `vera`, `otto` and `anna`: a viewer, an operator and an admin.
    pub(crate) async fn new(label: &str) -> House {
        Self::with(label, options(), None).await
    }

    pub(crate) async fn with(label: &str, options: Options, tls: Option<Arc<Tls>>) -> House {
        let database = corridor_testbed::Cluster::shared(15)
            .await
            .fresh_database(label)
            .await
            .unwrap();
        let house = Self::empty(database, options, tls).await;
        let mut session = house.session().await;
        corridor_migration::schema::ensure(&mut session).await.unwrap();
        for (name, role) in [
            ("vera", Role::Viewer),
            ("otto", Role::Operator),
            ("anna", Role::Admin),
        ] {
            account::add(&mut session, name, role, Some(PASSWORD), "test")
                .await
                .unwrap();
        }
        house
    }

    /// Without accounts.
    pub(crate) async fn empty(database: Database, options: Options, tls: Option<Arc<Tls>>) -> House {
        let (leave, left) = watch::channel(false);
        let url = database.url.clone();
        let console = Console::new(Arc::new(Lodge { url }), options, left);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(server::serve(listener, console, tls));
        House {
            address,
            database,
            leave,
        }
    }

    pub(crate) fn leave(&self) {
        self.leave.send_replace(true);
    }

    pub(crate) async fn session(&self) -> Session {
        let options = ConnectOptions::from_process(Some(&self.database.url)).unwrap();
        options.connect(&ApplicationName::new("test", "-")).await.unwrap()
    }

    pub(crate) async fn token(&self, account: &str, role: Role) -> String {
        let mut session = self.session().await;
        let name = format!("{role} {}", fastrand::u64(..));
        account::add_token(&mut session, account, &name, role, None, "test")
            .await
            .unwrap()
    }

    /// Sends a request, and reads the whole answer.
    pub(crate) async fn send(&self, ask: &Ask) -> Answer {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream
            .write_all(ask.text(&self.address).as_bytes())
            .await
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Answer::read(&String::from_utf8_lossy(&answer))
    }

    pub(crate) async fn get(&self, path: &str, who: &Who) -> Answer {
        self.send(&Ask::new("GET", path).by(who)).await
    }

    /// Signs in through the form.
    pub(crate) async fn sign_in(&self, name: &str) -> Who {
        let answer = self.try_sign_in(name, PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let cookie = answer
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let page = self
            .get("/account", &Who::Cookie(cookie.clone(), String::new()))
            .await;
        let csrf = page.csrf();
        Who::Cookie(cookie, csrf)
    }

    pub(crate) async fn try_sign_in(&self, name: &str, password: &str) -> Answer {
        let form = [("name", name), ("password", password), ("next", "/audit")];
        self.send(&Ask::new("POST", "/login").form(&form)).await
    }
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    Nobody,
    /// The cookie, and what forms bring back.
    Cookie(String, String),
    Token(String),
}

impl Who {
    pub(crate) fn csrf(&self) -> &str {
        match self {
            Who::Cookie(_, csrf) => csrf,
            _ => "",
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Ask {
        Ask {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Ask {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn by(self, who: &Who) -> Ask {
        match who {
            Who::Nobody => self,
            Who::Cookie(cookie, _) => self.header("cookie", cookie),
            Who::Token(token) => self.header("authorization", &format!("Bearer {token}")),
        }
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Ask {
        let mut body = String::new();
        for (name, value) in fields {
            let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            body.push_str(&format!("{name}={escaped}&"));
        }
        let mut asked = self.header("content-type", "application/x-www-form-urlencoded");
        asked.body = body;
        asked
    }

    pub(crate) fn json(self, body: &serde_json::Value) -> Ask {
        let mut asked = self.header("content-type", "application/json");
        asked.body = body.to_string();
        asked
    }

    pub(crate) fn text(&self, host: &str) -> String {
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!(
            "{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{}",
            self.method,
            self.path,
            self.body.len(),
            self.body
        )
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn read(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .unwrap_or("0");
        Answer {
            status: status.parse().unwrap_or(0),
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What the page's forms bring back.
    pub(crate) fn csrf(&self) -> String {
        let at = self.body.find("name=\"csrf\" value=\"").expect("a form") + 19;
        self.body[at..].split('"').next().unwrap().to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }
}
