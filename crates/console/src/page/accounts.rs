//! All accounts, for admins. Only drawn here.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::Frame;
use super::html;
use super::moment::Moment;
use super::prose::filters;
use crate::Console;
use crate::access::{Role, Viewer};

/// What the page shows. Its forms post to:
///
/// - `/accounts`: `csrf`, `name`, `role`, `password`
/// - `/accounts/{name}/role`: `csrf`, `role`
/// - `/accounts/{name}/disabled`: `csrf`, `disabled` (`on` or `off`)
/// - `/accounts/{name}/password`: `csrf`, `password`
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// All of them.
    pub accounts: Vec<One>,
    /// What was done.
    pub notice: String,
    /// Why something was not done.
    pub error: String,
}

/// One account. Times are RFC 3339.
#[derive(Debug, Clone)]
pub struct One {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// It cannot sign in.
    pub is_disabled: bool,
    /// False for one that comes through a proxy or by token only.
    pub has_password: bool,
    /// Since when.
    pub created_at: String,
    /// Who made it.
    pub created_by: String,
    /// When it was last seen.
    pub seen_at: Option<String>,
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct Page<'a> {
    frame: Frame,
    accounts: &'a Accounts,
    me: &'a str,
    roles: [Role; 3],
}

impl Page<'_> {
    fn moment(&self, at: &str) -> Moment {
        Moment::new(at)
    }
}

/// The page.
pub fn render(console: &Console, viewer: &Viewer, status: StatusCode, accounts: &Accounts) -> Response {
    let page = Page {
        frame: Frame::new(console, viewer, "accounts", "Accounts"),
        accounts,
        me: &viewer.name,
        roles: Role::ALL,
    };
    html(status, &page)
}
