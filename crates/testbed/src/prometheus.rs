//! A real Prometheus that scrapes one address on loopback each second.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::server::{free_port, make_directory};
use crate::system::{self, ServerUser};

const PLACES: &[&str] = &["/usr/bin/prometheus", "/usr/local/bin/prometheus"];
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// It ends, and its files go, when this is dropped.
#[derive(Debug)]
pub struct Prometheus {
    directory: PathBuf,
    port: u16,
    child: Child,
}

impl Prometheus {
    /// Starts one that scrapes `http://127.0.0.1:port/metrics` and evaluates `rules` (a file's text).
    pub fn start(scraped_port: u16, rules: &str) -> Result<Prometheus> {
        Self::start_with(scraped_port, rules, None)
    }

    /// The same, with a token that it sends.
    pub fn start_with(scraped_port: u16, rules: &str, token: Option<&str>) -> Result<Prometheus> {
        let program = PLACES.iter().map(PathBuf::from).find(|path| path.exists());
        let program = program
            .ok_or_else(|| Error::Request("prometheus is missing; script/setup installs it".to_owned()))?;
        let user = ServerUser::find()?;
        let directory = make_directory()?;
        user.own(&directory)?;
        let port = free_port()?;
        let shown = directory.display();
        let proof = token.map_or(String::new(), |token| {
            format!("  authorization: {{ credentials: '{token}' }}\n")
        });
        let settings = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\nrule_files: ['{shown}/rules.yml']\nscrape_configs:\n\
             - job_name: corridor\n  static_configs: [{{ targets: ['127.0.0.1:{scraped_port}'] }}]\n{proof}"
        );
        for (name, text) in [("prometheus.yml", settings.as_str()), ("rules.yml", rules)] {
            let path = directory.join(name);
            fs::write(&path, text).map_err(Error::io(format!("writing {}", path.display())))?;
        }
        let log =
            fs::File::create(directory.join("log")).map_err(Error::io("making the log of Prometheus"))?;
        let child = user
            .command(&program)
            .arg(format!("--config.file={shown}/prometheus.yml"))
            .arg(format!("--storage.tsdb.path={shown}/data"))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(Error::io(format!("starting {}", program.display())))?;
        let mut started = Prometheus {
            directory,
            port,
            child,
        };
        started.wait_until_ready()?;
        Ok(started)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.get("/-/ready").is_ok_and(|text| text.contains("Ready")) {
            let ended = self
                .child
                .try_wait()
                .map_err(Error::io("waiting for Prometheus"))?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(Error::Program {
                    doing: "starting Prometheus".to_owned(),
                    output: fs::read_to_string(self.directory.join("log")).unwrap_or_default(),
                });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The body that a path of its API answers with: `/api/v1/query?query=up`.
    pub fn get(&self, path: &str) -> Result<String> {
        let doing = "asking Prometheus";
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let mut stream = TcpStream::connect(address).map_err(Error::io(doing))?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .map_err(Error::io(doing))?;
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )
        .map_err(Error::io(doing))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(Error::io(doing))?;
        Ok(answer
            .split_once("\r\n\r\n")
            .map_or(String::new(), |(_, body)| body.to_owned()))
    }

    /// What `promtool` says to a file of alert rules. An error when it does not like it.
    pub fn check_rules(path: &Path) -> Result<String> {
        let output = Command::new("promtool")
            .args(["check", "rules"])
            .arg(path)
            .output()
            .map_err(Error::io("running promtool"))?;
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        match output.status.success() {
            true => Ok(said),
            false => Err(Error::Program {
                doing: "checking the alert rules".to_owned(),
                output: said,
            }),
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        system::signal("TERM", self.child.id()).ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}
