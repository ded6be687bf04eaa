//! Somebody at a browser in front of a service, and the accounts that they may have.

use std::path::{Path, PathBuf};

use corridor_testbed::{Browser, Key};

use crate::desk::Desk;
use crate::driver::corridor_on;
use crate::serving::Service;

pub(super) const PASSWORD: &str = "correct horse battery";

impl Desk {
    /// An account, as the guide says that one is made: the password on the standard input.
    pub(super) async fn account(&self, name: &str, role: &str) {
        corridor_on(&self.database, &["user", "add", name, "--role", role])
            .run_reading(&format!("{PASSWORD}\n"))
            .await
            .expect_code(0);
    }
}

/// A browser that looks at a service. Whatever the browser complains of fails the test at its end.
pub(super) struct Visit {
    pub(super) browser: Browser,
    base: String,
}

impl Visit {
    pub(super) fn of(service: &Service) -> Visit {
        Visit {
            browser: Browser::start().unwrap(),
            base: format!("http://{}", service.address),
        }
    }

    pub(super) fn go(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base)).unwrap();
    }

    /// Where it is, without the service's address and without what stands behind a question mark.
    pub(super) fn path(&self) -> String {
        let address = self.browser.address().unwrap();
        let path = address.strip_prefix(&self.base).unwrap_or(&address);
        path.split('?').next().unwrap_or_default().to_owned()
    }

    pub(super) fn try_to_sign_in(&self, name: &str, password: &str) {
        self.go("/login");
        self.browser.fill("input[name=name]", name).unwrap();
        self.browser.fill("input[name=password]", password).unwrap();
        self.follow("//button[.='Sign in']");
    }

    pub(super) fn sign_in(&self, name: &str) {
        self.try_to_sign_in(name, PASSWORD);
        assert_eq!(self.path(), "/", "{}", self.text("body"));
    }

    pub(super) fn click(&self, what: &str) {
        self.browser.click(what).unwrap();
    }

    pub(super) fn follow(&self, what: &str) {
        self.browser.follow(what).unwrap();
    }

    pub(super) fn fill(&self, what: &str, text: &str) {
        self.browser.fill(what, text).unwrap();
    }

    pub(super) fn press(&self, keys: &[Key]) {
        self.browser.press(keys).unwrap();
    }

    pub(super) fn type_text(&self, text: &str) {
        let keys: Vec<Key> = text.chars().map(Key::Char).collect();
        self.press(&keys);
    }

    #[track_caller]
    pub(super) fn text(&self, what: &str) -> String {
        self.browser.text(what).unwrap()
    }

    #[track_caller]
    pub(super) fn sees(&self, what: &str, words: &str) {
        self.browser
            .until_text(what, words)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// True where it is so, once it is.
    #[track_caller]
    pub(super) fn until(&self, what: &str, script: &str) {
        self.browser
            .until(what, |browser| {
                Ok(browser.script(&format!("return Boolean({script})"))? == true)
            })
            .unwrap_or_else(|error| panic!("{error}"));
    }

    pub(super) fn is_there(&self, what: &str) -> bool {
        self.browser.count(what).unwrap() > 0
    }

    /// The buttons of a migration's page.
    pub(super) fn actions(&self) -> Vec<String> {
        let words = self
            .browser
            .script("return [...document.querySelectorAll('#actions a')].map(one => one.textContent)")
            .unwrap();
        let words = words.as_array().unwrap().iter();
        words.map(|word| word.as_str().unwrap().to_owned()).collect()
    }

    /// Opens the dialog of a button, and waits until one can type.
    pub(super) fn ask(&self, word: &str) {
        self.click(&format!("[id='do-{word}']"));
        self.until(
            "the dialog is open",
            "document.querySelector('#dialog[open] form')",
        );
    }

    /// Says yes in it.
    pub(super) fn agree(&self) {
        self.follow("#dialog .buttons button");
    }

    /// The browser has had nothing to complain of since the last call.
    pub(super) fn is_content(&self) {
        let complaints = self.browser.complaints().unwrap();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// Complaints about answers that were to be refused.
    pub(super) fn forget_refusals(&self) {
        let complaints = self.browser.complaints().unwrap();
        let is_refusal = |line: &String| line.contains("the server responded with a status of 4");
        assert!(complaints.iter().all(is_refusal), "{complaints:#?}");
    }

    /// True when nothing of the page lies outside of its width.
    pub(super) fn fits(&self) -> bool {
        let fits = self
            .browser
            .script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            .unwrap();
        fits == true
    }

    pub(super) fn prefer(&self, theme: &str) {
        self.browser
            .prefer(
                &[
                    ("prefers-color-scheme", theme),
                    ("prefers-reduced-motion", "reduce"),
                ],
                "",
            )
            .unwrap();
    }
}

/// Where pictures go: where somebody wants them, else beside the test's files.
pub(super) fn pictures(desk: &Desk) -> PathBuf {
    let directory = match std::env::var_os("CORRIDOR_PICTURES") {
        Some(directory) => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(directory),
        None => desk.dir.join("pictures"),
    };
    std::fs::create_dir_all(&directory).unwrap();
    directory
}
