//! A real Chromium without a window, driven through chromedriver: WebDriver over loopback, JSON over HTTP.
//!
//! Calls block. Nothing here sleeps for a fixed time in the hope that something has come true: [`Browser::until`] looks until
//! it has.
//!
//! **Trap:** an element that the page's stream writes anew is gone between being found and being clicked. Whatever acts finds
//! its element and acts, and begins again when the element went away in between.

mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::server::{free_port, make_directory};
use crate::system::{self, ServerUser};

const DRIVERS: &[&str] = &["/usr/bin/chromedriver", "/usr/lib/chromium/chromedriver"];
const CHROMIUMS: &[&str] = &["/usr/bin/chromium"];
const FLAGS: &[&str] = &[
    "--headless",
    // The sandbox needs rights that containers rarely give; what is looked at is our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// What a person would not wait for any longer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The member that holds an element's id, as the standard has it.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Ends the driver and the browser when we are gone, however we went: the pipe ends then. `$1` is the driver, `$2` the browser,
/// `$3` their directory.
const GUARDIAN: &str = r#"
trap '' HUP INT TERM
read -r word
[ "$word" = done ] && exit 0
kill -s TERM "$1" "$2" 2>/dev/null
sleep 1
rm -rf -- "$3" 2>/dev/null
"#;

/// A key that has no character: the code points that WebDriver has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The next thing that takes the focus.
    Tab,
    /// The one before.
    BackTab,
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// A character.
    Char(char),
}

/// It ends, and its files go, when this is dropped.
#[derive(Debug)]
pub struct Browser {
    directory: PathBuf,
    port: u16,
    driver: Child,
    session: String,
    guardian: Option<Child>,
}

impl Browser {
    /// Starts one with an empty profile and a window of 1280 to 800.
    pub fn start() -> Result<Browser> {
        let (driver, chromium) = (program(DRIVERS)?, program(CHROMIUMS)?);
        let user = ServerUser::find()?;
        let directory = make_directory()?;
        user.own(&directory)?;
        let port = free_port()?;
        let log = directory.join("log");
        let file = fs::File::create(&log).map_err(Error::io("making the log of chromedriver"))?;
        let child = user
            .command(&driver)
            .arg(format!("--port={port}"))
            .env("HOME", &directory)
            .env("TMPDIR", &directory)
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(Error::io(format!("starting {}", driver.display())))?;
        let mut browser = Browser {
            directory,
            port,
            driver: child,
            session: String::new(),
            guardian: None,
        };
        browser.begin(&chromium)?;
        browser.resize(1280, 800)?;
        Ok(browser)
    }

    fn begin(&mut self, chromium: &Path) -> Result<()> {
        let profile = format!("--user-data-dir={}", self.directory.join("profile").display());
        let flags: Vec<&str> = FLAGS.iter().copied().chain([profile.as_str()]).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "binary": chromium, "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let deadline = Instant::now() + START_TIMEOUT;
        let made = loop {
            match wire::ask(self.port, "GET", "/status", None) {
                Ok(status) if status["ready"] == true => {
                    break wire::ask(self.port, "POST", "/session", Some(&wanted));
                }
                _ => {
                    let ended = self
                        .driver
                        .try_wait()
                        .map_err(Error::io("waiting for chromedriver"))?;
                    if ended.is_some() || Instant::now() > deadline {
                        break Err(wire::refused("chromedriver is not ready"));
                    }
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        };
        let made = made.map_err(|why| {
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            Error::Program {
                doing: "starting Chromium".to_owned(),
                output: format!("{why}\n{log}"),
            }
        })?;
        self.session = made["sessionId"].as_str().unwrap_or_default().to_owned();
        let browser = made["capabilities"]["goog:processID"]
            .as_u64()
            .unwrap_or_default();
        let guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "corridor-guardian"])
            .arg(self.driver.id().to_string())
            .arg(browser.to_string())
            .arg(&self.directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io("starting the guardian of a browser"))?;
        self.guardian = Some(guardian);
        Ok(())
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        wire::ask(
            self.port,
            "POST",
            &format!("/session/{}/{path}", self.session),
            Some(body),
        )
    }

    fn get(&self, path: &str) -> Result<Value> {
        wire::ask(
            self.port,
            "GET",
            &format!("/session/{}/{path}", self.session),
            None,
        )
    }

    /// A command of Chromium's own protocol.
    pub fn command(&self, name: &str, parameters: &Value) -> Result<Value> {
        self.post("goog/cdp/execute", &json!({ "cmd": name, "params": parameters }))
    }

    /// Goes to an address, and waits until the page is there.
    pub fn open(&self, url: &str) -> Result<()> {
        self.post("url", &json!({ "url": url })).map(drop)
    }

    /// Where it is.
    pub fn address(&self) -> Result<String> {
        Ok(self.get("url")?.as_str().unwrap_or_default().to_owned())
    }

    /// What stands in the tab.
    pub fn title(&self) -> Result<String> {
        Ok(self.get("title")?.as_str().unwrap_or_default().to_owned())
    }

    /// What a script returns; it is the body of a function.
    pub fn script(&self, body: &str) -> Result<Value> {
        self.post("execute/sync", &json!({ "script": body, "args": [] }))
    }

    fn find(&self, what: &str) -> Result<String> {
        let using = if what.starts_with("//") {
            "xpath"
        } else {
            "css selector"
        };
        let found = self.post("element", &json!({ "using": using, "value": what }))?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    /// How many there are: by a CSS selector, or by an XPath that begins with `//`.
    pub fn count(&self, what: &str) -> Result<usize> {
        let using = if what.starts_with("//") {
            "xpath"
        } else {
            "css selector"
        };
        let found = self.post("elements", &json!({ "using": using, "value": what }))?;
        Ok(found.as_array().map_or(0, Vec::len))
    }

    /// Looks until `is_so`; the error says what was waited for, and what the page shows instead.
    pub fn until(&self, what: &str, mut is_so: impl FnMut(&Browser) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + LOOK_TIMEOUT;
        loop {
            let last = match is_so(self) {
                Ok(true) => return Ok(()),
                Ok(false) => String::new(),
                Err(error) => format!("\n{error}"),
            };
            if Instant::now() > deadline {
                let shown = self.text("body").unwrap_or_default();
                let address = self.address().unwrap_or_default();
                return Err(wire::refused(format!(
                    "never so: {what}{last}\n{address}\n{shown}"
                )));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Does something with an element that is, or comes to be, there.
    fn with<T>(&self, what: &str, mut act: impl FnMut(&str) -> Result<T>) -> Result<T> {
        let mut done = None;
        self.until(&format!("{what} is there"), |browser| {
            let element = browser.find(what)?;
            done = Some(act(&element)?);
            Ok(true)
        })?;
        done.ok_or_else(|| wire::refused(format!("{what} is not there")))
    }

    /// The text of an element as it is seen.
    pub fn text(&self, what: &str) -> Result<String> {
        let element = self.find(what)?;
        let text = self.get(&format!("element/{element}/text"))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until an element shows `words`.
    pub fn until_text(&self, what: &str, words: &str) -> Result<()> {
        self.until(&format!("{words:?} in {what}"), |browser| {
            Ok(browser.text(what)?.contains(words))
        })
    }

    /// Clicks, as a person does: where it stands, if nothing is in front of it.
    pub fn click(&self, what: &str) -> Result<()> {
        self.with(what, |element| {
            self.post(&format!("element/{element}/click"), &json!({}))
                .map(drop)
        })
    }

    /// Clicks on what leads to another page, and waits until that is there.
    pub fn follow(&self, what: &str) -> Result<()> {
        self.script("window.isOld = true")?;
        self.click(what)?;
        self.until("another page", |browser| {
            Ok(browser.script("return document.readyState === 'complete' && !window.isOld")? == true)
        })
    }

    /// Empties a field and types into it.
    pub fn fill(&self, what: &str, text: &str) -> Result<()> {
        self.with(what, |element| {
            self.post(&format!("element/{element}/clear"), &json!({}))?;
            self.post(&format!("element/{element}/value"), &json!({ "text": text }))
                .map(drop)
        })
    }

    /// Keys, one after the other, to whatever has the focus.
    pub fn press(&self, keys: &[Key]) -> Result<()> {
        const SHIFT: &str = "\u{e008}";
        const TAB: &str = "\u{e004}";
        let down = |value: &str| json!({ "type": "keyDown", "value": value });
        let up = |value: &str| json!({ "type": "keyUp", "value": value });
        let tap = |value: &str| vec![down(value), up(value)];
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| match key {
                Key::Tab => tap(TAB),
                Key::BackTab => vec![down(SHIFT), down(TAB), up(TAB), up(SHIFT)],
                Key::Enter => tap("\u{e007}"),
                Key::Escape => tap("\u{e00c}"),
                Key::Char(character) => tap(&character.to_string()),
            })
            .collect();
        self.post(
            "actions",
            &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }),
        )
        .map(drop)
    }

    /// The page's size in CSS pixels. Not the window's: Chromium makes none narrower than 500.
    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", &size)
            .map(drop)
    }

    /// What the reader prefers: `prefers-color-scheme` and the like, each with its value; and `print` or nothing.
    pub fn prefer(&self, features: &[(&str, &str)], media: &str) -> Result<()> {
        let features: Vec<Value> = features
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let wanted = json!({ "media": media, "features": features });
        self.command("Emulation.setEmulatedMedia", &wanted).map(drop)
    }

    /// Pages have no scripts from now on, or have them again.
    pub fn disable_scripts(&self, is_disabled: bool) -> Result<()> {
        self.command(
            "Emulation.setScriptExecutionDisabled",
            &json!({ "value": is_disabled }),
        )
        .map(drop)
    }

    /// What the console of the browser has said since the last call, of the level SEVERE: errors of scripts, what the content
    /// security policy has refused, answers that were none.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let said = self.post("se/log", &json!({ "type": "browser" }))?;
        let severe = said.as_array().into_iter().flatten();
        Ok(severe
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// A picture of what the window shows.
    pub fn picture(&self, path: &Path) -> Result<()> {
        let taken = self.get("screenshot")?;
        let bytes = wire::base64(taken.as_str().unwrap_or_default())
            .ok_or_else(|| wire::refused("the picture cannot be read"))?;
        fs::write(path, bytes).map_err(Error::io(format!("writing {}", path.display())))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            wire::ask(self.port, "DELETE", &format!("/session/{}", self.session), None).ok();
        }
        system::signal("TERM", self.driver.id()).ok();
        self.driver.wait().ok();
        if let Some(mut guardian) = self.guardian.take() {
            if let Some(mut pipe) = guardian.stdin.take() {
                std::io::Write::write_all(&mut pipe, b"done\n").ok();
            }
            guardian.wait().ok();
        }
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn program(places: &[&str]) -> Result<PathBuf> {
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| {
        let name = places.first().copied().unwrap_or_default();
        Error::Request(format!("{name} is missing; script/setup installs it"))
    })
}
