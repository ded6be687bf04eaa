//! The demo with the console: the incident and the way out are seen there.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::driver::corridor;
use crate::incident::TURN;

/// Somebody at the console.
struct Reader {
    address: String,
    cookie: String,
}

impl Reader {
    async fn send(&self, method: &str, path: &str, form: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nCookie: {1}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {2}\r\nConnection: close\r\n\r\n{form}",
            self.address,
            self.cookie,
            form.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn sign_in(address: &str, name: &str, password: &str) -> Reader {
        let mut reader = Reader {
            address: address.to_owned(),
            cookie: String::new(),
        };
        let form = format!("name={name}&password={password}&next=/");
        let answer = reader.send("POST", "/login", &form).await;
        let line = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .unwrap_or_else(|| panic!("{answer}"));
        reader.cookie = line.split(';').next().unwrap().to_owned();
        reader
    }

    /// The page, once it shows `words`.
    async fn until(&self, path: &str, words: &str) -> String {
        let mut page = String::new();
        for _ in 0..600 {
            page = self.send("GET", path, "").await;
            if page.contains(words) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never {words:?} on {path}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_incident_and_the_way_out_are_seen_in_the_console() {
    let _turn = TURN.lock().await;
    let args = [
        "demo",
        "--console",
        "--keep",
        "--json",
        "--rows",
        "20000",
        "--seconds",
        "5",
        "--remedy",
        "move",
        "--major",
        "15",
    ];
    let mut child = corridor(&args).start();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let (address, password) = loop {
        let line = said
            .next_line()
            .await
            .unwrap()
            .expect("the demo says where its console is");
        assert!(!line.starts_with("WARN") && !line.starts_with("ERROR"), "{line}");
        if let Some((_, rest)) = line.split_once("console: http://") {
            let (address, account) = rest.split_once(" demo / ").unwrap();
            break (address.to_owned(), account.to_owned());
        }
    };
    let told = tokio::spawn(async move {
        let mut all = String::new();
        while let Ok(Some(line)) = said.next_line().await {
            all.push_str(&line);
            all.push('\n');
            if line.contains("the console stays until Ctrl-C") {
                break;
            }
        }
        (all, said)
    });
    let reader = Reader::sign_in(&address, "demo", &password).await;
    // The incident, then the move, while both are under way.
    reader.until("/", "LIM-001").await;
    reader.until("/", "public.persons").await;
    reader
        .until("/migrations", "move public.persons into 16 partitions")
        .await;
    let (all, _said) = tokio::time::timeout(Duration::from_secs(180), told)
        .await
        .unwrap()
        .unwrap();
    assert!(all.contains("the console stays"), "{all}");
    let troubled = all
        .lines()
        .find(|line| line.starts_with("WARN") || line.starts_with("ERROR"));
    assert_eq!(troubled, None, "{all}");

    let page = reader.until("/migrations", "waits for finish").await;
    let path = page
        .split("href=\"")
        .find(|part| part.starts_with("/clusters/demo/migrations/"))
        .unwrap();
    let path = path.split('"').next().unwrap().to_owned();
    let journal = reader.send("GET", &format!("{path}?tab=journal"), "").await;
    assert!(
        !journal.contains("lease taken; epoch 2"),
        "the demo's worker was the only one: {journal}"
    );
    // Nobody works there any more but the console's own service.
    let dialog = reader.send("GET", &format!("{path}/do/finish"), "").await;
    let csrf = dialog
        .split("name=\"csrf\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    reader
        .send(
            "POST",
            &format!("{path}/do/finish"),
            &format!("csrf={csrf}&drop=on"),
        )
        .await;
    reader
        .until(&path, "<span class=\"tag good\">finished</span>")
        .await;

    let pid = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output())
        .await
        .expect("it leaves")
        .unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    for command in value["kept"]["stop"]
        .as_array()
        .unwrap_or_else(|| panic!("{value}"))
    {
        let ended = Command::new("sh")
            .args(["-c", command.as_str().unwrap()])
            .status()
            .await
            .unwrap();
        assert!(ended.success(), "{command}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
