//! What every page has around it: navigation, the banner, who is signed in.

use corridor_pg::Fault;

use super::asset;
use super::banner::{self, Notice};
use crate::Console;
use crate::access::{Role, Viewer};

/// The frame of a page.
pub(crate) struct Frame {
    /// What stands in the tab.
    pub(crate) title: String,
    /// Where the navigation stands: `fleet`, `migrations`…
    pub(crate) section: &'static str,
    /// Who looks; `None` before the sign-in.
    pub(crate) viewer: Option<Viewer>,
    /// What everybody should know.
    pub(crate) notices: Vec<Notice>,
    /// Where its stream is, when it has one.
    pub(crate) live: Option<String>,
    /// It draws charts.
    pub(crate) has_charts: bool,
}

impl Frame {
    pub(crate) fn new(
        console: &Console,
        viewer: &Viewer,
        section: &'static str,
        title: impl Into<String>,
    ) -> Frame {
        Frame {
            title: title.into(),
            section,
            viewer: Some(viewer.clone()),
            notices: banner::notices(&console.host.clusters(), banner::now_s()),
            live: Some("/live".to_owned()),
            has_charts: false,
        }
    }

    /// Before somebody has signed in, and for what is not there.
    pub(crate) fn bare(title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            section: "",
            viewer: None,
            notices: Vec::new(),
            live: None,
            has_charts: false,
        }
    }

    pub(crate) fn live_at(mut self, address: String) -> Frame {
        self.live = Some(address);
        self
    }

    pub(crate) fn with_charts(mut self) -> Frame {
        self.has_charts = true;
        self
    }

    /// No stream: nothing on the page changes by itself.
    pub(crate) fn still(mut self) -> Frame {
        self.live = None;
        self
    }

    /// The address of an asset.
    pub(crate) fn asset(&self, name: &str) -> &'static str {
        asset::address(name)
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.viewer
            .as_ref()
            .is_some_and(|viewer| viewer.role >= Role::Admin)
    }

    pub(crate) fn csrf(&self) -> &str {
        self.viewer.as_ref().map_or("", |viewer| &viewer.csrf)
    }
}

/// Why something cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) code: &'static str,
    pub(crate) words: String,
    pub(crate) hint: &'static str,
}

impl From<&Fault> for Trouble {
    fn from(fault: &Fault) -> Trouble {
        Trouble {
            code: fault.code().id,
            words: fault.to_string(),
            hint: fault.code().hint,
        }
    }
}
