//! All accounts, for admins. Only drawn here.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::Frame;
use super::html;
use super::moment::Moment;
use super::prose::filters;
use crate::Console;
use crate::access::account::Account;
use crate::access::{Role, Viewer};

/// What the page shows. Its forms post to:
///
/// - `/accounts`: `csrf`, `name`, `role`, `password`
/// - `/accounts/{name}/role`: `csrf`, `role`
/// - `/accounts/{name}/disabled`: `csrf`, `disabled` (`on` or `off`)
/// - `/accounts/{name}/password`: `csrf`, `password`
/// - `/accounts/{name}/remove`: `csrf`
#[derive(Debug, Clone, Default)]
pub(crate) struct Accounts {
    /// All of them.
    pub(crate) accounts: Vec<Account>,
    /// What was done.
    pub(crate) notice: String,
    /// Why something was not done.
    pub(crate) error: String,
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
pub(crate) fn render(
    console: &Console,
    viewer: &Viewer,
    status: StatusCode,
    accounts: &Accounts,
) -> Response {
    let page = Page {
        frame: Frame::new(console, viewer, "accounts", "Accounts"),
        accounts,
        me: &viewer.name,
        roles: Role::ALL,
    };
    html(status, &page)
}
