//! The service: what nobody works is worked, what is due is started, and it tells.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

use crate::desk::{Desk, mark};
use crate::driver::{corridor, corridor_on, database};

pub(crate) const TABLES: &str = "create table done (what text); create table gate ()";

/// A service at work.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) address: String,
    said: std::sync::Arc<std::sync::Mutex<String>>,
    /// The service's home.
    url: String,
    /// A token of an admin, once one was needed.
    token: tokio::sync::OnceCell<String>,
}

impl Service {
    /// The token of an admin of this service's home.
    pub(crate) async fn token(&self) -> &str {
        let make = async || {
            let name = format!("t{}", self.address.replace(':', "-"));
            let on = |args: Vec<&str>| {
                let args = [vec!["--database", &self.url], args].concat();
                args.into_iter().map(str::to_owned).collect::<Vec<_>>()
            };
            for args in [
                on(vec!["user", "add", &name, "--role", "admin", "--no-password"]),
                on(vec!["user", "token", &name, "--name", "test", "--role", "admin"]),
            ] {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let run = corridor(&args).run().await.expect_code(0);
                if args.contains(&"token") {
                    return run.stdout.trim().to_owned();
                }
            }
            unreachable!()
        };
        self.token.get_or_init(make).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let is_open = ["/healthz", "/readyz"].contains(&path);
        let proof = match is_open {
            true => String::new(),
            false => format!("Authorization: Bearer {}\r\n", self.token().await),
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{proof}Connection: close\r\n\r\n");
        self.send(&request).await
    }

    /// Sends JSON as the admin.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_as(self.token().await, path, body).await
    }

    /// Sends JSON with a token.
    pub(crate) async fn post_as(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        let (status, body) = self.send(&request).await;
        (
            status,
            serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}")),
        )
    }

    async fn send(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let (_, body) = self.get(path).await;
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}"))
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) async fn until_said(&self, words: &str) {
        for _ in 0..200 {
            if self.said().contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never said {words:?}: {}", self.said());
    }

    pub(crate) async fn signal(&mut self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
    }

    /// SIGTERM: it checkpoints and leaves with 0.
    pub(crate) async fn stop(mut self) -> String {
        self.signal("-TERM").await;
        let status = tokio::time::timeout(Duration::from_secs(20), self.child.wait())
            .await
            .expect("it leaves")
            .unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.said());
        self.said()
    }
}

impl Desk {
    /// What stands behind a line `# behind` comes behind this desk's cluster, which is the first one.
    pub(crate) fn config(&self, more: &str) -> String {
        let path = self.dir.join("corridor.toml");
        let (more, behind) = more.split_once("# behind\n").unwrap_or((more, ""));
        let text = format!(
            "{more}\n[[clusters]]\nname = \"main\"\ndatabase = \"{}\"\n{behind}",
            self.database.url
        );
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    pub(crate) async fn serve(&self, more: &str) -> Service {
        self.serve_with(more, "").await
    }

    /// `failpoint`: where it ends, or nothing.
    pub(crate) async fn serve_with(&self, more: &str, failpoint: &str) -> Service {
        let (child, first, mut lines) = self.spawn(more, Some(failpoint)).await;
        let address = first.expect("it says where it listens");
        let address = address
            .split_once("://")
            .map(|(_, address)| address)
            .expect(&address)
            .to_owned();
        let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let heard = said.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Service {
            child,
            address,
            said,
            url: self.database.url.clone(),
            token: tokio::sync::OnceCell::new(),
        }
    }

    /// A service, perhaps with a failpoint; its first line, and those behind it.
    async fn spawn(
        &self,
        more: &str,
        failpoint: Option<&str>,
    ) -> (Child, Option<String>, Lines<BufReader<ChildStderr>>) {
        let collect = match more.contains("collect =") {
            true => "",
            false => "collect = false",
        };
        let config = self.config(&format!("{collect}\n{more}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_corridor"));
        if let Some(failpoint) = failpoint {
            command.env("CORRIDOR_FAILPOINT", failpoint);
        }
        let mut child = command
            .args(["serve", "--config", &config, "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap();
        (child, first, lines)
    }
}

pub(crate) const WAITS: &str = "[[operations]]\nkind = \"wait_until\"\nname = \"wait\"\n\
                     query = \"select exists (select from gate)\"\nevery = \"100ms\"\n";

/// Two services; the one at work is killed, the other one goes on within the lease time. Then a graceful stop.
#[tokio::test]
async fn of_two_services_the_other_one_goes_on() {
    let desk = Desk::new("serve_two", TABLES).await;
    desk.add("0001_wait", &format!("{}{WAITS}", mark("once"))).await;
    let mut one = desk.serve("").await;
    desk.run(&["migration", "start", "0001_wait", "--detach"])
        .await
        .expect_code(0);
    desk.until_running("wait").await;
    let two = desk.serve("").await;
    two.until_said("").await;
    one.child.kill().await.unwrap();
    let begun = std::time::Instant::now();
    two.until_said("main: 0001_wait: resume").await;
    desk.until("select epoch >= 2 and holder is not null from corridor.lease")
        .await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Asked to leave, it leaves at once, and what it worked is free for the next.
    let said = two.stop().await;
    assert!(said.contains("checkpointing"), "{said}");
    desk.until("select holder is null from corridor.lease").await;
    let three = desk.serve("").await;
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    desk.until_state("0001_wait", "finished").await;
    desk.until("select count(*) = 1 from done").await;
    three.stop().await;
}

/// A service dies between the wish and the start, at each durable step in between: the wish is not lost, with its parameters, and it
/// is carried out once.
#[tokio::test]
async fn a_wish_outlives_the_service_that_took_it() {
    let text = "[parameters.what]\ntype = \"text\"\n[[operations]]\nkind = \"sql\"\nname = \"mark\"\n\
         statement = \"insert into done values (:what)\"\nrollback = \"\"\n";
    for point in [
        "before-lease",
        "after-lease",
        "before-order",
        "after-order",
        "before-event",
    ] {
        let desk = Desk::new(&format!("serve_wish_{}", point.replace('-', "_")), TABLES).await;
        desk.add("0001_said", text).await;
        desk.run(&[
            "migration",
            "start",
            "0001_said",
            "--detach",
            "--set",
            "what=once",
        ])
        .await
        .expect_code(0);
        let (mut child, _, _lines) = desk.spawn("", Some(point)).await;
        let status = tokio::time::timeout(Duration::from_secs(30), child.wait())
            .await
            .unwrap_or_else(|_| panic!("{point} was not reached"))
            .unwrap();
        assert_eq!(status.code(), None, "{point}: it was to die: {status}");
        let is_begun = desk.state("0001_said").await != "planned";
        assert_eq!(
            is_begun,
            ["after-order", "before-event"].contains(&point),
            "{point}"
        );
        let service = desk.serve("").await;
        desk.until_state("0001_said", "finished").await;
        assert_eq!(desk.done().await, ["once"], "{point}");
        service.stop().await;
        let open = "select count(*) from corridor.request where answered_at is null";
        assert_eq!(desk.figure(open).await, 0, "{point}: the wish is answered");
    }
}

/// What is needed is started when what it depends on is done; what is not is completed; what is out of range is left.
#[tokio::test]
async fn what_is_due_is_started_by_itself_when_it_is_told_to() {
    let desk = Desk::new("serve_due", TABLES).await;
    desk.add("0001_first", &mark("first")).await;
    desk.add(
        "0002_second",
        &format!("depends_on = [\"0001_first\"]\n{}", mark("second")),
    )
    .await;
    desk.add(
        "0003_none",
        &format!("required_when = \"select false\"\n{}", mark("none")),
    )
    .await;
    desk.add("0004_old", &format!("versions = \"<1.0.0\"\n{}", mark("old")))
        .await;
    let idle = desk.serve("app_version = \"1.42.0\"").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    idle.stop().await;
    desk.until("select count(*) = 0 from done").await;
    let service = desk.serve("auto_start = true\napp_version = \"1.42.0\"").await;
    for name in ["0001_first", "0002_second", "0003_none"] {
        desk.until_state(name, "finished").await;
    }
    service.until_said("0004_old is not started").await;
    desk.until_state("0004_old", "planned").await;
    let done = "select string_agg(what, ',' order by what) = 'first,second' from done";
    desk.until(done).await;
    let gate = service.json("/api/gate?app_version=1.42.0").await;
    assert_eq!(gate["is_open"], false);
    assert_eq!(
        gate["clusters"]["main"]["standing_in_the_way"][0]["name"],
        "0004_old"
    );
    service.stop().await;
}

#[tokio::test]
async fn it_tells_over_http_and_reads_its_settings_again() {
    let desk = Desk::new("serve_http", TABLES).await;
    desk.add("0001_mark", &mark("x")).await;
    let mut service = desk.serve("").await;
    assert_eq!(service.get("/healthz").await.0, 200);
    for _ in 0..100 {
        if service.get("/readyz").await.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(service.get("/readyz").await.0, 200);
    let (_, metrics) = service.get("/metrics").await;
    assert!(
        metrics.contains("corridor_cluster_up{cluster=\"main\"} 1")
            && metrics.contains("corridor_migrations{cluster=\"main\",state=\"planned\"} 1")
            && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    let all = service.json("/api/clusters/main/migrations").await;
    assert_eq!(all["migrations"][0]["name"], "0001_mark");
    let one = service.json("/api/clusters/main/migrations/0001_mark").await;
    assert_eq!(one["migration"]["name"], "0001_mark");
    let journal = service
        .json("/api/clusters/main/migrations/0001_mark/journal")
        .await;
    assert_eq!(journal["entries"][0]["event"], "created");
    for path in [
        "/api/clusters/other/migrations",
        "/api/clusters/main/migrations/nothing",
        "/nothing",
    ] {
        assert_eq!(service.get(path).await.0, 404, "{path}");
    }
    for path in [
        "/api/gate",
        "/api/gate?app_version=x",
        "/api/audit?limit=-1",
        "/api/clusters/main/migrations/A'%3B--",
    ] {
        assert_eq!(service.get(path).await.0, 400, "{path}");
    }
    desk.config("collect = false\nworkers = 9");
    service.signal("-HUP").await;
    service.until_said("setting workers: 4 is now 9").await;
    // What is read once, at the start, is not said to have changed.
    desk.config(
        "collect = false\nworkers = 9\n[console]\nsign_in_hours = 3\n[tls]\ncert = \"/c\"\nkey = \"/k\"",
    );
    service.signal("-HUP").await;
    service
        .until_said("setting console.sign_in_hours stays \"12\": \"3\"")
        .await;
    service.until_said("setting tls.cert stays \"\": \"/c\"").await;
    let said = service.said();
    assert!(
        said.contains("needs a restart") && !said.contains("sign_in_hours: 12 is now"),
        "{said}"
    );
    let shown = service.json("/api/settings").await;
    let hours = shown["settings"].as_array().unwrap().iter();
    let hours = hours.clone().find(|one| one["key"] == "console.sign_in_hours");
    assert_eq!(hours.unwrap()["value"], "12", "{shown}");
    desk.config("collect = false\nworkers = \"many\"");
    service.signal("-HUP").await;
    service.until_said("the settings stay as they are").await;
    // A cluster that is not there: alive, not ready, and it says why.
    desk.config(
        "collect = false\n[[clusters]]\nname = \"away\"\ndatabase = \"postgres://nobody@127.0.0.1:1/x\"",
    );
    service.signal("-HUP").await;
    for _ in 0..100 {
        if service.get("/readyz").await.1.contains("PG-002") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (status, body) = service.get("/readyz").await;
    assert!(status == 503 && body.contains("\"away\""), "{status} {body}");
    assert_eq!(service.get("/healthz").await.0, 200);
    service.stop().await;
}

/// A cluster that is taken out of the settings is left: its worker checkpoints and gives its lease back at once.
#[tokio::test]
async fn a_cluster_that_is_not_wanted_any_more_is_left() {
    let desk = Desk::new("serve_removed", TABLES).await;
    desk.add("0001_wait", WAITS).await;
    let mut service = desk.serve("").await;
    desk.run(&["migration", "start", "0001_wait", "--detach"])
        .await
        .expect_code(0);
    desk.until_running("wait").await;
    let other = database("serve_removed_other").await;
    let config = format!(
        "collect = false\n[[clusters]]\nname = \"other\"\ndatabase = \"{}\"\n",
        other.url
    );
    std::fs::write(desk.dir.join("corridor.toml"), config).unwrap();
    service.signal("-HUP").await;
    desk.until("select holder is null from corridor.lease").await;
    desk.until("select state = 'running' from corridor.migration")
        .await;
    let clusters = service.get("/api/clusters").await.1;
    assert!(!clusters.contains("\"main\""), "{clusters}");
    // Wanted again, it goes on.
    desk.config("collect = false");
    service.signal("-HUP").await;
    desk.client
        .batch_execute("insert into gate default values")
        .await
        .unwrap();
    desk.until_state("0001_wait", "finished").await;
    service.stop().await;
}

/// What cannot be worked is not begun again each second for ever.
#[tokio::test]
async fn what_comes_to_nothing_is_not_begun_again_and_again() {
    let desk = Desk::new("serve_nothing", TABLES).await;
    desk.add("0002_wait", WAITS).await;
    let service = desk.serve("auto_start = true").await;
    desk.until_running("wait").await;
    service.stop().await;
    // Nobody can read its plan any more: each worker ends at once.
    desk.client
        .batch_execute("update corridor.migration set plan = '{}' where name = '0002_wait'")
        .await
        .unwrap();
    let service = desk.serve("").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let said = service.stop().await;
    let begun = said.matches("0002_wait: resume").count();
    assert!((1..=4).contains(&begun), "{begun} times: {said}");
}

/// An address that takes one post, and what came.
async fn hook() -> (String, tokio::task::JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let posted = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        let mut buffer = [0u8; 4_096];
        while !text.contains("}") {
            let read = stream.read(&mut buffer).await.unwrap();
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        text
    });
    (format!("[alerts]\nwebhook = \"http://{to}/hook\""), posted)
}

async fn body(posted: tokio::task::JoinHandle<String>) -> Value {
    let text = tokio::time::timeout(Duration::from_secs(60), posted)
        .await
        .unwrap()
        .unwrap();
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A failure is told, with the migration and what went wrong.
#[tokio::test]
async fn a_failure_is_posted() {
    let desk = Desk::new("serve_alert", TABLES).await;
    let (settings, posted) = hook().await;
    desk.add(
        "0001_fails",
        "[[operations]]\nkind = \"check\"\nname = \"never\"\nquery = \"select false\"\n",
    )
    .await;
    let service = desk.serve(&settings).await;
    service.until_said("").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    desk.run(&["migration", "start", "0001_fails", "--detach"])
        .await
        .expect_code(0);
    desk.until_state("0001_fails", "failed").await;
    let body = body(posted).await;
    assert_eq!(body["event"], "failed");
    assert_eq!(body["migration"], "0001_fails");
    assert_eq!(body["cluster"], "main");
    assert!(body["text"].as_str().unwrap().contains("MIG-134"), "{body}");
    service.stop().await;
}

/// What may have been done is no mere failure: a person must look, and is told what to say then.
#[tokio::test]
async fn what_waits_for_a_word_is_posted_as_ambiguous() {
    let desk = Desk::new("serve_ambiguous", TABLES).await;
    let (settings, posted) = hook().await;
    let text = "[[operations]]\nkind = \"command\"\nname = \"tell\"\ncommand = [\"true\"]\nrollback = []\n";
    desk.add("0001_tell", text).await;
    corridor_on(&desk.database, &["migration", "start", "0001_tell"])
        .env("CORRIDOR_FAILPOINT", "before-attempt-end")
        .run()
        .await
        .expect_code(134);
    // The service takes up what nobody works, and comes to a stop there.
    let service = desk.serve(&settings).await;
    let body = body(posted).await;
    assert_eq!(body["event"], "ambiguous");
    let told = body["text"].as_str().unwrap();
    assert!(
        told.contains("MIG-136") && told.contains("corridor migration settle 0001_tell tell --done|--again"),
        "{body}"
    );
    service.stop().await;
}

/// A move that is left to a service: it copies, waits, and carries out what is asked for elsewhere.
#[tokio::test]
async fn a_detached_move_is_worked_and_obeys() {
    let desk = Desk::new("serve_move", TABLES).await;
    desk.client
        .batch_execute(
            "create table persons (team_id int, id int, primary key (team_id, id)); \
             insert into persons select i % 5, i from generate_series(1, 2000) i; analyze persons",
        )
        .await
        .unwrap();
    let service = desk.serve("").await;
    let args = [
        "move",
        "persons",
        "--same-shape",
        "--execute",
        "--detach",
        "--setting",
        "lease.ttl_ms=1000",
    ];
    let run = desk.run(&args).await.expect_code(0);
    assert!(run.stdout.contains("left to `corridor serve`"), "{}", run.stdout);
    desk.until_state("persons", "waiting").await;
    for verb in ["verify", "cutover"] {
        let why = format!("of {verb}");
        desk.run(&[verb, "persons", "--why", &why]).await.expect_code(0);
        let kept = format!(
            "select count(*) from corridor.journal where event = '{verb}' and detail ->> 'why' = '{why}'"
        );
        assert_eq!(desk.figure(&kept).await, 1, "{verb}");
    }
    desk.run(&["finish", "persons", "--drop"]).await.expect_code(0);
    desk.until_state("persons", "finished").await;
    service.stop().await;
}

#[tokio::test]
async fn settings_say_where_they_came_from_and_keep_secrets() {
    let desk = Desk::new("serve_config", TABLES).await;
    let config = desk.config("workers = 3\n[alerts]\nslack = \"https://hooks.example.org/T0/secret\"");
    let run = corridor_on(&desk.database, &["config", "show", "--config", &config])
        .env("CORRIDOR_APP_VERSION", "1.42.0")
        .run()
        .await
        .expect_code(0);
    assert!(
        run.stdout.contains("workers = \"3\"") && run.stdout.contains("environment, CORRIDOR_APP_VERSION"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("secret"), "{}", run.stdout);
    let config = desk.config("worker = 3");
    desk.run(&["config", "show", "--config", &config])
        .await
        .expect_code(2)
        .expect_fault("CLI-008");
    desk.run(&["serve", "--config", "/nowhere/at/all.toml"])
        .await
        .expect_code(2)
        .expect_fault("CLI-008");
}
