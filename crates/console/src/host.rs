//! What the process that serves knows, and can do. The binary implements it; tests have their own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use corridor_limits::finding::Finding;
use corridor_migration::definition::Definition;
use corridor_migration::store::Summary;
use corridor_pg::{ConnectOptions, Result};
use semver::Version;

/// Something that takes its time; a trait object cannot have `async fn`.
pub type Deed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The process around the console.
pub trait Host: Send + Sync + 'static {
    /// The clusters, in the order of the settings; never empty. The first one is *home*: accounts, tokens, settings and the
    /// audit are kept there.
    fn clusters(&self) -> Vec<Cluster>;
    /// Every setting of the service, with where its value comes from.
    fn settings(&self) -> Vec<Setting>;
    /// Changes a setting for all services of this home, and makes it hold here at once; `None` takes the change back. Refuses
    /// what makes no sense and what the command line or the environment fixes.
    fn set<'a>(&'a self, key: &'a str, value: Option<&'a str>, by: &'a str) -> Deed<'a, ()>;
    /// Refuses a file of a person's own that names what this build cannot carry out: the shape of a move, say.
    fn check(&self, definition: &Definition) -> Result<()>;
    /// OpenMetrics text.
    fn metrics(&self) -> String;
    /// The application's version, when the settings say it.
    fn app_version(&self) -> Option<Version>;
}

/// A cluster, and how it looked last.
#[derive(Clone)]
pub struct Cluster {
    /// Its name in the settings: `a-z`, `0-9`, `-`, `_`.
    pub name: String,
    /// How to get there.
    pub connect: ConnectOptions,
    /// What was seen at the last look; `None` before the first.
    pub seen: Option<Arc<Seen>>,
}

/// How a cluster looked.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// When, in seconds since 1970.
    pub at_s: f64,
    /// Why it could not be looked at.
    pub fault: Option<String>,
    /// Its migrations, the newest first.
    pub migrations: Vec<Summary>,
    /// The names of those that this service works.
    pub workers: Vec<String>,
    /// What the newest check of this service found, worst first; `None` when it has made none.
    pub findings: Option<Vec<Finding>>,
}

/// A look that is older than this says nothing.
const SEEN_MAX_S: f64 = 60.0;

impl Seen {
    /// Why a cluster is not known to be well.
    pub fn trouble(seen: Option<&Seen>) -> Option<String> {
        let Some(seen) = seen else {
            return Some("not looked at yet".to_owned());
        };
        let age_s = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64() - seen.at_s);
        match &seen.fault {
            Some(fault) => Some(fault.clone()),
            None if age_s > SEEN_MAX_S => Some(format!("last looked at {age_s:.0} s ago")),
            None => None,
        }
    }
}

/// One setting of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key: `auto_start`, `alerts.webhook`.
    pub key: String,
    /// The value that holds; secrets are concealed.
    pub value: String,
    /// What it does.
    pub doc: String,
    /// Where the value comes from, in words: `default`, `/etc/corridor.toml`, `console`.
    pub origin: String,
    /// Who changed it in the console, and when (RFC 3339); `None` where it comes from elsewhere.
    pub set_by: Option<(String, String)>,
    /// True when the command line or the environment fixes it, or it holds only from a restart on: then it cannot be changed here.
    pub is_fixed: bool,
}
